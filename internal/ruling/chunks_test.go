package ruling_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/sqlitestore"
	"github.com/layerd/layerd/internal/store/storetest"
	"github.com/layerd/layerd/internal/window"
)

const repo = "github.com/acme/layers"

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// fleet is the lines of a plan for n functions, sorted.
func fleet(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = ruling.ApprovalLine("ap-northeast-1", "attach", "arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod",
			fmt.Sprintf("makoto-%08x-handler-%06d-prod", uint32(i)*2654435761, i), "13")
	}
	slices.Sort(lines)
	return lines
}

func offerOf(lines []string) ruling.PendingPlan {
	return ruling.PendingPlan{Environment: "prod", Digest: ruling.Digest(lines), Scope: lines, At: noon}
}

func wordFor(o ruling.PendingPlan) ruling.Approval {
	return ruling.Approval{Environment: o.Environment, Digest: o.Digest, By: "sato", At: noon}
}

// silent is a journal that keeps nothing.
type silent struct{}

func (silent) RecordDecision(context.Context, ruling.Decision) error { return nil }

func registry(s store.Store, repository string) *ruling.Registry {
	return ruling.Open(s, repository, silent{})
}

// stores are the implementations that need nothing else to run.
func stores(t *testing.T) map[string]store.Store {
	t.Helper()
	s, err := sqlitestore.Open(filepath.Join(t.TempDir(), "layerd.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return map[string]store.Store{"memory": store.NewMemory(), "sqlite": s}
}

// One JSON value held about 2,500 lines and not one more.
func TestPlansOfAnySize(t *testing.T) {
	for kind, s := range stores(t) {
		for _, n := range []int{1, 2_499, 10_000, 100_000} {
			if testing.Short() && n > 10_000 {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", kind, n), func(t *testing.T) { throughItsLife(t, s, fleet(n)) })
		}
	}
}

// throughItsLife offers a plan, approves it, begins it and ends it.
func throughItsLife(t *testing.T, s store.Store, lines []string) {
	ctx, o := t.Context(), offerOf(lines)
	for range 2 {
		if err := ruling.RecordPending(ctx, s, repo, o); err != nil {
			t.Fatal(err)
		}
	}
	found, ok, err := ruling.FindPending(ctx, s, repo, "prod", o.Digest)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if found.Digest != o.Digest || !found.At.Equal(noon) || !slices.Equal(found.Scope, lines) {
		t.Errorf("the offer of %d lines is found with %d, at %s", len(lines), len(found.Scope), found.At)
	}
	a, err := registry(s, repo).Approve(ctx, wordFor(o), window.Calendar{})
	if err != nil {
		t.Fatal(err)
	}
	if ruling.Digest(a.Scope) != o.Digest {
		t.Errorf("it releases %d lines of %d", len(a.Scope), len(lines))
	}
	if err := ruling.Update(ctx, s, repo, a, func(a *ruling.Approval) { a.Begun = noon }); err != nil {
		t.Fatal(err)
	}
	loaded := only(t, s, o.Digest)
	if !slices.Equal(loaded.Scope, lines) || !loaded.Begun.Equal(noon) {
		t.Errorf("loaded with %d lines, begun %s", len(loaded.Scope), loaded.Begun)
	}
	for _, line := range []string{lines[0], lines[len(lines)/2], lines[len(lines)-1]} {
		if !loaded.Covers(line, "what is left") {
			t.Errorf("does not cover %s", line)
		}
	}
	if loaded.Covers(lines[0]+"x", o.Digest) {
		t.Error("covers what was not in the plan")
	}
	if err := ruling.Update(ctx, s, repo, a, func(a *ruling.Approval) { a.Ended = noon }); err != nil {
		t.Fatal(err)
	}
	if ended := only(t, s, o.Digest); ended.Ended.IsZero() || ended.Scope != nil || ended.Covers(lines[0], o.Digest) {
		t.Errorf("ended: %d lines, ended %s", len(ended.Scope), ended.Ended)
	}
	if whole, _, err := ruling.Find(ctx, s, repo, "prod", o.Digest); err != nil || !slices.Equal(whole.Scope, lines) {
		t.Errorf("an ended approval has forgotten what it was for: %d lines, %v", len(whole.Scope), err)
	}
}

// only returns one of the approvals that Load returns.
func only(t *testing.T, s store.Store, digest string) ruling.Approval {
	t.Helper()
	list, err := ruling.Load(t.Context(), s, repo, "prod")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(a ruling.Approval) bool { return a.Digest == digest })
	if i < 0 {
		t.Fatalf("%s is not among %d approvals", digest, len(list))
	}
	return list[i]
}

var errDead = errors.New("killed")

// kill is of a process at one of its calls to the store, before or after that
// had its effect; or only that call fails.
type kill struct {
	left         int // calls until then
	after, alive bool
}

func (k *kill) call(context.Context, storetest.Call) storetest.Fault {
	k.left--
	if k.left >= 0 || k.left < -1 && k.alive {
		return storetest.Fault{}
	}
	return storetest.KilledAt(k.left == -1 && k.after, errDead)
}

// Whatever call a process is killed at, what others read is nothing or all of
// it, never an approval of fewer lines or of none, and doing it again ends well.
// The approval here is given before the plan is recorded, so that Update is what
// writes the chunks.
func TestAKillAtEveryCallLeavesNothingHalf(t *testing.T) {
	if testing.Short() {
		t.Skip("compresses thousands of lines at each of a hundred kills")
	}
	lines := noise(4_500) // of two chunks
	o := offerOf(lines)
	life := func(s store.Store) error {
		ctx := context.Background()
		if _, err := registry(s, repo).Approve(ctx, wordFor(o), window.Calendar{}); err != nil {
			return err
		}
		bind := func(a *ruling.Approval) { a.Scope, a.Begun = lines, noon }
		if err := ruling.Update(ctx, s, repo, wordFor(o), bind); err != nil {
			return err
		}
		return ruling.RecordPending(ctx, s, repo, o)
	}
	for _, how := range []kill{{}, {after: true}, {alive: true}, {after: true, alive: true}} {
		for n, lived := 0, false; !lived && !t.Failed(); n++ {
			s := store.NewMemory()
			after := fmt.Sprint(how.after, ", alive ", how.alive)
			how.left = n
			err := life(storetest.Faulty(s, how.call))
			if lived = err == nil; lived && n < 10 {
				t.Errorf("only %d calls: nothing was proved", n)
			}
			if !lived && !errors.Is(err, errDead) {
				t.Fatalf("call %d after=%s: %v", n, after, err)
			}
			list, err := ruling.Load(t.Context(), s, repo, "prod")
			if err != nil || len(list) == 1 && !list[0].Begun.IsZero() != slices.Equal(list[0].Scope, lines) {
				t.Errorf("call %d after=%s: half an approval: %v", n, after, err)
			}
			found, ok, err := ruling.FindPending(t.Context(), s, repo, "prod", o.Digest)
			if err != nil || ok && !slices.Equal(found.Scope, lines) {
				t.Errorf("call %d after=%s: half an offer: %v", n, after, err)
			}
			if err := life(s); err != nil {
				t.Errorf("call %d after=%s: again: %v", n, after, err)
			}
			if a := only(t, s, o.Digest); !slices.Equal(a.Scope, lines) || a.Begun.IsZero() {
				t.Errorf("call %d after=%s: in the end %d lines", n, after, len(a.Scope))
			}
		}
	}
}

// noise is lines that hardly compress.
func noise(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = ruling.Digest([]string{fmt.Sprint(i)}) + ruling.Digest([]string{fmt.Sprint(-i - 1)})
	}
	slices.Sort(lines)
	return lines
}

// Two writers at once: neither's word is lost, and the chunks are of the one
// that counts.
func TestUpdateOfALargeOneSurvivesAnotherWriter(t *testing.T) {
	ctx, s, o := t.Context(), store.NewMemory(), offerOf(fleet(5_000))
	if err := ruling.RecordPending(ctx, s, repo, o); err != nil {
		t.Fatal(err)
	}
	a, err := registry(s, repo).Approve(ctx, wordFor(o), window.Calendar{})
	if err != nil {
		t.Fatal(err)
	}
	met := false
	err = ruling.Update(ctx, s, repo, a, func(now *ruling.Approval) {
		if !met {
			met = true
			if err := ruling.Update(ctx, s, repo, a, func(other *ruling.Approval) { other.Scope = other.Scope[1:] }); err != nil {
				t.Fatal(err)
			}
		}
		now.Begun = noon
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := only(t, s, o.Digest); len(got.Scope) != 4_999 || got.Begun.IsZero() {
		t.Errorf("one of the two writes is lost: %d lines, begun %s", len(got.Scope), got.Begun)
	}
}

// Lines that cannot be read are an error: an approval without lines would
// cover whatever has its digest.
func TestDamagedPartsAreNeverAShorterList(t *testing.T) {
	ctx, o := t.Context(), offerOf(noise(6_000))
	for name, harm := range map[string]func(store.Store, store.Value) store.Store{
		"missing": func(s store.Store, v store.Value) store.Store { return without{s, v.Key} },
		"altered": func(s store.Store, v store.Value) store.Store {
			if _, err := s.Replace(ctx, v.Key, v.Revision, v.Data[:len(v.Data)-1]); err != nil {
				t.Fatal(err)
			}
			return s
		},
	} {
		s := store.Store(store.NewMemory())
		if err := ruling.RecordPending(ctx, s, repo, o); err != nil {
			t.Fatal(err)
		}
		if _, err := registry(s, repo).Approve(ctx, wordFor(o), window.Calendar{}); err != nil {
			t.Fatal(err)
		}
		for v, err := range s.List(ctx, store.Query{Prefix: "lines/", Limit: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			s = harm(s, v)
		}
		_, loadErr := ruling.Load(ctx, s, repo, "prod")
		_, _, offerErr := ruling.FindPending(ctx, s, repo, "prod", o.Digest)
		_, approveErr := registry(s, repo).Approve(ctx, wordFor(o), window.Calendar{})
		updateErr := ruling.Update(ctx, s, repo, wordFor(o), func(*ruling.Approval) {})
		for call, err := range map[string]error{"Load": loadErr, "FindOffer": offerErr, "Approve": approveErr, "Update": updateErr} {
			if !errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %s gives %v", name, call, err)
			}
		}
	}
}

type without struct {
	store.Store
	key string
}

func (w without) Get(ctx context.Context, key string) (store.Value, error) {
	if key == w.key {
		return store.Value{}, store.ErrNotFound
	}
	return w.Store.Get(ctx, key)
}

// What the first release wrote: all lines in the value, up to what it held.
func TestOldValuesAreRead(t *testing.T) {
	ctx, lines := t.Context(), fleet(2_400)
	for _, n := range []int{3, 2_400} {
		s := store.NewMemory()
		digest := ruling.Digest(lines[:n])
		quoted := `["` + strings.Join(lines[:n], `","`) + `"]`
		old := `{"v":1,"environment":"prod","digest":"` + digest + `","by":"sato","at":"2026-11-24T12:00:00Z","lines":` + quoted + `}`
		for _, kind := range []string{"approval", "offer"} {
			if _, err := s.Create(ctx, store.Key(kind, repo, "prod", digest), []byte(old)); err != nil {
				t.Fatal(err)
			}
		}
		if o, ok, err := ruling.FindPending(ctx, s, repo, "prod", digest); !ok || err != nil || !slices.Equal(o.Scope, lines[:n]) {
			t.Errorf("%d lines: the offer has %d, %v", n, len(o.Scope), err)
		}
		if err := ruling.Update(ctx, s, repo, ruling.Approval{Environment: "prod", Digest: digest}, func(a *ruling.Approval) { a.Begun = noon }); err != nil {
			t.Fatal(err)
		}
		if a := only(t, s, digest); !slices.Equal(a.Scope, lines[:n]) || a.By != "sato" || a.Begun.IsZero() {
			t.Errorf("%d lines: the approval has %d", n, len(a.Scope))
		}
	}
}

// BenchmarkLoad reads what a round reads: an environment of 100,000 functions
// that had twenty such plans approved, alone and with one under way.
func BenchmarkLoad(b *testing.B) {
	for _, begun := range []int{0, 1} {
		b.Run(fmt.Sprintf("%d-under-way", begun), func(b *testing.B) {
			ctx := b.Context()
			s, err := sqlitestore.Open(filepath.Join(b.TempDir(), "layerd.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			lines := fleet(100_000)
			for i := range 20 + begun {
				o := offerOf(append(lines[:len(lines):len(lines)], fmt.Sprint("z", i)))
				a := wordFor(o)
				a.Scope = o.Scope
				if i < 20 {
					a.Ended = noon
				}
				if _, err := registry(s, repo).Approve(ctx, a, window.Calendar{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if list, err := ruling.Load(ctx, s, repo, "prod"); err != nil || len(list) != 20+begun {
					b.Fatal(len(list), err)
				}
			}
		})
	}
}

// BenchmarkOffering records a plan of 100,000 steps, and again in each round
// while it waits.
func BenchmarkOffering(b *testing.B) {
	o := offerOf(fleet(100_000))
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if err := ruling.RecordPending(b.Context(), store.NewMemory(), repo, o); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		s := store.NewMemory()
		for b.Loop() {
			if err := ruling.RecordPending(b.Context(), s, repo, o); err != nil {
				b.Fatal(err)
			}
		}
	})
}
