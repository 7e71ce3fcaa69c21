package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/store"
)

// This file is the life of an account's lease: acquired, lost, released, or held
// by another daemon. account.go is what is done under it.

// shutdown waits for the rounds and releases the lease, at the very end.
func (a *account) shutdown(ctx context.Context) {
	a.working.Wait()
	if a.lease == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	if err := a.lease.Release(ctx); err != nil {
		a.Log.Warn("lease not given back", "account", a.id, "err", err)
		return
	}
	a.Log.Info("lease given back", "account", a.id, "fencing", a.lease.Fence())
}

// setHolder notes for other goroutines whether the lease is ours, or another
// daemon's.
func (a *account) setHolder(ours, elsewhere bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !ours && !elsewhere && (a.holding || a.elsewhere) {
		a.alone = time.Now()
	}
	a.holding, a.elsewhere = ours, elsewhere
}

// isFirst reports whether this daemon has the lease of the first account.
func (a *account) isFirst(w *desiredView) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := w.accounts()
	return a.holding && len(all) > 0 && all[0] == a.id
}

// ensureLease reports whether the lease is ours, and tries to get it if it is
// not.
func (a *account) ensureLease(ctx context.Context) bool {
	if a.lease != nil && a.lease.Check() == nil {
		return true
	}
	if a.lease != nil {
		a.onLeaseLost(ctx)
	}
	if a.storeReplaced() {
		return false
	}
	if !a.triedAt.IsZero() && time.Since(a.triedAt) < a.keeper.Term()/6 {
		return false
	}
	a.triedAt = time.Now()
	asking, cancel := context.WithTimeout(ctx, a.keeper.Term()/3)
	defer cancel()
	l, err := a.keeper.Try(asking, a.id)
	held, taken := errors.AsType[*lease.HeldError](err)
	switch {
	case ctx.Err() != nil:
		if l != nil {
			a.lease = l // released by shutdown
		}
		return false
	case taken:
		a.storeWorks()
		a.standBy(asking, held)
		if held.Ended {
			a.triedAt = time.Time{} // it is free in a moment
		}
		return false
	case errors.Is(err, lease.ErrTwice):
		// What runs on of the daemon before this one in the process: it ends, or
		// its lease runs out.
		a.Log.Warn("lease not taken", "account", a.id, "err", err)
		return false
	case err != nil:
		a.storeFails(err)
		return false
	}
	a.storeWorks()
	a.onLeaseAcquired(ctx, l)
	return true
}

// onLeaseLost drops a lease that is not ours any more. Rounds under way have
// noticed, and finish what they sent.
func (a *account) onLeaseLost(ctx context.Context) {
	err := a.lease.Check()
	_ = a.lease.Release(ctx) // it is lost: this only ends the renewal
	a.lease, a.triedAt = nil, time.Time{}
	a.setHolder(false, false)
	a.Log.Error("lease lost", "account", a.id, "err", err)
	if errors.Is(err, store.ErrReplaced) {
		a.storeFails(err) // one alert for one thing
	} else {
		a.Daemon.noteLost(a.id, err)
	}
	// Observing goes on, unless another daemon turns out to have it.
	a.observing = true
}

// release gives up the lease while the daemon lives on.
func (a *account) release(ctx context.Context, why string) {
	if a.lease == nil || !a.idle() {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, a.keeper.Term()/3)
	defer cancel()
	err := a.lease.Release(bounded)
	log := a.Log.With("account", a.id, "fencing", a.lease.Fence(), "why", why)
	if err != nil {
		log.Warn("lease not given back", "err", err)
	} else {
		log.Info("lease given back")
	}
	a.lease, a.observing, a.triedAt = nil, false, time.Now()
	a.setHolder(false, true)
	a.forgetAlerts()
}

// standBy notes that another daemon has the lease, and reads its decisions:
// Health shows them.
func (a *account) standBy(ctx context.Context, held *lease.HeldError) {
	if a.observing {
		a.observing = false
		a.forgetAlerts()
	}
	a.Daemon.noteHeld(a.id)
	a.setHolder(false, !held.Ended)
	if who := held.By.ID; who != a.loggedHolder {
		a.loggedHolder = who
		a.Log.Info("standing by", "account", a.id, "holder", held.By.Name, "fencing", held.Fence, "renewed", held.Renewed)
	}
	if !a.shownAt.IsZero() && time.Since(a.shownAt) < a.Interval {
		return
	}
	a.shownAt = time.Now()
	for _, name := range a.desired().of(a.id) {
		if _, err := a.loadRevisions(ctx, name); err != nil {
			a.Log.Debug("revisions not read", "env", name, "err", err)
		}
	}
}

// onLeaseAcquired begins to look after the account from what the previous holder
// left in the store.
func (a *account) onLeaseAcquired(ctx context.Context, l *lease.Lease) {
	before, had := l.Previous()
	a.lease, a.observing, a.loggedHolder = l, false, ""
	a.setHolder(true, false)
	a.Log.Info("lease taken", "account", a.id, "fencing", l.Fence(), "before", before.By.Name)
	a.Daemon.noteHeld(a.id)
	a.wakeDelivery() // the holder of the first account reports on the repository from now on
	a.loadPredecessor(ctx, before.By.Name)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fence = l.Fence()
	for _, d := range a.envs {
		d.justTaken, d.began = true, time.Time{} // due at once
		d.figures = figures{}
		if had && before.Renewed.After(d.servedUntil) {
			d.servedUntil = before.Renewed
		}
	}
}

// loadPredecessor reads what the previous holder left in the store.
func (a *account) loadPredecessor(ctx context.Context, holder string) {
	// The loop must not stand still when the store or Git does; the round
	// reads what it needs once more.
	ctx, cancel := context.WithTimeout(ctx, a.keeper.Term()/3)
	defer cancel()
	for _, name := range a.desired().of(a.id) {
		if err := a.loadLastGoodOf(ctx, name); err != nil && ctx.Err() == nil {
			a.Log.Error("last good commit not read", "env", name, "err", err)
		}
		m, err := a.loadRevisions(ctx, name)
		if err != nil && ctx.Err() == nil {
			a.Log.Error("revisions not read", "env", name, "err", err)
		}
		a.catchUp(ctx, holder, m.Observed)
	}
}

// idle reports whether no round is under way.
func (a *account) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.envs {
		if d.busy {
			return false
		}
	}
	return true
}

// everyServed reports whether every environment had a round since the lease was
// acquired: releasing it earlier would starve them.
func (a *account) everyServed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.envs {
		if d.began.IsZero() {
			return false
		}
	}
	return true
}

// noteLooked has the lease say when AWS was last read completely for an environment,
// for layerd status: a round that finds nothing new leaves no other trace in the store.
func (a *account) noteLooked(environment string, l *lease.Lease) {
	a.mu.Lock()
	var at time.Time
	if d := a.envs[environment]; d != nil { // else it was removed meanwhile
		at = d.look.at
	}
	a.mu.Unlock()
	if !at.IsZero() {
		l.Looked(environment, lease.Look{At: at, Until: at.Add(max(staleAfter, 3*a.Interval))})
	}
}
