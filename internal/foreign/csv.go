package foreign

import (
	"strings"
	"unicode"
)

// formula begins one, in a spreadsheet of any language; %, | and the rest are what
// the oldest of them take for one too.
const formula = "=+-@|%＝＋－＠"

// Cell returns a cell of CSV: one line, and no formula. A spreadsheet looks behind
// spaces and quotes for the beginning of one; an apostrophe in front makes it text.
func Cell(text string) string {
	text = Clean(text)
	first := strings.TrimLeftFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"'`+"`", r) })
	if first != "" && strings.ContainsRune(formula, []rune(first)[0]) {
		return "'" + text
	}
	return text
}
