package awslambda

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

func TestAlias(t *testing.T) {
	w := newWire()
	w.answer["GetAlias"] = jsonReply(map[string]any{
		"Name": "live", "FunctionVersion": "7", "RevisionId": "a1", "RoutingConfig": map[string]any{"AdditionalVersionWeights": map[string]any{"8": 0.1}},
	})
	got, err := w.client(t).Alias(t.Context(), live)
	want := state.Alias{Name: "live", Version: "7", Weights: map[string]float64{"8": 0.1}, RevisionID: "a1"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, alias (-want +got):\n%s", err, diff)
	}
	w.answer["GetAlias"] = fails(404, "ResourceNotFoundException", "Cannot find alias arn")
	_, err = w.client(t).Alias(t.Context(), live)
	kindIs(t, err, state.Gone)
}

// The routing is always sent: left out, it would keep a canary's weights.
func TestMoveAliasAlwaysSendsTheRouting(t *testing.T) {
	for name, c := range map[string]struct {
		weights  map[string]float64
		revision string
		want     map[string]any
	}{
		"nil clears":  {nil, "a1", map[string]any{"FunctionVersion": "8", "RevisionId": "a1", "RoutingConfig": map[string]any{}}},
		"weights":     {map[string]float64{"9": 0.1}, "a1", map[string]any{"FunctionVersion": "8", "RevisionId": "a1", "RoutingConfig": map[string]any{"AdditionalVersionWeights": map[string]any{"9": 0.1}}}},
		"no revision": {nil, "", map[string]any{"FunctionVersion": "8", "RoutingConfig": map[string]any{}}},
	} {
		w := newWire()
		var body map[string]any
		w.answer["UpdateAlias"] = sent(&body, 200, map[string]any{"Name": "live", "FunctionVersion": "8"})
		id, err := w.client(t).MoveAlias(t.Context(), live, "8", c.weights, c.revision)
		if err != nil || id != "req-42" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
		if diff := cmp.Diff(c.want, body); diff != "" {
			t.Errorf("%s: body (-want +got):\n%s", name, diff)
		}
	}
}

// A whole release, canary and all, the way it is made.
func TestAliasIsMovedThroughACanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutLayerVersion(awssim.LayerVersion{Name: "z"})
		w.PutFunction(awssim.Function{Name: "f"})
		w.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: w.PutVersion("f")})
		c := simClient(t, w)
		f := change(t, c, []state.LayerVersionARN{layerARN("z").Version(1)})
		version, _, err := c.Publish(t.Context(), live, f.CodeSHA256, f.RevisionID)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := c.WaitActive(t.Context(), state.Qualified{Function: "f", Qualifier: version}); err != nil || s.Version != "2" || len(s.Layers) != 1 {
			t.Fatalf("published %+v, %v", s, err)
		}
		move := func(to string, weights map[string]float64) state.Alias {
			a, err := c.Alias(t.Context(), live)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.MoveAlias(t.Context(), live, to, weights, a.RevisionID); err != nil {
				t.Fatal(err)
			}
			_, err = c.MoveAlias(t.Context(), live, to, weights, a.RevisionID)
			if e := kindIs(t, err, state.LookAgain); e.Code != "PreconditionFailedException" {
				t.Errorf("got %v", e)
			}
			if a, err = c.Alias(t.Context(), live); err != nil {
				t.Fatal(err)
			}
			a.RevisionID = ""
			return a
		}
		if diff := cmp.Diff(state.Alias{Name: "live", Version: "1", Weights: map[string]float64{"2": 0.1}}, move("1", map[string]float64{"2": 0.1})); diff != "" {
			t.Errorf("canary (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(state.Alias{Name: "live", Version: "2"}, move("2", nil)); diff != "" {
			t.Errorf("moved (-want +got):\n%s", diff)
		}
		if s, err := c.Served(t.Context(), live); err != nil || s.Version != "2" || len(s.Layers) != 1 {
			t.Errorf("serves %+v, %v", s, err)
		}
		_, err = c.MoveAlias(t.Context(), state.Qualified{Function: "f", Qualifier: "nobody"}, "2", nil, "")
		kindIs(t, err, state.Gone)
	})
}

// The answer was lost and it was done: unsure, and sent once.
func TestLostAnswersOfAReleaseAreUnsure(t *testing.T) {
	for op, do := range map[string]func(context.Context, *Client) error{
		"PublishVersion": func(ctx context.Context, c *Client) error { _, _, err := c.Publish(ctx, live, "", ""); return err },
		"UpdateAlias":    func(ctx context.Context, c *Client) error { _, err := c.MoveAlias(ctx, live, "1", nil, ""); return err },
	} {
		for name, fault := range map[string]awssim.Fault{"lost": awssim.LostAnswer(), "500 after": awssim.ServerErrorAfter()} {
			synctest.Test(t, func(t *testing.T) {
				w := simWorld()
				w.PutFunction(awssim.Function{Name: "f"})
				w.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: w.PutVersion("f")})
				w.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Write {
						return fault
					}
					return awssim.Fault{}
				})
				err := do(t.Context(), simClient(t, w))
				if state.KindOf(err) != state.Unsure || w.Count(op) != 1 {
					t.Errorf("%s, %s: %v after %d calls", op, name, err, w.Count(op))
				}
			})
		}
	}
}

func provisioned(status string, kv ...any) handler {
	return jsonReply(with(map[string]any{"Status": status, "RequestedProvisionedConcurrentExecutions": 5}, kv...))
}

func TestWaitProvisioned(t *testing.T) {
	moving := provisioned("IN_PROGRESS")
	for name, c := range map[string]struct {
		answers []handler
		reads   int
		took    time.Duration
		kind    state.Kind // with err
		err     string
	}{
		"ready":      {[]handler{provisioned("READY")}, 1, 2 * time.Second, 0, ""},
		"moving":     {[]handler{moving, moving, moving, provisioned("READY")}, 4, 29 * time.Second, 0, ""},
		"none":       {[]handler{fails(404, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function")}, 1, 2 * time.Second, 0, ""},
		"no alias":   {[]handler{fails(404, "ResourceNotFoundException", "Cannot find alias arn")}, 1, 2 * time.Second, 0, ""},
		"failed":     {[]handler{moving, provisioned("FAILED", "StatusReason", "FUNCTION_ERROR_INIT_FAILURE")}, 2, 6 * time.Second, state.Human, "provisioned concurrency failed: FUNCTION_ERROR_INIT_FAILURE"},
		"never ends": {[]handler{moving}, 63, 914 * time.Second, state.Again, "not ready after 15m0s"},
		"denied":     {[]handler{fails(403, "AccessDeniedException", "no")}, 1, 2 * time.Second, state.Human, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				answer := inTurn(c.answers...)
				w.answer["GetProvisionedConcurrencyConfig"] = func(r *http.Request, body string) (*http.Response, error) {
					if r.URL.Query().Get("Qualifier") != "live" {
						t.Errorf("asked for %s", r.URL)
					}
					return answer(r, body)
				}
				began := time.Now()
				err := w.client(t).WaitProvisioned(t.Context(), live)
				if took, n := time.Since(began), w.count("GetProvisionedConcurrencyConfig"); took != c.took || n != c.reads {
					t.Errorf("took %v and %d reads, want %v and %d", took, n, c.took, c.reads)
				}
				if c.err == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if e := kindIs(t, err, c.kind); !strings.Contains(e.Message, c.err) {
					t.Errorf("message %q, want %q", e.Message, c.err)
				}
			})
		})
	}
}
