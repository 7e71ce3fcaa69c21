package main

import (
	"io"
	"os"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"github.com/layerd/layerd/internal/present"
)

// plainWidth is how wide text is that does not go to a terminal.
const plainWidth = 80

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width returns how many columns w has.
func width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return plainWidth
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 20 {
		return plainWidth
	}
	return columns
}

// palette decides once whether there is colour: --color, else NO_COLOR,
// CLICOLOR, CLICOLOR_FORCE, TERM and whether standard output is a terminal.
func (a *app) palette() present.Palette {
	switch a.color.value {
	case "always":
		return present.Palette{On: true}
	case "never":
		return present.Palette{}
	}
	return present.Palette{On: colorprofile.Detect(a.out, a.environ) >= colorprofile.ANSI}
}
