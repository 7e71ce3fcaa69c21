package awslambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/layerd/layerd/internal/state"
)

const (
	defaultCallTimeout = 30 * time.Second
	// renewBefore is how long before its end an assumed role is renewed;
	// without it a call could be signed with seconds left.
	renewBefore = 5 * time.Minute
	// concurrent calls at most; the limiter decides the pace, this only hides
	// latency.
	concurrent = 8
)

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// Options says which account is meant and how to reach it.
type Options struct {
	// Account is the guard, 12 digits: credentials of any other account stop
	// everything. Region is where functions and layers live. Both required.
	Account, Region string

	// Role is assumed with ExternalID (may be empty) when it is not empty.
	// SessionName is what CloudTrail shows; "layerd" when empty.
	Role, ExternalID, SessionName string

	// Limits is shared by all clients of one account and Region; nil makes
	// limits of its own with the default rates.
	Limits *Limits
	Logger *slog.Logger // nil: nothing is logged

	// CallTimeout is the deadline of one HTTP attempt, waiting for the limiter
	// not included; 30 seconds when zero. Lambda clients have none otherwise.
	CallTimeout time.Duration
	// HTTPClient replaces the SDK's own; nil keeps that of the aws.Config.
	HTTPClient aws.HTTPClient
}

// Client looks at one account and Region and changes it. It is safe for
// concurrent use.
type Client struct {
	account, region string
	timeout         time.Duration
	limits          *Limits
	meter           *meter
	log             *slog.Logger
	once            aws.Retryer // for writes: repeats only what surely was not done

	lambda *lambda.Client
	sts    *sts.Client
	tags   *resourcegroupstaggingapi.Client
	trail  *cloudtrail.Client
	app    string // what our user agent says

	// checking holds one token. Who has it asks GetCallerIdentity or reads
	// partition, which is empty until that has answered with our account. self
	// is the caller's ARN; it is set before partition and never changes.
	checking  chan struct{}
	partition string
	self      string
}

// New wires a Client; it makes no call. cfg comes from the SDK's usual chain,
// so AWS_ENDPOINT_URL and its per-service forms work. Its retryer, logger and
// log mode are replaced: bodies and signatures must not reach a log.
func New(_ context.Context, cfg aws.Config, o Options) (*Client, error) {
	if !accountID.MatchString(o.Account) {
		return nil, fmt.Errorf("account %q is not 12 digits", o.Account)
	}
	if o.Region == "" {
		return nil, errors.New("region is empty")
	}
	c := &Client{
		account: o.Account, region: o.Region, timeout: o.CallTimeout,
		limits: o.Limits, meter: newMeter(), log: o.Logger,
		once:     newRetryer(retryableFunc(notLost)),
		checking: make(chan struct{}, 1),
	}
	c.checking <- struct{}{}
	if c.timeout <= 0 {
		c.timeout = defaultCallTimeout
	}
	if c.limits == nil {
		c.limits = NewLimits(0, 0)
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.connect(cfg.Copy(), o)
	return c, nil
}

func (c *Client) connect(cfg aws.Config, o Options) {
	cfg.Region = o.Region
	if cfg.AppID == "" {
		cfg.AppID = appID
	}
	c.app = cfg.AppID
	cfg.Logger = sdkLog(c.log)
	cfg.ClientLogMode &= aws.LogRetries | aws.LogDeprecatedUsage
	cfg.Retryer = func() aws.Retryer { return newRetryer() }
	cfg.RetryMaxAttempts = 0 // AWS_MAX_ATTEMPTS would cap ours
	cfg.APIOptions = slices.Concat(cfg.APIOptions, c.attempts())
	if o.HTTPClient != nil {
		cfg.HTTPClient = o.HTTPClient
	}
	if o.Role != "" {
		provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), o.Role, func(a *stscreds.AssumeRoleOptions) {
			a.RoleSessionName = "layerd"
			if o.SessionName != "" {
				a.RoleSessionName = o.SessionName
			}
			if o.ExternalID != "" {
				a.ExternalID = &o.ExternalID
			}
		})
		cfg.Credentials = aws.NewCredentialsCache(provider, func(co *aws.CredentialsCacheOptions) {
			co.ExpiryWindow = renewBefore
		})
	}
	c.lambda = lambda.NewFromConfig(cfg)
	c.sts = sts.NewFromConfig(cfg)
	c.tags = resourcegroupstaggingapi.NewFromConfig(cfg)
	c.trail = cloudtrail.NewFromConfig(cfg)
}

// Check asks AWS whose credentials these are, once, and remembers the answer
// when it is the right one. Every other method does it first.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.checked(ctx)
	return err
}

// checked gives the partition of the caller's own ARN.
func (c *Client) checked(ctx context.Context) (string, error) {
	select {
	case <-c.checking:
		defer func() { c.checking <- struct{}{} }()
	case <-ctx.Done():
		return "", readError("GetCallerIdentity", "", ctx.Err())
	}
	if c.partition != "" {
		return c.partition, nil
	}
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", readError("GetCallerIdentity", "", err)
	}
	if have := aws.ToString(out.Account); have != c.account {
		return "", &state.WrongAccountError{Want: c.account, Have: have}
	}
	c.partition = state.PartitionOf(c.region)
	c.self = aws.ToString(out.Arn)
	if a, err := arn.Parse(aws.ToString(out.Arn)); err == nil && a.Partition != "" {
		c.partition = a.Partition
	}
	return c.partition, nil
}

// Calls says what this Client has cost so far.
func (c *Client) Calls() Stats { return c.meter.stats() }

// write makes one operation careful: see notLost.
func (c *Client) write(o *lambda.Options) { o.Retryer = c.once }

// retryableFunc spares the SDK's long name for a plain function.
type retryableFunc func(error) aws.Ternary

func (f retryableFunc) IsErrorRetryable(err error) aws.Ternary { return f(err) }

// sdkLog hands the SDK's own few words to slog.
func sdkLog(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(level logging.Classification, format string, v ...any) {
		text := Clean(fmt.Sprintf(format, v...))
		if level == logging.Warn {
			log.Warn("aws sdk", "said", text)
			return
		}
		log.Debug("aws sdk", "said", text)
	})
}
