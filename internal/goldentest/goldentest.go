// Package goldentest compares text with files that a person has read:
//
//	goldentest.Check(t, filepath.Join("testdata", "golden", "plan.txt"), got)
//
// With -update, go test writes the files anew, for a person to read in the diff.
// It is for tests only.
package goldentest

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Update reports whether golden files are to be written instead of compared.
func Update() bool { return *update }

// Check compares got with the file at path.
func Check(t testing.TB, path, got string) {
	t.Helper()
	if Update() {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, string(want)); diff != "" {
		t.Errorf("%s (-got +want):\n%s", path, diff)
	}
}
