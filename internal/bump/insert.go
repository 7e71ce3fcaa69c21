package bump

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/layerd/layerd/internal/strictyaml"
)

// Insert returns a YAML file in which a list, at a path of keys, begins with one more
// element: a mapping of these lines, each a key and its value as YAML. No other byte
// changes: comments, quotes, line ends and the form of the list stay. A list at the top
// of the file that is not there is put at its end. Whoever calls has to read what came
// out, and to compare: a form that Insert does not know may come out wrong.
func Insert(data []byte, list []string, lines []string) ([]byte, error) {
	root, problems := strictyaml.Parse("", data, "")
	if root == nil {
		return nil, fmt.Errorf("the file cannot be read: %s", problems[0].Message)
	}
	end := "\n"
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		end = "\r\n"
	}
	at := root.Get(list...)
	switch {
	case at != nil && at.Kind == strictyaml.List:
		return insertInto(data, at, lines, end)
	case at != nil || len(list) != 1:
		return nil, fmt.Errorf("%s is no list", strings.Join(list, "."))
	}
	if start := offset(data, root.Position); start >= 0 && start < len(data) && data[start] == '{' {
		return splice(data, start+1, list[0]+": [{"+strings.Join(lines, ", ")+"}], "), nil
	}
	text := block("  ", lines, end)
	if len(data) > 0 && data[len(data)-1] != '\n' {
		text = end + list[0] + ":" + end + text
	} else {
		text = list[0] + ":" + end + text
	}
	if len(data) > 0 {
		text = end + text
	}
	return append(bytes.Clone(data), text...), nil
}

// insertInto puts an element before the others of a list that is there.
func insertInto(data []byte, at *strictyaml.Node, lines []string, end string) ([]byte, error) {
	start := offset(data, at.Position)
	if start < 0 || start >= len(data) {
		return nil, fmt.Errorf("%s: there is no such place", at.Place())
	}
	if data[start] == '[' {
		element := "{" + strings.Join(lines, ", ") + "}"
		if len(at.Items) > 0 {
			element += ", "
		}
		return splice(data, start+1, element), nil
	}
	if data[start] != '-' || at.Key == nil {
		return nil, fmt.Errorf("%s: it is written in a form that only a person can add to", at.Place())
	}
	// Behind the line of the key, so that comments stay above the element that they are
	// about.
	key := offset(data, at.Key.Position)
	line := bytes.IndexByte(data[key:], '\n')
	if line < 0 || key+line >= start {
		return nil, fmt.Errorf("%s: it is written in a form that only a person can add to", at.Place())
	}
	from := bytes.LastIndexByte(data[:start], '\n') + 1
	return splice(data, key+line+1, block(string(data[from:start]), lines, end)), nil
}

// block writes an element of a block list.
func block(indent string, lines []string, end string) string {
	var b strings.Builder
	for i, l := range lines {
		dash := "- "
		if i > 0 {
			dash = "  "
		}
		b.WriteString(indent + dash + l + end)
	}
	return b.String()
}

func splice(data []byte, at int, text string) []byte {
	out := make([]byte, 0, len(data)+len(text))
	out = append(out, data[:at]...)
	out = append(out, text...)
	return append(out, data[at:]...)
}
