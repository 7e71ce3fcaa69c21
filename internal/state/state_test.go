package state

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func world() Snapshot {
	return Snapshot{
		Functions: []Function{
			{Name: "a", Layers: []LayerVersionARN{"z:2", "a:1"}}, {Name: "b"}, {Name: "c"}, {Name: "ca"},
		},
		Layers: []Layer{
			{ARN: "arn:1", Versions: []LayerVersion{{Number: 10}, {Number: 9}, {Number: 1}}},
			{ARN: "arn:2"},
		},
		Aliases: map[string][]Alias{"a": {{Name: "blue"}, {Name: "live"}}, "b": nil},
		Uses: &Uses{
			Versioned: []string{"a", "b"},
			Published: []Published{
				{Function: "a", Version: "2"}, {Function: "a", Version: "9"}, {Function: "a", Version: "10"}, {Function: "b", Version: "1"},
			},
		},
	}
}

func TestSortMakesEqualWorldsEqual(t *testing.T) {
	want := world()
	for seed := range uint64(20) {
		got := world()
		r := rand.New(rand.NewPCG(seed, 1))
		r.Shuffle(len(got.Functions), func(i, j int) { got.Functions[i], got.Functions[j] = got.Functions[j], got.Functions[i] })
		r.Shuffle(len(got.Layers), func(i, j int) { got.Layers[i], got.Layers[j] = got.Layers[j], got.Layers[i] })
		for _, l := range got.Layers {
			r.Shuffle(len(l.Versions), func(i, j int) { l.Versions[i], l.Versions[j] = l.Versions[j], l.Versions[i] })
		}
		for _, as := range got.Aliases {
			r.Shuffle(len(as), func(i, j int) { as[i], as[j] = as[j], as[i] })
		}
		u := got.Uses
		r.Shuffle(len(u.Published), func(i, j int) { u.Published[i], u.Published[j] = u.Published[j], u.Published[i] })
		r.Shuffle(len(u.Versioned), func(i, j int) { u.Versioned[i], u.Versioned[j] = u.Versioned[j], u.Versioned[i] })

		got.Sort()
		// The list of function a is in no alphabetical order and stays so.
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

func TestFinders(t *testing.T) {
	s := world()
	s.Sort()
	if f, ok := s.Function("ca"); !ok || f.Name != "ca" {
		t.Errorf("Function(ca) = %v, %v", f, ok)
	}
	if _, ok := s.Function("bb"); ok {
		t.Error("Function(bb) is found")
	}
	l, ok := s.Layer("arn:1")
	if !ok {
		t.Fatal("Layer(arn:1) is not found")
	}
	if v, ok := l.Version(9); !ok || v.Number != 9 {
		t.Errorf("Version(9) = %v, %v", v, ok)
	}
	if _, ok := l.Version(2); ok {
		t.Error("Version(2) is found")
	}
	if l, ok := s.Layer("arn:2"); !ok || len(l.Versions) != 0 {
		t.Errorf("a layer without versions: %v, %v", l, ok)
	}
	if _, ok := s.Layer("arn:3"); ok {
		t.Error("a layer that was not asked for is found")
	}
	if _, ok := (Snapshot{}).Function("a"); ok {
		t.Error("the zero snapshot has a function")
	}
}

func TestNeedsEmpty(t *testing.T) {
	if !(Needs{}).Empty() || !(Needs{Aliases: []string{}}).Empty() {
		t.Error("nothing asked, yet not empty")
	}
	for _, n := range []Needs{{Uses: true}, {Aliases: []string{"f"}}, {Policies: []LayerVersionARN{"v"}}, {Probes: []LayerVersionARN{"v"}}, {Numbers: []LayerVersionARN{"v"}}} {
		if n.Empty() {
			t.Errorf("%+v is empty", n)
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, e := range map[string]*Error{
		"ListFunctions":                      {Op: "ListFunctions"},
		"ListFunctions: no answer":           {Op: "ListFunctions", Message: "no answer"},
		"GetFunction f: NotFound: not there": {Op: "GetFunction", Resource: "f", Code: "NotFound", Message: "not there"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestKindOf(t *testing.T) {
	gone := &Error{Op: "GetFunction", Kind: Gone}
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{gone, Gone},
		{fmt.Errorf("decide again: %w", gone), Gone},
		{errors.Join(errors.New("x"), &Error{Kind: Unsure}), Unsure},
		{errors.New("something else"), Human},
		{&WrongAccountError{}, Human},
		{&Error{}, Human},
		{nil, None},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("KindOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
	if err := error(&Error{Kind: Stopped, Err: context.Canceled}); !errors.Is(err, context.Canceled) {
		t.Error("the cause is lost")
	}
}

func TestKindsHaveTheirOwnWords(t *testing.T) {
	seen := map[string]Kind{}
	for _, k := range []Kind{Human, Again, LookAgain, Gone, Unsure, Stopped} {
		if other, twice := seen[k.String()]; twice {
			t.Errorf("kinds %d and %d are both %q", k, other, k)
		}
		seen[k.String()] = k
	}
}

func TestWrongAccountNamesBoth(t *testing.T) {
	got := (&WrongAccountError{Want: "111111111111", Have: "222222222222"}).Error()
	if !strings.Contains(got, "111111111111") || !strings.Contains(got, "222222222222") {
		t.Errorf("got %q", got)
	}
}

func TestElsewhere(t *testing.T) {
	wrong := &WrongAccountError{Want: "111111111111", Have: "222222222222"}
	foreign := &ForeignError{Op: "GetFunction", ARN: "arn:aws:lambda:us-east-1:222222222222:function:f", Account: "111111111111", Region: "us-east-1", Partition: "aws"}
	for _, err := range []error{wrong, foreign} {
		if got := Elsewhere(fmt.Errorf("look: %w", errors.Join(errors.New("x"), err))); got != err {
			t.Errorf("got %v of %v", got, err)
		}
		if KindOf(err) != Human {
			t.Errorf("%v is %v", err, KindOf(err))
		}
	}
	if err := Elsewhere(&Error{Op: "GetFunction", Code: "AccessDeniedException"}); err != nil {
		t.Errorf("a refusal is %v", err)
	}
	if text := foreign.Error(); !strings.Contains(text, foreign.ARN) || !strings.Contains(text, "111111111111") {
		t.Errorf("%q names not both", text)
	}
}
