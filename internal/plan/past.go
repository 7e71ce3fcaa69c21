package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/state"
)

// Past is what layerd did before in one environment and Region. The zero value
// is "nothing is known", which makes nothing drift.
type Past struct {
	Functions map[string]FunctionPast
	Layers    map[state.LayerARN]LayerPast
	Pruned    []time.Time // prunes of the last 24 hours, this environment
}

// FunctionPast is what layerd last left or found on one function.
type FunctionPast struct {
	// List is the whole layer list as it was then, for telling a changed
	// order.
	List []state.LayerVersionARN
	// Applied is the number last applied or adopted, by layer; 0 = detached.
	Applied map[state.LayerARN]int64
	// Original is the number the function had before layerd first changed it,
	// by layer; absent when unknown, when there was none, or once another
	// writer has set another.
	Original map[state.LayerARN]int64
	// Drift is since when the function has had something else than Applied.
	Drift map[state.LayerARN]Sighting
	// Heals counts, by layer, how often drift was healed that came back within
	// a day; absent = never, or not since Git last changed it.
	Heals map[state.LayerARN]Heals
	// Refusals are what AWS refused to do to it, each at most once; nil = nothing.
	Refusals []Refusal
	// Account is where the function is; empty = unknown, or in several as the
	// environment moved.
	Account string
	// Since is when the environment last began to hold the function; zero = before
	// that was remembered.
	Since time.Time
	// Kept: it was the first to select the function, and has waited since to
	// apply a layer. Released: it has selected it no more.
	Kept, Released bool
}

// Holds reports whether the environment had the function of an account when it was last
// looked at: it applied or found a layer there, or waits to be the first.
func (p FunctionPast) Holds(account string) bool {
	if p.Released || p.Account != "" && p.Account != account {
		return false
	}
	if p.Kept {
		return true
	}
	for _, n := range p.Applied {
		if n > 0 {
			return true
		}
	}
	return false
}

// Heals is how often a drift that comes back was healed.
type Heals struct {
	Count int
	Last  time.Time // UTC
}

// LayerPast is what layerd remembers of one layer in one environment.
type LayerPast struct {
	// Applied has the numbers applied here, each once, the latest last.
	Applied []int64
	// Numbers is which live number a semantic version stood for when first
	// applied: a newer twin does not move it.
	Numbers    map[string]int64
	Candidates map[int64]time.Time // since when nothing protects a version
	Selected   int                 // functions selected when last applied; 0 = never
	// Shares is what layerd has granted of the layer, or found granted as Git wants it:
	// the numbers of the versions, ascending, by the Sid of the grant. OtherShares is
	// what others have granted, by whom it is for.
	Shares, OtherShares map[string][]int64
	// SharesRead is when the policies of all versions were last read; zero = never.
	SharesRead time.Time
	// Proven is the number that last came through a whole rollout healthily:
	// what going back means. 0 = none did yet.
	Proven int64
}

// Had returns the numbers of a layer that were applied or found in an environment
// and Region, each once, the likeliest to go back to first: what last came through
// a whole rollout well, what was applied, the latest first, and what functions had
// before layerd first changed them, the commonest first.
func (p Past) Had(layer state.LayerARN) []int64 {
	past := p.Layers[layer]
	list := []int64{past.Proven}
	for _, n := range slices.Backward(past.Applied) {
		list = append(list, n)
	}
	original, applied := map[int64]int{}, map[int64]int{}
	for _, f := range p.Functions {
		original[f.Original[layer]]++
		applied[f.Applied[layer]]++
	}
	list = append(append(list, commonest(original)...), commonest(applied)...)
	seen := map[int64]bool{0: true} // none is no version
	return slices.DeleteFunc(list, func(n int64) bool {
		again := seen[n]
		seen[n] = true
		return again
	})
}

// Here are those of Had that count as having been in the environment: what was
// applied, or found as Git wanted it, and what half of the functions had before
// layerd. What fewer of them had is where those go back to, and nobody else: one function
// that came with a version brings it to no other.
func (p Past) Here(layer state.LayerARN) []int64 {
	original, applied := map[int64]int{}, map[int64]bool{}
	all := 0
	for _, f := range p.Functions {
		n, known := f.Applied[layer]
		if o := f.Original[layer]; known || o != 0 {
			original[o]++
			all++
		}
		applied[n] = true
	}
	past := p.Layers[layer]
	return slices.DeleteFunc(p.Had(layer), func(n int64) bool {
		return n != past.Proven && !slices.Contains(past.Applied, n) && !applied[n] && original[n]*2 < all
	})
}

func commonest(counts map[int64]int) []int64 {
	return slices.SortedFunc(maps.Keys(counts), func(a, b int64) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(b, a))
	})
}
