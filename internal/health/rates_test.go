package health

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/state"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// asked is a rollout that began at noon and was watched for ten minutes from
// 12:05 on.
func asked(rate float64, throttles int, names ...string) Question {
	q := Question{
		Bake: Span{noon.Add(5 * time.Minute), noon.Add(15 * time.Minute)}, Before: Span{noon.Add(-10 * time.Minute), noon},
	}
	if rate >= 0 {
		q.MaxErrorRate = &rate
	}
	if throttles >= 0 {
		q.MaxThrottles = &throttles
	}
	for _, n := range names {
		name, qualifier, _ := strings.Cut(n, ":")
		q.Functions = append(q.Functions, Watched{name, qualifier})
	}
	return q
}

// did returns the metrics of what each function did, before the rollout and in
// the bake.
func did(t testing.TB, what map[string][2]minute) *cloud {
	c := &cloud{t: t, metrics: map[Watched]map[time.Time]minute{}, partial: map[Series]bool{}}
	for n, m := range what {
		name, qualifier, _ := strings.Cut(n, ":")
		at := map[time.Time]minute{}
		for i, when := range []time.Time{noon.Add(-5 * time.Minute), noon.Add(8 * time.Minute)} {
			if m[i] != (minute{}) {
				at[when] = m[i]
			}
		}
		c.metrics[Watched{name, qualifier}] = at
	}
	return c
}

func told(findings []Finding) []string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, fmt.Sprintf("%s %s: %s", f.Status, f.Code, f.Sentence))
	}
	return lines
}

func TestErrorRates(t *testing.T) {
	for _, c := range []struct {
		name string
		did  map[string][2]minute
		want []string
	}{
		{"well", map[string][2]minute{"a": {{calls: 100}, {calls: 100, errors: 5}}}, []string{
			"good error_rate: error rate of all functions is 5% (5 of 100 calls), limit 5%, before 0%"}},
		{"above", map[string][2]minute{"a": {{calls: 100, errors: 1}, {calls: 100, errors: 6}}}, []string{
			"bad error_rate: error rate of a is 6% (6 of 100 calls), limit 5%, before 1%",
			"bad error_rate: error rate of all functions is 6% (6 of 100 calls), limit 5%, before 1%"}},
		{"as bad before", map[string][2]minute{"a": {{calls: 100, errors: 6}, {calls: 100, errors: 6}}}, []string{
			"good error_rate: error rate of all functions is 6% (6 of 100 calls), limit 5%, before 6%"}},
		{"worse than before", map[string][2]minute{"a": {{calls: 100, errors: 6}, {calls: 100, errors: 7}}}, []string{
			"bad error_rate: error rate of a is 7% (7 of 100 calls), limit 5%, before 6%",
			"bad error_rate: error rate of all functions is 7% (7 of 100 calls), limit 5%, before 6%"}},
		{"one call before excuses nothing", map[string][2]minute{"a": {{calls: 1, errors: 1}, {calls: 100, errors: 50}}}, []string{
			"bad error_rate: error rate of a is 50% (50 of 100 calls), limit 5%, too few calls before",
			"bad error_rate: error rate of all functions is 50% (50 of 100 calls), limit 5%, too few calls before"}},
		{"19 calls say nothing", map[string][2]minute{"a": {{}, {calls: 19, errors: 19}}}, []string{
			"unknown error_rate: error rate of all functions is not known: 19 calls, 20 are needed"}},
		{"20 do", map[string][2]minute{"a": {{}, {calls: 20, errors: 2}}}, []string{
			"bad error_rate: error rate of a is 10% (2 of 20 calls), limit 5%, too few calls before",
			"bad error_rate: error rate of all functions is 10% (2 of 20 calls), limit 5%, too few calls before"}},
		{"few calls each, enough together", map[string][2]minute{"a": {{}, {calls: 10, errors: 5}}, "b": {{}, {calls: 10}}}, []string{
			"bad error_rate: error rate of all functions is 25% (5 of 20 calls), limit 5%, too few calls before"}},
		{"one bad among many", map[string][2]minute{"a": {{}, {calls: 20, errors: 5}}, "b": {{}, {calls: 980}}}, []string{
			"bad error_rate: error rate of a is 25% (5 of 20 calls), limit 5%, too few calls before",
			"good error_rate: error rate of all functions is 0.5% (5 of 1000 calls), limit 5%, too few calls before"}},
		{"no data", nil, []string{
			"unknown error_rate: error rate of all functions is not known: no data, 20 are needed"}},
		{"one that nobody calls is no gap", map[string][2]minute{"b": {{}, {calls: 40}}}, []string{
			"good error_rate: error rate of all functions is 0% (0 of 40 calls), limit 5%, too few calls before"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := told(Rates(t.Context(), did(t, c.did), asked(0.05, -1, "a", "b")))
			if diff := cmp.Diff(got, c.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestThrottles(t *testing.T) {
	for _, c := range []struct {
		name string
		did  map[string][2]minute
		want []string
	}{
		{"at the limit", map[string][2]minute{"a": {{calls: 1}, {calls: 1, throttled: 3}}}, []string{
			"good throttles: 3 calls throttled of all functions, limit 3, before 0"}},
		{"above", map[string][2]minute{"a": {{calls: 1}, {throttled: 4}}}, []string{
			"bad throttles: 4 calls throttled of a, limit 3, before 0",
			"bad throttles: 4 calls throttled of all functions, limit 3, before 0"}},
		{"as many before", map[string][2]minute{"a": {{throttled: 4}, {throttled: 4}}}, []string{
			"good throttles: 4 calls throttled of all functions, limit 3, before 4"}},
		{"together", map[string][2]minute{"a": {{}, {throttled: 2}}, "b": {{}, {throttled: 2}}}, []string{
			"bad throttles: 4 calls throttled of all functions, limit 3, no data before"}},
		{"one more, another less", map[string][2]minute{"a": {{}, {throttled: 4}}, "b": {{throttled: 9}, {}}}, []string{
			"bad throttles: 4 calls throttled of a, limit 3, no data before",
			"good throttles: 4 calls throttled of all functions, limit 3, before 9"}},
		{"no data", nil, []string{"unknown throttles: throttles of all functions are not known: no data"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := told(Rates(t.Context(), did(t, c.did), asked(-1, 3, "a", "b")))
			if diff := cmp.Diff(got, c.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPartialDataIsNeverGood: what did come may be bad enough; it is never
// enough to be good.
func TestPartialDataIsNeverGood(t *testing.T) {
	world := func() *cloud {
		return did(t, map[string][2]minute{"a:live": {{calls: 90}, {calls: 90, errors: 80}}, "b": {{calls: 90}, {calls: 90}}})
	}
	src := world()
	src.partial[Series{"a", "live", "Errors"}] = true
	got := told(Rates(t.Context(), src, asked(0.05, -1, "a:live", "b")))
	want := []string{"unknown error_rate: error rate of all functions is 0% (0 of 90 calls), limit 5%, before 0%; the data of 1 function did not come in full"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}

	src = world()
	src.partial[Series{"b", "", "Invocations"}] = true
	got = told(Rates(t.Context(), src, asked(0.05, -1, "a:live", "b")))
	want = []string{
		"bad error_rate: error rate of a:live is 88.89% (80 of 90 calls), limit 5%, before 0%",
		"bad error_rate: error rate of all functions is 88.89% (80 of 90 calls), limit 5%, before 0%; the data of 1 function did not come in full",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

// gap is a world of which one part of the time before never comes.
type gap struct{ *cloud }

func (g gap) Sums(ctx context.Context, series []Series, from, to time.Time) ([]Sum, error) {
	g.partial = map[Series]bool{{"a", "", "Errors"}: from.Before(noon)}
	return g.cloud.Sums(ctx, series, from, to)
}

// TestAGapBeforeIsNoProof: who cannot say what it was before cannot say that it
// got worse.
func TestAGapBeforeIsNoProof(t *testing.T) {
	src := gap{did(t, map[string][2]minute{"a": {{calls: 90, errors: 80}, {calls: 90, errors: 80}}})}
	got := told(Rates(t.Context(), src, asked(0.05, -1, "a")))
	want := []string{"unknown error_rate: error rate of all functions is not known: no data, 20 are needed; the data of 1 function did not come in full"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

func TestRatesAskForWhatIsNeeded(t *testing.T) {
	well := map[string][2]minute{"a": {{calls: 90}, {calls: 90}}}
	for _, c := range []struct {
		q             Question
		asked, series int
		codes         []string
	}{
		{asked(-1, -1, "a"), 0, 0, nil},
		{asked(0.1, 1), 0, 0, nil},
		{asked(0.1, -1, "a", "a", "b"), 2, 8, []string{CodeErrorRate}},
		{asked(-1, 1, "a"), 2, 4, []string{CodeThrottles}},
		{asked(0.1, 1, "a", "a:live"), 2, 12, []string{CodeErrorRate, CodeThrottles}},
	} {
		src := did(t, well)
		var codes []string
		for _, f := range Rates(t.Context(), src, c.q) {
			codes = append(codes, f.Code)
		}
		if src.asked != c.asked || src.series != c.series || !slices.Equal(codes, c.codes) {
			t.Errorf("%+v: %d calls for %d series gave %v, want %d for %d giving %v", c.q, src.asked, src.series, codes, c.asked, c.series, c.codes)
		}
	}
}

func TestRatesThatNobodyKnows(t *testing.T) {
	src := did(t, nil)
	src.err = failed(state.Again, nil)
	want := []string{
		"unknown error_rate: error rate of all functions is not known: ask: Invoke f: Code: password=***",
		"unknown throttles: throttles of all functions are not known: ask: Invoke f: Code: password=***",
	}
	if diff := cmp.Diff(told(Rates(t.Context(), src, asked(0.1, 1, "a"))), want); diff != "" {
		t.Error(diff)
	}
	q := asked(0.1, 1, "a")
	q.Bake = Span{noon.Add(time.Second), noon.Add(119 * time.Second)}
	for _, f := range Rates(t.Context(), did(t, nil), q) {
		if f.Status != Unknown || !strings.HasSuffix(f.Sentence, "the bake has no whole minute") {
			t.Errorf("%+v", f)
		}
	}
}

// TestSpansAreWholeMinutesOfOneLength: the minute in which functions were being
// changed counts for neither side.
func TestSpansAreWholeMinutesOfOneLength(t *testing.T) {
	call := minute{calls: 100, throttled: 1}
	src := &cloud{t: t, metrics: map[Watched]map[time.Time]minute{{"a", ""}: {}}}
	for m := -30; m < 30; m++ {
		src.metrics[Watched{"a", ""}][noon.Add(time.Duration(m)*time.Minute)] = call
	}
	q := asked(-1, 1, "a")
	q.Bake = Span{noon.Add(5*time.Minute + time.Second), noon.Add(15*time.Minute + 59*time.Second)}
	q.Before = Span{noon.Add(-20*time.Minute + time.Second), noon.Add(59 * time.Second)}
	got := told(Rates(t.Context(), src, q))
	if want := []string{"good throttles: 9 calls throttled of all functions, limit 1, before 9"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	q.Before = Span{} // nothing is known of before
	got = told(Rates(t.Context(), src, q))
	if want := "bad throttles: 9 calls throttled of a, limit 1, no data before"; len(got) != 2 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRatesInAnyWorld holds what is promised against worlds of any kind.
func TestRatesInAnyWorld(t *testing.T) {
	names := []string{"a", "b:live", "c:7", "d"}
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.Custom(func(t *rapid.T) minute {
			calls := rapid.IntRange(0, 60).Draw(t, "calls")
			return minute{float64(calls), float64(rapid.IntRange(0, calls).Draw(t, "errors")), float64(rapid.IntRange(0, 5).Draw(t, "throttled"))}
		})
		what := map[string][2]minute{}
		for _, n := range names {
			what[n] = [2]minute{some.Draw(t, "before"), some.Draw(t, "now")}
		}
		limit := rapid.Float64Range(0, 1).Draw(t, "limit")
		got := Rates(t.Context(), did(nil, what), asked(limit, 2, names...))
		for _, code := range []string{CodeErrorRate, CodeThrottles} {
			if n := len(slices.DeleteFunc(slices.Clone(got), func(f Finding) bool { return f.Code != code || f.About != allFunctions })); n != 1 {
				t.Fatalf("%d findings of all for %s", n, code)
			}
		}
		for _, n := range names {
			then, now := what[n][0], what[n][1]
			bad := slices.ContainsFunc(got, func(f Finding) bool { return f.About == n && f.Code == CodeErrorRate })
			excused := then.calls >= 20 && then.errors/then.calls >= now.errors/max(now.calls, 1)
			if want := now.calls >= 20 && now.errors/now.calls > limit && !excused; bad != want {
				t.Fatalf("%s is bad: %v, want %v, in %+v", n, bad, want, what[n])
			}
			bad = slices.ContainsFunc(got, func(f Finding) bool { return f.About == n && f.Code == CodeThrottles })
			if want := now.throttled > 2 && now.throttled > then.throttled; bad != want {
				t.Fatalf("%s is throttled: %v, want %v, in %+v", n, bad, want, what[n])
			}
		}
	})
}
