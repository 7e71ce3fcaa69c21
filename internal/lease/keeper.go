package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// Term is how long a lease outlives its last renewal, unless told
// otherwise. A holder that is killed is followed within two of these.
const Term = time.Minute

// AfterEnd is how long a lease is left alone whose holder has provably ended: what
// that sent last may be on its way to AWS or be carried out there, and whoever comes
// next is to find it done.
const AfterEnd = 2 * time.Second

// ErrLost: the lease is not ours any more, or cannot be shown to be.
var ErrLost = errors.New("the lease is lost")

// Holder is who has a lease.
type Holder struct {
	// ID tells processes apart; New makes it, and nobody else needs to.
	ID string `json:"id"`
	// Name is for people: a host and a process.
	Name string `json:"name"`
	// Repository is the identity of the desired state that the holder follows.
	Repository string `json:"repository"`
	// Process is which process it is; nil = not known, as older layerds left it.
	Process *Process `json:"process,omitempty"`
}

// ByApply ends the Name of a holder that is a single run by hand, and no daemon.
const ByApply = " (apply)"

// ByHand reports whether the holder is a single run by hand.
func (h Holder) ByHand() bool { return strings.HasSuffix(h.Name, ByApply) }

// View is a lease as somebody sees it who may not have it.
type View struct {
	By    Holder
	Fence int64
	// Renewed is by the holder's wall clock, in UTC: good for telling people,
	// good for giving up early, never good for taking over.
	Renewed  time.Time
	Term     time.Duration
	Released bool   // it has no holder; Renewed is when it was released
	Waiting  string // the ID of who asked for it, or whom it is reserved for; empty = none
	// Looked is when each environment was last looked at under the lease or one before
	// it, as of Renewed; absent = not known.
	Looked map[string]Look
}

// Look is when an environment was last looked at, by the holder's wall clock.
type Look struct {
	At time.Time `json:"at"`
	// Until is when whoever has not heard of another look should doubt that there are any.
	Until time.Time `json:"until"`
}

// HeldError means that another holder has the lease.
type HeldError struct {
	Account string
	View
	// Reserved: it has no holder, and was released for one who asked.
	Reserved bool
	// Ended: its holder is a process that has ended. It is free in a moment.
	Ended bool
}

func (e *HeldError) Error() string {
	switch {
	case e.Reserved:
		return fmt.Sprintf("the lease of account %s is being handed over by %s", e.Account, e.By.Name)
	case e.Ended:
		return fmt.Sprintf("%s, which acted on account %s, has just ended (lease %d)", e.By.Name, e.Account, e.Fence)
	}
	return fmt.Sprintf("%s acts on account %s (lease %d, renewed %s)", e.By.Name, e.Account, e.Fence, e.Renewed.Format(time.RFC3339))
}

// doc is a lease as it is stored: names and meanings stay.
type doc struct {
	V int `json:"v"`
	Holder
	Fence    int64     `json:"fence"`
	Beat     int64     `json:"beat"`    // raised by every renewal
	Seconds  float64   `json:"seconds"` // the holder's term
	Renewed  time.Time `json:"renewed"`
	Released bool      `json:"released,omitempty"`
	// Waiting is who asked for it, Next whom it is reserved for once released.
	Waiting *Holder `json:"waiting,omitempty"`
	Next    *Holder `json:"next,omitempty"`
	// Looked is kept for who reads the lease; nothing is decided by it.
	Looked map[string]Look `json:"looked,omitempty"`
}

const version = 1

func (d doc) term() time.Duration { return time.Duration(d.Seconds * float64(time.Second)) }

func (d doc) view() View {
	v := View{By: d.Holder, Fence: d.Fence, Renewed: d.Renewed, Term: d.term(), Released: d.Released, Looked: d.Looked}
	if next := cmp.Or(d.Waiting, d.Next); next != nil {
		v.Waiting = next.ID
	}
	return v
}

// Keeper takes leases for one process. All methods may be called from many
// goroutines.
type Keeper struct {
	*Identity
	store store.Store
	me    Holder
	term  time.Duration
}

// New returns a Keeper with an identity of its own. A term that is not positive
// means Term.
func New(s store.Store, me Holder, term time.Duration) *Keeper {
	return NewIdentity().Keeper(s, me, term)
}

// Term returns how long the leases of this Keeper last.
func (k *Keeper) Term() time.Duration { return k.term }

// Me returns the holder for whom this Keeper takes leases.
func (k *Keeper) Me() Holder { return k.me }

func key(account string) string { return store.Key("lease", account) }

// read returns the lease as it is stored; a zero fence when there never was one.
func (k *Keeper) read(ctx context.Context, account string) (doc, store.Revision, error) {
	v, err := k.store.Get(ctx, key(account))
	if errors.Is(err, store.ErrNotFound) {
		return doc{}, "", nil
	}
	if err != nil {
		return doc{}, "", fmt.Errorf("read the lease of %s: %w", account, err)
	}
	var d doc
	if err := store.Unmarshal(v.Data, version, &d); err != nil {
		return doc{}, "", fmt.Errorf("read the lease of %s: %w", account, err)
	}
	return d, v.Revision, nil
}

// write swaps the lease; an empty revision creates it.
func (k *Keeper) write(ctx context.Context, account string, old store.Revision, d doc) (store.Revision, error) {
	d.V = version
	return store.Documents[doc]{Store: k.store}.Write(ctx, key(account), old, &d)
}

// Look returns who has the lease of an account, and reports whether anyone ever
// had it.
func (k *Keeper) Look(ctx context.Context, account string) (View, bool, error) {
	d, rev, err := k.read(ctx, account)
	return d.view(), rev != "", err
}

// Try takes the lease if it is free, if its holder has provably ended, or has not
// been heard of for a whole term that this Keeper has watched; call it several
// times a term. Otherwise the error is a *HeldError, or ErrTwice. It waits for
// nothing but the store.
func (k *Keeper) Try(ctx context.Context, account string) (*Lease, error) {
	c, free := k.claim(account)
	if !free {
		return nil, fmt.Errorf("take the lease of %s: %w", account, ErrTwice)
	}
	l, err := k.take(ctx, account)
	if err != nil {
		k.drop(account, c)
		return nil, err
	}
	l.claim = c
	k.fill(c, l)
	return l, nil
}

// ErrTwice: somebody in this process has the lease already and has not released it.
var ErrTwice = errors.New("this process has it already")

func (k *Keeper) take(ctx context.Context, account string) (*Lease, error) {
	// Before the first look: what another call of this process, cancelled since,
	// still had on its way cannot have arrived earlier, and may be what we get.
	asked := now()
	before, rev, err := k.read(ctx, account)
	if err != nil {
		return nil, err
	}
	if rev != "" {
		if err := k.refusal(account, before); err != nil {
			return nil, err
		}
	}
	mine := doc{
		Holder: k.me, Fence: before.Fence + 1, Seconds: k.term.Seconds(), Renewed: asked.awake.UTC().Round(0),
	}
	if before.Repository == k.me.Repository {
		mine.Looked = before.Looked // what was seen does not become unseen with the change of hands
	}
	got, err := k.write(ctx, account, rev, mine)
	if err != nil {
		// Somebody was faster, or it is ours and the answer got lost: the value
		// says which. The ID is that of this process alone. A caller that does not
		// want it any more is told all the same, and releases it.
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.term/20)
		defer cancel()
		after, now, again := k.read(asking, account)
		switch {
		case again != nil:
			return nil, fmt.Errorf("take the lease of %s: %w", account, err)
		case after.ID == k.me.ID && after.Fence == mine.Fence && !after.Released:
			got, mine = now, after
		case errors.Is(err, store.ErrChanged), errors.Is(err, store.ErrExists):
			k.watch(account, after)
			return nil, &HeldError{Account: account, View: after.view()}
		default:
			return nil, fmt.Errorf("take the lease of %s: %w", account, err)
		}
	}
	return k.begin(account, mine, got, asked, before), nil
}

// refusal returns why a lease that there is cannot be taken now. One that is still
// ours can always: it was lost for want of an answer, and released, or whoever
// took it in this process did not learn that it had it.
func (k *Keeper) refusal(account string, d doc) error {
	watched, ended := k.watch(account, d), k.ended(d.Holder)
	switch {
	case d.Released && d.Next != nil && d.Next.ID != k.me.ID && watched < k.term && !k.ended(*d.Next):
		return &HeldError{Account: account, View: d.view(), Reserved: true}
	case d.Released, d.ID == k.me.ID, ended && watched >= AfterEnd:
		return nil
	case watched < max(d.term(), k.term):
		return &HeldError{Account: account, View: d.view(), Ended: ended}
	}
	return nil
}

// Ask leaves a wish for a lease that another has. The latest wish counts; it
// costs one write and is not repeated while it stands.
func (k *Keeper) Ask(ctx context.Context, account string) error {
	d, rev, err := k.read(ctx, account)
	if err != nil || rev == "" || d.Released || d.ID == k.me.ID || d.Waiting != nil && d.Waiting.ID == k.me.ID {
		return err
	}
	d.Waiting = &k.me
	if _, err := k.write(ctx, account, rev, d); err != nil && !errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("ask for the lease of %s: %w", account, err)
	}
	return nil // when it changed, the next look asks again
}

// withdraw takes back a wish of ours, granted or not: the lease of somebody who
// is gone would be kept for them for a whole term.
func (k *Keeper) withdraw(ctx context.Context, account string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.term/20)
	defer cancel()
	for range 5 {
		d, rev, err := k.read(ctx, account)
		ours := func(h *Holder) bool { return h != nil && h.ID == k.me.ID }
		if err != nil || !ours(d.Waiting) && !ours(d.Next) {
			return
		}
		if ours(d.Waiting) {
			d.Waiting = nil
		}
		if ours(d.Next) {
			d.Next = nil
		}
		if _, err := k.write(ctx, account, rev, d); !errors.Is(err, store.ErrChanged) {
			return // should it fail, it costs the next one a term
		}
	}
}

// Acquire takes the lease as Try does, and waits for it. A holder that is alive is asked to
// hand the lease over, if patience is more than nothing, and when that has
// passed the *HeldError is returned. A holder that looks dead is watched for as
// long as it takes to be sure, at most a term. waiting, when not nil, is called
// once with whom it waits for.
func (k *Keeper) Acquire(ctx context.Context, account string, patience time.Duration, waiting func(*HeldError)) (_ *Lease, err error) {
	var first *HeldError
	defer func() {
		if err != nil && first != nil {
			k.withdraw(ctx, account)
		}
	}()
	for began := time.Now(); ; {
		l, err := k.Try(ctx, account)
		held, ok := errors.AsType[*HeldError](err)
		if !ok {
			return l, err
		}
		// Renewed is by another clock: good enough for giving up early.
		alive := !held.Ended && (time.Since(held.Renewed) < max(held.Term, k.term) || first != nil && !first.Renewed.Equal(held.Renewed))
		if alive && time.Since(began) >= patience {
			return nil, held
		}
		if first == nil {
			first = held
			if waiting != nil {
				waiting(held)
			}
		}
		if alive && !held.Reserved {
			if err := k.Ask(ctx, account); err != nil {
				return nil, err
			}
		}
		t := time.NewTimer(k.term / 60)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		case <-t.C:
		}
	}
}
