package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// This file is the only one that knows the YAML parser, and the parser is used
// for one thing: text to yaml.Node. Decoding into Go values is where it panics
// on a merge key with a sequence inside, and where 1.0 silently becomes 1.

const (
	MaxFileBytes = 1 << 20
	maxDepth     = 50
)

var (
	yamlLine      = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\n +)?line (\d+): `)
	unknownAnchor = regexp.MustCompile(`unknown anchor '([^']*)' referenced`)
)

// source is one file while it is read.
type source struct {
	file     string
	lines    [][]rune // without line ends
	problems []Problem
	shared   string // as for Parse
}

func (s *source) add(code string, at Position, message, suggestion string) {
	at.File = s.file
	s.problems = append(s.problems, Problem{Position: at, Code: code, Message: message, Suggestion: suggestion, Severity: Error})
}

// at keeps a position inside the file: the parser counts some line ends that
// an editor does not, and reports some errors one line too far.
func (s *source) at(line, column, length int) Position {
	line = max(1, min(line, len(s.lines)))
	column = max(1, min(column, len(s.lines[line-1])+1))
	return Position{File: s.file, Line: line, Column: column, Length: max(1, min(length, len(s.lines[line-1])+1-column))}
}

// Parse reads one YAML file of a small language: one document of mappings,
// lists and scalars, in UTF-8, without anchors, merge keys and tags. root is nil
// when nothing of the file can be trusted; a file with only comments has an
// empty mapping. shared is where a value can be put that several places need,
// for those who miss anchors; empty when there is no such place.
func Parse(file string, data []byte, shared string) (root *Node, problems []Problem) {
	s := &source{file: file, lines: split(data), shared: shared}
	if !s.encoding(data) {
		return nil, s.problems
	}
	document, err := document(data)
	switch {
	case errors.Is(err, io.EOF):
		return &Node{Position: s.at(1, 1, 1), Kind: Mapping, Empty: true}, nil
	case err != nil:
		s.syntax(err)
		return nil, s.problems
	}
	if document.Kind == yaml.DocumentNode && len(document.Content) == 1 {
		document = document.Content[0]
	}
	root = s.convert(document, 1)
	if root != nil && root.Kind != Mapping {
		if !s.fullWidth() {
			s.add("wrong_type", root.Position, "the file must be a mapping of keys to values", "")
		}
		root = nil
	}
	return root, s.problems
}

// split cuts a file at the line ends an editor shows.
func split(data []byte) [][]rune {
	var lines [][]rune
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		lines = append(lines, []rune(string(bytes.TrimSuffix(line, []byte("\r")))))
	}
	return lines
}

// encoding reports whether data is plain UTF-8 text, and adds a problem when it is
// not. The parser itself would take UTF-16, where every column would be wrong.
func (s *source) encoding(data []byte) bool {
	if len(data) > MaxFileBytes {
		s.add("file_too_large", s.at(1, 1, 1), fmt.Sprintf("the file has more than %d bytes", MaxFileBytes), "")
		return false
	}
	for _, bom := range []struct{ bytes, name string }{{"\xff\xfe", "UTF-16"}, {"\xfe\xff", "UTF-16"}, {"\xef\xbb\xbf", "UTF-8 with a byte order mark"}} {
		if bytes.HasPrefix(data, []byte(bom.bytes)) {
			s.add("not_utf8", s.at(1, 1, 1), "the file is "+bom.name, "save it as UTF-8 without a byte order mark")
			return false
		}
	}
	for i, line := range s.lines {
		for j, r := range line {
			if r == 0 {
				s.add("not_utf8", s.at(i+1, j+1, 1), "the file has a NUL character", "save it as UTF-8 text")
				return false
			}
		}
	}
	if !utf8.Valid(data) {
		line := 1 + bytes.Count(data[:invalidAt(data)], []byte("\n"))
		column := 1 + slices.Index(s.lines[line-1], utf8.RuneError)
		s.add("not_utf8", s.at(line, column, 1), "the file is not UTF-8 text here", "save it as UTF-8")
		return false
	}
	return true
}

func invalidAt(data []byte) int {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

var errSeveral = errors.New("several documents")

// document parses all of data and wants exactly one document in it: yaml.v3's
// own Unmarshal ignores whatever follows the first.
func document(data []byte) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("the parser gave up: %v", r)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	if err := decoder.Decode(&first); err != nil {
		return nil, err
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("line %d: %w", second.Line, errSeveral)
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return &first, nil
}

// syntax turns the parser's error into a problem. Its line is often one or two
// off (where it noticed, not where it began), hence "near".
func (s *source) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits; too many of them give the last line
		text = strings.TrimPrefix(text, m[0])
	}
	here := s.at(line, 1, 1)
	indent := 0
	for _, r := range s.lines[here.Line-1] {
		if r != ' ' && r != '\t' {
			break
		}
		indent++
	}
	here = s.at(here.Line, indent+1, len(s.lines[here.Line-1]))
	if m := unknownAnchor.FindStringSubmatch(err.Error()); m != nil {
		s.alias("*"+m[1], here, text)
		return
	}
	switch {
	case errors.Is(err, errSeveral):
		s.add("several_documents", s.at(line, 1, 3), "the file has a second document; only one is read from a file", "put it in a file of its own")
	case strings.Contains(text, "alphabetic or numeric character"):
		s.alias("*", here, text)
	case strings.Contains(text, "exceeded max depth"):
		s.add("yaml_too_deep", here, fmt.Sprintf("nested more than %d deep", maxDepth), "")
	case s.tab() || s.fullWidth():
	default:
		s.add("yaml_syntax", here, "not YAML near this line: "+text, "")
	}
}

// alias explains the mistake of a glob that begins with a star. Where no star
// is to be seen the parser was confused by something else.
func (s *source) alias(text string, near Position, words string) {
	for i, line := range s.lines {
		column := strings.Index(outside(line), text)
		if column < 0 {
			continue
		}
		column = utf8.RuneCountInString(outside(line)[:column])
		rest := string(line[column:])
		if end := strings.IndexAny(rest, " \t,]}"); end > 0 {
			rest = rest[:end]
		}
		rest = strings.TrimSuffix(rest, ":") // of a key
		s.add("anchor", s.at(i+1, column+1, utf8.RuneCountInString(rest)),
			fmt.Sprintf("YAML reads %s as an alias; aliases are not used here", rest), strconv.Quote(rest))
		return
	}
	s.add("yaml_syntax", near, "not YAML near this line: "+words, "")
}

// outside blanks what is in quotes or comments, as far as one line tells.
func outside(line []rune) string {
	quote, c := rune(0), slices.Clone(line)
	for i, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			c[i] = ' '
		case r == '"' || r == '\'':
			quote = r
		case r == '#' && (i == 0 || line[i-1] == ' '):
			return string(c[:i])
		}
	}
	return string(c)
}

// tab reports whether there is a tab in an indentation, and adds a problem for the
// first.
func (s *source) tab() bool {
	for i, line := range s.lines {
		for j, r := range line {
			if r == '\t' {
				s.add("tab", s.at(i+1, j+1, 1), "a tab in the indentation, near which the file is not YAML", "indent with spaces")
				return true
			}
			if r != ' ' {
				break
			}
		}
	}
	return false
}

// fullWidth reports whether a full-width character outside comments and quotes
// stands where YAML wants its ASCII twin, and adds a problem for the first. It is
// asked only when the file did not read as a mapping.
func (s *source) fullWidth() bool {
	for i, line := range s.lines {
		for j, r := range []rune(outside(line)) {
			if strings.ContainsRune("：　，［］｛｝＃＂＇“”‘’－＊", r) {
				s.add("full_width", s.at(i+1, j+1, 1), fmt.Sprintf("character %q (%U) near which the file is not YAML", r, r), asciiOf(r))
				return true
			}
		}
	}
	return false
}

// convert copies a parsed node into our own form and refuses, all at once,
// what makes two readers see two different things in one text.
func (s *source) convert(y *yaml.Node, depth int) *Node {
	n := &Node{Position: s.at(y.Line, y.Column, 1)}
	if depth > maxDepth {
		s.add("yaml_too_deep", n.Position, fmt.Sprintf("nested more than %d deep", maxDepth), "")
		return nil
	}
	switch {
	case y.Kind == yaml.AliasNode || y.Anchor != "":
		s.add("anchor", n.Position, "anchors and aliases are not used here", s.instead("write the value out", "it"))
		return nil
	case y.Style&yaml.TaggedStyle != 0:
		s.add("yaml_tag", n.Position, fmt.Sprintf("tags such as %s are not used here", y.Tag), "")
		return nil
	}
	switch y.Kind {
	case yaml.ScalarNode:
		s.scalar(n, y)
	case yaml.SequenceNode:
		n.Kind = List
		for _, item := range y.Content {
			if c := s.convert(item, depth+1); c != nil {
				n.Items = append(n.Items, c)
			} else {
				n.Damaged = true
			}
		}
	case yaml.MappingNode:
		s.mapping(n, y, depth)
	}
	return n
}

// instead returns what to write where there was an anchor.
func (s *source) instead(write, them string) string {
	if s.shared == "" {
		return write
	}
	return fmt.Sprintf("%s, or put %s into %s", write, them, s.shared)
}

func (s *source) scalar(n *Node, y *yaml.Node) {
	n.Kind, n.Tag, n.Text = Scalar, y.ShortTag(), y.Value
	if n.Tag == "!!timestamp" || n.Tag == "!!merge" {
		n.Tag = "!!str" // a date is text here
	}
	quote := ""
	switch {
	case y.Style&yaml.DoubleQuotedStyle != 0:
		quote = `"`
	case y.Style&yaml.SingleQuotedStyle != 0:
		quote = `'`
	}
	rest := s.lines[n.Line-1][min(n.Column-1, len(s.lines[n.Line-1])):]
	token := []rune(quote + y.Value + quote)
	// A value with escapes or over several lines has no columns of its own.
	if len(token) <= len(rest) && string(rest[:len(token)]) == string(token) {
		n.Inner = 1 + len(quote)
		n.Length = max(1, len(token))
	}
}

func (s *source) mapping(n *Node, y *yaml.Node, depth int) {
	n.Kind = Mapping
	seen := map[string]Position{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		key := &Node{Position: s.at(k.Line, k.Column, 1)}
		value := s.convert(v, depth+1)
		if k.Kind == yaml.ScalarNode {
			s.scalar(key, k)
		}
		first, twice := seen[key.Text]
		switch {
		case k.Kind != yaml.ScalarNode || k.Anchor != "" || k.Style&yaml.TaggedStyle != 0 || key.Tag == "!!null":
			s.add("bad_key", key.Position, "a key must be plain text", "")
		case k.ShortTag() == "!!merge":
			s.add("merge_key", key.Position, "merge keys (<<) are not used here", s.instead("write the keys out", "them"))
		case twice:
			s.add("duplicate_key", key.Position, fmt.Sprintf("key %q a second time; the first is at %d:%d", key.Text, first.Line, first.Column), "")
		case value != nil:
			seen[key.Text] = key.Position
			value.Key = key
			n.Keys, n.Items = append(n.Keys, key), append(n.Items, value)
			continue
		default:
			seen[key.Text] = key.Position
		}
		n.Damaged = true
		n.Lose(key.Text)
	}
}

// ParseLoose reads YAML, or JSON, that was not written for us.
func ParseLoose(data []byte) (*Loose, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, errors.New("the file is empty")
	}
	return loosen(doc.Content[0]), nil
}

func loosen(n *yaml.Node) *Loose {
	l := &Loose{Line: n.Line, Tag: n.Tag, Mapping: n.Kind == yaml.MappingNode}
	if n.Kind == yaml.ScalarNode {
		l.Text = n.Value
	}
	for i, c := range n.Content {
		if l.Mapping && i%2 == 0 {
			l.Keys = append(l.Keys, c.Value)
			continue
		}
		l.Items = append(l.Items, loosen(c))
	}
	return l
}
