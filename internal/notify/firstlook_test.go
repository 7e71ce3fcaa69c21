package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

// The first look is one message, which begins with what is risky: what Git asks
// for that cannot be, then functions that get a layer for the first time, then the
// counts, then alerts; what nobody has to act on is last. It is as loud as the
// loudest of that.
func TestTheFirstLookBeginsWithWhatIsRisky(t *testing.T) {
	fresh := func(w *notifytest.World, n int) {
		for i := range n {
			w.Functions[fmt.Sprintf("makoto-new-%04d", i)] = nil
		}
	}
	for name, tt := range map[string]struct {
		change   func(w *notifytest.World)
		title    string
		severity notify.Severity
		order    []string // what paragraphs begin with or hold
	}{
		"in sync": {func(*notifytest.World) {}, "first look: in sync", notify.Info, []string{"in sync."}},
		"one new function": {func(w *notifytest.World) { fresh(w, 1) }, "first look: 1 function would get a layer for the first time", notify.Warning,
			[]string{"1 function would get makoto-common 12 (1.4.1) for the first time in ap-northeast-1:", "1 change (1 for the first time, 1 held)", "waits on 1 function"}},
		"far too many": {func(w *notifytest.World) { fresh(w, 5000); w.Meddle("makoto-api", notifytest.Common.Version(11)) },
			"first look: 5000 functions would get a layer for the first time", notify.Warning,
			[]string{"5000 functions would get makoto-common", "5000 changes (5000 for the first time, 5000 held), 1 drift", "needs an approval", "was changed by somebody else"}},
		"they got it at once": {func(w *notifytest.World) {
			fresh(w, 3)
			w.Want.Calendar = window.Calendar{Zone: w.Zone}
			w.Want.NewFunctionsNow = true
		},
			"first look: 3 functions got a layer for the first time", notify.Warning,
			[]string{"3 functions got makoto-common 12 (1.4.1) for the first time", "in sync.", "was applied to 3 functions"}},
		"an image, a foreign layer and a new one": {func(w *notifytest.World) {
			fresh(w, 2)
			w.Functions["makoto-ocr"], w.Images = nil, []string{"makoto-ocr"}
			w.Meddle("makoto-api", notifytest.Common.Version(12), notifytest.Foreign.Version(3))
		}, "first look: 2 functions would get a layer for the first time", notify.Warning,
			[]string{"2 functions would get", "cannot have layers", "with an unknown layer"}},
		"only what nobody has to act on": {func(w *notifytest.World) {
			w.Meddle("makoto-api", notifytest.Common.Version(12), notifytest.Foreign.Version(3))
		}, "first look: in sync", notify.Info, []string{"in sync, 1 difference that is never healed.", "with an unknown layer"}},
		"nothing resolves, and there are new ones": {func(w *notifytest.World) {
			fresh(w, 2)
			w.Invalid = []desired.Problem{{Position: desired.Position{File: "environments/prod.yaml", Line: 4, Column: 3}, Code: "version_not_found", Message: "makoto-common has no 8.8.8", Severity: desired.Error}}
		}, "first look: commit 3f2a9c4 is not followed: 1 problem", notify.Failure, []string{"environments/prod.yaml:4:3: makoto-common has no 8.8.8", "2 functions would get"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := notifytest.NewWorld(), &channel{name: "c"}
			tt.change(w)
			b := book(store.NewMemory(), c)
			for range 3 {
				if _, err := b.Tell(t.Context(), w.Round()); err != nil {
					t.Fatal(err)
				}
				if _, err := b.Deliver(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.Now = w.Now.Add(time.Minute)
			}
			if len(c.took) != 1 {
				t.Fatalf("%q", c.titles())
			}
			m := c.took[0]
			if m.Title != "prod: "+tt.title || m.Severity != tt.severity {
				t.Errorf("%s %q", m.Severity, m.Title)
			}
			at := -1
			for _, want := range tt.order {
				i := slices.IndexFunc(m.Sections, func(s notify.Section) bool { return strings.Contains(s.Text, want) })
				if i <= at {
					t.Errorf("%q is paragraph %d, after %d:\n%s", want, i, at, text(m))
				}
				at = i
			}
			if len(m.Sections) > 25 {
				t.Errorf("%d paragraphs", len(m.Sections))
			}
		})
	}
}
