package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/store"
)

// repositoryOf returns whose past and rulings are meant. Without --repo that is
// the only repository that the store knows below one of kinds; empty when it
// knows none. One store may serve several repositories, each with a prod of its
// own, so that a guess could release the wrong plan.
func repositoryOf(ctx context.Context, s store.Store, repo string, kinds ...string) (string, error) {
	if repo != "" {
		return gitrepo.Identity(repo)
	}
	names, err := repositories(ctx, s, kinds...)
	if err != nil {
		return "", err
	}
	switch len(names) {
	case 0:
		return "", nil
	case 1:
		return names[0], nil
	}
	return "", usage("name one with --repo", "the store knows %d repositories: %s", len(names), strings.Join(names, ", "))
}

// repositories lists the repositories that have anything below one of kinds,
// sorted. It leaps from one to the next, so that it costs one look each however
// much they did.
func repositories(ctx context.Context, s store.Store, kinds ...string) ([]string, error) {
	var names []string
	for _, kind := range kinds {
		for after, more := "", true; more; {
			more = false
			for v, err := range s.List(ctx, store.Query{Prefix: store.Prefix(kind), After: after, Limit: 1}) {
				if err != nil {
					return nil, err
				}
				segments, err := store.Split(v.Key)
				if err != nil || len(segments) < 2 {
					return nil, fmt.Errorf("unexpected key %s in the store", v.Key)
				}
				names = append(names, segments[1])
				after, more = store.Prefix(kind, segments[1])+string(rune(0x10FFFF)), true
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
