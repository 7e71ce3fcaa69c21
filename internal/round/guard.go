package round

import (
	"context"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/parameters"
	"github.com/layerd/layerd/internal/state"
)

// Lease is the right to change one account. *lease.Lease is one.
type Lease interface {
	Fence() int64
	// Bind returns a context that ends before the lease does.
	Bind(ctx context.Context) (context.Context, context.CancelFunc)
	// Check returns nil while something may still be begun.
	Check() error
	// Until is when nothing may be on its way any more, unless it is renewed before.
	Until() time.Time
}

// leased sends a change to AWS only while the lease lasts, and not so late
// that it could still be on its way when somebody else may act. Changes that
// were sent are seen through with what was left of apply's patience.
type leased struct {
	Cloud
	lease Lease
}

// allowed returns a context for one change, or an error that says that it was
// not sent. It ends with the lease, which is renewed while the change waits for its turn:
// a queue that is longer than what the lease has left is no reason to fail all that is in
// it.
func (g leased) allowed(ctx context.Context, op, resource string) (context.Context, context.CancelFunc, error) {
	if err := g.check(op, resource); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for left := time.Until(g.lease.Until()); left > 0; left = time.Until(g.lease.Until()) {
			select {
			case <-time.After(left):
			case <-ctx.Done():
				return
			}
		}
		cancel(context.DeadlineExceeded)
	}()
	return ctx, func() { cancel(context.Canceled) }, nil
}

// allowedSoon is allowed for a change that AWS itself cannot refuse when it comes late: it
// is sent within what the lease has left now, or not at all. How long a publish may still
// come to be is counted from its record, and a delete goes by a sweep of that time.
func (g leased) allowedSoon(ctx context.Context, op, resource string) (context.Context, context.CancelFunc, error) {
	if err := g.check(op, resource); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithDeadline(ctx, g.lease.Until())
	return ctx, cancel, nil
}

func (g leased) check(op, resource string) error {
	if err := g.lease.Check(); err != nil {
		// Barred, and not Stopped: it is known that nothing was sent, and that nothing
		// else may be.
		return &state.Error{Op: op, Resource: resource, Kind: state.Barred, Message: err.Error(), Err: err}
	}
	return nil
}

func (g leased) SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (string, error) {
	return g.While(nil).SetLayers(ctx, name, layers, revision)
}

func (g leased) DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (string, error) {
	return g.While(nil).DeleteLayerVersion(ctx, v)
}

func (g leased) Publish(ctx context.Context, q state.Qualified, code, revision string) (string, string, error) {
	return g.While(nil).Publish(ctx, q, code, revision)
}

func (g leased) MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (string, error) {
	return g.While(nil).MoveAlias(ctx, q, version, weights, revision)
}

// PutParameter implements [parameters.Store].
func (g leased) PutParameter(ctx context.Context, p parameters.Parameter, _ func() error) error {
	ctx, cancel, err := g.allowed(ctx, "PutParameter", p.Name)
	if err != nil {
		return err
	}
	defer cancel()
	return g.Cloud.PutParameter(ctx, p, g.lease.Check)
}

// DeleteParameter implements [parameters.Store].
func (g leased) DeleteParameter(ctx context.Context, name string, _ func() error) error {
	ctx, cancel, err := g.allowed(ctx, "DeleteParameter", name)
	if err != nil {
		return err
	}
	defer cancel()
	return g.Cloud.DeleteParameter(ctx, name, g.lease.Check)
}

func (g leased) PublishLayer(ctx context.Context, layer state.LayerARN, r state.Release) (int64, string, string, error) {
	return g.While(nil).PublishLayer(ctx, layer, r)
}

func (g leased) GrantLayer(ctx context.Context, v state.LayerVersionARN, grant state.Grant) (string, error) {
	return g.While(nil).GrantLayer(ctx, v, grant)
}

func (g leased) RevokeLayer(ctx context.Context, v state.LayerVersionARN, sid, revision string) (string, error) {
	return g.While(nil).RevokeLayer(ctx, v, sid, revision)
}

// While returns the writes, each sent only while the lease lasts and check, if it is
// not nil, returns nil.
func (g leased) While(check func() error) apply.Writes {
	return leasedWrites{g, g.Cloud.While(func() error {
		err := g.lease.Check()
		if err == nil && check != nil {
			err = check()
		}
		return err
	})}
}

type leasedWrites struct {
	leased
	sends apply.Writes
}

func (w leasedWrites) SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (string, error) {
	ctx, cancel, err := w.allowed(ctx, "UpdateFunctionConfiguration", name)
	if err != nil {
		return "", err
	}
	defer cancel()
	return w.sends.SetLayers(ctx, name, layers, revision)
}

func (w leasedWrites) DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (string, error) {
	ctx, cancel, err := w.allowedSoon(ctx, "DeleteLayerVersion", string(v))
	if err != nil {
		return "", err
	}
	defer cancel()
	return w.sends.DeleteLayerVersion(ctx, v)
}

func (w leasedWrites) Publish(ctx context.Context, q state.Qualified, code, revision string) (string, string, error) {
	ctx, cancel, err := w.allowed(ctx, "PublishVersion", q.Function)
	if err != nil {
		return "", "", err
	}
	defer cancel()
	return w.sends.Publish(ctx, q, code, revision)
}

func (w leasedWrites) MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (string, error) {
	ctx, cancel, err := w.allowed(ctx, "UpdateAlias", q.String())
	if err != nil {
		return "", err
	}
	defer cancel()
	return w.sends.MoveAlias(ctx, q, version, weights, revision)
}

func (w leasedWrites) PublishLayer(ctx context.Context, layer state.LayerARN, r state.Release) (int64, string, string, error) {
	ctx, cancel, err := w.allowedSoon(ctx, "PublishLayerVersion", string(layer))
	if err != nil {
		return 0, "", "", err
	}
	defer cancel()
	return w.sends.PublishLayer(ctx, layer, r)
}

func (w leasedWrites) GrantLayer(ctx context.Context, v state.LayerVersionARN, grant state.Grant) (string, error) {
	ctx, cancel, err := w.allowed(ctx, "AddLayerVersionPermission", string(v))
	if err != nil {
		return "", err
	}
	defer cancel()
	return w.sends.GrantLayer(ctx, v, grant)
}

func (w leasedWrites) RevokeLayer(ctx context.Context, v state.LayerVersionARN, sid, revision string) (string, error) {
	ctx, cancel, err := w.allowed(ctx, "RemoveLayerVersionPermission", string(v))
	if err != nil {
		return "", err
	}
	defer cancel()
	return w.sends.RevokeLayer(ctx, v, sid, revision)
}

// history is the history as whoever holds the account's lease writes it.
func (p *Run) history(account string) *history.Log {
	if l := p.leases[account]; l != nil {
		return p.log.Holding(account, l.Fence())
	}
	return p.log
}
