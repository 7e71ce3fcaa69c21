package round_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
)

// reads are the calls with which a round looks at AWS.
var reads = []string{
	"GetCallerIdentity", "ListFunctions", "ListLayerVersions", "GetResources", "GetFunction", "GetLayerVersionByArn",
	"GetLayerVersionPolicy", "ListAliases", "ListProvisionedConcurrencyConfigs", "ListCodeSigningConfigs", "ListFunctionsByCodeSigningConfig",
}

// everyRead is an environment that a round asks every read about.
func everyRead(t *testing.T) *fixture {
	f := newFixture(t, 6, awssim.Options{})
	signing := f.world.PutCodeSigningConfig(awssim.CodeSigningConfig{Publishers: []string{"arn:aws:signer:ap-northeast-1:123456789012:/signing-profiles/p/v"}})
	for i := range 6 {
		name := fmt.Sprintf("makoto-%04d", i)
		f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
		f.world.EditFunction(name, func(fn *awssim.Function) { fn.Tags = map[string]string{"team": "platform"} })
	}
	f.world.SetCodeSigning("unrelated", signing)
	e := &f.tree.Environments[0]
	e.Alias = "live"
	e.Layers[0].Functions = []desired.Selector{{Name: "makoto-*", Tags: map[string]string{"team": "platform"}}}
	e.Layers[0].Retention = desired.Retention{Keep: 2, Grace: 24 * time.Hour}
	return f
}

// TestARefusalIsNotRemembered: a right that was missing for some rounds, of
// each call, of all that it is asked about or of one thing only, is as if it
// had never been missing in the round after it was granted, also where what is
// looked up is kept for hours.
func TestARefusalIsNotRemembered(t *testing.T) {
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for _, op := range reads {
		for _, one := range []bool{false, true} {
			for _, rounds := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s, one %v, %d rounds", op, one, rounds), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { refuseFor(t, op, one, rounds) })
				})
			}
		}
	}
}

func refuseFor(t *testing.T, op string, one bool, rounds int) {
	f := everyRead(t)
	now := time.Now()
	f.now = func() time.Time { return now } // so that plans can be compared to the second
	r := f.round()
	r.Cache = round.NewCache()
	planned := func() plan.Document {
		t.Helper()
		result, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return result.Document()
	}
	var mu sync.Mutex // calls come together
	refused, only := 0, ""
	f.world.OnCall(func(c awssim.Call) awssim.Fault {
		mu.Lock()
		defer mu.Unlock()
		if c.Operation != op || one && only != "" && c.Resource != only {
			return awssim.Fault{}
		}
		refused, only = refused+1, c.Resource
		return awssim.Denied(c)
	})
	for range rounds {
		planned()
		time.Sleep(time.Minute)
		now = time.Now()
	}
	if refused < rounds {
		t.Errorf("refused %d times in %d rounds: it is not asked again, or never", refused, rounds)
	}
	f.world.OnCall(nil)
	got := planned()
	r.Cache = round.NewCache()
	ignore := cmp.Options{
		cmpopts.IgnoreFields(plan.EnvironmentView{}, "ObservedAt", "Cost"),
		cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(planned(), got, ignore); diff != "" {
		t.Errorf("the round after it was granted (-never refused +got):\n%s", diff)
	}
}

// A plan that is made twice, since an alarm rings, says of what was refused in both
// looks once that it was.
func TestARefusalIsToldOnce(t *testing.T) {
	for _, op := range []string{"ListAliases", "GetFunction", "ListCodeSigningConfigs"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := everyRead(t)
				f.spreads(func(e *desired.Environment) { e.Rollout.Alarms = []string{"errors"} })
				f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "ALARM", Reason: "threshold crossed"})
				f.world.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Operation != op || c.Resource == "makoto-0000" {
						return awssim.Fault{}
					}
					return awssim.Denied(c)
				})
				r, err := f.round().Plan(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				found := 0
				for _, n := range r.Plans[0].Regions[0].Notes {
					if n.Code == "not_everything_read" {
						found += strings.Count(n.Message, "AccessDeniedException")
					}
				}
				if found != 1 {
					t.Errorf("said %d times: %+v", found, r.Plans[0].Regions[0].Notes)
				}
			})
		})
	}
}
