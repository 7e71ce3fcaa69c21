package main

import (
	"debug/elf"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/archive/archivetest"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/present"
)

// layered runs doctor --layer and returns the codes that were found.
func layered(t *testing.T, w *awssim.World, environment string, args ...string) (exit int, codes []string, view present.ExaminedArchive, text string) {
	t.Helper()
	exit, _, _, text = doctored(t, w, environment, append(args, "-o=json")...)
	if err := json.Unmarshal([]byte(text), &view); err != nil {
		return exit, nil, view, text
	}
	for _, f := range view.Findings {
		codes = append(codes, f.Code)
	}
	return exit, codes, view, text
}

// An archive is held against what it is for: what the flags say, what the version was
// published for, what layer.yaml says.
func TestDoctorLayer(t *testing.T) {
	native := func(version string) map[string]string {
		return map[string]string{"python/makoto_common/__init__.py": "x", "python/n.so": string(archivetest.ELF(elf.EM_X86_64, map[string][]string{"libc.so.6": {version}}))}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "makoto-common-1.4.2.zip")
	archivetest.Zip(t, file, native("GLIBC_2.28"))
	w := examinedWorld()
	n := w.PutLayerVersion(awssim.LayerVersion{Name: "native", Runtimes: []string{"python3.11"}, Architectures: []string{"arm64"}, Content: awssim.Zip(native("GLIBC_2.28"))})
	kept := w.PutLayerVersion(awssim.LayerVersion{Name: "kept", Reference: awssim.ObjectVersion{Bucket: "b", Key: "k", Version: "v"}})
	for _, c := range []struct {
		name string
		env  string
		args []string
		exit int
		want []string
	}{
		{"a file for nothing in particular", "", []string{"--layer", file}, exitOK, nil},
		{"a file for a runtime with an older C library", "", []string{"--layer", file, "--runtime", "python3.11"}, exitFailed, []string{"glibc"}},
		{"a file for a newer one", "", []string{"--layer", file, "--runtime", "python3.12"}, exitOK, nil},
		{"a file for another machine", "", []string{"--layer", file, "--architecture", "arm64"}, exitFailed, []string{"wrong_architecture"}},
		{"a file for another language", "", []string{"--layer", file, "--runtime", "nodejs24.x"}, exitFailed, []string{"wrong_folder"}},
		{"a version, for what it was published for", "", []string{"--layer", w.LayerARN("native", n)}, exitFailed, []string{"glibc", "wrong_architecture"}},
		{"a version, for what the flags say", "", []string{"--layer", w.LayerARN("native", n), "--runtime", "python3.12", "--architecture", "x86_64"}, exitOK, nil},
		{"a version of Git", doctorEnvironment, []string{"--layer", w.LayerARN("makoto-common-prod", 2)}, exitOK, nil},
		{"a version that stays in a bucket", "", []string{"--layer", w.LayerARN("kept", kept)}, exitOK, []string{"archive_unread"}},
	} {
		exit, codes, view, text := layered(t, w, c.env, c.args...)
		slices.Sort(codes)
		if exit != c.exit || !slices.Equal(codes, c.want) && !(len(codes) == 0 && len(c.want) == 0) {
			t.Errorf("%s: exit %d, %v: %s", c.name, exit, codes, text)
		}
		if len(c.want) == 0 && (!view.Healthy || len(view.Checklist) != 8) {
			t.Errorf("%s: %s", c.name, text)
		}
	}
	if code, _, _, text := doctored(t, w, "", "--layer", w.LayerARN("native", 99)); code != exitFailed || !strings.Contains(text, "cannot be had") {
		t.Errorf("gone: exit %d: %s", code, text)
	}
	broken := filepath.Join(dir, "broken.zip")
	if err := os.WriteFile(broken, []byte("no zip"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, _, text := doctored(t, w, "", "--layer", broken); code != exitFailed || !strings.Contains(text, "not a zip") {
		t.Errorf("broken: exit %d: %s", code, text)
	}
}

// Without a repository AWS alone is looked at, in the caller's own account; with an alias
// what it serves; with an ARN in its Region.
func TestDoctorFunctionAlone(t *testing.T) {
	w := examinedWorld()
	w.EditFunction(examined, func(f *awssim.Function) { f.Layers = []string{w.LayerARN("makoto-common-prod", 1)} })
	for _, c := range []struct {
		args   []string
		layer  string
		exit   int
		says   string
		prefix string
	}{
		{[]string{examined, "--region", testRegion}, "makoto-common-prod:1", exitOK, `"$LATEST"`, ""},
		{[]string{examined + ":live"}, "makoto-common-prod:2", exitOK, `"version": "1"`, ""},
		{[]string{w.FunctionARN(examined) + ":live"}, "makoto-common-prod:2", exitOK, `"qualifier": "live"`, ""},
	} {
		code, _, view, text := doctored(t, w, "", append(c.args, "-o", "json")...)
		if code != c.exit || len(view.Places) != 1 || len(view.Places[0].Layers) != 1 || !strings.HasSuffix(view.Places[0].Layers[0].ARN, c.layer) || !strings.Contains(text, c.says) || view.Places[0].Account != simAccount {
			t.Errorf("%v: exit %d: %s", c.args, code, text)
		}
	}
	for _, c := range []struct{ function, says string }{
		{"makoto-chat-prd", "did you mean makoto-chat-prod?"}, {examined + ":dead", "has no alias or version dead"}, {examined + ":9", "has no alias or version 9"},
	} {
		if code, _, _, text := doctored(t, w, "", c.function); code != exitFailed || !strings.Contains(text, c.says) {
			t.Errorf("%s: exit %d: %s", c.function, code, text)
		}
	}
	if code, _, _, text := doctored(t, w, doctorEnvironment, examined, "-o", "sarif"); code != exitOK || !strings.Contains(text, `"uri": `) || !strings.Contains(text, `"wrong_version"`) {
		t.Errorf("exit %d: %s", code, text)
	}
	for line := range strings.SplitSeq(textOf(t, w), "\n") {
		if len([]rune(line)) > 80 && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, "→") {
			t.Errorf("wider than 80: %s", line)
		}
	}
}

func textOf(t *testing.T, w *awssim.World) string {
	t.Helper()
	_, _, _, text := doctored(t, w, doctorEnvironment, examined)
	return text
}
