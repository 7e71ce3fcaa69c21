package daemon

import (
	"context"
	"slices"

	"github.com/layerd/layerd/internal/store"
)

// worked are the kinds of what layerd writes when it works on a repository, each with
// the environments below it. What a person rules is not among them: the name may have
// been a wrong one.
var worked = [][]string{{"open"}, {"rollout"}, {"past", "function"}, {"past", "layer"}, {"past", "pruned"}, {"revisions"}, {"desired"}, {"alert"}, {"offer"}}

// WorkedKinds lists the first parts of worked, each once.
func WorkedKinds() []string {
	var kinds []string
	for _, kind := range worked {
		if !slices.Contains(kinds, kind[0]) {
			kinds = append(kinds, kind[0])
		}
	}
	return kinds
}

// EnvironmentsOf lists the environments of a repository that layerd has worked on.
func EnvironmentsOf(ctx context.Context, s store.Store, repository string) ([]string, error) {
	var names []string
	for _, kind := range worked {
		path := append([]string{kind[0], repository}, kind[1:]...)
		below, err := store.NamesBelow(ctx, s, path...)
		if err != nil {
			return nil, err
		}
		names = append(names, below...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" }) // what is told of the repository
	slices.Sort(names)
	return slices.Compact(names), nil
}
