package awslambda

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// concurrent calls at most; the limiter decides the pace, this only hides
// latency.
const concurrent = 8

// Options names the account, how to reach it, and how fast it may be asked.
type Options struct {
	awscall.Options

	// Limits is shared by all clients of one account and Region; nil makes
	// limits of its own with the default rates.
	Limits *Limits

	// Listen, if not nil, begins a wait for the end of an update of a function: sleep
	// waits like awscall.Sleep, but may end once the end is heard of, and may begin with a
	// longer wait where it will be. stop ends it.
	Listen func(account, region, function string) (sleep func(context.Context, time.Duration) error, stop func())
}

// Client looks at one account and Region and changes it. It is safe for
// concurrent use.
type Client struct {
	limits *Limits
	meter  *meter
	log    *slog.Logger
	once   aws.Retryer // for writes: repeats only what surely was not done

	lambda *lambda.Client
	tags   *resourcegroupstaggingapi.Client
	trail  *cloudtrail.Client
	app    string // what our user agent says

	creds  *awscall.Credentials
	listen func(account, region, function string) (sleep func(context.Context, time.Duration) error, stop func())
}

// New wires a Client; it makes no call. cfg comes from the SDK's usual chain,
// so AWS_ENDPOINT_URL and its per-service forms work. See awscall.Wire for what
// of it is replaced.
func New(_ context.Context, cfg aws.Config, o Options) (*Client, error) {
	c := &Client{limits: o.Limits, meter: newMeter(), log: o.Logger, once: awscall.Retryer(awscall.Careful), listen: o.Listen}
	if c.limits == nil {
		c.limits = NewLimits(0, 0)
	}
	if c.listen == nil {
		c.listen = func(string, string, string) (func(context.Context, time.Duration) error, func()) {
			return awscall.Sleep, func() {}
		}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	pace := awscall.BeforeAttempt(limitID, c.limitWhile(nil))
	cfg, creds, err := awscall.Wire{Pace: pace, Own: answers}.Connect(cfg, o.Options)
	if err != nil {
		return nil, err
	}
	c.app, c.creds = cfg.AppID, creds
	c.lambda = lambda.NewFromConfig(cfg)
	c.tags = resourcegroupstaggingapi.NewFromConfig(cfg)
	c.trail = cloudtrail.NewFromConfig(cfg)
	return c, nil
}

// Check asks AWS whose credentials these are, once for each set of them, and
// remembers the answer. No other method sends anything that is signed with
// credentials of another account. What was met as another account's is fetched
// anew first: a round begins with Check.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.creds.Check(ctx)
	return readError("GetCallerIdentity", "", err)
}

// Credentials are those that every call of the Client is signed with, for
// other clients of the same account and role.
func (c *Client) Credentials() *awscall.Credentials { return c.creds }

// checked returns where the caller looks. It also keeps an error of the
// credentials from looking like one of the call that needs them.
func (c *Client) checked(ctx context.Context) (awscall.Place, error) {
	place, err := c.creds.Place(ctx)
	return place, readError("GetCallerIdentity", "", err)
}

// Calls returns what this Client has cost so far.
func (c *Client) Calls() state.Stats { return c.meter.stats() }

// write makes one operation careful: see awscall.Careful.
func (c *Client) write(o *lambda.Options) { o.Retryer = c.once }
