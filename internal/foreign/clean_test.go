package foreign

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
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
		"👩🏻‍❤️‍💋‍👩🏻 🙂‍↔️ 👨‍👩‍👧‍👦 1️⃣ ⚠️ ☺︎ 🇯🇵": "👩🏻‍❤️‍💋‍👩🏻 🙂‍↔️ 👨‍👩‍👧‍👦 1️⃣ ⚠️ ☺︎ 🇯🇵",
		"می‌خواهم क्‍ष שָׁלוֹם ที่นี่ العربية": "می‌خواهم क्‍ष שָׁלוֹם ที่นี่ العربية",
		"葛\U000e0100城市 辻\ufe00":              "葛\U000e0100城市 辻\ufe00",
		"naïve café — “quotes” … → ✓ ✗ 12 %": "naïve café — “quotes” … → ✓ ✗ 12 %",
		`C:\temp \d+ ## :: <b> @x`:           `C:\temp \d+ ## :: <b> @x`,
		"한국어 ｶﾞ ﾊﾟ \ufffd 🫩":                 "한국어 ｶﾞ ﾊﾟ \ufffd 🫩",
	} {
		if got := Clean(text); got != want {
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
		for tower := range strings.SplitSeq(Clean(text), `\`) {
			if n := utf8.RuneCountInString(tower); n > 20 {
				t.Errorf("%s: %d characters in one place: %.60q", name, n, tower)
			}
		}
	}
}

// hostile are pieces of which texts of others are made here.
var hostile = []string{
	"\x1b[8m", "\u009b8m", "\x9b8m", "\x1b]0;t\x07", "\r", "\n", "\b", "\x00", "\x7f", "\t", "\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041",
	"\xff", "\xf0\x9f", "\u2028", "\u2029", "\u0085", strings.Repeat("\u0301", 40), "\u200d", "\ufe0f", "::error::x", "::stop-commands::y", "##[group]z",
	"##vso[task.x]", "%0A", "%", "@org/team", "@here", "<!channel>", "<@U1>", "&lt;", "<b>", "</details>", "<!--", "-->", "`", "```", "~~~", "|", "[a](http://x)",
	"![i](x)", "http://x.example", "www.x.example", "#12", "org/repo#3", "GH-4", ":+1:", "$x$", "*b*", "_i_", "~s~", "\\", "- [ ] ", "> ", "# ", "1. ", "===",
	"=1+1", "+1", "-1", "@SUM(A1)", "\"=x", "'=x", "＝x", " ", "  ", "plain", "日本語の文", "👩🏻‍🚀", "é", "x",
}

func compose(picks []byte) string {
	var b strings.Builder
	for _, p := range picks {
		b.WriteString(hostile[int(p)%len(hostile)])
	}
	return b.String()
}

// seeds has every piece alone, behind a word, and beside each other one.
func seeds(f *testing.F) {
	for i := range hostile {
		f.Add([]byte{byte(i)}, "")
		f.Add([]byte{byte(i), byte(i + 1), byte(i)}, "x")
		f.Add([]byte{67, 70, byte(i)}, "a b")
	}
}

// FuzzClean: one line in which every character is seen, also after it was cleaned
// again or joined with others.
func FuzzClean(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := compose(picks) + more
		got := Clean(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || Hidden(r) && !carried(r) && !joiner(r) }) {
			t.Errorf("Clean(%q) = %q", text, got)
		}
		if again := Clean(got); again != got {
			t.Errorf("cleaned twice %q is %q", got, again)
		}
		if Width(got) == 0 && got != "" {
			t.Errorf("nothing is seen of %q", got)
		}
		lines := Wrap(got, 20, 0, 2)
		if strings.ReplaceAll(strings.Join(lines, ""), " ", "") != strings.ReplaceAll(got, " ", "") {
			t.Errorf("%q is broken into %q", got, lines)
		}
	})
}

// FuzzJSON: the same document, in which nothing is left that a terminal obeys or a
// job of GitHub finds.
func FuzzJSON(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := compose(picks) + more
		before, err := json.Marshal(map[string]string{"reason": text, text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		after := JSON(before)
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
		slog.New(slog.NewJSONHandler(JSONLog(&log), nil)).Warn(text, text, text)
		slog.New(slog.NewTextHandler(TextLog(&console), nil)).Warn(text, "key", text)
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

// assertSeen holds what is promised of a line in any output.
func assertSeen(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r < ' ' || r == utf8.RuneError && !strings.Contains(text, "\ufffd") || Hidden(r) && !carried(r) && !joiner(r) {
			t.Fatalf("%U is hidden in %q", r, text)
		}
	}
	if mark.MatchString(text) && strings.HasPrefix(text, "{") {
		t.Errorf("a command is in %q", text)
	}
}

// FuzzCell: a cell that no spreadsheet computes.
func FuzzCell(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := compose(picks) + more
		got := Cell(text)
		assertSeen(t, got)
		bare := strings.TrimFunc(got, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
		if bare != "" && strings.ContainsRune("=+-@|%＝＋－＠", []rune(bare)[0]) {
			t.Errorf("Cell(%q) = %q", text, got)
		}
		if strings.TrimPrefix(got, "'") != Clean(text) && got != Clean(text) {
			t.Errorf("Cell(%q) = %q", text, got)
		}
	})
}

// FuzzSlack: no mark of Slack's is left, and one line.
func FuzzSlack(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		got := Slack(compose(picks) + more)
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
	seeds(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := compose(picks) + more
		for width := range 30 {
			page := Workflow("  " + strings.Join(Wrap(Clean(text), width, 2, 4), "\n    ") + "\n")
			for line := range strings.Lines(page) {
				if commands(line) {
					t.Fatalf("width %d: %q is a command", width, line)
				}
			}
		}
		annotation := "::error title=" + WorkflowProperty(text) + "::" + WorkflowData(text) + WorkflowLine + "help"
		if strings.ContainsAny(annotation, "\r\n") || mark.MatchString(annotation) {
			t.Errorf("%q", annotation)
		}
		properties, message, _ := strings.Cut(strings.TrimPrefix(annotation, "::error "), "::")
		if strings.ContainsAny(properties, ",:") {
			t.Errorf("properties %q", properties)
		}
		read := strings.NewReplacer("%25", "%", "%0A", "\n", "%0D", "\r").Replace(message)
		if want := Workflow(Clean(text)) + "\nhelp"; read != want {
			t.Errorf("GitHub reads %q, not %q", read, want)
		}
		for line := range strings.Lines(read) {
			if commands(line) {
				t.Errorf("a line of the message is a command: %q", line)
			}
		}
	})
}

// commands is how actions/runner finds a command in a line.
func commands(line string) bool {
	return strings.HasPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::") || strings.Contains(line, "##[") || strings.Contains(line, "##vso[")
}

func TestT2Workflow(t *testing.T) {
	for text, want := range map[string]string{
		"::stop-commands::x\n":        `\x3a:stop-commands::x` + "\n",
		"a\n \u3000::error::fake\nb":  "a\n \u3000" + `\x3a:error::fake` + "\nb",
		"see ##[group]x and ##vso[y]": `see \x23#[group]x and \x23#vso[y]`,
		"std::vector ## Heading":      "std::vector ## Heading",
	} {
		if got := Workflow(text); got != want {
			t.Errorf("Workflow(%q) = %q, want %q", text, got, want)
		}
	}
}
