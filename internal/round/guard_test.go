package round

import (
	"context"
	"errors"
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

// deadlines is a cloud that notes until when each change may be on its way.
type deadlines struct {
	Cloud
	until map[string]time.Time
}

func (d deadlines) While(func() error) apply.Writes { return d }

func (d deadlines) note(ctx context.Context, op string) {
	d.until[op], _ = ctx.Deadline()
}

func (d deadlines) SetLayers(ctx context.Context, _ string, _ []state.LayerVersionARN, _ string) (string, error) {
	d.note(ctx, "SetLayers")
	return "", nil
}

func (d deadlines) DeleteLayerVersion(ctx context.Context, _ state.LayerVersionARN) (string, error) {
	d.note(ctx, "DeleteLayerVersion")
	return "", nil
}

func (d deadlines) Publish(ctx context.Context, _ state.Qualified, _, _ string) (string, string, error) {
	d.note(ctx, "Publish")
	return "7", "", nil
}

func (d deadlines) MoveAlias(ctx context.Context, _ state.Qualified, _ string, _ map[string]float64, _ string) (string, error) {
	d.note(ctx, "MoveAlias")
	return "", nil
}

func (d deadlines) PutParameter(ctx context.Context, _ parameters.Parameter, _ func() error) error {
	d.note(ctx, "PutParameter")
	return nil
}

func (d deadlines) DeleteParameter(ctx context.Context, _ string, _ func() error) error {
	d.note(ctx, "DeleteParameter")
	return nil
}

// tenure is a lease of which the test says whether it still holds.
type tenure struct {
	Lease
	lost  error
	until time.Time
}

func (l tenure) Check() error     { return l.lost }
func (l tenure) Until() time.Time { return l.until }

// writes are all that can change something in AWS.
func writes(ctx context.Context, c Cloud) map[string]error {
	live := state.Qualified{Function: "f", Qualifier: "live"}
	did := map[string]error{}
	_, did["SetLayers"] = c.SetLayers(ctx, "f", nil, "r")
	_, did["DeleteLayerVersion"] = c.DeleteLayerVersion(ctx, "v")
	_, _, did["Publish"] = c.Publish(ctx, live, "", "r")
	_, did["MoveAlias"] = c.MoveAlias(ctx, live, "7", nil, "a")
	did["PutParameter"] = c.PutParameter(ctx, parameters.Parameter{Name: "/layerd/prod/common/arn"}, nil)
	did["DeleteParameter"] = c.DeleteParameter(ctx, "/layerd/prod/common/arn", nil)
	return did
}

// Nothing is changed without the lease, and nothing is on its way after it.
func TestChangesAreKeptToTheLease(t *testing.T) {
	until := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	sent := deadlines{until: map[string]time.Time{}}
	for op, err := range writes(t.Context(), leased{sent, tenure{until: until}}) {
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	want := map[string]time.Time{"SetLayers": until, "DeleteLayerVersion": until, "Publish": until, "MoveAlias": until, "PutParameter": until, "DeleteParameter": until}
	if diff := cmp.Diff(want, sent.until); diff != "" {
		t.Errorf("deadlines (-want +got):\n%s", diff)
	}

	lost := errors.New("the lease was lost")
	sent = deadlines{until: map[string]time.Time{}}
	for op, err := range writes(t.Context(), leased{sent, tenure{lost: lost, until: until}}) {
		if state.KindOf(err) != state.Barred || !errors.Is(err, lost) {
			t.Errorf("%s without the lease: %v", op, err)
		}
	}
	if len(sent.until) != 0 {
		t.Errorf("sent without the lease: %v", sent.until)
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
