package notify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// listener is a target that is away at times, and holds each message against what
// it may be sent.
type listener struct {
	t    *testing.T
	name string
	book *Book
	away error
	got  map[ID][]Status
	turn map[ID]int // messages of one delivery
}

func (l *listener) Name() string { return l.name }

func (l *listener) Send(_ context.Context, m Message) error {
	if l.away != nil {
		return l.away
	}
	l.checkOrder(m)
	if m.Status != Told {
		if l.turn[m.Alert]++; l.turn[m.Alert] > 2 {
			l.t.Errorf("%s is sent %v of %v at once", l.name, append(l.got[m.Alert], m.Status), m.Alert)
		}
		l.got[m.Alert] = append(l.got[m.Alert], m.Status)
	}
	return nil
}

// checkOrder fails where a louder message waits that nothing holds back.
func (l *listener) checkOrder(m Message) {
	loudest := 0 // of what waits of the same alert
	for _, p := range l.book.pendingSends() {
		if p.target == Target(l) && p.message.Alert == m.Alert {
			loudest = max(loudest, p.message.Severity.rank())
		}
	}
	for _, p := range l.book.pendingSends() {
		if p.target == Target(l) && p.message.Severity.rank() > loudest {
			l.t.Errorf("%s has %s %s while %s %s waits", l.name, m.Severity, m.ID, p.message.Severity, p.message.ID)
		}
	}
}

// checkLife fails where what a target was sent of an alert is no life of one, or
// not the one that it had. Alerts that something else settled may go untold.
func (l *listener) checkLife(id ID, open, settled bool) {
	list := l.got[id]
	was := Resolved
	for _, s := range list {
		switch {
		case s == Opened && was != Resolved && !settled, s == Updated && was == Resolved, s == Reminded && was == Resolved:
			l.t.Errorf("%s was sent %v of %v", l.name, list, id)
		}
		was = s
	}
	if open && was == Resolved || !open && was != Resolved && !settled {
		l.t.Errorf("%s was sent %v of %v, and it is open: %v", l.name, list, id, open)
	}
}

// Q4: whatever is opened, updated and resolved while targets come and go, each
// target is sent lives of alerts, in their order, the loudest first, at most two
// messages of each alert at once, and at the end knows what is.
func TestQ4LawsOfDelivery(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) { playOutages(t, rand.New(rand.NewPCG(seed, 4))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func playOutages(t *testing.T, r *rand.Rand) {
	kinds := []Kind{Drift, ChangeHeld, ApplyFailed, Blocked, GitStale}
	one, two := &listener{t: t, name: "one", got: map[ID][]Status{}}, &listener{t: t, name: "two", got: map[ID][]Status{}}
	b := NewBook(store.NewMemory(), "r", Options{Targets: []Target{one, two}})
	one.book, two.book = b, b
	alerts, settled := map[ID]*Alert{}, map[ID]bool{}
	number := 0
	say := func(e Event) {
		number++
		b.memory.enqueue(e, origin{owner: fmt.Sprint(number), now: time.Now()}, b.names())
		b.retryNow()
	}
	deliver := func() {
		one.turn, two.turn = map[ID]int{}, map[ID]int{}
		if _, err := b.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 80 {
		time.Sleep(time.Duration(r.IntN(300)) * time.Second)
		for _, l := range []*listener{one, two} {
			switch r.IntN(8) {
			case 0:
				l.away = &SendError{Verdict: []Verdict{Later, Broken}[r.IntN(2)], Reason: "away", RetryAfter: time.Duration(r.IntN(2)) * time.Minute}
			case 1, 2:
				l.away = nil
			}
		}
		id := ID{Kind: kinds[r.IntN(len(kinds))], Environment: "prod"}
		fact := &Fact{ID: id, Title: fmt.Sprint("title ", number), Sections: []Section{{Text: "text"}}}
		a := newAlert(fact, time.Now())
		old := alerts[id]
		switch action := r.IntN(6); {
		case old == nil:
			alerts[id] = &a
			say(Event{Status: Opened, Alert: a, Fact: fact})
		case action < 2:
			a.Opened = old.Opened
			say(Event{Status: []Status{Updated, Reminded}[action], Alert: a, Fact: fact, Before: old})
		case action == 2: // something else settles it
			delete(alerts, id)
			settled[id] = true
			done := Fact{ID: ID{Kind: ChangeApplied, Environment: "prod"}, OneShot: true, Title: "done", Sections: []Section{{Text: "text"}}}
			say(Event{Status: Told, Alert: newAlert(&done, time.Now()), Fact: &done, Ended: []Alert{*old}})
		default:
			delete(alerts, id)
			say(Event{Status: Resolved, Alert: *old, Before: old})
		}
		deliver()
	}
	for _, l := range []*listener{one, two} {
		l.away = nil
	}
	for range 5 {
		time.Sleep(time.Minute)
		deliver()
	}
	if len(b.memory.Outbox) > 0 {
		t.Errorf("%d messages wait for nobody", len(b.memory.Outbox))
	}
	for _, kind := range kinds {
		id := ID{Kind: kind, Environment: "prod"}
		one.checkLife(id, alerts[id] != nil, settled[id])
		two.checkLife(id, alerts[id] != nil, settled[id])
	}
}
