package awslambda

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

const (
	// Provisioned concurrency moves in minutes, and each look at it is taken
	// from the quota that everybody shares.
	firstProvisionedPoll = 2 * time.Second
	lastProvisionedPoll  = 15 * time.Second
)

// Alias reads one alias, from the shared quota. It leaves Provisioned unset.
// A function or an alias that does not exist is state.Gone.
func (c *Client) Alias(ctx context.Context, q state.Qualified) (state.Alias, error) {
	if _, err := c.checked(ctx); err != nil {
		return state.Alias{}, err
	}
	out, err := c.lambda.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: aws.String(q.Function), Name: aws.String(q.Qualifier)})
	if err != nil {
		return state.Alias{}, readError("GetAlias", q.String(), err)
	}
	return alias(types.AliasConfiguration{
		Name: out.Name, FunctionVersion: out.FunctionVersion, RoutingConfig: out.RoutingConfig, RevisionId: out.RevisionId,
	}), nil
}

// MoveAlias points an alias at version and gives weights, 0 to 1, to others;
// nil or empty clears the weights it has. revision is the alias's own, of the
// Alias read just before: when the alias was changed since, nothing happens and
// the error is state.LookAgain. An empty revision makes it unconditional.
// After state.Unsure the alias may have been moved.
func (c *Client) MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (string, error) {
	return c.While(nil).MoveAlias(ctx, q, version, weights, revision)
}

// MoveAlias is Client.MoveAlias.
func (w Writes) MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (string, error) {
	place, err := w.c.checked(ctx)
	if err != nil {
		return "", err
	}
	out, err := w.c.lambda.UpdateAlias(ctx, &lambda.UpdateAliasInput{
		FunctionName: aws.String(place.FunctionARN(q.Function)), Name: aws.String(q.Qualifier),
		FunctionVersion: aws.String(version), RevisionId: given(revision),
		// Never nil: left out, it would keep the weights there are.
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: weights},
	}, w.once)
	if err != nil {
		return "", writeError("UpdateAlias", q.String(), err)
	}
	return answered(out.ResultMetadata), nil
}

// WaitProvisioned waits until the provisioned concurrency of an alias is ready
// on the version it now serves; an alias without any needs no wait. One that
// failed is state.Human with AWS's reason. After fifteen minutes it gives up
// with state.Again.
func (c *Client) WaitProvisioned(ctx context.Context, q state.Qualified) error {
	const op = "GetProvisionedConcurrencyConfig"
	if _, err := c.checked(ctx); err != nil {
		return err
	}
	began := time.Now()
	// Not at once: right after the move AWS may still report what was ready before.
	for pause := firstProvisionedPoll; ; pause = min(2*pause, lastProvisionedPoll) {
		if err := awscall.Sleep(ctx, pause); err != nil {
			return readError(op, q.String(), err)
		}
		out, err := c.lambda.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{
			FunctionName: aws.String(q.Function), Qualifier: aws.String(q.Qualifier),
		})
		if err != nil {
			if err = readError(op, q.String(), err); state.KindOf(err) == state.Gone {
				return nil
			}
			return err
		}
		switch {
		case out.Status == types.ProvisionedConcurrencyStatusEnumReady:
			return nil
		case out.Status == types.ProvisionedConcurrencyStatusEnumFailed:
			return &state.Error{
				Op: op, Resource: q.String(), Kind: state.Human, RequestID: answered(out.ResultMetadata),
				Message: "provisioned concurrency failed: " + awscall.Clean(aws.ToString(out.StatusReason)),
			}
		case time.Since(began) > longestActivation:
			return &state.Error{Op: op, Resource: q.String(), Kind: state.Again, Message: "provisioned concurrency not ready after " + longestActivation.String()}
		}
	}
}
