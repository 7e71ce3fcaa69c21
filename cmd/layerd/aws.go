package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
)

type connector = func(context.Context, desired.Environment) (round.Cloud, error)

func (a *app) connector(ctx context.Context, o daemon.AWSOptions) (connector, error) {
	return connecting(ctx, a, o, daemon.Connector)
}

// connecting reads the SDK's usual chain of configuration. It makes no call:
// the first environment that needs credentials asks for them.
func connecting[C any](
	ctx context.Context, a *app, o daemon.AWSOptions, with func(aws.Config, daemon.AWSOptions) func(context.Context, desired.Environment) (C, error),
) (func(context.Context, desired.Environment) (C, error), error) {
	cfg, err := a.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	connect := with(cfg, o)
	return func(ctx context.Context, env desired.Environment) (C, error) {
		if err := a.credentials(ctx, cfg); err != nil {
			var none C
			return none, err
		}
		return connect(ctx, env)
	}, nil
}

func (a *app) awsConfig(ctx context.Context) (aws.Config, error) {
	// What the SDK says of its own accord (IMDS, clock skew) is not ours to show:
	// what stops us comes as an error.
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return cfg, &exitError{code: exitInvalid, err: fmt.Errorf("read the AWS configuration: %w", err),
			hint: "it is in the variables AWS_* and in ~/.aws/config and ~/.aws/credentials"}
	}
	cfg.Credentials = &chain{found: cfg.Credentials}
	if m := a.metrics.Load(); m != nil {
		cfg = m.CountCalls(cfg)
	}
	return cfg, nil
}

// chain is what the SDK's chain found, until it is invalidated: then the chain is
// asked anew, since the SDK reads the files of credentials once for all.
type chain struct {
	mu    sync.Mutex // guards the rest
	found aws.CredentialsProvider
	stale bool
}

// Invalidate makes the next Retrieve ask the chain anew.
func (c *chain) Invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stale = true
}

// Retrieve implements aws.CredentialsProvider. A configuration that cannot be read
// just now changes nothing, and is read again at the next call.
func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c.mu.Lock()
	if c.stale {
		if cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{})); err == nil {
			c.found, c.stale = cfg.Credentials, false
		}
	}
	found := c.found
	c.mu.Unlock()
	if found == nil {
		return aws.Credentials{}, errors.New("the chain is empty")
	}
	return found.Retrieve(ctx)
}

// credentials asks the chain, so that what is missing is named by us, and not
// in the middle of the first call. The SDK keeps what it found.
func (a *app) credentials(ctx context.Context, cfg aws.Config) error {
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil && ctx.Err() == nil {
		return a.noCredentials(err)
	}
	return nil
}

// noCredentials returns which chain was asked and which of it was set up, so that
// nobody has to know the SDK by heart.
func (a *app) noCredentials(err error) error {
	var set []string
	for _, name := range []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if a.env(name) != "" {
			set = append(set, name)
		}
	}
	found := "none of its variables is set"
	if len(set) > 0 {
		found = strings.Join(set, " and ") + " is set"
	}
	return fmt.Errorf("no AWS credentials: the SDK's usual chain was asked (AWS_* variables, profile in ~/.aws, SSO, "+
		"web identity, container, EC2 instance), %s: %s", found, awscall.Clean(plainCause(err).Error()))
}

const credentialsHint = "run aws sso login, set AWS_PROFILE, or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

// failureHint returns what to do about an environment that could not be done.
func failureHint(f plan.Failure) string {
	switch {
	case f.Code == "lease_held":
		return "--lease-timeout 2m waits, and asks whoever has it for the lease"
	case f.Code == "wrong_account":
		return "use a profile of that account (AWS_PROFILE), or give the environment a role to assume"
	case strings.Contains(f.Message, "no AWS credentials"):
		return credentialsHint
	case strings.Contains(f.Message, "AccessDenied"):
		return "the role lacks a permission that layerd needs"
	}
	return ""
}
