package foreign

import (
	"regexp"
	"strings"
	"unicode"
)

// mark is the older way to write a command for the machine that runs a job: GitHub
// finds it in the middle of a line, and its page folds and colours by it.
var mark = regexp.MustCompile(`##(\w*\[)`)

// Workflow returns text of many lines that a job of GitHub may print: no line of it
// is a workflow command, wherever words were wrapped to. The first character of
// what would be one becomes an escape.
func Workflow(text string) string {
	if !strings.Contains(text, "::") && !strings.Contains(text, "##") {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	for line := range strings.Lines(text) {
		space := len(line) - len(strings.TrimLeftFunc(line, unicode.IsSpace))
		if strings.HasPrefix(line[space:], "::") {
			line = line[:space] + `\x3a` + line[space+1:]
		}
		b.WriteString(mark.ReplaceAllString(line, `\x23#$1`))
	}
	return b.String()
}

// WorkflowLine ends a line within the message of a workflow command.
const WorkflowLine = "%0A"

// WorkflowData returns text as a line in the message of a workflow command, in which
// an end of line would end the command and begin another.
func WorkflowData(text string) string { return strings.ReplaceAll(Workflow(Clean(text)), "%", "%25") }

// WorkflowProperty returns text as a property of a workflow command: file, title.
func WorkflowProperty(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(WorkflowData(text))
}
