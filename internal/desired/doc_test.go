package desired

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The table in doc.go names every code that the package's code and that of
// strictyaml make, and no other. A code is the first argument of one of the functions below, the code
// of a FormError, or what a function returns first and calls code.
func TestCodesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z_0-9]+)  +\S`).FindAllSubmatch(page, -1) {
		documented[string(m[1])] = true
	}
	makers := []string{"problemAt", "NewProblem", "fileProblem", "problem", "warning", "add", "one", "report", "Shape", "fromWindow", "doubt", "doubtNumber"}
	made := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	reader, err := filepath.Glob("../strictyaml/*.go")
	if err != nil || len(reader) == 0 {
		t.Fatal(err, reader)
	}
	for _, file := range append(files, reader...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var first ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
				}
				if slices.Contains(makers, name) && len(n.Args) > 0 {
					first = n.Args[0]
				}
			case *ast.FuncDecl:
				// Functions whose first result is named code.
				if r := n.Type.Results; r == nil || len(r.List) == 0 || len(r.List[0].Names) == 0 || r.List[0].Names[0].Name != "code" {
					return true
				}
				ast.Inspect(n, func(n ast.Node) bool {
					if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) > 0 {
						if l, ok := r.Results[0].(*ast.BasicLit); ok {
							made[strings.Trim(l.Value, `"`)] = true
						}
					}
					return true
				})
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Code" {
					first = n.Value
				}
			}
			if l, ok := first.(*ast.BasicLit); ok && l.Kind == token.STRING {
				made[strings.Trim(l.Value, `"`)] = true
			}
			return true
		})
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(made)), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("codes (-made +documented):\n%s", diff)
	}
}
