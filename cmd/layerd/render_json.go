package main

import (
	"encoding/json"
	"strings"
)

// printJSON writes v for other programs: indented, and with < > & as they are,
// because nobody puts it into HTML.
func (a *app) printJSON(v any) error {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	return a.print(b.String())
}
