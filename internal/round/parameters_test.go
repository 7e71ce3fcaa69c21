package round_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/round"
)

// announcing is an environment whose parameters name what stands, with a daemon's
// cache. Its functions have number 4; Git wants 5.
type announcing struct {
	*fixture
	cache *round.Cache
	log   bytes.Buffer
}

func newAnnouncing(t *testing.T) *announcing {
	a := &announcing{fixture: newFixture(t, 6, awssim.Options{}), cache: round.NewCache()}
	a.asks("1.5.0")
	return a
}

// asks has Git want a version.
func (a *announcing) asks(version string) {
	a.want(version)
	w := &a.tree.Environments[0].Layers[0]
	w.Parameters, w.Metadata = true, map[string]string{"team": "platform", "version": "v${VERSION}"}
}

func (a *announcing) round() round.Round {
	r := a.fixture.round()
	r.Cache, r.Log = a.cache, slog.New(slog.NewTextHandler(&a.log, nil))
	return r
}

// rounds makes n rounds, a minute apart.
func (a *announcing) rounds(n int) plan.Region {
	a.t.Helper()
	var last round.Result
	for range n {
		var err error
		if last, err = a.round().Apply(a.t.Context()); err != nil {
			a.t.Fatal(err)
		}
		time.Sleep(time.Minute)
	}
	return last.Plans[0].Regions[0]
}

func (a *announcing) planned() plan.Region {
	a.t.Helper()
	r, err := a.round().Plan(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return r.Plans[0].Regions[0]
}

// values are the parameters by name, each with its tag version.
func (a *announcing) values() map[string]string {
	all := map[string]string{}
	for _, p := range a.world.Parameters() {
		all[p.Name] = p.Value + " " + p.Tags["version"]
	}
	return all
}

// stands is what values are while a number stands.
func (a *announcing) stands(number int64, version string) map[string]string {
	return map[string]string{
		"/layerd/prod/common/arn":     a.world.LayerARN("common", number) + " v" + version,
		"/layerd/prod/common/version": version + " v" + version,
	}
}

func (a *announcing) check(what string, want map[string]string) {
	a.t.Helper()
	if diff := cmp.Diff(want, a.values()); diff != "" {
		a.t.Errorf("%s (-want +have):\n%s", what, diff)
	}
}

func (a *announcing) ssmCalls() (all, writes int) {
	for _, c := range a.world.Calls() {
		if c.Service == "ssm" {
			all++
			if c.Write {
				writes++
			}
		}
	}
	a.world.ResetCalls()
	return all, writes
}

func notesOf(r plan.Region, code string) string {
	var list []string
	for _, n := range r.Notes {
		if n.Code == code {
			list = append(list, n.Message)
		}
	}
	return strings.Join(list, "\n")
}

func inBubble(t *testing.T, do func(t *testing.T, a *announcing)) {
	synctest.Test(t, func(t *testing.T) { do(t, newAnnouncing(t)) })
}

// E2: parameters name what a rollout brought once it is through, and not before; then
// nothing is asked for six hours.
func TestE2ParametersFollowARollout(t *testing.T) {
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	inBubble(t, func(t *testing.T, a *announcing) {
		rolls := func() {
			a.spreads(func(e *desired.Environment) { e.Rollout.Waves, e.Rollout.Bake = waves(1, 3), 5*time.Minute })
		}
		rolls()
		if got := notesOf(a.planned(), "parameters_follow"); got != "once the rollout is through, its parameters follow: /layerd/prod/common to 5 (1.5.0)" {
			t.Errorf("the plan: %q", got)
		}
		a.rounds(2)
		if ro := a.rollout(t); !ro.Open() {
			t.Fatalf("the rollout is %s", ro.Stage)
		}
		a.check("in the first wave", map[string]string{})
		written := ""
		for range 30 {
			written += notesOf(a.rounds(1), "parameters_written")
		}
		a.check("once it is through", a.stands(5, "1.5.0"))
		if want := "parameters written: /layerd/prod/common/arn = " + a.world.LayerARN("common", 5) + ", /layerd/prod/common/version = 1.5.0"; written != want {
			t.Errorf("noted %q, want %q", written, want)
		}
		p, _ := a.world.Parameter("/layerd/prod/common/arn")
		if diff := cmp.Diff(map[string]string{"team": "platform", "version": "v1.5.0"}, p.Tags); diff != "" {
			t.Error(diff)
		}
		a.ssmCalls()
		a.rounds(300)
		if all, _ := a.ssmCalls(); all != 0 {
			t.Errorf("%d calls of SSM in five quiet hours", all)
		}
		a.rounds(90)
		if all, writes := a.ssmCalls(); all != 3 || writes != 0 { // by path, and the tags of two
			t.Errorf("%d calls of SSM after six hours, %d writes", all, writes)
		}

		// Git goes back: that is a rollout like any other.
		a.asks("1.4.0")
		rolls()
		a.rounds(2)
		a.check("on the way back", a.stands(5, "1.5.0"))
		a.rounds(30)
		a.check("back", a.stands(4, "1.4.0"))
	})
}

// E2: what fails never has a parameter.
func TestE2ParametersStayWhereARolloutGoesBack(t *testing.T) {
	for _, reaction := range []desired.Reaction{desired.RollBack, desired.Halt} {
		t.Run(string(reaction), func(t *testing.T) {
			inBubble(t, func(t *testing.T, a *announcing) {
				a.asks("1.4.0")
				a.rounds(3)
				a.check("adopted", a.stands(4, "1.4.0"))
				a.asks("1.5.0")
				a.spreads(func(e *desired.Environment) {
					e.Rollout.Waves, e.Rollout.Bake, e.Rollout.SmokeTests, e.Rollout.OnFailure = waves(1), time.Minute, []desired.SmokeTest{smoke}, reaction
				})
				a.breaks(5)
				a.rounds(20)
				if ro := a.rollout(t); ro == nil || ro.Stage != map[desired.Reaction]rollout.Stage{desired.RollBack: rollout.StageRolledBack, desired.Halt: rollout.StageHalted}[reaction] {
					t.Fatalf("the rollout is %+v", ro)
				}
				a.check("after the failure", a.stands(4, "1.4.0"))
			})
		})
	}
}

// E2: what was changed or deleted by hand is written again, and told; tags of others stay.
func TestE2ParametersAreHealed(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	inBubble(t, func(t *testing.T, a *announcing) {
		a.rounds(5)
		want := a.stands(5, "1.5.0")
		a.check("applied", want)
		name := "/layerd/prod/common/arn"
		for what, meddle := range map[string]func(){
			"changed": func() { a.world.PutParameter(awssim.Parameter{Name: name, Value: "mine"}) },
			"deleted": func() { a.world.DropParameter(name) },
			"other tags": func() {
				a.world.PutParameter(awssim.Parameter{Name: name, Value: a.world.LayerARN("common", 5), Tags: map[string]string{"cost": "7", "team": "me"}})
			},
		} {
			meddle()
			written := ""
			for range 370 {
				written += notesOf(a.rounds(1), "parameters_written")
			}
			a.check(what, want)
			if !strings.Contains(written, name) {
				t.Errorf("%s: noted %q", what, written)
			}
			if p, _ := a.world.Parameter(name); p.Tags["team"] != "platform" || what == "other tags" && p.Tags["cost"] != "7" {
				t.Errorf("%s: tags %v", what, p.Tags)
			}
		}
	})
}

// E2: a refusal fails nothing, is told once, and is tried again.
func TestE2ARefusedParameterFailsNothing(t *testing.T) {
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for _, op := range []string{"GetParametersByPath", "PutParameter", "AddTagsToResource", "ListTagsForResource"} {
		t.Run(op, func(t *testing.T) {
			inBubble(t, func(t *testing.T, a *announcing) {
				if op == "ListTagsForResource" {
					a.world.PutParameter(awssim.Parameter{Name: "/layerd/prod/common/arn", Value: "mine"})
				}
				a.world.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Operation == op {
						return awssim.Denied(c)
					}
					return awssim.Fault{}
				})
				r := a.rounds(5)
				if len(a.behind(5)) > 0 || r.Failure != nil || !r.InSync {
					t.Errorf("behind %v, failure %v, in sync %v", a.behind(5), r.Failure, r.InSync)
				}
				if !strings.Contains(r.Unannounced, "AccessDeniedException") || !strings.Contains(notesOf(r, "parameters_refused"), "parameters: false in Git") {
					t.Errorf("told %q, %+v", r.Unannounced, r.Notes)
				}
				a.rounds(60)
				if n := strings.Count(a.log.String(), "parameters not written"); n != 1 {
					t.Errorf("logged %d times", n)
				}
				if all, _ := a.ssmCalls(); all > 30 {
					t.Errorf("%d calls of SSM in an hour", all)
				}
				a.world.OnCall(nil)
				r = a.rounds(12)
				a.check("granted", a.stands(5, "1.5.0"))
				if r.Unannounced != "" {
					t.Errorf("still told: %s", r.Unannounced)
				}
			})
		})
	}
}

// E2: cut off at any call, and whether it happened or not, the next one ends where all
// do.
func TestE2KilledAtEachCallOfParameters(t *testing.T) {
	for _, done := range []bool{false, true} {
		for n := 1; n <= 6; n++ {
			t.Run(fmt.Sprintf("call %d, done %v", n, done), func(t *testing.T) {
				inBubble(t, func(t *testing.T, a *announcing) {
					ctx, kill := context.WithCancel(t.Context())
					seen := 0
					a.world.OnCall(func(c awssim.Call) awssim.Fault {
						if c.Service != "ssm" {
							return awssim.Fault{}
						}
						if seen++; seen != n {
							return awssim.Fault{}
						}
						kill()
						if done {
							return awssim.LostAnswer()
						}
						return awssim.Reset()
					})
					for range 3 {
						_, _ = a.round().Apply(ctx)
					}
					a.world.OnCall(nil)
					a.cache = round.NewCache()
					r := a.rounds(3)
					a.check("after the kill", a.stands(5, "1.5.0"))
					if r.Failure != nil || r.Unannounced != "" {
						t.Errorf("failure %v, %s", r.Failure, r.Unannounced)
					}
				})
			})
		}
	}
}

// E2: what passes by itself is tried again in the next round, and is no alert.
func TestE2AThrottledParameterIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, a *announcing) {
		until := time.Now().Add(10 * time.Minute)
		a.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Service == "ssm" && time.Now().Before(until) {
				return awssim.ServerError()
			}
			return awssim.Fault{}
		})
		r := a.rounds(2)
		if r.Unannounced != "" || r.Failure != nil {
			t.Errorf("told %q, failure %v", r.Unannounced, r.Failure)
		}
		a.rounds(12)
		a.check("afterwards", a.stands(5, "1.5.0"))
	})
}

// E2: only the environment's own word takes parameters away.
func TestE2WhatRemovesParameters(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	inBubble(t, func(t *testing.T, a *announcing) {
		a.rounds(5)
		want := a.stands(5, "1.5.0")
		a.check("applied", want)

		e := &a.tree.Environments[0]
		e.Layers[0].Parameters = false
		a.ssmCalls()
		a.rounds(400)
		if all, _ := a.ssmCalls(); all > 0 {
			t.Errorf("parameters: false asks SSM %d times", all)
		}
		a.check("parameters: false", want)

		e.Layers = nil
		a.rounds(400)
		a.check("the layer is gone from Git", want)

		a.asks("none")
		a.tree.Environments[0].Rollout.Bake = 5 * time.Minute
		a.rounds(1)
		a.check("while it is taken away", want)
		a.rounds(10)
		a.check("taken away", map[string]string{})
	})
}

// E2: mode: observe writes nothing, and shows what it would.
func TestE2ObserveWritesNoParameters(t *testing.T) {
	inBubble(t, func(t *testing.T, a *announcing) {
		a.asks("1.4.0")
		a.tree.Environments[0].Observe = true
		if r := a.rounds(3); !strings.Contains(notesOf(r, "parameters_to_write"), "parameters to write: /layerd/prod/common/arn = ") {
			t.Errorf("noted %+v", r.Notes)
		}
		a.check("observed", map[string]string{})
		a.tree.Environments[0].Observe = false
		if r := a.planned(); !strings.Contains(notesOf(r, "parameters_to_write"), "/layerd/prod/common/version = 1.4.0") {
			t.Errorf("planned %+v", r.Notes)
		}
		if _, writes := a.ssmCalls(); writes > 0 {
			t.Errorf("%d writes", writes)
		}
		a.rounds(1)
		a.check("applied", a.stands(4, "1.4.0"))
	})
}
