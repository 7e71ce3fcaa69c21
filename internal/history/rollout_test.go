package history_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/store"
)

func rolloutOf(t interface {
	Helper()
	Fatal(args ...any)
}, l *history.Log) *rollout.Rollout {
	t.Helper()
	r, err := l.Rollout(context.Background(), env, region)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func save(t *testing.T, l *history.Log, r rollout.Rollout) {
	t.Helper()
	if err := l.SaveRollout(t.Context(), env, region, r); err != nil {
		t.Fatal(err)
	}
}

// half is a rollout in the middle of its second wave.
func half() rollout.Rollout {
	return rollout.Rollout{
		ID: "20261124T120000.000000000Z-B", Chain: []string{"20261124T110000.000000000Z-A"}, Revision: "c0ffee",
		Targets: []rollout.Target{{Layer: common, Name: "makoto-common", Number: 13, Semver: "1.13.0", From: 12}},
		Stage:   rollout.StageBake, Wave: 2, Waves: 3, Total: 40,
		Begun: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Since: time.Date(2026, 11, 24, 12, 10, 0, 5, time.UTC),
		Smoked: true, Findings: []string{"no errors in 120 calls"}, Reason: "why", Attempts: 1,
	}
}

func TestARolloutIsKept(t *testing.T) {
	c := newCounted(store.NewMemory())
	l := history.Open(c, repo)
	if r := rolloutOf(t, l); r != nil {
		t.Errorf("there is one: %+v", r)
	}
	want := half()
	save(t, l, want)
	if diff := cmp.Diff(&want, rolloutOf(t, history.Open(c, repo))); diff != "" {
		t.Errorf("the next process sees (-want +got):\n%s", diff)
	}
	writes := c.writes
	same := want
	same.Begun = same.Begun.In(time.FixedZone("JST", 9*3600))
	save(t, l, same)
	if c.writes != writes {
		t.Error("the same was written again")
	}
	want.Stage, want.Ended = rollout.StageDone, want.Since.Add(time.Hour)
	save(t, l, want)
	if diff := cmp.Diff(&want, rolloutOf(t, l)); diff != "" {
		t.Errorf("the end (-want +got):\n%s", diff)
	}
	for name, other := range map[string]*history.Log{"another repository": history.Open(c, "other")} {
		if r := rolloutOf(t, other); r != nil {
			t.Errorf("%s sees %+v", name, r)
		}
	}
	for _, place := range [][2]string{{env, "us-east-1"}, {"dev", region}} {
		if r, err := l.Rollout(t.Context(), place[0], place[1]); r != nil || err != nil {
			t.Errorf("%v sees %+v, %v", place, r, err)
		}
	}
	for _, err := range []error{
		l.SaveRollout(t.Context(), "", region, want), l.SaveRollout(t.Context(), env, "", want), l.SaveRollout(t.Context(), env, region, rollout.Rollout{}),
	} {
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("without its place: %v", err)
		}
	}
}

// Whatever a rollout says, it comes back as it was, and what came back is not
// written again.
func TestARolloutComesBackAsItWas(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a\xffb", "本番 \x00", strings.Repeat("日", 3000), "<&>", strings.Repeat("\xff", 3000)}))
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		return rapid.SampledFrom([]time.Time{at, at.UTC(), at.In(time.FixedZone("", 3600)), time.Now()}).Draw(t, "form")
	})
	rapid.Check(t, func(t *rapid.T) {
		r := half()
		r.Chain = rapid.SliceOfN(rapid.StringMatching(`[0-9A-Z-]{1,20}`), 0, 3).Draw(t, "chain")
		r.Findings, r.Reason = rapid.SliceOfN(text, 0, 60).Draw(t, "findings"), text.Draw(t, "reason")
		r.Begun, r.Since, r.Ended = instant.Draw(t, "begun"), instant.Draw(t, "since"), instant.Draw(t, "ended")
		r.Wave, r.Attempts, r.Smoked = rapid.IntRange(0, 9).Draw(t, "wave"), rapid.IntRange(0, 9).Draw(t, "attempts"), rapid.Bool().Draw(t, "smoked")
		r.Targets = rapid.SliceOfN(rapid.SampledFrom(append(half().Targets, rollout.Target{Layer: vendor})), 0, 3).Draw(t, "targets")

		c := newCounted(store.NewMemory())
		l := history.Open(c, repo).Holding(account, 7)
		for range 2 {
			if err := l.SaveRollout(context.Background(), env, region, r); err != nil {
				t.Fatal(err)
			}
		}
		got := rolloutOf(t, l)
		if err := l.SaveRollout(context.Background(), env, region, *got); err != nil {
			t.Fatal(err)
		}
		if c.writes != 1 {
			t.Fatalf("%d writes", c.writes)
		}
		words := cmpopts.IgnoreFields(rollout.Rollout{}, "Findings", "Reason") // they may be cut
		if diff := cmp.Diff(&r, got, cmpopts.EquateEmpty(), words, cmpopts.EquateApproxTime(0)); diff != "" {
			t.Fatalf("it came back (-want +got):\n%s", diff)
		}
		if len(r.Findings) > 0 && !strings.HasPrefix(got.Findings[0], firstRunes(r.Findings[0])) || len(got.Findings) > len(r.Findings) {
			t.Fatalf("findings %q became %q", r.Findings, got.Findings)
		}
	})
}

func firstRunes(s string) string {
	s = strings.ToValidUTF8(s, "�")
	return string([]rune(s)[:min(len([]rune(s)), 50)])
}

func TestAJudgementOfManyFunctionsFits(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	r := half()
	r.Findings, r.Reason = nil, strings.Repeat("\x01", 1<<20)
	for range 10_000 {
		r.Findings = append(r.Findings, strings.Repeat("\x01", 1<<12))
	}
	save(t, l, r)
	got := rolloutOf(t, l).Findings
	if last := got[len(got)-1]; last != "and 9961 more" {
		t.Errorf("the last of %d findings is %q", len(got), last)
	}
}

func TestAWokenHolderIsToldThatTheRolloutWentOn(t *testing.T) {
	c := newCounted(store.NewMemory())
	old, next := history.Open(c, repo).Holding(account, 6), history.Open(c, repo).Holding(account, 7)
	save(t, old, half())
	writes := c.writes
	save(t, next, half()) // it takes over: nothing else is new
	save(t, next, half())
	if c.writes != writes+1 {
		t.Errorf("taking over took %d writes", c.writes-writes)
	}
	later := half()
	later.Wave = 3
	for range 2 {
		if err := old.SaveRollout(t.Context(), env, region, later); !errors.Is(err, history.ErrStaleFence) {
			t.Errorf("the old holder is told %v", err)
		}
	}
	if got := rolloutOf(t, next); got.Wave != 2 {
		t.Errorf("the old holder moved it to wave %d", got.Wave)
	}
	ended := half()
	ended.Stage, ended.Ended = rollout.StageDone, ended.Since
	save(t, next, ended)
	writes = c.writes
	save(t, history.Open(c, repo).Holding(account, 8), ended)
	if c.writes != writes {
		t.Error("a rollout that is over was written because the holder is another")
	}
	// The environment moved: the numbers are of another lease.
	save(t, history.Open(c, repo).Holding("999999999999", 1), half())
}

// Holders follow each other and any of them may wake at any time: what is kept
// only ever goes on, and each one is told at its first word that it was passed.
func TestARolloutOnlyGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, latest, wave := store.NewMemory(), int64(0), 0
		for i := range rapid.IntRange(1, 20).Draw(t, "saves") {
			holder := rapid.Int64Range(1, 4).Draw(t, "holder")
			r := half()
			r.Wave = i + 1
			err := history.Open(s, repo).Holding(account, holder).SaveRollout(context.Background(), env, region, r)
			switch {
			case holder < latest && !errors.Is(err, history.ErrStaleFence), holder >= latest && err != nil:
				t.Fatalf("holder %d after %d: %v", holder, latest, err)
			case err == nil:
				latest, wave = holder, r.Wave
			}
			if got := rolloutOf(t, history.Open(s, repo)); got.Wave != wave {
				t.Fatalf("wave %d, want %d", got.Wave, wave)
			}
		}
	})
}

func TestRolloutIDsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := history.Open(store.NewMemory(), repo)
		a := l.NewRolloutID(time.Now())
		b := l.Holding(account, 7).NewRolloutID(time.Now())
		c := l.NewRolloutID(time.Now().Add(-time.Hour)) // the clock was set back
		if !slices.IsSorted([]string{a, b, c}) || a == b {
			t.Errorf("%s, %s, %s", a, b, c)
		}
	})
}

func TestProving(t *testing.T) {
	c := newCounted(store.NewMemory())
	l := history.Open(c, repo).Holding(account, 6)
	prove := func(l *history.Log, number int64) {
		t.Helper()
		targets := []rollout.Target{{Name: "not live"}, {Layer: common, Number: number}, {Layer: vendor, Number: 98}}
		if err := l.Prove(t.Context(), env, region, targets); err != nil {
			t.Fatal(err)
		}
	}
	proven := func(want int64) {
		t.Helper()
		if p := pastOf(t, l); p.Layers[common].Proven != want || p.Layers[vendor].Proven != 98 || len(p.Layers) != 2 {
			t.Errorf("the past is %+v, want %d", p.Layers, want)
		}
	}
	prove(l, 12)
	proven(12)
	writes := c.writes
	prove(l, 12)
	learn(t, l, plan.Learned{})
	if c.writes != writes {
		t.Error("what is known was written")
	}
	do(t, fenced(t, l, account, 0), attach("chat", 12, 13), applied(""))
	learn(t, l, plan.Learned{Candidates: []plan.Candidate{{Layer: common, Number: 3, Since: time.Now()}}})
	proven(12) // that it was applied proves nothing
	next := history.Open(c, repo).Holding(account, 7)
	prove(next, 13)
	prove(l, 14) // asleep until now
	proven(13)
	prove(next, 0) // it was taken away, and all was well
	proven(0)
}

func TestNewerRolloutsAreNotHalfUnderstood(t *testing.T) {
	for data, want := range map[string]error{`{"v":2}`: store.ErrNewer, `{"v":`: store.ErrCorrupt, `{"v":1,"wave":"x"}`: store.ErrCorrupt} {
		s := store.NewMemory()
		key := store.Key("rollout", repo, env, region)
		if _, err := s.Create(t.Context(), key, []byte(data)); err != nil {
			t.Fatal(err)
		}
		l := history.Open(s, repo)
		_, readErr := l.Rollout(t.Context(), env, region)
		for call, err := range map[string]error{"Rollout": readErr, "SaveRollout": l.SaveRollout(t.Context(), env, region, half())} {
			if !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), key) {
				t.Errorf("%s of %s: %v, want %v", call, data, err, want)
			}
		}
	}
}
