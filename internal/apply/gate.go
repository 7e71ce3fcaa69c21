package apply

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/layerd/layerd/internal/state"
)

// ClosedError is why Run has left off: what one call met, every other one would
// have met as well.
type ClosedError struct{ Err error }

func (e *ClosedError) Error() string { return e.Err.Error() }
func (e *ClosedError) Unwrap() error { return e.Err }

// gate is the Cloud as all functions of a run share it. What one of them finds out
// about all it finds out for all: from then on nothing is begun any more.
//
// What is not about the call (state.Barred) closes it at once, and so does an
// answer from elsewhere. A missing right and an AWS that does not answer may be one
// function's: they close it when a second one meets the same and none was let
// through in between. So that no fleet learns that at once, the writes of an
// operation go one at a time until AWS has looked at one.
type gate struct {
	Cloud
	sends Writes // of Cloud, while the gate is open
	// stopped is closed when nothing more may be begun: what still waits for its turn
	// then has not begun.
	stopped <-chan struct{}

	mu     sync.Mutex        // guards what follows
	closed error             // a *ClosedError; nil = open
	denied map[string]string // the function that was denied last, by operation
	lost   map[string]string // that was given up for want of an answer, by operation

	writes map[string]*writing // not written to once it was made
}

// writing is one operation that changes something.
type writing struct {
	// letThrough: AWS has looked at what was asked, and not denied it since.
	letThrough atomic.Bool
	// turn holds one token for whoever asks while letThrough is false.
	turn chan struct{}
}

// The operations, as AWS calls them.
const (
	opSetLayers = "UpdateFunctionConfiguration"
	opPublish   = "PublishVersion"
	opMoveAlias = "UpdateAlias"
	opDelete    = "DeleteLayerVersion"
	opFunction  = "GetFunction"
	opAlias     = "GetAlias"
	opUsers     = "ListFunctions"
)

func newGate(c Cloud, while func(check func() error) Writes, stopped <-chan struct{}) *gate {
	g := &gate{Cloud: c, stopped: stopped, denied: map[string]string{}, lost: map[string]string{}, writes: map[string]*writing{}}
	for _, op := range []string{opSetLayers, opPublish, opMoveAlias, opDelete} {
		w := &writing{turn: make(chan struct{}, 1)}
		w.turn <- struct{}{}
		g.writes[op] = w
	}
	g.sends = c
	if while != nil {
		g.sends = while(g.whyClosed)
	}
	return g
}

// whyClosed returns a *ClosedError once nothing is begun any more.
func (g *gate) whyClosed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// close closes the gate for err, unless something else has done so before, and
// returns what whoever met err is to be told.
func (g *gate) close(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		return g.closed
	}
	g.closed = &ClosedError{err}
	return err
}

// write makes one write about something, if nothing has closed the gate by the time
// that its turn comes.
func (g *gate) write(ctx context.Context, op, about string, do func() error) error {
	w := g.writes[op]
	if !w.letThrough.Load() {
		unsent := &state.Error{Op: op, Resource: about, Kind: state.Again, Message: "not sent: stopped"}
		select {
		case <-w.turn:
			if w.letThrough.Load() {
				w.turn <- struct{}{}
			} else {
				defer func() { w.turn <- struct{}{} }()
			}
		case <-ctx.Done():
			return unsent
		}
		select {
		case <-g.stopped:
			return unsent
		default:
		}
	}
	if err := g.whyClosed(); err != nil {
		return err
	}
	return g.note(op, about, do())
}

// note takes from how a call ended what it says about all. It returns err, or why
// the gate was closed already where that is what err says.
func (g *gate) note(op, about string, err error) error {
	kind := state.KindOf(err)
	e, _ := errors.AsType[*state.Error](err)
	switch {
	case closes(err):
		return g.close(err)
	case kind == state.Again, kind == state.Unsure, kind == state.Stopped:
		// Nothing is known yet: see gaveUp.
	case e != nil && mayBeAll(e.Code):
		if w := g.writes[op]; w != nil {
			w.letThrough.Store(false)
		}
		g.second(g.denied, op, about, err)
	default: // AWS has looked at what was asked
		if w := g.writes[op]; w != nil {
			w.letThrough.Store(true)
		}
		g.mu.Lock()
		delete(g.denied, op)
		delete(g.lost, op)
		g.mu.Unlock()
	}
	return err
}

// closes reports whether an error is of every call, whatever it asks.
func closes(err error) bool { return state.KindOf(err) == state.Barred || state.Elsewhere(err) != nil }

// mayBeAll reports whether a refusal may be of one function or of all of them.
func mayBeAll(code string) bool { return state.Denied(code) || code == "CodeStorageExceededException" }

// gaveUp notes that a function had no answer although it was tried again and again.
func (g *gate) gaveUp(function string, err error) {
	e, ok := errors.AsType[*state.Error](err)
	if !ok || e.Kind != state.Again && e.Kind != state.Unsure {
		return
	}
	unreached := *e
	unreached.Kind = state.Again // what became of one function's write is no matter of the others
	g.second(g.lost, e.Op, function, &unreached)
}

// second closes the gate when another function met the same before.
func (g *gate) second(met map[string]string, op, function string, err error) {
	g.mu.Lock()
	before, known := met[op]
	met[op] = function
	g.mu.Unlock()
	if known && before != function {
		_ = g.close(err) // and this function has its own answer
	}
}

// The calls of Cloud, noted.

func (g *gate) Function(ctx context.Context, name string) (state.Function, error) {
	f, err := g.Cloud.Function(ctx, name)
	return f, g.note(opFunction, name, err)
}

func (g *gate) SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (id string, err error) {
	err = g.write(ctx, opSetLayers, name, func() (err error) {
		id, err = g.sends.SetLayers(ctx, name, layers, revision)
		return err
	})
	return id, err
}

// WaitUpdated has a time limit of its own, which says nothing about others.
func (g *gate) WaitUpdated(ctx context.Context, name string) (state.Function, error) {
	f, err := g.Cloud.WaitUpdated(ctx, name)
	if closes(err) {
		err = g.close(err)
	}
	return f, err
}

func (g *gate) DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (id string, err error) {
	err = g.write(ctx, opDelete, string(v), func() (err error) {
		id, err = g.sends.DeleteLayerVersion(ctx, v)
		return err
	})
	return id, err
}

func (g *gate) Served(ctx context.Context, q state.Qualified) (state.Served, error) {
	s, err := g.Cloud.Served(ctx, q)
	return s, g.note(opFunction, q.Function, err)
}

func (g *gate) Publish(ctx context.Context, q state.Qualified, code, revision string) (version, id string, err error) {
	err = g.write(ctx, opPublish, q.Function, func() (err error) {
		version, id, err = g.sends.Publish(ctx, q, code, revision)
		return err
	})
	return version, id, err
}

// WaitActive is as WaitUpdated.
func (g *gate) WaitActive(ctx context.Context, q state.Qualified) (state.Served, error) {
	s, err := g.Cloud.WaitActive(ctx, q)
	if closes(err) {
		err = g.close(err)
	}
	return s, err
}

func (g *gate) Alias(ctx context.Context, q state.Qualified) (state.Alias, error) {
	a, err := g.Cloud.Alias(ctx, q)
	return a, g.note(opAlias, q.Function, err)
}

func (g *gate) MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (id string, err error) {
	err = g.write(ctx, opMoveAlias, q.Function, func() (err error) {
		id, err = g.sends.MoveAlias(ctx, q, version, weights, revision)
		return err
	})
	return id, err
}

// WaitProvisioned is as WaitUpdated.
func (g *gate) WaitProvisioned(ctx context.Context, q state.Qualified) error {
	err := g.Cloud.WaitProvisioned(ctx, q)
	if closes(err) {
		err = g.close(err)
	}
	return err
}

// PublishLayer has no turn to wait for: layers are published one after the other. What
// AWS refuses is about the archive or about the store of the account, and nothing
// is known by it of a function.
func (g *gate) PublishLayer(ctx context.Context, layer state.LayerARN, r state.Release) (int64, string, string, error) {
	if err := g.whyClosed(); err != nil {
		return 0, "", "", err
	}
	n, sha256, id, err := g.sends.PublishLayer(ctx, layer, r)
	if closes(err) {
		err = g.close(err)
	}
	return n, sha256, id, err
}

func (g *gate) LayerVersions(ctx context.Context, layer state.LayerARN) ([]state.LayerVersion, error) {
	list, err := g.Cloud.LayerVersions(ctx, layer)
	if closes(err) {
		err = g.close(err)
	}
	return list, err
}

func (g *gate) LayerVersion(ctx context.Context, v state.LayerVersionARN) (state.LayerVersion, string, error) {
	found, sha256, err := g.Cloud.LayerVersion(ctx, v)
	if closes(err) {
		err = g.close(err)
	}
	return found, sha256, err
}

func (g *gate) LayerPolicy(ctx context.Context, v state.LayerVersionARN) (state.Policy, error) {
	p, err := g.Cloud.LayerPolicy(ctx, v)
	if closes(err) {
		err = g.close(err)
	}
	return p, err
}

// GrantLayer has no turn to wait for: grants are made one after the other, and whoever
// makes them leaves off once one is denied. Sharing is a right of its own, without which
// everything else goes on.
func (g *gate) GrantLayer(ctx context.Context, v state.LayerVersionARN, grant state.Grant) (string, error) {
	if err := g.whyClosed(); err != nil {
		return "", err
	}
	id, err := g.sends.GrantLayer(ctx, v, grant)
	if closes(err) {
		err = g.close(err)
	}
	return id, err
}

// RevokeLayer is as GrantLayer.
func (g *gate) RevokeLayer(ctx context.Context, v state.LayerVersionARN, sid, revision string) (string, error) {
	if err := g.whyClosed(); err != nil {
		return "", err
	}
	id, err := g.sends.RevokeLayer(ctx, v, sid, revision)
	if closes(err) {
		err = g.close(err)
	}
	return id, err
}

func (g *gate) Users(ctx context.Context) (map[state.LayerVersionARN]string, error) {
	users, err := g.Cloud.Users(ctx)
	return users, g.note(opUsers, "", err)
}
