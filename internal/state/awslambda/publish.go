package awslambda

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// publishTimeout is the deadline of one attempt to publish a layer version: 50 MB
// become 67 in the request, and Lambda fetches and unpacks an object before it answers.
const publishTimeout = 2 * time.Minute

// PublishLayer makes a new version of an own layer and returns its number and the
// SHA-256 that AWS has of the zip, in lower-case hex. AWS compares with nothing: sent
// twice it makes two versions. So it is repeated only where it surely was not done, and
// after state.Unsure the version may be there: see LayerVersions.
func (c *Client) PublishLayer(ctx context.Context, layer state.LayerARN, r state.Release) (number int64, sha256, requestID string, err error) {
	return c.While(nil).PublishLayer(ctx, layer, r)
}

// PublishLayer is Client.PublishLayer.
func (w Writes) PublishLayer(ctx context.Context, layer state.LayerARN, r state.Release) (number int64, sha256, requestID string, err error) {
	const op = "PublishLayerVersion"
	place, err := w.c.checked(ctx)
	if err != nil {
		return 0, "", "", err
	}
	if !owns(place, layer) {
		return 0, "", "", &state.Error{Op: op, Resource: string(layer), Kind: state.Human, Message: notOwn}
	}
	out, err := w.c.lambda.PublishLayerVersion(ctx, publishInput(layer, r), w.once, func(o *lambda.Options) {
		o.APIOptions = append(o.APIOptions, awscall.Within(publishTimeout))
	})
	if err != nil {
		return 0, "", "", explained(writeError(op, string(layer), err), r)
	}
	id := answered(out.ResultMetadata)
	unreadable := func(what string) error {
		return &state.Error{Op: op, Resource: string(layer), Kind: state.Unsure, Message: "aws answered without " + what, RequestID: id}
	}
	if out.Version < 1 {
		return 0, "", id, unreadable("a version")
	}
	if out.Content == nil {
		return 0, "", id, unreadable("the content's hash")
	}
	if sha256, err = hexOf(out.Content.CodeSha256); err != nil {
		return 0, "", id, unreadable("a hash that can be read")
	}
	return out.Version, sha256, id, nil
}

func publishInput(layer state.LayerARN, r state.Release) *lambda.PublishLayerVersionInput {
	in := &lambda.PublishLayerVersionInput{
		LayerName: aws.String(whole(layer)), Description: given(r.Description), LicenseInfo: given(r.License),
		Content: &types.LayerVersionContentInput{ZipFile: r.Zip},
	}
	if r.Zip == nil {
		in.Content = &types.LayerVersionContentInput{
			S3Bucket: given(r.Bucket), S3Key: given(r.Key), S3ObjectVersion: given(r.ObjectVersion),
		}
	}
	// Nil where nothing is said: an empty list would be stored as one.
	for _, runtime := range r.Runtimes {
		in.CompatibleRuntimes = append(in.CompatibleRuntimes, types.Runtime(runtime))
	}
	for _, arch := range r.Architectures {
		in.CompatibleArchitectures = append(in.CompatibleArchitectures, types.Architecture(arch))
	}
	return in
}

// explained adds to AWS's words what a person can do about them. Codes do not tell
// these apart.
func explained(err error, r state.Release) error {
	e, ok := errors.AsType[*state.Error](err)
	if !ok || e.Kind != state.Human {
		return err
	}
	object := "s3://" + r.Bucket + "/" + r.Key
	has := func(words string) bool { return strings.Contains(e.Message, words) }
	hint := ""
	switch {
	case has("by S3"), has("S3 Error Code: AccessDenied"):
		hint = "whoever publishes needs s3:GetObject (and s3:GetObjectVersion where the bucket has versions) on " + object +
			", and kms:Decrypt where it is encrypted with a key of yours"
	case has("NoSuchVersion"), has("NoSuchKey"), has("NoSuchBucket"):
		hint = "there is no " + object + " any more"
	case has("PermanentRedirect"):
		hint = "the bucket of " + object + " is in another Region; Lambda copies from a bucket of the layer's own Region only"
	case e.Code == "CodeStorageExceededException":
		hint = "prune versions that nothing needs, or have the quota \"Function and layer storage\" raised"
	case e.Code == "RequestEntityTooLargeException":
		hint = "what is larger than 50 MB has to come from S3: name s3://BUCKET/KEY as the layer's artifact"
	case has("Unzipped size"):
		hint = "a function and all its layers may have 250 MB unzipped together: split the layer, or leave something out of it"
	case state.Denied(e.Code):
		hint = "whoever publishes needs lambda:PublishLayerVersion on the layer"
	}
	if hint != "" {
		e.Message = strings.TrimSuffix(strings.TrimSpace(e.Message), ".") + ": " + hint
	}
	return e
}

// hexOf returns a hash as everybody else writes it: AWS sends it in base64.
func hexOf(encoded *string) (string, error) {
	sum, err := base64.StdEncoding.DecodeString(aws.ToString(encoded))
	if err != nil {
		return "", err
	}
	if len(sum) != 32 {
		return "", errors.New("not a SHA-256")
	}
	return hex.EncodeToString(sum), nil
}

// LayerVersions lists the live versions of one own layer, the newest first. A layer
// that has none, or that AWS does not know, is an empty list.
func (c *Client) LayerVersions(ctx context.Context, layer state.LayerARN) ([]state.LayerVersion, error) {
	list, err := c.Versions(ctx, layer)
	slices.SortFunc(list, func(a, b state.LayerVersion) int { return cmp.Compare(b.Number, a.Number) })
	return list, err
}

// LayerVersion returns an own layer version by its number, with the SHA-256 of its zip in
// lower-case hex: a list may lack what was published a moment ago. A version that does not
// exist is state.Gone.
func (c *Client) LayerVersion(ctx context.Context, v state.LayerVersionARN) (state.LayerVersion, string, error) {
	out, err := c.getLayerVersion(ctx, v)
	if err != nil {
		return state.LayerVersion{}, "", err
	}
	found, err := contentOf(out, v)
	if err != nil {
		return state.LayerVersion{}, "", err
	}
	version, err := layerVersion(&types.LayerVersionsListItem{
		Version: out.Version, Description: out.Description, CreatedDate: out.CreatedDate,
		CompatibleRuntimes: out.CompatibleRuntimes, CompatibleArchitectures: out.CompatibleArchitectures,
	})
	if err != nil {
		return state.LayerVersion{}, "", &state.Error{Op: getLayerVersion, Resource: string(v), Kind: state.Human, Message: err.Error(), Err: err}
	}
	return version, found.SHA256, nil
}

// numberOf reads an own layer version that the list lacks.
func (l *look) numberOf(ctx context.Context, v state.LayerVersionARN) error {
	found, _, err := l.client.LayerVersion(ctx, v)
	if err != nil && state.KindOf(err) != state.Gone {
		return l.failed(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.absent[v] = true
		return nil
	}
	l.live[v] = found
	return nil
}

// Content returns the SHA-256 of the zip of an own layer version, in lower-case hex, and
// its size. A version that does not exist is state.Gone.
func (c *Client) Content(ctx context.Context, v state.LayerVersionARN) (state.Content, error) {
	out, err := c.getLayerVersion(ctx, v)
	if err != nil {
		return state.Content{}, err
	}
	return contentOf(out, v)
}

const getLayerVersion = "GetLayerVersion"

func (c *Client) getLayerVersion(ctx context.Context, v state.LayerVersionARN) (*lambda.GetLayerVersionOutput, error) {
	place, err := c.checked(ctx)
	if err != nil {
		return nil, err
	}
	layer, number, ok := v.Split()
	if !ok || !owns(place, layer) {
		return nil, &state.Error{Op: getLayerVersion, Resource: string(v), Kind: state.Human, Message: notOwn}
	}
	out, err := c.lambda.GetLayerVersion(ctx, &lambda.GetLayerVersionInput{LayerName: aws.String(whole(layer)), VersionNumber: aws.Int64(number)})
	if err != nil {
		return nil, readError(getLayerVersion, string(v), err)
	}
	return out, nil
}

func contentOf(out *lambda.GetLayerVersionOutput, v state.LayerVersionARN) (state.Content, error) {
	if out.Content == nil {
		return state.Content{}, &state.Error{Op: getLayerVersion, Resource: string(v), Kind: state.Again, Message: "aws answered without the content's hash"}
	}
	sha256, err := hexOf(out.Content.CodeSha256)
	if err != nil {
		return state.Content{}, &state.Error{Op: getLayerVersion, Resource: string(v), Kind: state.Human, Message: "aws answered with a hash that is no SHA-256", Err: err}
	}
	return state.Content{SHA256: sha256, Size: out.Content.CodeSize}, nil
}
