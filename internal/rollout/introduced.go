package rollout

import (
	"cmp"
	"slices"
)

// Introduced returns the targets that functions or their callers got by the
// rollout: what is bad is among these, and not among the versions that were
// there before. A version that a pin asked for is one of them, with no semantic
// version.
func (r *Rollout) Introduced(changed []Changed) []Target {
	var list, exposed []Target
	for _, t := range r.Targets {
		for _, n := range t.numbers(changed, Changed.introduced) {
			list = append(list, t.withNumber(n))
		}
		for _, n := range t.numbers(changed, Changed.exposed) {
			if n != t.From {
				list = append(list, t.withNumber(n))
			}
			exposed = append(exposed, t.withNumber(n))
		}
	}
	if len(list) == 0 {
		list = exposed // it was well before, and something has to be what is bad now
	}
	slices.SortFunc(list, func(a, b Target) int { return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Number, b.Number)) })
	return slices.Compact(list)
}

// numbers returns the numbers of the target's layer that by finds in changed,
// sorted.
func (t Target) numbers(changed []Changed, by func(Changed, Target) (int64, bool)) []int64 {
	var numbers []int64
	for _, c := range changed {
		if n, ok := by(c, t); ok && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// withNumber is the target with another number.
func (t Target) withNumber(n int64) Target {
	if n != t.Number {
		t.Number, t.Semver = n, ""
	}
	return t
}

// introduced returns the number that a change put on its function in place of
// another. Of what was done by a rollout that this one took over from, only the
// target counts.
func (c Changed) introduced(t Target) (int64, bool) {
	before, after := c.Before.Number(t.Layer), c.After.Number(t.Layer)
	return after, before != after && (after == t.Number || c.Wave > 0)
}

// exposed returns the number that the function had already and that its callers
// got. Which of its layers that was is not known.
func (c Changed) exposed(t Target) (int64, bool) {
	after := c.After.Number(t.Layer)
	return after, c.Wave > 0 && c.AliasAfter != "" && slices.Equal(c.Before, c.After) && (after > 0 || t.Number == 0)
}
