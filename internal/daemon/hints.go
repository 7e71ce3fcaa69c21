package daemon

import (
	"context"
	"time"

	"github.com/layerd/layerd/internal/daemon/metrics"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/hint"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/state"
)

// This file is what a queue of events does to a daemon: an environment that one is about
// has its next round sooner. Nothing else comes of it, and without it nothing is later.

const (
	// hintGather is how long a round waits for what comes with the first event: one
	// deployment has many.
	hintGather = 500 * time.Millisecond
	// hintSpacing is between the beginnings of two rounds of an environment at least where
	// events alone ask for the second.
	hintSpacing = 4 * time.Second
	// hintShare bounds how much of its time an environment is read for events: a round
	// that takes long has as many times as long before the next.
	hintShare = 4
	// hearPause is between two answers of the queue with messages, and hearIdle after one
	// without, which should have taken long by itself.
	hearPause, hearIdle = 100 * time.Millisecond, time.Second
	// hearAgain is after how long a queue that could not be read is tried again.
	hearAgain = 15 * time.Second
	// deafGrace is for how long trouble that passes by itself is no problem yet.
	deafGrace = 5 * time.Minute
)

// deafness is that the queue cannot be read, since when and why.
type deafness struct {
	since time.Time // zero = it can be, or is not tried
	why   string
	told  bool // it is a problem for a person by now
}

// hintsLoop follows the queue for as long as the daemon lives, if there is one.
func (d *Daemon) hintsLoop(ctx context.Context) {
	if d.Events != nil {
		d.every(ctx, "events", nil, d.hear)
	}
}

// hear receives once and returns how long to wait before the next time. A daemon that
// stands by receives nothing: it would hide the messages from the one that acts.
func (d *Daemon) hear(ctx context.Context) time.Duration {
	if !d.holdsAny() {
		d.Ends.readable(false)
		d.noteQueue(nil) // whoever holds an account reports on it
		return tick
	}
	messages, err := d.Events.Receive(ctx)
	d.Ends.readable(err == nil)
	if err == nil {
		d.Metrics.EventAge(oldest(messages))
		err = d.Events.Delete(ctx, d.heed(messages))
	}
	if ctx.Err() != nil {
		return 0
	}
	d.noteQueue(err)
	switch {
	case err != nil:
		return hearAgain
	case len(messages) == 0:
		return hearIdle
	}
	return hearPause
}

// oldest returns the age of the oldest message.
func oldest(messages []hint.Message) time.Duration {
	age := time.Duration(0)
	for _, m := range messages {
		if !m.Sent.IsZero() {
			age = max(age, time.Since(m.Sent))
		}
	}
	return age
}

// heed makes the environments due that the messages may be about, and returns those that
// nobody else has to see.
func (d *Daemon) heed(messages []hint.Message) []hint.Message {
	w, done := d.desired(), []hint.Message(nil)
	for _, m := range messages {
		outcome := d.heedOne(w, m)
		if outcome != metrics.EventLeft {
			done = append(done, m)
		}
		d.Metrics.Event(outcome)
	}
	return done
}

// heedOne returns what became of a message. One for an account that another daemon has is
// left to that one for as long as it may be news to it.
func (d *Daemon) heedOne(w *desiredView, m hint.Message) metrics.EventOutcome {
	event, err := hint.Parse(m.Body)
	if err != nil {
		d.Log.Debug("message is no event", "err", err)
		return metrics.EventMalformed
	}
	if event.Ends() {
		for _, s := range event.Subjects {
			d.Ends.heard(s)
		}
	}
	outcome := metrics.EventNothing
	for _, e := range w.tree.Environments {
		if !concerned(e, event.Subjects) {
			continue
		}
		switch {
		case d.makeDue(e):
			outcome = metrics.EventLook
		case outcome == metrics.EventNothing && time.Since(m.Sent) < d.Interval:
			outcome = metrics.EventLeft
		}
	}
	return outcome
}

// concerned reports whether what is about one of the subjects may change what a round of
// the environment finds.
func concerned(e desired.Environment, subjects []hint.Subject) bool {
	for _, s := range subjects {
		here := s.Account == e.Account && s.Region == e.Region
		switch {
		case s.Layer != "" && wishes(e, s):
			return true
		case s.Layer == "" && here && (s.Function == "" || e.MaySelect(s.Function)):
			return true
		}
	}
	return false
}

// wishes reports whether the environment has the layer, whosever it is.
func wishes(e desired.Environment, s hint.Subject) bool {
	for i := range e.Layers {
		if l := e.Layers[i].Layer; l.Name() == s.Layer && l.Account() == s.Account && l.Region() == s.Region {
			return true
		}
	}
	return false
}

// makeDue has the environment looked at soon, and reports whether it is ours.
func (d *Daemon) makeDue(e desired.Environment) bool {
	d.mu.Lock()
	a := d.accounts[e.Account]
	d.mu.Unlock()
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.envs[e.Name]
	if !a.holding || x == nil {
		return false
	}
	if x.hinted.IsZero() {
		x.hinted = time.Now()
		a.wake()
	}
	return true
}

// hintWait is how long the environment may wait for the round that events ask for; for
// good where none do.
func (d *envState) hintWait(now time.Time) time.Duration {
	if d.hinted.IsZero() {
		return tick
	}
	spacing := max(hintSpacing, hintShare*max(d.look.took, d.look.spent))
	return max(0, hintGather-now.Sub(d.hinted), spacing-now.Sub(d.began))
}

// holdsAny reports whether the daemon has the lease of any account.
func (d *Daemon) holdsAny() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.accounts {
		a.mu.Lock()
		holding := a.holding
		a.mu.Unlock()
		if holding {
			return true
		}
	}
	return false
}

// noteQueue logs that the queue cannot be read, once for each reason, and that it can
// again, and keeps it for readyz and the alert.
func (d *Daemon) noteQueue(err error) {
	d.mu.Lock()
	before, now := d.deaf, deafness{}
	if err != nil {
		now = deafness{since: before.since, why: err.Error()}
		if now.since.IsZero() {
			now.since = time.Now()
		}
		now.told = before.told || state.KindOf(err) != state.Again || time.Since(now.since) >= deafGrace
	}
	d.deaf = now
	d.mu.Unlock()
	switch {
	case err != nil && now.why != before.why:
		d.Log.Error("events cannot be read", "queue", d.EventsName, "since", now.since, "err", err)
	case err == nil && before.why != "":
		d.Log.Info("events can be read again", "queue", d.EventsName, "since", before.since)
	}
	if now.told != before.told {
		d.wakeDelivery()
	}
}

// deafProblem needs the daemon's mu. It returns the queue that cannot be read as a problem.
func (d *Daemon) deafProblem() []Problem {
	if !d.deaf.told {
		return nil
	}
	return []Problem{{
		Code: string(notify.AWSStale), Severity: desired.Error, Place: "aws.events.queue", Since: d.deaf.since,
		Message: "no events can be read, and drift is seen at the next round: " + d.deaf.why,
	}}
}
