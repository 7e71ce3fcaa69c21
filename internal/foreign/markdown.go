package foreign

import (
	"fmt"
	"regexp"
	"strings"
)

// Marked is Markdown in which nothing of others is left that was not escaped.
type Marked string

// Markedf formats as fmt.Sprintf does. The format is Markdown of ours; of the
// arguments what is Marked stays, and all other text is escaped.
func Markedf(format string, args ...any) Marked {
	safe := make([]any, len(args))
	for i, a := range args {
		if _, ok := a.(Marked); ok || number(a) {
			safe[i] = a
			continue
		}
		safe[i] = Markdown(fmt.Sprint(a))
	}
	return Marked(fmt.Sprintf(format, safe...))
}

// live is in a word of which GitHub or GitLab make something by themselves, however
// it is escaped: a mention, a reference to an issue, an address, an emoji, a formula.
var live = regexp.MustCompile(`(?i)@|#\w|!\d|://|www\.|mailto:|xmpp:|\bgh-\d|:(?:[a-z_+-][\w+-]*|\d+[a-z_]\w*|100|1234):|\$`)

// blocks are what would begin a list, a heading or a quotation in front of a line.
var blocks = regexp.MustCompile(`^(\d{1,9})?([-+=#.)])`)

// Markdown returns one line of text that reads in Markdown as it was written: it
// ends no table, opens no HTML, and calls nobody. What no escape keeps from being
// live is shown as code, which nobody looks into.
func Markdown(text string) string {
	words := strings.Fields(Clean(text))
	for i, word := range words {
		if live.MatchString(word) {
			words[i] = string(Code(word))
			continue
		}
		words[i] = escapeMarkdown(word)
		if i == 0 {
			words[i] = blocks.ReplaceAllString(words[i], `$1\$2`)
		}
	}
	return strings.Join(words, " ")
}

func escapeMarkdown(word string) string {
	var b strings.Builder
	for i := range len(word) {
		switch c := word[i]; c {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '_':
			if i == 0 || i == len(word)-1 || !letter(word[i-1]) || !letter(word[i+1]) {
				b.WriteByte('\\') // inside of a name it is one
			}
			b.WriteByte(c)
		case '\\', '`', '*', '[', ']', '|', '~':
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// htmlCode returns a word as code in which no punctuation is left that anything
// could read.
func htmlCode(word string) string {
	var b strings.Builder
	for i := range len(word) {
		if c := word[i]; c < 0x80 && !letter(c) {
			fmt.Fprintf(&b, "&#%d;", c)
		} else {
			b.WriteByte(c)
		}
	}
	return "<code>" + b.String() + "</code>"
}

// Code returns text as code in a line of Markdown.
func Code(text string) Marked {
	text = strings.Join(strings.Fields(Clean(text)), " ")
	if text == "" || strings.ContainsAny(text, "`|") {
		return Marked(htmlCode(text))
	}
	return Marked("`" + text + "`")
}

var backticks = regexp.MustCompile("`+")

// Fenced returns lines as a block of code that none of them can end. Each line is
// cleaned; which of others may begin one is for who composes them.
func Fenced(language, lines string) Marked {
	fence := "```"
	for _, run := range backticks.FindAllString(lines, -1) {
		if len(run) >= len(fence) {
			fence = run + "`"
		}
	}
	var b strings.Builder
	for line := range strings.Lines(lines) {
		b.WriteString(Clean(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return Marked(fence + language + "\n" + b.String() + fence + "\n")
}
