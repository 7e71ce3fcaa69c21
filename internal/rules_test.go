// Package internal_test holds the rules of the house that a compiler does not
// know: who may import whom, which packages are pure, and that every package
// opens with a page. They are DESIGN section 6.
package internal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/layerd/layerd"

// floors: a package imports only packages of lower floors. A technology below
// an idea (internal/store/sqlitestore) is an adapter: it may import its own
// idea and what is below it, and only those who wire may import it.
var floors = map[string]int{
	"foreign": -1, // what others wrote is shown by everybody
	"redact":  0, "strictyaml": 0, "words": 0,
	"window": 1, "state": 1, "store": 1,
	"awscall": 2, // what adapters of AWS share: see forAdapters
	"archive": 2, "desired": 2, "hint": 2, "lease": 2, "ruling": 2,
	"bump": 3, "catalog": 3, "rollout": 3, "health": 3,
	"plan":      4,
	"reconcile": 5, "parameters": 5,
	"apply": 6, "inspect": 6,
	"history": 7, "artifact": 7,
	"notify": 8, "why": 8, "web": 8, "forge": 8,
	"round": 9, "present": 9,
	"daemon": wires,
	"demo":   11, // the story: it plays the part of a user and of AWS at once

	"goldentest": 0, "nightly": 0, // for tests only: texts that a person has read, and how much plays
}

// wires is the first floor that knows ideas and adapters both. What is below
// deciding, and deciding itself, reads no clock, and neither does what is pure.
const (
	wires    = 10
	deciding = 5
)

// forAdapters are packages that know the world without being the adapter of
// one idea. Only adapters, whatever their floor, and those who wire may import
// them.
var forAdapters = []string{"awscall"}

// worldly imports are for adapters and for those who wire only.
var worldly = []string{
	"github.com/aws/", "github.com/go-git/", "github.com/prometheus/", "github.com/slack-go/", "modernc.org/sqlite", "database/sql",
}

// pure packages take everything as arguments; health asks as well, but only
// the Source that it is given. impure is what their non-test files must not
// import, with the reason.
var pure = []string{"window", "state", "bump", "catalog", "rollout", "plan", "reconcile", "health", "why", "present", "parameters", "hint"}

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

// listed is what go list tells, which takes seconds and is asked once.
var listed = sync.OnceValues(func() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports,GoFiles,TestGoFiles,XTestGoFiles", "../...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
})

func packages(t *testing.T) []pkg {
	t.Helper()
	list, err := listed()
	if err != nil {
		t.Fatal(err)
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
			case slices.Contains(forAdapters, other) && (tech != "" || floor >= wires || other == name):
			case slices.Contains(forAdapters, other):
				t.Errorf("%s imports %s, which is for adapters", p.ImportPath, imp)
			case other == "" || other == name && (tech != "" || otherTech == ""):
			case other == name && floor < wires:
				t.Errorf("%s imports its own adapter %s", p.ImportPath, imp)
			case otherTech != "" && floor < wires:
				t.Errorf("%s (floor %d) imports the adapter %s; only those who wire may", p.ImportPath, floor, imp)
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
		if name == "" || tech != "" || name == "awssim" || floors[name] >= wires || slices.Contains(forAdapters, name) {
			continue
		}
		for _, imp := range p.Imports {
			if slices.ContainsFunc(worldly, func(w string) bool { return strings.HasPrefix(imp, w) }) {
				t.Errorf("%s imports %s: that belongs in an adapter", p.ImportPath, imp)
			}
		}
	}
}

// TestClientsOfAWSAreMadeInOnePlace: what makes a client of AWS without awscall
// has the retries, the log and the user agent of whatever the environment says.
func TestClientsOfAWSAreMadeInOnePlace(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := idea(p.ImportPath)
		if !strings.HasPrefix(p.ImportPath, module) || slices.Contains([]string{"awscall", "awssim", "demo"}, name) {
			continue
		}
		asks := slices.ContainsFunc(p.Imports, func(imp string) bool {
			return strings.HasPrefix(imp, "github.com/aws/aws-sdk-go-v2/service/") && !strings.HasSuffix(imp, "/types")
		})
		if asks && !slices.Contains(p.Imports, module+"/internal/awscall") {
			t.Errorf("%s makes clients of AWS without internal/awscall", p.ImportPath)
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

// TestDecidingReadsNoClock looks at every package up to deciding that is not an
// adapter, and at the pure ones above: what decides, answers or shows takes now as
// an argument.
func TestDecidingReadsNoClock(t *testing.T) {
	for _, p := range packages(t) {
		name, tech := idea(p.ImportPath)
		floor, ok := floors[name]
		if !ok || tech != "" || floor > deciding && !slices.Contains(pure, name) || slices.Contains(forAdapters, name) {
			continue
		}
		if name == "lease" {
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
