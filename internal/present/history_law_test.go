package present

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// writer writes a history that nobody thought of: rounds of several environments that
// are at work at the same time, functions with several layers, rollouts of many
// rounds, attempts that fail again and again, decisions between them.
type writer struct {
	t   *testing.T
	r   *rand.Rand
	log *history.Log
}

func (w *writer) pass() { time.Sleep(time.Duration(w.r.IntN(7)) * time.Minute) }

// round writes what one round did, to up to 80 functions, and lets others write in between.
func (w *writer) round(in history.Round, wave int, cause plan.Cause, between func()) {
	rec, err := w.log.BeginRound(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	layers := []string{"makoto-common", "makoto-ml", "datadog"}[:1+w.r.IntN(3)]
	asked := w.asked(cause, len(layers))
	for i := range 1 + w.r.IntN(80) {
		if w.r.IntN(20) == 0 {
			between()
		}
		function := fmt.Sprintf("makoto-%02d-%s", i, in.Environment)
		intent := apply.Intent{Before: []state.LayerVersionARN{}, After: []state.LayerVersionARN{}}
		for n, name := range layers {
			arn := layer(name, 1).Layer()
			intent.Steps = append(intent.Steps, plan.Step{
				ID: "attach/" + name + "/" + function, Kind: plan.KindAttach, Layer: name, LayerARN: arn, Function: function, Wave: wave,
				From: arn.Version(int64(1 + w.r.IntN(2))), To: arn.Version(3), Cause: cause, Reason: "because", Asked: asked[n],
			})
		}
		id, err := rec.Begin(w.t.Context(), intent)
		if err != nil {
			w.t.Fatal(err)
		}
		out := apply.Outcome{Result: plan.Result{Status: plan.StatusApplied}}
		switch w.r.IntN(12) {
		case 0:
			continue // killed
		case 1:
			out.Result = plan.Result{Status: plan.StatusFailed, Error: "AccessDenied"}
		case 2:
			out.Result = plan.Result{Status: plan.StatusSkipped, Error: "not begun: stopped"}
		case 3:
			out.Result = plan.Result{Status: plan.StatusSkipped, Error: "interrupted, not done: killed"}
			out.Interrupted = true
		}
		if err := rec.Finish(w.t.Context(), id, out); err != nil {
			w.t.Fatal(err)
		}
		if w.r.IntN(10) == 0 {
			w.pass()
		}
	}
}

// asked are who asked for each of a round's layers, which may be another commit than
// the one that is followed, or none that is known.
func (w *writer) asked(cause plan.Cause, layers int) []*desired.Asked {
	list := make([]*desired.Asked, layers)
	for n := range list {
		if cause == plan.CauseChange {
			list[n] = []*desired.Asked{
				nil, {Revision: strings.Repeat("9", 40), Author: "abe"}, {Revision: strings.Repeat("8", 40), Earlier: true}, {Published: true},
			}[w.r.IntN(4)]
		}
	}
	return list
}

// decide writes what a person decided.
func (w *writer) decide(environment string) {
	q := ruling.Quarantine{Environment: environment, Region: testRegion, Layer: layer("makoto-common", 1).Layer(), Name: "makoto-common", Number: 3}
	for _, d := range []ruling.Decision{
		{Kind: ruling.DecidedApproval, Environment: environment, Digest: strings.Repeat("d", 64), By: "suzuki", At: time.Now(), Steps: 5},
		{Kind: ruling.DecidedQuarantine, Environment: environment, By: "suzuki", At: time.Now(), Quarantine: &q},
	}[:1+w.r.IntN(2)] {
		if err := w.log.RecordDecision(w.t.Context(), d); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *writer) history() {
	environments := []string{"prod", "staging", "dev"}
	var one func(depth int)
	one = func(depth int) {
		env := environments[w.r.IntN(3)]
		in := history.Round{Environment: env, Region: testRegion, Revision: strings.Repeat("abcdef"[w.r.IntN(3):][:1], 40), Author: "sato"}
		between := func() {
			if depth < 2 && w.r.IntN(4) == 0 {
				one(depth + 1)
			}
		}
		switch w.r.IntN(4) {
		case 0:
			w.decide(env)
		case 1:
			w.round(in, 0, plan.CauseDrift, between)
		case 2:
			w.round(in, 0, plan.CauseChange, between)
		default:
			in.Rollout = w.log.NewRolloutID(time.Now())
			waves := 1 + w.r.IntN(3)
			for wave := range waves {
				w.round(in, wave+1, plan.CauseChange, between)
				w.pass()
				between()
			}
			if w.r.IntN(2) == 0 {
				ro := rollout.Rollout{ID: in.Rollout, Stage: rollout.StageDone, Wave: waves, Waves: waves, Begun: time.Now()}
				if err := w.log.NoteRollout(w.t.Context(), env, testRegion, "layerd", ro); err != nil {
					w.t.Fatal(err)
				}
			}
		}
		w.pass()
	}
	for range 3 + w.r.IntN(10) {
		one(0)
	}
}

// happened is what a history has, told by something else than what is tested: by group,
// in the order of their newest entries.
func happened(t *testing.T, log *history.Log) (groups [][]history.Entry, all []history.Entry) {
	t.Helper()
	place := map[string]int{}
	for e, err := range log.Entries(t.Context(), history.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
		id := e.RoundID
		if e.Rollout != "" {
			id = e.Rollout
		}
		if id == "" || e.Kind == history.KindQuarantine || e.Kind == history.KindApproval {
			id = e.ID
		}
		if _, known := place[id]; !known {
			place[id] = len(groups)
			groups = append(groups, nil)
		}
		groups[place[id]] = append(groups[place[id]], e)
	}
	return groups, all
}

var (
	lineOfText = regexp.MustCompile(`(?m)^  \d\d:\d\d \S (\S+) · \S+  (\w+) (\w+)  (\d+) functions?  (\S+ \S+ → \S+)(?:  (\d+) times since .*)?\n {10}(for \w+(?:, revision \w+ by \w+|, revision \w+ or one before it|, a new version of the range in Git)?)(?:, rollout.*)?$`)
	leftInText = regexp.MustCompile(`(?m)^(\d+) older changes? left out, of (\d+) steps?; all of them:\n  (.*)$`)
)

// told adds up what the text says, by what was done: functions, and entries of which
// somebody is told.
func told(text string) map[string][2]int {
	sums := map[string][2]int{}
	for _, m := range lineOfText.FindAllStringSubmatch(text, -1) {
		var functions, times int
		_, _ = fmt.Sscan(m[4], &functions)
		if times = functions; m[6] != "" {
			_, _ = fmt.Sscan(m[6], &times)
		}
		key := strings.Join(append(slices.Clone(m[1:4]), m[5], m[7]), " ")
		sums[key] = [2]int{sums[key][0] + functions, sums[key][1] + times}
	}
	return sums
}

// howItEnded is how an entry ended, as the writer wrote it.
func howItEnded(e history.Entry) string {
	switch {
	case e.Ended.IsZero():
		return "open"
	case strings.HasPrefix(e.Error, "interrupted"):
		return "interrupted"
	}
	return string(e.Status)
}

// whoseCause is for what and for whom an entry was made, as the writer wrote it: a heal is
// for nobody.
func whoseCause(e history.Entry) string {
	switch {
	case e.Cause == plan.CauseDrift:
		return "for drift"
	case e.Asked == nil:
		return fmt.Sprintf("for change, revision %.7s by sato", e.Planned)
	case e.Asked.Published:
		return "for change, a new version of the range in Git"
	case e.Asked.Earlier:
		return fmt.Sprintf("for change, revision %.7s or one before it", e.Asked.Revision)
	}
	return fmt.Sprintf("for change, revision %.7s by abe", e.Asked.Revision)
}

// truth adds up what the groups have.
func truth(groups [][]history.Entry) map[string][2]int {
	sums := map[string][2]int{}
	for _, group := range groups {
		seen := map[string]bool{}
		for _, e := range group {
			if e.Cause == history.CauseRuling {
				continue
			}
			key := strings.Join([]string{e.Environment, howItEnded(e), string(e.Kind), fmt.Sprintf("%s %d → %d", e.Layer, e.FromNumber, e.ToNumber), whoseCause(e)}, " ")
			sum := sums[key]
			// A wave is a line of its own.
			if one := fmt.Sprint(key, e.Function, e.Wave); !seen[one] {
				seen[one], sum[0] = true, sum[0]+1
			}
			sum[1]++
			sums[key] = sum
		}
	}
	return sums
}

// H1: the sum of what history prints, at any limit and in each form, is what happened,
// or it says what it left out: a group is whole or not there.
func TestH1TheSumOfAHistoryIsWhatHappened(t *testing.T) {
	seeds := uint64(4)
	if nightly.On() {
		seeds = 200
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w := &writer{t, rand.New(rand.NewPCG(seed, 1)), history.Open(store.NewMemory(), "acme")}
			w.history()
			groups, all := happened(t, w.log)
			for _, limit := range []int{0, 1, 2, 3, 5, len(groups) - 1, len(groups), len(groups) + 1} {
				if limit < 0 {
					continue
				}
				page, err := w.log.Page(t.Context(), history.Query{}, limit)
				if err != nil {
					t.Fatal(err)
				}
				want := groups
				if limit > 0 {
					want = groups[:min(limit, len(groups))]
				}
				name := fmt.Sprintf("seed %d, limit %d of %d", seed, limit, len(groups))
				checkPage(t, name, page, want, all)
				checkForms(t, name, page, want, len(groups)-len(want), limit)
			}
		})
	}
}

func checkPage(t *testing.T, name string, page history.Page, want [][]history.Entry, all []history.Entry) {
	t.Helper()
	ids := func(list []history.Entry) (ids []string) {
		for _, e := range list {
			ids = append(ids, e.ID+e.Step)
		}
		return ids
	}
	in := map[string]bool{}
	for _, id := range ids(slices.Concat(want...)) {
		in[id] = true
	}
	ordered := slices.DeleteFunc(ids(all), func(id string) bool { return !in[id] })
	if diff := cmp.Diff(ids(page.Entries), ordered); diff != "" {
		t.Fatalf("%s (-page +whole groups):\n%s", name, diff)
	}
	if n := len(all) - len(ordered); page.Left.Entries != n || page.Left.More || page.Groups != len(want) {
		t.Errorf("%s: left %+v of %d, %d groups", name, page.Left, n, page.Groups)
	}
}

func checkForms(t *testing.T, name string, page history.Page, want [][]history.Entry, left, limit int) {
	t.Helper()
	text := History(page, "layerd history --limit 0", time.UTC, Options{})
	if diff := cmp.Diff(told(text), truth(want)); diff != "" {
		t.Fatalf("%s (-text +what happened):\n%s\n%s", name, diff, text)
	}
	m := leftInText.FindStringSubmatch(text)
	if (m != nil) != (left > 0) || m != nil && (m[1] != fmt.Sprint(left) || m[2] != fmt.Sprint(page.Left.Entries) || m[3] != "layerd history --limit 0") {
		t.Errorf("%s: %d are left out, and the text says %q", name, left, m)
	}
	data, err := json.Marshal(HistoryDocument(page, limit, "layerd history --limit 0"))
	if err != nil {
		t.Fatal(err)
	}
	var doc historyView
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Entries) != len(page.Entries) || doc.Groups != len(want) || doc.Limit != limit || (doc.LeftOut != nil) != (left > 0) || left > 0 && doc.LeftOut.Groups != left {
		t.Errorf("%s: %d entries, %d groups, left out %+v", name, len(doc.Entries), doc.Groups, doc.LeftOut)
	}
	rows, err := csv.NewReader(strings.NewReader(HistoryCSV(page.Entries))).ReadAll()
	if err != nil || len(rows) != len(page.Entries)+1 {
		t.Errorf("%s: %d rows, %v", name, len(rows), err)
	}
}
