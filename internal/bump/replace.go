package bump

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/layerd/layerd/internal/strictyaml"
)

// Replace returns a YAML file in which the version was that stands at a place is next
// instead. The bytes of the version are replaced and no others: quotes, a leading v,
// comments, line ends and the order of keys stay. It refuses a place where the version
// does not stand as it is, one that was made of variables or written with escapes.
func Replace(data []byte, at strictyaml.Position, was, next string) ([]byte, error) {
	start := offset(data, at)
	if start < 0 {
		return nil, fmt.Errorf("%s: there is no such place", at.Place())
	}
	value := data[start:]
	open := 0
	for open < len(value) && open < 1 && (value[open] == '"' || value[open] == '\'') {
		open++
	}
	quote := string(value[:open])
	if bytes.HasPrefix(value[open:], []byte("v")) && !strings.HasPrefix(was, "v") {
		open++
	}
	rest, ok := bytes.CutPrefix(value[open:], []byte(was))
	if !ok || !ends(rest, quote) {
		return nil, fmt.Errorf("%s: %s does not stand there as it is (it has variables, or escapes): change it by hand", at.Place(), was)
	}
	out := make([]byte, 0, len(data)+len(next)-len(was))
	out = append(out, data[:start+open]...)
	out = append(out, next...)
	return append(out, rest...), nil
}

// ends reports whether a value in these quotes ends where rest begins.
func ends(rest []byte, quote string) bool {
	if quote != "" {
		return bytes.HasPrefix(rest, []byte(quote)) && !(quote == "'" && bytes.HasPrefix(rest, []byte("''")))
	}
	return len(rest) == 0 || strings.ContainsRune(" \t\r\n,}]", rune(rest[0]))
}

// offset returns where in the file a position is, in bytes; -1 = nowhere.
func offset(data []byte, at strictyaml.Position) int {
	start := 0
	for range at.Line - 1 {
		i := bytes.IndexByte(data[start:], '\n')
		if i < 0 {
			return -1
		}
		start += i + 1
	}
	for range at.Column - 1 {
		if start >= len(data) || data[start] == '\n' {
			return -1
		}
		_, size := utf8.DecodeRune(data[start:])
		start += size
	}
	return start
}

// ReplaceVersionFile returns a file VERSION that names next: what stands around the
// version, a leading v and the line end, stays. A file without one version in it is
// replaced by next and a line end.
func ReplaceVersionFile(data []byte, next string) []byte {
	text := string(data)
	was := strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")), "v")
	if was == "" || strings.ContainsAny(was, " \t\r\n") {
		return []byte(next + "\n")
	}
	return []byte(strings.Replace(text, was, next, 1))
}
