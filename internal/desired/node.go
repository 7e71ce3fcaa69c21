package desired

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

type nodeKind int

const (
	scalar nodeKind = iota
	list
	mapping
)

// node is a place in a file and what stands there. Files are merged and
// expanded as nodes, so that a value keeps the place it came from. A node is
// never changed once other files may share it.
type node struct {
	Position
	kind nodeKind
	tag  string // of a scalar: !!str, !!int, !!float, !!bool or !!null
	text string // of a scalar
	// inner is 1 plus the number of characters from Column to where text
	// begins, 0 when the file does not have the text as it is (escapes, several
	// lines, expanded variables).
	inner int
	key   *node   // of a value in a mapping
	keys  []*node // of a mapping
	items []*node // its values, or the elements of a list
	empty bool    // the root of a file with nothing in it
	// damaged says that something below was wrong and is left out: what
	// depends on the whole of it must not be judged.
	damaged bool
	lost    map[string]bool // keys that are there and left out; nil = none
	// meant is what the key of the value is a misspelling of: that key is not
	// reported as missing on top.
	meant string
}

func (n *node) lose(key string) {
	lost := map[string]bool{key: true}
	for k := range n.lost {
		lost[k] = true
	}
	n.lost = lost
}

// get follows keys and list indices; nil when there is nothing. It may be
// called on nil.
func (n *node) get(path ...string) *node {
	for _, p := range path {
		if n == nil {
			return nil
		}
		i := -1
		switch n.kind {
		case mapping:
			i = slices.IndexFunc(n.keys, func(k *node) bool { return k.text == p })
		case list:
			if j, err := strconv.Atoi(p); err == nil {
				i = j
			}
		}
		if i < 0 || i >= len(n.items) {
			return nil
		}
		n = n.items[i]
	}
	return n
}

// has says whether a mapping has a key, be its value good or bad. Anything may
// be in a merge key.
func (n *node) has(key string) bool {
	return n != nil && (n.lost[key] || n.lost["<<"] || n.get(key) != nil)
}

// nearest follows path as far as it goes.
func (n *node) nearest(path ...string) *node {
	for _, p := range path {
		next := n.get(p)
		if next == nil {
			break
		}
		n = next
	}
	return n
}

// where is the place to point at: the value, or its key where the value is
// empty or spans lines.
func (n *node) where() Position {
	if n.key != nil && (n.kind != scalar || n.text == "" && n.inner == 0 || n.tag == "!!null") {
		return n.key.Position
	}
	return n.Position
}

// inside is the place of the i-th character of a scalar's text.
func (n *node) inside(i int) Position {
	p := n.where()
	if n.inner == 0 || n.kind != scalar || i < 0 || n.inner-1+i >= p.Length {
		return p
	}
	return Position{File: p.File, Line: p.Line, Column: p.Column + n.inner - 1 + i, Length: 1}
}

// set returns a copy of a mapping with one value replaced or added.
func (n *node) set(key, value *node) *node {
	c := *n
	c.keys, c.items = slices.Clone(n.keys), slices.Clone(n.items)
	if i := slices.IndexFunc(c.keys, func(k *node) bool { return k.text == key.text }); i >= 0 {
		c.items[i] = value
		return &c
	}
	c.keys, c.items = append(c.keys, key), append(c.items, value)
	return &c
}

// without returns a copy of a mapping that lacks some keys.
func (n *node) without(names ...string) *node {
	c := *n
	c.keys, c.items = nil, nil
	for i, k := range n.keys {
		if !slices.Contains(names, k.text) {
			c.keys, c.items = append(c.keys, k), append(c.items, n.items[i])
		}
	}
	return &c
}

// each calls f for every scalar below n, in order, with the path to it.
func (n *node) each(path []string, f func(path []string, n *node)) {
	if n == nil {
		return
	}
	if n.kind == scalar {
		f(path, n)
	}
	for i, item := range n.items {
		step := strconv.Itoa(i)
		if n.kind == mapping {
			step = n.keys[i].text
		}
		item.each(append(slices.Clip(path), step), f)
	}
}

// prune returns n without the nodes in bad. What is inside an element of a
// list takes the whole element with it: half a freeze is not a freeze.
func (n *node) prune(bad map[*node]bool) *node {
	if bad[n] {
		return nil
	}
	if n.kind == scalar {
		return n
	}
	c := *n
	c.keys, c.items = nil, nil
	for i, item := range n.items {
		p := item.prune(bad)
		if p != nil && p.damaged && n.kind == list {
			p = nil
		}
		c.damaged = c.damaged || p == nil || p.damaged
		switch {
		case p == nil && n.kind == mapping:
			c.lose(n.keys[i].text)
			c.lose(item.meant)
		case p != nil:
			c.items = append(c.items, p)
			if n.kind == mapping {
				c.keys = append(c.keys, n.keys[i])
			}
		}
	}
	return &c
}

var plainInt = regexp.MustCompile(`^(?:0|-?[1-9][0-9]{0,17})$`)

// value is n as encoding/json would have read it. A number keeps its text only
// where every reader of YAML agrees about it; 0123 (octal to some), 1_000 and
// 1.0 become fractions, which nothing that wants an integer or text takes.
func (n *node) value() any {
	switch n.kind {
	case mapping:
		m := make(map[string]any, len(n.keys))
		for i, k := range n.keys {
			m[k.text] = n.items[i].value()
		}
		return m
	case list:
		l := make([]any, 0, len(n.items))
		for _, item := range n.items {
			l = append(l, item.value())
		}
		return l
	}
	switch n.tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.text, "true")
	case "!!int":
		if plainInt.MatchString(n.text) {
			return json.Number(n.text)
		}
		return 0.5
	case "!!float":
		f, err := strconv.ParseFloat(n.text, 64)
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
	return n.text
}

// decode reads n into a file type. It cannot fail on what the schema let pass.
func (n *node) decode(into any) error {
	data, err := json.Marshal(n.value())
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
