package desired

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/layerd/layerd/internal/state"
)

// estate has a prod that is bound to itself, and a dev with what a test gives it.
func estate(bounds, dev string) fstest.MapFS {
	return fstest.MapFS{
		"layerd.yaml":            {Data: []byte("defaults: {account: \"123456789012\", region: ap-northeast-1, layer_name: \"${NAME}-${ENVIRONMENT}\", layers: {common: {functions: [\"makoto-*-${ENVIRONMENT}\"]}}}\n" + bounds)},
		"environments/prod.yaml": {Data: []byte("layers: {common: 1.4.1}\n")},
		"environments/dev.yaml":  {Data: []byte(dev)},
	}
}

func codesOf(t Tree, environment string) (codes []string) {
	for _, p := range t.Problems {
		if p.Severity == Error && p.Environment == environment {
			codes = append(codes, p.Code)
		}
	}
	return codes
}

func TestBoundsOfAnEnvironment(t *testing.T) {
	const ok = ""
	bounds := `bounds: {dev: {accounts: ["123456789012"], regions: [ap-northeast-1], functions: ["*-dev", "shared-?"], layer_names: ["*-dev"]}}`
	for _, tc := range []struct{ name, dev, want string }{
		{"what is its own", "layers: {common: 1.4.1}", ok},
		{"a function of another", `layers: {common: {version: 1.4.1, functions: ["makoto-*-prod"]}}`, `"makoto-*-prod" is beyond what dev may reach: bounds of layerd.yaml allow functions *-dev, shared-?`},
		{"every function", `layers: {common: {version: 1.4.1, functions: ["*"]}}`, `"*" is beyond`},
		{"more than its own", `layers: {common: {version: 1.4.1, functions: ["makoto-*-dev*"]}}`, `"makoto-*-dev*" is beyond`},
		{"one name too much in a list", `layers: {common: {version: 1.4.1, functions: ["a-dev", "b-prod"]}}`, `"b-prod" is beyond`},
		{"a mapping with a name", `layers: {common: {version: 1.4.1, functions: [{name: "a-prod", runtime: python3.12}]}}`, `"a-prod" is beyond`},
		{"a selector without a name", `layers: {common: {version: 1.4.1, functions: [{tags: {team: platform}}]}}`, "a selector without a name is beyond"},
		{"attached", `layers: {common: {version: 1.4.1, functions: [{attached: true}]}}`, "a selector without a name is beyond"},
		{"a name by a variable", `layers: {common: {version: 1.4.1, functions: ["a-${REGION}"]}}`, `"a-ap-northeast-1" is beyond`},
		{"a question mark", `layers: {common: {version: 1.4.1, functions: ["shared-?"]}}`, ok},
		{"a star where one character is allowed", `layers: {common: {version: 1.4.1, functions: ["shared-*"]}}`, `"shared-*" is beyond`},
		{"another's layer", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", `"common-prod" is beyond what dev may reach: bounds of layerd.yaml allow layer_names *-dev`},
		{"another's layer by arn", `layers: {common: {version: 7, arn: "arn:aws:lambda:ap-northeast-1:123456789012:layer:common-prod"}}`, `"common-prod" is beyond`},
		{"a layer of another account by arn", `layers: {common: 1.4.1, datadog: {version: 7, functions: [a-dev], arn: "arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog"}}`, ok},
		{"another account", "account: \"210987654321\"\nlayers: {common: 1.4.1}", `"210987654321" is beyond what dev may reach: bounds of layerd.yaml allow accounts 123456789012`},
		{"another Region", "regions: [ap-northeast-1, us-east-1]\nlayers: {common: 1.4.1}", `"us-east-1" is beyond`},
		{"a smoke test", `layers: {common: {version: 1.4.1, functions: ["*-dev"], smoke_test: {function: makoto-health-prod}}}`, `"makoto-health-prod" is beyond`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree := Load(estate(bounds, tc.dev+"\n"), Options{Now: now()})
			if slices.Contains(tree.Invalid(), "prod") {
				t.Errorf("prod is invalid: %v", tree.Problems)
			}
			var told []string
			for _, p := range tree.Problems {
				if p.Code == "beyond_bounds" {
					told = append(told, p.Message)
					if p.File != "environments/dev.yaml" || p.Line < 1 || p.Environment != "dev" {
						t.Errorf("it is not a problem of dev.yaml: %+v", p)
					}
				}
			}
			if tc.want == ok && (len(told) > 0 || slices.Contains(tree.Invalid(), "dev")) {
				t.Errorf("refused: %q, %v", told, tree.Problems)
			}
			if tc.want != ok && (!strings.Contains(strings.Join(told, "\n"), tc.want) || !slices.Contains(tree.Invalid(), "dev")) {
				t.Errorf("told %q, want %q", told, tc.want)
			}
		})
	}
}

func TestBoundsOfRoles(t *testing.T) {
	bounds := `bounds: {dev: {roles: ["arn:aws:iam::123456789012:role/layerd-*"]}}`
	for dev, want := range map[string]int{
		"role: arn:aws:iam::123456789012:role/layerd-dev\n": 0,
		"role: arn:aws:iam::123456789012:role/admin\n":      1,
		"": 1, // what the daemon itself may
	} {
		tree := Load(estate(bounds, dev+"layers: {common: 1.4.1}\n"), Options{Now: now()})
		if codes := codesOf(tree, "dev"); len(codes) != want {
			t.Errorf("%q: %v", dev, tree.Problems)
		}
	}
}

// The daemon's own file wins, list by list; "*" is for whoever is not named; and a
// name that no environment has is told.
func TestBoundsFromTwoFiles(t *testing.T) {
	wide := `layers: {common: {version: 1.4.1, functions: ["makoto-*-prod", "makoto-*-dev"]}}` + "\n"
	for _, tc := range []struct {
		name, repository string
		daemon           Bounds
		invalid          []string
	}{
		{"none", "", nil, nil},
		{"not named", `bounds: {prod: {functions: ["*-prod"]}}`, nil, nil},
		{"all others", `bounds: {prod: {functions: ["*-prod"]}, "*": {functions: ["*-dev"]}}`, nil, []string{"dev"}},
		{"to its own name", `bounds: {"*": {functions: ["*-${ENVIRONMENT}"], layer_names: ["*-${ENVIRONMENT}"]}}`, nil, []string{"dev"}},
		{"nothing", `bounds: {dev: {accounts: []}}`, nil, []string{"dev"}},
		{"the daemon's", "", Bounds{"dev": {Functions: []string{"*-dev"}}}, []string{"dev"}},
		{"the daemon allows more", `bounds: {dev: {functions: ["*-dev"]}}`, Bounds{"dev": {Functions: []string{"*"}}}, nil},
		{"the daemon allows less", `bounds: {dev: {functions: ["*"]}}`, Bounds{"dev": {Functions: []string{"*-dev"}}}, []string{"dev"}},
		{"the daemon bounds something else", `bounds: {dev: {functions: ["*-dev"]}}`, Bounds{"dev": {Accounts: []string{"123456789012"}}}, []string{"dev"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree := Load(estate(tc.repository, wide), Options{Now: now(), Bounds: tc.daemon})
			if !slices.Equal(tree.Invalid(), tc.invalid) {
				t.Errorf("invalid %v, want %v: %v", tree.Invalid(), tc.invalid, tree.Problems)
			}
		})
	}
	tree := Load(estate(`bounds: {devv: {functions: ["*-dev"]}}`, wide), Options{Now: now(), Bounds: Bounds{"prdo": {}}})
	var told []string
	for _, p := range tree.Problems {
		told = append(told, fmt.Sprint(p.File, p.Line, p.Code, p.Severity, p.Suggestion))
	}
	if want := []string{"0unknown_environmentwarningprod", "layerd.yaml2unknown_environmentwarningdev"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	for _, bad := range []string{`{dev: {}}`, `{dev: {function: ["*"]}}`, `{dev: {functions: "*"}}`, `{"d*": {functions: ["*"]}}`, `{dev: {accounts: [12345]}}`, `{dev: {roles: [admin]}}`, `{dev: {functions: ["*-${ENVIROMENT}"]}}`} {
		if tree := Load(estate("bounds: "+bad, wide), Options{Now: now()}); len(tree.Environments) > 0 {
			t.Errorf("bounds %s pass", bad)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, tc := range []struct {
		pattern, bound string
		want           bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a", "*", true}, {"*", "*", true}, {"*", "a*", false}, {"a*", "a*", true}, {"ab*", "a*", true},
		{"a*", "ab*", false}, {"a?", "a*", true}, {"a?", "a?", true}, {"a*", "a?", false}, {"a*b", "a*", true}, {"a*b", "*b", true}, {"a*b", "a*b", true},
		{"a*", "a*b", false}, {"*a*", "*a*", true}, {"a*c*b", "a*b", true}, {"**", "*", true}, {"*?", "?*", true}, {"", "*", true}, {"*-dev", "*-dev", true},
		{"*-dev?", "*-dev", false}, {"x-dev-prod", "*-dev", false}, {"A-dev", "a-*", false},
	} {
		if got := within(tc.pattern, tc.bound); got != tc.want {
			t.Errorf("%q within %q: %t", tc.pattern, tc.bound, got)
		}
	}
}

// Whatever matches a pattern matches a bound that it is within.
func FuzzWithin(f *testing.F) {
	f.Add("a*-?b", "a*b", "ax-yb")
	f.Fuzz(func(t *testing.T, pattern, bound, name string) {
		if strings.ContainsFunc(pattern+bound+name, func(r rune) bool { return r > 'z' || r < '*' }) || strings.ContainsAny(name, "*?") {
			t.Skip()
		}
		if within(pattern, bound) && Glob(pattern, name) && !Glob(bound, name) {
			t.Errorf("%q matches %q and not %q", name, pattern, bound)
		}
	})
}

// D3: whoever had the layer before keeps it.
func TestD3WhoeverHadTheLayerKeepsIt(t *testing.T) {
	arn := func(name string) state.LayerARN {
		return state.NewLayerARN("aws", "ap-northeast-1", "123456789012", name)
	}
	before := map[state.LayerARN]string{arn("common-prod"): "prod", arn("common-dev"): "dev"}
	for _, tc := range []struct {
		name, dev string
		prod      string // instead of what it asked for
		holders   map[state.LayerARN]string
		invalid   []string
	}{
		{"nobody reaches for another's", "layers: {common: 1.4.1}", "", before, nil},
		{"by layer_name", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", "", before, []string{"dev"}},
		{"by a plain layer_name", "layer_name: common-prod\nlayers: {common: 1.4.1}", "", before, []string{"dev"}},
		{"by the name of a layer", "layer_name: ${NAME}\nlayers: {common-prod: {version: 1.4.1, functions: [a]}}", "", before, []string{"dev"}},
		{"by the name of a layer beside its own", "layer_name: ${NAME}\nlayers: {common-prod: {version: 1.4.1, functions: [a]}, common-dev: {version: 1.4.1, functions: [b]}}", "", before, []string{"dev"}},
		{"by arn, which owns nothing", `layers: {common: {version: 7, arn: "arn:aws:lambda:ap-northeast-1:123456789012:layer:common-prod"}}`, "", before, nil},
		{"prod bumps at the same time", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", "layers: {common: 1.4.2}", before, []string{"dev"}},
		{"prod gave it up", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", "layer_name: ${NAME}-live\nlayers: {common: 1.4.2}", before, nil},
		{"prod reaches back", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", "layer_name: ${NAME}-dev\nlayers: {common: 1.4.2}", before, nil},
		{"prod's file is broken", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", "layers: [", before, []string{"dev", "prod"}},
		{"prod's file has a problem", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", "mod: x\nlayers: {common: 1.4.1}", before, []string{"dev", "prod"}},
		{"prod's file is a pointer", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", "version https://git-lfs.github.com/spec/v1\n", before, []string{"dev", "prod"}},
		{"nobody knows who had it", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", "", nil, []string{"dev", "prod"}},
		{"somebody else had it", "layer_name: ${NAME}-prod\nlayers: {common: 1.4.1}", "", map[state.LayerARN]string{arn("common-prod"): "gone"}, []string{"dev", "prod"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := estate("", tc.dev+"\n")
			if tc.prod != "" {
				files["environments/prod.yaml"].Data = []byte(tc.prod + "\n")
			}
			tree := Load(files, Options{Now: now(), Holders: tc.holders})
			if !slices.Equal(tree.Invalid(), tc.invalid) {
				t.Errorf("invalid %v, want %v: %v", tree.Invalid(), tc.invalid, tree.Problems)
			}
			for _, p := range tree.Problems {
				if p.Code == "layer_owned_twice" && (p.Line < 1 || p.File != "environments/"+p.Environment+".yaml") {
					t.Errorf("without a place: %+v", p)
				}
			}
		})
	}
}
