package awslambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/layerd/layerd/internal/state"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/smithy-go/logging"

	"github.com/layerd/layerd/internal/awscall"
)

const (
	defaultCallTimeout = 30 * time.Second
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
	tags   *resourcegroupstaggingapi.Client
	trail  *cloudtrail.Client
	app    string // what our user agent says

	creds *awscall.Credentials
	// place is where answers have to be about. Its partition is a guess until the
	// first credentials were proven, before which nothing is asked.
	place atomic.Pointer[awscall.Place]
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
		once: newRetryer(retryableFunc(notLost)),
	}
	if c.timeout <= 0 {
		c.timeout = defaultCallTimeout
	}
	if c.limits == nil {
		c.limits = NewLimits(0, 0)
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.place.Store(new(awscall.NewPlace(o.Region, awscall.Caller{Account: o.Account})))
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
	c.creds = awscall.NewCredentials(cfg, awscall.Options{
		Account: o.Account, Role: o.Role, ExternalID: o.ExternalID, SessionName: o.SessionName,
	})
	cfg.Credentials = c.creds
	cfg.APIOptions = append(cfg.APIOptions, c.creds.Guard, awscall.Refuse(c.where, answers))
	c.lambda = lambda.NewFromConfig(cfg)
	c.tags = resourcegroupstaggingapi.NewFromConfig(cfg)
	c.trail = cloudtrail.NewFromConfig(cfg)
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

// checked gives where the caller looks. It also keeps an error of the
// credentials from looking like one of the call that needs them.
func (c *Client) checked(ctx context.Context) (awscall.Place, error) {
	caller, err := c.creds.Caller(ctx)
	if err != nil {
		return awscall.Place{}, readError("GetCallerIdentity", "", err)
	}
	place := awscall.NewPlace(c.region, caller)
	c.place.Store(&place)
	return place, nil
}

func (c *Client) where() awscall.Place { return *c.place.Load() }

// Calls says what this Client has cost so far.
func (c *Client) Calls() state.Stats { return c.meter.stats() }

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
