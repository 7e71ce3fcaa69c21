package notify_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

// find returns the facts of one kind.
func find(f notify.Findings, kind notify.Kind) (list []notify.Fact) {
	for _, x := range f.Facts {
		if x.Kind == kind {
			list = append(list, x)
		}
	}
	return list
}

func words(x notify.Fact) string {
	var b strings.Builder
	for _, s := range x.Sections {
		b.WriteString(s.Text + "\n" + s.Detail + "\n" + strings.Join(s.Items, " ") + "\n" + s.Code + "\n")
	}
	return b.String()
}

// A step that failed and was not tried again is not mended; one that is not
// planned any more is.
func TestAFailureStaysUntilItIsMended(t *testing.T) {
	w := notifytest.NewWorld()
	saturday := w.Want.Calendar
	w.Want.Calendar = window.Calendar{Zone: w.Zone}
	b := book(store.NewMemory())
	tell := func(after time.Duration) (list []string) {
		t.Helper()
		w.Now = w.Now.Add(after)
		events, err := b.Tell(t.Context(), w.Round())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Alert.Kind == notify.ApplyFailed {
				list = append(list, string(e.Status))
			}
		}
		return list
	}
	tell(0)
	w.Commit("1.4.2", "a1b2c3d")
	w.Failing = map[string]string{"makoto-api": "no", "makoto-chat-handler": "no"}
	if got := tell(time.Minute); !slices.Equal(got, []string{"opened"}) {
		t.Errorf("it failed: %v", got)
	}
	w.Want.Calendar = saturday // closed
	if got := tell(10 * time.Minute); len(got) != 0 {
		t.Errorf("it is held: %v", got)
	}
	w.Meddle("makoto-api", notifytest.Common.Version(13))
	if got := tell(10 * time.Minute); len(got) != 0 {
		t.Errorf("one of two was mended by hand, the other was not tried: %v", got)
	}
	w.Meddle("makoto-chat-handler", notifytest.Common.Version(13))
	if got := tell(10 * time.Minute); !slices.Equal(got, []string{"resolved"}) {
		t.Errorf("both were mended by hand: %v", got)
	}
}

// Only how a step ended last counts, in whatever order its records come.
func TestTheLastEndCounts(t *testing.T) {
	w := notifytest.NewWorld()
	failed, applied := entry("a", w.Now), entry("a", w.Now.Add(time.Minute))
	failed.Status, failed.Error = plan.StatusFailed, "no"
	for _, list := range [][]history.Entry{{failed, applied}, {applied, failed}} {
		s := w.Round()
		s.Ended = list
		f := notify.Facts(s)
		if len(find(f, notify.ApplyFailed)) != 0 || len(find(f, notify.ChangeApplied)) != 1 {
			t.Errorf("a failure that was mended: %+v", f.Facts)
		}
	}
	failed.Ended = applied.Ended.Add(time.Minute)
	s := w.Round()
	s.Ended = []history.Entry{failed, applied}
	if f := notify.Facts(s); len(find(f, notify.ApplyFailed)) != 1 {
		t.Errorf("it failed last: %+v", f.Facts)
	}
	// H3: AWS refused nothing when layerd was killed.
	failed.Interrupted = true
	s.Ended = []history.Entry{failed, applied}
	if f := notify.Facts(s); len(find(f, notify.ApplyFailed)) != 0 {
		t.Errorf("it was interrupted: %+v", f.Facts)
	}
}

// A function is told of once: by drift, with the reason why it is blocked.
func TestBlockedDriftIsOneFact(t *testing.T) {
	w := notifytest.NewWorld()
	w.Meddle("makoto-api", notifytest.Common.Version(9)) // which does not live
	w.Commit("9.9.9", "a1b2c3d")                         // nor does this
	f := notify.Facts(w.Round())
	drift := find(f, notify.Drift)
	if len(drift) != 1 || len(find(f, notify.Blocked)) != 0 || !strings.Contains(words(drift[0]), "It is blocked: it has version 9, which was deleted") {
		t.Errorf("%+v", f.Facts)
	}
}

// What ends by itself within the round is not worth a word.
func TestMomentaryHolders(t *testing.T) {
	for by, told := range map[plan.By]int{
		plan.ByWave: 0, plan.ByOrder: 0, plan.ByLease: 0, plan.ByGrace: 0,
		plan.ByMode: 1, plan.ByDesired: 1, plan.ByPause: 1, plan.ByFreeze: 1, plan.ByWindow: 1, plan.ByHealth: 1,
	} {
		w := notifytest.NewWorld()
		w.Commit("1.4.2", "a1b2c3d")
		s := w.Round()
		for i := range s.Plan.Regions[0].Steps {
			s.Plan.Regions[0].Steps[i].Held = &plan.Held{By: by, Reason: "so"}
		}
		if n := len(find(notify.Facts(s), notify.ChangeHeld)); n != told {
			t.Errorf("held by %s gives %d facts, want %d", by, n, told)
		}
	}
}

// What layerd will do about a drift, and when.
func TestFate(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(w *notifytest.World)
		want string
	}{
		{"window", func(*notifytest.World) {}, "layerd restores it when the change window opens, Sat 2026-11-28 02:00 JST."},
		{"report", func(w *notifytest.World) { w.Want.Drift.Report = true }, "layerd leaves it alone: drift is set to report."},
		{"observe", func(w *notifytest.World) { w.Want.Observe = true }, "layerd leaves it alone: mode is observe."},
		{"grace", func(w *notifytest.World) {
			w.Want.Calendar, w.Want.Drift.After = window.Calendar{}, 2*time.Hour
		}, "layerd restores it from Wed 2026-11-25 12:30 JST on."},
		{"grace and window", func(w *notifytest.World) { w.Want.Drift.After = 2 * time.Hour },
			"layerd restores it later. Held by window and grace until Sat 2026-11-28 02:00 JST"},
		{"change", func(w *notifytest.World) { w.Commit("1.4.2", "a1b2c3d") },
			"Git asks for 13 (1.4.2), and layerd changes it to that when the change window opens, Sat 2026-11-28 02:00 JST."},
		{"failed", func(w *notifytest.World) {
			w.Want.Calendar, w.Failing = window.Calendar{}, map[string]string{"makoto-api": "AccessDeniedException"}
		}, "layerd tried to restore it and failed: AccessDeniedException. layerd tries again."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := notifytest.NewWorld()
			w.Meddle("makoto-api", notifytest.Common.Version(11))
			tc.edit(w)
			facts := find(notify.Facts(w.Round()), notify.Drift)
			want := "1 function has 11 (1.4.0) instead of 12 (1.4.1), which layerd had applied, seen since Wed 2026-11-25 10:30 JST. " + tc.want
			if len(facts) != 1 || !strings.HasPrefix(words(facts[0]), want) {
				t.Errorf("%+v, want %s", facts, want)
			}
		})
	}
	// A plan that was not carried out yet.
	w := notifytest.NewWorld()
	w.Want.Calendar = window.Calendar{}
	w.Meddle("makoto-api", notifytest.Common.Version(11))
	s := w.Round()
	s.Plan.Regions[0].Steps[0].Result, s.Ended = nil, nil
	if facts := find(notify.Facts(s), notify.Drift); len(facts) != 1 || !strings.Contains(words(facts[0]), "layerd restores it at once.") {
		t.Errorf("%+v", facts)
	}
}

// Too many blocked functions stop everything, and that is what is said.
func TestMaxBlocked(t *testing.T) {
	w := notifytest.NewWorld()
	most := 0
	w.Want.MaxBlocked = &most
	w.Functions["makoto-ocr"], w.Images = nil, []string{"makoto-ocr"}
	f := notify.Facts(w.Round())
	blocked := find(f, notify.Blocked)
	if len(blocked) != 2 || blocked[0].NoReminder || !strings.Contains(blocked[0].Title, "max_blocked is 0") || !blocked[1].NoReminder {
		t.Errorf("%+v", f.Facts)
	}
	if stale := find(f, notify.AWSStale); len(stale) != 0 {
		t.Errorf("AWS was read: %+v", stale)
	}
}

// Forms of texts that people read.
func TestWords(t *testing.T) {
	w := notifytest.NewWorld()
	for i := range 9 { // more stories than fit
		w.Live[int64(20+i)] = "2.0.0-rc." + string(rune('a'+i))
		name := "makoto-x" + string(rune('a'+i))
		w.Functions[name] = w.Functions["makoto-api"]
	}
	w.Round() // adopts them
	for i := range 9 {
		w.Meddle("makoto-x"+string(rune('a'+i)), notifytest.Common.Version(int64(20+i)))
	}
	facts := find(notify.Facts(w.Round()), notify.Drift)
	if len(facts) != 1 || len(facts[0].Items) != 9 {
		t.Fatalf("%+v", facts)
	}
	if text := words(facts[0]); !strings.Contains(text, "And 3 functions with other details.") || strings.Count(text, "instead of") != 6 {
		t.Errorf("what is left out is not counted:\n%s", text)
	}
}

// The first sentence that a channel ever reads from layerd is English.
func TestFirstLookCounts(t *testing.T) {
	w := notifytest.NewWorld()
	for n, want := range []string{"ap-northeast-1: in sync.", "1 difference that is never healed.", "2 differences that are never healed."} {
		if name := []string{"", "makoto-api", "makoto-device-sync"}[n]; name != "" {
			w.Meddle(name, notifytest.Common.Version(12), notifytest.Foreign.Version(3))
		}
		events, err := book(store.NewMemory(), &channel{name: "c"}).Tell(t.Context(), w.Round())
		if err != nil {
			t.Fatal(err)
		}
		if len(events) != 1 || !strings.HasSuffix(events[0].Fact.Sections[0].Text, want) {
			t.Errorf("%d functions: %+v, want %q", n, events, want)
		}
	}
}

// A section is kept as it was before it had two fields, and an end of line that
// somebody wrote is none of ours.
func TestT1SectionsAreKeptAsText(t *testing.T) {
	for _, tc := range []struct {
		section, back notify.Section
		kept          string
	}{
		{notify.Section{Text: "a"}, notify.Section{Text: "a"}, `{"text":"a"}`},
		{notify.Section{Text: "a", Detail: "b", Code: "c"}, notify.Section{Text: "a", Detail: "b", Code: "c"}, `{"text":"a\nb","code":"c"}`},
		{notify.Section{Text: "a\nb\x1b[8m", Detail: "c\nd"}, notify.Section{Text: `a\nb\x1b[8m`, Detail: `c\nd`}, `{"text":"a\\nb\\x1b[8m\nc\\nd"}`},
	} {
		data, err := json.Marshal(tc.section)
		if err != nil || string(data) != tc.kept {
			t.Errorf("kept as %s, %v; want %s", data, err, tc.kept)
		}
		var back notify.Section
		if err := json.Unmarshal(data, &back); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(back, tc.back); diff != "" {
			t.Errorf("read back (-got +want):\n%s", diff)
		}
	}
}
