package foreign_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/foreign/foreigntest"
)

// T1: a reader sees what is there, and what languages and emoji are made of stays.
func TestT1Clean(t *testing.T) {
	for text, want := range map[string]string{
		// what rewrites a terminal or hides
		"year end \x1b[8m":                     `year end \x1b[8m`,
		"8-bit \u009b8m":                       `8-bit \u009b8m`,
		"raw \x9b8m":                           `raw \x9b8m`,
		"title \x1b]0;x\x07":                   `title \x1b]0;x\x07`,
		"link \x1b]8;;http://x\x1b\\y":         `link \x1b]8;;http://x\x1b\y`,
		"over\rwritten\b\b":                    `over\rwritten\x08\x08`,
		"two\nlines\v\f":                       `two\nlines\x0b\x0c`,
		"nul\x00del\x7f":                       `nul\x00del\x7f`,
		"next\u0085line\u2028and\u2029":        `next\u0085line\u2028and\u2029`,
		"turned \u202egnp.exe\u202c":           `turned \u202egnp.exe\u202c`,
		"isolated \u2066x\u2069 \u200f":        `isolated \u2066x\u2069 \u200f`,
		"no\u200bwidth\ufeff\u2060\u00ad":      `no\u200bwidth\ufeff\u2060\u00ad`,
		"tag \U000e0041\U000e007f":             `tag \U000e0041\U000e007f`,
		"filler \u3164\u115f\uffa0":            `filler \u3164\u115f\uffa0`,
		"not UTF-8 \xff\xc3\x28 \xed\xa0":      `not UTF-8 \xff\xc3( \xed\xa0`,
		"private \ue000 \U0010ffff \ufffe":     `private \ue000 \U0010ffff \ufffe`,
		"tab\tis a space":                      "tab is a space",
		"a\u200db a\u200c":                     `a\u200db a\u200c`,
		"\u0301alone \u0301 after a space":     `\u0301alone \u0301 after a space`,
		"x\ufe0fx\ufe0e 葛\U000e0100\U000e0101": `x\ufe0fx\ufe0e 葛` + "\U000e0100" + `\U000e0101`,
		// what stays
		"makoto-会話ハンドラー　全角":   "makoto-会話ハンドラー　全角",
		"が か\u3099 e\u0301 ệ": "が か\u3099 e\u0301 ệ",
		"👩🏻‍❤️‍💋‍👩🏻 🙂‍↔️ 👨‍👩‍👧‍👦 1️⃣ ⚠️ ☺︎ 🇯🇵":           "👩🏻‍❤️‍💋‍👩🏻 🙂‍↔️ 👨‍👩‍👧‍👦 1️⃣ ⚠️ ☺︎ 🇯🇵",
		"می\u200cخواهم क्\u200dष שָׁלוֹם ที่นี่ العربية": "می\u200cخواهم क्\u200dष שָׁלוֹם ที่นี่ العربية",
		"葛\U000e0100城市 辻\ufe00":              "葛\U000e0100城市 辻\ufe00",
		"naïve café — “quotes” … → ✓ ✗ 12 %": "naïve café — “quotes” … → ✓ ✗ 12 %",
		`C:\temp \d+ ## :: <b> @x`:           `C:\temp \d+ ## :: <b> @x`,
		"한국어 ｶﾞ ﾊﾟ \ufffd 🫩":                 "한국어 ｶﾞ ﾊﾟ \ufffd 🫩",
	} {
		if got := foreign.Clean(text); got != want {
			t.Errorf("Clean(%q)\n got %q\nwant %q", text, got, want)
		}
	}
}

// A character carries few marks and joins few others: a tower of them would be drawn
// over the lines above, and counted as one column.
func TestCleanEndsTowers(t *testing.T) {
	for name, text := range map[string]string{
		"marks":     "x" + strings.Repeat("\u0301", 500),
		"selectors": "☺" + strings.Repeat("\ufe0f", 500),
		"skins":     "👩" + strings.Repeat("\U0001F3FB", 500),
		"joiners":   "👩" + strings.Repeat("\u200d👩", 500),
	} {
		for tower := range strings.SplitSeq(foreign.Clean(text), `\`) {
			if n := utf8.RuneCountInString(tower); n > 20 {
				t.Errorf("%s: %d characters in one place: %.60q", name, n, tower)
			}
		}
	}
}

// FuzzClean: one line in which every character is seen, also after it was cleaned
// again or joined with others.
func FuzzClean(f *testing.F) {
	foreigntest.Seed(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := foreigntest.Compose(picks) + more
		got := foreign.Clean(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unseen) {
			t.Errorf("Clean(%q) = %q", text, got)
		}
		if again := foreign.Clean(got); again != got {
			t.Errorf("cleaned twice %q is %q", got, again)
		}
		if foreign.Width(got) == 0 && got != "" {
			t.Errorf("nothing is seen of %q", got)
		}
		lines := foreign.Wrap(got, 20, 0, 2)
		if strings.ReplaceAll(strings.Join(lines, ""), " ", "") != strings.ReplaceAll(got, " ", "") {
			t.Errorf("%q is broken into %q", got, lines)
		}
	})
}

// FuzzJSON: the same document, in which nothing is left that a terminal obeys or a
// job of GitHub finds.
func FuzzJSON(f *testing.F) {
	foreigntest.Seed(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := foreigntest.Compose(picks) + more
		before, err := json.Marshal(map[string]string{"reason": text, text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		after := foreign.JSON(before)
		assertSeen(t, string(after))
		var one, two map[string]string
		if json.Unmarshal(before, &one) != nil || json.Unmarshal(after, &two) != nil || len(one) != len(two) {
			t.Fatalf("%q became %q", before, after)
		}
		for k, v := range one {
			if two[k] != v {
				t.Errorf("%q became %q", v, two[k])
			}
		}
		var log, console bytes.Buffer
		slog.New(slog.NewJSONHandler(foreign.JSONLog(&log), nil)).Warn("said", text, text)
		slog.New(slog.NewTextHandler(foreign.TextLog(&console), nil)).Warn("said", text, text)
		for _, record := range []string{log.String(), console.String()} {
			line, rest, ended := strings.Cut(record, "\n")
			if !ended || rest != "" {
				t.Errorf("more than a line: %q", record)
			}
			assertSeen(t, line)
		}
		if !json.Valid(log.Bytes()) {
			t.Errorf("no JSON: %q", log.String())
		}
	})
}

// unseen reports whether r is a character of which a reader sees nothing where it is
// alone.
func unseen(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Co) || r >= 0xE0000 && r < 0xE0100 ||
		unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// assertSeen holds what is promised of a line in any output.
func assertSeen(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Fatalf("not UTF-8: %q", text)
	}
	for _, r := range text {
		if unseen(r) {
			t.Fatalf("%U is hidden in %q", r, text)
		}
	}
	if strings.HasPrefix(text, "{") && foreigntest.IsCommand(text) {
		t.Errorf("a command is in %q", text)
	}
}

// FuzzCell: a cell that no spreadsheet computes.
func FuzzCell(f *testing.F) {
	foreigntest.Seed(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := foreigntest.Compose(picks) + more
		got := foreign.Cell(text)
		assertSeen(t, got)
		bare := strings.TrimFunc(got, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
		if bare != "" && strings.ContainsRune("=+-@|%＝＋－＠", []rune(bare)[0]) {
			t.Errorf("Cell(%q) = %q", text, got)
		}
		if strings.TrimPrefix(got, "'") != foreign.Clean(text) && got != foreign.Clean(text) {
			t.Errorf("Cell(%q) = %q", text, got)
		}
	})
}

// FuzzSlack: no mark of Slack's is left, and one line.
func FuzzSlack(f *testing.F) {
	foreigntest.Seed(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		got := foreign.Slack(foreigntest.Compose(picks) + more)
		assertSeen(t, got)
		bare := strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(got)
		if strings.ContainsAny(bare, "<>&`") {
			t.Errorf("%q", got)
		}
	})
}

// FuzzWorkflow: T2. GitHub's runner reads a line after its leading spaces, and finds
// the older marks anywhere; wherever words are broken, nothing is a command.
func FuzzWorkflow(f *testing.F) {
	foreigntest.Seed(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := foreigntest.Compose(picks) + more
		for width := range 30 {
			page := foreign.Workflow("  " + strings.Join(foreign.Wrap(foreign.Clean(text), width, 2, 4), "\n    ") + "\n")
			for line := range strings.Lines(page) {
				if foreigntest.IsCommand(line) {
					t.Fatalf("width %d: %q is a command", width, line)
				}
			}
		}
		annotation := "::error title=" + foreign.WorkflowProperty(text) + "::" + foreign.WorkflowData(text) + foreign.WorkflowLine + "help"
		if strings.ContainsAny(annotation, "\r\n") || foreigntest.IsCommand(strings.TrimPrefix(annotation, "::")) {
			t.Errorf("%q", annotation)
		}
		properties, message, _ := strings.Cut(strings.TrimPrefix(annotation, "::error "), "::")
		if strings.ContainsAny(properties, ",:") {
			t.Errorf("properties %q", properties)
		}
		read := strings.NewReplacer("%25", "%", "%0A", "\n", "%0D", "\r").Replace(message)
		if want := foreign.Workflow(foreign.Clean(text)) + "\nhelp"; read != want {
			t.Errorf("GitHub reads %q, not %q", read, want)
		}
		for line := range strings.Lines(read) {
			if foreigntest.IsCommand(line) {
				t.Errorf("a line of the message is a command: %q", line)
			}
		}
	})
}

func TestT2Workflow(t *testing.T) {
	for text, want := range map[string]string{
		"::stop-commands::x\n":        `\x3a:stop-commands::x` + "\n",
		"a\n \u3000::error::fake\nb":  "a\n \u3000" + `\x3a:error::fake` + "\nb",
		"see ##[group]x and ##vso[y]": `see \x23#[group]x and \x23#vso[y]`,
		"std::vector ## Heading":      "std::vector ## Heading",
	} {
		if got := foreign.Workflow(text); got != want {
			t.Errorf("Workflow(%q) = %q, want %q", text, got, want)
		}
	}
}
