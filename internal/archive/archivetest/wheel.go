package archivetest

import (
	"archive/zip"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Wheel writes a wheel into dir, with the files that it is given and what describes it.
// tag is such as "py3-none-any". Requires are lines of Requires-Dist.
func Wheel(t *testing.T, dir, name, version, tag string, files map[string]string, requires ...string) string {
	t.Helper()
	info := fmt.Sprintf("%s-%s.dist-info/", name, version)
	meta := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\nLicense: MIT\n", name, version)
	if len(requires) > 0 {
		meta += "Requires-Dist: " + strings.Join(requires, "\nRequires-Dist: ") + "\n"
	}
	all := map[string]string{
		info + "METADATA": meta + "\nIt is made for a test.\n",
		info + "WHEEL":    fmt.Sprintf("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: %s\n", tag),
	}
	maps.Copy(all, files)
	names := append(sorted(all), info+"RECORD")
	all[info+"RECORD"] = strings.Join(names, ",,\n") + ",,\n"
	at := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.whl", name, version, tag))
	Zip(t, at, all)
	return at
}

// Zip writes a zip with the names that it is given, whatever they are.
func Zip(t *testing.T, at string, files map[string]string) {
	t.Helper()
	f, err := os.Create(at)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for _, n := range sorted(files) {
		w, err := z.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[n])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}
