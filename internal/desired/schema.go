package desired

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/layerd/layerd/internal/strictyaml"
)

//go:generate go test -run=^TestSchemaIsGenerated$ -update .

//go:embed schema.json
var schemaJSON []byte

// Schema returns the JSON Schema (draft 2020-12) of the files of a repository:
// one document, with $defs/environment, $defs/layer and $defs/layerd. It is
// what Load checks with, and what editors complete from.
func Schema() []byte { return bytes.Clone(schemaJSON) }

// compiled is the schema ready for use, as a regular expression would be: made
// at the first Load.
var compiled = sync.OnceValues(func() (*strictyaml.Checker, error) {
	return strictyaml.NewChecker(schemaJSON, []string{"layerd", "layer", "environment"}, strictyaml.Rules{
		Forms:   formats(),
		Explain: explain,
		Offer:   meant,
		Meant: map[string]string{"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64",
			"stop": "halt", "pause": "halt", "wait": "halt", "ask": "halt", "revert": "rollback", "undo": "rollback", "ignore": "continue", "go_on": "continue"},
	})
})

// explain has words for the two patterns of the schema, and for shares written
// as percentages without the sign.
func explain(keyword string, path []string, root *node) (*node, *formError) {
	n := root.Nearest(path...)
	if keyword == "maximum" || keyword == "exclusiveMaximum" {
		return explainShare(n)
	}
	if keyword == "type" || keyword == "minLength" {
		return n, explainShareWith(n)
	}
	if keyword != "pattern" {
		return nil, nil
	}
	if e := strictyaml.FullWidth(n.Text); e != nil {
		return n, e
	}
	if slices.Contains(path, "account") {
		return n, &formError{Code: "bad_account", Message: fmt.Sprintf("%q is not an account: 12 digits", n.Text), Offset: -1}
	}
	return n, &formError{Code: "bad_layer_name", Message: fmt.Sprintf("%q is not a layer name: up to 140 letters, digits, - and _", n.Text), Offset: -1}
}

func explainShare(n *node) (*node, *formError) {
	if n.Key == nil || n.Key.Text != "max_error_rate" && n.Key.Text != "weight" {
		return nil, nil
	}
	v, err := strconv.ParseFloat(n.Text, 64)
	if err != nil || v <= 1 || v > 100 || v == 100 && n.Key.Text == "weight" {
		return nil, nil
	}
	return n, &formError{Code: "out_of_range", Message: fmt.Sprintf("%s is more than 1, which is all calls", n.Text), Suggestion: n.Text + "%", Offset: -1}
}
