package examples

import (
	"bytes"
	"io/fs"
	"path"
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
