package foreign

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON returns a document with the same meaning, in which what Clean would show as
// an escape is one of JSON. encoding/json leaves most of it as it is: a terminal
// obeys U+009B as it obeys ESC [. The marks of a workflow command are broken too:
// GitHub looks for ##[ in the middle of a line.
func JSON(document []byte) []byte {
	if bytes.IndexFunc(document, func(r rune) bool { return r > '~' }) < 0 && !bytes.Contains(document, []byte("##")) {
		return document
	}
	var b bytes.Buffer
	b.Grow(len(document) + 64)
	var c carrier
	for i := 0; i < len(document); {
		if n := plainRun(document[i:]); n > 0 {
			b.Write(document[i : i+n])
			i += n
			c = carrier{}
			if last := document[i-1]; last != ' ' {
				c.last = rune(last)
			}
			continue
		}
		r, size := utf8.DecodeRune(document[i:])
		next, _ := utf8.DecodeRune(document[i+size:])
		switch {
		case r < ' ': // between values: within one it is an escape already
			b.WriteByte(document[i])
			c = carrier{}
		case r == '#' && i > 0 && document[i-1] == '#', !c.keeps(r, next), r == utf8.RuneError && size == 1:
			escapeJSON(&b, r)
		default:
			b.Write(document[i : i+size])
		}
		i += size
	}
	return b.Bytes()
}

// plainRun returns how many bytes of a document are printable ASCII, without a mark
// of a command among them. A document is long, and most of it is that.
func plainRun(document []byte) int {
	for i, b := range document {
		if b < ' ' || b > '~' || b == '#' {
			return i
		}
	}
	return len(document)
}

func escapeJSON(b *bytes.Buffer, r rune) {
	if r < 0x10000 {
		fmt.Fprintf(b, `\u%04x`, r)
		return
	}
	high, low := utf16.EncodeRune(r)
	fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
}
