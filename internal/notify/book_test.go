package notify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

func TestNothingNewWritesNothing(t *testing.T) {
	w, s := notifytest.NewWorld(), newKillable(store.NewMemory(), nil)
	b := book(s, &channel{name: "c"})
	for i := range 30 {
		w.Now = w.Now.Add(time.Minute)
		if i == 10 {
			w.Meddle("makoto-api", notifytest.Common.Version(11))
		}
		if _, err := b.Tell(t.Context(), w.Round()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.TellRepository(t.Context(), notify.Repository{Now: w.Now, ReadAt: w.Now}); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 1, false: 2}[i < 10]; s.writes != want {
			t.Fatalf("%d writes in minute %d, not %d", s.writes, i, want)
		}
	}
	events, err := b.Tell(t.Context(), w.Round())
	if err != nil || len(events) != 0 {
		t.Errorf("%v, %v", events, err)
	}
}

// What a daemon shows and asks for.
func TestAlertsAndEnvironments(t *testing.T) {
	w, s := notifytest.NewWorld(), store.NewMemory()
	b := book(s)
	for range 2 {
		if _, err := b.Tell(t.Context(), w.Round()); err != nil {
			t.Fatal(err)
		}
		w.Meddle("makoto-api", notifytest.Common.Version(11))
	}
	alerts, err := b.Alerts(t.Context(), "prod")
	if err != nil || len(alerts) != 1 || alerts[0].Kind != notify.Drift || !slices.Equal(alerts[0].Names, []string{"makoto-api"}) {
		t.Errorf("alerts %+v, %v", alerts, err)
	}
	if alerts, err := b.Alerts(t.Context(), "none"); err != nil || len(alerts) != 0 {
		t.Errorf("alerts %+v, %v", alerts, err)
	}
	if _, err := b.TellRepository(t.Context(), notify.Repository{Now: w.Now, ReadAt: w.Now.Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	list, err := b.Environments(t.Context())
	if err != nil || !slices.Equal(list, []string{"prod"}) {
		t.Errorf("environments %q, %v", list, err)
	}
	if _, err := b.Tell(t.Context(), notify.Situation{Now: w.Now}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an environment without a name: %v", err)
	}
	other := notify.NewBook(s, "another repository", notify.Options{})
	if list, err := other.Environments(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("another repository has %q, %v", list, err)
	}
}

// Before there is a decision, trouble is told by itself; the first look is
// told once.
func TestTroubleBeforeTheFirstLook(t *testing.T) {
	w, c := notifytest.NewWorld(), &channel{name: "c"}
	b := book(store.NewMemory(), c)
	w.Unread = &plan.Failure{Code: "wrong_account", Message: "the credentials belong to 210987654321, not 123456789012"}
	for range 3 {
		w.Now = w.Now.Add(10 * time.Minute)
		if _, err := b.Tell(t.Context(), w.Round()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(c.took) == 1 {
			w.Unread = &plan.Failure{Code: "wrong_account", Message: "in other words"}
		}
	}
	w.Unread = nil
	for range 3 {
		w.Now = w.Now.Add(10 * time.Minute)
		if _, err := b.Tell(t.Context(), w.Round()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"prod: AWS cannot be read", "Resolved: prod: AWS cannot be read", "prod: first look: in sync"}
	if diff := cmp.Diff(want, c.titles()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Nobody knows what an unread account is like: nothing is opened or resolved.
func TestUnreadResolvesNothing(t *testing.T) {
	w, c := notifytest.NewWorld(), &channel{name: "c"}
	w.Want.Drift.Report = true
	b := book(store.NewMemory(), c)
	tell := func(s notify.Situation) []notify.Event {
		events, err := b.Tell(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	tell(w.Round())
	tell(drifted(t, w, time.Minute, 11))
	w.Now, w.Unread = w.Now.Add(6*time.Minute), &plan.Failure{Code: "aws_unreachable", Message: "timeout", Retryable: true}
	if events := tell(w.Round()); len(events) != 0 {
		t.Errorf("an unread Region: %+v", events)
	}
	w.Now = w.Now.Add(time.Minute)
	if events := tell(notify.Situation{Environment: "prod", Now: w.Now, LookedAt: w.Now, Error: "panic"}); len(events) != 0 {
		t.Errorf("no plan: %+v", events)
	}
	w.Unread = nil
	w.Meddle("makoto-api", notifytest.Common.Version(12))
	if events := tell(w.Round()); len(events) != 1 || events[0].Status != notify.Resolved {
		t.Errorf("read again: %+v", events)
	}
}

// A list that changes every minute is told every five, and one that changes
// back in between not at all.
func TestFlapping(t *testing.T) {
	w, c := notifytest.NewWorld(), &channel{name: "c"}
	w.Want.Drift.Report = true
	b := book(store.NewMemory(), c)
	told := map[notify.Status]int{}
	for i := range 60 {
		if i > 0 {
			w.Meddle("makoto-chat-handler", notifytest.Common.Version(11))
		}
		events, err := b.Tell(t.Context(), drifted(t, w, time.Minute, int64(12-i%2)))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			told[e.Status]++
		}
	}
	if told[notify.Opened] != 1 || told[notify.Updated] > 12 || told[notify.Updated] < 5 || told[notify.Resolved] != 0 {
		t.Errorf("an hour of flapping: %v", told)
	}
}

func entry(id string, ended time.Time) history.Entry {
	return history.Entry{
		Round: history.Round{Environment: "prod", Region: notifytest.Region},
		Action: history.Action{
			Step: "attach/makoto-common/" + id, Kind: plan.KindAttach, Cause: plan.CauseChange, Layer: "makoto-common", Function: id,
			To: notifytest.Common.Version(13),
		},
		ID: id, Status: plan.StatusApplied, Started: ended, Ended: ended,
	}
}

// A step is told once, when it is given from the place that was told.
func TestCursor(t *testing.T) {
	w, c := notifytest.NewWorld(), &channel{name: "c"}
	b := book(store.NewMemory(), c)
	tell := func(from, to history.Cursor, list ...history.Entry) (names []string) {
		t.Helper()
		s := w.Round()
		s.Ended, s.From, s.To = list, from, to
		events, err := b.Tell(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Status == notify.Told {
				names = append(names, e.Alert.Names...)
			}
		}
		return names
	}
	if told, err := b.Cursor(t.Context(), "prod"); told != "" || err != nil {
		t.Errorf("nothing was told yet: %q, %v", told, err)
	}
	tell("0", "0") // the baseline
	one, two, skipped := entry("one", w.Now), entry("two", w.Now.AddDate(0, 0, -9)), entry("skipped", w.Now)
	skipped.Status = plan.StatusSkipped
	for _, tc := range []struct {
		name     string
		from, to history.Cursor
		list     []history.Entry
		want     string
		cursor   history.Cursor
	}{
		{"nothing ended", "0", "1", nil, "", "0"},
		{"told", "0", "2", []history.Entry{one, entry("unended", time.Time{})}, "one", "2"},
		{"read from where it is told already", "0", "2", []history.Entry{one}, "", "2"},
		{"ended long after it began", "2", "3", []history.Entry{two}, "two", "3"},
		{"not done after all", "3", "4", []history.Entry{skipped}, "", "4"},
	} {
		if got := strings.Join(tell(tc.from, tc.to, tc.list...), " "); got != tc.want {
			t.Errorf("%s: told %q, want %q", tc.name, got, tc.want)
		}
		if at, err := b.Cursor(t.Context(), "prod"); at != tc.cursor || err != nil {
			t.Errorf("%s: the cursor is at %q, %v, want %q", tc.name, at, err, tc.cursor)
		}
	}
}

func TestMissedOnce(t *testing.T) {
	w := notifytest.NewWorld()
	b := book(store.NewMemory(), &channel{name: "c"})
	if _, err := b.Tell(t.Context(), w.Round()); err != nil {
		t.Fatal(err)
	}
	told := 0
	for week := range 3 {
		s := w.Round()
		for i := range week + 1 {
			start := w.Now.AddDate(0, 0, 7*i)
			s.Missed = append(s.Missed, notify.Missed{Opening: window.Opening{Start: start, End: start.Add(time.Hour)}, Why: "layerd was not running"})
		}
		for range 2 {
			events, err := b.Tell(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			told += len(events)
		}
	}
	if told != 3 {
		t.Errorf("three openings were told %d times", told)
	}
}

// Two daemons on one store do not resolve each other's alerts.
func TestInstances(t *testing.T) {
	s, c := store.NewMemory(), &channel{name: "c"}
	one, two := book(s, c), book(s, c)
	for i := range 20 {
		now := noon.Add(time.Duration(i) * time.Minute)
		var lost []notify.LostLease
		if i == 10 { // it writes as well
			lost = []notify.LostLease{{Account: "123456789012", Since: now, Reason: "no answer"}}
		}
		for _, err := range []error{
			second(one.TellRepository(t.Context(), notify.Repository{Instance: "one", Now: now, ReadAt: noon.Add(-time.Hour), Error: "timeout"})),
			second(two.TellRepository(t.Context(), notify.Repository{Instance: "two", Now: now, ReadAt: now, Lost: lost})),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, b := range []*notify.Book{one, two} {
		if _, err := b.TellRepository(t.Context(), notify.Repository{Instance: "three", Now: noon}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"layerd: Git was not read for 1h (layerd on one)",
		"Resolved: layerd: the lease of 1 account was lost (layerd on two)", // it came and went before anybody delivered
	}
	if diff := cmp.Diff(want, c.titles()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func second[T any](_ T, err error) error { return err }

// That the store fails is told without the store.
func TestStoreFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newKillable(store.NewMemory(), nil), &channel{name: "c"}
		s.fail = errors.New("disk full")
		b := book(s, c)
		for i := range 10 {
			r := notify.Repository{Now: time.Now(), ReadAt: time.Now(), Store: "disk full"}
			if i > 7 {
				r.Store, s.fail = "", nil
			}
			if _, err := b.TellRepository(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Deliver(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		want := []string{"layerd: the store does not work", "Resolved: layerd: the store does not work"}
		if diff := cmp.Diff(want, c.titles()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if s.writes != 0 {
			t.Errorf("%d writes", s.writes)
		}
	})
}

func TestDocuments(t *testing.T) {
	w := notifytest.NewWorld()
	for text, want := range map[string]error{`{"v": 2}`: store.ErrNewer, `{"v": 1, "alerts": 7}`: store.ErrCorrupt, `nonsense`: store.ErrCorrupt} {
		s := store.NewMemory()
		if _, err := s.Create(t.Context(), store.Key("alert", repository, "prod"), []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := book(s).Tell(t.Context(), w.Round()); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
		if v, err := s.Get(t.Context(), store.Key("alert", repository, "prod")); err != nil || string(v.Data) != text {
			t.Errorf("%s was written over: %s, %v", text, v.Data, err)
		}
	}
}

// What is stored keeps its names: this document was written by the first
// release that kept any.
func TestStoredNames(t *testing.T) {
	s, w := store.NewMemory(), notifytest.NewWorld()
	b := book(s, &channel{name: "c"})
	if _, err := b.Tell(t.Context(), w.Round()); err != nil {
		t.Fatal(err)
	}
	situation := drifted(t, w, time.Minute, 11)
	situation.Ended, situation.From, situation.To = []history.Entry{entry("a", w.Now)}, "1;a;;", "1;b;;"
	if _, err := b.Tell(t.Context(), situation); err != nil {
		t.Fatal(err)
	}
	v, err := s.Get(t.Context(), store.Key("alert", repository, "prod"))
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(v.Data, &doc); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "document", string(text)+"\n")
}

// Tell and Deliver at once, from two books on one store: everything arrives.
func TestAtOnce(t *testing.T) {
	s, c := store.NewMemory(), &channel{name: "c"}
	w := notifytest.NewWorld()
	first := w.Round()
	var situations []notify.Situation
	for i := range 20 {
		x := w.Round()
		x.Now = w.Now.Add(time.Duration(i) * time.Second)
		x.Ended = []history.Entry{entry(fmt.Sprint("f", i), x.Now)}
		situations = append(situations, x)
	}
	books := []*notify.Book{book(s, c), book(s, c)}
	if _, err := books[0].Tell(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i, x := range situations {
		wg.Go(func() {
			if _, err := books[i%2].Tell(t.Context(), x); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := books[i%2].Deliver(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, b := range books {
		if _, err := b.Tell(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]bool{}
	for _, m := range c.took {
		got[m.ID] = true
	}
	if len(got) != 21 {
		t.Errorf("%d of 21 messages arrived", len(got))
	}
}
