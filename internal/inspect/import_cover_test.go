package inspect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/layerd/layerd/internal/desired"
)

func TestCover(t *testing.T) {
	for _, tt := range []struct {
		chosen, others, want []string
	}{
		{[]string{"a-prod", "b-prod"}, nil, []string{"*-prod"}},
		{[]string{"a", "b"}, nil, []string{"*"}},
		{[]string{"m-api-prod", "m-chat-prod"}, []string{"m-api-dev", "x-api-prod"}, []string{"m-*-prod"}},
		{[]string{"m-api-prod", "m-chat-prod"}, []string{"m-new-prod"}, []string{"m-api-prod", "m-chat-prod"}},
		{[]string{"m-ai-a-prod", "m-ai-b-prod", "m-web-prod"}, []string{"m-health-prod"}, []string{"m-ai-*-prod", "m-web-prod"}},
		{[]string{"m-a-d", "m-b-d", "m-c-d", "m-e-d", "m-f-d"}, []string{"m-i-d"}, []string{"m-*-d", "m-i-d"}},
		{[]string{"one"}, []string{"two"}, []string{"one"}},
		{[]string{"a", "a-b"}, []string{"a-c"}, []string{"a", "a-b"}},
		{[]string{"a-b-b", "a-b"}, []string{"a-c"}, []string{"a-*-b", "a-b"}},
	} {
		slices.Sort(tt.chosen)
		all := slices.Sorted(slices.Values(append(slices.Clone(tt.chosen), tt.others...)))
		got, except := cover(tt.chosen, all)
		if !exactly(got, except, tt.chosen, all) || len(got)+len(except) > len(tt.want) {
			t.Errorf("cover(%q, %q) = %q, want %q", tt.chosen, all, got, tt.want)
		}
	}
}

// Whatever the names are, what is chosen is chosen, and nothing else is.
func TestCoverIsExact(t *testing.T) {
	words := []string{"a", "b", "api", "prod", "dev", "x1", ""}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var all, chosen []string
		for range 1 + r.IntN(30) {
			name := words[r.IntN(len(words))]
			for range r.IntN(4) {
				name += string("-_"[r.IntN(2)]) + words[r.IntN(len(words))]
			}
			if name != "" {
				all = append(all, name)
			}
		}
		slices.Sort(all)
		all = slices.Compact(all)
		for _, name := range all {
			if r.IntN(2) == 0 {
				chosen = append(chosen, name)
			}
		}
		if got, except := cover(chosen, all); !exactly(got, except, chosen, all) {
			t.Fatalf("seed %d: cover(%q, %q) = %q, %q", seed, chosen, all, got, except)
		}
	}
}

func exactly(globs, except, chosen, all []string) bool {
	for _, name := range all {
		matches := func(g string) bool { return desired.Glob(g, name) }
		if (slices.ContainsFunc(globs, matches) && !slices.ContainsFunc(except, matches)) != slices.Contains(chosen, name) {
			return false
		}
	}
	return true
}

func BenchmarkCover(b *testing.B) {
	var all, chosen []string
	for i := range 10_000 {
		name := fmt.Sprintf("team%d-service%d-prod", i%50, i)
		if all = append(all, name); i%2 == 0 {
			chosen = append(chosen, name)
		}
	}
	slices.Sort(all)
	slices.Sort(chosen)
	for b.Loop() {
		cover(chosen, all)
	}
}
