package notify_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
)

const (
	pause  = 5 * time.Minute
	repeat = 24 * time.Hour
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// seeds runs check over many small worlds. LAYERD_SEED=n repeats one.
func seeds(t *testing.T, n uint64, check func(t *testing.T, r *rand.Rand)) {
	t.Helper()
	first := uint64(0)
	if s := os.Getenv("LAYERD_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, n = seed, seed+1
	}
	for seed := first; seed < n; seed++ {
		check(t, rand.New(rand.NewPCG(seed, 3)))
		if t.Failed() {
			t.Fatalf("LAYERD_SEED=%d repeats this world", seed)
		}
	}
}

// draw makes findings out of few alerts and few functions, so that they meet.
func draw(r *rand.Rand) notify.Findings {
	var f notify.Findings
	for _, kind := range []notify.Kind{notify.Drift, notify.ChangeHeld, notify.Blocked} {
		for _, key := range []string{"common", "extra"} {
			id := notify.ID{Kind: kind, Environment: "prod", Region: string(kind), Key: key}
			if r.IntN(8) == 0 {
				f.Unknown = append(f.Unknown, notify.Scope{Kind: kind, Region: string(kind), Key: key})
			}
			switch r.IntN(8) {
			case 0:
				f.Facts = append(f.Facts, notify.Fact{
					ID: notify.ID{Kind: []notify.Kind{notify.Pruned, kind}[r.IntN(2)], Environment: "prod", Region: string(kind), Key: key}, OneShot: true,
					Closes: []notify.Scope{{Kind: kind, Key: key}, {Kind: notify.Blocked, Key: key}}, Title: "done", Items: []notify.Item{{Name: "f"}},
				})
			case 1:
				f.Facts = append(f.Facts, notify.Fact{
					ID: notify.ID{Kind: kind, Environment: "prod", Region: string(kind), Key: key}, OneShot: true, OnlyIfOpen: true,
					Closes: []notify.Scope{{Kind: kind, Key: key}}, Title: "ended", Items: []notify.Item{{Name: "f"}},
				})
			}
			if r.IntN(3) == 0 {
				continue
			}
			x := notify.Fact{ID: id, NoReminder: key == "extra", Title: fmt.Sprint(r.IntN(1000)), Sections: []notify.Section{{Text: "x"}}}
			for i := range 3 {
				if r.IntN(2) == 0 {
					x.Items = append(x.Items, notify.Item{Name: fmt.Sprint("f", i), Have: fmt.Sprint(r.IntN(2))})
				}
			}
			f.Facts = append(f.Facts, x)
		}
	}
	return f
}

// still is f without what happened, which is never found twice.
func still(f notify.Findings) notify.Findings {
	f.Facts = slices.DeleteFunc(slices.Clone(f.Facts), func(x notify.Fact) bool { return x.OneShot })
	return f
}

// shuffled is f in another order and in other words.
func shuffled(r *rand.Rand, f notify.Findings) notify.Findings {
	f.Facts = slices.Clone(f.Facts)
	f.Unknown = slices.Clone(f.Unknown)
	r.Shuffle(len(f.Facts), func(i, j int) { f.Facts[i], f.Facts[j] = f.Facts[j], f.Facts[i] })
	r.Shuffle(len(f.Unknown), func(i, j int) { f.Unknown[i], f.Unknown[j] = f.Unknown[j], f.Unknown[i] })
	for i := range f.Facts {
		x := &f.Facts[i]
		x.Items = slices.Clone(x.Items)
		r.Shuffle(len(x.Items), func(i, j int) { x.Items[i], x.Items[j] = x.Items[j], x.Items[i] })
	}
	return f
}

// life is what was told of one alert.
type life struct {
	open        bool
	last        notify.Status
	opened      time.Time
	told        time.Time // last, of any status
	fingerprint string
}

// TestLaws plays an afternoon and a week of rounds, and holds every event
// against what may be told.
func TestLaws(t *testing.T) {
	seeds(t, 100, func(t *testing.T, r *rand.Rand) {
		lives := map[notify.ID]*life{}
		var alerts []notify.Alert
		now := noon
		f := draw(r)
		for range 60 {
			now = now.Add(time.Duration(r.IntN(4)) * time.Minute)
			switch r.IntN(6) {
			case 0:
				now = now.Add(time.Duration(r.IntN(40)) * time.Hour)
			case 1, 2, 3:
				f = draw(r)
			default:
				f = still(f)
			}
			before := slices.Clone(alerts)
			events, after := notify.Events(before, f, now, repeat)
			again, after2 := notify.Events(after, still(f), now, repeat)
			if len(again) != 0 {
				t.Errorf("told twice: %+v", again)
			}
			if !reflect.DeepEqual(after, after2) {
				t.Errorf("alerts change without an event:\n%s", cmp.Diff(after, after2))
			}
			r.Shuffle(len(before), func(i, j int) { before[i], before[j] = before[j], before[i] })
			other, otherAfter := notify.Events(before, shuffled(r, f), now, repeat)
			if !slices.Equal(brief(events), brief(other)) || !reflect.DeepEqual(after, otherAfter) {
				t.Errorf("the order matters:\n%s%s", cmp.Diff(brief(events), brief(other)), cmp.Diff(after, otherAfter))
			}
			for _, e := range events {
				follow(t, lives, f, e, now)
			}
			alerts = after
			checkOpen(t, lives, f, alerts, now)
		}
		// Everything goes, and all that was opened is resolved once.
		events, alerts := notify.Events(alerts, notify.Findings{}, now.Add(pause), repeat)
		for _, e := range events {
			follow(t, lives, notify.Findings{}, e, now.Add(pause))
		}
		for id, l := range lives {
			if l.open {
				t.Errorf("%v was never resolved", id)
			}
		}
		if slices.ContainsFunc(alerts, func(a notify.Alert) bool { return a.Resolved.IsZero() }) {
			t.Errorf("left open: %+v", alerts)
		}
	})
}

// brief is what an event says, without its words.
func brief(events []notify.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprint(e.Status, e.Alert.ID, e.Alert.Fingerprint, len(e.Ended)))
	}
	return list
}

// follow holds an event against what was told before.
func follow(t *testing.T, lives map[notify.ID]*life, f notify.Findings, e notify.Event, now time.Time) {
	t.Helper()
	for _, a := range e.Ended {
		if a.ID != e.Alert.ID {
			resolve(t, lives, f, a.ID, now)
		}
	}
	id := e.Alert.ID
	if e.Status == notify.Told {
		if e.Fact == nil || !e.Fact.OneShot {
			t.Errorf("told, and did not happen: %+v", e)
		} else if e.Fact.OnlyIfOpen && len(e.Ended) == 0 {
			t.Errorf("told as the end of nothing: %+v", e)
		}
		return
	}
	l := lives[id]
	if l == nil {
		l = &life{}
		lives[id] = l
	}
	if e.Status == notify.Resolved {
		resolve(t, lives, f, id, now)
		return
	}
	switch {
	case (e.Status == notify.Opened) == l.open:
		t.Errorf("%v is %s, and open is %v", id, e.Status, l.open)
	case !l.told.IsZero() && now.Sub(l.told) < pause:
		t.Errorf("%v is %s %s after it was %s", id, e.Status, now.Sub(l.told), l.last)
	case e.Status == notify.Updated && l.fingerprint == e.Alert.Fingerprint:
		t.Errorf("%v is updated and says the same", id)
	case e.Status == notify.Reminded && (l.fingerprint != e.Alert.Fingerprint || now.Sub(l.told) < repeat || e.Fact.NoReminder):
		t.Errorf("%v is reminded after %s", id, now.Sub(l.told))
	}
	if e.Status == notify.Opened {
		l.opened = now
	}
	if !e.Alert.Opened.Equal(l.opened) {
		t.Errorf("%v was opened %s, and says %s", id, l.opened, e.Alert.Opened)
	}
	*l = life{open: true, last: e.Status, opened: l.opened, told: now, fingerprint: e.Alert.Fingerprint}
}

func resolve(t *testing.T, lives map[notify.ID]*life, f notify.Findings, id notify.ID, now time.Time) {
	t.Helper()
	l := lives[id]
	if l == nil || !l.open {
		t.Errorf("%v is resolved and was not open", id)
		return
	}
	if isSo(f, id) || unknown(f, id) {
		t.Errorf("%v is resolved, and it is so or nobody knows", id)
	}
	l.open, l.last, l.told = false, notify.Resolved, now
}

func isSo(f notify.Findings, id notify.ID) bool {
	return slices.ContainsFunc(f.Facts, func(x notify.Fact) bool { return !x.OneShot && x.ID == id })
}

func unknown(f notify.Findings, id notify.ID) bool {
	return slices.ContainsFunc(f.Unknown, func(s notify.Scope) bool { return s.Kind == id.Kind && s.Key == id.Key })
}

// checkOpen fails when an alert is passed over for longer than it may be.
func checkOpen(t *testing.T, lives map[notify.ID]*life, f notify.Findings, alerts []notify.Alert, now time.Time) {
	t.Helper()
	for id, l := range lives {
		if l.open && !isSo(f, id) && !unknown(f, id) {
			t.Errorf("%v is over, and that was not reported", id)
		}
	}
	for _, x := range f.Facts {
		l := lives[x.ID]
		switch {
		case x.OneShot:
		case l == nil || !l.open && now.Sub(l.told) >= pause:
			t.Errorf("%v is so, and was not told", x.ID)
		case l.open && l.fingerprint != x.Fingerprint() && now.Sub(l.told) >= pause:
			t.Errorf("%v changed, and that was not told", x.ID)
		case l.open && !x.NoReminder && now.Sub(l.told) >= repeat:
			t.Errorf("%v was not reminded for %s", x.ID, now.Sub(l.told))
		}
	}
	for _, a := range alerts {
		if l := lives[a.ID]; l == nil || a.Resolved.IsZero() != l.open {
			t.Errorf("the alert %+v does not say what was told: %+v", a, l)
		}
	}
}

// TestFactsOfWorlds plays real plans: whatever hands, Git and AWS do, findings
// do not depend on order, and the same situation told twice is told once.
func TestFactsOfWorlds(t *testing.T) {
	seeds(t, 150, func(t *testing.T, r *rand.Rand) {
		w := notifytest.NewWorld()
		w.Want.ApprovalRequired = r.IntN(2) == 0
		w.Want.Drift.Report = r.IntN(3) == 0
		w.Want.Observe = r.IntN(6) == 0
		if r.IntN(2) == 0 {
			w.Want.Calendar.Windows = nil
		}
		var alerts []notify.Alert
		for range 12 {
			notifytest.Stir(r, w)
			s := w.Round()
			s.Plan.Regions[0].RolloutStatus = stand(r, w)
			found := notify.Facts(s)
			if diff := cmp.Diff(found, notify.Facts(mixed(r, s))); diff != "" {
				t.Errorf("the order matters:\n%s", diff)
			}
			for _, x := range found.Facts {
				if x.Title == "" || len(x.Sections) == 0 || len(x.Title) > 200 {
					t.Errorf("nothing is said of %v: %q", x.ID, x.Title)
				}
			}
			if !slices.IsSortedFunc(found.Facts, func(a, b notify.Fact) int { return strings.Compare(string(a.Kind), string(b.Kind)) }) {
				t.Errorf("facts are not sorted")
			}
			ids := map[notify.ID]bool{}
			for _, x := range still(found).Facts {
				if ids[x.ID] {
					t.Errorf("two facts are %v", x.ID)
				}
				ids[x.ID] = true
			}
			_, alerts = notify.Events(alerts, found, s.Now, repeat)
			if again, _ := notify.Events(alerts, still(found), s.Now, repeat); len(again) > 0 {
				t.Errorf("told twice: %+v", again)
			}
		}
	})
}

// stand makes a rollout stand somehow; nil = nobody knows.
func stand(r *rand.Rand, w *notifytest.World) *plan.RolloutStatus {
	stages := []rollout.Stage{
		rollout.StageBake, rollout.StageHalted, rollout.StageRollingBack, rollout.StageRolledBack, rollout.StageWatching,
		rollout.StageDone, rollout.StageSuperseded,
	}
	if r.IntN(6) == 0 || w.Unread != nil {
		return nil
	}
	st := w.Standing(stages[r.IntN(len(stages))], 1+r.IntN(3), r.IntN(4))
	st.Last.Attempts = r.IntN(5)
	if r.IntN(2) == 0 {
		st.Last.Reason, st.Last.Findings = "no", []string{"no", "neither"}[:1+r.IntN(2)]
	}
	for range r.IntN(3) {
		w.Quarantined(st)
		q := &st.Quarantines[len(st.Quarantines)-1]
		q.Number, q.ByPerson, q.Functions = int64(12+r.IntN(2)), r.IntN(2) == 0, []string{"", "makoto-*"}[r.IntN(2)]
		if r.IntN(3) == 0 {
			q.Rollout = ""
		}
	}
	if len(st.Quarantines) == 2 && st.Quarantines[0].Number == st.Quarantines[1].Number {
		st.Quarantines = st.Quarantines[:1] // of one version and glob there is one
	}
	return st
}

// mixed is a situation with its lists in another order.
func mixed(r *rand.Rand, s notify.Situation) notify.Situation {
	planned := *s.Plan
	planned.Regions = slices.Clone(planned.Regions)
	for i := range planned.Regions {
		p := &planned.Regions[i]
		p.Steps, p.Drift, p.Blocked = slices.Clone(p.Steps), slices.Clone(p.Drift), slices.Clone(p.Blocked)
		r.Shuffle(len(p.Steps), func(i, j int) { p.Steps[i], p.Steps[j] = p.Steps[j], p.Steps[i] })
		r.Shuffle(len(p.Drift), func(i, j int) { p.Drift[i], p.Drift[j] = p.Drift[j], p.Drift[i] })
		if p.RolloutStatus != nil {
			st := *p.RolloutStatus
			st.Quarantines, st.Changed = slices.Clone(st.Quarantines), slices.Clone(st.Changed)
			r.Shuffle(len(st.Quarantines), func(i, j int) { st.Quarantines[i], st.Quarantines[j] = st.Quarantines[j], st.Quarantines[i] })
			r.Shuffle(len(st.Changed), func(i, j int) { st.Changed[i], st.Changed[j] = st.Changed[j], st.Changed[i] })
			p.RolloutStatus = &st
		}
		r.Shuffle(len(p.Blocked), func(i, j int) { p.Blocked[i], p.Blocked[j] = p.Blocked[j], p.Blocked[i] })
	}
	s.Plan = &planned
	s.Ended, s.Invalid = slices.Clone(s.Ended), slices.Clone(s.Invalid)
	r.Shuffle(len(s.Ended), func(i, j int) { s.Ended[i], s.Ended[j] = s.Ended[j], s.Ended[i] })
	r.Shuffle(len(s.Invalid), func(i, j int) { s.Invalid[i], s.Invalid[j] = s.Invalid[j], s.Invalid[i] })
	return s
}

// Words, times and the order are no facts; everything else is.
func TestFingerprint(t *testing.T) {
	x := notify.Fact{Items: []notify.Item{{Name: "a", Have: "1"}, {Name: "b", Want: "2"}}}
	y := notify.Fact{Items: []notify.Item{x.Items[1], x.Items[0]}, Title: "other", Sections: []notify.Section{{Text: "words"}}}
	if x.Fingerprint() != y.Fingerprint() {
		t.Error("words or order change it")
	}
	seen := map[string]notify.Item{}
	for _, i := range []notify.Item{
		{}, {Name: "a"}, {Layer: "a"}, {Code: "a"}, {Have: "a"}, {Want: "a"}, {Name: `a","b`}, {Name: "a", Layer: "b"}, {Name: "a\n"},
	} {
		f := notify.Fact{Items: []notify.Item{i}}.Fingerprint()
		if old, ok := seen[f]; ok {
			t.Errorf("%+v and %+v have one fingerprint", i, old)
		}
		seen[f] = i
	}
}
