package strictyaml

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const schema = `{"$defs": {"file": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
	"name":  {"type": "string", "pattern": "^[a-z]+$"},
	"count": {"type": "integer", "minimum": 1, "maximum": 9},
	"every": {"type": "string", "format": "length"},
	"kind":  {"enum": ["first", "second"]},
	"share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
	"tag":   {"type": "string", "minLength": 1},
	"inner": {"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
}}}}`

func newChecker(t *testing.T, r Rules) *Checker {
	t.Helper()
	r.Forms = map[string]Form{"length": DurationForm}
	c, err := NewChecker([]byte(schema), []string{"file"}, r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check returns the problems of one file, a line each, and its root.
func check(t *testing.T, c *Checker, text string) (*Node, string) {
	t.Helper()
	root, problems := Parse("f.yaml", []byte(text), "")
	if root != nil {
		var more []Problem
		root, more = c.Check("file", root)
		problems = append(problems, more...)
	}
	Sort(problems)
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%d:%d %s: %s", p.Line, p.Column, p.Code, p.Message)
		if p.Suggestion != "" {
			b.WriteString(" | " + p.Suggestion)
		}
		b.WriteByte('\n')
	}
	return root, b.String()
}

// All that is wrong comes at once, and what is right is left to be read.
func TestCheckReportsAllAtOnce(t *testing.T) {
	root, got := check(t, newChecker(t, Rules{Meant: map[string]string{"last": "second"}}),
		"nmae: x\ncount: 12\nevery: 5 min\nkind: last\ninner: {a: 5, b: fine, c: 1}\n")
	want := `1:1 unknown_key: unknown key "nmae" | name
2:8 out_of_range: 12 is more than 9
3:8 bad_duration: "5 min" is not a duration such as 30m, 24h or 7d, up to ten years | 5m
4:7 not_allowed: "last" is not first or second | second
5:12 unquoted_number: YAML reads 5 as a number; text must be in quotes | "5"
5:24 unknown_key: unknown key "c"; known are a, b
`
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("problems (-have +want):\n%s", diff)
	}
	var file struct {
		Inner struct{ A, B string }
	}
	if err := root.Decode(&file); err != nil || file.Inner.B != "fine" || file.Inner.A != "" {
		t.Errorf("decoded %+v, %v", file, err)
	}
}

// A word that means another key's value is no suggestion here, and bounds that
// are excluded have words of their own.
func TestCheckWords(t *testing.T) {
	c := newChecker(t, Rules{Meant: map[string]string{"secnd": "halt"}})
	for text, want := range map[string]string{
		"kind: secnd": `2:7 not_allowed: "secnd" is not first or second | second`,
		"share: 0":    "2:8 out_of_range: 0 is not more than 0",
		"share: 1":    "2:8 out_of_range: 1 is not less than 1",
		`tag: ""`:     "2:6 out_of_range: must not be empty",
	} {
		if _, got := check(t, c, "name: x\n"+text+"\n"); got != want+"\n" {
			t.Errorf("%s: have\n%swant\n%s", text, got, want)
		}
	}
}

// Whoever explains has the first word, and blames a node once however much is
// wrong below it.
func TestExplainHasTheFirstWord(t *testing.T) {
	var asked []string
	c := newChecker(t, Rules{Explain: func(keyword string, path []string, root *Node) (*Node, *FormError) {
		asked = append(asked, keyword)
		if len(path) == 0 || path[0] != "inner" {
			return nil, nil
		}
		return root.Get("inner"), &FormError{Code: "mine", Message: "not like this", Offset: -1}
	}})
	root, got := check(t, c, "name: A\ninner: {a: 5, b: 6, zz: 1}\n")
	want := "1:7 invalid_value: breaks the rule pattern\n2:1 mine: not like this\n"
	if got != want || len(asked) != 4 {
		t.Errorf("asked %v, have\n%swant\n%s", asked, got, want)
	}
	if root.Get("inner") != nil || !root.Has("inner") {
		t.Error("what is blamed must be left out and be known to be there")
	}
}

// Without a place for shared values nobody is sent to one.
func TestAnchorsAreRefused(t *testing.T) {
	for shared, want := range map[string]string{
		"":                       "write the value out",
		"layerd.yaml's defaults": "write the value out, or put it into layerd.yaml's defaults",
	} {
		_, problems := Parse("f", []byte("a: &x 1\nb: 2\n"), shared)
		if len(problems) != 1 || problems[0].Code != "anchor" || problems[0].Suggestion != want {
			t.Errorf("shared %q: %+v", shared, problems)
		}
	}
}

// FormatText shows what it is given and nothing else.
func TestFormatTextShowsWhatItIsGiven(t *testing.T) {
	p := []Problem{NewProblem("code", Position{File: "/etc/x.yaml", Line: 1, Column: 4, Length: 1}, "message", "")}
	var shown, hidden bytes.Buffer
	if err := FormatText(&shown, func(string) []byte { return []byte("a: b\n") }, p, Look{}); err != nil {
		t.Fatal(err)
	}
	if err := FormatText(&hidden, func(string) []byte { return nil }, p, Look{}); err != nil {
		t.Fatal(err)
	}
	if want := "error[code]: message\n --> /etc/x.yaml:1:4\n  |\n1 | a: b\n  |    ^\n\n"; shown.String() != want {
		t.Errorf("have\n%q\nwant\n%q", shown.String(), want)
	}
	if want := "error[code]: message\n --> /etc/x.yaml:1:4\n\n"; hidden.String() != want {
		t.Errorf("have\n%q\nwant\n%q", hidden.String(), want)
	}
}

// No input makes Parse or Check panic, and no problem points outside the file.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: 1\n", "a: [1, {b: c}]\n", "a: &x 1\nb: *x\n", "\"\\e\": |\n  x\n", "{<<: [a]}", "[[[", "a: b\n---\nc", "\xff", "\ta: 1", "日本：1", "a: \"x\ny\"\r\n"} {
		f.Add([]byte(seed))
	}
	c, err := NewChecker([]byte(schema), []string{"file"}, Rules{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, problems := Parse("f", data, "")
		if root != nil {
			_, more := c.Check("file", root)
			problems = append(problems, more...)
		}
		lines := split(data)
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
				t.Errorf("%+v is outside of %q", p, data)
			}
		}
	})
}
