package awslambda

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

const (
	// An update of a small function settles in two to three seconds: with
	// these steps (0.3, 0.9, 2.1, 4.5 s) that is three or four reads.
	firstPoll = 300 * time.Millisecond
	lastPoll  = 3 * time.Second
	// longestUpdate is when an update that is still in progress counts as one
	// that does not end. Attaching to a VPC takes a minute or more.
	longestUpdate = 5 * time.Minute

	notOwn = "not a version of a layer of this account and region"
)

// Function reads one function anew: its list, its settings, its RevisionID, its
// state and its confirmed tags, which are never nil unless AWS refused to read
// them. It spends GetFunction's own quota. A function that does not exist is
// state.Gone.
func (c *Client) Function(ctx context.Context, name string) (state.Function, error) {
	if _, err := c.checked(ctx); err != nil {
		return state.Function{}, err
	}
	out, err := c.getFunction(ctx, name, nil)
	if err != nil {
		return state.Function{}, err
	}
	f := function(out.Configuration, interner{})
	f.Settings = settings(out.Configuration)
	f.State = string(out.Configuration.State)
	f.LastUpdateStatus = string(out.Configuration.LastUpdateStatus)
	f.StatusReason = statusReason(out.Configuration)
	f.RuntimeVersion = runtimeVersion(out.Configuration)
	if out.TagsError == nil {
		f.Tags = orEmpty(out.Tags)
	}
	return f, nil
}

// getFunction reads what a qualifier (nil: $LATEST) names; there is always a
// configuration without an error.
func (c *Client) getFunction(ctx context.Context, name string, qualifier *string) (*lambda.GetFunctionOutput, error) {
	const op = "GetFunction"
	resource := name
	if qualifier != nil {
		resource += ":" + *qualifier
	}
	out, err := c.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String(name), Qualifier: qualifier})
	if err != nil {
		return nil, readError(op, resource, err)
	}
	if out.Configuration == nil {
		return nil, &state.Error{Op: op, Resource: resource, Kind: state.Again, Message: "aws answered without a configuration"}
	}
	return out, nil
}

// runtimeVersion is the ARN of the version of its runtime that a function starts
// with. A list of functions never has it, and neither have images.
func runtimeVersion(cfg *types.FunctionConfiguration) string {
	if cfg.RuntimeVersionConfig == nil {
		return ""
	}
	return strings.Clone(aws.ToString(cfg.RuntimeVersionConfig.RuntimeVersionArn))
}

// statusReason joins AWS's words about the last update and the state.
func statusReason(cfg *types.FunctionConfiguration) string {
	var said []string
	for _, reason := range []*string{cfg.LastUpdateStatusReason, cfg.StateReason} {
		if text := awscall.Clean(aws.ToString(reason)); text != "" {
			said = append(said, text)
		}
	}
	return strings.Join(said, "; ")
}

// SetLayers replaces the whole ordered list of name's $LATEST, and nothing
// else of it; an empty list detaches all. revision is that of the Function
// read just before: when the function was changed since, nothing happens and
// the error is state.LookAgain, as it is while an update is in progress. An
// empty revision (some emulators have none) makes the write unconditional.
//
// It returns AWS's request id as soon as AWS has accepted the change; see
// WaitUpdated. After state.Unsure the change may have been made.
func (c *Client) SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (string, error) {
	return c.While(nil).SetLayers(ctx, name, layers, revision)
}

// SetLayers is Client.SetLayers.
func (w Writes) SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (string, error) {
	place, err := w.c.checked(ctx)
	if err != nil {
		return "", err
	}
	// Never nil: a nil list is left out of the request and changes nothing.
	list := make([]string, 0, len(layers))
	for _, l := range layers {
		list = append(list, string(l))
	}
	out, err := w.c.lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String(place.FunctionARN(name)), Layers: list, RevisionId: given(revision),
	}, w.once)
	if err != nil {
		return "", writeError("UpdateFunctionConfiguration", name, err)
	}
	return answered(out.ResultMetadata), nil
}

// WaitUpdated waits until no creation or update of name is in progress, and
// returns the function as it is then, with its final RevisionID. An update that
// failed is state.Human with AWS's reason, and the function is returned as
// well. After five minutes it gives up with state.Again.
func (c *Client) WaitUpdated(ctx context.Context, name string) (state.Function, error) {
	began := time.Now()
	place := c.creds.Where()
	sleep, stop := c.listen(place.Account, place.Region, name)
	defer stop()
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		if err := sleep(ctx, pause); err != nil {
			return state.Function{}, readError("GetFunction", name, err)
		}
		f, err := c.Function(ctx, name)
		switch {
		case err != nil:
			return state.Function{}, err
		case f.LastUpdateStatus == string(types.LastUpdateStatusFailed):
			return f, &state.Error{Op: "GetFunction", Resource: name, Kind: state.Human, Message: "update failed: " + f.StatusReason}
		case f.LastUpdateStatus != string(types.LastUpdateStatusInProgress) && f.State != string(types.StatePending):
			return f, nil
		case time.Since(began) > longestUpdate:
			return f, &state.Error{Op: "GetFunction", Resource: name, Kind: state.Again, Message: "update still in progress after " + longestUpdate.String()}
		}
	}
}

// DeleteLayerVersion deletes one version of an own layer, for good: its number
// is never given again. AWS also says yes when there is no such version, and
// does not ask whether anybody uses it.
func (c *Client) DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (string, error) {
	return c.While(nil).DeleteLayerVersion(ctx, v)
}

// DeleteLayerVersion is Client.DeleteLayerVersion.
func (w Writes) DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (string, error) {
	const op = "DeleteLayerVersion"
	place, err := w.c.checked(ctx)
	if err != nil {
		return "", err
	}
	layer, number, ok := v.Split()
	if !ok || !owns(place, layer) {
		return "", &state.Error{Op: op, Resource: string(v), Kind: state.Human, Message: notOwn}
	}
	out, err := w.c.lambda.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{
		LayerName: aws.String(whole(layer)), VersionNumber: aws.Int64(number),
	}, w.once)
	if err != nil {
		return "", writeError(op, string(v), err)
	}
	return answered(out.ResultMetadata), nil
}

// longestLayerName is what the parameter takes, be it a name or an ARN.
const longestLayerName = 140

// whole names a layer so that no other account's layer of the name can be
// meant. A name that leaves no room for the rest of the ARN goes alone.
func whole(layer state.LayerARN) string {
	if len(layer) > longestLayerName {
		return layer.Name()
	}
	return string(layer)
}

func answered(m middleware.Metadata) string {
	id, _ := awsmiddleware.GetRequestIDMetadata(m)
	return id
}
