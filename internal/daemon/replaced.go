package daemon

import (
	"context"
	"maps"
	"slices"

	"github.com/layerd/layerd/internal/store"
)

// This file is about a store that was deleted or replaced under the daemon.
// Everything that was read from it is dropped before the new one is touched:
// written into that, it would be a mixture of two pasts.

// storeReplaced reports whether the store has yet to be opened anew.
func (d *Daemon) storeReplaced() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.replaced
}

// renewStore opens a store that was replaced, once that was reported and nothing
// is under way that has read the old one.
func (d *Daemon) renewStore(ctx context.Context) {
	if err := store.Check(d.Store); err != nil {
		d.storeFails(err)
	}
	d.mu.Lock()
	due := d.replaced && d.replacementTold
	accounts := slices.Collect(maps.Values(d.accounts))
	d.mu.Unlock()
	if !due || slices.ContainsFunc(accounts, func(a *account) bool { return !a.free() }) {
		return
	}
	asking, cancel := context.WithTimeout(ctx, d.keeper.Term()/3)
	defer cancel()
	if r, ok := d.Store.(store.Replaceable); ok {
		if err := r.Reopen(asking); err != nil {
			d.storeFails(err)
			return
		}
	}
	d.forgetStore(accounts)
	d.Log.Warn("store opened anew: what was known of the past is what is in it now")
	d.storeWorks()
}

// forgetStore drops what was read from the store.
func (d *Daemon) forgetStore(accounts []*account) {
	d.keeper.Reset()
	d.book.Reset()
	d.cache.Reset()
	for _, a := range accounts {
		a.forgetStore()
	}
	d.lastGoodLoaded.Store(false)
	d.removed.Store(false)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, g := range d.lastGood {
		g.saved = false
	}
	clear(d.revisions)
	d.view, d.reported, d.replaced, d.replacementTold = nil, "", false, false
}

// free reports whether the account has no lease and no round under way.
func (a *account) free() bool {
	a.mu.Lock()
	holding := a.holding
	a.mu.Unlock()
	return !holding && a.idle()
}

func (a *account) forgetStore() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.envs {
		d.toldUpTo, d.readUpTo = "", ""
	}
}
