package round_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
)

const (
	acme     = "arn:aws:lambda:ap-northeast-1:123456789012:runtime/acme-python"
	acmeLive = acme + "/alias/live"
)

// A runtime that has moved changes what functions do without a new RevisionId, and so it
// is named before the layer is blamed: of AWS and of the functions' own publisher,
// whichever way they are called. What follows is the same, and where all is well nobody
// is asked anything.
func TestAMovedRuntimeIsNamedBeforeTheLayer(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	moved := func(names string) string { return names + ": another version of the runtime than before" }
	for name, c := range map[string]struct {
		function awssim.Function // what the functions are beside their names and layers
		canary   bool
		alias    bool
		earlier  string // a runtime that moves before the rollout
		during   string // one that moves in the first bake
		alarm    string // what the alarm is from then on
		stage    string // where the rollout ends
		named    string // what the reason begins with; empty = no runtime is named
		watched  bool   // the alarm rings when all is complete
	}{
		"an alias of a publisher":        {function: awssim.Function{Runtime: "custom"}, during: acmeLive, alarm: "ALARM", stage: "rolled_back 1/2", named: moved("makoto-0000 (and 1 more)")},
		"AWS's own":                      {during: "python3.12", alarm: "ALARM", stage: "rolled_back 1/2", named: moved("makoto-0000 (and 1 more)")},
		"by the update itself":           {function: awssim.Function{RuntimeOnUpdate: true}, earlier: "python3.12", alarm: "ALARM", stage: "rolled_back 1/2", named: moved("makoto-0000 (and 1 more)")},
		"pinned":                         {function: awssim.Function{RuntimeOnUpdate: true}, during: "python3.12", alarm: "ALARM", stage: "rolled_back 1/2"},
		"behind an alias":                {alias: true, during: "python3.12", alarm: "ALARM", stage: "rolled_back 1/2", named: moved("makoto-0000 (and 1 more)")},
		"behind an alias, by the update": {alias: true, function: awssim.Function{RuntimeOnUpdate: true}, earlier: "python3.12", alarm: "ALARM", stage: "rolled_back 1/2", named: moved("makoto-0000 (and 1 more)")},
		"in a canary":                    {alias: true, canary: true, during: "python3.12", alarm: "ALARM", stage: "rolled_back 1/2", named: moved("makoto-0000 (and 1 more)")},
		"in a canary, by the update":     {alias: true, canary: true, function: awssim.Function{RuntimeOnUpdate: true}, earlier: "python3.12", alarm: "ALARM", stage: "rolled_back 1/2", named: moved("makoto-0000 (and 1 more)")},
		"nobody knows":                   {during: "python3.12", alarm: "INSUFFICIENT_DATA", stage: "halted 1/2", named: moved("makoto-0000 (and 1 more)")},
		"while it is watched":            {during: "python3.12", watched: true, stage: "watching 2/2", named: moved("makoto-0000 (and 9 more)")},
		"another runtime":                {during: "nodejs22.x", alarm: "ALARM", stage: "rolled_back 1/2"},
		"before the rollout":             {earlier: "python3.12", alarm: "ALARM", stage: "rolled_back 1/2"},
		"all is well":                    {during: "python3.12", alarm: "OK", stage: "done 2/2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 10, awssim.Options{Settle: 2 * time.Second})
				for _, fn := range f.world.Functions() {
					fn.Runtime, fn.RuntimeOnUpdate = "python3.12", c.function.RuntimeOnUpdate
					if c.function.Runtime == "custom" {
						fn.Runtime, fn.RuntimeARN, fn.RuntimeAlias = "custom", acme, "live"
					}
					f.world.PutFunction(fn)
					if c.alias && strings.HasPrefix(fn.Name, "makoto") {
						f.world.PutAlias(awssim.Alias{Function: fn.Name, Name: "live", Version: f.world.PutVersion(fn.Name)})
					}
				}
				f.spreads(func(e *desired.Environment) {
					e.Rollout = desired.Rollout{Waves: waves(2), Bake: 5 * time.Minute, Alarms: []string{"errors"}}
					if c.watched {
						e.Rollout.Watch = 24 * time.Hour
					}
					if c.alias {
						e.Alias = "live"
					}
					if c.canary {
						e.Rollout.Canary = &desired.Canary{Weight: 0.1, Bake: 5 * time.Minute}
					}
				})
				f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "OK"})
				f.world.MoveRuntime(c.earlier)
				f.rounds(t, 2)
				quiet := f.world.Count("GetFunction")
				if f.rounds(t, 1); !c.alias && f.world.Count("GetFunction") != quiet {
					t.Errorf("a round of a bake that is well asked %d times for functions", f.world.Count("GetFunction")-quiet)
				}
				if c.watched {
					f.rounds(t, 20)
					c.alarm = "ALARM"
				}
				f.world.MoveRuntime(c.during)
				f.world.PutAlarm(awssim.Alarm{Name: "errors", State: c.alarm, Reason: "threshold crossed"})
				f.rounds(t, 20)
				ro := f.rollout(t)
				if got := stageOf(t, f); got != c.stage {
					t.Errorf("the rollout is %s, want %s: %+v", got, c.stage, ro)
				}
				named := strings.Contains(ro.Reason+fmt.Sprint(ro.Findings), "version of the runtime")
				if named != (c.named != "") || !strings.HasPrefix(ro.Reason, c.named) {
					t.Errorf("reason %q, findings %q: want it to begin with %q", ro.Reason, ro.Findings, c.named)
				}
				if c.named != "" && (!strings.Contains(ro.Reason, "alarm errors") || !strings.HasPrefix(ro.Findings[0], c.named)) {
					t.Errorf("reason %q, findings %q: the checks are to follow", ro.Reason, ro.Findings)
				}
			})
		})
	}
}

// A verdict waits for no fleet: who is asked is bounded, and AWS out of reach changes
// nothing about it.
func TestRuntimesAreAskedOfAFew(t *testing.T) {
	for name, refuses := range map[string]bool{"they answer": false, "they are refused": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 120, awssim.Options{Settle: 2 * time.Second})
				f.spreads(func(e *desired.Environment) {
					e.Rollout = desired.Rollout{Bake: 5 * time.Minute, Alarms: []string{"errors"}, OnFailure: desired.Halt}
				})
				f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "OK"})
				f.rounds(t, 2)
				f.world.MoveRuntime("python3.12")
				f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "ALARM", Reason: "threshold crossed"})
				if refuses {
					f.world.OnCall(func(c awssim.Call) awssim.Fault {
						if c.Operation != "GetFunction" {
							return awssim.Fault{}
						}
						return awssim.Fault{Before: &awssim.Failure{Status: 403, Code: "AccessDeniedException"}}
					})
				}
				f.world.ResetCalls()
				f.rounds(t, 1)
				ro := f.rollout(t)
				if got := stageOf(t, f); got != "halted 1/1" {
					t.Errorf("the rollout is %s, want halted 1/1", got)
				}
				n, want := f.world.Count("GetFunction"), "makoto-0000 (and 19 more)"
				if refuses {
					want = "whether a runtime has moved as well is not known"
				}
				if n > 20 || refuses && n > 1 || !strings.Contains(fmt.Sprint(ro.Findings), want) || !strings.Contains(ro.Reason, "alarm errors") {
					t.Errorf("%d reads, reason %q, findings %q", n, ro.Reason, ro.Findings)
				}
			})
		})
	}
}
