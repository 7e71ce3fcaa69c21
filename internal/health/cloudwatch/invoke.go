package cloudwatch

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/state"
)

// invokeTries is how often a function is called that certainly did not run.
const invokeTries = 3

// Invoke calls a function and waits for its answer, as long as ctx allows.
// Errors are state.Unsure when it may have run.
func (c *Client) Invoke(ctx context.Context, call health.Call) (health.Answer, error) {
	place, err := c.checked(ctx)
	if err != nil {
		return health.Answer{}, err
	}
	wait := time.Second
	for try := 1; ; try++ {
		answer, err := c.invoke(ctx, place, call)
		if err == nil || state.KindOf(err) != state.Again || try == invokeTries {
			return answer, err
		}
		// Without the time to wait, what AWS said last is the answer: that the
		// time ran out would put the blame on the function.
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait || awscall.Sleep(ctx, wait) != nil {
			return answer, err
		}
		wait *= 2
	}
}

func (c *Client) invoke(ctx context.Context, place awscall.Place, call health.Call) (health.Answer, error) {
	in := &lambda.InvokeInput{
		FunctionName: aws.String(place.FunctionARN(call.Function)), Payload: call.Payload,
		InvocationType: types.InvocationTypeRequestResponse, LogType: types.LogTypeTail,
	}
	if call.Qualifier != "" {
		in.Qualifier = aws.String(call.Qualifier)
	}
	var d dialing
	out, err := c.lambda.Invoke(d.watch(ctx), in)
	if err != nil {
		err = invokeError(call.Function, err)
		if e, ok := errors.AsType[*state.Error](err); ok && e.Code == "" && e.Op == "Invoke" && d.unsent() {
			e.Kind = state.Again
		}
		return health.Answer{}, err
	}
	answer := health.Answer{
		Status: int(out.StatusCode), FunctionError: aws.ToString(out.FunctionError),
		Payload: out.Payload, ExecutedVersion: aws.ToString(out.ExecutedVersion),
	}
	// A log that cannot be read is missing, which is no reason to lose the
	// answer.
	if log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult)); err == nil {
		answer.Log = string(log)
	}
	return answer, nil
}

// dialing tells a call that waited for a connection from one that waited for
// the function: when our context ends, net/http says the same of both.
type dialing struct{ asked, got atomic.Bool }

func (d *dialing) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { d.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { d.got.Store(true) },
	})
}

func (d *dialing) unsent() bool { return d.asked.Load() && !d.got.Load() }
