package foreign

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What one character may carry. Unicode's own limit for streams is thirty marks;
// no language writes more than six.
const (
	mostMarks = 8
	mostJoins = 6 // a family of four with its colours has three
)

// Clean returns text as one line that shows what is there: control characters, line
// ends, bytes that are no UTF-8, characters that turn the direction of writing or
// that nobody sees become escapes. A tab is a space. What belongs to a
// language or to an emoji stays: marks on a character, joiners between two,
// variation selectors behind one. Cleaning twice changes nothing.
func Clean(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	var c carrier
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		next, _ := utf8.DecodeRuneInString(text[i+size:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
			c = carrier{}
		case r == '\t':
			b.WriteByte(' ')
			c = carrier{}
		case c.keeps(r, next):
			b.WriteRune(r)
		default:
			b.WriteString(Escape(r))
		}
		i += size
	}
	return b.String()
}

// plain reports whether text is printable ASCII, as most of it is.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// carrier is what the last character of a line may carry still.
type carrier struct {
	last         rune // 0 = nothing that could carry a mark
	marks, joins int
}

// keeps takes the next character of a line, and reports whether it may be seen as
// it is. Behind one that may not, nothing is carried.
func (c *carrier) keeps(r, next rune) bool {
	switch {
	case r > ' ' && r <= '~': // most of all text
		c.marks, c.joins = 0, 0
	case joiner(r):
		c.joins++
		if c.joins > mostJoins || !joinable(c.last) || !joinable(next) || carried(next) {
			*c = carrier{}
			return false
		}
	case carried(r):
		c.marks++
		if c.last == 0 || c.marks > mostMarks || unicode.Is(unicode.Variation_Selector, r) && !selects(c.last, r) {
			*c = carrier{}
			return false
		}
	case Hidden(r):
		*c = carrier{}
		return false
	case unicode.IsSpace(r):
		*c = carrier{}
		return true
	default:
		if c.marks = 0; !joiner(c.last) {
			c.joins = 0
		}
	}
	c.last = r
	return true
}

func joiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

// joinable reports whether a joiner may stand beside r: letters, marks and symbols
// of other scripts than Latin.
func joinable(r rune) bool {
	return r >= 0x250 && r != utf8.RuneError && unicode.In(r, unicode.L, unicode.M, unicode.S) && (carried(r) || !Hidden(r))
}

// carried reports whether r is drawn on what stands before it.
func carried(r rune) bool {
	return r >= 0x300 && unicode.Is(unicode.M, r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || r >= 0x1F3FB && r <= 0x1F3FF // the colour of a skin
}

// selects reports whether a variation selector may follow last: one only, on an
// emoji, a symbol, a digit that becomes a key, or a character of Chinese writing.
func selects(last, r rune) bool {
	if unicode.Is(unicode.Variation_Selector, last) {
		return false
	}
	if r >= 0xE0100 {
		return unicode.Is(unicode.Han, last)
	}
	return last > unicode.MaxASCII || last >= '0' && last <= '9' || last == '#' || last == '*'
}

// Hidden reports whether r stands for nothing that a reader sees, or changes what
// is seen around it: control and format characters, tags, fillers, line separators,
// and what has no meaning outside one program.
func Hidden(r rune) bool {
	switch {
	case r < unicode.MaxASCII:
		return r < ' '
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false // Arabic signs in front of numbers
	case r&0xFFFE == 0xFFFE, r >= 0xFDD0 && r <= 0xFDEF:
		return true // no characters
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Escape returns r as a reader sees it: \n, \x1b, \u202e or \U000e0041.
func Escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
