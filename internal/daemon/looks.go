package daemon

import (
	"maps"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// lookAge is for how long a look is good enough for saying what waits (DESIGN
// section 7: published versions are swept at most once in six hours).
const lookAge = 6 * time.Hour

// Looks keeps what rounds looked up beside the snapshot, by account, Region and
// role: while a version waits for its grace, asking again every minute who
// uses it would cost more than everything else. It also keeps the past as last
// read, for a round that has no store. The nil Looks keeps nothing.
type Looks struct {
	mu     sync.Mutex // guards both
	places map[place]*looked
	pasts  map[[2]string]reconcile.Past // by environment and Region
}

// NewLooks makes an empty one.
func NewLooks() *Looks {
	return &Looks{places: map[place]*looked{}, pasts: map[[2]string]reconcile.Past{}}
}

// past gives the past of an environment in a Region as last read.
func (l *Looks) past(environment, region string) reconcile.Past {
	if l == nil {
		return reconcile.Past{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pasts[[2]string{environment, region}]
}

func (l *Looks) keepPast(environment, region string, p reconcile.Past) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pasts[[2]string{environment, region}] = p
}

// looked is what is kept of one place. Maps are replaced and never changed:
// snapshots share them.
type looked struct {
	since    time.Time // when the oldest part of it was looked up
	uses     *state.Uses
	aliases  map[string][]state.Alias
	policies map[state.LayerVersionARN]state.Policy
	probes   map[state.LayerVersionARN]state.Probe
}

// recall puts what is known of n into s, and gives back what is not.
func (l *Looks) recall(at place, s *state.Snapshot, n state.Needs, now time.Time) state.Needs {
	if l == nil {
		return n
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.places[at]
	if age := now.Sub(since(k)); k == nil || age >= lookAge || age < 0 {
		delete(l.places, at)
		return n
	}
	if n.Uses && k.uses != nil {
		s.Uses, n.Uses = k.uses, false
	}
	n.Aliases = recallMap(&s.Aliases, k.aliases, n.Aliases)
	n.Policies = recallMap(&s.Policies, k.policies, n.Policies)
	n.Probes = recallMap(&s.Probes, k.probes, n.Probes)
	return n
}

func since(k *looked) time.Time {
	if k == nil {
		return time.Time{}
	}
	return k.since
}

// recallMap moves what is known from wanted to into.
func recallMap[K comparable, V any](into *map[K]V, known map[K]V, wanted []K) (rest []K) {
	for _, key := range wanted {
		v, ok := known[key]
		if !ok {
			rest = append(rest, key)
			continue
		}
		if *into == nil {
			*into = map[K]V{}
		}
		(*into)[key] = v
	}
	return rest
}

// keep remembers what s has.
func (l *Looks) keep(at place, s state.Snapshot, now time.Time) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := &looked{since: now}
	if old := l.places[at]; old != nil {
		k.since, k.uses = old.since, old.uses
		k.aliases, k.policies, k.probes = maps.Clone(old.aliases), maps.Clone(old.policies), maps.Clone(old.probes)
	}
	if s.Uses != nil {
		k.uses = s.Uses
	}
	keepMap(&k.aliases, s.Aliases)
	keepMap(&k.policies, s.Policies)
	keepMap(&k.probes, s.Probes)
	l.places[at] = k
}

func keepMap[K comparable, V any](into *map[K]V, found map[K]V) {
	if *into == nil {
		*into = map[K]V{}
	}
	maps.Copy(*into, found)
}

// drop forgets what is kept of a place: something in it turned out to be
// otherwise.
func (l *Looks) drop(at place) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.places, at)
}
