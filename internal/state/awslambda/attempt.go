package awslambda

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/layerd/layerd/internal/awscall"
)

// limitID names the limiter in the stack of a call.
const limitID = "LayerdLimit"

// limitWhile returns the limiter for calls that ask check, if it is not nil, once
// they were let through.
func (c *Client) limitWhile(check func() error) awscall.Finalize {
	return func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		return c.limit(ctx, in, next, check)
	}
}

func (c *Client) limit(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler, check func() error) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	op := awsmiddleware.GetOperationName(ctx)
	b := c.limits.bucket(op)
	asked := time.Now()
	if err := b.wait(ctx); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, err
	}
	if check != nil {
		if err := check(); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, &awscall.UnsentError{Err: err}
		}
	}
	began := time.Now()
	for _, m := range []*meter{c.meter, c.limits.meter} {
		m.called(op, began.Sub(asked))
	}

	out, meta, err := next.HandleFinalize(ctx, in)
	switch {
	case err == nil:
		b.succeeded()
	case awscall.Throttled(err):
		b.throttled(began, retryAfter(err))
		c.meter.throttled()
		c.limits.meter.throttled()
		c.log.WarnContext(ctx, "throttled by aws", "op", op, "requests_per_second", b.rate(), "retry_after", retryAfter(err))
	}
	return out, meta, err
}

// retryAfter reads the standard header, in seconds or as a date, which Lambda
// sends and the SDK ignores. 0 when there is none.
func retryAfter(err error) time.Duration {
	r, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || r.Response == nil || r.Response.Response == nil {
		return 0
	}
	v := r.Response.Header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(max(0, min(n, int(longestPause.Seconds())))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}
