package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
)

// account is one AWS account: its lease and its environments, each of which has
// its own schedule. A long rollout of one does not keep another from its window.
type account struct {
	*Daemon
	id    string
	woken chan struct{} // there is news; holds one token

	// Only the loop touches these.
	lease        *lease.Lease
	triedAt      time.Time // when the lease was last tried for
	observing    bool      // the store does not answer, and we had the lease last: rounds change nothing
	loggedHolder string    // who has the lease, as last logged
	shownAt      time.Time // when the holder's decisions were last read, for Health

	working sync.WaitGroup // rounds under way

	// mu guards what follows, which rounds write. It may be taken while the
	// daemon's is held, never the other way round.
	mu       sync.Mutex
	envs     map[string]*envState
	rounds   int // rounds that were begun
	loopedAt time.Time
	holding  bool  // the lease is ours
	fence    int64 // the number of the last lease that was
	// elsewhere is true while another daemon is known to have the lease, or to be
	// about to. Where neither is, nobody looks after the account since alone.
	elsewhere bool
	alone     time.Time
	// answers are who changed a function, by Region and name.
	answers map[[2]string]actorAnswer
	// temporary is since when functions are seen that a probe has made, by Region and name.
	temporary map[[2]string]seenTemporary
}

// envState is one environment of an account: its schedule, and how far its
// history was reported.
type envState struct {
	busy    bool
	roundNo int // of the round that it is busy with, or was last
	// began is when its last round began, and pause how long the next may wait;
	// on the monotonic clock, so that a clock that is set changes nothing.
	began time.Time
	pause time.Duration
	// dueAt is when a held step may move, by the wall clock; zero = unknown.
	dueAt time.Time
	// hinted is when the first event came that its next round is to look at; zero =
	// none did.
	hinted time.Time
	// progressAt is when a round of it last made progress.
	progressAt time.Time
	look       look
	figures    figures
	meters     map[string]*meter // by Region; see meter.go
	// justTaken is true when the lease was taken since its last round: what ended
	// before, and what was missed, is still to be reported.
	justTaken bool
	// servedUntil is until when some daemon is known to have run its rounds.
	servedUntil time.Time
	// revision is of the newest commit that its last round knew.
	revision string
	// toldUpTo is how far its history was reported, and readUpTo how far it was
	// read.
	toldUpTo, readUpTo history.Cursor
}

func newAccount(d *Daemon, id string) *account {
	return &account{Daemon: d, id: id, woken: make(chan struct{}, 1), envs: map[string]*envState{}, answers: map[[2]string]actorAnswer{}, loopedAt: time.Now(), alone: time.Now()}
}

func (a *account) wake() {
	select {
	case a.woken <- struct{}{}:
	default:
	}
}

// run looks after the account until ctx ends; then it waits for its rounds and
// releases the lease.
func (a *account) run(ctx context.Context) {
	defer a.shutdown(context.WithoutCancel(ctx))
	a.every(ctx, "account "+a.id, a.woken, a.runDue)
}

// runDue starts what is due and returns how long nothing will be.
func (a *account) runDue(ctx context.Context) time.Duration {
	w, names := a.environments()
	if len(names) == 0 {
		a.Daemon.noteHeld(a.id) // no environment needs it, whoever has it now
		a.release(ctx, "no environment is in it any more")
		return tick
	}
	if !a.ensureLease(ctx) {
		if a.observing {
			a.startDue(ctx, w, names)
		}
		if a.triedAt.IsZero() {
			return lease.AfterEnd
		}
		return min(tick, a.keeper.Term()/6)
	}
	w, names = a.environments() // taking the lease may have changed it
	if who, asked := a.lease.Asked(); asked && a.idle() && a.everyServed() {
		a.release(ctx, "asked for by "+who.Name)
		return tick
	}
	a.startMeters(ctx, time.Now())
	return a.startDue(ctx, w, names)
}

// environments returns what is followed and the names of the account's
// environments, and keeps an envState for each of them and for no other.
func (a *account) environments() (*desiredView, []string) {
	w := a.desired()
	names := w.of(a.id)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loopedAt = time.Now()
	maps.DeleteFunc(a.envs, func(name string, d *envState) bool { return !d.busy && !slices.Contains(names, name) })
	for _, name := range names {
		if a.envs[name] == nil {
			a.envs[name] = &envState{justTaken: true, look: look{first: time.Now()}}
		}
	}
	return w, names
}

// startDue begins a round over the environments that are due, and returns how
// long none of the others will be.
func (a *account) startDue(ctx context.Context, w *desiredView, names []string) time.Duration {
	due, roundNo, next := a.takeDue(w, names, time.Now())
	if len(due) == 0 {
		return next
	}
	l := a.lease // which the loop may lose while the round works
	if a.observing {
		l = nil
	}
	a.working.Go(func() {
		defer a.wake()
		defer a.markFree(due, roundNo)
		a.contain("round of "+a.id, func() {
			if l == nil {
				a.observeOnly(ctx, w, due)
			} else {
				a.runRound(ctx, w, due, roundNo, l)
			}
		})
	})
	return next
}

// takeDue picks the environments whose time has come and marks them as busy. When
// it has come for one it has for all that are free: they read AWS together. An event
// is about some of them, and only those are looked at for it.
func (a *account) takeDue(w *desiredView, names []string, now time.Time) (due []string, roundNo int, next time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var free, hinted []string
	sweep, soon := tick, tick
	for _, name := range names {
		d := a.envs[name]
		if d.busy {
			continue
		}
		sweep, soon = min(sweep, d.wait(w.newest, now)), min(soon, d.hintWait(now))
		free = append(free, name)
		if d.hintWait(now) == 0 {
			hinted = append(hinted, name)
		}
	}
	if due = free; sweep > 0 {
		due = hinted
	}
	if len(due) == 0 {
		return nil, 0, min(sweep, soon)
	}
	pause := jitter(a.Interval)
	a.rounds++
	for _, name := range due {
		d := a.envs[name]
		d.busy, d.roundNo, d.began, d.progressAt, d.dueAt, d.pause = true, a.rounds, now, now, time.Time{}, pause
		d.revision, d.hinted = w.newest, time.Time{}
	}
	slices.Sort(due)
	return due, a.rounds, tick
}

// wait is how long the environment may wait for its next round.
func (d *envState) wait(revision string, now time.Time) time.Duration {
	if d.began.IsZero() || d.revision != revision {
		return 0 // a commit that is new to it does not wait for the minute to pass
	}
	left := d.pause - now.Sub(d.began)
	if !d.dueAt.IsZero() {
		left = min(left, d.dueAt.Sub(now.Round(0)))
	}
	return max(left, 0)
}

// markFree marks environments as free again, but for those that a later round has
// begun with meanwhile.
func (a *account) markFree(names []string, roundNo int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range names {
		if d := a.envs[name]; d != nil && d.roundNo == roundNo {
			d.busy = false
		}
	}
}

// noteProgress notes that a round of the environment makes progress.
func (a *account) noteProgress(p round.Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.envs[p.Environment]; d != nil {
		d.progressAt = time.Now()
		if p.Phase == "apply" {
			d.look.applied = d.progressAt
		}
	}
}

// runRound makes one round over some environments. They read AWS together and
// are applied each for itself.
func (a *account) runRound(ctx context.Context, w *desiredView, names []string, roundNo int, l *lease.Lease) {
	bound, cancel := l.Bind(ctx)
	defer cancel()
	r := a.newRound(&w, names)
	r.Store = a.Store
	r.Lease = func(context.Context, string) (round.Lease, error) { return l, nil }
	r.Decided = func(ctx context.Context, planned plan.Plan) error { return a.recordDecision(ctx, w, planned) }
	a.loadCursors(bound, names)
	p, err := r.Begin(bound)
	if err != nil {
		if bound.Err() == nil {
			a.storeFails(err)
		}
		return
	}
	for _, name := range names { // what resolves is known now, and nothing of it has begun
		if err := a.saveLastGood(bound, name); err != nil && bound.Err() == nil {
			a.Log.Error("last good commit not kept", "env", name, "err", err)
		}
	}
	var wg sync.WaitGroup
	for _, env := range p.Chosen() {
		wg.Go(func() {
			defer a.markFree([]string{env[0].Name}, roundNo)
			began := time.Now()
			// apply keeps its own panics; what comes after would take all other
			// environments with it.
			a.contain("round of "+env[0].Name, func() {
				decided := p.Apply(bound, env)
				a.afterRound(bound, w, decided.Plan, time.Since(began))
				a.noteMeters(decided)
				a.noteLooked(env[0].Name, l)
			})
		})
	}
	wg.Wait()
}

// recordDecision records what is about to be begun.
func (a *account) recordDecision(ctx context.Context, w *desiredView, planned plan.Plan) error {
	a.noteLook(planned, false)
	begins, _ := changeProgress(planned)
	return a.updateRevisions(ctx, planned.Environment, func(m *revisions) {
		m.Observed, m.Planned = w.newest, w.origins[planned.Environment].Revision
		if begins {
			m.Attempted = m.Planned
		}
	})
}

// afterRound schedules the next round of an environment, records the outcome and
// reports it.
func (a *account) afterRound(ctx context.Context, w *desiredView, planned plan.Plan, took time.Duration) {
	a.scheduleNext(planned)
	a.countRound(planned, w.committed[planned.Environment], took)
	if round.CutShort(planned) {
		return // whoever comes next looks anew
	}
	a.noteLook(planned, true)
	a.noteTemporary(planned, time.Now())
	a.logPlan(planned, w, took)
	if errors.Is(context.Cause(ctx), lease.ErrLost) {
		return // the next holder of the lease reports the outcome
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
	}
	_, left := changeProgress(planned)
	wrong, known := w.problemsOf(planned)
	var since time.Time
	err := a.updateRevisions(ctx, planned.Environment, func(m *revisions) {
		m.Decision = summaryLine(planned)
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
		a.noteProblems(planned.Environment, wrong, since)
	}
	if err == nil {
		err = a.tell(ctx, w, planned)
	}
	// Where all of that could be written the store works: what failed of the
	// plan is damage in this environment alone, and was reported with it.
	if err != nil {
		a.storeFails(err)
		return
	}
	a.storeWorks()
}

// scheduleNext sets when the next round of the environment is due.
func (a *account) scheduleNext(planned plan.Plan) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.envs[planned.Environment]
	d.progressAt = now
	began := d.began.Round(0)
	for _, r := range planned.Regions {
		// The opening itself, whatever waits for it: a window that is shorter
		// than the interval is met as well. What came after the round began may
		// be too late for its decision, and is then due at once.
		for _, at := range []time.Time{r.Next, r.Due, opens(r.Want, began), opens(r.Want, now)} {
			if !at.IsZero() && (at.After(began) || at.Equal(r.Due)) && (d.dueAt.IsZero() || at.Before(d.dueAt)) {
				d.dueAt = at
			}
		}
	}
}

// opens returns when an environment's window opens next; zero when it is open, or
// when that is unknown.
func opens(e desired.Environment, now time.Time) time.Time {
	status := e.Calendar.At(now)
	if status.Open {
		return time.Time{}
	}
	return status.NextOpen
}

// logPlan writes one line for each Region; what was changed has lines of its
// own (apply).
func (a *account) logPlan(planned plan.Plan, w *desiredView, took time.Duration) {
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

// observeOnly makes a round that changes and writes nothing: the store does not
// answer, and people still want to see what happens in AWS.
func (a *account) observeOnly(ctx context.Context, w *desiredView, names []string) {
	r := a.newRound(&w, names)
	r.Watching = "nothing is changed while the store does not work"
	result, err := r.Plan(ctx)
	if err != nil {
		return
	}
	for _, planned := range result.Plans {
		a.scheduleNext(planned)
		a.noteLook(planned, false)
		a.logPlan(planned, w, 0)
		if wrong, known := w.problemsOf(planned); len(wrong) > 0 || known {
			a.noteProblems(planned.Environment, wrong, time.Time{})
		}
	}
}
