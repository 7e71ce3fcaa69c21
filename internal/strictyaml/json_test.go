package strictyaml

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// jsonOf returns the JSON of the value of key v, or the problems, one a line.
func jsonOf(t *testing.T, value string) string {
	t.Helper()
	root, problems := Parse("f.yaml", []byte("v: "+value+"\n"), "")
	if root == nil || len(problems) > 0 {
		t.Fatalf("%q: %v", value, problems)
	}
	raw, problems := root.Get("v").JSON()
	if len(problems) > 0 {
		if raw != nil {
			t.Errorf("%q has JSON %s and problems", value, raw)
		}
		var list []string
		for _, p := range problems {
			list = append(list, p.Code+" "+p.Suggestion)
		}
		return strings.Join(list, "\n")
	}
	if !json.Valid(raw) {
		t.Errorf("%q became %q, which is not JSON", value, raw)
	}
	return string(raw)
}

// Values come out as they were written.
func TestJSONIsExact(t *testing.T) {
	for value, want := range map[string]string{
		"1":                               "1",
		"-0":                              "-0",
		"1.0":                             "1.0",
		"-1.50":                           "-1.50",
		"1.5e+30":                         "1.5e+30",
		"12345678901234567890":            "12345678901234567890",
		"99999999999999999999999999":      "99999999999999999999999999",
		"0.1000000000000000055511151231":  "0.1000000000000000055511151231",
		"true":                            "true",
		"False":                           "false",
		"null":                            "null",
		"~":                               "null",
		`""`:                              `""`,
		`"1"`:                             `"1"`,
		`"yes"`:                           `"yes"`,
		`'12:30'`:                         `"12:30"`,
		"|-\n  yes":                       `"yes"`,
		"yes please":                      `"yes please"`,
		"1.4.2":                           `"1.4.2"`,
		"2026-11-24":                      `"2026-11-24"`,
		`'{"a": 1}'`:                      `"{\"a\": 1}"`,
		`"<&>\u2028\u0000"`:               `"<&>\u2028\u0000"`,
		"日本":                              `"日本"`,
		"{b: [1, {}, []], a: {2: null}}":  `{"a":{"2":null},"b":[1,{},[]]}`,
		"{\"\\\"\": 1, 1.0: 2, \"\": {}}": `{"":{},"\"":1,"1.0":2}`,
	} {
		if got := jsonOf(t, value); got != want {
			t.Errorf("%s became %s, want %s", value, got, want)
		}
	}
}

// What readers disagree about is a problem, and so is what was left empty.
func TestJSONDoesNotGuess(t *testing.T) {
	for _, value := range []string{"0123", "08", "0x1F", "0o17", "0b1", "1_000", "+5", "1e3", "1.5e3", ".5", "5.", "-.5", ".inf", "-.INF", ".nan",
		"1.0e+400", "12:30", "190:20:30.15", "yes", "No", "ON", "off", "y", "N"} {
		if got, want := jsonOf(t, value), `ambiguous_value "`+value+`"`; got != want {
			t.Errorf("%s became %s, want %s", value, got, want)
		}
	}
	if got, want := jsonOf(t, "{a: , b: [1, no], c: 0x1}"), "wrong_type null\nambiguous_value \"no\"\nambiguous_value \"0x1\""; got != want {
		t.Errorf("have\n%s\nwant\n%s", got, want)
	}
}

// Whatever JSON is written into a file comes out with the same meaning: JSON
// is YAML. A number with an exponent needs the form all readers know.
func TestJSONOfJSON(t *testing.T) {
	leaf := rapid.OneOf(
		rapid.Just(any(nil)), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.StringMatching(`[ -~äあ😀]{0,8}`), func(s string) any { return s }),
		rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,5})?`), func(s string) any { return json.Number(s) }))
	var tree func(depth int) *rapid.Generator[any]
	tree = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(tree(depth-1), 0, 3), func(l []any) any { return l }),
			rapid.Map(rapid.MapOfN(rapid.StringMatching(`[a-z" :{}#-]{0,5}`), tree(depth-1), 0, 3), func(m map[string]any) any { return m }))
	}
	rapid.Check(t, func(rt *rapid.T) {
		want := tree(3).Draw(rt, "value")
		written, err := json.Marshal(want)
		if err != nil {
			rt.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(jsonOf(t, string(written))))
		d.UseNumber()
		var got any
		if err := d.Decode(&got); err != nil {
			rt.Fatalf("%s: %v", written, err)
		}
		if !reflect.DeepEqual(got, want) {
			rt.Errorf("%s became %v, want %v", written, got, want)
		}
	})
}
