package notify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/layerd/layerd/internal/words"
)

const (
	// firstRetry doubles up to maxRetry while a target takes nothing. A person
	// who has mended a webhook looks at the channel within a minute.
	firstRetry = 10 * time.Second
	maxRetry   = time.Minute
	// maxRetryAfter bounds for how long a target may ask to be left alone.
	maxRetryAfter = time.Hour
	// suspectAfter is after how many attempts a message may be the reason itself
	// why it is refused, so that another one is tried as well.
	suspectAfter = 3
	// giveUpAfter is after how long a message that no target takes is given up.
	giveUpAfter = 7 * 24 * time.Hour
	// recordTimeout is how long the note may take that a message was delivered,
	// whatever happened to the context.
	recordTimeout = 10 * time.Second
)

// Delivery is what became of the messages that waited.
type Delivery struct {
	Sent    int
	Waiting int       // still
	Next    time.Time // when something may be tried again; zero = nothing waits
	Failed  []Undelivered
}

// Undelivered is a message that a target did not take.
type Undelivered struct {
	Target  string
	Message Message
	Err     error
	Dropped bool // it will not be tried again
}

// pendingSend is a message on its way to one target.
type pendingSend struct {
	environment string
	memory      bool // it is not in the store
	message     Message
	target      Target
	attempts    attempts
	rank        int // of the loudest message of its alert that must not overtake it
}

// key identifies a pending send.
func (p pendingSend) key() [2]string { return [2]string{p.message.ID, p.target.Name()} }

// Deliver sends what waits to the targets that do not have it, the loudest
// first, and notes each message that was taken before it sends the next. Each
// time it chooses from all that waits by then, so that an alert that comes
// during a long queue is next. It tries everything that is due once. It has the
// messages of those environments that Cursor or Tell was called for. An error is
// the store's or the context's; what targets answered is in the Delivery. Where the
// store notes nothing, only what is not kept in it is still sent: that the store
// fails.
func (b *Book) Deliver(ctx context.Context) (Delivery, error) {
	select {
	case b.sending <- struct{}{}:
		defer func() { <-b.sending }()
	case <-ctx.Done():
		return Delivery{}, ctx.Err()
	}
	var out Delivery
	var failed error
	tried := map[[2]string]bool{}
	for {
		p, ok := b.nextDue(tried, time.Now(), failed != nil)
		if !ok {
			break
		}
		tried[p.key()] = true
		if err := b.deliver(ctx, p, &out); err != nil {
			if failed = err; ctx.Err() != nil {
				return out, err
			}
		}
	}
	out.Waiting, out.Next = b.left(time.Now())
	return out, failed
}

// nextDue returns the loudest message that may be sent now and was not tried, of
// all or of those in memory.
func (b *Book) nextDue(tried map[[2]string]bool, now time.Time, inMemory bool) (pendingSend, bool) {
	for _, p := range b.pendingSends() {
		if !tried[p.key()] && !b.due(p).After(now) && (p.memory || !inMemory) {
			return p, true
		}
	}
	return pendingSend{}, false
}

// left returns how many messages wait, and when the next may be tried.
func (b *Book) left(now time.Time) (waiting int, next time.Time) {
	pending := map[[2]string]bool{}
	for _, p := range b.pendingSends() {
		pending[p.key()] = true
		waiting++
		due := b.due(p)
		if due.Before(now) {
			due = now // it came meanwhile
		}
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.suspects, func(key [2]string, _ suspicion) bool { return !pending[key] })
	return waiting, next
}

// due returns when a message may be tried.
func (b *Book) due(p pendingSend) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	due := b.state(p.target.Name()).retryAt
	if suspect := b.suspects[p.key()].retryAt; suspect.After(due) {
		return suspect
	}
	return due
}

// pendingSends lists what waits, the loudest first and of those the oldest. The
// messages of one alert keep their order: the first of them is as loud as the
// loudest behind it.
func (b *Book) pendingSends() []pendingSend {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []pendingSend
	add := func(environment string, memory bool, d document) {
		rank := map[string]map[ID]int{} // by target and alert, of what is behind
		first := len(list)
		for _, w := range slices.Backward(d.Outbox) {
			for _, t := range b.targets {
				a, ok := w.To[t.Name()]
				if !ok {
					continue
				}
				if rank[t.Name()] == nil {
					rank[t.Name()] = map[ID]int{}
				}
				loudest := max(rank[t.Name()][w.Message.Alert], w.Message.Severity.rank())
				rank[t.Name()][w.Message.Alert] = loudest
				list = append(list, pendingSend{environment, memory, w.Message, t, a, loudest})
			}
		}
		slices.Reverse(list[first:])
	}
	add("", true, b.memory)
	for environment, d := range b.docs {
		add(environment, false, d)
	}
	slices.SortStableFunc(list, func(x, y pendingSend) int {
		return cmp.Or(cmp.Compare(y.rank, x.rank), x.message.At.Compare(y.message.At), cmp.Compare(x.environment, y.environment))
	})
	return list
}

// deliver tries one message and records the outcome.
func (b *Book) deliver(ctx context.Context, p pendingSend, out *Delivery) error {
	began := time.Now()
	if b.isSent(p) {
		return b.done(ctx, p)
	}
	err := p.target.Send(ctx, p.message)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		out.Sent++
		b.took(p)
		return b.done(ctx, p)
	}
	e := sendError(err)
	drop := e.Verdict == Never || time.Since(p.message.At) > giveUpAfter
	out.Failed = append(out.Failed, Undelivered{Target: p.target.Name(), Message: p.message, Err: err, Dropped: drop})
	if e.Verdict == Never {
		return b.done(ctx, p) // the target answers, and takes others
	}
	b.postpone(p, e, began)
	if drop {
		return b.done(ctx, p)
	}
	return b.noteRefusal(ctx, p, e)
}

func (b *Book) isSent(p pendingSend) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[p.key()]
}

// done takes a message out of the outbox. Should that fail, this process at
// least does not send it a second time.
func (b *Book) done(ctx context.Context, p pendingSend) error {
	name := p.target.Name()
	b.mu.Lock()
	b.sent[p.key()] = true
	b.mu.Unlock()
	if err := b.note(ctx, p, func(d *document) bool { return d.delivered(p.message.ID, name) }); err != nil {
		return fmt.Errorf("note that %s has a message: %w", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sent, p.key())
	return nil
}

// noteRefusal notes for whoever starts next since when a target refuses a
// message and why; when that is noted already nothing is written.
func (b *Book) noteRefusal(ctx context.Context, p pendingSend, e *SendError) error {
	name := p.target.Name()
	b.mu.Lock()
	since := b.state(name).since.UTC()
	b.mu.Unlock()
	text := words.Truncate(e.Reason, 200)
	if p.attempts.Error == text && p.attempts.Since.Equal(since) {
		return nil
	}
	err := b.note(ctx, p, func(d *document) bool {
		return d.waiting(p.message.ID, name, func(w *waitingMessage) {
			w.To[name] = attempts{Count: p.attempts.Count + 1, Error: text, Since: since}
		})
	})
	if err != nil {
		return fmt.Errorf("note that %s did not take a message: %w", name, err)
	}
	return nil
}

// note records the outcome of a message, also when ctx has ended: what was
// delivered and not noted is delivered again.
func (b *Book) note(ctx context.Context, p pendingSend, change func(*document) bool) error {
	if p.memory {
		b.mu.Lock()
		defer b.mu.Unlock()
		change(&b.memory)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return b.update(ctx, p.environment, false, change)
}

// delay is how long to wait after the n-th attempt in a row that failed.
func delay(n int) time.Duration {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier, wait.MaxInterval, wait.RandomizationFactor = firstRetry, 2, maxRetry, 0
	wait.Reset()
	d := firstRetry
	for range min(n, 10) {
		d = wait.NextBackOff()
	}
	return d
}
