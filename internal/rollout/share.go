package rollout

import (
	"cmp"
	"slices"

	"github.com/layerd/layerd/internal/state"
)

// Share is a share of calls that a rollout gave a version of a function, and that was
// there still when it ended: it could be neither made whole nor taken back, since AWS
// refused it or somebody had the function. It is kept for as long as it may be there.
// Once nobody knew whose it is, it would be taken for another's canary and stay.
type Share struct {
	Function string `json:"function"`
	Alias    string `json:"alias"`
	Serves   string `json:"serves"`  // the version that has the other calls
	Version  string `json:"version"` // that has the share
}

// maxShares bounds what is kept, so that it fits into a value of the store.
const maxShares = 1000

// Shares returns the shares that may be left of what a rollout changed, and of those
// before it on functions whose alias it has not moved; sorted.
func Shares(changed []Changed, before []Share) []Share {
	var list []Share
	moved := map[string]bool{}
	for _, c := range changed {
		moved[c.Function] = c.AliasAfter != ""
		if c.Canary && c.AliasAfter != "" && c.Alias != state.LatestPublished {
			list = append(list, Share{c.Function, c.Alias, cmp.Or(c.AliasServes, c.AliasBefore), c.AliasAfter})
		}
	}
	for _, s := range before {
		if !moved[s.Function] {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b Share) int { return cmp.Compare(a.Function, b.Function) })
	return list[:min(len(list), maxShares)]
}

// Changed returns the share as what gave it.
func (s Share) Changed() Changed {
	return Changed{Function: s.Function, Alias: s.Alias, AliasBefore: s.Serves, AliasAfter: s.Version, Canary: true}
}

// On reports whether an alias of the function carries the share and nothing else.
func (s Share) On(a state.Alias) bool {
	return a.Name == s.Alias && a.Version == s.Serves && len(a.Weights) == 1 && a.Weights[s.Version] > 0
}
