package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// permit decides of each step whether it may run now, and if not, by whom and
// until when it is held. It is the table "Who may pass what" of DESIGN
// section 2 for the steps this release makes.
type permit struct {
	in     Input
	digest string
	order  map[*region]string          // why a Region waits for an earlier one
	news   int                         // functions that would get a layer for the first time
	bound  map[string]*ruling.Approval // by line, of the approvals that hold
	same   *ruling.Approval            // one for exactly this plan, that holds
	latest time.Time                   // when the latest approval that holds was given

	scratch []plan.Held // holders of the step in hand
	last    lastHeld    // see shared
}

func newPermit(in Input, p plan.Plan, regions []*region) *permit {
	m := &permit{in: in, digest: p.Digest, bound: map[string]*ruling.Approval{}, order: map[*region]string{}}
	busy := ""
	for _, r := range regions {
		m.news += r.newSteps
		m.order[r] = busy
		if busy == "" {
			busy = r.blocksLaterRegions()
		}
	}
	for i := range in.Approvals {
		a := &in.Approvals[i]
		if !a.Valid(in.Regions[0].Want.Calendar, in.Now) {
			continue
		}
		for _, line := range a.Scope {
			m.bound[line] = a
		}
		if a.Digest == p.Digest {
			m.same = a
		}
		if a.At.After(m.latest) {
			m.latest = a.At
		}
	}
	return m
}

// all fills Held of every step of every Region.
func (m *permit) all(regions []*region) {
	left, next := pruneBudget(m.in)
	for _, r := range regions {
		for i := range r.plan.Steps {
			s := &r.plan.Steps[i]
			holders := m.holders(m.scratch[:0], r, s)
			if s.Kind == plan.KindPrune && len(holders) == 0 && s.Held == nil && m.in.Unleased == "" {
				if left == 0 {
					holders = append(holders, plan.Held{By: plan.ByLimit, Until: next, Reason: fmt.Sprintf(
						"at most %d versions are pruned per environment and 24 hours", maxPrunes)})
				} else {
					left--
				}
			}
			m.scratch = m.grace(holders, s.Held)
			s.Held = m.shared(r, s, m.scratch)
		}
		serveWaits(r.plan.Steps)
	}
}

// serveWaits holds what gives callers the new layers where nothing new is left
// to give without the steps that are held; and where one of these is to put a
// layer of $LATEST right, since callers would get the wrong one.
func serveWaits(steps []plan.Step) {
	var serves []int
	served := map[string]bool{}
	for i := range steps {
		if s := &steps[i]; s.Kind == plan.KindServe {
			serves = append(serves, i)
			served[s.Function] = true
		}
	}
	if len(serves) == 0 {
		return
	}
	held, free := map[string][]plan.Step{}, map[string][]plan.Step{}
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Kind == plan.KindServe || !served[s.Function]:
		case s.Held == nil:
			free[s.Function] = append(free[s.Function], *s)
		default:
			held[s.Function] = append(held[s.Function], *s)
		}
	}
	for _, i := range serves {
		s, waiting := steps[i], held[steps[i].Function]
		if s.WaitsAlone() || s.Serving.Version != "" || len(waiting) == 0 {
			continue
		}
		after := plan.Fold(s.List, free[s.Function])
		if !slices.ContainsFunc(s.Serving.Ours, func(l state.LayerARN) bool { return behind(s, after, l) }) {
			steps[i].Held = waiting[0].Held
		}
		for _, w := range waiting {
			if behind(s, s.List, w.LayerARN) {
				steps[i].Held = w.Held
			}
		}
	}
}

// behind reports whether callers get another version of a layer than is in a list.
func behind(s plan.Step, list []state.LayerVersionARN, l state.LayerARN) bool {
	return state.Layers(list).Number(l) != s.Serving.Served.Layers.Number(l)
}

// holders appends to hs who holds a step besides a grace, in order of precedence.
func (m *permit) holders(hs []plan.Held, r *region, s *plan.Step) []plan.Held {
	hold := func(by plan.By, until time.Time, reason string) {
		hs = append(hs, plan.Held{By: by, Until: until, Reason: reason})
	}
	if s.Cause == plan.CauseRollback {
		return hs // back to what was: passes all but the lease
	}
	if r.want.Observe {
		hold(plan.ByMode, time.Time{}, "mode is observe: layerd tells and does nothing")
	}
	if reason := r.desiredReason(*s); reason != "" {
		hold(plan.ByDesired, time.Time{}, reason)
	}
	if reason := r.quarantineReason(*s); reason != "" {
		hold(plan.ByQuarantine, time.Time{}, reason)
	} else if s.Quarantined != "" {
		hold(plan.ByQuarantine, time.Time{}, s.Quarantined)
	}
	w := r.open
	if s.Windowless() {
		w = r.freezes
	}
	if w.Frozen {
		hold(plan.ByFreeze, w.NextOpen, w.Reason)
	}
	approved := m.approved(r, *s)
	if r.needsApproval(*s) && !approved {
		hold(plan.ByApproval, time.Time{}, m.approvalReason(r))
	}
	if !w.Open && (!w.Frozen || !w.InWindow) {
		hold(plan.ByWindow, w.NextOpen, windowReason(r))
	} else if s.InRollout() && r.rollout == nil && r.want.Rollout.MustFitWindow {
		if reason, until, spans := r.windowTooShort(); spans {
			hold(plan.ByWindow, until, "the rollout does not start, since it could not end in time: "+reason)
		}
	}
	m.rolloutHolders(r, *s, hold)
	if r.plan.Failure != nil {
		hold(plan.ByLimit, time.Time{}, r.plan.Failure.Message)
	} else if reason := m.limitReason(r, *s); reason != "" && !approved {
		hold(plan.ByLimit, time.Time{}, reason)
	}
	return hs
}

// rolloutHolders are those that make a change a safe one: health, its place
// after other Regions, and its wave.
func (m *permit) rolloutHolders(r *region, s plan.Step, hold func(plan.By, time.Time, string)) {
	waits, reason := r.waveHolder(s)
	if r.unwell != "" && r.rollout == nil && s.InRollout() && r.forwards(s) { // one that has begun is judged by itself
		hold(plan.ByHealth, time.Time{}, r.unwell)
	} else if reason && waits.By == plan.ByHealth {
		hold(plan.ByHealth, waits.Until, waits.Reason)
	}
	if s.Tug != "" {
		hold(plan.ByTugOfWar, time.Time{}, s.Tug)
	}
	if why := r.publishedFirst(&s); why != "" {
		hold(plan.ByOrder, time.Time{}, why)
	} else if s.InRollout() && m.order[r] != "" && !r.sameRollout() {
		hold(plan.ByOrder, time.Time{}, m.order[r])
	}
	if reason && waits.By == plan.ByWave {
		hold(plan.ByWave, waits.Until, waits.Reason)
	}
}

// forwards reports whether a step brings something newer. A serve step does when one
// of the others of its function does, or when it is alone.
func (r *region) forwards(s plan.Step) bool {
	forward := func(s plan.Step) bool { return s.Kind != plan.KindRollback && !s.Back }
	if s.Kind != plan.KindServe {
		return forward(s)
	}
	if r.forward == nil {
		r.forward = map[string]bool{}
		for _, o := range r.plan.Steps {
			if o.InRollout() && o.Kind != plan.KindServe {
				r.forward[o.Function] = r.forward[o.Function] || forward(o)
			}
		}
	}
	is, others := r.forward[s.Function]
	return is || !others
}

// waits reports whether a step waits for something of its own, so that the rollout
// goes on without it.
func (m *permit) waits(r *region, s *plan.Step) bool {
	return s.Quarantined != "" || r.quarantineReason(*s) != "" ||
		(r.needsApproval(*s) || m.limitReason(r, *s) != "") && !m.approved(r, *s)
}

// blocksLaterRegions returns why later Regions wait for this one; empty when they need not.
func (r *region) blocksLaterRegions() string {
	switch {
	case r.snap == nil:
		return r.want.Region + " goes first, and it could not be read"
	case r.rollout != nil:
		return r.want.Region + " goes first, and its rollout is under way"
	case slices.ContainsFunc(r.plan.Steps, plan.Step.InRollout):
		return r.want.Region + " goes first"
	}
	return ""
}

// grace adds the two that hold last: a grace, and that we may do nothing.
func (m *permit) grace(hs []plan.Held, grace *plan.Held) []plan.Held {
	if grace != nil {
		hs = append(hs, plan.Held{By: grace.By, Until: grace.Until, Reason: grace.Reason})
	}
	if m.in.Unleased != "" {
		hs = append(hs, plan.Held{By: plan.ByLease, Reason: m.in.Unleased})
	}
	return hs
}

func windowReason(r *region) string {
	if r.plan.Window.Frozen {
		return "and the change window is closed as well"
	}
	return r.plan.Window.Reason
}

// desiredReason holds changes that cannot be trusted or are not whole. Heals
// of what was applied go on, and so does a rollout that has begun.
func (r *region) desiredReason(s plan.Step) string {
	switch {
	case s.Cause == plan.CauseDrift:
		return ""
	case r.in.Stale != "" && !(s.InRollout() && r.sameRollout()):
		return r.in.Stale
	case len(r.plan.Problems) > 0:
		return "layers of one commit wait for each other: " + r.plan.Problems[0].Message
	}
	return ""
}

// needsApproval: changes and prunes, where the environment asks for it; not
// heals, and not Git going back to what was applied here once.
func (r *world) needsApproval(s plan.Step) bool {
	return r.want.ApprovalRequired && (s.Cause == plan.CauseChange && !s.Back || s.Cause == plan.CauseRetention)
}

func (m *permit) approvalReason(r *region) string {
	for _, a := range m.in.Approvals {
		if a.Digest == m.digest && a.Ended.IsZero() && !a.Valid(r.want.Calendar, m.in.Now) {
			return fmt.Sprintf("the approval by %s expired %s", a.By, words.Moment(a.Expires(r.want.Calendar), r.want.Zone))
		}
	}
	return "needs an approval of this plan"
}

// approved reports whether an approval that holds covers the step. A prune is not
// in the digest; it is covered by any approval given after the version had
// become a candidate, since the plan that was approved showed it.
func (m *permit) approved(r *region, s plan.Step) bool {
	switch s.Cause {
	case plan.CauseChange:
		if len(m.bound) == 0 && m.same == nil {
			return false
		}
		if m.covers(r.line(s)) {
			return true
		}
		before := plan.LineBefore(r.want.Region, s)
		return before != "" && m.covers(before)
	case plan.CauseRetention:
		return !m.latest.IsZero() && !m.latest.Before(r.candidateSince(s))
	default:
		return m.same != nil
	}
}

func (m *permit) covers(line string) bool {
	return m.bound[line] != nil || m.same != nil && m.same.Covers(line, m.digest)
}

// contentOf returns the SHA-256 of a live version's zip, where it is sure: the history
// knows what was published first under a semantic version, and the number has the stamp
// of just that. By it an approval that was given before the version had a number covers
// the steps that attach it; one of another content does not. Empty = it is not sure.
func (r *world) contentOf(w *wish, number int64) string {
	s, ok := catalog.ReadStamp(w.catalog.Version(number).Description)
	if !ok {
		return ""
	}
	sha256 := r.in.Published[w.Name][s.Version.String()]
	if sha256 == "" || !s.Is(sha256) {
		return ""
	}
	return sha256
}

// noteContents notes the contents of the versions that Git asks for.
func (r *world) noteContents(w *wish) {
	if len(r.in.Published[w.Name]) == 0 {
		return
	}
	w.contents = map[int64]string{}
	for _, t := range append(slices.Clip(w.pins), w.target) {
		if sha256 := r.contentOf(w, t.number); sha256 != "" {
			w.contents[t.number] = sha256
		}
	}
}

// limitReason holds what would do more than a person expects until that
// person has seen the plan.
func (m *permit) limitReason(r *region, s plan.Step) string {
	for layer := range strings.SplitSeq(s.Layer, "+") { // a serve step is of several
		if why := r.shrunk[layer]; why != "" {
			return why + "; nothing follows until the plan is approved"
		}
	}
	if s.New && m.news > r.want.MaxNew {
		return fmt.Sprintf("%d functions would get a layer for the first time, and max_new is %d; approve the plan or raise it",
			m.news, r.want.MaxNew)
	}
	return ""
}

// shared is merge, but gives steps that the same holders hold in the same way one
// value: a fleet waits for few different things.
func (m *permit) shared(r *region, s *plan.Step, hs []plan.Held) *plan.Held {
	if len(hs) == 0 {
		return nil
	}
	obeys := s.Windowless() || s.Cause == plan.CauseRollback
	if l := m.last; l.held != nil && l.region == r && l.own == obeys && slices.EqualFunc(l.holders, hs, sameHolder) {
		return l.held
	}
	holders := slices.Clone(hs)
	m.last = lastHeld{region: r, own: obeys, holders: holders, held: r.merge(*s, holders)}
	return m.last.held
}

func sameHolder(a, b plan.Held) bool {
	return a.By == b.By && a.Reason == b.Reason && a.Until.Equal(b.Until)
}

// lastHeld is what the step before was held by. own reports that it obeys another
// calendar than most steps.
type lastHeld struct {
	region  *region
	own     bool
	holders []plan.Held
	held    *plan.Held
}

// merge makes one Held of all holders. Until is when all that is known to end
// has ended and the step's calendar is open.
func (r *world) merge(s plan.Step, hs []plan.Held) *plan.Held {
	if len(hs) == 0 {
		return nil
	}
	h := &plan.Held{By: hs[0].By, Reason: hs[0].Reason}
	for _, x := range hs {
		if x.Until.After(h.Until) {
			h.Until = x.Until
		}
	}
	if len(hs) > 1 {
		h.Also = hs[1:]
	}
	if h.Until.IsZero() {
		return h
	}
	if st := s.Obeys(r.want.Calendar).At(h.Until); !st.Open {
		h.Until = st.NextOpen
	}
	return h
}
