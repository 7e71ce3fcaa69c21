package ruling_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

const common = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common")

func bad(number int64, functions string) ruling.Quarantine {
	return ruling.Quarantine{
		Environment: "prod", Region: "ap-northeast-1", Layer: common, Name: "makoto-common", Number: number, Semver: "1.4.2",
		Functions: functions, By: "layerd", Reason: "errors", At: noon, Rollout: "r1",
	}
}

func quarantine(t *testing.T, s store.Store, q ruling.Quarantine) ruling.Quarantine {
	t.Helper()
	got, err := registry(s, repo).Quarantine(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func quarantines(t *testing.T, s store.Store) []ruling.Quarantine {
	t.Helper()
	list, err := ruling.LoadQuarantines(t.Context(), s, repo, "prod")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAQuarantinesLife(t *testing.T) {
	for kind, s := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			ctx := t.Context()
			first := quarantine(t, s, bad(13, ""))
			again := bad(13, "")
			again.By, again.At = "suzuki", noon.Add(time.Hour)
			if got := quarantine(t, s, again); !cmp.Equal(got, first) {
				t.Errorf("the first word does not count: %+v", got)
			}
			part := quarantine(t, s, bad(13, "makoto-*"))
			lower := quarantine(t, s, bad(9, ""))
			if diff := cmp.Diff([]ruling.Quarantine{lower, first, part}, quarantines(t, s)); diff != "" {
				t.Errorf("those that hold (-want +got):\n%s", diff)
			}
			for range 2 {
				if _, err := registry(s, repo).Lift(ctx, first, "sato", "fixed", noon.Add(2*time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff([]ruling.Quarantine{lower, part}, quarantines(t, s)); diff != "" {
				t.Errorf("after one was lifted (-want +got):\n%s", diff)
			}
			if got, ok, err := ruling.FindQuarantine(ctx, s, repo, first); ok || err != nil || got.EndedBy != "sato" || got.EndedReason != "fixed" {
				t.Errorf("found %+v, %v, %v", got, ok, err)
			}
			second := quarantine(t, s, again)
			if second.By != "suzuki" || !second.Ended.IsZero() {
				t.Errorf("what was lifted is not given anew: %+v", second)
			}
			// Whoever lifts the first one has not seen the second.
			if _, err := registry(s, repo).Lift(ctx, first, "late", "", noon); err != nil {
				t.Fatal(err)
			}
			if got, ok, err := ruling.FindQuarantine(ctx, s, repo, bad(13, "")); !ok || err != nil || !cmp.Equal(got, second) {
				t.Errorf("found %+v, %v, %v", got, ok, err)
			}
			if _, err := registry(s, repo).Lift(ctx, bad(77, ""), "sato", "", noon); err != nil {
				t.Errorf("lifting what never was: %v", err)
			}
		})
	}
}

// A check quarantined the number; the person who rolls back as well says where
// to, and must not be told that it is so already.
func TestAPersonsRollbackCountsMoreThanACheck(t *testing.T) {
	s := store.NewMemory()
	quarantine(t, s, bad(13, ""))
	hand := bad(13, "")
	hand.By, hand.ByPerson, hand.RevertTo = "sato", true, 11
	if got := quarantine(t, s, hand); !cmp.Equal(got, hand) {
		t.Errorf("the person's word is %+v", got)
	}
	if got := quarantine(t, s, bad(13, "")); !cmp.Equal(got, hand) {
		t.Errorf("a check took it back: %+v", got)
	}
}

func TestWhatAQuarantineCovers(t *testing.T) {
	ended := bad(13, "")
	ended.Ended = noon
	for _, tt := range []struct {
		name     string
		q        ruling.Quarantine
		region   string
		layer    state.LayerARN
		number   int64
		function string
		want     bool
	}{
		{"all functions", bad(13, ""), "ap-northeast-1", common, 13, "chat", true},
		{"another number", bad(13, ""), "ap-northeast-1", common, 14, "chat", false},
		{"another Region", bad(13, ""), "us-east-1", common, 13, "chat", false},
		{"another layer", bad(13, ""), "ap-northeast-1", common + "2", 13, "chat", false},
		{"lifted", ended, "ap-northeast-1", common, 13, "chat", false},
		{"a glob", bad(13, "makoto-*-prod"), "ap-northeast-1", common, 13, "makoto-chat-prod", true},
		{"a glob that does not match", bad(13, "makoto-*-prod"), "ap-northeast-1", common, 13, "makoto-chat-dev", false},
		{"a glob is of the whole name", bad(13, "chat"), "ap-northeast-1", common, 13, "chat-2", false},
		{"one character", bad(13, "chat-?"), "ap-northeast-1", common, 13, "chat-2", true},
		{"a glob that nobody can read", bad(13, "["), "ap-northeast-1", common, 13, "chat", true},
		{"taking away", bad(0, ""), "ap-northeast-1", common, 0, "chat", true},
	} {
		if got := tt.q.Covers(tt.region, tt.layer, tt.number, tt.function); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestAQuarantineThatCouldHoldNothing(t *testing.T) {
	for name, change := range map[string]func(*ruling.Quarantine){
		"no environment":   func(q *ruling.Quarantine) { q.Environment = "" },
		"no Region":        func(q *ruling.Quarantine) { q.Region = "" },
		"no layer":         func(q *ruling.Quarantine) { q.Layer = "" },
		"negative":         func(q *ruling.Quarantine) { q.Number = -1 },
		"back to negative": func(q *ruling.Quarantine) { q.RevertTo = -1 },
		"a class":          func(q *ruling.Quarantine) { q.Functions = "chat-[ab]" },
		"a path":           func(q *ruling.Quarantine) { q.Functions = "a/b" },
		"NUL":              func(q *ruling.Quarantine) { q.Functions = "a\x00" },
		"too long":         func(q *ruling.Quarantine) { q.Functions = strings.Repeat("a", 141) },
	} {
		q, s := bad(13, ""), store.NewMemory()
		change(&q)
		if _, err := registry(s, repo).Quarantine(t.Context(), q); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever repositories, environments and layers are called, each sees its own
// quarantines and no other's.
func TestQuarantinesNeverMeet(t *testing.T) {
	word := rapid.SampledFrom([]string{"prod", "pr", "prod/eu", "%2F", "本番", "a\x00b", "13", "*", "a b", "prod%2Feu"})
	rapid.Check(t, func(t *rapid.T) {
		s := store.NewMemory()
		want := map[string]map[string]bool{}
		at := func(repository, environment string) string { return fmt.Sprintf("%q %q", repository, environment) }
		for range rapid.IntRange(1, 8).Draw(t, "quarantines") {
			repository := word.Draw(t, "repository")
			q := ruling.Quarantine{
				Environment: word.Draw(t, "environment"), Region: word.Draw(t, "region"), Layer: state.LayerARN(word.Draw(t, "layer")),
				Number: rapid.Int64Range(0, 3).Draw(t, "number"), Functions: rapid.SampledFrom([]string{"", "*", "1", "a-?"}).Draw(t, "functions"),
			}
			if _, err := registry(s, repository).Quarantine(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			in := at(repository, q.Environment)
			if want[in] == nil {
				want[in] = map[string]bool{}
			}
			want[in][fmt.Sprintf("%q %q %d %q", q.Region, q.Layer, q.Number, q.Functions)] = true
		}
		repository, environment := word.Draw(t, "its repository"), word.Draw(t, "its environment")
		list, err := ruling.LoadQuarantines(t.Context(), s, repository, environment)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, q := range list {
			got[fmt.Sprintf("%q %q %d %q", q.Region, q.Layer, q.Number, q.Functions)] = true
		}
		if len(got) != len(want[at(repository, environment)]) || len(list) != len(got) {
			t.Fatalf("%q of %q: %v, want %v", environment, repository, got, want[at(repository, environment)])
		}
		for q := range got {
			if !want[at(repository, environment)][q] {
				t.Fatalf("%q of %q sees %s", environment, repository, q)
			}
		}
	})
}

func TestWhatANewerLayerdQuarantinedIsRefused(t *testing.T) {
	ctx, s, q := t.Context(), store.NewMemory(), bad(13, "")
	key := store.Key("quarantine", repo, "prod", "ap-northeast-1", string(common), "13")
	if _, err := s.Create(ctx, key, []byte(`{"v":9,"environment":"prod"}`)); err != nil {
		t.Fatal(err)
	}
	_, _, findErr := ruling.FindQuarantine(ctx, s, repo, q)
	_, loadErr := ruling.LoadQuarantines(ctx, s, repo, "prod")
	_, putErr := registry(s, repo).Quarantine(ctx, q)
	_, liftErr := registry(s, repo).Lift(ctx, q, "sato", "", noon)
	for call, err := range map[string]error{
		"Find": findErr, "Load": loadErr, "Put": putErr, "Lift": liftErr,
	} {
		if !errors.Is(err, store.ErrNewer) {
			t.Errorf("%s gives %v", call, err)
		}
	}
}

// Of two words of persons for the same functions the later one replaces the
// first where it says another number; a check's word replaces neither.
func TestWhichWordReplaces(t *testing.T) {
	check, first, second := bad(13, ""), bad(13, ""), bad(13, "")
	first.ByPerson, first.RevertTo, first.By = true, 12, "sato"
	second.ByPerson, second.RevertTo, second.By, second.At = true, 11, "suzuki", first.At.Add(time.Minute)
	again := first
	again.By = "tanaka"
	s := store.NewMemory()
	for _, tt := range []struct{ put, want ruling.Quarantine }{
		{check, check}, {first, first}, {again, first}, {check, first}, {second, second},
	} {
		got, err := registry(s, repo).Quarantine(t.Context(), tt.put)
		if err != nil || got.By != tt.want.By || got.RevertTo != tt.want.RevertTo {
			t.Errorf("%s to %d: holds %s to %d, %v, want %s to %d", tt.put.By, tt.put.RevertTo, got.By, got.RevertTo, err, tt.want.By, tt.want.RevertTo)
		}
	}
}

// Which of several words counts for a function is a strict order, so that it
// does not depend on how they were listed.
func TestTakesPrecedence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) ruling.Quarantine {
			return ruling.Quarantine{
				ByPerson: rapid.Bool().Draw(t, name+" by hand"), At: noon.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, name+" at"))),
				Functions: rapid.SampledFrom([]string{"", "a*", "*"}).Draw(t, name+" functions"),
			}
		}
		a, b := draw("a"), draw("b")
		equal := a.ByPerson == b.ByPerson && a.At.Equal(b.At) && a.Functions == b.Functions
		if a.TakesPrecedence(b) == b.TakesPrecedence(a) && !equal || equal && a.TakesPrecedence(b) {
			t.Fatalf("a precedes b: %v, b precedes a: %v", a.TakesPrecedence(b), b.TakesPrecedence(a))
		}
		if a.ByPerson && !b.ByPerson && !a.TakesPrecedence(b) || a.ByPerson == b.ByPerson && a.At.After(b.At) && !a.TakesPrecedence(b) {
			t.Fatal("a check's word, or an older one, counts more")
		}
	})
}
