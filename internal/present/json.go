package present

import (
	"encoding/json"
	"strings"
)

// JSON returns a document for other programs: indented, and with < > & as they are,
// because nobody puts it into HTML.
func JSON(document any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return "", err
	}
	return b.String(), nil
}
