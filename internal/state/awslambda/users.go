package awslambda

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/state"
)

// Users makes one complete sweep of every $LATEST and every published version
// and names one user of each layer version in use, as "function" or
// "function:version". It is what a delete is checked against right before it
// is made, since AWS itself deletes a version that is in use without a word.
func (c *Client) Users(ctx context.Context) (map[state.LayerVersionARN]string, error) {
	if _, err := c.checked(ctx); err != nil {
		return nil, err
	}
	users := map[state.LayerVersionARN]string{}
	err := sweep(ctx, "ListFunctions", "", func(ctx context.Context, marker *string) (*string, error) {
		out, err := c.lambda.ListFunctions(ctx, &lambda.ListFunctionsInput{
			FunctionVersion: types.FunctionVersionAll, Marker: marker, MaxItems: aws.Int32(pageSize),
		})
		if err != nil {
			return nil, err
		}
		for i := range out.Functions {
			f := &out.Functions[i]
			name := aws.ToString(f.FunctionName)
			if v := aws.ToString(f.Version); v != "" && v != "$LATEST" {
				name += ":" + v
			}
			for _, l := range f.Layers {
				users[state.LayerVersionARN(aws.ToString(l.Arn))] = name
			}
		}
		return out.NextMarker, nil
	})
	if err != nil {
		return nil, err
	}
	return users, nil
}
