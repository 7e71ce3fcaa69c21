package demo

import (
	"context"
	"errors"

	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/round"
)

// slack is where the story's messages arrive.
type slack struct{ messages []notify.Message }

// Name returns the name of the target.
func (*slack) Name() string { return "slack" }

// Send takes a message.
func (k *slack) Send(_ context.Context, m notify.Message) error {
	k.messages = append(k.messages, m)
	return nil
}

// take returns what arrived since it was last called.
func (k *slack) take() []notify.Message {
	list := k.messages
	k.messages = nil
	return list
}

// toldUpTo returns how far the history of each environment was reported; where nothing
// was, up to here.
func (s *story) toldUpTo() (map[string]history.Cursor, error) {
	from := map[string]history.Cursor{}
	for _, env := range environments {
		told, err := s.book.Cursor(s.ctx, env)
		if err == nil && told == "" {
			told, err = history.Open(s.store, repository).Now(s.ctx)
		}
		if err != nil {
			return nil, err
		}
		from[env] = told
	}
	return from, nil
}

// tellSlack reports what a round found out and did, as the daemon does after each.
func (s *story) tellSlack(r round.Result, commit gitrepo.Commit, from map[string]history.Cursor) error {
	for _, planned := range r.Plans {
		env := planned.Environment
		now := notify.Situation{
			Environment: env, Zone: tokyo, Now: s.now, Plan: &planned, Revision: commit.Hash, Subject: commit.Subject,
			From: from[env], To: from[env], LookedAt: s.now,
		}
		for {
			ended, next, err := history.Open(s.store, repository).CompletedSince(s.ctx, now.To)
			if err != nil {
				return err
			}
			now.To = next
			if len(ended) == 0 {
				break
			}
			for _, e := range ended {
				if e.Environment == env {
					now.Ended = append(now.Ended, e)
				}
			}
		}
		if _, err := s.book.Tell(s.ctx, now); err != nil {
			return err
		}
	}
	d, err := s.book.Deliver(s.ctx)
	for _, f := range d.Failed {
		err = errors.Join(err, f.Err)
	}
	return err
}
