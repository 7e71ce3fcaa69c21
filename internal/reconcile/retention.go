package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

const (
	// horizon is how many different applied versions stay for rolling back.
	horizon = 3
	// maxPrunes per environment and day bounds what a wrong rule can cost.
	maxPrunes   = 20
	prunePeriod = 24 * time.Hour
)

// retention keeps every live version of every owned layer with a rule, with the
// reason, or plans to prune it.
func (r *region) retention() {
	for _, w := range r.wishes {
		if !w.Owned || w.Retention.Keep == 0 || !w.catalog.Listed() {
			continue
		}
		protected := r.protected(w)
		for i, v := range w.catalog.Versions() {
			reason, shared := ruleReason(w.Retention, i, v, r.in.Now), false
			if reason == "" {
				reason = protected[v.Number]
			}
			if reason == "" {
				reason, shared = r.unseenUse(w, v.Number)
			}
			if reason == "" {
				r.prune(w, v)
				continue
			}
			r.plan.Kept = append(r.plan.Kept, plan.Kept{
				Layer: w.Name, Version: v.Number, Semver: w.catalog.Label(v.Number), Reason: reason, Shared: shared,
			})
		}
		r.noteKeptShared(w)
	}
}

// ruleReason is why the rule itself keeps the i-th newest version.
func ruleReason(rule desired.Retention, i int, v state.LayerVersion, now time.Time) string {
	switch {
	case i == 0:
		return "the newest version"
	case i < rule.Keep:
		return fmt.Sprintf("one of the newest %d", rule.Keep)
	case rule.OlderThan > 0 && now.Sub(v.Created) < rule.OlderThan:
		return fmt.Sprintf("younger than %d days", int(rule.OlderThan.Hours()/24))
	}
	return ""
}

// protected returns why a version must stay, by number; the first reason found
// is kept, the strongest first.
func (r *region) protected(w *wish) map[int64]string {
	why := map[int64]string{}
	protect := func(n int64, reason string) {
		if n > 0 && why[n] == "" {
			why[n] = reason
		}
	}
	for _, f := range r.snap.Functions {
		protect(f.Layers.Number(w.Layer), "used by "+f.Name)
	}
	for _, f := range r.snap.Temporary {
		protect(f.Layers.Number(w.Layer), "used by "+f.Name)
	}
	if r.snap.Uses != nil {
		for _, p := range r.snap.Uses.Published {
			for _, v := range p.Layers {
				if v.Of(w.Layer) {
					protect(v.Number(), "used by "+p.Function+":"+p.Version)
				}
			}
		}
	}
	r.protectWanted(w, protect)
	for _, n := range lastOf(r.past.Layers[w.Layer].Applied, horizon) {
		protect(n, fmt.Sprintf("one of the last %d versions applied here, for rolling back", horizon))
	}
	r.protectReturn(w, protect)
	r.protectOriginals(w, protect)
	if r.in.PruneStop != "" {
		for _, v := range w.catalog.Versions() {
			protect(v.Number, "nothing is pruned: "+r.in.PruneStop)
		}
	}
	return why
}

// protectWanted keeps what any environment names, now or for a pin, and
// everything while some wish could not be resolved.
func (r *region) protectWanted(w *wish, protect func(int64, string)) {
	protect(w.target.number, "wanted by "+r.want.Name)
	for _, p := range w.pins {
		protect(p.number, "pinned in "+r.want.Name)
	}
	for _, o := range r.others {
		for _, other := range o.wishes {
			if other.Layer != w.Layer {
				continue
			}
			protect(other.target.number, "wanted by "+o.Want.Name)
			for _, p := range other.pins {
				protect(p.number, "pinned in "+o.Want.Name)
			}
		}
	}
	if len(r.plan.Problems) > 0 {
		for _, v := range w.catalog.Versions() {
			protect(v.Number, "nothing is pruned while a version that Git names cannot be found")
		}
	}
}

// protectReturn keeps what going back may bring: what functions had before the
// rollout under way, what came through a rollout healthily last, and what a
// person went back to.
func (r *world) protectReturn(w *wish, protect func(int64, string)) {
	for _, c := range r.changed {
		protect(c.Before.Number(w.Layer), "what "+c.Function+" had before the rollout")
	}
	protect(r.past.Layers[w.Layer].Proven, "it was well here last, and going back means it")
	for _, q := range r.in.Quarantines {
		if q.Region == r.want.Region && q.Layer == w.Layer && q.Holds() {
			protect(q.RevertTo, "rolled back to by "+q.By)
		}
	}
}

// protectOriginals keeps what functions had before layerd first changed them:
// a CloudFormation template may still name it, and a failed deployment rolls
// back to it.
func (r *world) protectOriginals(w *wish, protect func(int64, string)) {
	first := map[int64]string{} // the first function by name, so that the reason does not change from run to run
	for name, f := range r.past.Functions {
		n, ok := f.Original[w.Layer]
		if ok && (first[n] == "" || name < first[n]) {
			first[n] = name
		}
	}
	for n, name := range first {
		protect(n, "what "+name+" had before layerd")
	}
}

// unseenUse returns why a version that nothing known protects may be used all the same,
// and asks for what is not known about it; unknown is never unused. shared reports that
// a grant is why.
func (r *region) unseenUse(w *wish, n int64) (reason string, shared bool) {
	if r.sharedByGit(w, n) {
		return r.unseenOf(w, n).reason("it"), true
	}
	if r.snap.Uses == nil {
		r.plan.Needs.Uses = true
		return "who uses it was not read yet", false
	}
	p, ok := r.snap.Policies[w.Layer.Version(n)]
	if !ok {
		r.plan.Needs.Policies = append(r.plan.Needs.Policies, w.Layer.Version(n))
		return "whom it is shared with was not read yet", false
	}
	if len(p.Principals) > 0 {
		return r.unseenOf(w, n).reason("it"), true
	}
	return "", false
}

func (r *region) prune(w *wish, v state.LayerVersion) {
	since := r.in.Now
	if seen, ok := r.past.Layers[w.Layer].Candidates[v.Number]; ok {
		since = seen
	}
	r.plan.Learned.Candidates = append(r.plan.Learned.Candidates,
		plan.Candidate{Layer: w.Layer, Number: v.Number, Since: since})
	s := plan.Step{
		ID: fmt.Sprintf("prune/%s/%d", w.Name, v.Number), Kind: plan.KindPrune, Layer: w.Name, LayerARN: w.Layer,
		From: w.Layer.Version(v.Number), FromVersion: w.catalog.Label(v.Number), Cause: plan.CauseRetention,
		Reason: fmt.Sprintf("outside the newest %d, and nothing needs it", w.Retention.Keep),
	}
	if end := since.Add(w.Retention.Grace); end.After(r.in.Now) {
		s.Held = &plan.Held{By: plan.ByGrace, Until: end, Reason: fmt.Sprintf("a version must be a candidate for %s before it is pruned", words.Duration(w.Retention.Grace))}
	}
	r.plan.Steps = append(r.plan.Steps, s)
}

// candidateSince returns since when a prune step's version has been a candidate.
func (r *region) candidateSince(s plan.Step) time.Time {
	for _, c := range r.plan.Learned.Candidates {
		if c.Layer == s.LayerARN && c.Number == s.From.Number() {
			return c.Since
		}
	}
	return r.in.Now
}

// pruneBudget is how many prunes the environment may still make now, in all
// its Regions, and when the next becomes possible.
func pruneBudget(in Input) (left int, next time.Time) {
	var recent []time.Time
	for _, r := range in.Regions {
		for _, at := range r.Past.Pruned {
			if in.Now.Sub(at) < prunePeriod {
				recent = append(recent, at)
			}
		}
	}
	slices.SortFunc(recent, func(a, b time.Time) int { return cmp.Compare(a.UnixNano(), b.UnixNano()) })
	if len(recent) > 0 {
		next = recent[0].Add(prunePeriod)
	} else {
		next = in.Now.Add(prunePeriod)
	}
	return max(0, maxPrunes-len(recent)), next
}

func lastOf(list []int64, n int) []int64 {
	return list[max(0, len(list)-n):]
}
