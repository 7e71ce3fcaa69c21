package awslambda

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/state"
)

// CodeQuota reads how much code the account may have in the Region, and has: the limit
// has been raised before, and is another one in other partitions.
func (c *Client) CodeQuota(ctx context.Context) (state.CodeQuota, error) {
	if _, err := c.checked(ctx); err != nil {
		return state.CodeQuota{}, err
	}
	out, err := c.lambda.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		return state.CodeQuota{}, readError("GetAccountSettings", "", err)
	}
	var q state.CodeQuota
	if l := out.AccountLimit; l != nil {
		q.Limit, q.Unzipped = l.TotalCodeSize, l.CodeSizeUnzipped
	}
	if u := out.AccountUsage; u != nil {
		q.Used, q.Functions = u.TotalCodeSize, u.FunctionCount
	}
	return q, nil
}
