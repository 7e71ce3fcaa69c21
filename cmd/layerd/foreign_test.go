package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/foreign/foreigntest"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
)

// T1, T2. What doctor found and what an error says is shown, and in
// a job of GitHub none of it is a command.
func TestT1T2WhatIsSaid(t *testing.T) {
	for _, text := range foreigntest.Texts() {
		v := doctorView{Environment: "prod", Checks: []inspect.Result{
			{Check: "c", Verdict: inspect.Failed, Reason: "r", Fix: "f", Region: "r"}, {Check: "c", Verdict: inspect.OK, Reason: "r"}, {Check: "c", Verdict: inspect.Unknown, Fix: "f"},
		}}
		foreigntest.Poison(&v, text)
		var out, err bytes.Buffer
		a := &app{out: &out, err: &err, env: func(string) string { return "true" }}
		if err := errors.Join(a.print(renderDoctor(v, present.Palette{}, 40)), a.printJSON(v)); err != nil {
			t.Fatal(err)
		}
		a.explain(&exitError{err: errors.New(text), list: []string{text, "x " + text}, hint: text})
		a.explain(errors.New(text))
		a.say("%s: %v", text, errors.New(text))
		for _, shown := range []string{out.String(), err.String()} {
			if err := foreigntest.Seen(shown); err != nil {
				t.Error(err)
			}
			for line := range strings.Lines(shown) {
				if foreigntest.IsCommand(line) {
					t.Errorf("a command: %q", line)
				}
			}
		}
		if n := strings.Count(err.String(), "\n"); n != 6 {
			t.Errorf("%d lines:\n%s", n, err.String())
		}
	}
}

// Whatever is shown passes where it is made harmless: nothing else of the program
// writes to its outputs, and every log has a writer that cleans.
func TestEverythingIsShownInOnePlace(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			name, first := selected(call.Fun), selected(call.Args[0])
			writes := slices.Contains([]string{"fmt.Fprint", "fmt.Fprintf", "fmt.Fprintln", "io.WriteString"}, name)
			if file != "main.go" && writes && (first == "a.out" || first == "a.err" || strings.HasPrefix(first, "os.")) || slices.Contains([]string{"fmt.Print", "fmt.Printf", "fmt.Println"}, name) {
				t.Errorf("%s: %s(%s, …) goes around app.print and app.say", file, name, first)
			}
			if strings.HasPrefix(name, "slog.New") && strings.HasSuffix(name, "Handler") {
				if inner, ok := call.Args[0].(*ast.CallExpr); !ok || !strings.HasPrefix(selected(inner.Fun), "foreign.") {
					t.Errorf("%s: %s writes what nobody has cleaned", file, name)
				}
			}
			return true
		})
	}
}

// selected returns x.y of an expression that is one.
func selected(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}
