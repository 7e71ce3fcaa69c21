package lease

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// Lease is the right to act on one account. It renews itself until Release or
// until it is lost. Every Lease must be released, lost ones too.
type Lease struct {
	keeper   *Keeper
	account  string
	fence    int64
	previous View // who had it before; zero: it was never held
	claim    *claim

	stop context.CancelFunc // ends the renewal
	done chan struct{}      // closed by keep when it has ended
	over chan struct{}      // closed by end, when the lease is no longer ours

	mu      sync.Mutex // guards the rest
	doc     doc
	rev     store.Revision
	renewed instant         // before the store was asked for the last renewal that it confirmed
	sent    attempt         // the last renewal that was asked for
	err     error           // why it is over; nil while it is not
	looked  map[string]Look // noted since it was taken
}

// attempt is a renewal that the store was asked for, at first at since.
type attempt struct {
	beat  int64
	since instant
}

// begin starts the renewal of a lease that was just taken. asked is from
// before the store was asked for it.
func (k *Keeper) begin(account string, mine doc, rev store.Revision, asked instant, before doc) *Lease {
	ctx, stop := context.WithCancel(context.Background())
	l := &Lease{
		keeper: k, account: account, fence: mine.Fence, doc: mine, rev: rev, renewed: asked,
		stop: stop, done: make(chan struct{}), over: make(chan struct{}),
	}
	if before.Fence > 0 {
		l.previous = before.view()
	}
	go l.keep(ctx)
	return l
}

// Account returns the account that the lease is about.
func (l *Lease) Account() string { return l.account }

// Fence returns the fencing number: higher than that of every earlier lease of
// this account.
func (l *Lease) Fence() int64 { return l.fence }

// Previous returns who had the lease before, and until when it was renewed, and
// reports whether anyone did.
func (l *Lease) Previous() (View, bool) { return l.previous, l.previous.Fence > 0 }

// margin returns how long before its end a lease counts as lost.
func (l *Lease) margin() time.Duration { return l.keeper.term / 3 }

// left returns how long the lease lasts for sure. It may be negative.
func (l *Lease) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0
	}
	return l.keeper.term - l.renewed.atMost()
}

// ranOut reports whether the lease has ended by itself: no request that was sent
// under it can be on its way any more.
func (l *Lease) ranOut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keeper.term <= l.renewed.atMost()
}

// Until returns when the lease ends if it is not renewed any more. A request that
// changes something must not be on its way then.
func (l *Lease) Until() time.Time { return time.Now().Add(l.left()) }

// Check returns nil while the lease has more than its safety margin left. Ask
// right before each change, and above all before those that AWS itself cannot
// refuse (publishing and deleting a layer version).
func (l *Lease) Check() error {
	l.mu.Lock()
	err := l.err
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if l.left() <= l.margin() {
		return fmt.Errorf("%w: it was not renewed in time", ErrLost)
	}
	if err := store.Check(l.keeper.store); err != nil {
		// Whoever opens the store by its name finds no lease of ours.
		err = fmt.Errorf("%w: %w", ErrLost, err)
		if errors.Is(err, store.ErrReplaced) {
			l.end(err)
		}
		return err
	}
	return nil
}

// Asked returns who else wants the lease, and whether anyone does.
func (l *Lease) Asked() (Holder, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.doc.Waiting == nil {
		return Holder{}, false
	}
	return *l.doc.Waiting, true
}

// Looked notes when an environment was looked at, for people who read the lease. It is
// written with the next renewal, so that it costs nothing.
func (l *Lease) Looked(environment string, look Look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.looked == nil {
		l.looked = map[string]Look{}
	}
	look.At, look.Until = look.At.UTC().Round(0), look.Until.UTC().Round(0)
	l.looked[environment] = look
}

// forgotten is after how long an environment that nobody looks at any more leaves the
// lease: it was removed, or is in another account.
const forgotten = 30 * 24 * time.Hour

// withLooks returns what was noted besides what is stored. The caller has the lock.
func (l *Lease) withLooks(stored map[string]Look, now time.Time) map[string]Look {
	if len(l.looked) == 0 {
		return stored
	}
	all := maps.Clone(stored)
	if all == nil {
		all = map[string]Look{}
	}
	maps.Copy(all, l.looked)
	maps.DeleteFunc(all, func(_ string, look Look) bool { return now.Sub(look.At) > forgotten })
	return all
}

// Bind returns a context that ends with parent, or when the lease is over or has
// only its safety margin left; then its cause is an ErrLost.
func (l *Lease) Bind(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-l.over:
			cancel(l.Check())
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// Release ends the lease, in favor of whoever asked for it. Releasing twice, or
// what was lost, is fine. When the store cannot be reached, the lease runs out by
// itself.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.done
	defer l.keeper.drop(l.account, l.claim)
	if l.left() <= l.margin() {
		// It is lost, and what was sent before may still be on its way: it runs
		// out by itself, and no other holder has it earlier.
		l.end(fmt.Errorf("%w: it was not renewed in time", ErrLost))
	}
	if !l.end(fmt.Errorf("%w: it was released", ErrLost)) {
		return nil
	}
	l.mu.Lock()
	d, rev := l.doc, l.rev // from here on nobody else changes them
	looks := l.withLooks(d.Looked, time.Now())
	l.mu.Unlock()
	for range 3 {
		free := d
		free.Released, free.Next, free.Waiting = true, d.Waiting, nil
		free.Beat, free.Renewed, free.Looked = d.Beat+1, time.Now().UTC().Round(0), looks
		_, err := l.keeper.write(ctx, l.account, rev, free)
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
		// A renewal of ours whose answer got lost, or somebody who asks.
		d, rev, err = l.keeper.read(ctx, l.account)
		if err != nil || d.ID != l.keeper.me.ID || d.Fence != l.fence || d.Released {
			return err
		}
	}
	return fmt.Errorf("release the lease of %s: %w", l.account, store.ErrBusy)
}

// end notes why the lease is over, and reports whether it was not over already.
func (l *Lease) end(why error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	l.err = why
	close(l.over)
	return true
}

// keep renews until it is stopped or the lease is lost.
func (l *Lease) keep(ctx context.Context) {
	defer close(l.done)
	pause := l.keeper.term / 3
	for {
		// Not beyond the margin: that is when the lease counts as lost.
		t := time.NewTimer(max(0, min(pause, l.left()-l.margin())))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		left := l.left() - l.margin()
		if left <= 0 {
			l.end(fmt.Errorf("%w: it could not be renewed", ErrLost))
			return
		}
		pause = l.keeper.term / 3
		switch err := l.renew(ctx, min(left, pause)); {
		case errors.Is(err, ErrLost):
			l.end(err)
			return
		case err != nil:
			pause = l.keeper.term / 30 // soon again: there is still time
		}
	}
}

// renew raises the beat. ErrLost means that another holder has the
// lease; any other that the store did not confirm, which may be tried again.
func (l *Lease) renew(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		// At once: those who ask may write several times a second, and after a
		// pause what was just read would be old again.
		if err := l.renewOnce(ctx); !errors.Is(err, errAgain) || ctx.Err() != nil {
			return err
		}
	}
}

func (l *Lease) renewOnce(ctx context.Context) error {
	asked := now()
	l.mu.Lock()
	d, rev := l.doc, l.rev
	d.Beat, d.Renewed = d.Beat+1, asked.awake.UTC().Round(0)
	d.Looked = l.withLooks(d.Looked, d.Renewed)
	if l.sent.beat != d.Beat {
		l.sent = attempt{d.Beat, asked}
	}
	l.mu.Unlock()
	got, err := l.keeper.write(ctx, l.account, rev, d)
	switch {
	case errors.Is(err, store.ErrChanged):
		return l.reread(ctx)
	case errors.Is(err, store.ErrReplaced):
		return fmt.Errorf("%w: %w", ErrLost, err)
	case err != nil:
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doc, l.rev, l.renewed = d, got, asked
	return nil
}

// reread finds out who changed the lease. A renewal of ours whose answer got
// lost counts from when it was first asked for. When it was somebody who asks
// for the lease, the renewal has to be made again, on what is there now.
func (l *Lease) reread(ctx context.Context) error {
	d, rev, err := l.keeper.read(ctx, l.account)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case d.Fence < l.fence, d.Fence == l.fence && d.Beat < l.doc.Beat:
		// Nothing is ever deleted and no number goes back, so this is an older
		// store, or an empty one.
		return fmt.Errorf("%w: %w: the lease in it is older than ours, or there is none", ErrLost, store.ErrReplaced)
	case d.ID != l.keeper.me.ID || d.Fence != l.fence:
		return fmt.Errorf("%w: %s has it now", ErrLost, d.Name)
	}
	d.Process = l.keeper.me.Process // an older layerd that asked does not know it
	l.doc, l.rev = d, rev
	if d.Beat == l.sent.beat {
		l.renewed = l.sent.since
		return nil
	}
	return errAgain
}

// errAgain: what was written was old; write once more.
var errAgain = errors.New("the lease was written meanwhile")
