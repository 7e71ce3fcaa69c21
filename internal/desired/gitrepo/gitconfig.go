package gitrepo

import (
	"os"
	"path/filepath"
	"strings"
)

// settings are the values of a git configuration, in their order, by
// "section.subsection.key" with section and key in lower case.
type settings map[string][]string

// last returns the value that counts where a key has one value.
func (s settings) last(key string) string {
	if all := s[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// first returns the first of many values. An empty one takes back those before it.
func (s settings) first(key string) string {
	first := ""
	for _, value := range s[key] {
		if first == "" || value == "" {
			first = value
		}
	}
	return first
}

// maxIncludes bounds how deep files include each other, as git does.
const maxIncludes = 10

// readSettings reads a configuration file and the files that it includes without
// a condition. layerd needs a handful of its keys, so that nothing in it is an
// error: a line that cannot be read is skipped, a missing file is empty. go-git
// checks what every other key means and refuses the whole repository for a
// branch that merges a pull request's ref.
func readSettings(into settings, file string, depth int) {
	text, err := os.ReadFile(file)
	if err != nil || depth > maxIncludes {
		return
	}
	p := configParser{rest: strings.TrimPrefix(strings.ReplaceAll(string(text), "\r\n", "\n"), "\ufeff")}
	for p.rest != "" {
		key, value, ok := p.next()
		if !ok {
			continue
		}
		into[key] = append(into[key], value)
		if key == "include.path" && value != "" {
			readSettings(into, includePath(file, value), depth+1)
		}
	}
}

func includePath(file, path string) string {
	if home, err := os.UserHomeDir(); err == nil && strings.HasPrefix(path, "~/") {
		return filepath.Join(home, path[2:])
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

// configParser reads git's configuration one setting at a time.
type configParser struct {
	rest    string
	section string // "core", "remote.origin": what the keys that follow belong to
}

// next takes a header or a setting from the text; false means that it was no
// setting.
func (p *configParser) next() (key, value string, ok bool) {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n\v\f")
	switch {
	case p.rest == "":
		return "", "", false
	case p.rest[0] == '#', p.rest[0] == ';':
		p.skipLine()
		return "", "", false
	case p.rest[0] == '[':
		p.header()
		return "", "", false
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool { return !isKeyRune(r) })
	if end < 0 {
		end = len(p.rest)
	}
	name := strings.ToLower(p.rest[:end])
	p.rest = strings.TrimLeft(p.rest[end:], " \t")
	if name == "" || p.section == "" {
		p.skipLine()
		return "", "", false
	}
	key = p.section + "." + name
	after, found := strings.CutPrefix(p.rest, "=")
	if !found { // a key alone is true; anything else behind it is unreadable
		line, _, _ := strings.Cut(p.rest, "\n")
		p.skipLine()
		line = strings.TrimSpace(line)
		return key, "true", line == "" || line[0] == '#' || line[0] == ';'
	}
	p.rest = after
	value, ok = p.value()
	return key, value, ok
}

func isKeyRune(r rune) bool {
	return r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func (p *configParser) skipLine() {
	_, p.rest, _ = strings.Cut(p.rest, "\n")
}

// header reads [section], [section "subsection"] and the old [section.subsection].
// A setting may follow on the same line.
func (p *configParser) header() {
	p.section = ""
	text := p.rest[1:]
	end := strings.IndexAny(text, "]\" \t\n")
	if end < 0 || text[end] == '\n' {
		p.skipLine()
		return
	}
	name := strings.ToLower(text[:end])
	text = strings.TrimLeft(text[end:], " \t")
	if rest, quoted := strings.CutPrefix(text, `"`); quoted {
		sub, after, ok := subsection(rest)
		if !ok {
			p.skipLine()
			return
		}
		name, text = name+"."+sub, after
	}
	rest, closed := strings.CutPrefix(text, "]")
	if !closed {
		p.skipLine()
		return
	}
	p.section, p.rest = name, rest
}

// subsection reads up to the closing quote; it does not go beyond the line.
func subsection(text string) (name, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], true
		case c == '\n':
			return "", "", false
		case c == '\\' && i+1 < len(text) && text[i+1] != '\n':
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// value reads to the end of the line, beyond it after a backslash, without quotes
// and comments. It is false for a quote that is not closed or an unknown escape.
func (p *configParser) value() (string, bool) {
	var b strings.Builder
	text, quoted, keep, ok := p.rest, false, 0, true
	i := 0
	for ; i < len(text) && text[i] != '\n'; i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
			keep = b.Len()
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] == '\n' {
				continue
			}
			r, known := map[byte]byte{'n': '\n', 't': '\t', 'b': '\b', '\\': '\\', '"': '"'}[text[i]]
			ok = ok && known
			b.WriteByte(r)
			keep = b.Len()
		case !quoted && (c == '#' || c == ';'):
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case !quoted && (c == ' ' || c == '\t'):
			if b.Len() > 0 {
				b.WriteByte(c) // kept only when something follows
			}
		default:
			b.WriteByte(c)
			keep = b.Len()
		}
	}
	p.rest = text[i:]
	return b.String()[:keep], ok && !quoted
}
