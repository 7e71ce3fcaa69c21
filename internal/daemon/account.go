package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/round"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
)

// account is one AWS account: its lease and its environments, each of which has
// its own time to come. A long rollout of one does not keep another from its
// window.
type account struct {
	*Daemon
	id   string
	bell chan struct{} // something is new; holds one token

	// Only the loop touches these.
	lease   *lease.Lease
	tried   time.Time // when the lease was last tried for
	blind   bool      // we had the lease last, and the store does not answer
	standby string    // who has the lease, as last logged
	shown   time.Time // when its decisions were last read, to be shown

	working sync.WaitGroup // rounds under way

	// mu guards what follows, which rounds write. It may be taken while the
	// daemon's is held, never the other way round.
	mu      sync.Mutex
	duties  map[string]*duty
	turns   int // rounds that were begun
	ticked  time.Time
	holding bool // the lease is ours
	// answers are who has changed a function, by Region and name.
	answers map[[2]string]answered
}

// duty is one environment of an account.
type duty struct {
	busy bool
	turn int // of the round that it is busy with, or was last
	// last is when its last round began, and pause how long the next may wait;
	// on the monotonic clock, so that a clock that is set changes nothing.
	last  time.Time
	pause time.Duration
	// at is when something that is held may move, by the wall clock; zero =
	// nothing is known to.
	at time.Time
	// touched is when a round of it was last heard of.
	touched time.Time
	// looked is when AWS was last read completely for it, by the wall clock,
	// and first when that was first tried.
	looked, first time.Time
	// astray is why its last round could not be made where it is meant: the
	// credentials, or the answers, are another account's. Empty = it could.
	astray string
	// fresh says that the lease was taken since its last round: what ended
	// before, and what was missed, is still to be told.
	fresh bool
	// since is until when somebody is known to have looked after it before.
	since time.Time
	// revision is of the newest commit that its last round knew.
	revision string
	// told is how far its history was told, and read where that is kept.
	told, read history.Cursor
}

func newAccount(d *Daemon, id string) *account {
	return &account{Daemon: d, id: id, bell: make(chan struct{}, 1), duties: map[string]*duty{}, answers: map[[2]string]answered{}, ticked: time.Now()}
}

func (a *account) ring() {
	select {
	case a.bell <- struct{}{}:
	default:
	}
}

// run looks after the account until ctx ends; then it waits for its rounds and
// gives the lease back.
func (a *account) run(ctx context.Context) {
	defer a.leave(context.WithoutCancel(ctx))
	a.every(ctx, "account "+a.id, a.bell, a.tick)
}

// tick does what is due and says how long nothing will be.
func (a *account) tick(ctx context.Context) time.Duration {
	w, names := a.roster()
	if len(names) == 0 {
		a.Daemon.found(a.id) // whoever has it now, nobody needs to
		a.letGo(ctx, "no environment is in it any more")
		return tick
	}
	if !a.hold(ctx) {
		if a.blind {
			a.start(ctx, w, names)
		}
		return min(tick, a.keeper.Term()/6)
	}
	w, names = a.roster() // taking the lease may have changed it
	if who, asked := a.lease.Asked(); asked && a.idle() && a.rested() {
		a.letGo(ctx, "asked for by "+who.Name)
		return tick
	}
	return a.start(ctx, w, names)
}

// roster gives what is followed and the environments of the account, and has a
// duty for each of them and for no other.
func (a *account) roster() (*wanted, []string) {
	w := a.wants()
	names := w.of(a.id)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ticked = time.Now()
	maps.DeleteFunc(a.duties, func(name string, d *duty) bool { return !d.busy && !slices.Contains(names, name) })
	for _, name := range names {
		if a.duties[name] == nil {
			a.duties[name] = &duty{fresh: true, first: time.Now()}
		}
	}
	return w, names
}

// start begins a round over the environments that are due, and says how long
// none of the others will be.
func (a *account) start(ctx context.Context, w *wanted, names []string) time.Duration {
	due, turn, next := a.due(w, names, time.Now())
	if len(due) == 0 {
		return next
	}
	l := a.lease // which the loop may lose while the round works
	if a.blind {
		l = nil
	}
	a.working.Go(func() {
		defer a.ring()
		defer a.ended(due, turn)
		a.guard("round of "+a.id, func() time.Duration {
			if l == nil {
				a.watch(ctx, w, due)
			} else {
				a.round(ctx, w, due, turn, l)
			}
			return 0
		})
	})
	return next
}

// due picks the environments whose time has come and marks them as busy. When
// it has come for one it has for all that are free: they look at AWS together.
func (a *account) due(w *wanted, names []string, now time.Time) (due []string, turn int, next time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next = tick
	var free []*duty
	for _, name := range names {
		d := a.duties[name]
		if d.busy {
			continue
		}
		next = min(next, d.left(w.newest, now))
		free, due = append(free, d), append(due, name)
	}
	if next > 0 {
		return nil, 0, next
	}
	pause := jitter(a.Interval)
	a.turns++
	for _, d := range free {
		d.busy, d.turn, d.last, d.touched, d.at, d.pause = true, a.turns, now, now, time.Time{}, pause
		d.revision = w.newest
	}
	slices.Sort(due)
	return due, a.turns, tick
}

// left is how long the environment may wait for its next round.
func (d *duty) left(revision string, now time.Time) time.Duration {
	if d.last.IsZero() || d.revision != revision {
		return 0 // a commit that is new to it does not wait for the minute to pass
	}
	left := d.pause - now.Sub(d.last)
	if !d.at.IsZero() {
		left = min(left, d.at.Sub(now.Round(0)))
	}
	return max(left, 0)
}

// ended marks environments as free again, but for those that a later round has
// begun with meanwhile.
func (a *account) ended(names []string, turn int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range names {
		if d := a.duties[name]; d != nil && d.turn == turn {
			d.busy = false
		}
	}
}

// touch notes that a round of the environment is alive.
func (a *account) touch(p round.Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.duties[p.Environment]; d != nil {
		d.touched = time.Now()
	}
}

// round makes one round over some environments. They look at AWS together and
// go on each for itself.
func (a *account) round(ctx context.Context, w *wanted, names []string, turn int, l *lease.Lease) {
	bound, cancel := l.Bind(ctx)
	defer cancel()
	r := a.newRound(&w, names)
	r.Store = a.Store
	r.Lease = func(context.Context, string) (round.Lease, error) { return l, nil }
	r.Decided = func(ctx context.Context, planned plan.Plan) error { return a.decided(ctx, w, planned) }
	a.begin(bound, names)
	p, err := r.Begin(bound)
	if err != nil {
		if bound.Err() == nil {
			a.storeFails(err)
		}
		return
	}
	for _, name := range names { // what resolves is known now, and nothing of it has begun
		if err := a.saveGood(bound, name); err != nil && bound.Err() == nil {
			a.Log.Error("last good commit not kept", "env", name, "err", err)
		}
	}
	var wg sync.WaitGroup
	for _, env := range p.Chosen() {
		wg.Go(func() {
			defer a.ended([]string{env[0].Name}, turn)
			began := time.Now()
			// apply keeps its own panics; what comes after would take all other
			// environments with it.
			a.guard("round of "+env[0].Name, func() time.Duration {
				planned := p.Apply(bound, env)
				a.after(bound, w, planned, time.Since(began))
				return 0
			})
		})
	}
	wg.Wait()
}

// decided writes down what is about to be begun.
func (a *account) decided(ctx context.Context, w *wanted, planned plan.Plan) error {
	begins, _ := changes(planned)
	return a.note(ctx, planned.Environment, func(m *memory) {
		m.Observed, m.Planned = w.newest, w.origins[planned.Environment].Revision
		if begins {
			m.Attempted = m.Planned
		}
	})
}

// after does what comes after a round of one environment: the next time, the
// record, and telling.
func (a *account) after(ctx context.Context, w *wanted, planned plan.Plan, took time.Duration) {
	a.schedule(planned)
	if ctx.Err() != nil && slices.ContainsFunc(planned.Regions, func(r plan.Region) bool { return r.Failure != nil }) {
		// It was stopped before it had looked, or while it did: that is not how
		// the environment is, and whoever comes next looks anew.
		return
	}
	a.logPlan(planned, w, took)
	if errors.Is(context.Cause(ctx), lease.ErrLost) {
		return // whoever has the lease next tells what became of it
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
	}
	_, left := changes(planned)
	wrong, known := w.wrong(planned)
	var since time.Time
	err := a.note(ctx, planned.Environment, func(m *memory) {
		m.Decision = decision(planned)
		switch {
		case len(wrong) == 0 && known:
			m.InvalidSince = time.Time{}
		case len(wrong) > 0 && m.InvalidSince.IsZero():
			m.InvalidSince = time.Now().UTC().Round(0)
		}
		since = m.InvalidSince
		if !left {
			m.Applied = m.Planned
		}
	})
	if len(wrong) > 0 || known {
		a.unsettle(planned.Environment, wrong, since)
	}
	if err == nil {
		err = a.tell(ctx, w, planned)
	}
	// Where all of that could be written the store works: what failed of the
	// plan is damage in this environment alone, and was told with it.
	if err != nil {
		a.storeFails(err)
		return
	}
	a.storeWorks()
}

// schedule says when the environment is to be looked at next.
func (a *account) schedule(planned plan.Plan) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.duties[planned.Environment]
	d.touched, d.astray = now, ""
	whole, began := true, d.last.Round(0)
	for _, r := range planned.Regions {
		whole = whole && r.Failure == nil
		if r.Failure != nil && r.Failure.Code == round.CodeWrongAccount {
			d.astray = r.Failure.Message
		}
		// The opening itself, whatever waits for it: a window that is shorter
		// than the interval is met as well. What came after the round began may
		// be too late for its decision, and is then due at once.
		for _, at := range []time.Time{r.Next, r.Due, opens(r.Want, began), opens(r.Want, now)} {
			if !at.IsZero() && (at.After(began) || at.Equal(r.Due)) && (d.at.IsZero() || at.Before(d.at)) {
				d.at = at
			}
		}
	}
	if whole {
		d.looked = now.Round(0)
	}
}

// opens is when an environment's window opens next; zero when it is open, or
// nobody knows.
func opens(e desired.Environment, now time.Time) time.Time {
	status := e.Calendar.At(now)
	if status.Open {
		return time.Time{}
	}
	return status.NextOpen
}

// logPlan writes one line for each Region; what was changed has lines of its
// own (apply).
func (a *account) logPlan(planned plan.Plan, w *wanted, took time.Duration) {
	for _, r := range planned.Regions {
		var held, applied, failed int
		for _, s := range r.Steps {
			switch {
			case s.Held != nil:
				held++
			case s.Result != nil && s.Result.Status == plan.StatusApplied:
				applied++
			case s.Result != nil && s.Result.Status == plan.StatusFailed:
				failed++
			}
		}
		log := a.Log.With("env", planned.Environment, "account", r.Want.Account, "region", r.Want.Region,
			"revision", w.origins[planned.Environment].Revision, "seconds", took.Round(time.Millisecond).Seconds())
		if r.Failure != nil {
			log.Error("round failed", "code", r.Failure.Code, "err", r.Failure.Message)
			continue
		}
		log.Info("round", "in_sync", r.InSync, "steps", len(r.Steps), "held", held, "applied", applied, "failed", failed,
			"drift", len(r.Drift), "blocked", len(r.Blocked), "calls", r.Cost.Calls)
	}
}

// watch makes a round that changes nothing and writes nothing: the store does
// not answer, and what happens in AWS still matters to somebody.
func (a *account) watch(ctx context.Context, w *wanted, names []string) {
	r := a.newRound(&w, names)
	r.Watching = "nothing is changed while the store does not work"
	result, err := r.Plan(ctx)
	if err != nil {
		return
	}
	for _, planned := range result.Plans {
		a.schedule(planned)
		a.logPlan(planned, w, 0)
		if wrong, known := w.wrong(planned); len(wrong) > 0 || known {
			a.unsettle(planned.Environment, wrong, time.Time{})
		}
	}
}
