package strictyaml

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/layerd/layerd/internal/foreign"
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

// Look is how problems are shown.
type Look struct {
	Color bool
	Width int // in columns; 0 = as wide as it is
}

// Format writes problems for people: what is wrong, where, the line of the file
// with a mark below the place, and what to write instead. fsys is where the
// files are. An error is one of w.
func Format(w io.Writer, fsys fs.FS, problems []Problem, look Look) error {
	return FormatText(w, func(file string) []byte { return sourceOf(fsys, file) }, problems, look)
}

// FormatText writes problems as Format does, for files that are not in a file
// system or must not be shown as they are: text returns what may be seen of one,
// nil for nothing.
func FormatText(w io.Writer, text func(file string) []byte, problems []Problem, look Look) error {
	files := map[string][][]rune{}
	for _, p := range problems {
		lines, read := files[p.File]
		if !read {
			lines = split(text(p.File))
			files[p.File] = lines
		}
		var line []rune
		if p.Line >= 1 && p.Line <= len(lines) {
			line = lines[p.Line-1]
		}
		n := notice{Problem: p, Look: look, gap: strings.Repeat(" ", len(strconv.Itoa(p.Line)))}
		if _, err := io.WriteString(w, n.text(line)); err != nil {
			return err
		}
	}
	return nil
}

// notice is one problem as people see it.
type notice struct {
	Problem
	Look
	gap string // as wide as the number of the line
	strings.Builder
}

// text returns the whole of it; line is the one it is about, if it can be shown.
func (n *notice) text(line []rune) string {
	n.wrapped("", 2, foreign.Styledf("%s: %s", n.loud(fmt.Sprintf("%s[%s]", n.Severity, n.Code)), n.Message))
	if n.File != "" {
		fmt.Fprintf(n, "%s%s %s:%d:%d\n", n.gap, n.rail("-->"), foreign.Clean(n.File), n.Line, n.Column)
	}
	help := foreign.Style(n.Suggestion)
	if help != "" {
		help = "help: " + help
	}
	if len(line) > 0 {
		beside := n.excerpt(line)
		if help != "" && n.fits(beside, help) {
			n.WriteString(" " + string(help))
			help = ""
		}
		n.WriteByte('\n')
	}
	if help != "" {
		n.wrapped(n.gap+" "+n.rail("=")+" ", len(n.gap)+len(" = help: "), help)
	}
	return n.String() + "\n"
}

// wrapped writes a line behind head, and what does not fit hang columns further in.
func (n *notice) wrapped(head string, hang int, text foreign.Styled) {
	for i, line := range foreign.Wrap(string(text), n.Width, foreign.Width(head), hang) {
		if i > 0 {
			head = strings.Repeat(" ", hang)
		}
		n.WriteString(head + line + "\n")
	}
}

func (n *notice) fits(column int, help foreign.Styled) bool {
	return n.Width == 0 || column+1+foreign.Width(string(help)) <= n.Width
}

// excerpt writes the line and the marks below its place, and returns in which column
// the marks end.
func (n *notice) excerpt(line []rune) int {
	room := 180
	if n.Width > 0 {
		room = max(n.Width-len(n.gap)-len(" | "), 24)
	}
	shown, before, marks := excerpt(line, n.Column, n.Length, room)
	fmt.Fprintf(n, "%s %s\n%s %s %s\n", n.gap, n.rail("|"), n.rail(strconv.Itoa(n.Line)), n.rail("|"), shown)
	fmt.Fprintf(n, "%s %s %s%s", n.gap, n.rail("|"), before, n.loud(marks))
	return len(n.gap) + len(" | ") + len(before) + len(marks)
}

func (n *notice) rail(text string) string {
	return string(n.styled(lipgloss.NewStyle().Foreground(lipgloss.Blue), text))
}

// loud draws what the eye is to find first.
func (n *notice) loud(text string) foreign.Styled {
	color := lipgloss.Red
	if n.Severity == Warning {
		color = lipgloss.Yellow
	}
	return n.styled(lipgloss.NewStyle().Foreground(color).Bold(true), text)
}

func (n *notice) styled(s lipgloss.Style, text string) foreign.Styled {
	text = foreign.Clean(text)
	if n.Color {
		text = s.Render(text)
	}
	return foreign.Styled(text)
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
// spaces that lead to the column, and the marks below it. What does not fit into room
// columns is cut, so that a third of them is in front of the place. Tabs are four
// cells, wide characters two.
func excerpt(line []rune, column, length, room int) (shown, before, marks string) {
	start := min(max(0, column-1), len(line))
	end := min(start+max(1, length), len(line))
	from := start
	for from > 0 && cells(line[from-1:start]) <= room*2/3 {
		from--
	}
	if from > 0 { // too much stands before it
		for from = start; cells(line[from-1:start]) <= room/3; {
			from--
		}
	}
	room -= cells(line[from:start]) + min(from, 1)
	to := start
	for to < len(line) && cells(line[start:to+1]) <= room {
		to++
	}
	if to < len(line) && to > start && cells(line[start:to]) == room {
		to-- // for the mark of what is cut
	}
	end = min(end, to)
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

func cells(text []rune) int { return foreign.Width(printable(text)) }

// printable returns part of a line as it is shown, and as its columns are counted.
func printable(text []rune) string {
	return foreign.Clean(strings.ReplaceAll(string(text), "\t", "    "))
}

// FormatGitHub writes problems as workflow commands, which GitHub shows beside
// the lines of a pull request; it shows ten of each kind per step, so that a
// log needs Format too. An error is one of w.
func FormatGitHub(w io.Writer, problems []Problem) error {
	for _, p := range problems {
		message := foreign.WorkflowData(p.Message)
		if p.Suggestion != "" {
			message += foreign.WorkflowLine + foreign.WorkflowData("help: "+p.Suggestion)
		}
		place := ""
		if p.File != "" {
			place = fmt.Sprintf("file=%s,", foreign.WorkflowProperty(p.File))
		}
		if p.File != "" && p.Line > 0 { // a problem of the whole file has no line, and no file a line 0
			place += fmt.Sprintf("line=%d,col=%d,", p.Line, p.Column)
			if p.Length > 1 {
				place += fmt.Sprintf("endColumn=%d,", p.Column+p.Length)
			}
		}
		if _, err := fmt.Fprintf(w, "::%s %stitle=%s::%s\n", p.Severity, place, foreign.WorkflowProperty(p.Code), message); err != nil {
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
