package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/awssim"
)

// What a killed probe has left is in nobody's fleet, whatever is asked: a plan names it
// and changes nothing of it, though a selector chooses everything.
func TestWhatAProbeHasLeftIsInNoFleet(t *testing.T) {
	f := newFinding(t)
	zip := layerZip(t, []string{"requests 2.31.0"}, nil, 0)
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "v1.4.1", Content: zip})
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "v1.4.2", Content: zip})
	for _, name := range []string{"makoto-api-dev", "layerd-probe-abc"} {
		f.PutFunction(awssim.Function{Name: name, Runtime: "python3.12", Layers: []string{f.LayerARN("makoto-common-dev", 1)}})
	}
	file := filepath.Join(f.repo, "environments/dev.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "makoto-*-dev", "*", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	const name = "layerd-probe-abc"
	code, text1, _ := f.run("plan")
	if code != exitOK || strings.Count(text1, name) != 1 || !strings.Contains(text1, name+": temporary, made by a probe") || !strings.Contains(text1, "1 to attach") {
		t.Errorf("plan: exit code %d:\n%s", code, text1)
	}
	for _, args := range [][]string{
		{"find", "requests"}, {"find", "requests", "-o", "json"}, {"usage"}, {"usage", "-v"}, {"usage", "-o", "json"}, {"apply", "-v"}, {"plan", "-o", "json"}, {"doctor", "--env", "dev"},
	} {
		_, out, told := f.run(args...)
		if text := strings.ReplaceAll(out+told, name+": temporary, ", ""); strings.Contains(text, name) {
			t.Errorf("%v:\n%s", args, text)
		}
	}
	if fn, _ := f.Function(name); fn.Layers[0] != f.LayerARN("makoto-common-dev", 1) {
		t.Errorf("it has %v", fn.Layers)
	}
	out := filepath.Join(t.TempDir(), "out")
	a, stdout, stderr := testApp(t)
	if code := a.execute(t.Context(), []string{"import", "--region", testRegion, "--out", out, "--env-suffix", "dev"}); code != exitOK {
		t.Errorf("import: exit code %d: %s", code, stderr)
	}
	if strings.Contains(stdout.String()+stderr.String(), name) {
		t.Errorf("import: %s%s", stdout, stderr)
	}
	if err := filepath.Walk(out, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), name) {
			t.Errorf("%s:\n%s", path, data)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
