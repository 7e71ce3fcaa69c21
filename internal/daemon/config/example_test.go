package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/layerd/layerd/internal/strictyaml"
)

const example = "../../../deploy/layerd.example.yaml"

func readExample(t *testing.T) (string, []byte) {
	t.Helper()
	name, data, err := Read(example, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return name, data
}

// The example loads as it is, and what it writes out are the defaults.
func TestTheExampleLoads(t *testing.T) {
	got, problems := Load(readExample(t))
	if len(problems) > 0 {
		t.Fatal(told(problems))
	}
	want := Config{Git: Git{URL: got.Git.URL, Auth: GitAuth{Token: Secret{Credential: "git-token"}, User: "x-access-token"}},
		Store: "sqlite:/var/lib/layerd/layerd.db", Notify: []Notify{{Slack: &Slack{WebhookURL: Secret{Credential: "slack"}}}}}.withDefaults()
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("config (-have +want):\n%s", diff)
	}
}

// Without its comments the example names every key there is, and all that can
// be said against it is that some do nothing yet.
func TestTheExampleNamesEveryKey(t *testing.T) {
	name, data := readExample(t)
	data = regexp.MustCompile(`(?m)^#( *[a-z_-])`).ReplaceAllFunc(data, func(line []byte) []byte {
		// "# word" is prose; "#key" and "#   key" are keys of this file.
		if len(line) == 3 && line[1] == ' ' {
			return line
		}
		return line[1:]
	})
	prose := regexp.MustCompile(`(?m)^  +(\{|layerd run).*$`)
	data = prose.ReplaceAll(data, nil)
	root, parse := strictyaml.Parse(name, data, "")
	if len(parse) > 0 {
		t.Fatalf("%s\n%s", told(parse), data)
	}
	_, problems := Load(name, data)
	for _, p := range problems {
		if p.Code != "not_supported_yet" && p.Code != "auth_not_used" {
			t.Errorf("%d:%d %s: %s", p.Line, p.Column, p.Code, p.Message)
		}
	}
	var want, have []string
	for path := range places() {
		want = append(want, path)
	}
	seen := map[string]bool{}
	var walk func(n *strictyaml.Node, path string)
	walk = func(n *strictyaml.Node, path string) {
		p := pattern(strings.Split(path, "/"))
		if _, ok := places()[p]; ok && !seen[p] {
			seen[p] = true
			have = append(have, p)
		}
		for i, item := range n.Items {
			step := "*"
			if n.Kind == strictyaml.Mapping {
				step = n.Keys[i].Text
			}
			walk(item, strings.TrimPrefix(path+"/"+step, "/"))
		}
	}
	walk(root, "")
	if diff := cmp.Diff(have, want, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("keys (-have +want):\n%s", diff)
	}
}
