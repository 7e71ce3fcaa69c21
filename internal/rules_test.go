// Package internal_test holds the rules of the house that a compiler does not
// know: who may import whom, which packages are pure, and that every package
// opens with a page. They are DESIGN section 6.
package internal_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/layerd/layerd"

// floors: a package imports only packages of lower floors. A technology below
// an idea (internal/store/sqlitestore) is an adapter: it may import its own
// idea and what is below it, and only floors 6 and 7 may import it.
var floors = map[string]int{
	"window": 0, "state": 0, "store": 0, "archive": 0, "strictyaml": 0,
	"desired": 1, "lease": 1, "ruling": 1,
	"reconcile": 2, "health": 2,
	"apply": 3, "inspect": 3,
	"history": 4,
	"notify":  5, "web": 5, "forge": 5,
	"daemon": 6,
	"demo":   7, // the story: it plays the part of a user and of AWS at once

	"nightly": 0, // for tests only: how much of them plays
}

// worldly imports are for adapters and for floors 6 and 7 only.
var worldly = []string{
	"github.com/aws/", "github.com/go-git/", "github.com/prometheus/", "github.com/slack-go/", "modernc.org/sqlite", "database/sql",
}

// pure packages take everything as arguments; health asks as well, but only
// the Source that it is given. impure is what their non-test files must not
// import, with the reason.
var pure = []string{"window", "state", "reconcile", "health"}

var impure = map[string]string{
	"net": "network", "net/http": "network", "os": "disk", "os/exec": "processes", "log": "log", "log/slog": "log",
	"math/rand": "randomness", "math/rand/v2": "randomness", "crypto/rand": "randomness", "database/sql": "disk",
}

type pkg struct {
	ImportPath   string
	Dir          string
	Doc          string
	Imports      []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Doc,Imports,GoFiles,TestGoFiles,XTestGoFiles", "../...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 10 {
		t.Fatalf("go list found only %d packages", len(list))
	}
	return list
}

// idea splits an import path of ours into the idea and the technology below
// it; both empty for anything else.
func idea(path string) (name, technology string) {
	rest, ok := strings.CutPrefix(path, module+"/internal/")
	if !ok {
		return "", ""
	}
	name, technology, _ = strings.Cut(rest, "/")
	return name, technology
}

func TestEachPackageImportsOnlyLowerFloors(t *testing.T) {
	for _, p := range packages(t) {
		name, tech := idea(p.ImportPath)
		if name == "" || name == "awssim" {
			continue
		}
		floor, ok := floors[name]
		if !ok {
			t.Errorf("%s has no floor: add it to DESIGN section 6 and to this test", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			other, otherTech := idea(imp)
			switch {
			case other == "" || other == name && (tech != "" || otherTech == ""):
			case other == name && floor < 6:
				t.Errorf("%s imports its own adapter %s", p.ImportPath, imp)
			case otherTech != "" && floor < 6:
				t.Errorf("%s (floor %d) imports the adapter %s; only floors 6 and 7 may", p.ImportPath, floor, imp)
			case other == "awssim" && name != "demo":
				t.Errorf("%s imports the simulator", p.ImportPath)
			case other != name && floors[other] >= floor:
				t.Errorf("%s (floor %d) imports %s (floor %d)", p.ImportPath, floor, imp, floors[other])
			}
		}
	}
}

func TestOnlyAdaptersAndTheTopKnowTheWorld(t *testing.T) {
	for _, p := range packages(t) {
		name, tech := idea(p.ImportPath)
		if name == "" || tech != "" || name == "awssim" || floors[name] >= 6 {
			continue
		}
		for _, imp := range p.Imports {
			if slices.ContainsFunc(worldly, func(w string) bool { return strings.HasPrefix(imp, w) }) {
				t.Errorf("%s imports %s: that belongs in an adapter", p.ImportPath, imp)
			}
		}
	}
}

func TestTheSimulatorImportsNothingOfOurs(t *testing.T) {
	for _, p := range packages(t) {
		if name, tech := idea(p.ImportPath); name != "awssim" || tech != "" {
			continue
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module) {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
		}
	}
}

func TestPurePackagesTouchNothing(t *testing.T) {
	for _, p := range packages(t) {
		name, tech := idea(p.ImportPath)
		if tech != "" || !slices.Contains(pure, name) {
			continue
		}
		for _, imp := range p.Imports {
			if why, bad := impure[imp]; bad {
				t.Errorf("%s imports %s (%s)", p.ImportPath, imp, why)
			}
		}
	}
}

// TestDecidingReadsNoClock looks at every package below floor 3 that is not an
// adapter: what decides takes now as an argument.
func TestDecidingReadsNoClock(t *testing.T) {
	for _, p := range packages(t) {
		name, tech := idea(p.ImportPath)
		if floor, ok := floors[name]; !ok || tech != "" || floor > 2 || name == "lease" {
			continue // a lease is about time that passes on this machine
		}
		for _, file := range p.GoFiles {
			findClock(t, filepath.Join(p.Dir, file))
		}
	}
}

func findClock(t *testing.T, path string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "Tick", "NewTimer", "NewTicker", "Sleep"}, sel.Sel.Name) {
			t.Errorf("%s uses time.%s", filepath.Base(path), sel.Sel.Name)
		}
		return true
	})
}

func TestEveryPackageOpensWithAPage(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		if len(p.Doc) < 40 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func TestEveryPackageHasTests(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasSuffix(p.ImportPath, "test") {
			continue // a world for the tests of others, which use it
		}
		if len(p.GoFiles) > 0 && len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
			t.Errorf("%s has no tests", p.ImportPath)
		}
	}
}

// TestOneFileImportsYAML keeps the parser that can be crashed behind one
// guard, and replaceable by one line.
func TestOneFileImportsYAML(t *testing.T) {
	var files []string
	for _, p := range packages(t) {
		for _, file := range p.GoFiles {
			path := filepath.Join(p.Dir, file)
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, imp := range f.Imports {
				if strings.Contains(imp.Path.Value, "yaml") && !strings.Contains(imp.Path.Value, module) {
					files = append(files, filepath.Base(p.Dir)+"/"+file)
				}
			}
		}
	}
	if len(files) > 1 {
		t.Errorf("more than one file imports a YAML parser: %s", strings.Join(files, ", "))
	}
}
