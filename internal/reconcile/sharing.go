package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// sharesAge is how long what was read of the policies of a layer's versions is good
// enough while nothing is to be changed: reading them is one call a version.
const sharesAge = 6 * time.Hour

// share drafts what is to be granted and taken back on the versions of own layers. A
// version that is to be pruned is not shared any more: a grant would protect it.
func (r *region) share() {
	pruned := map[state.LayerVersionARN]bool{}
	for i := range r.plan.Steps {
		if s := &r.plan.Steps[i]; s.Kind == plan.KindPrune {
			pruned[s.From] = true
		}
	}
	for _, w := range r.wishes {
		past := r.past.Layers[w.Layer]
		if !w.Owned || !w.catalog.Listed() || !w.Shared && len(past.Shares) == 0 {
			continue
		}
		s := &sharing{
			region: r, wish: w, past: past, named: map[string]desired.Share{}, due: r.in.Now.Sub(past.SharesRead) >= sharesAge || past.SharesRead.After(r.in.Now),
			whole: true, ours: map[string][]int64{}, others: map[string][]int64{}, missing: map[string][]int64{}, unlike: map[int64]string{},
		}
		for _, x := range w.ShareWith {
			s.named[x.Sid] = x
		}
		for _, v := range slices.Backward(w.catalog.Versions()) { // by number, the lowest first
			if !pruned[w.Layer.Version(v.Number)] {
				s.version(v.Number)
			}
		}
		s.unpublished()
		s.learn()
		s.notes()
	}
}

// sharing is the work on one layer.
type sharing struct {
	*region
	wish  *wish
	past  plan.LayerPast
	named map[string]desired.Share // by Sid, of those whom Git names
	due   bool                     // the policies are to be read whatever the past says
	whole bool                     // each that was wanted is known, and nothing is left to do

	ours    map[string][]int64 // what layerd has granted, by Sid: the numbers, ascending
	others  map[string][]int64 // what others have, by whom it is for
	missing map[string][]int64 // what somebody has taken back and is only reported, by Sid
	unlike  map[int64]string   // why a number is shared with nobody else: see unlikeStamp
}

// version compares one version with what Git names, or asks for its policy. Where the
// past has exactly what Git names, the policy is read now and then only.
func (s *sharing) version(n int64) {
	policy, known := s.snap.Policies[s.wish.Layer.Version(n)]
	if known {
		s.compare(n, policy)
		return
	}
	remember(s.ours, s.past.Shares, n)
	remember(s.others, s.past.OtherShares, n)
	if s.due || s.differs(n) {
		s.whole = false
		s.plan.Needs.Policies = append(s.plan.Needs.Policies, s.wish.Layer.Version(n))
	}
}

// unpublished drafts the grants of the versions that are to be published. They stand with
// the content in the plan, so that the approval of the publish covers them as well, and
// wait until the version has a number, see publishedFirst.
func (s *sharing) unpublished() {
	for _, p := range s.wish.pending {
		for _, x := range s.wish.ShareWith {
			s.plan.Steps = append(s.plan.Steps, s.granting(p.target.semver, p.to, p.target.semver, x.Grant, plan.CauseChange, namedReason(x)))
		}
	}
}

// differs reports whether the past has something else of a version than Git names.
func (s *sharing) differs(n int64) bool {
	for sid := range s.named {
		if !s.granted(sid, n) {
			return true
		}
	}
	for sid := range s.past.Shares {
		if _, named := s.named[sid]; !named && s.granted(sid, n) {
			return true
		}
	}
	return false
}

// granted reports whether the past has a grant.
func (s *sharing) granted(sid string, n int64) bool { return slices.Contains(s.past.Shares[sid], n) }

// compare drafts the steps of a version whose policy is known.
func (s *sharing) compare(n int64, policy state.Policy) {
	taken := map[string]bool{} // Sids that are used by something else
	for _, g := range policy.Grants {
		x, named := s.named[g.Sid]
		switch {
		case !g.Ours():
			if g.To() != s.want.Account {
				s.others[g.Whom()] = append(s.others[g.Whom()], n)
			}
			continue
		case named && x.Grant == g:
		case !s.wish.Shared && !s.granted(g.Sid, n):
			continue // Git says nothing of sharing, and nobody knows that layerd did this
		default:
			taken[g.Sid] = named
			s.step(n, g, false, plan.CauseChange, "share_with does not name "+g.Whom())
		}
		s.ours[g.Sid] = append(s.ours[g.Sid], n)
	}
	for _, x := range s.wish.ShareWith {
		if have, there := policy.Grant(x.Sid); there && have == x.Grant {
			continue
		}
		s.grant(n, x, taken[x.Sid])
	}
}

// grant drafts a grant that is not there. taken reports that something else has its Sid
// and is taken back before.
func (s *sharing) grant(n int64, x desired.Share, taken bool) {
	if why := s.unlikeStamp(s.wish, s.wish.version(n)); why != "" {
		s.whole, s.unlike[n] = false, why
		return
	}
	if taken || !s.granted(x.Sid, n) {
		s.step(n, x.Grant, true, plan.CauseChange, namedReason(x))
		return
	}
	s.ours[x.Sid] = append(s.ours[x.Sid], n) // until it is there again, it is known as taken back by others
	if s.want.Drift.Report {
		s.whole = false
		s.missing[x.Sid] = append(s.missing[x.Sid], n)
		return
	}
	s.step(n, x.Grant, true, plan.CauseDrift, fmt.Sprintf("layerd had shared it with %s, and somebody else has taken that back", x.Whom()))
}

// namedReason is why a version is shared with one whom Git names.
func namedReason(x desired.Share) string {
	if x.Reason != "" {
		return "share_with makes it public: " + x.Reason
	}
	return "share_with names " + x.Whom()
}

// step adds a step that grants or takes back on a live version.
func (s *sharing) step(n int64, g state.Grant, granting bool, cause plan.Cause, reason string) {
	w := s.wish
	s.whole = false // it may wait, or fail, and must not be forgotten for six hours
	step := s.granting(strconv.FormatInt(n, 10), w.version(n), w.catalog.Label(n), g, cause, reason)
	step.Content = w.contents[n] // an approval from before it had a number covers it by that
	if !granting {
		step.ID, step.Content = "un"+step.ID, ""
		step.From, step.FromVersion, step.To, step.ToVersion = step.To, step.ToVersion, "", ""
	}
	s.plan.Steps = append(s.plan.Steps, step)
}

// granting returns the step that makes a grant. name is the version's number, or its
// semantic version while it has none.
func (s *sharing) granting(name string, v state.LayerVersionARN, semver string, g state.Grant, cause plan.Cause, reason string) plan.Step {
	return plan.Step{
		ID: strings.Join([]string{string(plan.KindShare), s.wish.Name, name, g.Key()}, "/"), Kind: plan.KindShare,
		Layer: s.wish.Name, LayerARN: s.wish.Layer, To: v, ToVersion: semver, Cause: cause, Reason: reason,
		Sharing: new(plan.Sharing(g)),
	}
}

// learn has what is known now remembered, where that is anything new.
func (s *sharing) learn() {
	learned := plan.LayerShares{Layer: s.wish.Layer, Ours: s.ours, Others: s.others, Read: s.past.SharesRead}
	if s.due && s.whole {
		learned.Read = s.in.Now
	}
	same := func(a, b map[string][]int64) bool { return maps.EqualFunc(a, b, slices.Equal[[]int64]) }
	if !learned.Read.Equal(s.past.SharesRead) || !same(s.ours, s.past.Shares) || !same(s.others, s.past.OtherShares) {
		s.plan.Learned.Shares = append(s.plan.Learned.Shares, learned)
	}
}

// notes notes grants that layerd leaves as they are.
func (s *sharing) notes() {
	for _, whom := range slices.Sorted(maps.Keys(s.others)) {
		s.plan.Notes = append(s.plan.Notes, plan.Note{Code: "foreign_grants", Message: fmt.Sprintf(
			"%s %s: shared with %s by somebody else, which stays", s.wish.Name, numbersOf(s.others[whom]), whom)})
	}
	for _, n := range slices.Sorted(maps.Keys(s.unlike)) {
		s.plan.Notes = append(s.plan.Notes, plan.Note{Code: "other_content", Message: fmt.Sprintf("%s %d is shared with nobody else: %s", s.wish.Name, n, s.unlike[n])})
	}
	for _, x := range s.wish.ShareWith {
		if list := s.missing[x.Sid]; len(list) > 0 {
			s.plan.Notes = append(s.plan.Notes, plan.Note{Code: "grant_missing", Message: fmt.Sprintf(
				"%s %s: layerd had shared it with %s, and somebody else has taken that back; drift is set to report", s.wish.Name, numbersOf(list), x.Whom())})
		}
	}
}

// remember adds to now what before has of one number.
func remember(now, before map[string][]int64, n int64) {
	for key, list := range before {
		if slices.Contains(list, n) {
			now[key] = append(now[key], n)
		}
	}
}

func numbersOf(list []int64) string {
	var texts []string
	for _, n := range list {
		texts = append(texts, strconv.FormatInt(n, 10))
	}
	return words.Few(texts)
}
