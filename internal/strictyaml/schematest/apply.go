package schematest

import (
	"regexp"
	"strings"

	"github.com/layerd/layerd/internal/strictyaml"
)

var (
	instruction = regexp.MustCompile(`^(?:write|put|remove|rename|keep|save|make|indent|simplify|please|a name that) |^[a-z_]+ is there already; `)
	addition    = regexp.MustCompile(`^[a-z_]+: `)
)

// Instruction reports whether a suggestion says what to do. Any other is a value, or a
// key with its value, that can be written as it stands.
func Instruction(p strictyaml.Problem) bool { return instruction.MatchString(p.Suggestion) }

// Apply writes a suggestion into the text of a file, where it is offered. The text has
// its values in flow form, a key of the file a line.
func Apply(text string, p strictyaml.Problem) string {
	lines := strings.Split(text, "\n")
	line := []rune(lines[p.Line-1])
	at := p.Column - 1
	switch {
	case p.Code == "canary_needs_alias":
		return text + p.Suggestion + "\n"
	case addition.MatchString(p.Suggestion) && at == 0:
		return p.Suggestion + "\n" + text
	case addition.MatchString(p.Suggestion):
		lines[p.Line-1] = string(line[:at]) + p.Suggestion + ", " + string(line[at:])
		return strings.Join(lines, "\n")
	case p.Code == "unknown_variable":
		lines[p.Line-1] = string(line[:at]) + p.Suggestion + string(line[at+p.Length:])
		return strings.Join(lines, "\n")
	}
	from, to := wordAt(line, at)
	isKey := to < len(line) && line[to] == ':'
	if isKey && p.Code != "unknown_key" && p.Code != "bad_version" && p.Code != "bad_region" && p.Code != "unknown_environment" && p.Code != "layer_without_file" && p.Code != "full_width" && p.Code != "anchor" {
		from = to + 1
		for from < len(line) && line[from] == ' ' {
			from++
		}
		from, to = wordAt(line, from)
		if to == from { // nothing stands there
			lines[p.Line-1] = string(line[:from]) + " " + p.Suggestion + string(line[to:])
			return strings.Join(lines, "\n")
		}
	}
	lines[p.Line-1] = string(line[:from]) + p.Suggestion + string(line[to:])
	return strings.Join(lines, "\n")
}

// wordAt finds the value or key around a place: in quotes, in brackets, or plain.
func wordAt(line []rune, at int) (from, to int) {
	for i := 0; i < len(line); i++ { // quotes that open before the place
		if quote := line[i]; quote == '"' || quote == '\'' {
			end := i + 1
			for end < len(line) && line[end] != quote {
				end++
			}
			if i <= at && at <= end {
				return i, min(end+1, len(line))
			}
			i = end
		}
	}
	if at < len(line) && strings.ContainsRune("[{", line[at]) {
		depth := 0
		for i := at; i < len(line); i++ {
			if strings.ContainsRune("[{", line[i]) {
				depth++
			}
			if strings.ContainsRune("]}", line[i]) {
				if depth--; depth == 0 {
					return at, i + 1
				}
			}
		}
	}
	end := func(i int) bool {
		return i >= len(line) || strings.ContainsRune(",]}", line[i]) || line[i] == ':' && (i+1 == len(line) || line[i+1] == ' ')
	}
	begin := func(i int) bool {
		return i < 0 || strings.ContainsRune(",[{", line[i]) || line[i] == ':' && line[i+1] == ' '
	}
	for from = at; !begin(from - 1); from-- {
	}
	for from < at && line[from] == ' ' {
		from++
	}
	for to = at; !end(to); to++ {
	}
	return from, to
}
