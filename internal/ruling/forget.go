package ruling

import (
	"context"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// Forgotten is one person's word that an environment which the repository has
// no file for any more was removed on purpose: nobody needs to hear of it
// again. Nothing of its past is deleted.
type Forgotten struct {
	Environment string    `json:"environment"`
	By          string    `json:"by"`
	At          time.Time `json:"at"` // UTC
	Reason      string    `json:"reason,omitempty"`
	// Ended is when its file was seen again; zero before. An environment that
	// is removed a second time has to be forgotten a second time.
	Ended time.Time `json:"ended,omitzero"`
}

var forgottenEnvironments = kind[Forgotten]{
	name: "forgotten",
	key:  func(f Forgotten) []string { return []string{f.Environment} },
	decision: func(f Forgotten) Decision {
		return Decision{Kind: DecidedForget, Environment: f.Environment, By: f.By, Reason: f.Reason, At: f.At}
	},
}

// Forget records the word. What is forgotten already stays so by the first
// word, which is returned.
func (r *Registry) Forget(ctx context.Context, f Forgotten) (Forgotten, error) {
	f.By, f.Reason, f.At = truncate(f.By), truncate(f.Reason), f.At.UTC()
	t := forgottenEnvironments.of(r.store, r.repository)
	t.one, t.who = "whether "+f.Environment+" is forgotten", "who let "+f.Environment+" be forgotten"
	return t.give(ctx, r.journal, f, Forgotten.holds)
}

func (f Forgotten) holds() bool { return f.Ended.IsZero() }

// FindForgotten returns the word that an environment is forgotten by; ok is false
// when there is none, or none that holds.
func FindForgotten(ctx context.Context, s store.Store, repository, environment string) (f Forgotten, ok bool, err error) {
	f, ok, err = forgottenEnvironments.of(s, repository).find(ctx, Forgotten{Environment: environment})
	return f, ok && f.holds(), err
}

// LoadForgotten returns those that hold, by environment.
func LoadForgotten(ctx context.Context, s store.Store, repository string) (map[string]Forgotten, error) {
	list, err := forgottenEnvironments.of(s, repository).list(ctx, "the forgotten environments", "", always)
	if err != nil {
		return nil, err
	}
	held := map[string]Forgotten{}
	for _, f := range list {
		if f.holds() {
			held[f.Environment] = f
		}
	}
	return held, nil
}

// Recall notes that the file of an environment is there again. Where nobody let
// it be forgotten nothing is written.
func Recall(ctx context.Context, s store.Store, repository, environment string, now time.Time) error {
	return forgottenEnvironments.of(s, repository).update(ctx, Forgotten{Environment: environment}, func(f *Forgotten, there bool) bool {
		if !there || !f.holds() {
			return false
		}
		f.Ended = now.UTC()
		return true
	})
}
