package dynamostore

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"github.com/layerd/layerd/internal/awscall"
)

// newRetryer waits some eight seconds for a table that throttles and two for
// one that fails. A caller who has less time says so with its context.
func newRetryer() aws.Retryer {
	return awscall.Retryer(func(o *retry.StandardOptions) {
		o.MaxAttempts = 6
		o.MaxBackoff = 5 * time.Second
		o.BaseDelay = 100 * time.Millisecond
		o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{
			"TransactionConflictException":     {}, // somebody's console has the item
			"ReplicatedWriteConflictException": {}, // another Region of the table has it
		}})
	})
}

// watch sets *unsure when an attempt of the call ends in a way that leaves open
// whether it was done. It stays set whatever the next attempts say.
func watch(unsure *bool) func(*dynamodb.Options) {
	note := func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error,
	) {
		out, meta, err := next.HandleDeserialize(ctx, in)
		*unsure = *unsure || awscall.Lost(err)
		return out, meta, err
	}
	return func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("LayerdWatch", note), middleware.Before)
		})
	}
}
