package reconcile

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// The grants of the worlds. Two are none of layerd's: one by hand, and one under a Sid of
// layerd's that is for somebody else.
var (
	partner   = state.NewGrant("210987654321")
	company   = state.NewGrant("o-abc123def4")
	everybody = state.NewGrant(state.Everybody)
	former    = state.NewGrant("444444444444")
	byHand    = state.Grant{Sid: "by-hand", Principal: "333333333333"}
	disguised = state.Grant{Sid: partner.Sid, Principal: "333333333333"}
	ownRoot   = state.Grant{Sid: "own", Principal: account}
)

// policyOf returns what AWS has of a version with these grants.
func policyOf(grants ...state.Grant) state.Policy {
	p := state.Policy{Grants: grants}
	slices.SortFunc(p.Grants, func(a, b state.Grant) int { return strings.Compare(a.Sid, b.Sid) })
	for _, g := range grants {
		if g.Principal != account {
			p.Principals = append(p.Principals, g.To())
		}
	}
	slices.Sort(p.Principals)
	return p
}

func generatePolicy(r *rand.Rand) state.Policy {
	var grants []state.Grant
	if chance(r, 70) {
		return state.Policy{}
	}
	for _, g := range []state.Grant{partner, company, everybody, former, byHand, disguised, ownRoot} {
		_, twice := state.Policy{Grants: grants}.Grant(g.Sid)
		if !twice && chance(r, 25) {
			grants = append(grants, g)
		}
	}
	return policyOf(grants...)
}

func generateShareWith(r *rand.Rand) (list []desired.Share, shared bool) {
	if chance(r, 50) {
		return nil, chance(r, 20)
	}
	for _, g := range []state.Grant{partner, company, everybody} {
		if chance(r, 40) {
			list = append(list, desired.Share{Grant: g})
		}
	}
	return list, true
}

func generateShares(r *rand.Rand, now time.Time, lp *plan.LayerPast) {
	if chance(r, 50) {
		return
	}
	lp.SharesRead = now.Add(-time.Duration(r.IntN(10)) * time.Hour)
	lp.Shares, lp.OtherShares = map[string][]int64{}, map[string][]int64{}
	for n := int64(1); n < 9; n++ {
		for _, g := range []state.Grant{partner, company, former} {
			if chance(r, 20) {
				lp.Shares[g.Sid] = append(lp.Shares[g.Sid], n)
			}
		}
		if chance(r, 10) {
			lp.OtherShares[byHand.Whom()] = append(lp.OtherShares[byHand.Whom()], n)
		}
	}
}

// checkShare states the promises about a grant anew: nobody is granted anything whom Git
// does not name, nothing is taken back that is not layerd's or that Git names, and a
// version that is pruned is left alone.
func checkShare(t *testing.T, w *scenario, i int, r plan.Region, s plan.Step) {
	t.Helper()
	g := state.Grant(*s.Sharing)
	v := s.To
	if granting := s.To != ""; granting == (s.From != "") {
		t.Errorf("%s is from %q to %q", s.ID, s.From, s.To)
	} else if !granting {
		v = s.From
	}
	var wish desired.LayerWish
	for _, l := range r.Want.Layers {
		if l.Layer == s.LayerARN {
			wish = l
		}
	}
	named := slices.ContainsFunc(wish.ShareWith, func(x desired.Share) bool { return x.Grant == g })
	have, there := w.grants[v].Grant(g.Sid)
	switch {
	case !wish.Owned || !g.Ours():
		t.Errorf("%s is no matter of layerd", s.ID)
	case s.To != "" && (!named || there && have == g):
		t.Errorf("%s: named %v, there %v", s.ID, named, there)
	case s.From != "" && (named || !there || have != g):
		t.Errorf("%s: named %v, there %v", s.ID, named, there)
	}
	past := w.in.Regions[i].Past.Layers[s.LayerARN]
	if s.From != "" && !wish.Shared && !slices.Contains(past.Shares[g.Sid], v.Number()) {
		t.Errorf("%s: Git says nothing of sharing, and layerd did not grant it", s.ID)
	}
	if s.Cause == plan.CauseDrift && !slices.Contains(past.Shares[g.Sid], v.Number()) {
		t.Errorf("%s is drift, and was never granted", s.ID)
	}
	if slices.ContainsFunc(r.Steps, func(o plan.Step) bool { return o.Kind == plan.KindPrune && o.From == v }) {
		t.Errorf("%s: the version is to be pruned", s.ID)
	}
}

// learn does what internal/history does with what was learned of grants.
func (w *scenario) learn(r plan.Region) {
	layers := maps.Clone(w.in.Regions[0].Past.Layers)
	for _, l := range r.Learned.Shares {
		lp := layers[l.Layer]
		lp.Shares, lp.OtherShares, lp.SharesRead = cloned(l.Ours), cloned(l.Others), l.Read
		layers[l.Layer] = lp
	}
	w.in.Regions[0].Past.Layers = layers
}

// applyShares does what internal/apply and internal/history do with grants, on values.
func (w *scenario) applyShares(snap *state.Snapshot, past *plan.Past, r plan.Region) {
	w.learn(r)
	snap.Policies = maps.Clone(snap.Policies)
	for _, s := range r.Steps {
		if s.Kind != plan.KindShare || s.Held != nil {
			continue
		}
		g, v := state.Grant(*s.Sharing), s.To
		if s.To == "" {
			v = s.From
		}
		grants := slices.DeleteFunc(slices.Clone(w.grants[v].Grants), func(x state.Grant) bool { return x.Sid == g.Sid })
		lp := past.Layers[s.LayerARN]
		lp.Shares = cloned(lp.Shares)
		list := slices.DeleteFunc(lp.Shares[g.Sid], func(n int64) bool { return n == v.Number() })
		if s.To != "" {
			grants, list = append(grants, g), append(list, v.Number())
		}
		slices.Sort(list)
		if lp.Shares[g.Sid] = list; len(list) == 0 {
			delete(lp.Shares, g.Sid)
		}
		past.Layers[s.LayerARN] = lp
		w.grants[v] = policyOf(grants...)
		if _, known := snap.Policies[v]; known {
			snap.Policies[v] = w.grants[v]
		}
	}
}

func cloned(m map[string][]int64) map[string][]int64 {
	out := map[string][]int64{}
	for k, v := range m {
		out[k] = slices.Clone(v)
	}
	return out
}

// sharingWorld is an environment with one layer of three versions, all of which are kept.
func sharingWorld(with ...state.Grant) *scenario {
	layer := arnOf("common")
	w := &scenario{grants: map[state.LayerVersionARN]state.Policy{}, truth: []state.Uses{{}}}
	wish := desired.LayerWish{Name: "common", Layer: layer, Owned: true, Version: mustVersion("3"), Functions: []desired.Selector{{Name: "*"}}, Shared: true}
	for _, g := range with {
		wish.ShareWith = append(wish.ShareWith, desired.Share{Grant: g})
	}
	snap := &state.Snapshot{Account: account, Region: tokyo, Partition: "aws", ObservedAt: noon, Layers: []state.Layer{{ARN: layer}}}
	for n := int64(3); n > 0; n-- {
		snap.Layers[0].Versions = append(snap.Layers[0].Versions, state.LayerVersion{Number: n, Created: noon})
	}
	w.in.Now = noon
	w.in.Regions = []Region{{
		Have: snap, Past: plan.Past{Functions: map[string]plan.FunctionPast{}, Layers: map[state.LayerARN]plan.LayerPast{}},
		Want: desired.Environment{Name: "prod", Account: account, Region: tokyo, Partition: "aws", Zone: time.UTC, Layers: []desired.LayerWish{wish}},
	}}
	return w
}

// settle lets everything happen and forgets what was looked up, as six hours do.
func (w *scenario) settle() {
	p := w.decide()
	w.apply(0, p.Regions[0])
	w.forget()
}

func (w *scenario) forget() {
	snap := *w.in.Regions[0].Have
	snap.Aliases, snap.Policies, snap.Probes, snap.Uses = nil, nil, nil, nil
	w.in.Regions[0].Have = &snap
}

func (w *scenario) wish() *desired.LayerWish { return &w.in.Regions[0].Want.Layers[0] }

func (w *scenario) put(n int64, grants ...state.Grant) {
	w.grants[arnOf("common").Version(n)] = policyOf(grants...)
}

// sharesOf returns the steps of a plan, and for whom they wait.
func sharesOf(p plan.Plan) []string {
	var list []string
	for _, s := range p.Regions[0].Steps {
		text := s.ID + " " + string(s.Cause)
		if s.Held != nil {
			text += " held by " + string(s.Held.By)
		}
		list = append(list, text)
	}
	return list
}

func TestShare(t *testing.T) {
	for name, tt := range map[string]struct {
		world func() *scenario
		want  []string
	}{
		"every version that is kept": {
			func() *scenario { return sharingWorld(partner, company) },
			[]string{
				"share/common/1/210987654321 change", "share/common/1/o-abc123def4 change",
				"share/common/2/210987654321 change", "share/common/2/o-abc123def4 change",
				"share/common/3/210987654321 change", "share/common/3/o-abc123def4 change",
			},
		},
		"what is there already, and what others have": {
			func() *scenario {
				w := sharingWorld(partner)
				w.put(1, partner, byHand)
				w.put(3, byHand, ownRoot)
				return w
			},
			[]string{"share/common/2/210987654321 change", "share/common/3/210987654321 change"},
		},
		"everybody": {
			func() *scenario {
				w := sharingWorld(everybody)
				w.put(1, everybody)
				w.put(2, everybody)
				return w
			},
			[]string{"share/common/3/public change"},
		},
		"taken back by Git": {
			func() *scenario {
				w := sharingWorld(partner, company)
				w.settle()
				w.wish().ShareWith = w.wish().ShareWith[1:]
				return w
			},
			[]string{"unshare/common/1/210987654321 change", "unshare/common/2/210987654321 change", "unshare/common/3/210987654321 change"},
		},
		"the key is gone from Git": {
			func() *scenario {
				w := sharingWorld(partner)
				w.settle()
				w.wish().ShareWith, w.wish().Shared = nil, false
				w.put(2, partner, former) // whoever made that, it was not layerd here
				return w
			},
			[]string{"unshare/common/1/210987654321 change", "unshare/common/2/210987654321 change", "unshare/common/3/210987654321 change"},
		},
		"the store is lost and the key is gone": {
			func() *scenario {
				w := sharingWorld()
				w.wish().Shared = false
				w.put(2, partner)
				return w
			},
			nil,
		},
		"the store is lost": {
			func() *scenario {
				w := sharingWorld(partner)
				w.put(1, partner, former)
				w.put(2, partner)
				w.put(3, partner)
				return w
			},
			[]string{"unshare/common/1/444444444444 change"},
		},
		"taken back by hand": {
			func() *scenario {
				w := sharingWorld(partner)
				w.settle()
				w.put(2)
				w.in.Now = noon.Add(7 * time.Hour)
				return w
			},
			[]string{"share/common/2/210987654321 drift"},
		},
		"the Sid is somebody else's": {
			func() *scenario {
				w := sharingWorld(partner)
				w.settle()
				w.put(2, disguised)
				w.in.Now = noon.Add(7 * time.Hour)
				return w
			},
			[]string{"unshare/common/2/333333333333 change", "share/common/2/210987654321 change"},
		},
		"an approval is missing": {
			func() *scenario {
				w := sharingWorld(partner)
				w.settle()
				w.put(1)
				w.put(2, partner, former)
				w.wish().ShareWith = append(w.wish().ShareWith, desired.Share{Grant: company})
				w.in.Regions[0].Want.ApprovalRequired = true
				w.in.Now = noon.Add(7 * time.Hour)
				return w
			},
			[]string{
				"share/common/1/210987654321 drift", "share/common/1/o-abc123def4 change held by approval",
				"unshare/common/2/444444444444 change held by approval", "share/common/2/o-abc123def4 change held by approval",
				"share/common/3/o-abc123def4 change held by approval",
			},
		},
		"observe": {
			func() *scenario {
				w := sharingWorld(partner)
				w.in.Regions[0].Want.Observe = true
				return w
			},
			[]string{"share/common/1/210987654321 change held by mode", "share/common/2/210987654321 change held by mode", "share/common/3/210987654321 change held by mode"},
		},
		"Git was not read": {
			func() *scenario {
				w := sharingWorld(partner)
				w.in.Stale = "Git was not read for 20m"
				return w
			},
			[]string{"share/common/1/210987654321 change held by desired", "share/common/2/210987654321 change held by desired", "share/common/3/210987654321 change held by desired"},
		},
		"a version that is pruned": {
			func() *scenario {
				w := sharingWorld(partner)
				w.wish().Retention = desired.Retention{Keep: 2, Grace: 24 * time.Hour}
				return w
			},
			[]string{"share/common/2/210987654321 change", "share/common/3/210987654321 change", "prune/common/1 retention held by grace"},
		},
		"a version that is outside and shared": {
			func() *scenario {
				w := sharingWorld(partner)
				w.settle()
				w.wish().Retention = desired.Retention{Keep: 2}
				w.put(1) // by hand: it is shared again, and not pruned
				w.in.Now = noon.Add(7 * time.Hour)
				return w
			},
			[]string{"share/common/1/210987654321 drift"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := tt.world()
			if diff := cmp.Diff(sharesOf(w.decide()), tt.want); diff != "" {
				t.Errorf("steps (-have +want):\n%s", diff)
			}
		})
	}
}

// What is as Git wants it is not read again within six hours, whoever asks; a version that
// is new, or a name more in Git, has only that read of which something is not known.
func TestSharesAreReadNowAndThen(t *testing.T) {
	asked := func(w *scenario) (list []int64) {
		for _, v := range Decide(w.in).Regions[0].Needs.Policies {
			list = append(list, v.Number())
		}
		return list
	}
	w := sharingWorld(partner)
	if got := asked(w); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("at first %v", got)
	}
	w.settle()
	w.settle() // what was done is looked at once
	if got := asked(w); got != nil || !Decide(w.in).Regions[0].InSync {
		t.Errorf("right after %v", got)
	}
	snap := *w.in.Regions[0].Have
	snap.Layers = []state.Layer{{ARN: arnOf("common"), Versions: slices.Concat([]state.LayerVersion{{Number: 4, Created: noon}}, snap.Layers[0].Versions)}}
	w.in.Regions[0].Have = &snap
	if got := asked(w); !slices.Equal(got, []int64{4}) {
		t.Errorf("of a new version %v", got)
	}
	w.settle()
	w.in.Now = noon.Add(5*time.Hour + 59*time.Minute)
	if got := asked(w); got != nil {
		t.Errorf("within six hours %v", got)
	}
	w.in.Now = noon.Add(6 * time.Hour)
	if got := asked(w); !slices.Equal(got, []int64{1, 2, 3, 4}) {
		t.Errorf("after six hours %v", got)
	}
	w.in.Now = noon
	w.wish().ShareWith = append(w.wish().ShareWith, desired.Share{Grant: company})
	if got := asked(w); !slices.Equal(got, []int64{1, 2, 3, 4}) {
		t.Errorf("of a name more %v", got)
	}
	w.wish().ShareWith, w.wish().Shared = nil, false
	if got := asked(w); !slices.Equal(got, []int64{1, 2, 3, 4}) {
		t.Errorf("once the key is gone %v", got)
	}
}

// Nothing is drafted for a version of which the policy could not be read.
func TestShareUnread(t *testing.T) {
	w := sharingWorld(partner)
	snap := *w.in.Regions[0].Have
	snap.Policies = map[state.LayerVersionARN]state.Policy{arnOf("common").Version(2): {}}
	w.in.Regions[0].Have = &snap
	p := Decide(w.in)
	if got := sharesOf(p); !slices.Equal(got, []string{"share/common/2/210987654321 change"}) {
		t.Errorf("steps %v", got)
	}
	for _, l := range p.Regions[0].Learned.Shares {
		if !l.Read.IsZero() {
			t.Errorf("what was not read counts as read: %+v", l)
		}
	}
}

// Grants of others are told, whether they were read now or earlier, and a grant that was
// taken back is only told where drift is only reported.
func TestShareNotes(t *testing.T) {
	w := sharingWorld(partner)
	w.put(1, partner, byHand)
	w.put(3, byHand)
	notes := func() (list []string) {
		for _, n := range w.decide().Regions[0].Notes {
			if strings.Contains(n.Code, "grant") {
				list = append(list, n.Code+": "+n.Message)
			}
		}
		return list
	}
	foreign := "foreign_grants: common 1, 3: shared with 333333333333 by somebody else, which stays"
	if got := notes(); !slices.Equal(got, []string{foreign}) {
		t.Errorf("at first %v", got)
	}
	w.settle()
	if got := notes(); !slices.Equal(got, []string{foreign}) {
		t.Errorf("right after %v", got)
	}
	w.forget()
	w.put(1, byHand)
	w.in.Now, w.in.Regions[0].Want.Drift.Report = noon.Add(7*time.Hour), true
	missing := "grant_missing: common 1: layerd had shared it with 210987654321, and somebody else has taken that back; drift is set to report"
	for range 2 {
		if got := notes(); !slices.Equal(got, []string{foreign, missing}) || len(w.decide().Regions[0].Steps) > 0 {
			t.Errorf("taken back by hand %v, %v", got, sharesOf(w.decide()))
		}
		w.settle()
	}
}

// A fleet of versions is read and written once.
func TestShareManyVersions(t *testing.T) {
	w := sharingWorld(partner, company, everybody)
	snap := *w.in.Regions[0].Have
	snap.Layers[0].Versions = nil
	for n := int64(200); n > 0; n-- {
		snap.Layers[0].Versions = append(snap.Layers[0].Versions, state.LayerVersion{Number: n, Created: noon})
	}
	w.in.Regions[0].Have = &snap
	if n := len(w.decide().Regions[0].Steps); n != 600 {
		t.Errorf("%d steps", n)
	}
	w.settle()
	if p := w.decide(); len(p.Regions[0].Steps) > 0 || !p.Regions[0].InSync {
		t.Errorf("then %v", sharesOf(p))
	}
}

// What waits, or failed, is in the next plan as well: that it was read is no reason to
// forget it for six hours.
func TestShareThatWasNotDoneStays(t *testing.T) {
	for name, change := range map[string]func(w *scenario){
		"taken back by hand":         func(w *scenario) { w.put(2) },
		"the Sid is somebody else's": func(w *scenario) { w.put(2, disguised) },
		"of a former partner":        func(w *scenario) { w.put(2, partner, former) },
		"a new partner": func(w *scenario) {
			w.wish().ShareWith = append(w.wish().ShareWith, desired.Share{Grant: company})
		},
		"no partner":        func(w *scenario) { w.wish().ShareWith = nil },
		"no key and no one": func(w *scenario) { w.wish().ShareWith, w.wish().Shared = nil, false },
	} {
		w := sharingWorld(partner)
		w.settle()
		change(w)
		w.in.Now = noon.Add(7 * time.Hour)
		first := w.decide()
		for range 3 {
			p := w.decide()
			if diff := cmp.Diff(sharesOf(p), sharesOf(first)); diff != "" || len(p.Regions[0].Steps) == 0 {
				t.Errorf("%s: steps (-now +first):\n%s", name, diff)
			}
			w.learn(p.Regions[0])
			w.forget()
		}
	}
}
