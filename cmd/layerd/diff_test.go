package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/present"
)

func TestDiff(t *testing.T) {
	f := newFinding(t)
	old := layerZip(t, []string{"requests 2.31.0", "urllib3 2.2.2", "gone 1.0"}, map[string]string{"python/own.py": "a = 1\n"}, 0)
	next := layerZip(t, []string{"requests 2.32.3", "urllib3 2.2.1", "idna 3.7"}, map[string]string{"python/own.py": "a = 2\n", "python/evil`\n<b>.py": ""}, 0)
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "v1.4.1", Content: old})
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "v1.4.2", Content: next})
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.zip"), filepath.Join(dir, "b.zip")
	for name, data := range map[string][]byte{a: old, b: next} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, second := f.LayerARN("makoto-common-dev", 1), f.LayerARN("makoto-common-dev", 2)
	for _, args := range [][]string{
		{"makoto-common", "1.4.1", "1.4.2"}, {"makoto-common", "v1.4.1", "2", "--env", "dev"}, {"makoto-common-dev", "1", "2"},
		{first, second}, {a, b}, {first, b}, {a, second, "--region", testRegion},
	} {
		args = append([]string{"diff"}, args...)
		code, stdout, stderr := f.run(append(args, "-o", "json", "--detailed-exitcode")...)
		var d present.Diff
		if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != exitChanges {
			t.Fatalf("%v: exit code %d, %v: %s", args, code, err, stderr)
		}
		var lines []string
		for _, c := range d.Packages {
			lines = append(lines, c.String())
		}
		if got := strings.Join(lines, "; "); got != "- gone 1.0; + idna 3.7; requests 2.31.0 → 2.32.3; urllib3 2.2.2 → 2.2.1" {
			t.Errorf("%v: %s", args, got)
		}
		_, text, _ := f.run(args...)
		for _, want := range []string{"4 packages: 1 added, 1 removed, 1 raised, 1 lowered", "  ↑ requests 2.31.0 → 2.32.3\n", "  ↓ urllib3 2.2.2 → 2.2.1\n", "  - gone 1.0\n", "  ~ python/own.py  6 bytes, other content\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%v: %q is not in\n%s", args, want, text)
			}
		}
		for _, line := range strings.Split(text, "\n") {
			if strings.Contains(line, "<b>.py") && !strings.Contains(line, `evil`) {
				t.Errorf("a name broke the line: %q", line)
			}
		}
		_, markdown, _ := f.run(append(args, "-o", "markdown")...)
		for _, want := range []string{"| `requests` | `2.31.0` | `2.32.3` |\n", "<details><summary>", "! python/own.py"} {
			if !strings.Contains(markdown, want) {
				t.Errorf("%v: %q is not in\n%s", args, want, markdown)
			}
		}
	}
	code, text, _ := f.run("diff", "makoto-common", "1.4.1", "1", "--detailed-exitcode")
	if code != exitOK || !strings.Contains(text, "the same bytes") {
		t.Errorf("exit code %d: %s", code, text)
	}
	for _, c := range []struct {
		want  int
		words string
		args  []string
	}{
		{exitUsage, "makoto-common-dev 9.9.9 is not live in dev · ap-northeast-1", []string{"makoto-common", "9.9.9", "1.4.2"}},
		{exitUsage, "live are 2 (1.4.2), 1 (1.4.1)", []string{"makoto-common", "7", "1.4.2"}},
		{exitUsage, `no environment has a layer "makoto-comon"; did you mean makoto-common?`, []string{"makoto-comon", "1", "2"}},
		{exitUsage, "no such file", []string{filepath.Join(dir, "c.zip"), b}},
		{exitUsage, "is no file", []string{dir, b}},
		{exitUsage, "is no ARN of a layer version", []string{"arn:aws:lambda:x", b}},
		{exitUsage, "no environment is in eu-west-1", []string{strings.Replace(first, testRegion, "eu-west-1", 1), b}},
		{exitFailed, "AccessDenied", []string{strings.Replace(first, simAccount, vendor, 1), b}},
		{exitUsage, "B is missing", []string{"makoto-common"}},
	} {
		code, _, stderr := f.run(append([]string{"diff"}, c.args...)...)
		if code != c.want || !strings.Contains(stderr, c.words) {
			t.Errorf("%v: exit code %d, want %d and %q:\n%s", c.args, code, c.want, c.words, stderr)
		}
	}
}

// What was looked into stands in the plan, which reads no archive for it.
func TestPlanShowsThePackagesOfWhatIsKnown(t *testing.T) {
	f := newFinding(t)
	f.keep()
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "v1.4.1", Content: layerZip(t, []string{"requests 2.31.0"}, nil, 0)})
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "v1.4.2", Content: layerZip(t, []string{"requests 2.32.3", "idna 3.7"}, nil, 0)})
	for _, name := range []string{"makoto-api-dev", "makoto-chat-dev"} {
		f.PutFunction(awssim.Function{Name: name, Runtime: "python3.12", Layers: []string{f.LayerARN("makoto-common-dev", 1)}})
	}
	const line = "makoto-common 1 (1.4.1) → 2 (1.4.2): + idna 3.7, requests 2.31.0 → 2.32.3"
	if _, text, _ := f.run("plan"); strings.Contains(text, "2.32.3") || f.requests.Load() != 0 {
		t.Errorf("nobody has looked yet, with %d downloads:\n%s", f.requests.Load(), text)
	}
	if code, _, stderr := f.run("diff", "makoto-common", "1.4.1", "1.4.2"); code != exitOK {
		t.Fatalf("diff: exit code %d: %s", code, stderr)
	}
	f.requests.Store(0)
	for form, want := range map[string]string{"text": line, "github": line, "markdown": line, "json": `"packages_change"`} {
		if _, text, _ := f.run("plan", "-o", form); strings.Count(strings.Join(strings.Fields(text), " "), want) != 1 {
			t.Errorf("%s: %q is not in it once:\n%s", form, want, text)
		}
	}
	if f.requests.Load() != 0 {
		t.Errorf("%d downloads for a plan", f.requests.Load())
	}
}

// A version that is to be published is known by its archive before it has a number, and
// what layerd published is known by what it was published from: the pull request shows
// what a bump brings without a download from AWS.
func TestPlanShowsThePackagesOfWhatIsToBePublished(t *testing.T) {
	f := newFinding(t)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(f.repo, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(version string) {
		write("environments/dev.yaml", "account: \"123456789012\"\nregion: ap-northeast-1\nlayer_name: ${NAME}-${ENVIRONMENT}\n"+
			"layers: {makoto-common: {version: "+version+", functions: [\"makoto-*-dev\"]}}\n")
	}
	write("layers/common/layer.yaml", "name: makoto-common\nartifact: common-${VERSION}.zip\n")
	write("common-1.4.1.zip", string(layerZip(t, []string{"requests 2.31.0"}, nil, 0)))
	write("common-1.4.2.zip", string(layerZip(t, []string{"requests 2.32.3", "idna 3.7"}, nil, 0)))
	write("common-1.4.3.zip", string(layerZip(t, []string{"requests 2.32.3"}, nil, 0)))
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "by hand v1.4.0", Content: layerZip(t, []string{"requests 2.30.0"}, nil, 0)})
	for _, name := range []string{"makoto-api-dev", "makoto-chat-dev"} {
		f.PutFunction(awssim.Function{Name: name, Runtime: "python3.12", Layers: []string{f.LayerARN("makoto-common-dev", 1)}})
	}
	plan := func(form string) string {
		t.Helper()
		f.requests.Store(0)
		_, text, stderr := f.run("plan", "-o", form)
		if f.requests.Load() != 0 {
			t.Errorf("%d downloads for a plan: %s", f.requests.Load(), stderr)
		}
		return strings.Join(strings.Fields(text), " ")
	}
	shows := func(line string) {
		t.Helper()
		for form, want := range map[string]string{"text": line, "github": line, "markdown": line, "json": `"packages_change"`} {
			if text := plan(form); strings.Count(text, want) != 1 {
				t.Errorf("%s: %q is not in it once:\n%s", form, want, text)
			}
		}
	}
	wants("1.4.1")
	if text := plan("text"); strings.Contains(text, "requests 2.3") {
		t.Errorf("nobody has looked into what somebody else published:\n%s", text)
	}
	f.keep()
	if code, _, stderr := f.run("apply"); code != exitOK {
		t.Fatalf("apply: exit code %d: %s", code, stderr)
	}
	wants("1.4.2")
	shows("makoto-common 2 (1.4.1) → new (1.4.2): + idna 3.7, requests 2.31.0 → 2.32.3")
	if code, _, stderr := f.run("apply"); code != exitOK {
		t.Fatalf("apply: exit code %d: %s", code, stderr)
	}
	// Both are live: going back shows what goes.
	wants("1.4.1")
	shows("makoto-common 3 (1.4.2) → 2 (1.4.1): - idna 3.7, requests 2.32.3 → 2.31.0")
	// Other bytes under a name that was published are not what that was published from.
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "v1.4.2", Content: layerZip(t, []string{"flask 3.0.0"}, nil, 0)})
	for _, name := range []string{"makoto-api-dev", "makoto-chat-dev"} {
		f.EditFunction(name, func(fn *awssim.Function) { fn.Layers = []string{f.LayerARN("makoto-common-dev", 4)} })
	}
	wants("1.4.3")
	if text := plan("json"); strings.Contains(text, "packages_change") {
		t.Errorf("what is not known is told:\n%s", text)
	}
	// What diff has looked into is known beside an archive, too.
	if code, _, stderr := f.run("diff", "makoto-common", "4", "1.4.1"); code != exitOK {
		t.Fatalf("diff: exit code %d: %s", code, stderr)
	}
	shows("makoto-common 4 (1.4.2) → new (1.4.3): - flask 3.0.0, + requests 2.32.3")
}
