package config

import "fmt"

// Named is a secret that the configuration names, and the key it does that
// under.
type Named struct {
	Key    string // "git.auth.token", "notify[0].slack.webhook_url"
	Secret Secret
}

// Secrets lists the secrets that are named, in the order of the file's
// documentation, so that somebody can try them before the daemon does.
func (c Config) Secrets() []Named {
	all := []Named{
		{"git.auth.token", c.Git.Auth.Token},
		{"git.auth.ssh_key", c.Git.Auth.SSHKey},
		{"git.auth.ssh_passphrase", c.Git.Auth.SSHPassphrase},
		{"git.webhook_secret", c.Git.WebhookSecret},
	}
	for i, n := range c.Notify {
		if n.Slack == nil {
			continue
		}
		at := fmt.Sprintf("notify[%d].slack.", i)
		all = append(all, Named{at + "webhook_url", n.Slack.WebhookURL}, Named{at + "token", n.Slack.Token})
	}
	var named []Named
	for _, n := range all {
		if !n.Secret.IsZero() {
			named = append(named, n)
		}
	}
	return named
}
