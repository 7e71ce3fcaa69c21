package desired

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

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
			if diff := cmp.Diff(w.ShareWith, tt.want); diff != "" || w.Shared != tt.shared {
				t.Errorf("shared %v, want %v; with (-have +want):\n%s", w.Shared, tt.shared, diff)
			}
			if len(tree.Environments[0].Unsupported) > 0 {
				t.Errorf("not supported: %v", tree.Environments[0].Unsupported)
			}
		})
	}
}

// The short forms that people write have a value to write instead, or say what to do.
func TestPrincipalForm(t *testing.T) {
	for text, suggestion := range map[string]string{
		"210987654321": "", "o-abc123def4": "",
		"2109-8765-4321": `"210987654321"`, "2109 8765 4321": `"210987654321"`,
		"arn:aws:iam::210987654321:root": `"210987654321"`, "arn:aws-cn:iam::210987654321:role/x": `"210987654321"`,
		"O-ABC123DEF4": "o-abc123def4", "org:o-abc123def4": "o-abc123def4", "arn:aws:organizations::210987654321:organization/o-abc123def4": "o-abc123def4",
		"21098765432": "", "o-abc": "", "ou-ab12-cdefgh34": "", "nobody": "",
		"*": "write {public: \"why everybody may use it\"} instead, with the reason", "Public": "write {public: \"why everybody may use it\"} instead, with the reason",
	} {
		e := principalForm(text)
		if right := principalShape.MatchString(text); right != (e == nil) {
			t.Errorf("%s: %v", text, e)
		} else if e != nil && e.Suggestion != suggestion {
			t.Errorf("%s: suggests %q, want %q", text, e.Suggestion, suggestion)
		}
	}
}
