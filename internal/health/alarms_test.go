package health

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/state"
)

func TestAlarms(t *testing.T) {
	since := time.Date(2026, 11, 26, 14, 2, 0, 0, time.UTC)
	src := &cloud{t: t, alarms: map[string]Alarm{
		"errors":  {Name: "errors", State: "ALARM", Reason: "Threshold\nCrossed: 5 > 1", Since: since},
		"latency": {Name: "latency", State: "OK", Reason: "Threshold not crossed", Since: since},
		"new":     {Name: "new", State: "INSUFFICIENT_DATA", Reason: "Unchecked"},
		"odd":     {Name: "odd", State: "ODD"},
	}}
	got := Alarms(t.Context(), src, []string{"new", "errors", "typo", "latency", "errors", "odd"}, time.FixedZone("JST", 9*60*60))
	want := []Finding{
		{About: "alarm new", Code: CodeAlarm, Status: Unknown, Sentence: "alarm new is INSUFFICIENT_DATA: Unchecked"},
		{About: "alarm errors", Code: CodeAlarm, Status: Bad, Sentence: "alarm errors is ALARM since Thu 2026-11-26 23:02 JST: Threshold Crossed: 5 > 1"},
		{About: "alarm typo", Code: CodeAlarm, Status: Bad, Sentence: "alarm typo does not exist"},
		{About: "alarm latency", Code: CodeAlarm, Status: Good, Sentence: "alarm latency is OK since Thu 2026-11-26 23:02 JST"},
		{About: "alarm odd", Code: CodeAlarm, Status: Unknown, Sentence: "alarm odd is ODD"},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	if got := Alarms(t.Context(), src, nil, nil); got != nil || src.asked != 1 {
		t.Errorf("no name gave %v, %d calls", got, src.asked)
	}
}

func TestAlarmsAreAskedAHundredAtOnce(t *testing.T) {
	src := &cloud{t: t, alarms: map[string]Alarm{}}
	var names []string
	for i := range 201 {
		name := fmt.Sprintf("a%d", i)
		names = append(names, name)
		src.alarms[name] = Alarm{Name: name, State: "OK"}
	}
	got := Alarms(t.Context(), src, names, nil)
	if len(got) != 201 || src.asked != 3 || Judge(got).Status != Good {
		t.Errorf("%d findings of %d calls", len(got), src.asked)
	}
}

// TestAlarmsOutOfReachAreUnknown: also when the right to look is missing, since
// going back would not give it.
func TestAlarmsOutOfReachAreUnknown(t *testing.T) {
	for _, kind := range []state.Kind{state.Again, state.Human, state.Stopped} {
		src := &cloud{t: t, alarms: map[string]Alarm{"a": {State: "ALARM"}}, err: failed(kind, nil)}
		got := Alarms(t.Context(), src, []string{"a", "b"}, nil)
		if len(got) != 2 || slices.ContainsFunc(got, func(f Finding) bool { return f.Status != Unknown }) {
			t.Errorf("%v: %+v", kind, got)
		}
		if want := "alarm a is not known: ask: Invoke f: Code: password=***"; got[0].Sentence != want {
			t.Errorf("it says %q, want %q", got[0].Sentence, want)
		}
	}
}
