package examples

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
)

func TestTheExampleLoadsWithoutAProblem(t *testing.T) {
	tree := desired.Load(Repo(), desired.Options{Now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)})
	for _, p := range tree.Problems {
		t.Errorf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	}
	var names []string
	for _, e := range tree.Environments {
		names = append(names, e.Name)
		for _, p := range e.Unsupported {
			t.Errorf("%s: %s", e.Name, p.Message)
		}
		if len(e.Layers) != 3 {
			t.Errorf("%s has %d layers, want 3", e.Name, len(e.Layers))
		}
	}
	if got := strings.Join(names, " "); got != "dev prod staging" {
		t.Errorf("environments are %s", got)
	}
}

// TestTheSchemaIsTheLoaders: the copy is what editors read; `layerd schema`
// writes it.
func TestTheSchemaIsTheLoaders(t *testing.T) {
	got, err := fs.ReadFile(Repo(), "schema/layerd.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(desired.Schema())) {
		t.Error("schema/layerd.schema.json is not what layerd schema prints")
	}
}

func TestEveryFileNamesItsSchema(t *testing.T) {
	err := fs.WalkDir(Repo(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		data, err := fs.ReadFile(Repo(), name)
		if err != nil {
			return err
		}
		line, _, _ := strings.Cut(string(data), "\n")
		_, ref, ok := strings.Cut(line, "# yaml-language-server: $schema=")
		if _, err := fs.Stat(Repo(), path.Join(path.Dir(name), ref)); !ok || err != nil {
			t.Errorf("%s begins with %q, which names no schema that is there", name, line)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheLayersOwnTests plays the tests that stand beside makoto-common, which are
// written so that they need nothing but Python.
func TestTheLayersOwnTests(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	dir := t.TempDir() // Python writes caches, and what is embedded is the folder as it lies here
	if err := os.CopyFS(dir, Repo()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-W", "error", "-m", "unittest", "discover", "-s", "tests")
	cmd.Dir = filepath.Join(dir, "layers", "common")
	cmd.Env = append(os.Environ(), "PYTHONPATH=python")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("Ran 0 tests")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestNoCacheIsEmbedded: whoever runs a layer's tests in this folder leaves files in it
// that would be part of the demo.
func TestNoCacheIsEmbedded(t *testing.T) {
	err := fs.WalkDir(Repo(), ".", func(name string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(name, "_cache") || path.Base(name) == "__pycache__" {
			t.Errorf("remove %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
