package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// Log is the history of one desired-state repository. Use it from as many
// goroutines as you like.
type Log struct {
	store      store.Store
	repository string
	clock      *clock
	held       fence // the lease that its user holds; zero = none
}

// Open returns the history that s keeps for a repository. It reads and writes
// nothing.
func Open(s store.Store, repository string) *Log {
	return &Log{store: s, repository: repository, clock: &clock{}}
}

// Holding is the same history for somebody who holds the lease of account
// under the fencing number given: RecordObservations and Settle leave alone what a later
// holder has written, and rounds in that account carry the number.
func (l *Log) Holding(account string, fencing int64) *Log {
	held := *l
	held.held = fence{account, fencing}
	return &held
}

// Round is why a round changes anything: it is part of each of its records.
// Stored: names and meanings stay.
type Round struct {
	Environment string `json:"environment"`
	Region      string `json:"region"`
	Account     string `json:"account,omitempty"`
	// Revision is the commit that the round was decided from, and Author who wrote it.
	// They asked for those changes of which no Action.Asked says otherwise. In an Entry
	// they are who asked for it, and empty where no commit did.
	Revision string `json:"revision,omitempty"`
	Author   string `json:"author,omitempty"`
	Digest   string `json:"digest,omitempty"` // of the plan
	Window   string `json:"window,omitempty"` // why it is open
	// Approval is the digest that was approved, and ApprovedBy by whom; empty =
	// none was needed.
	Approval   string `json:"approval,omitempty"`
	ApprovedBy string `json:"approved_by,omitempty"`
	Fencing    int64  `json:"fencing"`           // the token of the account's lease; 0 = that of Holding, else none
	Rollout    string `json:"rollout,omitempty"` // the ID of the one that it carries on; empty = none
}

// Recording is one round that is being recorded. It is an apply.Recorder.
type Recording struct {
	log   *Log
	round Round
	id    string

	// marking holds one token for whoever makes the round findable, and guards
	// marked: a mutex would be held over a write to the store, which a context
	// must be able to end.
	marking chan struct{}
	marked  bool // the round is in the open document

	// mu guards the rest: functions in hand begin and end at the same time.
	mu    sync.Mutex
	open  map[string]record              // begun and not ended, by ID
	moved map[state.LayerVersionARN]bool // applied in this round already: the layer has it
}

var _ apply.Recorder = (*Recording)(nil)

// BeginRound prepares the record of one round in one environment and Region.
// Nothing is written before the first Begin, so that a round that finds
// nothing to do leaves no trace.
func (l *Log) BeginRound(ctx context.Context, r Round) (*Recording, error) {
	if r.Environment == "" || r.Region == "" {
		return nil, fmt.Errorf("a round without environment or region: %w", store.ErrInvalid)
	}
	if r.Fencing == 0 && r.Account == l.held.account {
		r.Fencing = l.held.number
	}
	return &Recording{
		log: l, round: r, id: l.clock.next(time.Now()), marking: make(chan struct{}, 1),
		open: map[string]record{}, moved: map[state.LayerVersionARN]bool{},
	}, ctx.Err()
}

// Begin records what is about to be done. When it returns, the record is
// durable; after an error nothing must be done.
func (r *Recording) Begin(ctx context.Context, in apply.Intent) (string, error) {
	if err := r.mark(ctx); err != nil {
		return "", err
	}
	now := time.Now()
	id := r.log.clock.next(now)
	rec := newRecord(r.id, r.round, in, now)
	err := docs[record](r.log).Update(ctx, r.log.recordKey(id), func(d *record) bool {
		*d = rec
		return true
	})
	if err != nil {
		return "", fmt.Errorf("record what is about to be done to %s: %w", name(in), err)
	}
	if took := elapsed(now); took > late {
		return "", r.tooLate(ctx, id, rec, took)
	}
	if err := r.log.claim(ctx, id, rec); err != nil {
		return "", r.unclaimed(ctx, id, rec, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[id] = rec
	return id, nil
}

// unclaimed ends the record of a publish whose content could not be fixed.
func (r *Recording) unclaimed(ctx context.Context, id string, rec record, why error) error {
	out := apply.Outcome{Result: plan.Result{Status: plan.StatusSkipped, Error: "not begun: " + why.Error()}}
	if refused, ok := errors.AsType[*apply.RefusedError](why); ok {
		out.Result = plan.Result{Status: plan.StatusFailed, Error: refused.Reason}
	}
	if err := r.log.finish(ctx, id, rec, out, r.first); err != nil {
		return errors.Join(errors.New(why.Error()), err) // the store's own trouble is of all
	}
	return why
}

// late is how long after it was begun a record may reach the store. Whoever
// was stopped in between for longer holds no lease any more, and readers that
// follow the history (CompletedSince) have gone past the place of the record.
const late = time.Minute

// elapsed is by the clock that counts longer: one of them stands still while a
// machine sleeps, and the other may be set back.
func elapsed(since time.Time) time.Duration {
	return max(time.Since(since), time.Now().Round(0).Sub(since.Round(0)))
}

// tooLate ends a record that must not be acted on.
func (r *Recording) tooLate(ctx context.Context, id string, rec record, took time.Duration) error {
	err := fmt.Errorf("record what is about to be done: it took %s, more than %s", took.Round(time.Second), late)
	out := apply.Outcome{Result: plan.Result{Status: plan.StatusSkipped, Error: "not begun: it took too long to record it"}}
	return errors.Join(err, r.log.finish(ctx, id, rec, out, r.first))
}

// mark makes the round findable for Unfinished, before its first record.
func (r *Recording) mark(ctx context.Context) error {
	select {
	case r.marking <- struct{}{}:
		defer func() { <-r.marking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.marked {
		return nil
	}
	err := docs[openDoc](r.log).Update(ctx, r.log.openKey(r.round.Environment, r.round.Region), func(d *openDoc) bool {
		if d.Rounds == nil {
			d.Rounds = map[string]time.Time{}
		}
		d.V, d.Rounds[r.id] = version, time.Now().UTC()
		return true
	})
	if err != nil {
		return fmt.Errorf("record that a round begins: %w", err)
	}
	r.marked = true
	return nil
}

// Finish records how it ended. What was applied becomes the past first, so
// that no ended record is missing there. A record that somebody else has
// settled meanwhile is left as it is, and so is the past.
func (r *Recording) Finish(ctx context.Context, id string, out apply.Outcome) error {
	r.mu.Lock()
	rec, ok := r.open[id]
	r.mu.Unlock()
	if !ok {
		return fmt.Errorf("end record %s: %w", id, store.ErrNotFound)
	}
	if err := r.log.finish(ctx, id, rec, out, r.first); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, id)
	if out.Status == plan.StatusApplied && !rec.Canary {
		for _, s := range rec.Steps {
			r.moved[s.To] = true
		}
	}
	return nil
}

// first reports whether a number is applied to layer for the first time in this
// round. Functions that end at the same time with different numbers (pins)
// would otherwise rewrite the layer's order in turns.
func (r *Recording) first(s Action) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.moved[s.To]
}

// FinishRound records that the round is over; call it when everything that was
// begun has returned. Records that have no end keep it findable.
func (r *Recording) FinishRound(ctx context.Context) error {
	r.mu.Lock()
	over := r.marked && len(r.open) == 0
	r.mu.Unlock()
	if !over {
		return nil
	}
	return r.log.closeRounds(ctx, r.round.Environment, r.round.Region, r.id)
}

// forgotten is after how long a round that left no open record, and never said
// that it is over, counts as killed between the two.
const forgotten = time.Hour

// closeRounds takes round out of the open document, and with it older ones
// that left nothing open.
func (l *Log) closeRounds(ctx context.Context, environment, region, round string) error {
	err := docs[openDoc](l).Update(ctx, l.openKey(environment, region), func(d *openDoc) bool {
		had := len(d.Rounds)
		delete(d.Rounds, round)
		for id, since := range d.Rounds {
			if time.Since(since) < forgotten {
				continue
			}
			if left, err := l.unfinished(ctx, map[string]bool{id: true}, id); err == nil && len(left) == 0 {
				delete(d.Rounds, id)
			}
		}
		d.V = version
		return len(d.Rounds) != had
	})
	if err != nil {
		return fmt.Errorf("record that a round is over: %w", err)
	}
	return nil
}

// finish brings the past up to date and ends the record. All of it may be
// repeated.
func (l *Log) finish(ctx context.Context, id string, rec record, out apply.Outcome, first func(Action) bool) error {
	seen, ended, err := l.ended(ctx, id)
	if err != nil {
		return fmt.Errorf("end record %s: %w", id, err)
	}
	if ended {
		// By an earlier attempt of ours, or settled by a later holder of the
		// lease who has gone on since: what we know is not the latest.
		return nil
	}
	end := endDoc{Status: out.Status, Error: truncate(out.Error), RequestID: out.RequestID, AliasAfter: out.AliasAfter, Interrupted: out.Interrupted, Published: out.Published, Ended: time.Now().UTC()}
	if out.List != nil && !slices.Equal(out.List, rec.After) {
		end.List = out.List
	}
	// A share of the calls is not yet what the function has: as long as the
	// alias serves the old version, that is what was applied.
	if out.Status == plan.StatusApplied && !rec.Canary {
		if err := l.applyToPast(ctx, id, rec, out, first); err != nil {
			return err
		}
	}
	if err := l.settleClaim(ctx, id, rec, out); err != nil {
		return err
	}
	err = docs[record](l).UpdateFrom(ctx, l.recordKey(id), seen, func(d *record) bool {
		if d.End != nil {
			return false // settled by somebody in this very moment
		}
		if d.V == 0 {
			*d = rec // cannot be missing; if it is, the end must not be lost as well
		}
		d.End = &end
		return true
	})
	if err != nil {
		return fmt.Errorf("end record %s: %w", id, err)
	}
	return nil
}

// ended reports whether a record has an end. seen is its value, for UpdateFrom.
func (l *Log) ended(ctx context.Context, id string) (seen *store.Value, ended bool, err error) {
	var rec record
	var v store.Value
	err = store.Patiently(ctx, func() (err error) {
		rec, v, err = docs[record](l).Get(ctx, l.recordKey(id))
		return err
	})
	return &v, rec.End != nil, err
}

func (l *Log) recordKey(id string) string { return store.Key("history", l.repository, id) }

func (l *Log) openKey(environment, region string) string {
	return store.Key("open", l.repository, environment, region)
}

// name returns what an intent is about, for errors.
func name(in apply.Intent) string {
	if f := in.Function(); f != "" || len(in.Steps) == 0 {
		return f
	}
	return string(cmp.Or(in.Steps[0].From, in.Steps[0].To))
}
