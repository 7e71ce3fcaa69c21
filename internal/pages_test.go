package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// pages are written for people and name what is in the tree.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../examples/repo/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all[path] = string(text)
		}
	}
	return all
}

var (
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInSlug = regexp.MustCompile(`[^a-z0-9 -]`)
	ourPath   = regexp.MustCompile("`((?:internal|cmd|docs|deploy|examples|\\.ci)/[\\w./*-]+)`")
	walkStep  = regexp.MustCompile("`([\\w./]+\\.go): ([\\w.]+)`")
	floorRow  = regexp.MustCompile("(?m)^\\| (-?\\d+) \\| `(\\w+)` \\|")
)

func TestLinksOfThePagesResolve(t *testing.T) {
	all := pages(t)
	for path, text := range all {
		for _, m := range mdLink.FindAllStringSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if anchor != "" && !hasHeading(all[target], anchor) {
				t.Errorf("%s links to %s, which has no such heading", path, m[1])
			}
		}
	}
}

// hasHeading reports whether a page has a heading that a browser finds by anchor.
func hasHeading(text, anchor string) bool {
	for _, m := range mdHeading.FindAllStringSubmatch(text, -1) {
		if slug := notInSlug.ReplaceAllString(strings.ToLower(m[1]), ""); strings.ReplaceAll(slug, " ", "-") == anchor {
			return true
		}
	}
	return false
}

func TestThePagesNameFilesThatThereAre(t *testing.T) {
	for path, text := range pages(t) {
		if filepath.Base(path) == "CHANGELOG.md" {
			continue // it also tells of what there was
		}
		for _, m := range ourPath.FindAllStringSubmatch(text, -1) {
			if found, err := filepath.Glob(filepath.Join("..", m[1])); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which is not there", path, m[1])
			}
		}
	}
}

// TestTheWalksNameFunctionsThatThereAre: a walk of CONTRIBUTING is a chain of
// functions, each with its file and its receiver.
func TestTheWalksNameFunctionsThatThereAre(t *testing.T) {
	steps := walkStep.FindAllStringSubmatch(pages(t)["../CONTRIBUTING.md"], -1)
	if len(steps) < 40 {
		t.Fatalf("CONTRIBUTING.md has only %d steps", len(steps))
	}
	for _, m := range steps {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", m[1]), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("CONTRIBUTING.md: %v", err)
			continue
		}
		if !declares(f, m[2]) {
			t.Errorf("CONTRIBUTING.md: %s has no %s", m[1], m[2])
		}
	}
}

// declares reports whether f has the function, written as Receiver.Name if it is a
// method.
func declares(f *ast.File, name string) bool {
	receiver, method, is := strings.Cut(name, ".")
	if !is {
		receiver, method = "", name
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == method && receiverOf(fn) == receiver {
			return true
		}
	}
	return false
}

func receiverOf(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	return typ.(*ast.Ident).Name
}

// TestTheMapHasTheFloors: the table of CONTRIBUTING has every package that has a
// floor, and the same one.
func TestTheMapHasTheFloors(t *testing.T) {
	drawn := map[string]int{}
	for _, m := range floorRow.FindAllStringSubmatch(pages(t)["../CONTRIBUTING.md"], -1) {
		floor, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		drawn[m[2]] = floor
	}
	for _, p := range packages(t) {
		name, tech := idea(p.ImportPath)
		floor, has := floors[name]
		if !has || tech != "" {
			continue
		}
		if got, ok := drawn[name]; !ok || got != floor {
			t.Errorf("CONTRIBUTING.md has %s on floor %d (%t), want %d", name, got, ok, floor)
		}
	}
}
