package artifact_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/state"
)

// inFolder is an archive that is a folder of the repository.
var inFolder = state.Artifact{Location: "layers/common", Commit: strings.Repeat("c", 40), Layer: "common", Version: "1.4.2", Runtimes: "python3.12"}

func layerFiles() fstest.MapFS {
	return fstest.MapFS{
		"layers/common/layer.yaml":                      {Data: []byte("name: common\nlicense: MIT\nbuild: {exclude: [\"docs/**\"]}\n")},
		"layers/common/README.md":                       {Data: []byte("read me")},
		"layers/common/python/common/__init__.py":       {Data: []byte("x = 1\n")},
		"layers/common/python/docs/a.md":                {Data: []byte("docs")},
		"layers/common/python/common/__pycache__/a.pyc": {Data: []byte("compiled here")},
		"layers/common/bin/run":                         {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"layers/common/python/requirements.txt":         {Data: []byte("# nothing\n")},
		"layers/other/python/other.py":                  {Data: []byte("other")},
	}
}

// A folder that needs no tool becomes the same zip on every machine: from a commit or
// from a disk, whatever the times, the umask and what Python left there.
func TestAFolderIsTheSameZipEverywhere(t *testing.T) {
	at := func(files fs.FS, a state.Artifact) (state.Content, []byte) {
		t.Helper()
		r := inRepository(files, nil)
		found, err := r.Look(t.Context(), prod, a)
		if err != nil || found.Code != "" {
			t.Fatalf("%+v, %v", found, err)
		}
		src, err := r.Open(t.Context(), prod, a, found)
		if err != nil || hexOf(src.Zip) != found.SHA256 {
			t.Fatalf("%s is not %s: %v", hexOf(src.Zip), found.SHA256, err)
		}
		return found, src.Zip
	}
	want, data := at(layerFiles(), inFolder)
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"bin/run", "layerd/common.json", "python/common/__init__.py"}) {
		t.Errorf("the zip has %v", names)
	}
	for _, umask := range []fs.FileMode{0o077, 0o002} {
		dir := t.TempDir()
		for name, f := range layerFiles() {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, (f.Mode|0o666)&^umask); err != nil {
				t.Fatal(err)
			}
			when := time.Unix(rand.Int64N(1<<30), 0)
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
		local := inFolder
		local.Commit = ""
		if found, _ := at(os.DirFS(dir), local); found.SHA256 != want.SHA256 {
			t.Errorf("on disk: %s, want %s", found.SHA256, want.SHA256)
		}
	}
	next := inFolder
	next.Version = "1.4.3"
	if found, _ := at(layerFiles(), next); found.SHA256 == want.SHA256 {
		t.Error("another version has the same zip: its manifest is another one")
	}
}

// Nothing of a repository is run: what needs a tool is built in CI.
func TestAFolderThatNeedsATool(t *testing.T) {
	for name, c := range map[string]struct {
		file, data string
		code       string
	}{
		"requirements":             {"python/requirements.txt", "requests==2.32.0\n", "artifact_needs_build"},
		"requirements of others":   {"python/requirements.txt", "-r other.txt\n", "artifact_needs_build"},
		"requirements at the top":  {"requirements.txt", "requests\n", "artifact_needs_build"},
		"only comments":            {"python/requirements.txt", "# requests\n\n", ""},
		"packages of Node":         {"nodejs/package.json", `{"dependencies": {"left-pad": "1.0.0"}}`, "artifact_needs_build"},
		"optional ones":            {"nodejs/package.json", `{"optionalDependencies": {"left-pad": "1.0.0"}}`, "artifact_needs_build"},
		"none":                     {"nodejs/package.json", `{"name": "x", "dependencies": {}}`, ""},
		"for development":          {"nodejs/package.json", `{"name": "x", "devDependencies": {"jest": "1"}}`, ""},
		"no JSON":                  {"nodejs/package.json", `{`, "artifact_needs_build"},
		"a command":                {"layer.yaml", "name: common\nbuild: {run: ./build.sh}\n", "artifact_needs_build"},
		"strip":                    {"layer.yaml", "name: common\nbuild: {strip: true}\n", "artifact_needs_build"},
		"a layer.yaml with faults": {"layer.yaml", "name: [\n", "artifact_invalid"},
		"no layer.yaml":            {"layer.yaml", "-", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := layerFiles()
			files["layers/common/"+c.file] = &fstest.MapFile{Data: []byte(c.data)}
			if c.data == "-" {
				delete(files, "layers/common/"+c.file)
			}
			found, err := inRepository(files, nil).Look(t.Context(), prod, inFolder)
			if err != nil || found.Code != c.code || (c.code == "") != (found.SHA256 != "") || (c.code != "") != (found.Suggestion != "") {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}

// What is at a path and is no archive.
func TestWhatIsWrongWithAPath(t *testing.T) {
	nightly.NotShort(t, "it reads names one after the other")
	big := make([]byte, 51<<20)
	noise := rand.NewChaCha8([32]byte{1})
	_, _ = noise.Read(big) // it never fails
	for name, c := range map[string]struct {
		files      fstest.MapFS
		code, says string
	}{
		"nothing":         {fstest.MapFS{"layers/other": {Mode: fs.ModeDir}}, "artifact_missing", "in commit ccccccc"},
		"an empty folder": {fstest.MapFS{"layers/common": {Mode: fs.ModeDir}}, "artifact_wrong_folder", "python/"},
		"a large file":    {fstest.MapFS{"layers/common": {Data: big}}, "artifact_too_large", "50"},
		"a large folder":  {fstest.MapFS{"layers/common/python/noise": {Data: big}}, "artifact_too_large", "at most"},
		"a link":          {fstest.MapFS{"layers/common": {Data: []byte("other"), Mode: fs.ModeSymlink}}, "artifact_missing", ""},
		"a link inside":   {fstest.MapFS{"layers/common/python/a": {Data: []byte("../../../etc/passwd"), Mode: fs.ModeSymlink}}, "artifact_invalid", "not in the folder"},
		"a bad name":      {fstest.MapFS{"layers/common/python/a\x01b": {Data: []byte("x")}}, "artifact_invalid", "control"},
		"a device":        {fstest.MapFS{"layers/common/python/a": {Mode: fs.ModeDevice}}, "artifact_invalid", "device"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := inRepository(c.files, nil).Look(t.Context(), prod, inFolder)
			if err != nil || found.Code != c.code || !strings.Contains(found.Message, c.says) || found.Suggestion == "" {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}

// What a commit has is read once; what lies on a disk may be another each time.
func TestACommitIsReadOnce(t *testing.T) {
	for _, c := range []struct {
		commit string
		times  int64
	}{{strings.Repeat("a", 40), 1}, {strings.Repeat("a", 40) + "+dirty", 3}, {"", 3}} {
		var times atomic.Int64
		r := inRepository(layerFiles(), &times)
		a := inFolder
		a.Commit = c.commit
		for range 3 {
			if found, err := r.Look(t.Context(), prod, a); err != nil || found.Code != "" {
				t.Errorf("%+v, %v", found, err)
			}
		}
		if times.Load() != c.times {
			t.Errorf("%q is read %d times", c.commit, times.Load())
		}
	}
	fails := inRepository(nil, nil)
	fails.Files = nil
	if _, err := fails.Look(t.Context(), prod, inFolder); err == nil {
		t.Error("a repository that is not there was read: " + fmt.Sprint(err))
	}
}
