package notify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/store"
)

// Options changes how a Book works.
type Options struct {
	Targets []Target // none: alerts are kept, and told to nobody
	// Repeat is after how long an alert that nobody did anything about is told
	// again; 0 = 24 hours.
	Repeat time.Duration
	// Suffix ends each command that a message names, so that it can be pasted
	// anywhere: "--repo URL --store STORE", quoted for a shell.
	Suffix string
}

// Book keeps what was told and what waits to be delivered, for one
// desired-state repository. Use it from as many goroutines as you like.
type Book struct {
	store      store.Store
	repository string
	targets    []Target
	repeat     time.Duration
	suffix     string

	// sending holds one token for whoever delivers: two at once would deliver
	// everything twice.
	sending chan struct{}

	// mu guards the rest.
	mu sync.Mutex
	// docs are the documents as last read or written, by environment, so that
	// delivering asks the store only when there is something to deliver.
	docs map[string]document
	// turns hold one token for each environment, for whoever reads or writes its
	// document: answers of two at once may arrive in another order than the store
	// had them, and then the older document would be the one in docs.
	turns map[string]chan struct{}
	// memory is the document of what cannot be kept: that the store fails.
	memory document
	// sent are messages that a target has and that could not be taken out of
	// the outbox, by ID and target.
	sent map[[2]string]bool
	// states are what is known of the targets, and suspects of messages that were
	// refused, by ID and target.
	states   map[string]*targetState
	suspects map[[2]string]suspicion
}

// NewBook returns the book that s keeps for a repository. It reads and writes
// nothing.
func NewBook(s store.Store, repository string, o Options) *Book {
	if o.Repeat <= 0 {
		o.Repeat = 24 * time.Hour
	}
	return &Book{
		store: s, repository: repository, targets: o.Targets, repeat: o.Repeat, suffix: o.Suffix, sending: make(chan struct{}, 1),
		docs: map[string]document{}, turns: map[string]chan struct{}{}, sent: map[[2]string]bool{}, states: map[string]*targetState{}, suspects: map[[2]string]suspicion{},
	}
}

// Cursor is how far the history of an environment was told; empty = nothing was
// told of it yet, and only what ends from now on is wanted. What an earlier
// process could not deliver is delivered from now on.
func (b *Book) Cursor(ctx context.Context, environment string) (history.Cursor, error) {
	over, err := b.turn(ctx, environment)
	if err != nil {
		return "", err
	}
	defer over()
	d, err := b.read(ctx, environment)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.docs[environment] = d
	return d.Cursor, nil
}

// Forget leaves the delivery of what was told of an environment to somebody
// else. What waits stays in the store.
func (b *Book) Forget(environment string) {
	b.mu.Lock()
	delete(b.docs, environment)
	b.mu.Unlock()
	b.forgetIdle()
}

// Reset forgets what was read: the store is another one. What is told without
// the store stays.
func (b *Book) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.docs)
}

// Tell compares a situation with what was told, and queues what is to be told
// now. Alerts and messages are written at once or not at all; when nothing is
// to be told, nothing is written. After an error, telling it again later loses
// nothing.
func (b *Book) Tell(ctx context.Context, s Situation) ([]Event, error) {
	if s.Environment == "" {
		return nil, fmt.Errorf("tell of an environment without a name: %w", store.ErrInvalid)
	}
	s.Suffix = b.suffix
	var events []Event
	err := b.update(ctx, s.Environment, true, func(d *document) (changed bool) {
		events, changed = d.tell(s, b.names(), b.repeat)
		return changed
	})
	if err != nil {
		return nil, fmt.Errorf("keep what is told of %s: %w", s.Environment, err)
	}
	if len(events) > 0 {
		b.retryNow()
	}
	return events, nil
}

// TellRepository is Tell for what concerns no environment. That the store
// fails is kept in memory: a restart may tell it once more.
func (b *Book) TellRepository(ctx context.Context, r Repository) ([]Event, error) {
	events := b.tellStore(r)
	if len(events) > 0 {
		b.retryNow()
	}
	if r.Store != "" {
		return events, nil
	}
	var more []Event
	err := b.update(ctx, "", true, func(d *document) (changed bool) {
		more, changed = d.tellRepository(r, b.repository, b.names(), b.repeat)
		return changed
	})
	if err != nil {
		return events, fmt.Errorf("keep what is told of the repository: %w", err)
	}
	if len(more) > 0 {
		b.retryNow()
	}
	return append(events, more...), nil
}

func (b *Book) tellStore(r Repository) []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	events, alerts := Events(b.memory.Alerts, StoreFacts(r), r.Now, b.repeat)
	b.memory.Alerts = alerts
	for _, e := range events {
		// The number starts again with each process, the time does not.
		o := origin{owner: fmt.Sprintf("store/%s/%d", r.Instance, r.Now.UnixNano()), context: b.repository, now: r.Now, zone: r.Zone}
		b.memory.enqueue(e, o, b.names())
	}
	return events
}

// Alerts returns the alerts of an environment that are not over; "" is the
// repository.
func (b *Book) Alerts(ctx context.Context, environment string) ([]Alert, error) {
	d, err := b.read(ctx, environment)
	return slices.DeleteFunc(d.Alerts, func(a Alert) bool { return !a.Resolved.IsZero() }), err
}

// Environments lists those that something was told of, sorted: one that the
// repository does not have any more was removed.
func (b *Book) Environments(ctx context.Context) ([]string, error) {
	var list []string
	for v, err := range b.store.List(ctx, store.Query{Prefix: store.Prefix("alert", b.repository)}) {
		if err != nil {
			return nil, fmt.Errorf("list what was told: %w", err)
		}
		segments, err := store.Split(v.Key)
		if err != nil {
			return nil, err
		}
		if name := segments[len(segments)-1]; name != "" {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list, nil
}

func (b *Book) names() []string {
	var list []string
	for _, t := range b.targets {
		list = append(list, t.Name())
	}
	return list
}

func (b *Book) key(environment string) string { return store.Key("alert", b.repository, environment) }

// read returns a document, which is empty where there is none.
func (b *Book) read(ctx context.Context, environment string) (document, error) {
	d, _, err := documents(b.store).Get(ctx, b.key(environment))
	return d, err
}

// turn waits until nobody else reads or writes the document of an environment.
func (b *Book) turn(ctx context.Context, environment string) (over func(), err error) {
	b.mu.Lock()
	token := b.turns[environment]
	if token == nil {
		token = make(chan struct{}, 1)
		b.turns[environment] = token
	}
	b.mu.Unlock()
	select {
	case token <- struct{}{}:
		return func() { <-token }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// update lets change alter a document and writes it, unless change reports that
// nothing is different. From then on its messages are delivered; where adopt is
// false, only if they are still: somebody else may do so since Forget.
func (b *Book) update(ctx context.Context, environment string, adopt bool, change func(*document) bool) error {
	over, err := b.turn(ctx, environment)
	if err != nil {
		return err
	}
	defer over()
	var kept *document // encoding may drop messages: what is cached is what is stored
	var noted [][2]string
	err = documents(b.store).Update(ctx, b.key(environment), func(d *document) bool {
		kept = d
		noted = b.noteSent(d)
		return change(d) || len(noted) > 0
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ours := b.docs[environment]; ours || adopt {
		b.docs[environment] = *kept
	}
	for _, key := range noted {
		delete(b.sent, key)
	}
	return nil
}

// noteSent takes what targets have out of a document, where that could not be
// noted at once: nothing that they have must be taken for unsent.
func (b *Book) noteSent(d *document) (noted [][2]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.sent {
		if d.delivered(key[0], key[1]) {
			noted = append(noted, key)
		}
	}
	return noted
}

// tell is what Tell does to the document.
func (d *document) tell(s Situation, targets []string, repeat time.Duration) (events []Event, changed bool) {
	s.Ended, s.Missed = d.fresh(s), d.newMissed(s.Missed)
	found := Facts(s)
	if s.Removed && d.Baseline.IsZero() {
		found.Facts = nil // it was never looked after, and its alerts are over
	}
	events, d.Alerts = Events(d.Alerts, found, s.Now, repeat)
	afresh := false
	if s.Removed && s.Forgotten != nil {
		events = forgotten(events, s)
		afresh = !d.Baseline.IsZero() || d.Cursor != ""
		d.Baseline, d.Cursor = time.Time{}, "" // what comes back is looked at for the first time
	}
	if d.Baseline.IsZero() && found.Decided {
		events = firstLook(events, s, s.Now)
		d.Baseline = s.Now.UTC()
	}
	o := origin{owner: s.Environment, context: commit(s.Revision, s.Subject), now: s.Now, zone: s.Zone}
	if s.Plan == nil && s.Revision == "" {
		o.context = ""
	}
	for _, e := range events {
		d.enqueue(e, o, targets)
	}
	dropped := d.forget(targets, s.Now)
	changed = dropped || afresh || len(events) > 0 || len(s.Ended) > 0 || len(s.Missed) > 0 || d.Cursor == "" && s.To != ""
	if changed && s.To != "" && (d.Cursor == "" || d.Cursor == s.From) {
		d.Cursor = s.To
	}
	return events, changed
}

func (d *document) tellRepository(r Repository, repository string, targets []string, repeat time.Duration) (events []Event, changed bool) {
	found := RepositoryFacts(r)
	// What another daemon found is for that one to resolve.
	others := slices.DeleteFunc(slices.Clone(d.Alerts), func(a Alert) bool { return a.Key == r.Instance })
	mine := slices.DeleteFunc(slices.Clone(d.Alerts), func(a Alert) bool { return a.Key != r.Instance })
	events, d.Alerts = Events(mine, found, r.Now, repeat)
	d.Alerts = append(d.Alerts, others...)
	slices.SortFunc(d.Alerts, byID)
	for _, e := range events {
		d.enqueue(e, origin{context: repository, now: r.Now, zone: r.Zone}, targets)
	}
	dropped := d.forget(targets, r.Now)
	return events, dropped || len(events) > 0
}
