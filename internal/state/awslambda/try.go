package awslambda

import (
	"context"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// What layerd doctor asks. AWS has no call that says what one may do, short of
// iam:SimulatePrincipalPolicy, which nobody grants and which does not know the
// policies of the organization. So each right is tried by using it: a read by
// reading, a write in a form that AWS checks and cannot carry out.

// Identity asks AWS who we are, whatever the account: unlike Check it does not
// guard. It fails where the credentials are missing or the role cannot be
// assumed.
func (c *Client) Identity(ctx context.Context) (awscall.Caller, error) {
	caller, err := c.creds.Ask(ctx)
	return caller, readError("GetCallerIdentity", "", err)
}

// Functions lists every function's $LATEST, without tags.
func (c *Client) Functions(ctx context.Context) ([]state.Function, error) {
	if _, err := c.checked(ctx); err != nil {
		return nil, err
	}
	return c.functions(ctx, false)
}

// Versions lists the live versions of one own layer, the newest first.
func (c *Client) Versions(ctx context.Context, layer state.LayerARN) ([]state.LayerVersion, error) {
	place, err := c.checked(ctx)
	if err != nil {
		return nil, err
	}
	if !owns(place, layer) {
		return nil, &state.Error{Op: "ListLayerVersions", Resource: string(layer), Kind: state.Human, Message: notOwn}
	}
	return c.versions(ctx, layer)
}

// Tags reads the functions' tags, by the function's ARN.
func (c *Client) Tags(ctx context.Context) (map[string]map[string]string, error) {
	if _, err := c.checked(ctx); err != nil {
		return nil, err
	}
	return c.functionTags(ctx)
}

// Readable reads one layer version the way attaching it needs to be allowed
// to: GetLayerVersion is checked of whoever names it in an update.
func (c *Client) Readable(ctx context.Context, v state.LayerVersionARN) error {
	if _, err := c.checked(ctx); err != nil {
		return err
	}
	if _, _, ok := v.Split(); !ok {
		return nil // AWS's own old form has no number and cannot be asked for
	}
	_, err := c.lambda.GetLayerVersionByArn(ctx, &lambda.GetLayerVersionByArnInput{Arn: aws.String(string(v))})
	return readError("GetLayerVersionByArn", string(v), err)
}

// never is a RevisionId that no function has: AWS's are random.
const never = "00000000-0000-0000-0000-000000000000"

// neverCode is the hash of no code: a SHA-256 of zeros, in base64.
const neverCode = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// TryUpdate reports whether name's configuration may be updated, and updates
// nothing: the request names no setting at all and a RevisionId that cannot
// match. AWS checks the right first and answers 403 without it; with it the
// answer is 412 (or 409 while another update is in progress), which is nil here.
// An answer that AWS did as it was asked is nil too: there was nothing to do.
func (c *Client) TryUpdate(ctx context.Context, name string) error {
	place, err := c.checked(ctx)
	if err != nil {
		return err
	}
	_, err = c.lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String(place.FunctionARN(name)), RevisionId: aws.String(never),
	}, c.write)
	err = writeError("UpdateFunctionConfiguration", name, err)
	if state.KindOf(err) == state.LookAgain {
		return nil
	}
	return err
}

// TryPublish reports whether versions of name may be published, and publishes
// none: neither the RevisionId nor the code can match, and AWS says so only to
// who has the right. It answers as TryUpdate does.
func (c *Client) TryPublish(ctx context.Context, name string) error {
	_, _, err := c.Publish(ctx, state.Qualified{Function: name}, neverCode, never)
	if state.KindOf(err) == state.LookAgain {
		return nil
	}
	return err
}

// TryMove reports whether an alias may be moved, and moves nothing: the request
// names no version and a RevisionId that cannot match. It answers as TryUpdate
// does.
func (c *Client) TryMove(ctx context.Context, q state.Qualified) error {
	place, err := c.checked(ctx)
	if err != nil {
		return err
	}
	_, err = c.lambda.UpdateAlias(ctx, &lambda.UpdateAliasInput{
		FunctionName: aws.String(place.FunctionARN(q.Function)), Name: aws.String(q.Qualifier), RevisionId: aws.String(never),
	}, c.write)
	err = writeError("UpdateAlias", q.String(), err)
	if state.KindOf(err) == state.LookAgain {
		return nil
	}
	return err
}

// TryInvoke reports whether name may be invoked, and runs nothing: of a dry run AWS
// looks at the right and at the function only. It answers as TryUpdate does.
func (c *Client) TryInvoke(ctx context.Context, name string) error {
	place, err := c.checked(ctx)
	if err != nil {
		return err
	}
	_, err = c.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(place.FunctionARN(name)), InvocationType: types.InvocationTypeDryRun})
	err = readError("Invoke", name, err)
	if state.KindOf(err) == state.LookAgain {
		return nil
	}
	return err
}

// TryGrant and TryRevoke report whether versions of an own layer may be shared and no
// longer shared, and change nothing: they name a number that was never published, of
// which AWS says so only to who has the right. They answer as TryUpdate does.
func (c *Client) TryGrant(ctx context.Context, layer state.LayerARN) error {
	_, err := c.GrantLayer(ctx, layer.Version(neverPublished), state.NewGrant(layer.Account()))
	return unlessNever(err)
}

// TryRevoke is described with TryGrant.
func (c *Client) TryRevoke(ctx context.Context, layer state.LayerARN) error {
	_, err := c.RevokeLayer(ctx, layer.Version(neverPublished), state.NewGrant(layer.Account()).Sid, "")
	return unlessNever(err)
}

func unlessNever(err error) error {
	if state.KindOf(err) == state.Gone {
		return nil
	}
	return err
}

// neverPublished is a layer version number that nobody will see: numbers count
// up from one, and two thousand million publishes are years at AWS's rate.
const neverPublished = math.MaxInt32

// TryDelete reports whether versions of an own layer may be deleted, and deletes
// none: it names a number that was never published. AWS answers 204 for such a
// version as for any other, and 403 without the right.
func (c *Client) TryDelete(ctx context.Context, layer state.LayerARN) error {
	_, err := c.DeleteLayerVersion(ctx, layer.Version(neverPublished))
	return err
}
