package strictyaml

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/clipperhouse/displaywidth"
)

// MarshalJSON returns the form of problems in all JSON output.
func (p Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Code       string   `json:"code"`
		File       string   `json:"file"`
		Line       int      `json:"line"`
		Column     int      `json:"column"`
		Message    string   `json:"message"`
		Suggestion string   `json:"suggestion"`
		Severity   Severity `json:"severity"`
	}{p.Code, p.File, p.Line, p.Column, p.Message, p.Suggestion, p.Severity})
}

// Format writes problems for people: what is wrong, where, the line of the file
// with a mark below the place, and what to write instead. fsys is where the
// files are. An error is one of w.
func Format(w io.Writer, fsys fs.FS, problems []Problem, color bool) error {
	return FormatText(w, func(file string) []byte { return sourceOf(fsys, file) }, problems, color)
}

// FormatText writes problems as Format does, for files that are not in a file
// system or must not be shown as they are: text returns what may be seen of one,
// nil for nothing.
func FormatText(w io.Writer, text func(file string) []byte, problems []Problem, color bool) error {
	style := func(s lipgloss.Style, text string) string {
		if !color {
			return text
		}
		return s.Render(text)
	}
	plain := lipgloss.NewStyle()
	files := map[string][][]rune{}
	for _, p := range problems {
		tone := plain.Foreground(lipgloss.Red).Bold(true)
		if p.Severity == Warning {
			tone = plain.Foreground(lipgloss.Yellow).Bold(true)
		}
		rail := func(text string) string { return style(plain.Foreground(lipgloss.Blue), text) }
		number := strconv.Itoa(p.Line)
		gap := strings.Repeat(" ", len(number))
		var b strings.Builder
		fmt.Fprintf(&b, "%s: %s\n", style(tone, fmt.Sprintf("%s[%s]", p.Severity, p.Code)), clean(p.Message))
		if p.File != "" {
			fmt.Fprintf(&b, "%s%s %s:%d:%d\n", gap, rail("-->"), clean(p.File), p.Line, p.Column)
		}
		lines, read := files[p.File]
		if !read {
			lines = split(text(p.File))
			files[p.File] = lines
		}
		help := clean(p.Suggestion)
		if help != "" {
			help = " help: " + help
		}
		if p.Line >= 1 && p.Line <= len(lines) && len(lines[p.Line-1]) > 0 {
			line, before, marks := excerpt(lines[p.Line-1], p.Column, p.Length)
			fmt.Fprintf(&b, "%s %s\n%s %s %s\n", gap, rail("|"), rail(number), rail("|"), line)
			fmt.Fprintf(&b, "%s %s %s%s\n", gap, rail("|"), before, style(tone, marks)+help)
		} else if help != "" {
			fmt.Fprintf(&b, "%s %s%s\n", gap, rail("="), help)
		}
		if _, err := fmt.Fprintln(w, b.String()); err != nil {
			return err
		}
	}
	return nil
}

// sourceOf reads a file for excerpts; nil when it cannot be read, or is a link
// or too large to be shown.
func sourceOf(fsys fs.FS, file string) []byte {
	if fsys == nil || !fs.ValidPath(file) || file == "" {
		return nil
	}
	info, err := fs.Lstat(fsys, file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > MaxFileBytes {
		return nil
	}
	data, err := ReadFile(fsys, file)
	if err != nil {
		return nil
	}
	return data
}

// excerpt returns the part of a line around a column as a terminal shows it, the
// spaces that lead to the column, and the marks below it. Tabs are four cells,
// wide characters two.
func excerpt(line []rune, column, length int) (shown, before, marks string) {
	const around = 60
	start := min(max(0, column-1), len(line))
	end := min(start+max(1, length), len(line))
	from, to := 0, len(line)
	if start > 2*around {
		from = start - around
	}
	if to > start+2*around {
		to = start + 2*around
	}
	end = min(end, to)
	cells := func(r []rune) int { return displaywidth.String(printable(r)) }
	shown = printable(line[from:to])
	if from > 0 {
		shown = "…" + shown
	}
	if to < len(line) {
		shown += "…"
	}
	before = strings.Repeat(" ", cells(line[from:start])+min(from, 1))
	return shown, before, strings.Repeat("^", max(1, cells(line[start:end])))
}

// printable makes text safe to show: a repository is written by many, and
// control characters could rewrite what a terminal showed before.
func printable(text []rune) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\t':
			b.WriteString("    ")
		case unicode.IsPrint(r) || r == '　':
			b.WriteRune(r)
		default:
			b.WriteRune('�')
		}
	}
	return b.String()
}

func clean(text string) string { return printable([]rune(text)) }

// FormatGitHub writes problems as workflow commands, which GitHub shows beside
// the lines of a pull request; it shows ten of each kind per step, so that a
// log needs Format too. An error is one of w.
func FormatGitHub(w io.Writer, problems []Problem) error {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, p := range problems {
		message := p.Message
		if p.Suggestion != "" {
			message += "\nhelp: " + p.Suggestion
		}
		place := ""
		if p.File != "" {
			place = fmt.Sprintf("file=%s,line=%d,col=%d,", property.Replace(p.File), p.Line, p.Column)
			if p.Length > 1 {
				place += fmt.Sprintf("endColumn=%d,", p.Column+p.Length)
			}
		}
		if _, err := fmt.Fprintf(w, "::%s %stitle=%s::%s\n", p.Severity, place, property.Replace(p.Code), data.Replace(message)); err != nil {
			return err
		}
	}
	return nil
}

// ReadFile reads one file, and a byte more than is allowed of a larger one.
func ReadFile(fsys fs.FS, file string) ([]byte, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
}
