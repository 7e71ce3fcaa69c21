package desired

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/state"
)

// Whom a layer is shared with: the environment's list takes the place of layer.yaml's,
// an empty one of everybody; nobody is named twice, and the own account never.
func TestShareWith(t *testing.T) {
	account := func(id string) Share { return Share{Grant: state.NewGrant(id)} }
	organization := Share{Grant: state.Grant{Sid: "layerd-o-abc123def4", Principal: "*", Organization: "o-abc123def4"}}
	everybody := Share{Grant: state.Grant{Sid: "layerd-public", Principal: "*"}, Reason: "open source"}
	for _, tt := range []struct {
		name, defaults, environment, layer string
		want                               []Share
		shared                             bool
	}{
		{"nowhere", "", "", "", nil, false},
		{"layer.yaml", "", "", `["210987654321", o-abc123def4]`, []Share{account("210987654321"), organization}, true},
		{"environment", "", `["333333333333"]`, "", []Share{account("333333333333")}, true},
		{"environment in place of layer.yaml", "", `["333333333333"]`, `["210987654321"]`, []Share{account("333333333333")}, true},
		{"environment takes all back", "", "[]", `["210987654321"]`, nil, true},
		{"defaults in place of layer.yaml", `["333333333333"]`, "", `["210987654321"]`, []Share{account("333333333333")}, true},
		{"environment in place of defaults", `["333333333333"]`, `[{public: " open source "}]`, "", []Share{everybody}, true},
		{"twice", "", `["333333333333", "333333333333", {public: open source}, {public: again}]`, "", []Share{account("333333333333"), everybody}, true},
		{"the own account", "", "", `["123456789012", "210987654321"]`, []Share{account("210987654321")}, true},
		{"the own account alone", "", `["123456789012"]`, "", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := func(list string) string {
				if list == "" {
					return ""
				}
				return "share_with: " + list
			}
			files := fstest.MapFS{
				"environments/dev.yaml": {Data: []byte("account: \"123456789012\"\nregion: ap-northeast-1\nlayers: {a: {version: 1.4.2, functions: [f], " + key(tt.environment) + "}}\n")},
				"layers/a/layer.yaml":   {Data: []byte("name: a\n" + key(tt.layer) + "\n")},
				"layerd.yaml":           {Data: []byte("defaults: {layers: {a: {functions: [f], " + key(tt.defaults) + "}}}\n")},
			}
			tree := Load(files, Options{Now: now()})
			if Errors(tree.Problems) || len(tree.Environments) != 1 {
				t.Fatal(tree.Problems)
			}
			w := tree.Environments[0].Layers[0]
			if diff := gocmp.Diff(w.ShareWith, tt.want); diff != "" || w.Shared != tt.shared {
				t.Errorf("shared %v, want %v; with (-have +want):\n%s", w.Shared, tt.shared, diff)
			}
			if len(tree.Environments[0].Unsupported) > 0 {
				t.Errorf("not supported: %v", tree.Environments[0].Unsupported)
			}
		})
	}
}

// The short forms that people write have a value to write instead, or say what to do.
// What stands beside it is shown, see TestSharingIsExplained.
func TestPrincipalForm(t *testing.T) {
	public := "write {public: REASON}, where REASON is why every AWS account may use the layer"
	for text, suggestion := range map[string]string{
		"210987654321": "", "o-abc123def4": "",
		"2109-8765-4321": "210987654321", "2109 8765 4321": "210987654321",
		"arn:aws:iam::210987654321:root": "210987654321", "arn:aws-cn:iam::210987654321:role/x": "210987654321",
		"O-ABC123DEF4": "o-abc123def4", "org:o-abc123def4": "o-abc123def4", "arn:aws:organizations::210987654321:organization/o-abc123def4": "o-abc123def4",
		"21098765432": "", "o-abc": "", "ou-ab12-cdefgh34": "write the id of the organization, o-…", "nobody": "",
		"*": public, "Public": public, " all": public, "everyone": public, "EVERYBODY": public, "anyone": public,
	} {
		e := principalForm(text)
		if right := principalShape.MatchString(text); right != (e == nil) {
			t.Errorf("%s: %v", text, e)
		} else if e != nil && cmp.Or(e.Advice, e.Suggestion) != suggestion {
			t.Errorf("%s: suggests %q, %q, want %q", text, e.Advice, e.Suggestion, suggestion)
		}
	}
}

// Whatever is wrong with share_with, the problem has its place and says what is right, in
// each of the files that have it.
func TestSharingIsExplained(t *testing.T) {
	const item, list, reason = "write {public: REASON}, where", "write [{public: REASON}], where", "write why every AWS account may use the layer"
	for value, want := range map[string][2]string{ // code, and how the suggestion begins
		`["*"]`: {"bad_principal", item}, `[public]`: {"bad_principal", item}, `[Everyone]`: {"bad_principal", item}, `["210987654321", all]`: {"bad_principal", item},
		`"*"`: {"bad_principal", list}, `public`: {"bad_principal", list}, `{public: open source}`: {"wrong_type", list},
		`[{public: ""}]`: {"out_of_range", reason}, `[{public: }]`: {"wrong_type", reason}, `[{public: "  "}]`: {"bad_principal", reason},
		`["2109-8765-4321"]`: {"bad_principal", `"210987654321"`}, `["arn:aws:iam::210987654321:root"]`: {"bad_principal", `"210987654321"`},
		`[O-ABC123DEF4]`: {"bad_principal", "o-abc123def4"}, `[ou-ab12-cdefgh34]`: {"bad_principal", "write the id of the organization"},
		`[210987654321]`: {"unquoted_number", `"210987654321"`}, `"210987654321"`: {"wrong_type", `["210987654321"]`}, `o-abc123def4`: {"wrong_type", `["o-abc123def4"]`},
	} {
		for _, file := range []string{"environments/dev.yaml", "layers/a/layer.yaml", "layerd.yaml"} {
			files := sharingFiles(map[string]string{file: value})
			problems := Load(files, Options{Now: now()}).Problems
			ok := slices.ContainsFunc(problems, func(p Problem) bool {
				return p.File == file && p.Line > 0 && p.Code == want[0] && strings.HasPrefix(p.Suggestion, want[1]) && p.Severity == Error
			})
			if !ok {
				t.Errorf("%s: share_with: %s: want %q in %+v", file, value, want, problems)
			}
		}
	}
}

// sharingFiles is a repository with an environment dev, whose layer a is shared as is
// written in each of these files.
func sharingFiles(shares map[string]string) fstest.MapFS {
	key := func(file string) string {
		if shares[file] == "" {
			return ""
		}
		return "share_with: " + shares[file]
	}
	return fstest.MapFS{
		"environments/dev.yaml": {Data: []byte("account: \"123456789012\"\nregion: ap-northeast-1\nlayers: {a: {version: 1.4.2, functions: [f], " + key("environments/dev.yaml") + "}}\n")},
		"layers/a/layer.yaml":   {Data: []byte("name: a\n" + key("layers/a/layer.yaml") + "\n")},
		"layerd.yaml":           {Data: []byte("defaults: {layers: {a: {functions: [f], " + key("layerd.yaml") + "}}}\n")},
	}
}

// An account that all who take a list are in needs no share, and whoever wrote it most
// likely meant another one; a list that somebody in another account takes is right.
func TestTheOwnAccountNeedsNoShare(t *testing.T) {
	const own = `["123456789012"]`
	prod := func(account, list string) string {
		if list != "" {
			list = ", share_with: " + list
		}
		return "account: \"" + account + "\"\nregion: ap-northeast-1\nlayer_name: ${NAME}-prod\nlayers: {a: {version: 1.4.2, functions: [g]" + list + "}}\n"
	}
	for name, tt := range map[string]struct {
		shares map[string]string
		prod   string // environments/prod.yaml; empty = none
		want   []string
	}{
		"nowhere":                                {nil, "", nil},
		"in the environment":                     {map[string]string{"environments/dev.yaml": own}, "", []string{"dev environments/dev.yaml:3"}},
		"beside another one":                     {map[string]string{"environments/dev.yaml": `["210987654321", "123456789012"]`}, "", []string{"dev environments/dev.yaml:3"}},
		"in layer.yaml":                          {map[string]string{"layers/a/layer.yaml": own}, "", []string{" layers/a/layer.yaml:2"}},
		"in the defaults":                        {map[string]string{"layerd.yaml": own}, "", []string{" layerd.yaml:1"}},
		"in layer.yaml, for one of the same":     {map[string]string{"layers/a/layer.yaml": own}, prod("123456789012", ""), []string{" layers/a/layer.yaml:2"}},
		"in layer.yaml, for another account":     {map[string]string{"layers/a/layer.yaml": own}, prod("210987654321", ""), nil},
		"in the defaults, for another account":   {map[string]string{"layerd.yaml": own}, prod("210987654321", ""), nil},
		"in layer.yaml, and another has its own": {map[string]string{"layers/a/layer.yaml": own}, prod("210987654321", `["333333333333"]`), []string{" layers/a/layer.yaml:2"}},
		"in layer.yaml, and nobody takes it":     {map[string]string{"layers/a/layer.yaml": own, "environments/dev.yaml": `["333333333333"]`}, "", nil},
		"in layer.yaml, and one cannot be read":  {map[string]string{"layers/a/layer.yaml": own}, "account: [", nil},
		"in the environment, and another cannot be read": {
			map[string]string{"environments/dev.yaml": own}, "account: [", []string{"dev environments/dev.yaml:3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := sharingFiles(tt.shares)
			if tt.prod != "" {
				files["environments/prod.yaml"] = &fstest.MapFile{Data: []byte(tt.prod)}
			}
			tree := Load(files, Options{Now: now()})
			var got []string
			for _, p := range tree.Problems {
				if p.Code != "means_otherwise" {
					continue
				}
				got = append(got, fmt.Sprintf("%s %s:%d", p.Environment, p.File, p.Line))
				if p.Severity != Warning || p.Suggestion != "remove it: an account may always use its own layers" || !strings.Contains(p.Message, "own account") {
					t.Errorf("%+v", p)
				}
			}
			if diff := gocmp.Diff(got, tt.want); diff != "" {
				t.Errorf("warnings (-have +want):\n%s", diff)
			}
			if len(tree.Environments) == 0 {
				t.Error(tree.Problems)
			}
		})
	}
}
