package foreign_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/foreign/foreigntest"
)

func TestMarkdown(t *testing.T) {
	for text, want := range map[string]string{
		"plain 日本 12 (1.4.1) → 13":       "plain 日本 12 (1.4.1) → 13",
		"makoto_common_x _i_ __init__":   `makoto_common_x \_i\_ \_\_init\_\_`,
		"a|b <img> *b* `c` [l](u) ~s~ &": "a\\|b &lt;img&gt; \\*b\\* \\`c\\` \\[l\\](u) \\~s\\~ &amp;",
		"ask @org/team":                  "ask `@org/team`",
		"see http://x/y and #12":         "see `http://x/y` and `#12`",
		"# no heading":                   `\# no heading`,
		"1. no list, 2. nor here":        `1\. no list, 2. nor here`,
		"2 functions":                    "2 functions",
		"- no list - no list":            `\- no list - no list`,
		"two\nlines   and\tspaces":       `two\\nlines and spaces`,
		"$LATEST :x: 02:00-06:00":        "`$LATEST` `:x:` 02:00-06:00",
		"ends @x|y and @x`y":             "ends <code>&#64;x&#124;y</code> and <code>&#64;x&#96;y</code>",
		"":                               "",
	} {
		if got := foreign.Markdown(text); got != want {
			t.Errorf("Markdown(%q)\n got %q\nwant %q", text, got, want)
		}
	}
	if got := foreign.Code("a`b|c") + foreign.Code("prod.yaml:4:3"); got != "<code>a&#96;b&#124;c</code>`prod.yaml:4:3`" {
		t.Errorf("code %q", got)
	}
	if got := foreign.Fenced("sh", "a ```` b\n"); got != "`````sh\na ```` b\n`````\n" {
		t.Errorf("fenced %q", got)
	}
	if got := foreign.Markedf("- %s %d %s\n", "@x", 3, foreign.Marked("**b**")); got != "- `@x` 3 **b**\n" {
		t.Errorf("formatted %q", got)
	}
}

var (
	codeElement = regexp.MustCompile("(?:^|[^\\\\`])`[^`|]+`|" + `<code>(?:[^<>&` + "`" + `@:/#$\[\]*_~|\\]|&#\d+;)*</code>`)
	entity      = regexp.MustCompile(`&(?:amp|lt|gt);`)
	escaped     = regexp.MustCompile(`\\[\\` + "`" + `*\[\]|~_.)#+=-]`)
	live        = regexp.MustCompile(`(?i)(?:^|\W)@\w|#\d|!\d|://|www\.|\bgh-\d|:\+1:|\$`)
	blocks      = regexp.MustCompile(`^(?:[-+*>#=]|\d{1,9}[.)](?:\s|$)|~~~)`)
	insideWord  = regexp.MustCompile(`[A-Za-z0-9]_+[A-Za-z0-9]`)
)

// FuzzMarkdown: outside of code, which nobody looks into, nothing is left that
// Markdown, HTML, GitHub or GitLab read.
func FuzzMarkdown(f *testing.F) {
	foreigntest.Seed(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := foreigntest.Compose(picks) + more
		got := foreign.Markdown(text)
		assertSeen(t, got)
		rest := codeElement.ReplaceAllString(got, "")
		if live.MatchString(entity.ReplaceAllString(rest, "")) {
			t.Errorf("%q is live in %q", live.FindString(rest), got)
		}
		rest = entity.ReplaceAllString(rest, "")
		rest = escaped.ReplaceAllString(rest, "")
		for insideWord.MatchString(rest) {
			rest = insideWord.ReplaceAllString(rest, "xx")
		}
		if strings.ContainsAny(rest, "<>&`*[]|~\\_@") || blocks.MatchString(strings.TrimSpace(got)) {
			t.Errorf("%q reads as more than text: %q of %q", got, rest, text)
		}
		for line := range strings.Lines(string(foreign.Fenced("diff", "! "+foreign.Clean(text)+"\n"))) {
			if strings.HasPrefix(line, "! ") && strings.Contains(line, "\n") != strings.HasSuffix(line, "\n") {
				t.Errorf("%q", line)
			}
		}
	})
}
