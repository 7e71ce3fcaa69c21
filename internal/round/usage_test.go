package round_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/round"
)

// usage counts, over the last day.
func (f *fixture) usage(t *testing.T, change ...func(*round.UsageQuery)) (inspect.UsagePlace, inspect.Usage) {
	t.Helper()
	r := f.round()
	q := round.UsageQuery{Span: inspect.SpanOf(time.Now(), 24*time.Hour), Sizes: 100, Examine: func(ctx context.Context, e desired.Environment) (round.Examiner, error) {
		cloud, err := r.Connect(ctx, e)
		if err != nil {
			return nil, err
		}
		return cloud.(daemon.Connection), nil
	}}
	for _, c := range change {
		c(&q)
	}
	places, _, err := r.Usage(t.Context(), q)
	if err != nil || len(places) != 1 {
		t.Fatalf("%d places, %v", len(places), err)
	}
	return places[0], inspect.CountUsage(places[0])
}

// TestUsageKeepsToItsFloor: a fleet of F functions, A of which have an alias and a
// published version, costs ceil(F/50) and ceil((F+A)/50) to list, A to list aliases, and
// ceil(5·(F+2A)/500) for the metrics; one for the quota, and one for each size that no list
// has. Asked again it costs the same.
func TestUsageKeepsToItsFloor(t *testing.T) {
	for _, c := range []struct{ functions, aliased, sizes int }{{1, 0, 100}, {99, 1, 100}, {210, 40, 2}, {100, 0, 0}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, c.functions, awssim.Options{})
			for i := range c.aliased {
				name := fmt.Sprintf("makoto-%04d", i)
				f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
			}
			f.want("1.4.0") // which all have
			pages := func(n, of int) int { return (n + of - 1) / of }
			all := c.functions + 1 // the unrelated one has the layer too
			want := map[string]int{
				"ListFunctions": pages(all, 50) + pages(all+c.aliased, 50), "ListLayerVersions": 1, "ListAliases": c.aliased,
				"GetMetricData": pages(5*(all+2*c.aliased), 500), "GetAccountSettings": 1, "GetLayerVersionByArn": min(4, c.sizes), "GetCallerIdentity": 1,
			}
			for range 2 {
				time.Sleep(time.Second) // each has a limiter of its own
				f.world.ResetCalls()
				place, u := f.usage(t, func(q *round.UsageQuery) { q.Sizes = c.sizes })
				got := map[string]int{}
				for _, call := range f.world.Calls() {
					got[call.Operation]++
				}
				for op, n := range want {
					if got[op] != n {
						t.Errorf("%+v: %d calls of %s, want %d", c, got[op], op, n)
					}
					delete(got, op)
				}
				if len(got) > 0 || len(place.Unread) > 0 || u.Layers[0].Functions != all || u.Layers[0].Aliases != c.aliased {
					t.Errorf("%+v: also %v, unread %v, %+v", c, got, place.Unread, u.Layers[0].Total)
				}
			}
		})
	}
}

// TestUsageWhatCannotBeReadIsUnknown: whatever one call is refused, it is named, the rest is
// there, and nothing unknown counts as 0.
func TestUsageWhatCannotBeReadIsUnknown(t *testing.T) {
	for op, what := range map[string]string{
		"GetMetricData": "metrics", "GetAccountSettings": "quota", "ListAliases": "aliases", "GetResources": "published versions and owners",
		"GetLayerVersionByArn": "sizes of layer versions",
	} {
		for name, fault := range map[string]func(awssim.Call) awssim.Fault{
			"denied": awssim.Denied, "in trouble": func(awssim.Call) awssim.Fault { return awssim.ServerError() },
		} {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 3, awssim.Options{})
				f.want("1.4.0")
				f.tree.Environments[0].OwnerTag = "team"
				f.world.PutAlias(awssim.Alias{Function: "makoto-0000", Name: "live", Version: f.world.PutVersion("makoto-0000")})
				f.world.PutTraffic(awssim.Traffic{Function: "makoto-0001", Invocations: 5, Duration: time.Second})
				time.Sleep(10 * time.Minute)
				f.world.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Operation == op {
						return fault(c)
					}
					return awssim.Fault{}
				})
				place, u := f.usage(t)
				if len(place.Unread) == 0 || place.Unread[0].What != what || !strings.Contains(place.Unread[0].Reason, op) {
					t.Errorf("%s %s: unread is %+v", op, name, place.Unread)
				}
				l := u.Layers[0]
				if l.Functions != 4 || l.Latest != 4 || l.Published != 1 || (l.Aliases == 1) == (op == "ListAliases") {
					t.Errorf("%s %s: %+v", op, name, l.Total)
				}
				if l.Traffic.Known == (op == "GetMetricData") || (u.Storage.Quota == nil) != (op == "GetAccountSettings") || (len(u.Owners) == 0) != (op == "GetResources") {
					t.Errorf("%s %s: traffic %+v, quota %v, owners %v", op, name, l.Traffic, u.Storage.Quota, u.Owners)
				}
				if (u.Storage.Unknown > 0) != (op == "GetLayerVersionByArn") {
					t.Errorf("%s %s: %d sizes are unknown", op, name, u.Storage.Unknown)
				}
			})
		}
	}
}

// TestUsageSince: drift since it was seen, a straggler since others got the version.
func TestUsageSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 3, awssim.Options{})
		f.apply(t.Context())
		applied := time.Now()
		time.Sleep(3 * time.Hour)
		f.world.EditFunction("makoto-0001", func(fn *awssim.Function) { fn.Layers = []string{f.world.LayerARN("common", 2)} })
		f.world.PutFunction(awssim.Function{Name: "makoto-9999", Layers: []string{f.world.LayerARN("common", 1)}})
		_, u := f.usage(t)
		got := map[string]inspect.Behind{}
		for _, b := range u.Behind {
			got[b.Function] = b
		}
		late := got["makoto-9999"]
		if len(u.Behind) != 2 || late.SinceOf != "first applied here" || applied.Sub(late.Since).Abs() > time.Hour || late.Have != "1 (1.1.0)" || late.Want != "5 (1.5.0)" {
			t.Errorf("behind %+v", u.Behind)
		}
		f.tree.Environments[0].Drift = desired.DriftPolicy{Report: true}
		seen := time.Now()
		f.apply(t.Context()) // which sees the drift and remembers since when
		time.Sleep(time.Hour)
		_, u = f.usage(t)
		for _, b := range u.Behind {
			if b.Function == "makoto-0001" && (b.SinceOf != "seen to have another than was applied" || seen.Sub(b.Since).Abs() > time.Minute || b.Reason == "") {
				t.Errorf("drift %+v", b)
			}
		}
	})
}
