package archive

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"

	"deps.dev/util/pypi"

	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// Check holds what is in a zip against the layer that it is for, and returns everything
// that is wrong, by place. What AWS takes without a word and what fails later, at the
// first import, is an error; what may be meant is a warning.
func (c *Contents) Check(l Layer) []Problem {
	list := slices.Clone(c.Problems)
	list = append(list, c.sizes()...)
	list = append(list, c.folders(l)...)
	list = append(list, c.binaries(l)...)
	list = append(list, c.modules(l)...)
	list = append(list, c.imports(l)...)
	list = append(list, c.contradictions()...)
	list = append(list, c.otherLayer(l)...)
	strictyaml.Sort(list)
	return list
}

// otherLayer finds an archive that says by its manifest that it is of another layer, or of
// another version. One without a manifest says nothing.
func (c *Contents) otherLayer(l Layer) (list []Problem) {
	var said []string
	for _, m := range c.Manifests {
		if m.Name == l.Name && (m.Version == l.Version || m.Version == "" || l.Version == "") {
			return nil
		}
		said = append(said, strings.TrimSpace(m.Name+" "+m.Version))
	}
	if len(said) == 0 || l.Name == "" {
		return nil
	}
	return []Problem{problem("other_layer", "", fmt.Sprintf("its manifest says that it is %s, and it is to be %s", strings.Join(said, " and "), strings.TrimSpace(l.Name+" "+l.Version)),
		"name the archive of that layer and version")}
}

func (c *Contents) sizes() (list []Problem) {
	if len(c.Files) == 0 {
		list = append(list, problem("empty_layer", "", "there is nothing in it", "see that the folder has what the layer is to have"))
	}
	if c.Unzipped > MaxUnzipped {
		list = append(list, problem("too_large", "", fmt.Sprintf("%s unzipped, and a function may have %s with all its layers%s",
			words.Bytes(c.Unzipped), words.Bytes(MaxUnzipped), c.heaviest()), "leave out what is not needed, or make two layers of it for different functions"))
	}
	if c.Size > WarnZipped {
		list = append(list, warning("large", "", fmt.Sprintf("%s zipped, more than %s%s",
			words.Bytes(c.Size), words.Bytes(WarnZipped), c.heaviest()), "consider two layers; one this large is published by way of S3"))
	}
	return list
}

func (c *Contents) heaviest() string {
	var parts []string
	for _, p := range c.Largest(3) {
		parts = append(parts, fmt.Sprintf("%s %s", p.Name, words.Bytes(p.Size)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; the heaviest: " + strings.Join(parts, ", ")
}

// folders checks that each language of the layer finds something where it looks.
func (c *Contents) folders(l Layer) (list []Problem) {
	have := map[string]bool{}
	for _, m := range c.Files {
		top, _, _ := strings.Cut(m.Name, "/")
		have[top] = true
	}
	general := slices.ContainsFunc(common, func(f string) bool { return have[f] })
	for _, lang := range l.languages() {
		folders := lang.folders()
		if len(c.Files) == 0 || general || lang == Provided || slices.ContainsFunc(folders, func(f string) bool { return have[f] }) {
			continue
		}
		why := fmt.Sprintf("nothing in it is where %s looks: %s/ below /opt", lang, folders[0])
		if near := c.misplaced(folders[0]); near != "" {
			why += fmt.Sprintf("; there is %s", near)
		}
		list = append(list, problem("wrong_folder", "", why, fmt.Sprintf("put it into %s/ at the top of the zip", folders[0])))
	}
	return list
}

// misplaced returns where a folder stands that should be at the top, or what is there
// instead of it.
func (c *Contents) misplaced(folder string) string {
	for _, m := range c.Files {
		parts := strings.Split(m.Name, "/")
		for i, part := range parts[:len(parts)-1] {
			if strings.EqualFold(part, folder) {
				return strings.Join(parts[:i+1], "/") + "/"
			}
			if part == "site-packages" || part == "node_modules" {
				return strings.Join(parts[:i+1], "/") + "/"
			}
		}
	}
	return ""
}

// binaries checks what is compiled: a tag of a wheel is a promise, the ELF file is
// the fact.
func (c *Contents) binaries(l Layer) (list []Problem) {
	oldest, known := l.OldestLibc()
	for _, b := range c.Binaries {
		if !slices.Contains(l.Machines(), b.Machine) {
			list = append(list, problem("wrong_architecture", b.Name, fmt.Sprintf("is compiled for %s, and the layer is for %s", b.Machine, words.And(l.Machines())),
				"build it for the layer's architecture; a layer for both has nothing that is compiled"))
		} else if len(l.Machines()) > 1 {
			list = append(list, problem("one_architecture", b.Name, fmt.Sprintf("is compiled for %s, and the layer is for %s", b.Machine, words.And(l.Machines())),
				"make one layer for each architecture, with compatible_architectures: [x86_64] and [arm64]"))
		}
		switch {
		case b.Musl:
			list = append(list, problem("musl", b.Name, "needs musl, the C library of Alpine Linux, which no runtime of Lambda has", "use the manylinux wheel, or build it on Amazon Linux"))
		case known && b.Needs.Compare(oldest) > 0:
			list = append(list, problem("glibc", b.Name, fmt.Sprintf("needs glibc %s, and %s", b.Needs, l.tooOld(b.Needs)),
				"take the wheel for an older glibc, build it on Amazon Linux, or drop those runtimes"))
		}
	}
	return list
}

// tooOld lists the runtimes that have an older glibc than needed.
func (l Layer) tooOld(needed Libc) string {
	var names []string
	oldest, _ := l.OldestLibc()
	for _, r := range l.runtimes() {
		if r.Libc != (Libc{}) && r.Libc.Compare(needed) < 0 {
			names = append(names, r.Name)
		}
	}
	verb := "has"
	if len(names) > 1 {
		verb = "have"
	}
	return fmt.Sprintf("%s %s %s", words.And(names), verb, oldest)
}

// tagged is the name of a compiled module of Python: name.cpython-311-x86_64-linux-gnu.so.
var tagged = regexp.MustCompile(`\.(cpython-(\d)(\d+)([a-z]*)(-[A-Za-z0-9_-]+)?|abi3|pypy[^.]*)\.so$`)

// modules checks Python's modules: that the compiled ones load on each of the layer's
// Pythons, and that none hides one that others mean.
func (c *Contents) modules(l Layer) (list []Problem) {
	pythons := l.Pythons()
	if len(pythons) == 0 {
		return nil
	}
	byModule := map[string][]string{} // module → Pythons that it is compiled for
	shown := map[string]bool{}
	for _, m := range c.Files {
		if module, python, ok := compiled(m.Name); ok {
			byModule[module] = append(byModule[module], python)
		}
		if ext := path.Ext(m.Name); ext == ".pyd" || ext == ".dylib" || ext == ".dll" {
			list = append(list, warning("foreign_binary", m.Name, "is for another operating system, and never loads on Lambda", "leave it out"))
		}
		top := topModule(m.Name)
		if top == "" || shown[top] {
			continue
		}
		switch shown[top] = true; {
		case inStandardLibrary(top, pythons):
			list = append(list, problem("shadows_stdlib", path.Join("python", top), fmt.Sprintf("hides Python's own module %s: layers come before the standard library", top),
				"rename it; or leave it out, if it is an old backport"))
		case slices.Contains([]string{"boto3", "botocore", "awslambdaric"}, top):
			list = append(list, warning("shadows_runtime", path.Join("python", top), fmt.Sprintf("hides the runtime's own %s", top),
				"keep it if you pin it on purpose; else leave it out and save its size"))
		}
	}
	for module, have := range byModule {
		for _, want := range pythons {
			if !slices.Contains(have, want) && !slices.Contains(have, "any") {
				list = append(list, problem("python_version", module, fmt.Sprintf("is compiled for Python %s, and the layer is for %s", words.And(have), want),
					"build it for each Python in a layer of its own, or drop the runtime"))
			}
		}
	}
	return list
}

// compiled splits the name of a compiled module of Python: what stands before its tag,
// and the Python that it loads on, "any" of them for the stable ABI.
func compiled(name string) (module, python string, ok bool) {
	m := tagged.FindStringSubmatchIndex(name)
	if m == nil {
		return "", "", false
	}
	sub := tagged.FindStringSubmatch(name)
	module = name[:m[0]]
	switch {
	case sub[1] == "abi3":
		return module, "any", true
	case strings.HasPrefix(sub[1], "pypy"):
		return module, "PyPy", true
	case sub[5] != "" && !strings.Contains(sub[5], "linux"):
		return module, "another system", true
	case sub[4] != "":
		return module, sub[2] + "." + sub[3] + sub[4], true // free-threaded or with debugging: another ABI
	}
	return module, sub[2] + "." + sub[3], true
}

// topModule returns the module or package that a path belongs to, "" for none.
func topModule(name string) string {
	rest, ok := strings.CutPrefix(name, "python/")
	if !ok {
		return ""
	}
	if strings.HasPrefix(rest, "lib/python") {
		if _, after, ok := strings.Cut(rest, "/site-packages/"); ok {
			rest = after
		}
	}
	top, below, folder := strings.Cut(rest, "/")
	if folder && (strings.Contains(top, ".") || !strings.Contains(below, ".py") && !strings.HasSuffix(below, ".so")) {
		return "" // dist-info, data
	}
	if !folder {
		if !strings.HasSuffix(top, ".py") && !strings.HasSuffix(top, ".so") {
			return ""
		}
		top, _, _ = strings.Cut(top, ".")
	}
	return top
}

// imports checks that what the layer's description says can be imported is there.
func (c *Contents) imports(l Layer) (list []Problem) {
	if len(l.Pythons()) == 0 {
		return nil
	}
	have := map[string]bool{}
	for _, m := range c.Files {
		rest, ok := strings.CutPrefix(m.Name, "python/")
		if !ok {
			continue
		}
		if strings.HasPrefix(rest, "lib/python") {
			if _, after, ok := strings.Cut(rest, "/site-packages/"); ok {
				rest = after
			}
		}
		if module, _, ok := compiled(rest); ok {
			rest = module
		}
		rest = strings.TrimSuffix(strings.TrimSuffix(rest, ".so"), ".py")
		for ; rest != "." && rest != "/"; rest = path.Dir(rest) { // a folder is a package, with __init__.py or without
			have[rest] = true
		}
	}
	for _, module := range l.Imports {
		if !have[strings.ReplaceAll(module, ".", "/")] {
			list = append(list, problem("import_missing", "", fmt.Sprintf("imports names %s, and there is no such module in python/", module),
				"correct imports in layer.yaml, or add the module"))
		}
	}
	return list
}

// contradictions finds what a package of the layer asks of another and does not get.
// What holds for some systems or extras only is not judged.
func (c *Contents) contradictions() (list []Problem) {
	have := map[string]Package{}
	for _, p := range c.Packages {
		if p.Kind != PyPI {
			continue
		}
		if other, twice := have[p.Name]; twice && other.Version != p.Version {
			list = append(list, problem("package_twice", p.dir, fmt.Sprintf("%s is there as %s and as %s", p.Name, other.Version, p.Version), "keep one: whose files are loaded depends on their order"))
		}
		have[p.Name] = p
	}
	for _, p := range c.Packages {
		for _, r := range p.requires {
			d, err := pypi.ParseDependency(r)
			if err != nil || d.Environment != "" || d.Constraint == "" {
				continue
			}
			got, ok := have[pypi.CanonPackageName(d.Name)]
			if !ok || satisfies(got.Version, d.Constraint) {
				continue
			}
			list = append(list, problem("requirement_conflict", p.dir, fmt.Sprintf("%s %s needs %s%s, and the layer has %s", p.Name, p.Version, d.Name, d.Constraint, got.Version),
				"pin versions that agree"))
		}
	}
	return list
}

// satisfies reports whether a version meets a constraint of PEP 440; what cannot be
// read is not judged.
func satisfies(version, constraint string) bool {
	v, err := pep440.Parse(version)
	if err != nil {
		return true
	}
	s, err := pep440.NewSpecifiers(strings.Trim(constraint, "()"), pep440.WithPreRelease(true))
	return err != nil || s.Check(v)
}
