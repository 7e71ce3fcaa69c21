package desired

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/agext/levenshtein"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

//go:generate go test -run=^TestSchemaIsGenerated$ -update .

//go:embed schema.json
var schemaJSON []byte

// Schema returns the JSON Schema (draft 2020-12) of the files of a repository:
// one document, with $defs/environment, $defs/layer and $defs/layerd. It is
// what Load checks with, and what editors complete from.
func Schema() []byte { return bytes.Clone(schemaJSON) }

// checker validates files against the schema.
type checker struct {
	document any // the schema itself, to look up what would have been right
	schemas  map[string]*jsonschema.Schema
}

const schemaURL = "layerd.schema.json"

// compiled is the schema ready for use, as a regular expression would be: made
// at the first Load, which takes some 20 ms, and never changed after.
var compiled = sync.OnceValues(newChecker)

func newChecker() (*checker, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON))
	if err != nil {
		return nil, fmt.Errorf("read the embedded schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for name, f := range formats() {
		compiler.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			text, ok := v.(string)
			if !ok {
				return nil
			}
			if e := f(text); e != nil {
				return e
			}
			return nil
		}})
	}
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, fmt.Errorf("add the embedded schema: %w", err)
	}
	c := &checker{document: document, schemas: map[string]*jsonschema.Schema{}}
	for _, name := range []string{"layerd", "layer", "environment"} {
		s, err := compiler.Compile(schemaURL + "#/$defs/" + name)
		if err != nil {
			return nil, fmt.Errorf("compile the embedded schema: %w", err)
		}
		c.schemas[name] = s
	}
	return c, nil
}

// check validates root against $defs/name and returns what is wrong, and root
// without it, so that the rest can be judged further.
func (c *checker) check(name string, root *node) (*node, []Problem) {
	bad := map[*node]bool{}
	var problems []Problem
	err := c.schemas[name].Validate(root.value())
	if top, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		found := leaves(top)
		// Unknown keys first: a misspelt key is not missing as well.
		slices.SortStableFunc(found, func(a, b *jsonschema.ValidationError) int { return cmp.Compare(rank(a), rank(b)) })
		for _, e := range found {
			problems = append(problems, c.problems(e, root, bad)...)
		}
	} else if err != nil {
		problems = append(problems, problemAt("internal", root.Position, err.Error(), ""))
	}
	delete(bad, root)
	return root.prune(bad), problems
}

func rank(e *jsonschema.ValidationError) int {
	if _, unknown := e.ErrorKind.(*kind.AdditionalProperties); unknown {
		return 0
	}
	return 1
}

func problemAt(code string, at Position, message, suggestion string) Problem {
	return Problem{Position: at, Code: code, Message: message, Suggestion: suggestion, Severity: Error}
}

// leaves finds the errors that a person can act on. Of alternatives (a short
// form or a mapping) those count whose type is that of the value; when the type
// fits none, one error names all types.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	_, name := e.ErrorKind.(*kind.PropertyNames) // its cause does not know where it is
	if len(e.Causes) == 0 || name {
		return []*jsonschema.ValidationError{e}
	}
	_, any := e.ErrorKind.(*kind.AnyOf)
	var all, fitting []*jsonschema.ValidationError
	wanted := &kind.Type{}
	for _, cause := range e.Causes {
		found := leaves(cause)
		all = append(all, found...)
		t, mismatch := found[0].ErrorKind.(*kind.Type)
		switch {
		case mismatch && len(found[0].InstanceLocation) == len(e.InstanceLocation):
			wanted.Want = append(wanted.Want, t.Want...)
		case fitting == nil:
			fitting = found
		}
	}
	switch {
	case !any:
		return all
	case fitting != nil:
		return fitting
	}
	return []*jsonschema.ValidationError{{SchemaURL: e.SchemaURL, InstanceLocation: e.InstanceLocation, ErrorKind: wanted}}
}

// problems turns one error of the validator into problems at their places.
func (c *checker) problems(e *jsonschema.ValidationError, root *node, bad map[*node]bool) []Problem {
	n := root.nearest(e.InstanceLocation...)
	one := func(code string, at Position, message, suggestion string) []Problem {
		bad[n] = true
		return []Problem{problemAt(code, at, message, suggestion)}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		return c.unknownKeys(k.Properties, e.SchemaURL, n, bad)
	case *kind.Required:
		missing := slices.DeleteFunc(k.Missing, func(key string) bool {
			return n.has(key) || slices.ContainsFunc(n.items, func(v *node) bool { return v.meant == key })
		})
		if len(missing) == 0 {
			return nil
		}
		return one("missing_key", n.where(), "has no "+strings.Join(missing, ", "), "")
	case *kind.Type:
		return one(wrongType(n, k.Want))
	case *kind.Enum:
		return one(notAllowed(n, k.Want))
	case *kind.Const:
		if n.tag == "!!int" { // 0, the one duration that needs no unit
			e := lengthForm(n.text)
			return one("bad_duration", n.where(), e.message, n.text+"m")
		}
		return one(notAllowed(n, []any{k.Want}))
	case *kind.Format:
		if f, ok := errors.AsType[*formError](k.Err); ok {
			at := n.where()
			if f.offset >= 0 {
				at = n.inside(f.offset)
			}
			return one(f.code, at, f.message, f.suggestion)
		}
	case *kind.PropertyNames:
		return badNames(e, k, root, bad)
	case *kind.Pattern:
		if e := foreign(n.text); e != nil {
			return one(e.code, n.inside(e.offset), e.message, e.suggestion)
		}
		if slices.Contains(e.InstanceLocation, "account") {
			return one("bad_account", n.where(), fmt.Sprintf("%q is not an account: 12 digits", n.text), "")
		}
		return one("bad_layer_name", n.where(), fmt.Sprintf("%q is not a layer name: up to 140 letters, digits, - and _", n.text), "")
	}
	code, message := outOfRange(e.ErrorKind, n)
	return one(code, n.where(), message, "")
}

// outOfRange is about the rules that count, and whatever else the schema may say.
func outOfRange(rule jsonschema.ErrorKind, n *node) (code, message string) {
	switch k := rule.(type) {
	case *kind.MinItems, *kind.MinProperties:
		return "out_of_range", "must not be empty"
	case *kind.Minimum:
		return "out_of_range", fmt.Sprintf("%s is less than %s", n.text, k.Want.RatString())
	case *kind.Maximum:
		return "out_of_range", fmt.Sprintf("%s is more than %s", n.text, k.Want.RatString())
	case *kind.MaxItems:
		return "out_of_range", fmt.Sprintf("has %d entries, at most %d are allowed", k.Got, k.Want)
	case *kind.MaxLength:
		return "out_of_range", fmt.Sprintf("has %d characters, at most %d are allowed", k.Got, k.Want)
	}
	return "invalid_value", "breaks the rule " + strings.Join(rule.KeywordPath(), " ")
}

// badNames is about a key that has a form, such as the version in known. The
// validator (v6.0.3) lets later steps overwrite the location in this one kind
// of error; its length is right, so the key is looked for at that depth.
func badNames(e *jsonschema.ValidationError, k *kind.PropertyNames, root *node, bad map[*node]bool) []Problem {
	code, message, suggestion := "bad_key", fmt.Sprintf("key %q is not of the right form", k.Property), ""
	for _, cause := range e.Causes {
		if format, ok := cause.ErrorKind.(*kind.Format); ok {
			if f, ok := errors.AsType[*formError](format.Err); ok {
				code, message, suggestion = f.code, f.message, f.suggestion
			}
		}
	}
	level := []*node{root}
	for range e.InstanceLocation {
		var next []*node
		for _, n := range level {
			next = append(next, n.items...)
		}
		level = next
	}
	var problems []Problem
	for _, n := range level {
		if v := n.get(k.Property); v != nil && n.kind == mapping && !bad[v] {
			bad[v] = true
			problems = append(problems, problemAt(code, v.key.Position, message, suggestion))
		}
	}
	return problems
}

func (c *checker) unknownKeys(keys []string, url string, n *node, bad map[*node]bool) []Problem {
	var known []string
	if properties, ok := c.lookup(url)["properties"].(map[string]any); ok {
		for k := range properties {
			known = append(known, k)
		}
	}
	slices.Sort(known) // the validator's order is that of a map
	slices.Sort(keys)
	var problems []Problem
	for _, k := range keys {
		v := n.get(k)
		if v == nil {
			continue
		}
		bad[v] = true
		message, suggestion := fmt.Sprintf("unknown key %q", k), nearest(k, known)
		v.meant = suggestion
		if suggestion == "" && len(known) <= 12 {
			message += "; known are " + strings.Join(known, ", ")
		}
		if e := foreign(k); e != nil {
			message = fmt.Sprintf("unknown key %q: %s", k, e.message)
			suggestion = nearest(strings.TrimSpace(e.suggestion), known)
		}
		problems = append(problems, problemAt("unknown_key", v.key.Position, message, suggestion))
	}
	return problems
}

// lookup resolves the fragment of a schema location.
func (c *checker) lookup(url string) map[string]any {
	_, fragment, _ := strings.Cut(url, "#")
	at := c.document
	for part := range strings.SplitSeq(strings.TrimPrefix(fragment, "/"), "/") {
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		}
	}
	m, _ := at.(map[string]any)
	return m
}

// wrongType explains a value of another type than the key takes.
func wrongType(n *node, want []string) (code string, at Position, message, suggestion string) {
	at = n.where()
	text := slices.Contains(want, "string")
	switch {
	case n.kind == scalar && n.tag == "!!null":
		return "wrong_type", at, "has no value", ""
	case n.kind == scalar && n.tag == "!!float" && text:
		shown, _ := strconv.ParseFloat(n.text, 64)
		return "unquoted_number", at, fmt.Sprintf("YAML reads %s as the number %s; text must be in quotes", n.text, strconv.FormatFloat(shown, 'f', -1, 64)), quoteFor(n)
	case n.kind == scalar && n.tag == "!!int" && text:
		octal := ""
		if n.text[0] == '0' {
			octal = ", some readers in octal"
		}
		return "unquoted_number", at, fmt.Sprintf("YAML reads %s as a number%s; text must be in quotes", n.text, octal), quoteFor(n)
	case n.kind == scalar && n.tag == "!!bool" && text:
		return "wrong_type", at, fmt.Sprintf("YAML reads %s as true or false; text must be in quotes", n.text), quoteFor(n)
	case n.kind == scalar && n.tag == "!!int" && slices.Contains(want, "integer"):
		return "wrong_type", at, fmt.Sprintf("readers of YAML disagree about %s; write plain decimal digits", n.text), ""
	}
	message = "must be " + wanted(want)
	if slices.Contains(want, "boolean") && n.kind == scalar {
		suggestion = map[string]string{"yes": "true", "on": "true", "y": "true", "true": "true",
			"no": "false", "off": "false", "n": "false", "false": "false"}[strings.ToLower(n.text)]
	}
	if slices.Contains(want, "integer") && n.tag == "!!str" && plainInt.MatchString(n.text) {
		message, suggestion = message+", without quotes", n.text
	}
	if slices.Contains(want, "array") && n.kind == scalar {
		suggestion = "[" + strconv.Quote(n.text) + "]"
	}
	return "wrong_type", at, message, suggestion
}

// quoteFor is n as the text that its key takes.
func quoteFor(n *node) string {
	if n.key != nil && strings.HasPrefix(n.key.text, "retention") {
		return n.text + " versions"
	}
	return strconv.Quote(n.text)
}

func wanted(want []string) string {
	names := map[string]string{"string": "text", "integer": "a whole number", "number": "a number",
		"boolean": "true or false", "array": "a list", "object": "a mapping"}
	var list []string
	for _, w := range want {
		if name := names[w]; !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return strings.Join(list, " or ")
}

func notAllowed(n *node, want []any) (code string, at Position, message, suggestion string) {
	var texts []string
	for _, w := range want {
		if s, ok := w.(string); ok {
			texts = append(texts, s)
			continue
		}
		b, err := json.Marshal(w)
		if err != nil {
			b = []byte(fmt.Sprint(w))
		}
		texts = append(texts, string(b))
	}
	if e := foreign(n.text); e != nil {
		return e.code, n.inside(e.offset), e.message, nearest(e.suggestion, texts)
	}
	suggestion = map[string]string{"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}[n.text]
	if suggestion == "" {
		suggestion = nearest(n.text, texts)
	}
	return "not_allowed", n.where(), fmt.Sprintf("%q is not %s", n.text, strings.Join(texts, " or ")), suggestion
}

// nearest gives the candidate within two edits of text, letter case and - for _
// aside; "" when there is none or text is too short to tell.
func nearest(text string, candidates []string) string {
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
