package main

import (
	"io"
	"os"
	"strconv"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"github.com/layerd/layerd/internal/present"
)

// plainWidth is how wide text is that does not go to a terminal.
const plainWidth = 80

// leastWidth is what no terminal goes below that says how wide it is.
const leastWidth = 20

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width returns how many columns w has; COLUMNS in the environment knows better than
// the terminal, as for other programs.
func width(w io.Writer) int {
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns >= leastWidth {
		return columns
	}
	f, ok := w.(*os.File)
	if !ok {
		return plainWidth
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < leastWidth {
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
