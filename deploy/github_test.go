package deploy_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// workflow is what of a workflow of GitHub Actions the tests look at.
type workflow struct {
	On          map[string]any
	Permissions map[string]string
	Concurrency map[string]any
	Env         map[string]string
	Defaults    map[string]map[string]string
	Jobs        map[string]job
}

type job struct {
	If          string
	Needs       any
	Permissions map[string]string
	Timeout     int `yaml:"timeout-minutes"`
	Environment string
	Env         map[string]string
	Steps       []step
}

type step struct {
	Name, ID, If, Uses, Run, Shell string
	Dir                            string `yaml:"working-directory"`
	With, Env                      map[string]string
}

// action is a composite action.
type action struct {
	Inputs map[string]any
	Runs   struct {
		Using string
		Steps []step
	}
}

func readYAML(t *testing.T, file string, into any) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return string(data)
}

func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob("github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	all := map[string]workflow{}
	for _, f := range files {
		var w workflow
		readYAML(t, f, &w)
		all[strings.TrimSuffix(filepath.Base(f), ".yml")] = w
	}
	return all
}

// named returns a step of a workflow.
func named(t *testing.T, workflow, job, name string) step {
	t.Helper()
	for _, s := range workflows(t)[workflow].Jobs[job].Steps {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s: job %s has no step %q", workflow, job, name)
	return step{}
}

// granted are the rights of every job, for good: more is a decision.
var granted = map[string]map[string]string{
	"layer-check/test":     {"contents": "read"},
	"layer-check/build":    {"contents": "read"},
	"layer-check/plan":     {"contents": "read", "id-token": "write"},
	"layer-release/build":  {"contents": "read"},
	"layer-release/upload": {"id-token": "write"},
	"layer-release/tag":    {"contents": "write"},
	"layer-bump/bump":      {"contents": "write", "pull-requests": "write", "id-token": "write"},
}

func TestWorkflowsHaveTheRightsTheyNeed(t *testing.T) {
	got := map[string]map[string]string{}
	for name, w := range workflows(t) {
		if w.Permissions == nil || len(w.Permissions) > 0 {
			t.Errorf("%s: permissions are %v, want {}", name, w.Permissions)
		}
		if w.Concurrency["group"] == nil || w.Concurrency["cancel-in-progress"] == nil {
			t.Errorf("%s: concurrency is %v", name, w.Concurrency)
		}
		if w.Defaults["run"]["shell"] != "bash" {
			t.Errorf("%s: without shell: bash a pipe hides what fails in it", name)
		}
		for _, trigger := range []string{"pull_request_target", "workflow_run", "issue_comment"} {
			if _, ok := w.On[trigger]; ok {
				t.Errorf("%s: %s runs with rights for what strangers wrote", name, trigger)
			}
		}
		for id, j := range w.Jobs {
			got[name+"/"+id] = j.Permissions
			if j.Timeout == 0 {
				t.Errorf("%s/%s may take six hours", name, id)
			}
		}
	}
	if !maps.EqualFunc(got, granted, maps.Equal) {
		t.Errorf("permissions\n%v\nwant\n%v", got, granted)
	}
}

// TestWhoeverBuildsHasNoCredentials: a package, a test and build.sh run code of others.
func TestWhoeverBuildsHasNoCredentials(t *testing.T) {
	for name, w := range workflows(t) {
		for id, j := range w.Jobs {
			runsCode := slices.ContainsFunc(j.Steps, func(s step) bool {
				return strings.Contains(s.Run, "layerd build") || strings.Contains(s.Run, "pip install") || strings.Contains(s.Run, "pytest")
			})
			for right, level := range j.Permissions {
				if runsCode && (right != "contents" || level != "read") {
					t.Errorf("%s/%s runs code of others with %s: %s", name, id, right, level)
				}
			}
		}
	}
}

var pinned = regexp.MustCompile(`^\s*(?:- )?uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// TestActionsArePinned: by the full hash of a commit, with the version that a reader and
// Dependabot know it by; one version of each.
func TestActionsArePinned(t *testing.T) {
	files, err := filepath.Glob("github/*/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]string{}
	for _, f := range append(files, "github/actions/layerd/action.yml") {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(data), "\n") {
			_, uses, ok := strings.Cut(line, "uses: ")
			if !ok || strings.HasPrefix(uses, "./.github/actions/") {
				continue
			}
			if !pinned.MatchString(line) {
				t.Errorf("%s:%d: %s", f, i+1, line)
			}
			action, hash, _ := strings.Cut(uses, "@")
			if other, twice := hashes[action]; twice && other != hash {
				t.Errorf("%s:%d: %s is %s and %s", f, i+1, action, other, hash)
			}
			hashes[action] = hash
		}
	}
	if len(hashes) < 5 {
		t.Errorf("actions %v", hashes)
	}
}

// eachStep calls f with every step of the workflows and of the action.
func eachStep(t *testing.T, f func(where string, s step)) {
	t.Helper()
	for name, w := range workflows(t) {
		for id, j := range w.Jobs {
			for i, s := range j.Steps {
				f(fmt.Sprintf("%s/%s, step %d", name, id, i+1), s)
			}
		}
	}
	var a action
	readYAML(t, "github/actions/layerd/action.yml", &a)
	for i, s := range a.Runs.Steps {
		f(fmt.Sprintf("layerd, step %d", i+1), s)
	}
}

func TestStepsAreSafe(t *testing.T) {
	eachStep(t, func(where string, s step) {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("%s: an expression in a script is code for whoever writes its value; put it into env", where)
		}
		if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != "false" {
			t.Errorf("%s leaves its token in the folder", where)
		}
		if strings.HasPrefix(s.Uses, "actions/setup-") && s.With["cache"] == "true" {
			t.Errorf("%s takes what other jobs have cached", where)
		}
		if strings.HasPrefix(s.Uses, "aws-actions/") && (s.With["role-to-assume"] == "" || s.With["aws-access-key-id"] != "") {
			t.Errorf("%s has no role to take by OIDC: %v", where, s.With)
		}
		for _, v := range s.Env {
			if strings.Contains(v, "secrets.") {
				t.Errorf("%s needs a secret: %s", where, v)
			}
		}
	})
}
