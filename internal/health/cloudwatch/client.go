package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"golang.org/x/time/rate"

	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/state"
)

const (
	defaultCallTimeout = 30 * time.Second
	// renewBefore is how long before its end an assumed role is renewed;
	// without it a call could be signed with seconds left.
	renewBefore = 5 * time.Minute
	// alarmRate is a third of the 9 requests a second that DescribeAlarms has
	// per account and Region: consoles and other tools draw on them too.
	alarmRate = 3
)

var (
	accountID = regexp.MustCompile(`^[0-9]{12}$`)

	_ health.Source = (*Client)(nil)
)

// Options says which account is meant and how to reach it.
type Options struct {
	// Account is the guard, 12 digits: credentials of any other account stop
	// everything. Region is where functions and alarms live. Both required.
	Account, Region string

	// Role is assumed with ExternalID (may be empty) when it is not empty.
	// SessionName is what CloudTrail shows; "layerd" when empty.
	Role, ExternalID, SessionName string

	Logger *slog.Logger // nil: nothing is logged

	// CallTimeout is the deadline of one HTTP attempt; 30 seconds when zero.
	// Invoke has none: a function may take 15 minutes.
	CallTimeout time.Duration
	// HTTPClient replaces the SDK's own; nil keeps that of the aws.Config.
	HTTPClient aws.HTTPClient
}

// Client is a health.Source. It is safe for concurrent use.
type Client struct {
	account string
	timeout time.Duration
	log     *slog.Logger
	alarms  *rate.Limiter // for DescribeAlarms

	lambda  *lambda.Client
	metrics *cloudwatch.Client
	sts     *sts.Client

	// checking holds one token. Who has it asks GetCallerIdentity or reads
	// ours, which is true once that has answered with our account.
	checking chan struct{}
	ours     bool
}

// New wires a Client; it makes no call. cfg comes from the SDK's usual chain,
// so AWS_ENDPOINT_URL and its per-service forms work. Its retryer, logger and
// log mode are replaced: bodies and signatures must not reach a log.
func New(cfg aws.Config, o Options) (*Client, error) {
	if !accountID.MatchString(o.Account) {
		return nil, fmt.Errorf("account %q is not 12 digits", o.Account)
	}
	if o.Region == "" {
		return nil, errors.New("region is empty")
	}
	c := &Client{
		account: o.Account, timeout: o.CallTimeout, log: o.Logger,
		alarms:   rate.NewLimiter(alarmRate, alarmRate),
		checking: make(chan struct{}, 1),
	}
	c.checking <- struct{}{}
	if c.timeout <= 0 {
		c.timeout = defaultCallTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.connect(cfg.Copy(), o)
	return c, nil
}

func (c *Client) connect(cfg aws.Config, o Options) {
	cfg.Region = o.Region
	cfg.Logger = sdkLog(c.log)
	cfg.ClientLogMode &= aws.LogRetries | aws.LogDeprecatedUsage
	cfg.Retryer = newRetryer
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
	c.metrics = cloudwatch.NewFromConfig(cfg)
	c.sts = sts.NewFromConfig(cfg)
	// The SDK never asks Invoke twice: what it takes for a failure may have run.
	c.lambda = lambda.NewFromConfig(cfg, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
}

// check asks AWS whose credentials these are, once, and remembers the answer
// when it is the right one. Every method does it first.
func (c *Client) check(ctx context.Context) error {
	select {
	case <-c.checking:
		defer func() { c.checking <- struct{}{} }()
	case <-ctx.Done():
		return readError("GetCallerIdentity", "", ctx.Err())
	}
	if c.ours {
		return nil
	}
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return readError("GetCallerIdentity", "", err)
	}
	if have := aws.ToString(out.Account); have != c.account {
		return &state.WrongAccountError{Want: c.account, Have: have}
	}
	c.ours = true
	return nil
}

// sdkLog hands the SDK's own few words to slog.
func sdkLog(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(level logging.Classification, format string, v ...any) {
		text := clean(fmt.Sprintf(format, v...))
		if level == logging.Warn {
			log.Warn("aws sdk", "said", text)
			return
		}
		log.Debug("aws sdk", "said", text)
	})
}
