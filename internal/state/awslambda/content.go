package awslambda

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/state"
)

// Content is where the archive of a layer version is.
type Content struct {
	Size   int64
	SHA256 string // lower-case hex
	// Bucket, Key and ObjectVersion are where it stays in S3; else all are empty.
	Bucket, Key, ObjectVersion string

	address string
}

// Address returns a URL that leads to the archive for ten minutes; empty = it stays in S3.
// Whoever has it may read: it must be in no log and no error.
func (c Content) Address() string { return c.address }

// String leaves the address out.
func (c Content) String() string { return "content sha256:" + c.SHA256 }

// GoString is String.
func (c Content) GoString() string { return c.String() }

// Archive returns where the archive of a layer version is, of whatever account, in the
// client's own Region. One of another account that is deleted or not shared is denied.
func (c *Client) Archive(ctx context.Context, v state.LayerVersionARN) (Content, error) {
	const op = "GetLayerVersion"
	if _, err := c.checked(ctx); err != nil {
		return Content{}, err
	}
	if _, _, ok := v.Split(); !ok {
		return Content{}, &state.Error{Op: op, Resource: string(v), Kind: state.Human, Message: "it has no number that AWS could be asked for"}
	}
	out, err := c.lambda.GetLayerVersionByArn(ctx, &lambda.GetLayerVersionByArnInput{Arn: aws.String(string(v))})
	if err != nil {
		return Content{}, readError(op, string(v), err)
	}
	bad := func(what string) (Content, error) {
		return Content{}, &state.Error{Op: op, Resource: string(v), Kind: state.Human, Message: "aws answered without " + what}
	}
	if out.Content == nil || out.Content.CodeSize <= 0 {
		return bad("its content")
	}
	found := Content{Size: out.Content.CodeSize, address: aws.ToString(out.Content.Location)}
	found.SHA256, _ = hexOf(out.Content.CodeSha256) // unknown, where an emulator has none
	if o := out.Content.ResolvedS3Object; o != nil && found.address == "" {
		found.Bucket, found.Key, found.ObjectVersion = aws.ToString(o.S3Bucket), aws.ToString(o.S3Key), aws.ToString(o.S3ObjectVersion)
		return found, nil
	}
	if !c.safe(found.address) {
		return bad("an address that can be read safely")
	}
	return found, nil
}

// safe reports whether an archive may be read from an address: over TLS, or as the endpoint
// itself is reached, which then is no AWS.
func (c *Client) safe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(aws.ToString(c.lambda.Options().BaseEndpoint), "http://")
}
