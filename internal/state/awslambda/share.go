package awslambda

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// LayerPolicy reads who may use a version of an own layer, with the revision that
// RevokeLayer asks for. A version that is not there is state.Gone; one without a policy
// is private, and no error.
func (c *Client) LayerPolicy(ctx context.Context, v state.LayerVersionARN) (state.Policy, error) {
	const op = "GetLayerVersionPolicy"
	place, layer, number, err := c.ownVersion(ctx, op, v)
	if err != nil {
		return state.Policy{}, err
	}
	out, err := c.lambda.GetLayerVersionPolicy(ctx, &lambda.GetLayerVersionPolicyInput{
		LayerName: aws.String(whole(layer)), VersionNumber: aws.Int64(number),
	})
	if err != nil {
		err = readError(op, string(v), err)
		if state.KindOf(err) == state.Gone && !noSuchVersion(err) {
			return state.Policy{}, nil
		}
		return state.Policy{}, err
	}
	p, err := parsePolicy(aws.ToString(out.Policy), place.Account)
	if err != nil {
		return state.Policy{}, &state.Error{Op: op, Resource: string(v), Kind: state.Human, Message: err.Error(), Err: err}
	}
	p.Revision = aws.ToString(out.RevisionId)
	return p, nil
}

// noSuchVersion reports the 404 of a version that is not there from the two of one that
// has no policy: never had one, and has none any more.
func noSuchVersion(err error) bool {
	return strings.Contains(err.Error(), "does not exist")
}

// GrantLayer adds one statement to the policy of a version of an own layer. One with its
// Sid that is there already, whatever it grants, is state.LookAgain.
func (c *Client) GrantLayer(ctx context.Context, v state.LayerVersionARN, g state.Grant) (string, error) {
	return c.While(nil).GrantLayer(ctx, v, g)
}

// GrantLayer is Client.GrantLayer.
func (w Writes) GrantLayer(ctx context.Context, v state.LayerVersionARN, g state.Grant) (string, error) {
	const op = "AddLayerVersionPermission"
	_, layer, number, err := w.c.ownVersion(ctx, op, v)
	if err != nil {
		return "", err
	}
	out, err := w.c.lambda.AddLayerVersionPermission(ctx, &lambda.AddLayerVersionPermissionInput{
		LayerName: aws.String(whole(layer)), VersionNumber: aws.Int64(number), Action: aws.String(grantedAction),
		StatementId: aws.String(g.Sid), Principal: aws.String(g.Principal), OrganizationId: given(g.Organization),
	}, w.once)
	if err != nil {
		return "", writeError(op, string(v), err)
	}
	return answered(out.ResultMetadata), nil
}

// RevokeLayer takes one statement out of the policy of a version of an own layer, if the
// policy still is at revision; else it is state.LookAgain. A statement that is not there
// is state.Gone.
func (c *Client) RevokeLayer(ctx context.Context, v state.LayerVersionARN, sid, revision string) (string, error) {
	return c.While(nil).RevokeLayer(ctx, v, sid, revision)
}

// RevokeLayer is Client.RevokeLayer.
func (w Writes) RevokeLayer(ctx context.Context, v state.LayerVersionARN, sid, revision string) (string, error) {
	const op = "RemoveLayerVersionPermission"
	_, layer, number, err := w.c.ownVersion(ctx, op, v)
	if err != nil {
		return "", err
	}
	out, err := w.c.lambda.RemoveLayerVersionPermission(ctx, &lambda.RemoveLayerVersionPermissionInput{
		LayerName: aws.String(whole(layer)), VersionNumber: aws.Int64(number), StatementId: aws.String(sid), RevisionId: given(revision),
	}, w.once)
	if err != nil {
		return "", writeError(op, string(v), err)
	}
	return answered(out.ResultMetadata), nil
}

// ownVersion splits a version of an own layer; one of others is an error.
func (c *Client) ownVersion(ctx context.Context, op string, v state.LayerVersionARN) (place awscall.Place, layer state.LayerARN, number int64, err error) {
	if place, err = c.checked(ctx); err != nil {
		return place, "", 0, err
	}
	layer, number, ok := v.Split()
	if !ok || !owns(place, layer) {
		return place, "", 0, &state.Error{Op: op, Resource: string(v), Kind: state.Human, Message: notOwn}
	}
	return place, layer, number, nil
}
