package desired

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/state"
)

// Every key of a rollout, value by value, with defaults below it.
func TestRollout(t *testing.T) {
	tree := load(t, `
-- layerd.yaml --
defaults:
  alias: live-${ENVIRONMENT}
  rollout:
    bake: 5m
    alarms: [default]
    on_unknown: continue
    canary: {weight: 0.1, bake: 1m}
    smoke_test: {function: "api-${ENVIRONMENT}", payload: {except: [1], region: "${REGION}", n: 12345678901234567890}, timeout: 1m}
  layers: {common: {functions: ["*"], smoke_test: {function: "${NAME}-${ENVIRONMENT}", payload: null, expect: "v${VERSION}"}}}
-- environments/dev.yaml --
account: "123456789012"
regions: [us-east-1, us-east-2]
rollout:
  waves: [1, 7.5%, 3, 50%]
  max_parallel: 7
  alarms: ["errors-${REGION}", "遅い: slow", "errors-${REGION}"]
  max_error_rate: 2.5%
  max_throttles: 0
  on_failure: halt
  canary: {weight: 25%}
  watch: 1h
  span_windows: false
  smoke_test: {function: "api-${REGION}", qualifier: $LATEST, payload: {except: [2], f: 1.0, "null": null, url: "a&b<c>"}, expect: ["${ACCOUNT}", 1.50, {}]}
layers: {common: v1.4.2, a: {version: 7, functions: [x], smoke_test: [{function: x, expect: ""}, {function: x, qualifier: "3", payload: "{\"a\": 1}"}]}}
-- environments/plain.yaml --
account: "123456789012"
region: us-west-1
rollout: {smoke_test: [], alarms: []}
layers: {common: {version: ^1, functions: [{tags: {a: b}}], smoke_test: []}}
auto_update: true
-- environments/prod.yaml --
account: "123456789012"
region: us-west-2
alias: prod
rollout: {span_windows: true, smoke_test: [{function: y}]}
layers: {common: 3}
`)
	if len(tree.Environments) != 4 {
		t.Fatal("not four environments")
	}
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	got := tree.Environments[1]
	want := Rollout{
		Waves: []Wave{{Count: 1}, {Share: 0.075}, {Count: 3}, {Share: 0.5}}, Parallel: 7, Bake: 5 * time.Minute,
		Alarms: []string{"errors-us-east-2", "遅い: slow"}, MaxErrorRate: new(0.025), MaxThrottles: new(0),
		OnFailure: Halt, OnUnknown: GoOn, Canary: &Canary{Weight: 0.25, Bake: time.Minute}, Watch: time.Hour, MustFitWindow: true,
		SmokeTests: []SmokeTest{
			{Function: "api-us-east-2", Qualifier: "$LATEST", Timeout: time.Minute,
				Payload: raw(`{"except":[2],"f":1.0,"n":12345678901234567890,"null":null,"region":"us-east-2","url":"a&b<c>"}`), Expect: raw(`["123456789012",1.50,{}]`)},
			{Layer: "a", Function: "x", Timeout: 30 * time.Second, Expect: raw(`""`)},
			{Layer: "a", Function: "x", Qualifier: "3", Timeout: 30 * time.Second, Payload: raw(`"{\"a\": 1}"`)},
			{Layer: "common", Function: "common-dev", Timeout: 30 * time.Second, Payload: raw("null"), Expect: raw(`"v1.4.2"`)},
		},
	}
	// Numbers are compared as they are written: to cmp.Diff JSON is bytes.
	if diff := cmp.Diff(got.Rollout, want, likeness()); diff != "" || got.Alias != "live-dev" {
		t.Errorf("alias %q, rollout (-have +want):\n%s", got.Alias, diff)
	}
	if at := got.Rollout.SmokeTests[2].At; at != (Position{File: "environments/dev.yaml", Line: 14, Column: 98, Length: 1}) {
		t.Errorf("the second test of layer a stands at %+v", at)
	}
	plain := tree.Environments[2].Rollout
	want = Rollout{Bake: 5 * time.Minute, OnUnknown: GoOn, Canary: &Canary{Weight: 0.1, Bake: time.Minute}}
	if diff := cmp.Diff(plain, want, likeness()); diff != "" {
		t.Errorf("an empty list takes defaults away (-have +want):\n%s", diff)
	}
	prod := tree.Environments[3]
	if tests := prod.Rollout.SmokeTests; prod.Alias != "prod" || prod.Rollout.MustFitWindow || len(tests) != 2 || tests[0].Payload != nil || string(tests[1].Expect) != `"v3"` {
		t.Errorf("alias %q, rollout %+v", prod.Alias, prod.Rollout)
	}
}

// Without the keys all is zero, which is one wave without a check.
func TestNoRollout(t *testing.T) {
	e := Load(only(account), Options{}).Environments[0]
	if diff := cmp.Diff(e.Rollout, Rollout{}); diff != "" || e.Alias != "" {
		t.Errorf("alias %q, rollout (-have +want):\n%s", e.Alias, diff)
	}
}

// A rate is what was written: 1.0 is all calls, not a little less.
func TestRates(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "0.0": 0, "0%": 0, "1": 1, "1.0": 1, "100%": 1, "100.00%": 1, "0.5%": 0.005, "99.9%": 0.999, "0.25": 0.25} {
		tree := Load(only(account+"rollout: {bake: 1m, max_error_rate: "+text+"}\n"), Options{})
		if len(tree.Environments) != 1 || *tree.Environments[0].Rollout.MaxErrorRate != want {
			t.Errorf("%s: problems %v, environments %+v", text, tree.Problems, tree.Environments)
		}
	}
	for text, code := range map[string]string{"1.1": "out_of_range", "-0.1": "out_of_range", "101%": "bad_percentage", `"0.1"`: "bad_percentage", "1%%": "bad_percentage",
		"-1%": "bad_percentage", "１%": "full_width", ".5": "ambiguous_value", "1e-1": "ambiguous_value", "0_1": "ambiguous_value", ".nan": "ambiguous_value", "[]": "wrong_type", "": "wrong_type"} {
		tree := Load(only(account+"rollout: {bake: 1m, max_error_rate: "+text+"}\n"), Options{})
		if got := codes(tree); !slices.Equal(got, []string{code}) {
			t.Errorf("%s: codes %v, want %s", text, got, code)
		}
	}
	for text, code := range map[string]string{"0": "out_of_range", "0.0": "out_of_range", "0%": "out_of_range", "1": "out_of_range", "1.0": "out_of_range", "100.0%": "out_of_range"} {
		tree := Load(only(account+"alias: live\nrollout: {canary: {weight: "+text+"}}\n"), Options{})
		if got := codes(tree); !slices.Equal(got, []string{code}) {
			t.Errorf("a canary of %s: codes %v, want %s", text, got, code)
		}
	}
}

// Names that AWS has no use for, and values as large as a file may hold.
func TestHostileRollouts(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, tt := range []struct{ name, content, code string }{
		{"a long alarm", "rollout: {alarms: [" + long + "]}", "bad_alarm"},
		{"an alarm with an escape", `rollout: {alarms: ["a\e[2Jb"]}`, "bad_alarm"},
		{"a long alias", "alias: " + long, "out_of_range"},
		{"an alias made of an expansion", "alias: ${ACCOUNT}", "bad_alias"},
		{"a function made of nothing", `rollout: {smoke_test: {function: ""}}`, "bad_function"},
		{"a long qualifier", "rollout: {smoke_test: {function: a, qualifier: " + long + "}}", "bad_qualifier"},
		{"a deep payload", "rollout: {smoke_test: {function: a, payload: " + strings.Repeat("[", 60) + strings.Repeat("]", 60) + "}}", "yaml_too_deep"},
		{"an alias in a payload", "rollout: {smoke_test: {function: a, payload: &p {a: *p}}}", "anchor"},
		{"a key twice in a payload", `rollout: {smoke_test: {function: a, payload: {1: x, "1": y}}}`, "duplicate_key"},
		{"a variable as a key", `rollout: {smoke_test: {function: a, payload: {"${REGION}": x}}}`, "unknown_variable"},
		{"an unknown variable", "rollout: {smoke_test: {function: a, expect: [{a: \"${REGON}\"}]}}", "unknown_variable"},
		{"a wave of a variable", `rollout: {waves: ["${NUMBER}%"]}`, "unknown_variable"},
		{"a wave beyond counting", "rollout: {waves: [99999999999999999999]}", "unquoted_number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree := Load(only(account+tt.content+"\n"), Options{Now: now()})
			if got := codes(tree); !slices.Equal(got, []string{tt.code}) || len(tree.Environments) != 0 {
				t.Errorf("codes %v, want %s", got, tt.code)
			}
		})
	}
}

// A wave of p hundredths of a percent ends at p×total/10000, rounded up, as
// whole numbers reckon it; no wave has more than all, or less than a smaller one.
func TestWavesEnd(t *testing.T) {
	wave := func(t *rapid.T, p int) Wave {
		tree := Load(only(fmt.Sprintf("%srollout: {waves: [%d.%02d%%]}\n", account, p/100, p%100)), Options{})
		if len(tree.Environments) != 1 {
			t.Fatalf("problems %v", tree.Problems)
		}
		return tree.Environments[0].Rollout.Waves[0]
	}
	rapid.Check(t, func(t *rapid.T) {
		p, q := rapid.IntRange(1, 10_000).Draw(t, "p"), rapid.IntRange(1, 10_000).Draw(t, "q")
		total, more := rapid.IntRange(0, 200_000).Draw(t, "total"), rapid.IntRange(0, 1000).Draw(t, "more")
		a, b := wave(t, min(p, q)), wave(t, max(p, q))
		if got, want := a.Of(total), (min(p, q)*total+9999)/10_000; got != want {
			t.Errorf("%d hundredths of a percent of %d are %d, want %d", min(p, q), total, got, want)
		}
		if a.Of(total) > b.Of(total) || a.Of(total) > a.Of(total+more) || b.Of(total) > total {
			t.Errorf("%+v and %+v of %d and %d more: %d, %d, %d", a, b, total, more, a.Of(total), b.Of(total), a.Of(total+more))
		}
		c := Wave{Count: p}
		if c.Of(total) != min(p, total) {
			t.Errorf("%+v of %d are %d", c, total, c.Of(total))
		}
	})
	if got := (Wave{Share: 0.07}).Of(100); got != 7 {
		t.Errorf("7%% of 100 are %d", got)
	}
	if got := (Wave{Share: 1e-12}).Of(3); got != 1 {
		t.Errorf("the smallest share of 3 is %d, want 1", got)
	}
}

// What a name alone rules out is never selected, and where selectors have
// nothing but names, nothing else is ruled out.
func TestMaySelect(t *testing.T) {
	selectors := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Selector {
		s := Selector{Name: rapid.SampledFrom([]string{"", "*", "a*", "a", "?b"}).Draw(t, "name")}
		if rapid.Bool().Draw(t, "tagged") || s.Name == "" {
			s.Tags = map[string]string{"t": rapid.SampledFrom([]string{"x", "y", "*"}).Draw(t, "tag")}
		}
		s.Runtime = rapid.SampledFrom([]string{"", "", "p*"}).Draw(t, "runtime")
		s.Architecture = rapid.SampledFrom([]string{"", "", "arm64"}).Draw(t, "architecture")
		s.Attached = rapid.IntRange(0, 3).Draw(t, "attached") == 0
		return s
	}), 0, 3)
	simple := func(list []Selector) []Selector {
		list = slices.Clone(list)
		for i := range list {
			list[i] = Selector{Name: list[i].Name}
		}
		return slices.DeleteFunc(list, func(s Selector) bool { return s.Name == "" })
	}
	rapid.Check(t, func(t *rapid.T) {
		w := LayerWish{Layer: state.NewLayerARN("aws", "us-east-1", "123456789012", "l"), Functions: selectors.Draw(t, "functions"), Except: selectors.Draw(t, "except")}
		f := state.Function{Name: rapid.SampledFrom([]string{"a", "ab", "bb"}).Draw(t, "function"), Runtime: rapid.SampledFrom([]string{"p", "n"}).Draw(t, "f runtime"),
			Architecture: rapid.SampledFrom([]string{"arm64", "x86_64"}).Draw(t, "f architecture"), Tags: map[string]string{"t": rapid.SampledFrom([]string{"x", "y"}).Draw(t, "f tag")}}
		if w.Selects(f) && !w.maySelect(f.Name) {
			t.Errorf("%+v selects %s and is said not to", w, f.Name)
		}
		w.Functions, w.Except = simple(w.Functions), simple(w.Except)
		if w.Selects(f) != w.maySelect(f.Name) {
			t.Errorf("%+v selects %s: %v, and may: %v", w, f.Name, w.Selects(f), w.maySelect(f.Name))
		}
	})
	// An exception by more than the name may be none for this function.
	for _, s := range []Selector{{Tags: map[string]string{"t": "x"}}, {Runtime: "p*"}, {Architecture: "arm64"}, {Attached: true}, {}} {
		only := s.Runtime == "" && s.Architecture == "" && !s.Attached && s.Tags == nil
		s.Name = "a*"
		w := LayerWish{Functions: []Selector{{Name: "*"}}, Except: []Selector{s}}
		if w.maySelect("ab") == only {
			t.Errorf("with all but %+v, ab may be selected: %v", s, !only)
		}
	}
}
