package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/daemon/config"
	"github.com/layerd/layerd/internal/notify/slack"
)

// namedSecrets returns the secrets that a configuration names, each with the test
// that the daemon makes of it.
func namedSecrets(c config.Config, secrets *config.Secrets) []daemon.Secret {
	var list []daemon.Secret
	for _, n := range c.Secrets() {
		list = append(list, daemon.Secret{Key: n.Key, Read: func(ctx context.Context) error {
			value, err := secrets.Read(ctx, n.Secret)
			if err == nil && strings.HasSuffix(n.Key, ".slack.webhook_url") {
				if err = slack.Usable(value); err != nil {
					err = fmt.Errorf("read %s: %w", n.Secret, err)
				}
			}
			return err
		}})
	}
	return list
}

// checkSecrets returns why a configuration cannot be used: every secret that it
// names and that cannot be read. A daemon without one would run, look healthy, and
// reach nobody.
func checkSecrets(ctx context.Context, list []daemon.Secret) error {
	var all []error
	code := exitRetry // a store that did not answer may do so in a moment
	for _, s := range list {
		err := s.Read(ctx)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, ok := errors.AsType[*config.UnreachableError](err); !ok {
			code = exitInvalid
		}
		all = append(all, fmt.Errorf("%s: %w", s.Key, err))
	}
	if len(all) == 0 {
		return nil
	}
	return &exitError{code: code, err: errors.Join(all...), hint: "put it there and let the daemon's user read it; layerd doctor --config tries each"}
}
