package round

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
)

// lookAge is for how long a look is good enough for saying what waits (DESIGN
// section 7: published versions are swept at most once in six hours).
const lookAge = 6 * time.Hour

// Cache keeps what rounds looked up beside the snapshot, by account, Region and
// role: while a version waits for its grace, asking again every minute who
// uses it would cost more than everything else. It also keeps the past as last
// read, for a round that has no store. It keeps what AWS answered, and no
// refusal of a look: what was refused is asked again in each round. What failed to be
// done, and what takes a minute to fail, is left for longer and longer. The nil Cache keeps
// nothing.
type Cache struct {
	mu     sync.Mutex // guards all below
	places map[Place]*looked
	pasts  map[[2]string]pastRead    // by environment and Region
	rolls  map[[2]string]changedRead // by environment and Region
	// failed are publishes and grants that AWS refused, and archives that were out of
	// reach; see failedLately.
	failed map[tryKey]failedTry
	// announced is what was last found and written of parameters, by environment and
	// Region.
	announced map[[2]string]announced
}

// changedRead is what a rollout did, as last read under a hold of the lease.
type changedRead struct {
	id, account string
	fence       int64
	list        []rollout.Changed
}

func (l *Cache) changed(e desired.Environment, id string, fence int64) ([]rollout.Changed, bool) {
	if l == nil || fence == 0 {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.rolls[[2]string{e.Name, e.Region}]
	return c.list, c.id == id && c.fence == fence && c.account == e.Account
}

// putChanged remembers what was read.
func (l *Cache) putChanged(e desired.Environment, id string, fence int64, list []rollout.Changed) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rolls[[2]string{e.Name, e.Region}] = changedRead{id: id, account: e.Account, fence: fence, list: list}
}

// pastRead is the past of an environment in a Region as last read.
type pastRead struct {
	plan.Past
	at time.Time
	// account and fence are the hold of a lease under which it was read, while
	// it is what the store has for sure; fence 0 = it may be old.
	account string
	fence   int64
}

// pastAge is for how long a past is taken for what the store has while the
// lease is ours, under which nobody else writes it. Reading a small value for
// every function in every minute is most of what a table in the cloud charges
// for; once an hour is what is left of it, for a store that somebody mended.
const pastAge = time.Hour

// NewCache returns an empty cache.
func NewCache() *Cache {
	return &Cache{
		places: map[Place]*looked{}, pasts: map[[2]string]pastRead{}, rolls: map[[2]string]changedRead{}, failed: map[tryKey]failedTry{}, announced: map[[2]string]announced{},
	}
}

// Reset forgets everything: the store that it was read beside is another one.
func (l *Cache) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.places)
	clear(l.pasts)
	clear(l.rolls)
	clear(l.failed)
	clear(l.announced)
}

// lastPast returns the past of an environment in a Region as last read.
func (l *Cache) lastPast(environment, region string) plan.Past {
	if l == nil {
		return plan.Past{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pasts[[2]string{environment, region}].Past
}

// Past returns the past that MarkFresh left under the same hold of the lease. It is
// trusted no more until MarkFresh is called again: whatever comes between, an error
// or a panic, has it read anew.
func (l *Cache) Past(e desired.Environment, fence int64, now time.Time) (plan.Past, bool) {
	if l == nil {
		return plan.Past{}, false
	}
	past, ours := l.peekPast(e, fence, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]string{e.Name, e.Region}
	p := l.pasts[key]
	p.fence = 0
	l.pasts[key] = p
	return past, ours
}

// peekPast is Past for a look that is not followed by a write: the past stays trusted.
func (l *Cache) peekPast(e desired.Environment, fence int64, now time.Time) (plan.Past, bool) {
	if l == nil {
		return plan.Past{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pasts[[2]string{e.Name, e.Region}]
	age := now.Sub(p.at)
	return p.Past, fence != 0 && p.fence == fence && p.account == e.Account && age >= 0 && age < pastAge
}

// putPast remembers what was read.
func (l *Cache) putPast(e desired.Environment, past plan.Past, now time.Time) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pasts[[2]string{e.Name, e.Region}] = pastRead{Past: past, at: now}
}

// invalidateChanged has what a rollout did read anew.
func (l *Cache) invalidateChanged(environment, region string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rolls, [2]string{environment, region})
}

// invalidate has the past read anew: something was written.
func (l *Cache) invalidate(environment, region string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]string{environment, region}
	p := l.pasts[key]
	p.fence = 0
	l.pasts[key] = p
	delete(l.rolls, key)
}

// MarkFresh records that nothing was written since the past was read.
func (l *Cache) MarkFresh(e desired.Environment, fence int64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]string{e.Name, e.Region}
	p := l.pasts[key]
	p.account, p.fence = e.Account, fence
	l.pasts[key] = p
}

// looked is what is kept of one place. Maps are replaced and never changed:
// snapshots share them. What qualifiers serve is not among it: it is the look
// at a function behind an alias, and as old as the snapshot.
type looked struct {
	since    time.Time // when the oldest part of it was looked up
	uses     *state.Uses
	aliases  map[string][]state.Alias
	policies map[state.LayerVersionARN]state.Policy
	probes   map[state.LayerVersionARN]state.Probe
	signing  map[string]state.Signing     // nil: not looked up
	tags     map[string]map[string]string // by function; nil: not looked up
	tagsAt   time.Time
}

// tagAge is for how long tags are good enough for saying what waits: whoever corrects one
// that blocks a function waits for it.
const tagAge = 5 * time.Minute

// fill puts what is known of n into s, and returns what is not.
func (l *Cache) fill(at Place, s *state.Snapshot, n state.Needs, now time.Time) state.Needs {
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
	if n.Signing && k.signing != nil {
		s.Signing, n.Signing = k.signing, false
	}
	if n.Tags && k.tags != nil && now.Sub(k.tagsAt) < tagAge {
		n.Tags = !recallTags(s, k.tags)
	}
	n.Aliases = recallMap(&s.Aliases, k.aliases, n.Aliases)
	n.Policies = recallMap(&s.Policies, k.policies, n.Policies)
	n.Probes = recallMap(&s.Probes, k.probes, n.Probes)
	return n
}

// recallTags puts into the functions of a snapshot the tags that they had, and reports
// whether each of them was known: a new one may have any.
func recallTags(s *state.Snapshot, known map[string]map[string]string) bool {
	list := slices.Clone(s.Functions) // which other snapshots share
	for i, f := range list {
		if list[i].Tags = known[f.Name]; list[i].Tags == nil {
			return false
		}
	}
	s.Functions = list
	return true
}

// tagsOf returns the tags of a snapshot by function; nil where they were not read.
func tagsOf(s state.Snapshot) map[string]map[string]string {
	m := make(map[string]map[string]string, len(s.Functions))
	for _, f := range s.Functions {
		if f.Tags == nil {
			return nil
		}
		m[f.Name] = f.Tags
	}
	return m
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

// put remembers what s has.
func (l *Cache) put(at Place, s state.Snapshot, now time.Time) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := &looked{since: now}
	if old := l.places[at]; old != nil {
		k.since, k.uses, k.signing, k.tags, k.tagsAt = old.since, old.uses, old.signing, old.tags, old.tagsAt
		k.aliases, k.policies, k.probes = maps.Clone(old.aliases), maps.Clone(old.policies), maps.Clone(old.probes)
	}
	if s.Uses != nil {
		k.uses = s.Uses
	}
	if s.Signing != nil {
		k.signing = s.Signing
	}
	if now.Sub(k.tagsAt) >= tagAge {
		k.tags, k.tagsAt = tagsOf(s), now
	}
	keepMap(&k.aliases, s.Aliases)
	keepMap(&k.policies, s.Policies)
	// A refusal is asked again while something waits for it: a right that was
	// missing may be granted a second later.
	maps.DeleteFunc(k.probes, func(v state.LayerVersionARN, _ state.Probe) bool { p, asked := s.Probes[v]; return asked && !p.Usable })
	keepMap(&k.probes, usable(s.Probes))
	l.places[at] = k
}

// usable returns the probes that AWS granted.
func usable(all map[state.LayerVersionARN]state.Probe) map[state.LayerVersionARN]state.Probe {
	granted := maps.Clone(all)
	maps.DeleteFunc(granted, func(_ state.LayerVersionARN, p state.Probe) bool { return !p.Usable })
	return granted
}

func keepMap[K comparable, V any](into *map[K]V, found map[K]V) {
	if *into == nil {
		*into = map[K]V{}
	}
	maps.Copy(*into, found)
}

// forgetAliases forgets the aliases of functions for which something was done: they
// have another revision now, and a canary other weights.
func (l *Cache) forgetAliases(at Place, r plan.Region) {
	var names []string
	for _, s := range r.Steps {
		if s.Kind == plan.KindServe && s.Result != nil && s.Result.Status != plan.StatusHeld {
			names = append(names, s.Function)
		}
	}
	l.forgetAliasesOf(at, names...)
}

// forgetAliasesOf forgets the aliases of functions.
func (l *Cache) forgetAliasesOf(at Place, functions ...string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.places[at]
	if k == nil {
		return
	}
	aliases := maps.Clone(k.aliases)
	for _, name := range functions {
		delete(aliases, name)
	}
	k.aliases = aliases
}

// drop forgets what is kept of a place: something in it turned out to be
// otherwise.
func (l *Cache) drop(at Place) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.places, at)
}
