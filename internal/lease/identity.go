package lease

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// Identity is the process as one holder, whoever in it takes leases: a daemon
// that was given another configuration goes on with what the one before it had,
// or was about to have. It sees to it that an account has one holder within the
// process as well. All its Keepers use one store; after that changed, Reset one.
type Identity struct {
	id      string
	process *Process // nil: nobody can prove that it has ended
	machine machine

	mu   sync.Mutex // guards both: rounds of several accounts ask at once
	seen map[string]sight
	held map[string]*claim // the accounts whose leases this process has not released
}

// claim is the right of one caller to take a lease, and the lease that came of it.
type claim struct{ lease *Lease } // nil: it is being taken

// NewIdentity returns an identity that nobody can prove anything about.
func NewIdentity() *Identity {
	return &Identity{id: rand.Text(), seen: map[string]sight{}, held: map[string]*claim{}}
}

// ThisProcess returns a new identity for this process of the operating system:
// when it has ended, whoever comes next on this machine need not wait for its
// leases to run out. Make one, and share it.
func ThisProcess() *Identity {
	i := NewIdentity()
	i.process, i.machine = thisProcess(), here()
	return i
}

// Keeper returns a Keeper that takes leases for the identity. A term that is not
// positive means Term.
func (i *Identity) Keeper(s store.Store, me Holder, term time.Duration) *Keeper {
	if term <= 0 {
		term = Term
	}
	me.ID, me.Process = i.id, i.process
	return &Keeper{Identity: i, store: s, me: me, term: term}
}

// ended reports whether a holder is a process that provably is no more.
func (i *Identity) ended(h Holder) bool {
	return h.ID != i.id && i.machine.ended(h.Process, i.process)
}

// claim returns the right to take the lease of an account, unless somebody in
// this process has it. Whose lease has run out has it no longer: what was sent
// under it has arrived, and nothing more is.
func (i *Identity) claim(account string) (*claim, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c := i.held[account]; c != nil && (c.lease == nil || !c.lease.ranOut()) {
		return nil, false
	}
	c := &claim{}
	i.held[account] = c
	return c, true
}

// drop releases a claim; one that went to somebody else meanwhile stays there.
func (i *Identity) drop(account string, c *claim) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.held[account] == c {
		delete(i.held, account)
	}
}

// fill notes what came of a claim.
func (i *Identity) fill(c *claim, l *Lease) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c.lease = l
}

// Reset forgets every beat that was seen: in a store that was opened anew it may
// come again, and would seem to have stood still all the while.
func (i *Identity) Reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.seen)
}

// watch notes what was seen and returns for how long it has been the same.
func (i *Identity) watch(account string, d doc) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	s, ok := i.seen[account]
	if !ok || s.fence != d.Fence || s.beat != d.Beat {
		s = sight{fence: d.Fence, beat: d.Beat, since: now()}
		i.seen[account] = s
	}
	return s.since.atLeast()
}

// sight is a beat and since when it has been seen.
type sight struct {
	fence, beat int64
	since       instant
}
