package awslambda

import (
	"context"
	"strings"
)

const (
	pageSize = 50 // of functions, layer versions and aliases: AWS's cap, whatever is asked
	tagPage  = 100
	// mostPages ends a sweep that would go on for ever under ever new markers:
	// half a million functions and versions.
	mostPages = 10_000
)

// sweep asks for page after page: see awscall.Sorter.
func sweep(ctx context.Context, op, resource string, page func(context.Context, *string) (*string, error)) error {
	return sorter.Sweep(ctx, op, resource, mostPages, page)
}

// interner keeps one copy of a text that comes back on many rows: layer ARNs,
// runtimes. It halves what a large account weighs.
type interner map[string]string

func (in interner) text(s *string) string {
	if s == nil {
		return ""
	}
	if have, ok := in[*s]; ok {
		return have
	}
	own := strings.Clone(*s)
	in[own] = own
	return own
}
