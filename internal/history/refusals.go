package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// refusalDoc is how often AWS refused in a row to bring a function to the same.
// Stored: names and meanings stay.
type refusalDoc struct {
	Aim      string    `json:"aim"`
	Count    int       `json:"count"`
	Last     time.Time `json:"last"`
	Own      bool      `json:"own,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Passed   time.Time `json:"passed,omitzero"`
}

// maxReason bounds AWS's words in a document that is read in every round.
const maxReason = 1 << 10

func refusalDocs(list []plan.Refusal) []refusalDoc {
	var docs []refusalDoc
	for _, r := range list {
		docs = append(docs, refusalDoc{r.Aim, r.Count, r.Last.UTC(), r.Own, r.Revision, words.Truncate(r.Reason, maxReason), r.Passed})
	}
	return docs
}

func (d functionDoc) refusals() []plan.Refusal {
	var list []plan.Refusal
	for _, r := range d.Refused {
		list = append(list, plan.Refusal{Aim: r.Aim, Count: r.Count, Last: r.Last, Own: r.Own, Revision: r.Revision, Reason: r.Reason, Passed: r.Passed})
	}
	return list
}

// RecordAttempts remembers what AWS refused, for the functions that a round tried,
// and forgets what it does not refuse any more. past is what was read of them
// before the round. It writes a function only where something is new.
func (l *Log) RecordAttempts(ctx context.Context, environment, region string, past plan.Past, tried []plan.Attempt) error {
	through := plan.LetThrough(tried)
	in := map[string][]plan.Attempt{}
	var names []string
	for _, a := range tried {
		if !a.Done || len(past.Functions[a.Function].Refusals) > 0 {
			in[a.Function] = append(in[a.Function], a)
			names = append(names, a.Function)
		}
	}
	var at time.Time
	if through {
		at = tried[0].At
		for name, f := range past.Functions {
			if in[name] == nil && !slices.Equal(plan.Doubted(f.Refusals, at), f.Refusals) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		err := l.updateRefusals(ctx, environment, region, name, func(list []plan.Refusal) []plan.Refusal {
			if through && in[name] == nil {
				list = plan.Doubted(list, at)
			}
			for _, a := range in[name] {
				list = a.After(list, through)
			}
			return list
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// retriedDoc is when a person last asked for a retry of an environment. Stored: names and
// meanings stay.
type retriedDoc struct {
	head
	At time.Time `json:"at"`
}

func (l *Log) retriedKey(environment string) string {
	return store.Key("retried", l.repository, environment)
}

// NoteRetry notes that a person has asked for a retry of an environment.
func (l *Log) NoteRetry(ctx context.Context, environment string, at time.Time) error {
	err := docs[retriedDoc](l).Update(ctx, l.retriedKey(environment), func(d *retriedDoc) bool {
		d.V, d.At = version, at.UTC()
		return true
	})
	if err != nil {
		return fmt.Errorf("note a retry of %s: %w", environment, err)
	}
	return nil
}

// Retried returns when a person last asked for a retry of an environment; zero = never.
func (l *Log) Retried(ctx context.Context, environment string) (time.Time, error) {
	d, _, err := docs[retriedDoc](l).Get(ctx, l.retriedKey(environment))
	if err != nil {
		return time.Time{}, fmt.Errorf("read when a retry of %s was asked for: %w", environment, err)
	}
	return d.At, nil
}

// ForgetRefusals lets what AWS refused be tried again at once, and returns the
// functions that this is about.
func (l *Log) ForgetRefusals(ctx context.Context, environment, region string) (names []string, err error) {
	functions := store.Query{Prefix: store.Prefix("past", l.repository, "function", environment, region)}
	for d, err := range docs[functionDoc](l).List(ctx, functions) {
		if err != nil {
			return nil, fmt.Errorf("read what AWS refused in %s: %w", environment, err)
		}
		if len(d.Doc.Refused) > 0 {
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		none := func([]plan.Refusal) []plan.Refusal { return nil }
		if err := l.updateRefusals(ctx, environment, region, name, none); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func (l *Log) updateRefusals(ctx context.Context, environment, region, name string, next func([]plan.Refusal) []plan.Refusal) error {
	err := docs[functionDoc](l).Update(ctx, l.functionKey(environment, region, name), func(d *functionDoc) bool {
		if l.held.number > 0 && d.Fences.staleFor(l.held) {
			return false
		}
		list := refusalDocs(next(d.refusals()))
		if slices.EqualFunc(list, d.Refused, func(a, b refusalDoc) bool {
			same := a.Last.Equal(b.Last) && a.Passed.Equal(b.Passed)
			a.Last, b.Last, a.Passed, b.Passed = time.Time{}, time.Time{}, time.Time{}, time.Time{}
			return same && a == b
		}) {
			return false
		}
		d.V, d.Refused = version, list
		d.Fences.advance(l.held)
		return true
	})
	if err != nil {
		return fmt.Errorf("remember what AWS refused on %s: %w", name, err)
	}
	return nil
}
