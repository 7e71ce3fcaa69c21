package store

import (
	"context"
	"fmt"
	"slices"
)

// NamesBelow lists the names that follow path in the keys of the store, sorted. It
// leaps from one to the next, so that it costs one look each however much lies below.
func NamesBelow(ctx context.Context, s Store, path ...string) ([]string, error) {
	var names []string
	for after, more := "", true; more; {
		more = false
		for v, err := range s.List(ctx, Query{Prefix: Prefix(path...), After: after, Limit: 1}) {
			if err != nil {
				return nil, err
			}
			segments, err := Split(v.Key)
			if err != nil || len(segments) <= len(path) {
				return nil, fmt.Errorf("unexpected key %s in the store", v.Key)
			}
			name := segments[len(path)]
			names = append(names, name)
			after, more = v.Key, true // "prod-eu" lies between "prod" and what is below "prod"
			if len(segments) > len(path)+1 {
				after = Prefix(append(slices.Clone(path), name)...) + string(rune(0x10FFFF))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
