package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go/logging"
	"golang.org/x/time/rate"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/health"
)

const (
	defaultCallTimeout = 30 * time.Second
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
	// Credentials are those of another client of the same account and role, so
	// that both are one session and one question whose they are; nil: of its own.
	Credentials *awscall.Credentials

	Logger *slog.Logger // nil: nothing is logged

	// CallTimeout is the deadline of one HTTP attempt; 30 seconds when zero.
	// Invoke has none: a function may take 15 minutes.
	CallTimeout time.Duration
	// HTTPClient replaces the SDK's own; nil keeps that of the aws.Config.
	HTTPClient aws.HTTPClient
}

// Client is a health.Source. It is safe for concurrent use.
type Client struct {
	region  string
	timeout time.Duration
	log     *slog.Logger
	alarms  *rate.Limiter // for DescribeAlarms

	lambda  *lambda.Client
	metrics *cloudwatch.Client

	creds *awscall.Credentials
	// place is where answers have to be about. Its partition is a guess until the
	// first credentials were proven, before which nothing is asked.
	place atomic.Pointer[awscall.Place]
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
		region: o.Region, timeout: o.CallTimeout, log: o.Logger,
		alarms: rate.NewLimiter(alarmRate, alarmRate),
	}
	if c.timeout <= 0 {
		c.timeout = defaultCallTimeout
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
	cfg.Logger = sdkLog(c.log)
	cfg.ClientLogMode &= aws.LogRetries | aws.LogDeprecatedUsage
	cfg.Retryer = newRetryer
	cfg.RetryMaxAttempts = 0 // AWS_MAX_ATTEMPTS would cap ours
	cfg.APIOptions = slices.Concat(cfg.APIOptions, c.attempts())
	if o.HTTPClient != nil {
		cfg.HTTPClient = o.HTTPClient
	}
	if c.creds = o.Credentials; c.creds == nil {
		c.creds = awscall.NewCredentials(cfg, awscall.Options{
			Account: o.Account, Role: o.Role, ExternalID: o.ExternalID, SessionName: o.SessionName,
		})
	}
	cfg.Credentials = c.creds
	cfg.APIOptions = append(cfg.APIOptions, c.creds.Guard, awscall.Refuse(c.where, answers))
	c.metrics = cloudwatch.NewFromConfig(cfg)
	// The SDK never asks Invoke twice: what it takes for a failure may have run.
	c.lambda = lambda.NewFromConfig(cfg, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
}

// checked makes sure of the credentials before a call, so that their error is
// not taken for the call's. Every method does it first.
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
