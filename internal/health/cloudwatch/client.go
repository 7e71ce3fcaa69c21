package cloudwatch

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/health"
)

// alarmRate is a third of the 9 requests a second that DescribeAlarms has per
// account and Region: consoles and other tools draw on them too.
const alarmRate = 3

var _ health.Source = (*Client)(nil)

// Options names the account and how to reach it. CallTimeout does not bound
// Invoke: a function may take 15 minutes.
type Options = awscall.Options

// Client is a health.Source. It is safe for concurrent use.
type Client struct {
	alarms *rate.Limiter // for DescribeAlarms

	lambda  *lambda.Client
	metrics *cloudwatch.Client

	creds *awscall.Credentials
}

// New wires a Client; it makes no call. cfg comes from the SDK's usual chain,
// so AWS_ENDPOINT_URL and its per-service forms work. See awscall.Wire for what
// of it is replaced.
func New(cfg aws.Config, o Options) (*Client, error) {
	c := &Client{alarms: rate.NewLimiter(alarmRate, alarmRate)}
	wire := awscall.Wire{Pace: awscall.BeforeAttempt("LayerdPace", c.pace), Own: answers, Clean: clean}
	cfg, creds, err := wire.Connect(cfg, o)
	if err != nil {
		return nil, err
	}
	c.creds = creds
	c.metrics = cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) {
		if o.RequestMinCompressSizeBytes == 0 {
			o.RequestMinCompressSizeBytes = compressFrom
		}
	})
	c.lambda = lambda.NewFromConfig(cfg, func(o *lambda.Options) {
		o.APIOptions = append(o.APIOptions, awscall.Unbounded)
		// The SDK never asks Invoke twice: what it takes for a failure may have run.
		o.Retryer = aws.NopRetryer{}
	})
	return c, nil
}

// pace waits for the turn of DescribeAlarms.
func (c *Client) pace(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	if awsmiddleware.GetOperationName(ctx) == "DescribeAlarms" {
		if err := awscall.Turn(ctx, c.alarms); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
	}
	return next.HandleFinalize(ctx, in)
}

// checked makes sure of the credentials before a call, so that their error is
// not taken for the call's. Every method does it first.
func (c *Client) checked(ctx context.Context) (awscall.Place, error) {
	place, err := c.creds.Place(ctx)
	return place, readError("GetCallerIdentity", "", err)
}

// answers calls own for each alarm of an answer: another account's says nothing
// about our functions.
func answers(_, out any, own func(*string)) {
	alarms, ok := out.(*cloudwatch.DescribeAlarmsOutput)
	if !ok {
		return
	}
	for i := range alarms.MetricAlarms {
		own(alarms.MetricAlarms[i].AlarmArn)
	}
	for i := range alarms.CompositeAlarms {
		own(alarms.CompositeAlarms[i].AlarmArn)
	}
}
