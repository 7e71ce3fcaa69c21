package strictyaml

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// This file keeps one promise: a value that is suggested is one that the loader
// accepts where it is offered. Whoever thinks of one hands it in as YAML, and what
// the schema refuses at the place is dropped.

// maxAccepts bounds how many suggestions of one file are tried: each costs some
// microseconds, and a file may have a hundred thousand mistakes. Beyond it nothing
// is suggested.
const maxAccepts = 2000

// A trial is the check of one file as far as suggestions need it.
type trial struct {
	checker *Checker
	schema  *jsonschema.Schema
	root    *Node
	left    int
}

// first returns the first of the candidates, each a value in YAML, that the schema
// accepts at a path; "" when it accepts none.
func (t *trial) first(path []string, candidates ...string) string {
	for _, c := range candidates {
		if c == "" || c == "[]" || t.left <= 0 {
			continue
		}
		t.left--
		root, problems := Parse("", []byte("x: "+c), "")
		if root == nil || len(problems) > 0 || len(root.Items) != 1 {
			continue
		}
		if t.accepts(path, root.Items[0].Value()) {
			return c
		}
	}
	return ""
}

// accepts reports whether the schema has nothing against a value at a path. Nothing
// but what leads to it is checked: what stands beside it has its own problems.
func (t *trial) accepts(path []string, value any) bool {
	at := make([]string, len(path))
	lists := make([]bool, len(path))
	n := t.root
	for i, step := range path {
		if at[i] = step; n != nil && n.Kind == List {
			at[i], lists[i] = "0", true
		}
		n = n.Get(step)
	}
	for i := len(path) - 1; i >= 0; i-- {
		if lists[i] {
			value = []any{value}
		} else {
			value = map[string]any{path[i]: value}
		}
	}
	top, wrong := errors.AsType[*jsonschema.ValidationError](t.schema.Validate(value))
	if !wrong {
		return true
	}
	return !slices.ContainsFunc(leaves(top), func(e *jsonschema.ValidationError) bool {
		return len(e.InstanceLocation) >= len(at) && slices.Equal(e.InstanceLocation[:len(at)], at)
	})
}

// A finding is one error of the validator and the node that it is about.
type finding struct {
	*trial
	e   *jsonschema.ValidationError
	n   *Node
	bad map[*Node]bool
}

// one returns the only problem of the finding, with the first of the candidates that
// the schema accepts.
func (f finding) one(code string, at Position, message string, candidates ...string) []Problem {
	f.bad[f.n] = true
	return []Problem{NewProblem(code, at, message, f.first(f.e.InstanceLocation, candidates...))}
}

// form returns what is wrong with the text of n.
func (f finding) form(n *Node, e *FormError) []Problem {
	f.bad[n] = true
	p := e.At(n)
	if e.Advice == "" {
		p.Suggestion = f.first(f.e.InstanceLocation, p.Suggestion)
	}
	return []Problem{p}
}

// Source returns text as a YAML file has it: as it is where every reader takes it
// for that text, else in quotes.
func Source(text string) string {
	if text == "" || !isPlain(text) {
		return strconv.Quote(text)
	}
	return text
}

// isPlain reports whether text stands for itself, also in a list on one line, where
// more characters have a meaning.
func isPlain(text string) bool {
	for _, file := range []string{"x: " + text, "x: [" + text + "]"} {
		root, problems := Parse("", []byte(file), "")
		if root == nil || len(problems) > 0 || len(root.Items) != 1 {
			return false
		}
		n := root.Items[0]
		if n.Kind == List && len(n.Items) == 1 {
			n = n.Items[0]
		}
		if n.Kind != Scalar || n.Tag != "!!str" || n.Inner != 1 || n.Text != text {
			return false
		}
	}
	return !otherBool.MatchString(text)
}

// instead returns what a value may have been meant as that is of another type than
// its key takes, in YAML, the likeliest first.
func (c *Checker) instead(n *Node, want []string) []string {
	var list, guesses []string
	if c.rules.Offer != nil {
		guesses = c.rules.Offer(n)
	}
	if n.Kind == List && len(n.Items) == 1 && n.Items[0].Kind == Scalar {
		list = append(list, n.Items[0].source())
	}
	if n.Kind != Scalar || n.Tag == "!!null" {
		return list
	}
	if slices.Contains(want, "boolean") {
		list = append(list, map[string]string{"yes": "true", "on": "true", "y": "true", "true": "true",
			"no": "false", "off": "false", "n": "false", "false": "false"}[strings.ToLower(n.Text)])
	}
	if n.Tag != "!!str" {
		list = append(list, strconv.Quote(n.Text))
	} else if plainInt.MatchString(n.Text) {
		list = append(list, n.Text)
	}
	list = append(list, guesses...)
	if slices.Contains(want, "array") {
		list = append(list, "["+strconv.Quote(n.Text)+"]", "["+n.source()+"]")
		for _, g := range guesses {
			list = append(list, "["+g+"]")
		}
	}
	return list
}

// source returns a scalar as YAML has it.
func (n *Node) source() string {
	if n.Tag != "!!str" {
		return n.Text
	}
	return Source(n.Text)
}

// Nearest returns the candidate within two edits of text, letter case and - for _
// aside; "" when there is none or text is too short to tell.
func Nearest(text string, candidates []string) string {
	fold := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	if len(text) > 200 {
		return ""
	}
	best, distance := "", 3
	for _, c := range candidates {
		d := levenshtein.Distance(fold(text), fold(c), nil)
		if d < distance && d < len([]rune(c)) && d < max(2, len([]rune(text))) {
			best, distance = c, d
		}
	}
	return best
}
