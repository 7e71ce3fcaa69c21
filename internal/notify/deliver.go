package notify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/layerd/layerd/internal/words"
)

const (
	// firstRetry doubles up to lastRetry while a target does not work; for one
	// that a person has to mend it begins higher.
	firstRetry  = 30 * time.Second
	brokenRetry = 10 * time.Minute
	lastRetry   = time.Hour
	// poisonAfter is after how many attempts a message does not hold up those
	// behind it any more: it may be the reason itself.
	poisonAfter = 8
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
}

// key identifies a pending send.
func (p pendingSend) key() [2]string { return [2]string{p.message.ID, p.target.Name()} }

// Deliver sends what waits to the targets that do not have it, oldest first,
// and notes each message that was taken before it sends the next. It tries
// everything that is due once. It has the messages of those environments
// that Tell was called for. An error is the store's or the context's; what
// targets answered is in the Delivery.
func (b *Book) Deliver(ctx context.Context) (Delivery, error) {
	select {
	case b.sending <- struct{}{}:
		defer func() { <-b.sending }()
	case <-ctx.Done():
		return Delivery{}, ctx.Err()
	}
	var out Delivery
	held := map[string]bool{} // targets that an older message waits for
	for _, p := range b.pendingSends() {
		name := p.target.Name()
		if due := b.due(p); held[name] || due.After(time.Now()) {
			if p.attempts.Count < poisonAfter {
				held[name] = true
			}
			continue
		}
		if err := b.deliver(ctx, p, &out); err != nil {
			return out, err
		}
	}
	out.Waiting, out.Next = b.left(time.Now())
	return out, nil
}

// left returns how many messages wait, and when the next may be tried.
func (b *Book) left(now time.Time) (waiting int, next time.Time) {
	held := map[string]bool{}
	for _, p := range b.pendingSends() {
		waiting++
		if name := p.target.Name(); !held[name] {
			due := b.due(p)
			if due.Before(now) {
				due = now // it came meanwhile
			}
			if next.IsZero() || due.Before(next) {
				next = due
			}
			held[name] = p.attempts.Count < poisonAfter
		}
	}
	return waiting, next
}

// due returns when a message may be tried.
func (b *Book) due(p pendingSend) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if gate := b.backoffUntil[p.target.Name()]; gate.After(p.attempts.Next) {
		return gate
	}
	return p.attempts.Next
}

// pendingSends lists what waits, oldest first.
func (b *Book) pendingSends() []pendingSend {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []pendingSend
	add := func(environment string, memory bool, d document) {
		for _, w := range d.Outbox {
			for _, t := range b.targets {
				if a, ok := w.To[t.Name()]; ok {
					list = append(list, pendingSend{environment, memory, w.Message, t, a})
				}
			}
		}
	}
	add("", true, b.memory)
	for environment, d := range b.docs {
		add(environment, false, d)
	}
	slices.SortStableFunc(list, func(x, y pendingSend) int {
		return cmp.Or(x.message.At.Compare(y.message.At), cmp.Compare(x.environment, y.environment))
	})
	return list
}

// deliver tries one message and records the outcome.
func (b *Book) deliver(ctx context.Context, p pendingSend, out *Delivery) error {
	var err error
	if sent := b.isSent(p); !sent {
		if err = p.target.Send(ctx, p.message); err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			out.Sent++
		}
	}
	if err == nil {
		return b.done(ctx, p)
	}
	v, asked := verdict(err)
	drop := v == Never || time.Since(p.message.At) > giveUpAfter
	out.Failed = append(out.Failed, Undelivered{Target: p.target.Name(), Message: p.message, Err: err, Dropped: drop})
	if drop {
		return b.done(ctx, p)
	}
	return b.postpone(ctx, p, err, v, asked)
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
	delete(b.backoffUntil, name)
	b.mu.Unlock()
	if err := b.note(ctx, p, func(d *document) bool { return d.delivered(p.message.ID, name) }); err != nil {
		return fmt.Errorf("note that %s has a message: %w", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sent, p.key())
	return nil
}

// postpone records that a message was refused and when it is tried again; until
// then its target is left alone.
func (b *Book) postpone(ctx context.Context, p pendingSend, why error, v Verdict, asked time.Duration) error {
	name := p.target.Name()
	a := attempts{Count: p.attempts.Count + 1, Error: words.Truncate(why.Error(), 200)}
	a.Next = time.Now().Add(delay(a.Count, v, asked)).UTC()
	if asked > 0 || a.Count < poisonAfter {
		b.mu.Lock()
		b.backoffUntil[name] = a.Next
		b.mu.Unlock()
	}
	err := b.note(ctx, p, func(d *document) bool {
		return d.waiting(p.message.ID, name, func(w *waitingMessage) { w.To[name] = a })
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
	return b.update(ctx, p.environment, change)
}

// delay is how long to wait after the n-th attempt. What the target asks for
// is done.
func delay(n int, v Verdict, asked time.Duration) time.Duration {
	if asked > 0 {
		return min(asked, giveUpAfter)
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.Multiplier, wait.MaxInterval, wait.RandomizationFactor = firstRetry, 2, lastRetry, 0
	if v == Broken {
		wait.InitialInterval = brokenRetry
	}
	wait.Reset()
	d := wait.InitialInterval
	for range min(n, 20) {
		d = wait.NextBackOff()
	}
	return d
}
