package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
)

// lostLease is an account whose lease was lost.
type lostLease struct {
	since time.Time
	why   string
}

// loadCursors reads, before a round changes anything, how far the history of its
// environments was reported. An environment that was never reported on begins
// here.
func (a *account) loadCursors(ctx context.Context, names []string) {
	news := false
	for _, name := range names {
		told, err := a.book.Cursor(ctx, name)
		if err == nil && told == "" {
			told, err = a.history.Now(ctx)
		}
		if err != nil {
			if ctx.Err() == nil {
				a.Log.Warn("what was told is not known", "env", name, "err", err)
			}
			continue
		}
		a.mu.Lock()
		if d := a.envs[name]; d.toldUpTo != told {
			news = news || d.toldUpTo == "" // what another process could not deliver is ours now
			d.toldUpTo, d.readUpTo = told, told
		}
		a.mu.Unlock()
	}
	if news {
		a.wakeDelivery()
	}
}

// tell reports what a round found out about an environment.
func (a *account) tell(ctx context.Context, w *desiredView, planned plan.Plan) error {
	now := time.Now()
	name := planned.Environment
	a.mu.Lock()
	d := *a.envs[name]
	a.mu.Unlock()
	wrong, _ := w.problemsOf(planned)
	s := notify.Situation{
		Environment: name, Zone: planned.Regions[0].Want.Zone, Now: now, Plan: &planned,
		Revision: w.origins[name].Revision, Subject: w.subjects[name], Invalid: wrong, Unread: w.newest == "",
		LookedAt: d.look.at.Round(0), StaleAfter: staleAfter, From: d.toldUpTo, Actors: a.actors(ctx, planned),
	}
	if w.newest != s.Revision {
		s.Observed = w.newest
	}
	if s.LookedAt.IsZero() {
		s.LookedAt = d.look.first.Round(0)
	}
	if d.justTaken {
		s.Missed = missed(planned, w.committed[name], d.servedUntil, now)
	}
	var err error
	if s.Ended, s.To, err = a.endedSince(ctx, name, d.readUpTo); err != nil {
		return err
	}
	events, err := a.book.Tell(ctx, s)
	if err != nil {
		return err
	}
	for _, e := range events {
		a.Log.Info("told", "env", name, "kind", string(e.Alert.Kind), "status", string(e.Status), "title", e.Alert.Title)
	}
	a.mu.Lock()
	a.envs[name].readUpTo, a.envs[name].justTaken, a.envs[name].servedUntil = s.To, false, now.Round(0)
	a.mu.Unlock()
	if len(events) > 0 {
		a.wakeDelivery()
	}
	return nil
}

// endedSince returns the steps of an environment that ended since the cursor.
func (a *account) endedSince(ctx context.Context, name string, from history.Cursor) ([]history.Entry, history.Cursor, error) {
	var list []history.Entry
	for {
		entries, next, err := a.history.CompletedSince(ctx, from)
		if err != nil {
			return nil, from, fmt.Errorf("read what has ended in %s: %w", name, err)
		}
		from = next
		if len(entries) == 0 {
			return list, from, nil
		}
		for _, e := range entries {
			if e.Environment == name {
				list = append(list, e)
			}
		}
	}
}

// maxMissed bounds how many missed openings are reported at once.
const maxMissed = 3

// missed returns the latest openings in which no daemon ran, if a step waits
// that could have been done in them.
func missed(planned plan.Plan, committed, since, now time.Time) []notify.Missed {
	var list []notify.Missed
	for _, r := range planned.Regions {
		if since.IsZero() || !slices.ContainsFunc(r.Steps, waitsForWindow) {
			continue
		}
		status := r.Want.Calendar.At(now)
		for from := since; ; {
			next := r.Want.Calendar.Next(from, 1)
			if len(next) == 0 || next[0].End.IsZero() || next[0].End.After(now) {
				break
			}
			o := next[0]
			from = o.End
			if o.Start.Before(since) || committed.After(o.End) {
				continue // a daemon ran for a part of it, or there was nothing to do
			}
			m := notify.Missed{Opening: o, Why: "layerd was not running", Next: status.NextOpen}
			if !slices.ContainsFunc(list, func(x notify.Missed) bool { return x.Start.Equal(o.Start) }) {
				list = append(list, m)
			}
		}
	}
	return list[max(0, len(list)-maxMissed):]
}

func waitsForWindow(s plan.Step) bool {
	return s.Kind != plan.KindPrune && s.HeldBy(plan.ByWindow)
}

// forgetAlerts leaves the delivery of alerts to the holder of the lease.
func (a *account) forgetAlerts() {
	for _, name := range a.desired().of(a.id) {
		a.book.Forget(name)
	}
}

// storeFails notes that the store does not work; storeWorks that it does. A
// cancelled call proves nothing about the store: layerd stops, or lost the lease.
func (d *Daemon) storeFails(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	gone := errors.Is(err, store.ErrReplaced)
	d.mu.Lock()
	before, known := d.storeError, d.replaced
	d.storeError, d.replaced = err.Error(), known || gone
	d.mu.Unlock()
	if before == "" || gone && !known {
		d.Log.Error("store does not work", "err", err)
	}
	if gone && !known {
		d.wakeDelivery()
	}
}

func (d *Daemon) storeWorks() {
	d.mu.Lock()
	before := d.storeError
	if !d.replaced { // else it works once it was opened anew
		d.storeError = ""
	}
	after := d.storeError
	d.mu.Unlock()
	if before != "" && after == "" {
		d.Log.Info("store works again")
	}
}

// noteLost notes that the lease of an account was lost; noteHeld that some daemon
// has it.
func (d *Daemon) noteLost(account string, why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := why.Error()
	if held, ok := errors.AsType[*lease.HeldError](why); ok {
		text = held.By.Name + " acts on it" // its whole text has a time in a zone of its own
	}
	d.lostLeases[account] = lostLease{time.Now().Round(0), text}
}

func (d *Daemon) noteHeld(account string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.lostLeases, account)
}

func (d *Daemon) wakeDelivery() {
	select {
	case d.deliverNow <- struct{}{}:
	default:
	}
}

// deliverLoop delivers messages and reports on the repository as a whole: once a
// minute and whenever it is woken.
func (d *Daemon) deliverLoop(ctx context.Context) {
	d.every(ctx, "deliver", d.deliverNow, func(ctx context.Context) time.Duration {
		d.tellRepository(ctx)
		out, err := d.book.Deliver(ctx)
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("delivery not noted", "err", err)
		}
		d.logDelivery(out)
		pause := time.Minute
		if !out.Next.IsZero() {
			pause = min(pause, max(time.Until(out.Next), time.Second))
		}
		return pause
	})
}

// logDelivery logs when a target begins or ceases to take messages, and each
// message that is lost. The attempts in between are no news.
func (d *Daemon) logDelivery(out notify.Delivery) {
	for _, f := range out.Failed {
		if f.Dropped {
			d.Log.Error("message given up", "target", f.Target, "title", f.Message.Title, "err", f.Err)
			continue
		}
		d.Log.Debug("message not delivered", "target", f.Target, "title", f.Message.Title, "err", f.Err)
	}
	for _, t := range d.book.Targets() {
		switch before := d.loggedTargets[t.Name]; {
		case t.Since.IsZero() && before != "":
			d.Log.Info("target takes messages again", "target", t.Name)
		case !t.Since.IsZero() && t.Reason != before:
			d.Log.Error("target takes no messages", "target", t.Name, "since", t.Since, "waiting", t.Waiting, "err", t.Reason)
		}
		if d.loggedTargets[t.Name] = t.Reason; t.Since.IsZero() {
			delete(d.loggedTargets, t.Name)
		}
	}
}

// reportEvery is how often the repository is reported on when nothing changed,
// for the reminders.
const reportEvery = 10 * time.Minute

// tellRepository reports the state of Git, the store and the leases. Of several
// daemons the holder of the first account does it for all.
func (d *Daemon) tellRepository(ctx context.Context) {
	// A store that hangs must not keep that from being reported.
	asking, cancel := context.WithTimeout(ctx, d.keeper.Term()/3)
	defer cancel()
	w := d.desired()
	d.noteOtherProblems(w)
	targets := d.book.Targets()
	d.mu.Lock()
	r := d.repositoryReport(w, targets)
	speaks := d.storeError != "" || len(d.accounts) == 0
	for _, a := range d.accounts {
		speaks = speaks || a.isFirst(w)
	}
	news := fmt.Sprint(speaks, d.head.staleReason() != "", r.Store, len(r.Lost), signature(r.Invalid), w.newest, w.tree.Names, r.Unreachable(), slices.Sorted(maps.Keys(d.unreadable)), d.deaf.told)
	same := news == d.reported && time.Since(d.reportedAt) < reportEvery
	if !same {
		d.reported, d.reportedAt = news, time.Now()
	}
	d.replacementTold = d.replaced
	d.mu.Unlock()
	if same {
		if d.removed.Load() {
			d.tellRemoved(asking, w) // somebody may have let it be forgotten
		}
		return
	}
	if !speaks {
		d.book.Forget("")
		return
	}
	if _, err := d.book.TellRepository(asking, r); err != nil && ctx.Err() == nil {
		d.Log.Warn("alerts of the repository not kept", "err", err)
		d.mu.Lock()
		d.reported = "" // once more, a minute later
		d.mu.Unlock()
	}
	if r.Store == "" {
		d.tellUnfollowed(asking, w)
		d.tellRemoved(asking, w)
	}
}

// repositoryReport needs the daemon's mu. It returns what is known of Git, the store,
// the leases, the targets and the secrets.
func (d *Daemon) repositoryReport(w *desiredView, targets []notify.TargetStatus) notify.Repository {
	r := notify.Repository{
		Now: time.Now(), ReadAt: d.head.readAt.Round(0), StaleAfter: staleAfter, Revision: d.head.commit.Hash,
		Invalid: w.unattributed, Followed: !w.noEnvironments, Unread: w.newest == "", Store: d.storeError, Targets: targets, Zone: w.zone(),
	}
	if d.head.err != nil {
		r.Error = d.head.err.Error()
	}
	if r.ReadAt.IsZero() {
		r.ReadAt = d.head.triedSince.Round(0)
	}
	for id, l := range d.lostLeases {
		r.Lost = append(r.Lost, notify.LostLease{Account: id, Since: l.since, Reason: l.why})
	}
	if d.deaf.told {
		r.Deaf = &notify.DeafQueue{Queue: d.EventsName, Since: d.deaf.since.Round(0), Reason: d.deaf.why, Interval: d.Interval}
	}
	for key, u := range d.unreadable {
		r.Secrets = append(r.Secrets, notify.UnreadableSecret{Key: key, Since: u.since, Reason: u.why})
	}
	return r
}

// tellUnfollowed reports environments that were never valid, which no round
// covers.
func (d *Daemon) tellUnfollowed(ctx context.Context, w *desiredView) {
	for _, name := range w.unfollowed() {
		s := notify.Situation{Environment: name, Zone: w.zone(), Now: time.Now(), Observed: w.newest, Invalid: w.invalid[name], Unread: w.newest == ""}
		if _, err := d.book.Tell(ctx, s); err != nil && ctx.Err() == nil {
			d.Log.Warn("invalid environment not told", "env", name, "err", err)
		}
	}
}

// tellRemoved reports environments that were reported on before and have no file
// in the repository any more, until a person has them forgotten; and recalls the
// forgotten ones that have a file again.
func (d *Daemon) tellRemoved(ctx context.Context, w *desiredView) {
	if w.newest == "" || w.noEnvironments {
		return // the repository was not read
	}
	known, err := d.book.Environments(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.Log.Warn("told environments not listed", "err", err)
		}
		return
	}
	forgotten, err := ruling.LoadForgotten(ctx, d.Store, d.Repository)
	if err != nil {
		if ctx.Err() == nil {
			d.Log.Warn("forgotten environments not listed", "err", err)
		}
		return
	}
	removed := false
	defer func() { d.removed.Store(removed) }()
	for _, name := range known {
		word, gone := forgotten[name]
		if slices.Contains(w.tree.Names, name) {
			if gone {
				if err := ruling.Recall(ctx, d.Store, d.Repository, name, time.Now()); err != nil && ctx.Err() == nil {
					d.Log.Warn("environment not recalled", "env", name, "err", err)
				}
			}
			continue
		}
		removed = removed || !gone
		if err := d.dropLastGood(ctx, name); err != nil && ctx.Err() == nil {
			d.Log.Warn("last good commit of a removed environment not dropped", "env", name, "err", err)
		}
		s := notify.Situation{Environment: name, Zone: w.zone(), Now: time.Now(), Removed: true}
		if gone {
			s.Forgotten = &word
		}
		if _, err := d.book.Tell(ctx, s); err != nil && ctx.Err() == nil {
			d.Log.Warn("removed environment not told", "env", name, "err", err)
		}
	}
}
