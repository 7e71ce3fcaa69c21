package archive

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Layer is what an archive is for: the part of layer.yaml that it is held against.
type Layer struct {
	Name          string
	Version       string   // semantic, without v; empty = unknown
	Commit        string   // the last that touched the folder; empty = unknown
	License       string   // of the layer itself
	Runtimes      []string // as Lambda names them; empty = any
	Architectures []string // x86_64, arm64; empty = x86_64, as Lambda reads it
	Imports       []string // modules that have to be there
	Exclude       []string // globs of what is left out, beside what always is
}

// Language is what a runtime runs. It decides which folders of a layer it looks at.
type Language string

// The languages of Lambda's managed runtimes. Provided is an operating system alone.
const (
	Python   Language = "python"
	Node     Language = "nodejs"
	Ruby     Language = "ruby"
	Java     Language = "java"
	DotNet   Language = "dotnet"
	Provided Language = "provided"
)

// Libc is a version of glibc, which compares as numbers: 2.9 is older than 2.17.
type Libc struct{ Major, Minor int }

func (l Libc) String() string {
	if l == (Libc{}) {
		return "none"
	}
	return fmt.Sprintf("%d.%d", l.Major, l.Minor)
}

// Compare orders versions, the oldest first.
func (l Libc) Compare(o Libc) int {
	return cmp.Or(cmp.Compare(l.Major, o.Major), cmp.Compare(l.Minor, o.Minor))
}

// parseLibc reads "GLIBC_2.17" and "GLIBC_2.2.5"; ok is false for GLIBC_PRIVATE.
func parseLibc(s string) (Libc, bool) {
	parts := strings.Split(strings.TrimPrefix(s, "GLIBC_"), ".")
	if len(parts) < 2 || !strings.HasPrefix(s, "GLIBC_") {
		return Libc{}, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return Libc{major, minor}, err1 == nil && err2 == nil
}

// The two libraries that Lambda's runtimes have (AWS.md section 2.11).
var (
	amazonLinux2    = Libc{2, 26}
	amazonLinux2023 = Libc{2, 34}
)

// Runtime is what a layer has to know of a runtime.
type Runtime struct {
	Name     string
	Language Language
	Version  string // of the language: "3.12", "20", "17"; empty where there is none
	Libc     Libc   // zero = not known
}

var runtimeName = regexp.MustCompile(`^(python|nodejs|ruby|java|dotnet|dotnetcore|provided|go)([0-9][0-9.]*?)?(?:\.x)?(?:\.(al2|al2023))?$`)

// ParseRuntime reads Lambda's name of a runtime; ok is false for one that it cannot
// place, which nothing is then said about.
func ParseRuntime(name string) (Runtime, bool) {
	m := runtimeName.FindStringSubmatch(name)
	if m == nil || m[1] == "go" {
		return Runtime{Name: name}, false
	}
	r := Runtime{Name: name, Language: Language(m[1]), Version: m[2]}
	if m[1] == "dotnetcore" {
		r.Language = DotNet
	}
	r.Libc = libcOf(r.Language, r.Version, m[3])
	return r, true
}

// libcOf returns the C library of the Linux that a runtime is on. linux is what its name
// says of that, and decides where it says anything.
func libcOf(lang Language, version, linux string) Libc {
	first2023 := map[Language]Libc{Python: {3, 12}, Node: {20, 0}, Ruby: {3, 3}, Java: {21, 0}, DotNet: {8, 0}}
	switch {
	case linux == "al2":
		return amazonLinux2
	case linux == "al2023":
		return amazonLinux2023
	case lang == Provided:
		return Libc{} // Amazon Linux 1, long gone
	}
	major, rest, _ := strings.Cut(version, ".")
	v := Libc{}
	v.Major, _ = strconv.Atoi(major)
	v.Minor, _ = strconv.Atoi(rest)
	if v.Compare(first2023[lang]) >= 0 {
		return amazonLinux2023
	}
	return amazonLinux2
}

// folders returns the top-level folders of a layer that a language looks at. bin, lib and
// extensions are looked at by all of them, and do for provided.
func (l Language) folders() []string {
	switch l {
	case Python:
		return []string{"python"}
	case Node:
		return []string{"nodejs"}
	case Ruby:
		return []string{"ruby"}
	case Java:
		return []string{"java"}
	case DotNet:
		return []string{"dotnetcore", "dotnet"}
	default:
		return nil
	}
}

// common are the folders that every runtime looks at: PATH, LD_LIBRARY_PATH and
// Lambda's extensions.
var common = []string{"bin", "lib", "extensions"}

// languages returns those of the layer's runtimes, once each.
func (l Layer) languages() (list []Language) {
	for _, r := range l.runtimes() {
		if !slices.Contains(list, r.Language) {
			list = append(list, r.Language)
		}
	}
	return list
}

// runtimes returns the layer's runtimes that are known.
func (l Layer) runtimes() (list []Runtime) {
	for _, name := range l.Runtimes {
		if r, ok := ParseRuntime(name); ok {
			list = append(list, r)
		}
	}
	return list
}

// Pythons returns the versions of Python that a layer is for, "3.11", the oldest first.
func (l Layer) Pythons() (list []string) {
	for _, r := range l.runtimes() {
		if r.Language == Python && !slices.Contains(list, r.Version) {
			list = append(list, r.Version)
		}
	}
	slices.SortFunc(list, compareVersions)
	return list
}

func compareVersions(a, b string) int {
	x, _ := parseLibc("GLIBC_" + a)
	y, _ := parseLibc("GLIBC_" + b)
	return x.Compare(y)
}

// Machines returns the architectures that a layer is for; one that names none is for
// x86_64, as Lambda reads it.
func (l Layer) Machines() []string {
	if len(l.Architectures) == 0 {
		return []string{"x86_64"}
	}
	return l.Architectures
}

// OldestLibc returns the oldest C library among those of the layer's runtimes, which
// what is compiled for all of them may need at most; ok is false where none is known.
func (l Layer) OldestLibc() (Libc, bool) {
	oldest := Libc{}
	for _, r := range l.runtimes() {
		if r.Libc != (Libc{}) && (oldest == (Libc{}) || r.Libc.Compare(oldest) < 0) {
			oldest = r.Libc
		}
	}
	return oldest, oldest != (Libc{})
}

// PlatformTags returns what a Python's installer may take for a C library and an
// architecture, the newest first. pip matches the tags that it is given and no others
// (AWS.md section 2.11), so all of them are in it.
func PlatformTags(libc Libc, machine string) (tags []string) {
	suffix := map[string]string{"x86_64": "x86_64", "arm64": "aarch64"}[machine]
	for n := libc.Minor; n >= 17; n-- {
		tags = append(tags, fmt.Sprintf("manylinux_2_%d_%s", n, suffix))
	}
	return append(tags, "manylinux2014_"+suffix)
}
