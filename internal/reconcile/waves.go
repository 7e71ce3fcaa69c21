package reconcile

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
)

// WavePlan is how many functions one wave has still to change.
type WavePlan struct{ Wave, Functions int }

// spread gives names in the order in which a rollout takes them: the same at
// each call for the same names, first those that are to be first, and the rest
// so that each beginning has as much of every family of functions as the whole.
// A family is what shares the first two words of its names.
func spread(names []string, first map[string]bool) []string {
	families := map[string][]string{}
	for _, name := range names {
		families[family(name)] = append(families[family(name)], name)
	}
	place := make(map[string]float64, len(names))
	for _, list := range families {
		slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(hash(a), hash(b)), cmp.Compare(a, b)) })
		for i, name := range list {
			place[name] = (float64(i) + 0.5) / float64(len(list))
			if first[name] {
				place[name] = -1
			}
		}
	}
	order := slices.Clone(names)
	slices.SortFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(place[a], place[b]), cmp.Compare(hash(a), hash(b)), cmp.Compare(a, b))
	})
	return order
}

func family(name string) string {
	words := 0
	for i, c := range name {
		if c == '-' || c == '_' {
			if words++; words == 2 {
				return name[:i]
			}
		}
	}
	return name[:max(0, strings.LastIndexAny(name, "-_"))]
}

func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}

// cuts are how many functions have been changed at the end of each wave. Waves
// that would change nothing are left out, and the last has all.
func cuts(r desired.Rollout, total int) []int {
	var list []int
	last := 0
	for _, w := range r.Waves {
		if n := w.Of(total); n > last && n < total {
			list, last = append(list, n), n
		}
	}
	return append(list, total)
}

// inRollout says whether a step is part of a rollout. A new function that gets
// what all others have, and a heal, bring nothing new.
func (s Step) inRollout() bool { return s.Cause == Change && !s.AnyTime && s.Function != "" }

// Brings says that something of a rollout is to be done here.
func (p RegionPlan) Brings() bool { return slices.ContainsFunc(p.Steps, Step.inRollout) }

// roll gives each step of the rollout its wave, and says which of them wait for
// an earlier one.
func (r *region) roll() {
	if r.snap == nil {
		return
	}
	r.plan.Superseding = r.rollout != nil && !r.sameRollout()
	r.plan.Untouched = len(r.changed) == 0
	names := map[string]bool{}
	pending := map[string]bool{}
	for _, s := range r.plan.Steps {
		if s.inRollout() {
			names[s.Function], pending[s.Function] = true, true
		}
	}
	if r.sameRollout() {
		for _, c := range r.changed {
			names[c.Function] = true
		}
	}
	first := map[string]bool{}
	for _, t := range r.want.Rollout.SmokeTests {
		first[t.Function] = true
	}
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	order := spread(list, first)
	ends := cuts(r.want.Rollout, len(order))
	r.waves = make(map[string]int, len(order))
	wave, left := 0, make([]int, len(ends))
	for i, name := range order {
		for i >= ends[wave] {
			wave++
		}
		r.waves[name] = wave + 1
		if pending[name] {
			left[wave]++
		}
	}
	for i := range r.plan.Steps {
		if s := &r.plan.Steps[i]; s.inRollout() {
			s.Wave = r.waves[s.Function]
			if s.Kind == Serve && r.weight() > 0 {
				s.Serving.Weight = r.weight()
			}
		}
	}
	if len(pending) > 0 {
		for i, n := range left {
			r.plan.Waves = append(r.plan.Waves, WavePlan{i + 1, n})
		}
	}
}

// weight is the share of calls that a serve step gives to the new version now;
// 0 = all.
func (r *region) weight() float64 {
	c := r.want.Rollout.Canary
	if c == nil || r.want.Alias == "" || r.sameRollout() && r.rollout.Stage != StageCanary {
		return 0
	}
	return c.Weight
}

// sameRollout says that the rollout under way brings what Git wants now.
func (r *region) sameRollout() bool {
	if r.rollout == nil {
		return false
	}
	return slices.EqualFunc(r.rollout.Targets, r.plan.Targets, func(a, b Target) bool { return a.Layer == b.Layer && a.Number == b.Number })
}

// targets is what a rollout of this plan brings.
func (r *region) targets() []Target {
	var list []Target
	for _, w := range r.wishes {
		if w.ok {
			list = append(list, Target{
				Layer: w.Layer, Name: w.Name, Number: w.target.number, Semver: w.target.semver, From: r.past.Layers[w.Layer].Proven,
			})
		}
	}
	slices.SortFunc(list, func(a, b Target) int { return cmp.Compare(a.Layer, b.Layer) })
	return list
}

// waveHolder says which wave, or what else about the rollout, a step waits for.
func (r *region) waveHolder(s Step) (h Holder, held bool) {
	if !s.inRollout() {
		return Holder{}, false
	}
	at := func(t time.Time) string { return t.In(r.want.Zone).Format("Mon 15:04 MST") }
	ro := r.rollout
	switch {
	case ro == nil:
		if s.Wave > 1 {
			return Holder{By: ByWave, Reason: fmt.Sprintf("wave %d of %d: after wave %d was changed and is well", s.Wave, len(r.plan.Waves), s.Wave-1)}, true
		}
		return Holder{}, false
	case ro.Stage == StageHalted:
		return Holder{By: ByHealth, Reason: "the rollout halted: " + ro.Reason + "; layerd retry goes on, layerd rollback goes back"}, true
	case ro.Stage == StageRollingBack:
		return Holder{By: ByHealth, Reason: "the rollout is going back: " + ro.Reason}, true
	case !r.sameRollout():
		return Holder{By: ByWave, Until: r.judged(), Reason: fmt.Sprintf(
			"a rollout of an earlier commit (%s) is in wave %d of %d; this one takes over at its end", shortHash(ro.Revision), ro.Wave, ro.Waves)}, true
	case ro.Stage == StageBake || ro.Stage == StageCanaryBake:
		return Holder{By: ByWave, Until: r.judged(), Reason: fmt.Sprintf("wave %d of %d is watched until %s", ro.Wave, ro.Waves, at(r.judged()))}, true
	case s.Wave > ro.Wave:
		return Holder{By: ByWave, Reason: fmt.Sprintf("wave %d of %d: wave %d is under way", s.Wave, max(s.Wave, len(r.plan.Waves)), ro.Wave)}, true
	case ro.Stage == StageCanary && s.Kind == Serve && r.canaryRuns(s.Function):
		return Holder{By: ByWave, Reason: "the others of its wave get their share of calls first"}, true
	}
	return Holder{}, false
}

// canaryRuns says that the function's callers get the new version in part
// already.
func (r *region) canaryRuns(function string) bool {
	c := r.changedHere(function)
	return c != nil && c.Canary && !c.Failed
}

func shortHash(revision string) string { return revision[:min(7, len(revision))] }

// judged is when the wave under way is judged at the latest; zero while its
// functions are still being changed.
func (r *region) judged() time.Time { return Judged(r.rollout, r.want.Rollout) }

// Judged is when a wave is judged: at the end of its bake, and where rates are
// asked for, when the last of them have arrived. Zero while nothing bakes.
func Judged(ro *Rollout, rules desired.Rollout) time.Time {
	bake := rules.Bake
	switch ro.Stage {
	case StageBake:
	case StageCanaryBake:
		if rules.Canary != nil {
			bake = rules.Canary.Bake
		}
	default:
		return time.Time{}
	}
	if rates(rules) {
		bake += desired.MetricDelay
	}
	return ro.Since.Add(bake)
}

func rates(rules desired.Rollout) bool { return rules.MaxErrorRate != nil || rules.MaxThrottles != nil }

// Duration is how long a rollout of so many functions in each wave takes at
// the least: the calls at the configured rates, and the bakes.
func (r *region) duration() time.Duration {
	rules, perWave := r.want.Rollout, time.Duration(0)
	if rules.Bake > 0 {
		perWave += rules.Bake
	}
	if c := rules.Canary; c != nil && r.want.Alias != "" {
		perWave += c.Bake
	}
	if rates(rules) {
		perWave += desired.MetricDelay
	}
	waves := len(r.plan.Waves)
	from := 0
	if r.sameRollout() {
		from = r.rollout.Wave - 1
	}
	functions := 0
	for _, w := range r.plan.Waves {
		functions += w.Functions
	}
	seconds := r.in.Rates.seconds(r.calls(functions))
	return time.Duration(seconds*float64(time.Second)) + time.Duration(max(0, waves-from))*perWave
}

// spans says that what is left of the rollout takes longer than the open time
// does, this one or the next. until is the next opening that is long enough;
// zero where none of the coming ones is.
func (r *region) spans() (reason string, until time.Time, short bool) {
	if len(r.plan.Waves) == 0 || len(r.want.Calendar.Windows) == 0 {
		return "", time.Time{}, false
	}
	need := r.duration()
	closes, from := r.plan.Window.ClosesAt, r.in.Now
	if !r.plan.Window.Open {
		next := r.want.Calendar.Next(r.in.Now, 1)
		if len(next) == 0 {
			return "", time.Time{}, false
		}
		from, closes = next[0].Start, next[0].End
	}
	if closes.IsZero() || !from.Add(need).After(closes.Add(-r.want.Calendar.Cutoff)) {
		return "", time.Time{}, false
	}
	for _, o := range r.want.Calendar.Next(r.in.Now, 10) {
		if o.Start.After(r.in.Now) && (o.End.IsZero() || !o.Start.Add(need).After(o.End.Add(-r.want.Calendar.Cutoff))) {
			until = o.Start
			break
		}
	}
	return fmt.Sprintf("it takes about %s, and the change window leaves %s", about(need), about(closes.Add(-r.want.Calendar.Cutoff).Sub(from))), until, true
}

// about rounds a duration to what a person says.
func about(d time.Duration) string {
	switch {
	case d < time.Minute:
		return short(d.Round(time.Second))
	case d < time.Hour:
		return short(d.Round(time.Minute))
	default:
		return short(d.Round(5 * time.Minute))
	}
}
