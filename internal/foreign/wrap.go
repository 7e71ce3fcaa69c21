package foreign

import (
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
)

// Width returns how many columns text takes in a terminal: a colour none, a Japanese
// character two.
func Width(text string) int { return lipgloss.Width(text) }

// Wrap breaks a line where it would be wider than width: the first line has first
// columns before it, the others rest. It breaks between words, and in one that is
// longer than a line between the characters of a script that has no spaces. What
// cannot be broken stands out over the edge, where it can still be copied. Spaces within a line stay as many as
// they are. Without a width, which is 0, nothing is broken.
func Wrap(text string, width, first, rest int) []string {
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	var line strings.Builder
	column, gap := first, 0
	for i, word := range strings.Split(text, " ") {
		if i > 0 {
			gap++
		}
		if word == "" {
			continue
		}
		parts := []string{word}
		if Width(word) > width-rest {
			parts = pieces(word) // it fits on no line
		}
		for n, piece := range parts {
			w := Width(piece)
			if column+gap+w > width && (gap > 0 || n > 0) && (line.Len() > 0 || len(lines) > 0) {
				lines = append(lines, line.String())
				line.Reset()
				column, gap = rest, 0
			}
			line.WriteString(strings.Repeat(" ", gap) + piece)
			column, gap = column+gap+w, 0
		}
	}
	return append(lines, line.String())
}

// pieces splits a word where a line may break: between two wide characters, as
// Japanese and Chinese are written. A line neither begins with what closes a
// sentence or a bracket nor ends with what opens one.
func pieces(word string) []string {
	if plain(word) {
		return []string{word}
	}
	var list []string
	begin := 0
	var before rune
	for i, r := range word {
		if i > 0 && (ideographic(before) || ideographic(r)) && mayEnd(before) && mayBegin(r) {
			list = append(list, word[begin:i])
			begin = i
		}
		before = r
	}
	return append(list, word[begin:])
}

// ideographic reports whether r is written without spaces around it.
func ideographic(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303F || r >= 0xFF01 && r <= 0xFF60
}

func mayBegin(r rune) bool {
	return !carried(r) && !joiner(r) && !unicode.In(r, unicode.Pe, unicode.Pf) && !strings.ContainsRune("!%),.:;?]}'\"、。，．・：；？！ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ〜…-_/\x1b", r)
}

func mayEnd(r rune) bool {
	return !joiner(r) && !unicode.In(r, unicode.Ps, unicode.Pi) && !strings.ContainsRune("'\"“‘\x1b[m#@$-_/", r)
}
