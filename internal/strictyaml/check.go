package strictyaml

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Rules are what a schema cannot express about one family of files.
type Rules struct {
	// Forms has a form for each format that the schema names; one that is
	// missing here is not checked.
	Forms map[string]Form
	// Explain is asked first about whatever the schema refuses: the keyword of
	// the schema ("type", "pattern") and the path of the value. It returns the
	// node to blame and a message about it, or nil to leave the words to us. A
	// node is blamed once. nil explains nothing.
	Explain func(keyword string, path []string, root *Node) (*Node, *FormError)
	// Offer returns what a value of the wrong type may have been meant as, in YAML,
	// the likeliest first, where quotes alone do not make it right. What the schema
	// refuses there is not suggested, so that a guess may be a wild one.
	Offer func(n *Node) []string
	// Meant maps words to the allowed value that they are another name for, where
	// that is allowed.
	Meant map[string]string
}

// Checker validates files against a schema. It does not change after it was
// made, and making one takes some 20 ms.
type Checker struct {
	document any // the schema itself, to look up what would have been right
	schemas  map[string]*jsonschema.Schema
	rules    Rules
}

const schemaURL = "layerd.schema.json"

// NewChecker reads a JSON Schema (draft 2020-12) that has one of $defs for each
// kind of file, and makes those ready that are named.
func NewChecker(schema []byte, kinds []string, rules Rules) (*Checker, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("read the embedded schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for name, f := range rules.Forms {
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
	c := &Checker{document: document, schemas: map[string]*jsonschema.Schema{}, rules: rules}
	for _, name := range kinds {
		s, err := compiler.Compile(schemaURL + "#/$defs/" + name)
		if err != nil {
			return nil, fmt.Errorf("compile the embedded schema: %w", err)
		}
		c.schemas[name] = s
	}
	return c, nil
}

// Check validates root against $defs/name and returns what is wrong, and root
// without it, so that the rest can be judged further.
func (c *Checker) Check(name string, root *Node) (*Node, []Problem) {
	bad := map[*Node]bool{}
	var problems []Problem
	err := c.schemas[name].Validate(root.Value())
	if top, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		found := leaves(top)
		// Unknown keys first: a misspelt key is not missing as well.
		slices.SortStableFunc(found, func(a, b *jsonschema.ValidationError) int { return cmp.Compare(rank(a), rank(b)) })
		t := &trial{c, c.schemas[name], root, maxAccepts}
		for _, e := range found {
			problems = append(problems, c.problems(e, t, bad)...)
		}
	} else if err != nil {
		problems = append(problems, NewProblem("internal", root.Position, err.Error(), ""))
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

// leaves finds the errors that a person can act on. Of alternatives (a short
// form or a mapping) those count whose type is that of the value; when the type
// fits none, one error names all types.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	_, name := e.ErrorKind.(*kind.PropertyNames) // its cause has no location
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
func (c *Checker) problems(e *jsonschema.ValidationError, t *trial, bad map[*Node]bool) []Problem {
	f := finding{t, e, t.root.Nearest(e.InstanceLocation...), bad}
	if words := e.ErrorKind.KeywordPath(); c.rules.Explain != nil && len(words) > 0 {
		if blamed, explained := c.rules.Explain(words[len(words)-1], e.InstanceLocation, t.root); explained != nil {
			if bad[blamed] {
				return nil
			}
			return f.form(blamed, explained)
		}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		return c.unknownKeys(k.Properties, e.SchemaURL, f.n, bad)
	case *kind.Required:
		missing := slices.DeleteFunc(k.Missing, func(key string) bool {
			return f.n.Has(key) || slices.ContainsFunc(f.n.Items, func(v *Node) bool { return v.meant == key })
		})
		if len(missing) == 0 {
			return nil
		}
		return f.one("missing_key", f.n.Where(), "has no "+strings.Join(missing, ", "))
	case *kind.PropertyNames:
		return c.badNames(e, k, t.root, bad)
	}
	return c.wrongValue(f)
}

// wrongValue returns what is wrong with a value.
func (c *Checker) wrongValue(f finding) []Problem {
	n := f.n
	switch k := f.e.ErrorKind.(type) {
	case *kind.MinItems, *kind.MinProperties:
		if n.Damaged { // what was there is reported, and is left out
			f.bad[n] = true
			return nil
		}
	case *kind.Type:
		code, at, message := wrongType(n, k.Want)
		return f.one(code, at, message, c.instead(n, k.Want)...)
	case *kind.Enum:
		return f.one(c.notAllowed(n, k.Want))
	case *kind.Const:
		if n.Tag == "!!int" { // 0, the one duration that needs no unit
			return f.one("bad_duration", n.Where(), DurationForm(n.Text).Message, c.instead(n, []string{"string"})...)
		}
		return f.one(c.notAllowed(n, []any{k.Want}))
	case *kind.Format:
		if e, ok := errors.AsType[*FormError](k.Err); ok {
			return f.form(n, e)
		}
	case *kind.Pattern:
		if e := FullWidth(n.Text); e != nil {
			return f.form(n, e)
		}
	}
	code, message := outOfRange(f.e.ErrorKind, n)
	return f.one(code, n.Where(), message)
}

// outOfRange returns the problem with a number, a length or a count, or with
// whatever else the schema has a rule for.
func outOfRange(rule jsonschema.ErrorKind, n *Node) (code, message string) {
	switch k := rule.(type) {
	case *kind.MinItems, *kind.MinProperties, *kind.MinLength:
		return "out_of_range", "must not be empty"
	case *kind.Minimum:
		return "out_of_range", fmt.Sprintf("%s is less than %s", n.Text, decimal(k.Want))
	case *kind.Maximum:
		return "out_of_range", fmt.Sprintf("%s is more than %s", n.Text, decimal(k.Want))
	case *kind.ExclusiveMinimum:
		return "out_of_range", fmt.Sprintf("%s is not more than %s", n.Text, decimal(k.Want))
	case *kind.ExclusiveMaximum:
		return "out_of_range", fmt.Sprintf("%s is not less than %s", n.Text, decimal(k.Want))
	case *kind.MaxItems:
		return "out_of_range", fmt.Sprintf("has %d entries, at most %d are allowed", k.Got, k.Want)
	case *kind.MaxLength:
		return "out_of_range", fmt.Sprintf("has %d characters, at most %d are allowed", k.Got, k.Want)
	}
	return "invalid_value", "breaks the rule " + strings.Join(rule.KeywordPath(), " ")
}

// decimal writes a bound as a file would: 0.01, not 1/100.
func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.RatString()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// badNames returns the problem with a key that has a form, such as the version in
// known. The validator (v6.0.3) lets later steps overwrite the location in this one
// kind of error; its length is right, so the key is looked for at that depth.
func (c *Checker) badNames(e *jsonschema.ValidationError, k *kind.PropertyNames, root *Node, bad map[*Node]bool) []Problem {
	code, message, suggestion := "bad_key", fmt.Sprintf("key %q is not of the right form", k.Property), ""
	for _, cause := range e.Causes {
		if format, ok := cause.ErrorKind.(*kind.Format); ok {
			if f, ok := errors.AsType[*FormError](format.Err); ok {
				code, message = f.Code, f.Message
				if judge := c.rules.Forms[format.Want]; f.Suggestion != "" && judge(f.Suggestion) == nil {
					suggestion = f.Suggestion
				}
			}
		}
	}
	level := []*Node{root}
	for range e.InstanceLocation {
		var next []*Node
		for _, n := range level {
			next = append(next, n.Items...)
		}
		level = next
	}
	var problems []Problem
	for _, n := range level {
		if v := n.Get(k.Property); v != nil && n.Kind == Mapping && !bad[v] {
			bad[v] = true
			problems = append(problems, NewProblem(code, v.Key.Position, message, suggestion))
		}
	}
	return problems
}

func (c *Checker) unknownKeys(keys []string, url string, n *Node, bad map[*Node]bool) []Problem {
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
		v := n.Get(k)
		if v == nil {
			continue
		}
		bad[v] = true
		message, suggestion := fmt.Sprintf("unknown key %q", k), Nearest(k, known)
		v.meant = suggestion
		if suggestion != "" && n.Has(suggestion) { // twice would be wrong too
			suggestion += " is there already; remove this one"
		}
		if suggestion == "" && len(known) <= 12 {
			message += "; known are " + strings.Join(known, ", ")
		}
		if e := FullWidth(k); e != nil {
			message = fmt.Sprintf("unknown key %q: %s", k, e.Message)
			suggestion = Nearest(strings.TrimSpace(e.Suggestion), known)
		}
		problems = append(problems, NewProblem("unknown_key", v.Key.Position, message, suggestion))
	}
	return problems
}

// lookup resolves the fragment of a schema location.
func (c *Checker) lookup(url string) map[string]any {
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
func wrongType(n *Node, want []string) (code string, at Position, message string) {
	at = n.Where()
	text := slices.Contains(want, "string")
	switch {
	case n.Kind == Scalar && n.Tag == "!!null":
		return "wrong_type", at, "has no value"
	case n.Kind == Scalar && n.Tag == "!!float" && text:
		shown, _ := strconv.ParseFloat(n.Text, 64)
		return "unquoted_number", at, fmt.Sprintf("YAML reads %s as the number %s; text must be in quotes", n.Text, strconv.FormatFloat(shown, 'f', -1, 64))
	case n.Kind == Scalar && n.Tag == "!!int" && text:
		octal := ""
		if n.Text[0] == '0' && len(n.Text) > 1 {
			octal = ", some readers in octal"
		}
		return "unquoted_number", at, fmt.Sprintf("YAML reads %s as a number%s; text must be in quotes", n.Text, octal)
	case n.Kind == Scalar && n.Tag == "!!bool" && text:
		return "wrong_type", at, fmt.Sprintf("YAML reads %s as true or false; text must be in quotes", n.Text)
	case n.Kind == Scalar && n.Tag == "!!int" && slices.Contains(want, "integer"):
		return "wrong_type", at, fmt.Sprintf("readers of YAML disagree about %s; write plain decimal digits", n.Text)
	}
	message = "must be " + wanted(want)
	if slices.Contains(want, "integer") && n.Tag == "!!str" && plainInt.MatchString(n.Text) {
		message += ", without quotes"
	}
	return "wrong_type", at, message
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

func (c *Checker) notAllowed(n *Node, want []any) (code string, at Position, message, suggestion string) {
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
	if e := FullWidth(n.Text); e != nil {
		return e.Code, n.Inside(e.Offset), e.Message, Nearest(e.Suggestion, texts)
	}
	suggestion = c.rules.Meant[n.Text]
	if !slices.Contains(texts, suggestion) { // a word of another key
		suggestion = Nearest(n.Text, texts)
	}
	return "not_allowed", n.Where(), fmt.Sprintf("%q is not %s", n.Text, strings.Join(texts, " or ")), suggestion
}
