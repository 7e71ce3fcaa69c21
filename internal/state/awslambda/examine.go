package awslambda

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// Examined is a function as layerd doctor looks at it.
type Examined struct {
	state.Function // $LATEST, or what the qualifier serves, with the function's tags
	Version        string
	Role           string            // ARN that it runs as
	Variables      map[string]string // those that were asked for
	// VariablesUnread is why there are none; empty = they were read.
	VariablesUnread string
	// Location is where its package can be read for ten minutes by whoever has it: never
	// shown, logged or kept. Empty for images, and for packages that stay in S3.
	Location string
}

// Examine reads what a qualifier (empty: $LATEST) of a function serves. Of the variables
// it keeps those for which keep returns true, with the value that keep returns; the
// others are forgotten here. It spends GetFunction's own quota. What does not exist is
// state.Gone.
func (c *Client) Examine(ctx context.Context, q state.Qualified, keep func(name, value string) (string, bool)) (Examined, error) {
	if _, err := c.checked(ctx); err != nil {
		return Examined{}, err
	}
	out, err := c.getFunction(ctx, q.Function, given(q.Qualifier))
	if err != nil {
		return Examined{}, err
	}
	cfg := out.Configuration
	x := Examined{Function: function(cfg, interner{}), Version: strings.Clone(aws.ToString(cfg.Version)), Role: strings.Clone(aws.ToString(cfg.Role)), Variables: map[string]string{}}
	x.State, x.LastUpdateStatus, x.StatusReason = string(cfg.State), string(cfg.LastUpdateStatus), statusReason(cfg)
	if out.TagsError == nil {
		x.Tags = orEmpty(out.Tags)
	}
	if e := cfg.Environment; e != nil {
		if e.Error != nil {
			x.VariablesUnread = awscall.Clean(aws.ToString(e.Error.ErrorCode) + ": " + aws.ToString(e.Error.Message))
		}
		for name, value := range e.Variables {
			if value, ok := keep(name, value); ok {
				x.Variables[strings.Clone(name)] = strings.Clone(value)
			}
		}
	}
	if !x.Image && out.Code != nil {
		x.Location = aws.ToString(out.Code.Location)
	}
	return x, nil
}

// Published is one layer version as AWS describes it, of any account.
type Published struct {
	Description             string
	License                 string
	Runtimes, Architectures []string // empty: not said
	Size                    int64    // of its zip, in bytes
	SHA256                  string   // of its zip, lower-case hex; empty = not known
	Signer                  string   // ARN of the signing profile version; empty = not signed
	// Location is as Examined.Location; empty where the archive stays in S3.
	Location string
}

// Describe reads a layer version of any account. One that AWS does not let this account
// use, whatever the reason, is reported in refused, with AWS's words.
func (c *Client) Describe(ctx context.Context, v state.LayerVersionARN) (p Published, refused string, err error) {
	const op = "GetLayerVersionByArn"
	if _, err := c.checked(ctx); err != nil {
		return p, "", err
	}
	out, err := c.lambda.GetLayerVersionByArn(ctx, &lambda.GetLayerVersionByArnInput{Arn: aws.String(string(v))})
	if err != nil {
		if err = readError(op, string(v), err); unusable(err) {
			return p, reason(err), nil
		}
		return p, "", err
	}
	p.Description, p.License = strings.Clone(aws.ToString(out.Description)), strings.Clone(aws.ToString(out.LicenseInfo))
	for _, r := range out.CompatibleRuntimes {
		p.Runtimes = append(p.Runtimes, string(r))
	}
	for _, a := range out.CompatibleArchitectures {
		p.Architectures = append(p.Architectures, string(a))
	}
	if content := out.Content; content != nil {
		p.Size, p.Signer = content.CodeSize, strings.Clone(aws.ToString(content.SigningProfileVersionArn))
		p.Location = aws.ToString(content.Location)
		p.SHA256, _ = hexOf(content.CodeSha256) // what cannot be read is not known
	}
	return p, "", nil
}
