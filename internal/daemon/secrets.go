package daemon

import (
	"context"
	"time"
)

// Secret is one that the configuration names.
type Secret struct {
	Key string // "git.auth.token"
	// Read reports why it cannot be used; its words name the place and nothing of
	// the secret.
	Read func(context.Context) error
}

// unreadable is a secret that cannot be read.
type unreadable struct {
	since time.Time
	why   string
}

// secretsInterval is between two looks at the secrets: one that is gone is noticed
// before it is needed, which for a webhook may be in the night after next.
const secretsInterval = 15 * time.Second

// secretsLoop looks at the secrets for as long as the daemon lives, if there are
// any.
func (d *Daemon) secretsLoop(ctx context.Context) {
	if len(d.Secrets) == 0 {
		return
	}
	d.every(ctx, "secrets", nil, func(ctx context.Context) time.Duration {
		for _, s := range d.Secrets {
			if err := s.Read(ctx); ctx.Err() == nil {
				d.noteSecret(s.Key, err)
			}
		}
		return secretsInterval
	})
}

// noteSecret logs that a secret cannot be read, once for each reason, and that it
// can again, and keeps it for readyz and the alert.
func (d *Daemon) noteSecret(key string, err error) {
	d.mu.Lock()
	before, known := d.unreadable[key]
	now := before
	if err == nil {
		delete(d.unreadable, key)
	} else {
		if !known {
			now.since = time.Now().Round(0)
		}
		now.why = err.Error()
		d.unreadable[key] = now
	}
	d.mu.Unlock()
	switch {
	case err != nil && now.why != before.why:
		d.Log.Error("secret cannot be read", "key", key, "since", now.since, "err", now.why)
	case err == nil && known:
		d.Log.Info("secret can be read again", "key", key, "since", before.since)
	default:
		return
	}
	d.wakeDelivery()
}
