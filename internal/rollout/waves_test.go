package rollout

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/desired"
)

func drawNames(t *rapid.T) []string {
	words := rapid.SampledFrom([]string{"makoto-chat-", "makoto-api-", "makoto_batch_", "other-", "x", ""})
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
		return words.Draw(t, "words") + rapid.StringMatching(`[a-z]{1,3}(-[0-9])?`).Draw(t, "name")
	}), 1, 120, rapid.ID[string]).Draw(t, "names")
}

// named are names in an order.
func named(names []string, order []int) []string {
	var list []string
	for _, at := range order {
		list = append(list, names[at])
	}
	return list
}

func TestWaveOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := drawNames(t)
		order := named(names, WaveOrder(names, nil))
		if got := slices.Sorted(slices.Values(order)); !slices.Equal(got, slices.Sorted(slices.Values(names))) {
			t.Fatalf("%q is not a permutation of %q", order, names)
		}
		shuffled := rapid.Permutation(names).Draw(t, "shuffled")
		if other := named(shuffled, WaveOrder(shuffled, nil)); !slices.Equal(order, other) {
			t.Fatalf("the order of the input matters: %q and %q", order, other)
		}
		size, taken := map[string]int{}, map[string]int{}
		for _, name := range names {
			size[group(name)]++
		}
		for i, name := range order {
			taken[group(name)]++
			for f, s := range size {
				share := float64((i+1)*s) / float64(len(names))
				if got := float64(taken[f]); got < math.Floor(share) || got > math.Ceil(share) {
					t.Fatalf("the first %d of %d have %v of %q, which has %d: %q", i+1, len(names), got, f, s, order)
				}
			}
		}
	})
}

func TestWaveOrderTakesSomeFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := drawNames(t)
		first := map[string]bool{"not-there": true}
		for _, name := range names {
			if rapid.Bool().Draw(t, "first") {
				first[name] = true
			}
		}
		order := named(names, WaveOrder(names, first))
		at := slices.IndexFunc(order, func(name string) bool { return !first[name] })
		if len(order) != len(names) || at >= 0 && slices.ContainsFunc(order[at:], func(name string) bool { return first[name] }) {
			t.Fatalf("%q does not begin with %v", order, first)
		}
	})
}

func TestGroup(t *testing.T) {
	for name, want := range map[string]string{
		"makoto-chat-handler-prod": "makoto-chat", "makoto_chat_x": "makoto_chat", "makoto-chat": "makoto", "makoto": "", "": "",
	} {
		if got := group(name); got != want {
			t.Errorf("%s is of %q, want %q", name, got, want)
		}
	}
}

func TestWaveEnds(t *testing.T) {
	n, share := func(n int) desired.Wave { return desired.Wave{Count: n} }, func(s float64) desired.Wave { return desired.Wave{Share: s} }
	for _, tc := range []struct {
		waves       []desired.Wave
		base, total int
		want        []int
	}{
		{nil, 7, 7, []int{7}},
		{[]desired.Wave{n(1), share(0.1), share(1)}, 100, 100, []int{1, 10, 100}},
		{[]desired.Wave{n(1), share(0.1), share(1)}, 101, 101, []int{1, 11, 101}}, // rounded up
		{[]desired.Wave{n(1), share(0.1), share(1)}, 10, 10, []int{1, 10}},        // a tenth is the one that is changed already
		{[]desired.Wave{n(1), share(0.1), share(0.5)}, 4, 4, []int{1, 2, 4}},      // the last has all
		{[]desired.Wave{n(5), n(3), n(9)}, 8, 8, []int{5, 8}},
		{[]desired.Wave{share(0.07)}, 100, 100, []int{7, 100}},
		{[]desired.Wave{n(1), share(0.1)}, 1, 1, []int{1}},
		{[]desired.Wave{n(1), share(0.1), share(1)}, 11, 10, []int{1, 2, 10}}, // one went: the second wave stays the second
		{[]desired.Wave{n(1), share(0.1), share(1)}, 10, 11, []int{1, 11}},    // one came: no third appears
	} {
		if got := WaveEnds(desired.Rollout{Waves: tc.waves}, tc.base, tc.total, 0); !slices.Equal(got, tc.want) {
			t.Errorf("%+v of %d, now %d: %v, want %v", tc.waves, tc.base, tc.total, got, tc.want)
		}
	}
}

// Several smoke tests need several functions in the first wave, however small it
// was meant to be.
func TestTestedFunctionsAreInTheFirstWave(t *testing.T) {
	n := func(n int) desired.Wave { return desired.Wave{Count: n} }
	for _, tc := range []struct {
		waves  []desired.Wave
		tested int
		want   []int
	}{
		{[]desired.Wave{n(1), n(2), n(5)}, 0, []int{1, 2, 5, 8}},
		{[]desired.Wave{n(1), n(2), n(5)}, 3, []int{3, 5, 8}},
		{[]desired.Wave{n(1)}, 8, []int{8}},
		{nil, 3, []int{8}},
	} {
		if got := WaveEnds(desired.Rollout{Waves: tc.waves}, 8, 8, tc.tested); !slices.Equal(got, tc.want) {
			t.Errorf("%+v with %d tested: %v, want %v", tc.waves, tc.tested, got, tc.want)
		}
	}
}

func TestWaveEndsGrowAndEndWithAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r desired.Rollout
		for range rapid.IntRange(0, 5).Draw(t, "waves") {
			r.Waves = append(r.Waves, desired.Wave{Count: rapid.IntRange(0, 9).Draw(t, "count"), Share: rapid.Float64Range(0, 1).Draw(t, "share")})
		}
		base, total := rapid.IntRange(1, 30).Draw(t, "base"), rapid.IntRange(1, 30).Draw(t, "total")
		got := WaveEnds(r, base, total, 0)
		last := 0
		for _, n := range got {
			if n <= last {
				t.Fatalf("%v has a wave that changes nothing", got)
			}
			last = n
		}
		if last != total {
			t.Fatalf("%v does not end with all %d", got, total)
		}
	})
}
