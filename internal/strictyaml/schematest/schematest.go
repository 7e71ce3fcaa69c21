// Package schematest makes JSON Schemas from the Go types that files are read
// into, for tests that keep a schema in step with its types. It is a package of
// its own so that the generator is linked into tests only.
//
//	root.Definitions = schematest.Definitions(t, []string{"config.go"}, Config{})
//
// What stands above a field becomes its description, jsonschema tags its rules.
// A type with a short form returns its schema from a method JSONSchema, which may
// stand in a test file too.
package schematest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
)

// Definitions returns the $defs of the types of values and of all they refer to,
// named like the types without "File" at the end. files are the Go files with
// the comments.
func Definitions(t *testing.T, files []string, values ...any) jsonschema.Definitions {
	t.Helper()
	comments := commentsOf(t, files...)
	r := jsonschema.Reflector{
		RequiredFromJSONSchemaTags: true,
		Anonymous:                  true,
		Namer:                      func(t reflect.Type) string { return strings.TrimSuffix(t.Name(), "File") },
		LookupComment:              func(t reflect.Type, field string) string { return comments[strings.Trim(t.Name()+"."+field, ".")] },
	}
	all := jsonschema.Definitions{}
	for _, v := range values {
		maps.Copy(all, r.Reflect(v).Definitions)
	}
	return all
}

// commentsOf maps "type" and "type.Field" to what is written above them. The
// generator's own reader looks at exported types only.
func commentsOf(t *testing.T, files ...string) map[string]string {
	t.Helper()
	comments := map[string]string{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			d, ok := n.(*ast.GenDecl)
			if !ok || len(d.Specs) != 1 {
				return true
			}
			spec, ok := d.Specs[0].(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range s.Fields.List {
					for _, name := range field.Names {
						comments[spec.Name.Name+"."+name.Name] = strings.ReplaceAll(strings.TrimSpace(field.Doc.Text()), "\n", " ")
					}
				}
			}
			return true
		})
	}
	return comments
}
