package awslambda

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

const (
	// lastActivePoll is the longest step between reads of a version that is
	// being prepared: most are ready at once, one with SnapStart takes minutes.
	lastActivePoll = 5 * time.Second
	// longestActivation is when a version, or provisioned concurrency, that is
	// still being prepared counts as one that does not end.
	longestActivation = 15 * time.Minute
)

// Served reads what a qualifier serves: of an alias the version it points at,
// whatever its weights. It spends GetFunction's own quota. A function or a
// qualifier that does not exist is state.Gone.
func (c *Client) Served(ctx context.Context, q state.Qualified) (state.Served, error) {
	if _, err := c.checked(ctx); err != nil {
		return state.Served{}, err
	}
	out, err := c.getFunction(ctx, q.Function, aws.String(q.Qualifier))
	if err != nil {
		return state.Served{}, err
	}
	cfg := out.Configuration
	s := state.Served{
		Version:    strings.Clone(aws.ToString(cfg.Version)),
		Layers:     layerARNs(cfg.Layers, interner{}),
		CodeSHA256: strings.Clone(aws.ToString(cfg.CodeSha256)),
		Settings:   settings(cfg),
		State:      string(cfg.State),
		Reason:     statusReason(cfg),

		RuntimeVersion: runtimeVersion(cfg),
	}
	if s.Version == "" {
		// An empty one would say that there is no such qualifier.
		return state.Served{}, &state.Error{Op: "GetFunction", Resource: q.String(), Kind: state.Again, Message: "aws answered without a version"}
	}
	return s, nil
}

// Publish freezes q.Function's $LATEST as a version and returns its number: that
// of the newest one when nothing has changed since. When the function is no
// longer at revision, or its code is not code (either may be empty: not
// checked), nothing happens and the error is state.LookAgain, as it is while an
// update is in progress. With the qualifier $LATEST.PUBLISHED, what a function
// on managed instances runs is renewed instead, and no other qualifier means
// anything.
//
// It returns as soon as AWS has accepted the request; see WaitActive. After
// state.Unsure the version may exist: asking again gives the same one.
func (c *Client) Publish(ctx context.Context, q state.Qualified, code, revision string) (version, requestID string, err error) {
	return c.While(nil).Publish(ctx, q, code, revision)
}

// Publish is Client.Publish.
func (w Writes) Publish(ctx context.Context, q state.Qualified, code, revision string) (version, requestID string, err error) {
	const op = "PublishVersion"
	place, err := w.c.checked(ctx)
	if err != nil {
		return "", "", err
	}
	in := &lambda.PublishVersionInput{FunctionName: aws.String(place.FunctionARN(q.Function)), CodeSha256: given(code), RevisionId: given(revision)}
	if q.Qualifier == state.LatestPublished {
		in.PublishTo = types.FunctionVersionLatestPublishedLatestPublished
	}
	out, err := w.c.lambda.PublishVersion(ctx, in, w.once)
	if err != nil {
		return "", "", otherCode(writeError(op, q.Function, err))
	}
	id := answered(out.ResultMetadata)
	if aws.ToString(out.Version) == "" {
		return "", id, &state.Error{Op: op, Resource: q.Function, Kind: state.Unsure, Message: "aws answered without a version", RequestID: id}
	}
	return *out.Version, id, nil
}

// given leaves out of a request what is empty.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}

// otherCode: that $LATEST has other code than we saw comes as an invalid
// parameter, told from the others by its words only.
func otherCode(err error) error {
	e, ok := errors.AsType[*state.Error](err)
	if ok && e.Code == "InvalidParameterValueException" && strings.Contains(e.Message, "different from current CodeSHA256") {
		e.Kind = state.LookAgain
	}
	return err
}

// WaitActive waits until the version that a qualifier names is no longer
// Pending, and returns it. One that Failed is no error: see State and Reason.
// After fifteen minutes it gives up with state.Again.
func (c *Client) WaitActive(ctx context.Context, q state.Qualified) (state.Served, error) {
	began := time.Now()
	// The first read is made at once: without SnapStart that is all it takes.
	for pause := firstPoll; ; pause = min(2*pause, lastActivePoll) {
		s, err := c.Served(ctx, q)
		switch {
		case err != nil:
			return state.Served{}, err
		case s.State != string(types.StatePending):
			return s, nil
		case time.Since(began) > longestActivation:
			return s, &state.Error{Op: "GetFunction", Resource: q.String(), Kind: state.Again, Message: "still Pending after " + longestActivation.String()}
		}
		if err := awscall.Sleep(ctx, pause); err != nil {
			return state.Served{}, readError("GetFunction", q.String(), err)
		}
	}
}
