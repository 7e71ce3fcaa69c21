package round

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/parameters"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
)

// waiting is a cloud in which each change waits for its turn, which comes after so long,
// and then is on its way until its context ends; it notes when that was.
type waiting struct {
	Cloud
	turn time.Duration
	mu   *sync.Mutex // guards end
	end  map[string]time.Time
}

func (w waiting) While(func() error) apply.Writes { return w }

func (w waiting) send(ctx context.Context, op string) error {
	// As a limiter does it: at once, where the turn comes after the deadline.
	if until, ok := ctx.Deadline(); ok && time.Until(until) < w.turn {
		return context.DeadlineExceeded
	}
	select {
	case <-time.After(w.turn):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	<-ctx.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end[op] = time.Now()
	return nil
}

func (w waiting) SetLayers(ctx context.Context, _ string, _ []state.LayerVersionARN, _ string) (string, error) {
	return "", w.send(ctx, "SetLayers")
}

func (w waiting) DeleteLayerVersion(ctx context.Context, _ state.LayerVersionARN) (string, error) {
	return "", w.send(ctx, "DeleteLayerVersion")
}

func (w waiting) Publish(ctx context.Context, _ state.Qualified, _, _ string) (string, string, error) {
	return "7", "", w.send(ctx, "Publish")
}

func (w waiting) MoveAlias(ctx context.Context, _ state.Qualified, _ string, _ map[string]float64, _ string) (string, error) {
	return "", w.send(ctx, "MoveAlias")
}

func (w waiting) PublishLayer(ctx context.Context, _ state.LayerARN, _ state.Release) (int64, string, string, error) {
	return 7, "", "", w.send(ctx, "PublishLayer")
}

func (w waiting) GrantLayer(ctx context.Context, _ state.LayerVersionARN, _ state.Grant) (string, error) {
	return "", w.send(ctx, "GrantLayer")
}

func (w waiting) RevokeLayer(ctx context.Context, _ state.LayerVersionARN, _, _ string) (string, error) {
	return "", w.send(ctx, "RevokeLayer")
}

func (w waiting) PutParameter(ctx context.Context, _ parameters.Parameter, _ func() error) error {
	return w.send(ctx, "PutParameter")
}

func (w waiting) DeleteParameter(ctx context.Context, _ string, _ func() error) error {
	return w.send(ctx, "DeleteParameter")
}

// tenure is a lease of a minute of which the test says whether it still holds, and until
// when it is renewed every twenty seconds.
type tenure struct {
	Lease
	lost    error
	renewed time.Time
	began   time.Time
}

func (l tenure) Check() error { return l.lost }

func (l tenure) Until() time.Time {
	last := l.began
	for next := last.Add(20 * time.Second); !next.After(l.renewed) && !next.After(time.Now()); next = next.Add(20 * time.Second) {
		last = next
	}
	return last.Add(time.Minute)
}

// writes are all that can change something in AWS, all at once.
func writes(ctx context.Context, c Cloud) map[string]error {
	live := state.Qualified{Function: "f", Qualifier: "live"}
	var wait sync.WaitGroup
	var mu sync.Mutex
	did := map[string]error{}
	for op, do := range map[string]func() error{
		"SetLayers":          func() error { _, err := c.SetLayers(ctx, "f", nil, "r"); return err },
		"DeleteLayerVersion": func() error { _, err := c.DeleteLayerVersion(ctx, "v"); return err },
		"Publish":            func() error { _, _, err := c.Publish(ctx, live, "", "r"); return err },
		"MoveAlias":          func() error { _, err := c.MoveAlias(ctx, live, "7", nil, "a"); return err },
		"PublishLayer":       func() error { _, _, _, err := c.PublishLayer(ctx, "l", state.Release{}); return err },
		"GrantLayer":         func() error { _, err := c.GrantLayer(ctx, "v", state.Grant{}); return err },
		"RevokeLayer":        func() error { _, err := c.RevokeLayer(ctx, "v", "s", "r"); return err },
		"PutParameter":       func() error { return c.PutParameter(ctx, parameters.Parameter{Name: "/layerd/prod/common/arn"}, nil) },
		"DeleteParameter":    func() error { return c.DeleteParameter(ctx, "/layerd/prod/common/arn", nil) },
	} {
		wait.Go(func() {
			err := do()
			mu.Lock()
			defer mu.Unlock()
			did[op] = err
		})
	}
	wait.Wait()
	return did
}

// Nothing is on its way after the lease. A change that waits longer for its turn than the
// lease had left is none that fails, since the lease is renewed meanwhile, but for those
// two that AWS does not refuse when they are late.
func TestChangesAreKeptToTheLease(t *testing.T) {
	for _, tt := range []struct{ turn, renewed, end, soon time.Duration }{
		{turn: 0, renewed: 0, end: time.Minute, soon: time.Minute},
		{turn: 0, renewed: 45 * time.Second, end: 100 * time.Second, soon: time.Minute},
		{turn: 5 * time.Minute, renewed: 10 * time.Minute, end: 11 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			sent := waiting{turn: tt.turn, mu: &sync.Mutex{}, end: map[string]time.Time{}}
			for op, err := range writes(t.Context(), leased{sent, tenure{began: began, renewed: began.Add(tt.renewed)}}) {
				want := tt.end
				if op == "PublishLayer" || op == "DeleteLayerVersion" {
					want = tt.soon
				}
				if want == 0 {
					if !errors.Is(err, context.DeadlineExceeded) || len(sent.end) != 7 {
						t.Errorf("%+v: %s was not refused: %v", tt, op, err)
					}
				} else if end := sent.end[op].Sub(began); err != nil || end != want {
					t.Errorf("%+v: %s may be on its way for %s, want %s: %v", tt, op, end, want, err)
				}
			}
		})
	}
}

func TestNothingIsChangedWithoutTheLease(t *testing.T) {
	lost := errors.New("the lease was lost")
	sent := waiting{mu: &sync.Mutex{}, end: map[string]time.Time{}}
	for op, err := range writes(t.Context(), leased{sent, tenure{lost: lost, began: time.Now()}}) {
		if state.KindOf(err) != state.Barred || !errors.Is(err, lost) {
			t.Errorf("%s without the lease: %v", op, err)
		}
	}
	if len(sent.end) != 0 {
		t.Errorf("sent without the lease: %v", sent.end)
	}
}

// What an alias serves is looked at anew in every round; who must sign, and
// what a layer version is, may be six hours old.
func TestWhatIsKeptOfALook(t *testing.T) {
	l, now := NewCache(), time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	at := Place{}
	live := state.Qualified{Function: "f", Qualifier: "live"}
	v := state.LayerVersionARN("v")
	need := state.Needs{Served: []state.Qualified{live}, Signing: true, Probes: []state.LayerVersionARN{v}}
	l.put(at, state.Snapshot{
		Served:  map[state.Qualified]state.Served{live: {Version: "7"}},
		Signing: map[string]state.Signing{}, // nobody signs: known
		Probes:  map[state.LayerVersionARN]state.Probe{v: {Usable: true, Size: 7}},
	}, now)
	l.put(at, state.Snapshot{}, now) // a round that looked for nothing

	var s state.Snapshot
	rest := l.fill(at, &s, need, now.Add(lookAge-time.Second))
	if diff := cmp.Diff(state.Needs{Served: need.Served}, rest); diff != "" {
		t.Errorf("to look up (-want +got):\n%s", diff)
	}
	if s.Signing == nil || s.Probes[v].Size != 7 || s.Served != nil {
		t.Errorf("recalled %+v", s)
	}
	s = state.Snapshot{}
	if rest := l.fill(at, &s, need, now.Add(lookAge)); !cmp.Equal(need, rest) || s.Signing != nil {
		t.Errorf("after six hours: %+v is left, recalled %+v", rest, s)
	}
}

// What goes back and is held is not tried again: nothing came of it. What was
// tried and failed is, and not at once.
func TestGoingBackIsTriedAgainAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := rollout.Rollout{Stage: rollout.StageRollingBack}
		for _, carried := range []bool{false, true} {
			due := nextLook(plan.Region{Rollout: &back, Applied: carried}, back, false, time.Now())
			if wait := time.Until(due); carried && wait < tryAgain || !carried && !due.IsZero() {
				t.Errorf("carried out %t: again at %v", carried, due)
			}
		}
	})
}
