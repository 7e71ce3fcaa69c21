package plan

import (
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// Standing is what an environment stands for in one Region as to one layer: the number
// that is applied and proven there. That is never what a rollout still brings, and
// never what is in quarantine.
type Standing struct {
	Number int64 // 0 = nothing is proven, or the layer was taken away
	// Coming is the number that a rollout under way brings; 0 = none does, or it brings
	// what stands already.
	Coming int64
	// Rollout is the one that brings it, or that ended before it had; nil = none.
	Rollout *rollout.Rollout
}

// StandingOf returns what stands in the Region as to a layer. ro is the rollout under
// way there, or the last there was; words are the quarantines that hold.
//
// What came through a whole rollout stands until another has, as long as a function has
// it and nobody took it back. Where no rollout ever had anything to do, what most
// functions were found with, as Git wants it, stands as well: who begins with layerd
// need not change a version to be answered.
func (p Past) StandingOf(region string, layer state.LayerARN, ro *rollout.Rollout, words []ruling.Quarantine) Standing {
	past := p.Layers[layer]
	bad := func(n int64) bool {
		return slices.ContainsFunc(words, func(q ruling.Quarantine) bool {
			return q.Holds() && q.Region == region && q.Layer == layer && q.Number == n && q.Functions == ""
		})
	}
	good := func(n int64) bool { return n > 0 && !bad(n) }
	s := Standing{}
	target, brings := targetOf(ro, layer)
	through := !brings || !ro.Open() && ro.Stage != rollout.StageSuperseded
	if brings && (!through || ro.Failed()) {
		s.Rollout = ro
	}
	if !through && target.Number != past.Proven {
		s.Coming = target.Number
	}
	applied := p.appliedCounts(layer)
	word := personsNumber(region, layer, words)
	switch {
	case good(word):
		s.Number = word
	case bad(past.Proven):
		s.Number = p.returned(layer, past.Proven, target, good)
	case !through && past.Proven > 0, past.Proven > 0 && (applied[past.Proven] > 0 || len(applied) == 0):
		s.Number = past.Proven
	case !through:
		s.Number = p.before(layer, ro, target.Number)
	default:
		s.Number = firstOf(commonest(applied), func(n int64) bool { return !bad(n) }) // none, where most have none
	}
	if !good(s.Number) || past.Proven == 0 && !slices.Contains(past.Applied, s.Number) {
		s.Number = 0 // functions may have had it, and Git never wanted it here
	}
	return s
}

// Why returns why nothing stands; empty where something does. show writes a number as
// people compare it.
func (s Standing) Why(show func(int64) string) string {
	switch {
	case s.Number > 0:
		return ""
	case s.Rollout != nil && s.Coming > 0:
		return fmt.Sprintf("nothing came through a rollout yet; the one under way brings %s: %s", show(s.Coming), stageWords(*s.Rollout))
	case s.Rollout != nil:
		return "nothing came through a rollout yet; the last one: " + stageWords(*s.Rollout)
	}
	return "nothing was applied"
}

// stageWords returns where a rollout is, for people.
func stageWords(r rollout.Rollout) string {
	text := fmt.Sprintf("%s, wave %d of %d, %d functions", r.Stage, r.Wave, r.Waves, r.Total)
	if r.Reason != "" {
		text += ", " + r.Reason
	}
	return text
}

// targetOf returns what a rollout brings of a layer.
func targetOf(ro *rollout.Rollout, layer state.LayerARN) (rollout.Target, bool) {
	if ro == nil {
		return rollout.Target{}, false
	}
	i := slices.IndexFunc(ro.Targets, func(t rollout.Target) bool { return t.Layer == layer })
	if i < 0 {
		return rollout.Target{}, false
	}
	return ro.Targets[i], true
}

// appliedCounts counts the functions that a number was last applied to, or found on as
// Git wanted it; 0 is none.
func (p Past) appliedCounts(layer state.LayerARN) map[int64]int {
	counts := map[int64]int{}
	for _, f := range p.Functions {
		if n, known := f.Applied[layer]; known && !f.Released {
			counts[n]++
		}
	}
	return counts
}

// personsNumber returns where the latest word of a person leads who took the layer back
// on all functions; 0 = nobody did. It holds until Git wants another number.
func personsNumber(region string, layer state.LayerARN, words []ruling.Quarantine) int64 {
	var latest ruling.Quarantine
	for _, q := range words {
		if q.Holds() && q.ByPerson && q.Region == region && q.Layer == layer && q.Functions == "" && !q.At.Before(latest.At) {
			latest = q
		}
	}
	return latest.RevertTo
}

// returned returns what took the place of a proven number that is in quarantine: what
// its rollout took the place of, else what most functions were given since.
func (p Past) returned(layer state.LayerARN, proven int64, target rollout.Target, good func(int64) bool) int64 {
	list := commonest(p.appliedCounts(layer))
	if target.Number == proven {
		list = append([]int64{target.From}, list...)
	}
	return firstOf(list, good)
}

// before returns what functions had before the first rollout of all brought coming:
// those that it has not reached have it still. What a rollout before it left, that it
// took over from, is no such number.
func (p Past) before(layer state.LayerARN, ro *rollout.Rollout, coming int64) int64 {
	counts := map[int64]int{}
	for _, f := range p.Functions {
		n, known := f.Applied[layer]
		if !known || f.Released {
			continue
		}
		if n == coming || len(ro.Chain) > 0 {
			n = f.Original[layer]
		}
		counts[n]++
	}
	return firstOf(commonest(counts), func(int64) bool { return true })
}

// firstOf returns the first good number of list, or 0.
func firstOf(list []int64, good func(int64) bool) int64 {
	for _, n := range list {
		if good(n) {
			return n
		}
	}
	return 0
}
