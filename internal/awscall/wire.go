package awscall

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

const (
	// appID is what the user agent of every call of ours says, unless the
	// configuration has one of its own. By it we know our own doing in CloudTrail.
	appID = "layerd"

	defaultCallTimeout = 30 * time.Second
)

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// Options name the account that is meant and how to reach it.
type Options struct {
	// Account is the guard, 12 digits: credentials of any other account stop
	// everything. Region is where its things live. Both required.
	Account, Region string

	// Role is assumed with ExternalID (may be empty) when it is not empty.
	// SessionName is what CloudTrail shows; "layerd" when empty.
	Role, ExternalID, SessionName string
	// Credentials are those of another client of the same account, Region and
	// role, so that both are one session and one question whose they are; nil: of
	// its own.
	Credentials *Credentials

	Logger *slog.Logger // nil: nothing is logged

	// CallTimeout is the deadline of one HTTP attempt, waiting for its turn not
	// included; 30 seconds when zero. The SDK's clients have none otherwise.
	CallTimeout time.Duration
	// HTTPClient replaces the SDK's own; nil keeps that of the aws.Config.
	HTTPClient aws.HTTPClient
}

// Wire is how the clients of one adapter ask AWS. The zero Wire is good.
type Wire struct {
	Retryer func() aws.Retryer // nil: Retryer
	// Pace is a BeforeAttempt that waits for an attempt's turn; nil: none.
	Pace    func(*middleware.Stack) error
	Timeout time.Duration // of one attempt, without its turn; 0: none
	// Own calls own for each ARN of an answer (a pointer to an operation's output)
	// that has to be of the account and Region; nil is none. What AWS may name of
	// others, a layer in a function's list, is not for own. Only Connect uses it.
	Own func(in, out any, own func(*string))

	Logger     *slog.Logger        // hears the SDK's own few words; nil: nobody
	Clean      func(string) string // makes them fit to be kept; nil: Clean
	HTTPClient aws.HTTPClient      // nil: that of the aws.Config
}

// Config returns cfg as clients are made of it whose account does not matter: a
// table that may be in another account, a secret. It makes no call. The retryer,
// the logger and the log mode of cfg are replaced: bodies and signatures must not
// reach a log.
//
// What AWS refuses since its credentials have expired is tried once more with what
// their source has by then.
func (w Wire) Config(cfg aws.Config) aws.Config { return renewing(w.config(cfg)) }

// renewing returns cfg for clients whose credentials are fetched anew once AWS has
// refused them.
func renewing(cfg aws.Config) aws.Config {
	if cfg.Credentials == nil {
		return cfg
	}
	cfg = cfg.Copy()
	cfg.APIOptions = slices.Concat(cfg.APIOptions, []func(*middleware.Stack) error{newRenewal(cfg.Credentials).attempt})
	return cfg
}

// config is Config for clients whose credentials are somebody else's matter.
func (w Wire) config(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	if cfg.AppID == "" {
		cfg.AppID = appID
	}
	cfg.Logger = logging.Nop{}
	cfg.ClientLogMode &= aws.LogRetries | aws.LogDeprecatedUsage
	if w.Logger == nil {
		cfg.ClientLogMode = 0
	} else {
		cfg.Logger = w.sdkLog()
	}
	cfg.Retryer = w.Retryer
	if cfg.Retryer == nil {
		cfg.Retryer = func() aws.Retryer { return Retryer() }
	}
	cfg.RetryMaxAttempts = 0 // AWS_MAX_ATTEMPTS would cap ours
	if w.HTTPClient != nil {
		cfg.HTTPClient = w.HTTPClient
	}
	// Each is put right behind "Retry": the last one added is asked first.
	cfg.APIOptions = slices.Concat(cfg.APIOptions, []func(*middleware.Stack) error{addMarkLost})
	if w.Timeout > 0 {
		cfg.APIOptions = append(cfg.APIOptions, BeforeAttempt(deadlineID, deadline(w.Timeout)))
	}
	if w.Pace != nil {
		cfg.APIOptions = append(cfg.APIOptions, w.Pace)
	}
	return cfg
}

// Connect returns cfg as the clients of one account and Region are made of it,
// and the credentials that sign their requests. It makes no call.
func (w Wire) Connect(cfg aws.Config, o Options) (aws.Config, *Credentials, error) {
	if !accountID.MatchString(o.Account) {
		return cfg, nil, fmt.Errorf("account %q is not 12 digits", o.Account)
	}
	if o.Region == "" {
		return cfg, nil, errors.New("region is empty")
	}
	w.Logger, w.HTTPClient, w.Timeout = o.Logger, o.HTTPClient, o.CallTimeout
	if w.Timeout <= 0 {
		w.Timeout = defaultCallTimeout
	}
	cfg = w.config(cfg)
	cfg.Region = o.Region
	creds := o.Credentials
	if creds == nil {
		creds = newCredentials(cfg, o)
	}
	cfg.Credentials = creds
	cfg.APIOptions = append(cfg.APIOptions, creds.guard)
	if w.Own != nil {
		cfg.APIOptions = append(cfg.APIOptions, refuse(creds.Where, w.Own))
	}
	return cfg, creds, nil
}

// sdkLog hands the SDK's own few words to slog.
func (w Wire) sdkLog() logging.Logger {
	return logging.LoggerFunc(func(level logging.Classification, format string, v ...any) {
		text := cleaner(w.Clean)(fmt.Sprintf(format, v...))
		if level == logging.Warn {
			w.Logger.Warn("aws sdk", "said", text)
			return
		}
		w.Logger.Debug("aws sdk", "said", text)
	})
}
