package awscall

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/state"
)

// Sweep calls page with one marker after the other, nil first, until an answer
// carries none. Pages may be empty and still carry a marker. A marker that comes
// twice would go round for ever; a shorter list would look like deleted things; so
// it is an error, which the SDK's paginators do not make of it. After most pages
// there is an end to ever new markers too.
func (s Sorter) Sweep(ctx context.Context, op, resource string, most int, page func(context.Context, *string) (*string, error)) error {
	seen := map[string]bool{}
	var marker *string
	for range most {
		next, err := page(ctx, marker)
		if err != nil {
			return s.Read(op, resource, err)
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
