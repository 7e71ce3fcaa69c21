package strictyaml

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// NodeKind is what stands at a place.
type NodeKind int

// The kinds of nodes.
const (
	Scalar NodeKind = iota
	List
	Mapping
)

// Node is a place in a file and what stands there. Files are merged and
// expanded as nodes, so that a value keeps the place it came from. A node is
// never changed once other files may share it.
type Node struct {
	Position
	Kind NodeKind
	Tag  string // of a scalar: !!str, !!int, !!float, !!bool or !!null
	Text string // of a scalar
	// Inner is 1 plus the number of characters from Column to where text
	// begins, 0 when the file does not have the text as it is (escapes, several
	// lines, expanded variables).
	Inner int
	Key   *Node   // of a value in a mapping
	Keys  []*Node // of a mapping
	Items []*Node // its values, or the elements of a list
	Empty bool    // the root of a file with nothing in it
	// Damaged is true when something below was wrong and is left out: what
	// depends on the whole node must not be judged.
	Damaged bool
	Lost    map[string]bool // keys that are there and left out; nil = none
	// meant is what the key of the value is a misspelling of: that key is not
	// reported as missing on top.
	meant string
}

// Lose notes that a mapping has a key which is left out.
func (n *Node) Lose(key string) {
	lost := map[string]bool{key: true}
	for k := range n.Lost {
		lost[k] = true
	}
	n.Lost = lost
}

// Get follows keys and list indices; nil when there is nothing. It may be
// called on nil.
func (n *Node) Get(path ...string) *Node {
	for _, p := range path {
		if n == nil {
			return nil
		}
		i := -1
		switch n.Kind {
		case Mapping:
			i = slices.IndexFunc(n.Keys, func(k *Node) bool { return k.Text == p })
		case List:
			if j, err := strconv.Atoi(p); err == nil {
				i = j
			}
		}
		if i < 0 || i >= len(n.Items) {
			return nil
		}
		n = n.Items[i]
	}
	return n
}

// Has reports whether a mapping has a key, be its value good or bad. Anything may
// be in a merge key.
func (n *Node) Has(key string) bool {
	return n != nil && (n.Lost[key] || n.Lost["<<"] || n.Get(key) != nil)
}

// Nearest follows path as far as it goes.
func (n *Node) Nearest(path ...string) *Node {
	for _, p := range path {
		next := n.Get(p)
		if next == nil {
			break
		}
		n = next
	}
	return n
}

// Where returns the place to point at: the value, or its key where the value is
// empty or spans lines.
func (n *Node) Where() Position {
	if n.Key != nil && (n.Kind != Scalar || n.Text == "" && n.Inner == 0 || n.Tag == "!!null") {
		return n.Key.Position
	}
	return n.Position
}

// Inside returns the place of the i-th character of a scalar's text.
func (n *Node) Inside(i int) Position {
	p := n.Where()
	if n.Inner == 0 || n.Kind != Scalar || i < 0 || n.Inner-1+i >= p.Length {
		return p
	}
	return Position{File: p.File, Line: p.Line, Column: p.Column + n.Inner - 1 + i, Length: 1}
}

// Set returns a copy of a mapping with one value replaced or added.
func (n *Node) Set(key, value *Node) *Node {
	c := *n
	c.Keys, c.Items = slices.Clone(n.Keys), slices.Clone(n.Items)
	if i := slices.IndexFunc(c.Keys, func(k *Node) bool { return k.Text == key.Text }); i >= 0 {
		c.Items[i] = value
		return &c
	}
	c.Keys, c.Items = append(c.Keys, key), append(c.Items, value)
	return &c
}

// Without returns a copy of a mapping that lacks some keys.
func (n *Node) Without(names ...string) *Node {
	c := *n
	c.Keys, c.Items = nil, nil
	for i, k := range n.Keys {
		if !slices.Contains(names, k.Text) {
			c.Keys, c.Items = append(c.Keys, k), append(c.Items, n.Items[i])
		}
	}
	return &c
}

// Each calls f for every scalar below n, in order, with the path to it.
func (n *Node) Each(path []string, f func(path []string, n *Node)) {
	if n == nil {
		return
	}
	if n.Kind == Scalar {
		f(path, n)
	}
	for i, item := range n.Items {
		step := strconv.Itoa(i)
		if n.Kind == Mapping {
			step = n.Keys[i].Text
		}
		item.Each(append(slices.Clip(path), step), f)
	}
}

// prune returns n without the nodes in bad. What is inside an element of a
// list takes the whole element with it: half a freeze is not a freeze.
func (n *Node) prune(bad map[*Node]bool) *Node {
	if bad[n] {
		return nil
	}
	if n.Kind == Scalar {
		return n
	}
	c := *n
	c.Keys, c.Items = nil, nil
	for i, item := range n.Items {
		p := item.prune(bad)
		if p != nil && p.Damaged && n.Kind == List {
			p = nil
		}
		c.Damaged = c.Damaged || p == nil || p.Damaged
		switch {
		case p == nil && n.Kind == Mapping:
			c.Lose(n.Keys[i].Text)
			c.Lose(item.meant)
		case p != nil:
			c.Items = append(c.Items, p)
			if n.Kind == Mapping {
				c.Keys = append(c.Keys, n.Keys[i])
			}
		}
	}
	return &c
}

var plainInt = regexp.MustCompile(`^(?:0|-?[1-9][0-9]{0,17})$`)

// IsWholeNumber reports whether text is a number that all readers of YAML agree
// about.
func IsWholeNumber(text string) bool { return plainInt.MatchString(text) }

// Value returns n as encoding/json would have read it. A number keeps its text only
// where every reader of YAML agrees about it; 0123 (octal to some), 1_000 and
// 1.0 become fractions, which nothing that wants an integer or text takes.
func (n *Node) Value() any {
	switch n.Kind {
	case Mapping:
		m := make(map[string]any, len(n.Keys))
		for i, k := range n.Keys {
			m[k.Text] = n.Items[i].Value()
		}
		return m
	case List:
		l := make([]any, 0, len(n.Items))
		for _, item := range n.Items {
			l = append(l, item.Value())
		}
		return l
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Text, "true")
	case "!!int":
		if plainInt.MatchString(n.Text) {
			return json.Number(n.Text)
		}
		return 0.5
	case "!!float":
		f, err := strconv.ParseFloat(n.Text, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return 0.5e-300
		}
		if f == math.Trunc(f) {
			f = math.Nextafter(f, 0)
			if f == math.Trunc(f) { // 0, or too large to have a fraction
				f = 0.5e-300
			}
		}
		return f
	}
	return n.Text
}

// Decode reads n into a file type. It cannot fail on what the schema let pass.
func (n *Node) Decode(into any) error {
	data, err := json.Marshal(n.Value())
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
