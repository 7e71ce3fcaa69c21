package inspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/archive"
)

func pkg(kind archive.PackageKind, name, version string) Package {
	return Package{Kind: kind, Name: name, Version: version}
}

func TestCompare(t *testing.T) {
	a := Side{Contents: Contents{Size: 10, Unzipped: 100, Packages: []Package{
		pkg(archive.PyPI, "requests", "2.31.0"), pkg(archive.PyPI, "gone", "1"), pkg(archive.PyPI, "same", "1.0"), pkg(archive.PyPI, "odd", "x-y"),
		pkg(archive.PyPI, "down", "1.10"), pkg(archive.NPM, "same", "1.0.0"), pkg(archive.NPM, "many", "2.0.0"), pkg(archive.NPM, "many", "1.0.0"), pkg(archive.NPM, "many", "1.0.0"),
	}}, Files: []File{{Name: "a", Size: 1, CRC32: 1}, {Name: "b", Size: 1, CRC32: 1}, {Name: "c", Size: 1, CRC32: 1}, {Name: "d", Size: 1, CRC32: 1}, {Name: "twice", CRC32: 1}, {Name: "twice", CRC32: 2}}}
	b := Side{Contents: Contents{Size: 12, Unzipped: 90, Packages: []Package{
		pkg(archive.PyPI, "requests", "2.32.3"), pkg(archive.PyPI, "idna", "3.7"), pkg(archive.PyPI, "same", "1.0"), pkg(archive.PyPI, "odd", "y-z"),
		pkg(archive.PyPI, "down", "1.9"), pkg(archive.NPM, "same", "1.0.0"), pkg(archive.NPM, "many", "2.0.0"), pkg(archive.NPM, "many", "1.1.0"),
	}, Doubts: []string{"one"}}, Files: []File{{Name: "a", Size: 1, CRC32: 1}, {Name: "b", Size: 1, CRC32: 2}, {Name: "c", Size: 1, CRC32: 1, Executable: true}, {Name: "e", Size: 7}, {Name: "twice", CRC32: 2}}}
	want := Difference{
		Size: Sizes{10, 12}, Unzipped: Sizes{100, 90}, Doubts: []string{"one"},
		Packages: []PackageChange{
			{archive.NPM, "many", Raised, []string{"1.0.0", "2.0.0"}, []string{"1.1.0", "2.0.0"}},
			{archive.PyPI, "down", Lowered, []string{"1.10"}, []string{"1.9"}},
			{archive.PyPI, "gone", Removed, []string{"1"}, []string{}},
			{archive.PyPI, "idna", Added, []string{}, []string{"3.7"}},
			{archive.PyPI, "odd", Altered, []string{"x-y"}, []string{"y-z"}},
			{archive.PyPI, "requests", Raised, []string{"2.31.0"}, []string{"2.32.3"}},
		},
		Files: []FileChange{{"b", Altered, 1, 1}, {"c", Altered, 1, 1}, {"d", Removed, 1, 0}, {"e", Added, 0, 7}},
	}
	got := Compare(a, b)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if line := Line(got.Packages, 3); line != "many 1.0.0 and 2.0.0 → 1.1.0 and 2.0.0, down 1.10 → 1.9, - gone 1, and 3 more" {
		t.Error(line)
	}
	if !Compare(a, a).Equal() || got.Equal() {
		t.Error("Equal")
	}
}
