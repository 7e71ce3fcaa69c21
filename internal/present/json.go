package present

import (
	"encoding/json"
	"strings"

	"github.com/layerd/layerd/internal/foreign"
)

// JSON returns a document for other programs: indented, and with < > & as they are,
// because nobody puts it into HTML. What a terminal would obey is an escape.
func JSON(document any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return "", err
	}
	return string(foreign.JSON([]byte(b.String()))), nil
}
