package awslambda

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/state"
)

const (
	pageSize = 50 // of functions, layer versions and aliases: AWS's cap, whatever is asked
	tagPage  = 100
	// mostPages ends a sweep that would go on for ever under ever new markers:
	// half a million functions and versions.
	mostPages = 10_000
)

// sweep calls page with one marker after the other, nil first, until an answer
// carries none. Pages may be empty and still carry a marker. A marker that
// comes twice would go round for ever; a shorter list would look like deleted
// functions; so it is an error.
func sweep(ctx context.Context, op, resource string, page func(context.Context, *string) (*string, error)) error {
	seen := map[string]bool{}
	var marker *string
	for range mostPages {
		next, err := page(ctx, marker)
		if err != nil {
			return readError(op, resource, err)
		}
		if aws.ToString(next) == "" {
			return nil
		}
		if seen[*next] {
			return &state.Error{Op: op, Resource: resource, Kind: state.Again, Message: "aws gave the same page marker twice"}
		}
		seen[*next] = true
		marker = next
	}
	return &state.Error{Op: op, Resource: resource, Kind: state.Again, Message: "aws gave more pages than can be"}
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
