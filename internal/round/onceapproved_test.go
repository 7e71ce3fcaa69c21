package round_test

import (
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/window"
)

// asksFor is a fixture whose five live versions are shared, and which now waits for the
// approval of a plan that publishes a sixth.
func asksFor(t *testing.T, with ...string) *fixture {
	t.Helper()
	f, s := publishing(t, 3)
	f.archives = s
	f.want("1.4.0")
	f.sharesWith(with...)
	f.apply(t.Context())
	f.wantPublished("1.6.0")
	f.sharesWith(with...)
	f.tree.Environments[0].ApprovalRequired = true
	return f
}

// approve approves the plan that waits, and returns its digest.
func (f *fixture) approve(t *testing.T) string {
	t.Helper()
	digest := f.apply(t.Context()).Plans[0].Digest
	_, err := history.Open(f.store, "test").Rulings().Approve(t.Context(), ruling.Approval{
		Environment: "prod", Digest: digest, By: "aiko", At: time.Now()}, f.tree.Environments[0].Calendar)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// wantGrants is what all six versions have when each has these.
func wantGrants(sids string) map[int64]string {
	all := map[int64]string{}
	for n := int64(1); n <= 6; n++ {
		all[n] = sids
	}
	return all
}

// refusesOnce refuses the first call of an operation.
func (f *fixture) refusesOnce(operation string, fault func(awssim.Call) awssim.Fault) {
	refused := false
	f.world.OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation == operation && !refused {
			refused = true
			return fault(c)
		}
		return awssim.Fault{}
	})
}

// Where approvals are required, one of them publishes a version, shares it and attaches
// it, whatever comes between; and it is used up once all of that is done.
func TestOneApprovalPublishesSharesAndAttaches(t *testing.T) {
	invalid := func(awssim.Call) awssim.Fault {
		return awssim.Fault{Before: &awssim.Failure{Status: 400, Code: "InvalidParameterValueException", Message: "The provided principal was invalid."}}
	}
	for name, tt := range map[string]struct {
		with []string
		then func(*testing.T, *fixture)
	}{
		"an account":                     {[]string{partner}, func(*testing.T, *fixture) {}},
		"an organization and an account": {[]string{company, partner}, func(*testing.T, *fixture) {}},
		"a closed window":                {[]string{partner}, closesFirst},
		"killed before a grant":          {[]string{partner}, func(t *testing.T, f *fixture) { f.killed(t, "AddLayerVersionPermission", 1, false) }},
		"killed after a grant":           {[]string{company, partner}, func(t *testing.T, f *fixture) { f.killed(t, "AddLayerVersionPermission", 1, true) }},
		"killed after the publish":       {[]string{partner}, func(t *testing.T, f *fixture) { f.killed(t, "PublishLayerVersion", 1, true) }},
		"its policy is denied at first":  {[]string{partner}, func(_ *testing.T, f *fixture) { f.refusesOnce("GetLayerVersionPolicy", awssim.Denied) }},
		"its policy is out of reach": {[]string{partner}, func(_ *testing.T, f *fixture) {
			f.refusesOnce("GetLayerVersionPolicy", func(awssim.Call) awssim.Fault { return awssim.Reset() })
		}},
		"a grant is refused at first": {[]string{partner}, func(_ *testing.T, f *fixture) { f.refusesOnce("AddLayerVersionPermission", invalid) }},
		"a grant is denied at first":  {[]string{company, partner}, func(_ *testing.T, f *fixture) { f.refusesOnce("AddLayerVersionPermission", awssim.Denied) }},
		"the answer to a grant gets lost": {[]string{partner}, func(_ *testing.T, f *fixture) {
			f.refusesOnce("AddLayerVersionPermission", func(awssim.Call) awssim.Fault { return awssim.LostAnswer() })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := asksFor(t, tt.with...)
				digest := f.approve(t)
				if n := len(f.newest()); n != 0 {
					t.Fatalf("%d versions without an approval", n)
				}
				tt.then(t, f)
				var last round.Result
				for range 8 {
					last = f.apply(t.Context())
					time.Sleep(2 * time.Minute)
				}
				sids := ""
				for _, to := range tt.with {
					sids = strings.TrimSpace(sids + " layerd-" + to)
				}
				if sids == "layerd-"+company+" layerd-"+partner {
					sids = "layerd-" + partner + " layerd-" + company // as they are sorted
				}
				f.check(t, wantGrants(sids))
				if behind := f.behind(6); behind != nil || len(last.Plans[0].Regions[0].Steps) > 0 {
					t.Errorf("without 6: %v; left %+v", behind, last.Plans[0].Regions[0].Steps)
				}
				approvals, err := ruling.Load(t.Context(), f.store, "test", "prod")
				if err != nil || len(approvals) != 1 || approvals[0].Digest != digest || approvals[0].Ended.IsZero() {
					t.Errorf("%+v, %v", approvals, err)
				}
			})
		})
	}
}

// A list of versions that lacks what was just published lets nothing of the approval go.
func TestOneApprovalWhileTheListLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := lagging(t, 3, 20*time.Minute)
		f.archives = s
		f.sharesWith(company, partner)
		f.tree.Environments[0].ApprovalRequired = true
		f.approve(t)
		for range 3 {
			f.apply(t.Context())
			time.Sleep(time.Minute)
		}
		f.check(t, wantGrants("layerd-"+partner+" layerd-"+company))
		if behind := f.behind(6); behind != nil || len(f.newest()) != 1 {
			t.Errorf("without 6: %v; %d published", behind, len(f.newest()))
		}
	})
}

// closesFirst has the window closed at first: the version is published and shared at
// once, and attached when the window opens.
func closesFirst(t *testing.T, f *fixture) {
	w, err := window.Parse("Saturday 02:00-06:00", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	f.tree.Environments[0].Calendar.Windows = []window.Window{w} // the bubble begins on a Saturday at 00:00
	f.apply(t.Context())
	f.check(t, wantGrants("layerd-"+partner))
	if behind := f.behind(6); len(behind) != 3 {
		t.Errorf("without 6 while it is closed: %v", behind)
	}
	time.Sleep(2*time.Hour + time.Minute)
}

// The grants of what is to be published are in the plan that is approved, and nothing is
// granted before there is a version.
func TestThePlanSharesWhatItPublishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := asksFor(t, company, partner)
		before := f.policyCalls(func() {
			r := f.apply(t.Context()).Plans[0].Regions[0]
			waits := 0
			for _, s := range r.Steps {
				if s.Kind == plan.KindShare && s.To.Content() != "" && s.HeldBy(plan.ByApproval) && s.HeldBy(plan.ByOrder) {
					waits++
				}
			}
			if waits != 2 {
				t.Errorf("%d grants wait: %+v", waits, r.Steps)
			}
		})
		if before["AddLayerVersionPermission"] != 0 {
			t.Errorf("%v", before)
		}
		digest := f.approve(t)
		after := f.policyCalls(func() { f.apply(t.Context()) })
		if !maps.Equal(after, map[string]int{"GetLayerVersionPolicy": 1, "AddLayerVersionPermission": 2}) {
			t.Errorf("in the round of the publish %v", after)
		}
		for e, err := range history.Open(f.store, "test").Entries(t.Context(), history.Query{Layer: "common"}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == plan.KindShare && e.ToNumber == 6 && (e.Approval != digest || e.ApprovedBy != "aiko" || e.ToVersion != "1.6.0") {
				t.Errorf("%+v", e)
			}
		}
	})
}

// What nobody has approved is not granted: with one who was added to share_with after the
// approval the version is shared after another one.
func TestAnApprovalGrantsOnlyWhatItNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := asksFor(t, partner)
		f.approve(t)
		f.sharesWith(partner, company)
		f.apply(t.Context())
		f.apply(t.Context())
		f.check(t, wantGrants("layerd-"+partner))
		f.approve(t)
		f.apply(t.Context())
		f.check(t, wantGrants("layerd-"+partner+" layerd-"+company))
	})
}
