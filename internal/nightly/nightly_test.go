package nightly

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// What plays in a size plays in each larger one.
func TestSizes(t *testing.T) {
	for name, tt := range map[string]struct {
		ci, nightly    string
		on, only, orCI bool
	}{
		"a developer's": {},
		"CI":            {ci: "true", orCI: true},
		"nightly":       {nightly: "1", on: true, only: true, orCI: true},
		"nightly in CI": {ci: "true", nightly: "1", on: true, only: true, orCI: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CI", tt.ci)
			t.Setenv("LAYERD_NIGHTLY", tt.nightly)
			if On() != tt.on {
				t.Errorf("On = %t", On())
			}
			if testing.Short() {
				t.Skip("in -short none of the two runs anything")
			}
			if got := runs(t, Only); got != tt.only {
				t.Errorf("Only runs the test: %t", got)
			}
			if got := runs(t, OrCI); got != tt.orCI {
				t.Errorf("OrCI runs the test: %t", got)
			}
		})
	}
}

// With -short a test is left out whole or plays a sample that begins at the first and
// repeats nothing.
func TestShort(t *testing.T) {
	if got := runs(t, NotShort); got == testing.Short() {
		t.Errorf("NotShort runs the test: %t", got)
	}
	list := []int{0, 1, 2, 3, 4, 5, 6}
	if got := Sample(list, 2); len(got) == len(list) == testing.Short() {
		t.Errorf("Sample: %v", got)
	}
	for n := range 10 {
		got := spread(list, n)
		if len(got) != min(n, len(list)) || len(got) > 0 && got[0] != 0 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%d of %v: %v", n, list, got)
		}
	}
}

// A sample for developers is all of it in CI and at night.
func TestSampleOrCI(t *testing.T) {
	list := []int{0, 1, 2, 3}
	for _, tt := range []struct {
		ci, nightly string
		want        int
	}{{"", "", 2}, {"true", "", 4}, {"", "1", 4}} {
		t.Setenv("CI", tt.ci)
		t.Setenv("LAYERD_NIGHTLY", tt.nightly)
		if testing.Short() {
			tt.want = 2
		}
		if got := SampleOrCI(list, 2); len(got) != tt.want {
			t.Errorf("CI=%q LAYERD_NIGHTLY=%q: %v", tt.ci, tt.nightly, got)
		}
	}
}

// In n days each of n parts has its turn.
func TestTurn(t *testing.T) {
	day := time.Date(2026, 12, 28, 1, 0, 0, 0, time.UTC)
	for _, n := range []int{1, 2, 3, 5, 7} {
		seen := map[int]bool{}
		for i := range n {
			turn := Turn(day.AddDate(0, 0, i), n)
			if turn < 0 || turn >= n || seen[turn] {
				t.Errorf("%d of %d after %v", turn, n, seen)
			}
			seen[turn] = true
		}
	}
}

// runs reports whether a test goes on after gate.
func runs(t *testing.T, gate func(testing.TB, string)) (ran bool) {
	t.Run("gate", func(t *testing.T) {
		gate(t, "it takes long")
		ran = true
	})
	return ran
}

// verdict is a test that notes how it ended.
type verdict struct {
	testing.TB
	is string
}

func (v *verdict) Helper() {}

func (v *verdict) Fatalf(string, ...any) { v.end("failed") }

func (v *verdict) Skipf(string, ...any) { v.end("skipped") }

func (v *verdict) end(is string) {
	v.is = is
	runtime.Goexit()
}

// A second opinion that cannot be had is a skip by day and a failure at night.
func TestProgram(t *testing.T) {
	for name, tt := range map[string]struct{ program, nightly, want string }{
		"there":             {"go", "", ""},
		"there, at night":   {"go", "1", ""},
		"missing":           {"no such program", "", "skipped"},
		"missing, at night": {"no such program", "1", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LAYERD_NIGHTLY", tt.nightly)
			v, path := &verdict{}, ""
			done := make(chan struct{})
			go func() {
				defer close(done)
				path = Program(v, tt.program, "make it")
			}()
			<-done
			if v.is != tt.want || (path == "") != (tt.want != "") {
				t.Errorf("%q, path %q", v.is, path)
			}
		})
	}
}
