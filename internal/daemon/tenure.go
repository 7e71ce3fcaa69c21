package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/store"
)

// This file is about having an account: getting its lease, losing it, giving it
// back, and seeing who else has it. account.go is about what is done meanwhile.

// leave waits for the rounds and gives the lease back, at the very end.
func (a *account) leave(ctx context.Context) {
	a.working.Wait()
	if a.lease == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if err := a.lease.Release(ctx); err != nil {
		a.Log.Warn("lease not given back", "account", a.id, "err", err)
		return
	}
	a.Log.Info("lease given back", "account", a.id, "fencing", a.lease.Fence())
}

// holds notes for others whether the lease is ours.
func (a *account) holds(yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holding = yes
}

// isFirst says whether this daemon has the lease of the first account.
func (a *account) isFirst(w *wanted) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := w.accounts()
	return a.holding && len(all) > 0 && all[0] == a.id
}

// hold says whether the lease is ours, after trying to get it if it is not.
func (a *account) hold(ctx context.Context) bool {
	if a.lease != nil && a.lease.Check() == nil {
		return true
	}
	if a.lease != nil {
		a.lose(ctx)
	}
	if a.storeReplaced() {
		return false
	}
	if !a.tried.IsZero() && time.Since(a.tried) < a.keeper.Term()/6 {
		return false
	}
	a.tried = time.Now()
	asking, cancel := context.WithTimeout(ctx, a.keeper.Term()/3)
	defer cancel()
	l, err := a.keeper.Try(asking, a.id)
	held, taken := errors.AsType[*lease.HeldError](err)
	switch {
	case ctx.Err() != nil:
		if l != nil {
			a.lease = l // given back by leave
		}
		return false
	case taken:
		a.storeWorks()
		a.waitFor(asking, held)
		return false
	case err != nil:
		a.storeFails(err)
		return false
	}
	a.storeWorks()
	a.took(ctx, l)
	return true
}

// lose lets go of a lease that is not ours any more. Rounds under way have
// noticed, and finish what they sent.
func (a *account) lose(ctx context.Context) {
	err := a.lease.Check()
	_ = a.lease.Release(ctx) // it is lost: this only ends the renewal
	a.lease, a.tried = nil, time.Time{}
	a.holds(false)
	a.Log.Error("lease lost", "account", a.id, "err", err)
	if errors.Is(err, store.ErrReplaced) {
		a.storeFails(err) // one alert for one thing
	} else {
		a.Daemon.loses(a.id, err)
	}
	// Watching goes on, unless somebody else turns out to have it.
	a.blind = true
}

// letGo gives the lease back in the middle of life.
func (a *account) letGo(ctx context.Context, why string) {
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
	a.lease, a.blind, a.tried = nil, false, time.Now()
	a.holds(false)
	a.forgetAlerts()
}

// waitFor notes that somebody else has the lease, and what was decided there:
// that is what we show.
func (a *account) waitFor(ctx context.Context, held *lease.HeldError) {
	if a.blind {
		a.blind = false
		a.forgetAlerts()
	}
	a.Daemon.found(a.id)
	if who := held.By.ID; who != a.standby {
		a.standby = who
		a.Log.Info("standing by", "account", a.id, "holder", held.By.Name, "fencing", held.Fence, "renewed", held.Renewed)
	}
	if !a.shown.IsZero() && time.Since(a.shown) < a.Interval {
		return
	}
	a.shown = time.Now()
	for _, name := range a.wants().of(a.id) {
		if _, err := a.recall(ctx, name); err != nil {
			a.Log.Debug("revisions not read", "env", name, "err", err)
		}
	}
}

// took begins to look after the account: what the one before left in the store
// is what counts now.
func (a *account) took(ctx context.Context, l *lease.Lease) {
	before, had := l.Previous()
	a.lease, a.blind, a.standby = l, false, ""
	a.holds(true)
	a.Log.Info("lease taken", "account", a.id, "fencing", l.Fence(), "before", before.By.Name)
	a.Daemon.found(a.id)
	a.ringDelivery() // who has the first account speaks for the repository from now on
	a.inherit(ctx, before.By.Name)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.duties {
		d.fresh, d.last = true, time.Time{} // due at once
		if had && before.Renewed.After(d.since) {
			d.since = before.Renewed
		}
	}
}

// inherit reads what the holder before us left in the store.
func (a *account) inherit(ctx context.Context, holder string) {
	// The loop must not stand still when the store or Git does; the round
	// reads what it needs once more.
	ctx, cancel := context.WithTimeout(ctx, a.keeper.Term()/3)
	defer cancel()
	for _, name := range a.wants().of(a.id) {
		if err := a.rememberOne(ctx, name); err != nil && ctx.Err() == nil {
			a.Log.Error("last good commit not read", "env", name, "err", err)
		}
		m, err := a.recall(ctx, name)
		if err != nil && ctx.Err() == nil {
			a.Log.Error("revisions not read", "env", name, "err", err)
		}
		a.catchUp(ctx, holder, m.Observed)
	}
}

// idle says whether no round is under way.
func (a *account) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.duties {
		if d.busy {
			return false
		}
	}
	return true
}

// rested says whether every environment had its round since the lease was
// taken: handing it on before that would leave all of them waiting.
func (a *account) rested() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.duties {
		if d.last.IsZero() {
			return false
		}
	}
	return true
}
