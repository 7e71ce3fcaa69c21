package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/ruling"
)

var stages = []Stage{
	StageCanary, StageCanaryBake, StageChange, StageBake, StageHalted, StageRollingBack, StageWatching,
	StageDone, StageRolledBack, StageSuperseded,
}

// ends are the stages that end a rollout.
var ends = stages[7:]

// at is a rollout of three waves in the second, in a stage.
func at(s Stage) Rollout {
	r := Rollout{ID: "1", Stage: s, Wave: 2, Waves: 3, Total: 9, Begun: noon, Since: noon}
	if slices.Contains(ends, s) {
		r.Ended = noon
	}
	return r
}

// allFacts are all facts that a plan may mean, as far as Next can tell them apart.
func allFacts() []Facts {
	list := []Facts{{}}
	each := func(set func(*Facts, int), values int) {
		var next []Facts
		for _, f := range list {
			for v := range values {
				g := f
				set(&g, v)
				next = append(next, g)
			}
		}
		list = next
	}
	for _, field := range []func(*Facts) *bool{
		func(f *Facts) *bool { return &f.Observed }, func(f *Facts) *bool { return &f.Failed },
		func(f *Facts) *bool { return &f.NewerCommit }, func(f *Facts) *bool { return &f.NothingChanged },
		func(f *Facts) *bool { return &f.AllChanged }, func(f *Facts) *bool { return &f.NoCanary },
		func(f *Facts) *bool { return &f.UndoPlanned }, func(f *Facts) *bool { return &f.Undone }, func(f *Facts) *bool { return &f.Applied },
	} {
		each(func(f *Facts, v int) { *field(f) = v == 1 }, 2)
	}
	each(func(f *Facts, v int) { f.WaveWith = v - 1 }, 5)
	each(func(f *Facts, v int) { f.NextWave, f.Waves = v, 3 }, 4)
	return list
}

func allRules() []desired.Rollout {
	watch := desired.Rollout{Bake: time.Minute, Alarms: []string{"errors"}, Watch: time.Hour, Canary: &desired.Canary{Weight: 0.1, Bake: time.Minute}}
	return []desired.Rollout{{}, {Canary: watch.Canary}, {Bake: time.Minute}, watch}
}

// TestTransitions holds the table in the comment of Next: from each stage, by
// each event, with whatever facts and rules, nothing else follows.
func TestTransitions(t *testing.T) {
	events := map[string]func(Facts) []Event{
		"Applied":     func(f Facts) []Event { return []Event{Applied{f}} },
		"NewerCommit": func(f Facts) []Event { return []Event{NewerCommit{f}} },
		"SmokePassed": func(Facts) []Event { return []Event{SmokePassed{}} },
		"Passed":      func(f Facts) []Event { return []Event{Passed{Facts: f}} },
		"Failed": func(Facts) []Event {
			return []Event{Failed{Reason: "bad"}, Failed{Reaction: desired.RollBack, Reason: "bad"}, Failed{Reaction: desired.Halt, Reason: "bad"}}
		},
		"AlarmsRead": func(Facts) []Event { return []Event{AlarmsRead{}, AlarmsRead{Reason: "it rings"}} },
		"RolledBack": func(Facts) []Event { return []Event{RolledBack{By: "sato", Reason: "it leaks"}} },
		"Resumed":    func(Facts) []Event { return []Event{Resumed{}} },
	}
	// What else than the stage itself may follow.
	want := map[string]string{
		"canary Applied":          "bake canary canary_bake change done superseded",
		"change Applied":          "bake canary done superseded",
		"canary NewerCommit":      "bake superseded",
		"change NewerCommit":      "bake superseded",
		"canary_bake NewerCommit": "superseded", // of one that has changed nothing
		"bake NewerCommit":        "superseded",
		"canary_bake Passed":      "change",
		"bake Passed":             "canary change done superseded watching",
		"halted Resumed":          "bake",
		"halted NewerCommit":      "superseded",
		"halted Applied":          "superseded",
		"rolling_back Applied":    "rolled_back",
		"watching Passed":         "done",
	}
	for _, s := range stages[:7] {
		if s != StageRollingBack {
			want[string(s)+" Failed"], want[string(s)+" RolledBack"] = "halted rolling_back", "rolled_back"
		}
	}
	facts := allFacts()
	for _, s := range stages {
		for name, make := range events {
			got := map[Stage]bool{}
			for _, f := range facts {
				for _, e := range make(f) {
					for _, rules := range allRules() {
						r := at(s)
						next := r.Next(e, rules, noon.Add(time.Hour))
						if r.Moved(at(s)) {
							t.Fatalf("%s %s changed its receiver", s, name)
						}
						got[next.Stage] = true
					}
				}
			}
			key := string(s) + " " + name
			var list []string
			for _, to := range slices.Sorted(maps.Keys(got)) {
				list = append(list, string(to))
			}
			expected := strings.Fields(want[key])
			if !slices.Contains(expected, string(s)) && got[s] {
				expected = append(expected, string(s)) // it may always stay
			}
			slices.Sort(expected)
			if !slices.Equal(list, expected) {
				t.Errorf("%s leads to %v, and the table has %v", key, list, expected)
			}
		}
	}
}

func drawFacts(t *rapid.T) Facts {
	b := func(name string) bool { return rapid.Bool().Draw(t, name) }
	return Facts{
		Observed: rapid.IntRange(0, 9).Draw(t, "observed") > 0, Failed: rapid.IntRange(0, 9).Draw(t, "failed") == 0,
		WaveWith: rapid.IntRange(-1, 4).Draw(t, "wave with"), NextWave: rapid.IntRange(0, 4).Draw(t, "next wave"), Waves: rapid.IntRange(0, 4).Draw(t, "waves"),
		NewerCommit: rapid.IntRange(0, 3).Draw(t, "newer") == 0, NothingChanged: b("nothing"), AllChanged: b("all"), NoCanary: b("no canary"),
		UndoPlanned: b("undo"), Undone: b("undone"), Applied: b("applied"),
	}
}

func drawEvent(t *rapid.T) Event {
	f := drawFacts(t)
	return rapid.SampledFrom([]Event{
		Applied{f}, Applied{f}, Applied{f}, NewerCommit{f}, SmokePassed{}, Passed{Facts: f}, Passed{Facts: f, Findings: []string{"well"}},
		Failed{Reaction: desired.Halt, Reason: "bad"}, Failed{Reason: "bad"}, AlarmsRead{Reason: "it rings"}, RolledBack{By: "sato"}, Resumed{},
	}).Draw(t, "event")
}

// TestPromises plays events in any order and holds what the package promises.
func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SampledFrom(allRules()).Draw(t, "rules")
		now := noon
		r := *New(nil, "1", "abc", nil, 3, 9, rules, now)
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
			e := drawEvent(t)
			next := r.Next(e, rules, now)
			_, passed := e.(Passed)
			_, applied := e.(Applied)
			moved := next.Stage != r.Stage || next.Wave != r.Wave
			switch {
			case !r.Ended.IsZero() && r.Moved(next):
				t.Fatalf("it had ended, and %T moved it to %+v", e, next)
			case next.Wave < r.Wave, next.Wave > r.Wave && !passed && (!applied || rules.Verifies()):
				t.Fatalf("%T leads from wave %d to %d", e, r.Wave, next.Wave)
			case next.Waves < 1 || next.Wave > max(next.Waves, r.Waves):
				t.Fatalf("it is in wave %d of %d", next.Wave, next.Waves)
			case moved && (!next.Since.Equal(now) || next.Smoked):
				t.Fatalf("%T leads to %+v at %s", e, next, now)
			case next.Ended.IsZero() == slices.Contains(ends, next.Stage):
				t.Fatalf("in stage %s it ended %s", next.Stage, next.Ended)
			case next.Stage == StageHalted && next.Reason == "", next.Stage == StageRollingBack && next.Reason == "":
				t.Fatalf("%s without a reason", next.Stage)
			}
			if f, ok := e.(Applied); ok && !f.Facts.Observed && r.Moved(next) {
				t.Fatalf("a Region that was not read moved it to %+v", next)
			}
			r = next
		}
	})
}

func TestAnswer(t *testing.T) {
	target := Target{Layer: "arn:aws:lambda:eu-west-1:123456789012:layer:common", Number: 7}
	hand := ruling.Quarantine{Region: "eu-west-1", Layer: target.Layer, Number: 7, ByPerson: true, By: "sato", Reason: "it leaks", At: noon}
	with := func(edit func(*ruling.Quarantine)) []ruling.Quarantine {
		q := hand
		edit(&q)
		return []ruling.Quarantine{q}
	}
	rules := allRules()[3]
	for _, tc := range []struct {
		name    string
		stage   Stage
		facts   Facts
		rulings []ruling.Quarantine
		after   time.Duration
		want    string
	}{
		{"a person rolls back", StageBake, Facts{}, []ruling.Quarantine{hand}, 0, "rollout.RolledBack"},
		{"and also what is watched still", StageWatching, Facts{}, []ruling.Quarantine{hand}, 0, "rollout.RolledBack"},
		{"what goes back goes on", StageRollingBack, Facts{}, []ruling.Quarantine{hand}, 0, "<nil>"},
		{"some functions only", StageBake, Facts{}, with(func(q *ruling.Quarantine) { q.Functions = "a-*" }), 0, "<nil>"},
		{"another number", StageBake, Facts{}, with(func(q *ruling.Quarantine) { q.Number = 6 }), 0, "<nil>"},
		{"another Region", StageBake, Facts{}, with(func(q *ruling.Quarantine) { q.Region = "us-east-1" }), 0, "<nil>"},
		{"before this rollout began", StageBake, Facts{}, with(func(q *ruling.Quarantine) { q.At = noon.Add(-time.Second) }), 0, "<nil>"},
		{"it was lifted", StageBake, Facts{}, with(func(q *ruling.Quarantine) { q.Ended = noon }), 0, "<nil>"},
		{"its own quarantine was written", StageBake, Facts{}, with(func(q *ruling.Quarantine) { q.ByPerson, q.Rollout = false, "1" }), 0, "rollout.Failed"},
		{"that of another rollout", StageBake, Facts{}, with(func(q *ruling.Quarantine) { q.ByPerson, q.Rollout = false, "2" }), 0, "<nil>"},
		{"a newer commit after a halt", StageHalted, Facts{NewerCommit: true}, nil, 0, "rollout.NewerCommit"},
		{"a newer commit is judged first", StageChange, Facts{NewerCommit: true}, nil, 0, "<nil>"},
		{"a newer commit before anything was changed", StageChange, Facts{NewerCommit: true, NothingChanged: true}, nil, 0, "rollout.NewerCommit"},
		{"the functions are gone", StageBake, Facts{NothingChanged: true}, nil, 0, "rollout.Passed"},
		{"nothing was changed yet", StageChange, Facts{NothingChanged: true}, nil, 0, "<nil>"},
		{"it is watched", StageWatching, Facts{NothingChanged: true}, nil, time.Minute, "<nil>"},
		{"the watch is over", StageWatching, Facts{}, nil, time.Hour, "rollout.Passed"},
		{"it ended", StageDone, Facts{NewerCommit: true}, []ruling.Quarantine{hand}, 0, "<nil>"},
	} {
		r := at(tc.stage)
		r.Targets = []Target{target}
		if got := fmt.Sprintf("%T", r.Answer(tc.facts, tc.rulings, "eu-west-1", rules, noon.Add(tc.after))); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestChecks(t *testing.T) {
	rules := desired.Rollout{Bake: 10 * time.Minute, Alarms: []string{"errors"}, Watch: time.Hour}
	for _, tc := range []struct {
		stage Stage
		edit  func(*Rollout, *Facts)
		after time.Duration
		want  Checks
	}{
		{StageChange, nil, time.Hour, Checks{Alarms: true}},
		{StageBake, nil, time.Minute, Checks{Alarms: true, Smoke: true}},
		{StageBake, func(r *Rollout, _ *Facts) { r.Smoked = true }, time.Minute, Checks{Alarms: true}},
		{StageBake, func(r *Rollout, _ *Facts) { r.Smoked = true }, 10 * time.Minute, Checks{Alarms: true, Rates: true}},
		{StageBake, func(_ *Rollout, f *Facts) { f.NothingChanged = true }, 10 * time.Minute, Checks{}},
		{StageHalted, nil, time.Hour, Checks{}},
		{StageRollingBack, nil, time.Hour, Checks{}},
		{StageWatching, func(_ *Rollout, f *Facts) { f.NothingChanged = true }, time.Minute, Checks{Alarms: true}},
		{StageDone, nil, time.Hour, Checks{}},
	} {
		r, f := at(tc.stage), Facts{}
		if tc.edit != nil {
			tc.edit(&r, &f)
		}
		if got := r.Checks(f, rules, noon.Add(tc.after)); got != tc.want {
			t.Errorf("%s after %s: %+v, want %+v", tc.stage, tc.after, got, tc.want)
		}
	}
}

func TestNew(t *testing.T) {
	before := &Rollout{ID: "7", Chain: []string{"6"}, Stage: StageSuperseded, Ended: noon}
	r := New(before, "8", "abc", nil, 0, 0, desired.Rollout{}, noon)
	if !slices.Equal(r.Chain, []string{"6", "7"}) || r.Wave != 1 || r.Waves != 1 || r.Stage != StageChange || !r.Open() {
		t.Errorf("%+v", r)
	}
	if before.Chain = append(before.Chain, "x"); len(r.Chain) != 2 {
		t.Error("the chain is shared")
	}
}
