package round_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

const (
	accountID = "123456789012"
	region    = "ap-northeast-1"
	datadog   = "arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog-Python312:98"
)

// fixture is a simulated account and a repository that wants common at a
// version on all functions named makoto-*.
type fixture struct {
	t     testing.TB
	world *awssim.World
	store store.Store
	tree  desired.Tree
	aws   daemon.AWSOptions
	now   func() time.Time

	archives *shelf       // nil: none can be read
	cache    *round.Cache // nil: none
}

func newFixture(t testing.TB, functions int, o awssim.Options) *fixture {
	t.Helper()
	o.Account, o.Region = accountID, region
	f := &fixture{t: t, world: awssim.New(o), store: store.NewMemory(), aws: daemon.AWSOptions{RequestsPerSecond: 14, GetFunctionPerSecond: 90}}
	f.world.PutLayerVersion(awssim.LayerVersion{
		Account: "464622532012", Name: "Datadog-Python312", Number: 98, Grants: []awssim.Grant{{Principal: "*"}},
	})
	for n := 1; n <= 5; n++ {
		f.world.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: fmt.Sprintf("v1.%d.0", n), Created: time.Now().AddDate(-1, 0, n)})
	}
	other := f.world.LayerARN("other", f.world.PutLayerVersion(awssim.LayerVersion{Name: "other"}))
	common := f.world.LayerARN("common", 4)
	for i := range functions {
		layers := [][]string{
			{common}, {datadog, common}, {common, datadog}, {other, common, datadog}, {datadog, other, common},
		}[i%5]
		f.world.PutFunction(awssim.Function{
			Name: fmt.Sprintf("makoto-%04d", i), Layers: layers, Environment: map[string]string{"SECRET": "hunter2"},
		})
	}
	f.world.PutFunction(awssim.Function{Name: "unrelated", Layers: []string{common}})
	f.want("1.5.0")
	return f
}

func (f *fixture) want(version string) {
	v, err := desired.ParseVersion(version)
	if err != nil {
		f.t.Fatal(err)
	}
	f.tree = desired.Tree{Names: []string{"prod"}, Environments: []desired.Environment{{
		Name: "prod", Account: accountID, Region: region, Partition: "aws", Zone: time.UTC, MaxNew: 20,
		Calendar: window.Calendar{Zone: time.UTC}, Unmanaged: []string{datadog, "*:layer:other"},
		Layers: []desired.LayerWish{{
			Name: "common", Layer: state.NewLayerARN("aws", region, accountID, "common"), Owned: true, Version: v,
			Functions: []desired.Selector{{Name: "makoto-*"}},
		}},
	}}}
}

func (f *fixture) round() round.Round {
	cfg := aws.Config{
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient:  &http.Client{Transport: f.world.Transport()},
	}
	r := round.Round{Tree: f.tree, Revision: "c0ffee", Repository: "test", Store: f.store, Connect: daemon.Connector(cfg, f.aws), Now: f.now, Cache: f.cache}
	if f.archives != nil {
		r.Artifacts = f.archives
	}
	return r
}

func (f *fixture) apply(ctx context.Context) round.Result {
	f.t.Helper()
	r, err := f.round().Apply(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// lists returns every function's layers with our version's number left out.
func (f *fixture) lists() map[string][]string {
	out := map[string][]string{}
	for _, fn := range f.world.Functions() {
		for _, l := range fn.Layers {
			if name, _, ok := strings.Cut(l, ":layer:common:"); ok {
				l = name + ":layer:common"
			}
			out[fn.Name] = append(out[fn.Name], l)
		}
	}
	return out
}

func (f *fixture) behind(version int64) []string {
	var names []string
	for _, fn := range f.world.Functions() {
		if strings.HasPrefix(fn.Name, "makoto-") && !slices.Contains(fn.Layers, f.world.LayerARN("common", version)) {
			names = append(names, fn.Name)
		}
	}
	return names
}

func statuses(r round.Result) map[plan.Status]int {
	n := map[plan.Status]int{}
	for _, p := range r.Plans {
		for _, reg := range p.Regions {
			for _, s := range reg.Steps {
				if s.Result != nil {
					n[s.Result.Status]++
				}
			}
		}
	}
	return n
}

func TestFleetIsChangedAndTheSecondRoundWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 400, awssim.Options{Settle: 2 * time.Second})
		before := f.lists()
		start := time.Now()
		r := f.apply(t.Context())
		if n := statuses(r); n[plan.StatusApplied] != 400 {
			t.Fatalf("results are %v, want 400 applied", n)
		}
		// DESIGN section 7: at most 1.1 × writes / rate, and the look before.
		if took, most := time.Since(start), 400.0/14*1.1+10; took.Seconds() > most {
			t.Errorf("400 functions took %s, at 14 requests a second %.0f s are allowed", took, most)
		}
		if left := f.behind(5); left != nil {
			t.Errorf("still without version 5: %v", left)
		}
		for name, want := range before {
			if got := f.lists()[name]; !slices.Equal(got, want) {
				t.Errorf("%s has %v, and had %v", name, got, want)
			}
		}
		if n := f.world.Count("UpdateFunctionConfiguration"); n != 400 {
			t.Errorf("%d updates for 400 functions", n)
		}
		f.world.ResetCalls()
		r = f.apply(t.Context())
		if n := f.world.Writes(); n != 0 || !r.Plans[0].Regions[0].InSync {
			t.Errorf("the second round wrote %d times", n)
		}
		// DESIGN section 7: ceil(401/50) + ceil(5/50) calls, and one identity.
		if n := len(f.world.Calls()); n != 9+1+1 {
			t.Errorf("a look at 401 functions and one layer cost %d calls, want 11", n)
		}
	})
}

// TestTroubledAWS throws everything at a round that AWS can; a later,
// undisturbed round finds the rest, and at no time is a neighbour touched.
func TestTroubledAWS(t *testing.T) {
	for name, trouble := range map[string]func(*rand.Rand, awssim.Call) awssim.Fault{
		"throttled":    func(r *rand.Rand, _ awssim.Call) awssim.Fault { return some(r, 20, awssim.Throttle()) },
		"500s":         func(r *rand.Rand, _ awssim.Call) awssim.Fault { return some(r, 15, awssim.ServerError()) },
		"resets":       func(r *rand.Rand, _ awssim.Call) awssim.Fault { return some(r, 15, awssim.Reset()) },
		"lost answers": func(r *rand.Rand, _ awssim.Call) awssim.Fault { return some(r, 15, awssim.LostAnswer()) },
		"500 after doing it": func(r *rand.Rand, _ awssim.Call) awssim.Fault {
			return some(r, 15, awssim.ServerErrorAfter())
		},
		"slow": func(r *rand.Rand, _ awssim.Call) awssim.Fault { return some(r, 20, awssim.Delay(5*time.Second)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 60, awssim.Options{Settle: 2 * time.Second})
				before := f.lists()
				f.world.OnCall(func(c awssim.Call) awssim.Fault {
					return trouble(rand.New(rand.NewPCG(1, uint64(c.Seq))), c)
				})
				f.apply(t.Context())
				f.world.OnCall(nil)
				f.apply(t.Context())
				if left := f.behind(5); left != nil {
					t.Errorf("still without version 5: %v", left)
				}
				for name, want := range before {
					if got := f.lists()[name]; !slices.Equal(got, want) {
						t.Errorf("%s has %v, and had %v", name, got, want)
					}
				}
				f.world.ResetCalls()
				if f.apply(t.Context()); f.world.Writes() != 0 {
					t.Errorf("the last round wrote %d times", f.world.Writes())
				}
				unfinished, err := history.Open(f.store, "test").Unfinished(t.Context())
				if err != nil || len(unfinished) != 0 {
					t.Errorf("unfinished: %v, %v", unfinished, err)
				}
			})
		})
	}
}

func some(r *rand.Rand, percent int, f awssim.Fault) awssim.Fault {
	if r.IntN(100) < percent {
		return f
	}
	return awssim.Fault{}
}

func TestUpdateInProgressIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 3, awssim.Options{Settle: 5 * time.Second})
		// Somebody else is updating makoto-0001 right now.
		other, err := f.round().Connect(t.Context(), f.tree.Environments[0])
		if err != nil {
			t.Fatal(err)
		}
		fn, err := other.Function(t.Context(), "makoto-0001")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.SetLayers(t.Context(), "makoto-0001", fn.Layers[1:], fn.RevisionID); err != nil {
			t.Fatal(err)
		}
		r := f.apply(t.Context())
		if left := f.behind(5); left != nil {
			t.Errorf("still without version 5: %v; %v", left, statuses(r))
		}
		now, _ := f.world.Function("makoto-0001")
		if slices.Contains(now.Layers, datadog) {
			t.Errorf("what the other writer took off is back: %v", now.Layers)
		}
	})
}

func TestPlanWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 5, awssim.Options{})
		r, err := f.round().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Plans[0].Regions[0].Steps) != 5 || f.world.Writes() != 0 {
			t.Errorf("%d steps, %d writes", len(r.Plans[0].Regions[0].Steps), f.world.Writes())
		}
		for v, err := range f.store.List(t.Context(), store.Query{}) {
			t.Errorf("the store has %s (%v)", v.Key, err)
		}
	})
}

func TestWrongAccountStopsBeforeAnythingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 5, awssim.Options{})
		f.tree.Environments[0].Account = "999999999999"
		r := f.apply(t.Context())
		failure := r.Plans[0].Regions[0].Failure
		if failure == nil || failure.Code != "wrong_account" || failure.Retryable {
			t.Errorf("failure is %+v", failure)
		}
		for _, c := range f.world.Calls() {
			if c.Operation != "GetCallerIdentity" {
				t.Errorf("asked for %s", c.Operation)
			}
		}
	})
}

func TestApprovalIsBoundBeforeTheFirstChangeAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 4, awssim.Options{})
		f.tree.Environments[0].ApprovalRequired = true
		r := f.apply(t.Context())
		if n := statuses(r); n[plan.StatusHeld] != 4 {
			t.Fatalf("results are %v", n)
		}
		digest := r.Plans[0].Digest
		if _, ok, err := ruling.FindPending(t.Context(), f.store, "test", "prod", digest); !ok || err != nil {
			t.Errorf("the waiting plan was not offered: %v", err)
		}
		_, err := history.Open(f.store, "test").Rulings().Approve(t.Context(), ruling.Approval{Environment: "prod", Digest: digest, By: "sato", At: time.Now()}, window.Calendar{})
		if err != nil {
			t.Fatal(err)
		}
		// One function fails; what is left stays covered although the digest
		// of what is left is another.
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "UpdateFunctionConfiguration" && strings.HasSuffix(c.Resource, "0002") {
				return awssim.Denied(c)
			}
			return awssim.Fault{}
		})
		if n := statuses(f.apply(t.Context())); n[plan.StatusApplied] != 3 || n[plan.StatusFailed] != 1 {
			t.Fatalf("results are %v", n)
		}
		f.world.OnCall(nil)
		if n := statuses(f.apply(t.Context())); n[plan.StatusApplied] != 1 {
			t.Fatalf("results are %v", n)
		}
		list, err := ruling.Load(t.Context(), f.store, "test", "prod")
		if err != nil || len(list) != 1 || list[0].Ended.IsZero() {
			t.Errorf("approvals are %+v, %v", list, err)
		}
	})
}

func TestTheWindowIsAskedAgainBeforeEachFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 120, awssim.Options{Settle: time.Second})
		f.aws.RequestsPerSecond = 1
		// The synctest clock starts at midnight UTC, 1 January 2000.
		w, err := window.Parse("daily 00:00-00:01 UTC", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		f.tree.Environments[0].Calendar.Windows = []window.Window{w}
		n := statuses(f.apply(t.Context()))
		if n[plan.StatusApplied] == 0 || n[plan.StatusHeld] == 0 || n[plan.StatusApplied]+n[plan.StatusHeld] != 120 {
			t.Errorf("results are %v: some should be done, the rest wait", n)
		}
	})
}

func TestStoppingFinishesWhatIsInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 120, awssim.Options{Settle: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		r, err := f.round().Apply(ctx)
		if err == nil {
			t.Fatal("a stopped round says nothing")
		}
		n := statuses(r)
		if n[plan.StatusApplied] == 0 || n[plan.StatusSkipped] == 0 || n[plan.StatusFailed] != 0 {
			t.Errorf("results are %v", n)
		}
		unfinished, err := history.Open(f.store, "test").Unfinished(t.Context())
		if err != nil || len(unfinished) != 0 {
			t.Errorf("an orderly stop leaves %v, %v", unfinished, err)
		}
		if len(f.behind(5)) != 120-n[plan.StatusApplied] {
			t.Errorf("%d are without version 5, %d were said to be applied", len(f.behind(5)), n[plan.StatusApplied])
		}
	})
}
