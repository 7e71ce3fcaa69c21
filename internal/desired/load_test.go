package desired

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

func now() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// repository makes a file system of the files of an archive, but for want.
func repository(a *txtar.Archive) (fs.FS, string) {
	files, want := fstest.MapFS{}, ""
	for _, f := range a.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		files[f.Name] = &fstest.MapFile{Data: bytes.TrimSuffix(f.Data, []byte("\n"))}
	}
	return files, want
}

// Each archive is a small repository with one mistake and what is said about
// it, after the environments that are left.
func TestMistakes(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files, want := repository(a)
			tree := Load(files, Options{Now: now()})
			var got bytes.Buffer
			for _, e := range tree.Environments {
				got.WriteString("valid " + e.Name + " " + e.Region + "\n")
				for _, p := range e.Unsupported {
					got.WriteString("not yet: " + p.File + " " + p.Message + "\n")
				}
			}
			for _, name := range tree.Invalid() {
				got.WriteString("invalid " + name + "\n")
			}
			got.WriteString("\n")
			if err := Format(&got, files, tree.Problems, Look{}); err != nil {
				t.Fatal(err)
			}
			have := strings.TrimRight(got.String(), "\n") + "\n"
			if *update {
				a.Files = append(a.Files[:0:0], filesBut(a, "want")...)
				a.Files = append(a.Files, txtar.File{Name: "want", Data: []byte(have)})
				if err := os.WriteFile(path, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(have, want); diff != "" {
				t.Errorf("problems (-have +want):\n%s", diff)
			}
		})
	}
}

func filesBut(a *txtar.Archive, name string) []txtar.File {
	var files []txtar.File
	for _, f := range a.Files {
		if f.Name != name {
			files = append(files, f)
		}
	}
	return files
}
