package desired

import (
	"slices"
	"strconv"
)

// normalise writes the short forms of an environment out, so that a short form
// in one file and a mapping in another merge key by key: 1.4.2 for a layer is
// {version: 1.4.2}, "20 versions" is {versions_to_keep: 20}.
func normalise(env *node) *node {
	env = longRetention(env, "retention")
	layers := env.get("layers")
	if layers == nil || layers.kind != mapping {
		return env
	}
	c := *layers
	c.items = slices.Clone(layers.items)
	for i, l := range layers.items {
		if l.kind == scalar {
			l = wrap(l, "version", l)
		}
		c.items[i] = longRetention(l, "retention")
	}
	return env.set(layers.key, &c)
}

func longRetention(n *node, key string) *node {
	r := n.get(key)
	if r == nil || r.kind != scalar {
		return n
	}
	keep, ok := versionsToKeep(r.text)
	if !ok { // a variable that is not expanded yet
		return n
	}
	count := *r
	count.tag, count.text, count.inner = "!!int", strconv.Itoa(keep), 0
	return n.set(r.key, wrap(r, "versions_to_keep", &count))
}

// wrap makes the mapping {name: value} that stands where short stands. The
// place of its key is that of the value: there is no other.
func wrap(short *node, name string, value *node) *node {
	key := &node{Position: short.Position, kind: scalar, tag: "!!str", text: name}
	v := *value
	v.key = key
	return &node{Position: short.Position, kind: mapping, key: short.key, keys: []*node{key}, items: []*node{&v}}
}

// merge lays over on base: mappings key by key; freezes and except add up;
// everything else, lists included, is replaced. Both may be nil.
func merge(base, over *node) *node {
	switch {
	case base == nil:
		return over
	case over == nil:
		return base
	case base.kind == list && over.kind == list && over.key != nil && (over.key.text == "freezes" || over.key.text == "except"):
		c := *over
		c.items = slices.Concat(base.items, over.items)
		c.damaged = base.damaged || over.damaged
		return &c
	case base.kind != mapping || over.kind != mapping:
		return over
	}
	c := *over
	c.keys, c.items = slices.Clone(base.keys), slices.Clone(base.items)
	c.damaged = base.damaged || over.damaged
	for k := range base.lost {
		if over.get(k) == nil {
			c.lose(k)
		}
	}
	for i, k := range over.keys {
		j := slices.IndexFunc(c.keys, func(b *node) bool { return b.text == k.text })
		if j < 0 {
			c.keys, c.items = append(c.keys, k), append(c.items, over.items[i])
			continue
		}
		c.keys[j], c.items[j] = k, merge(c.items[j], over.items[i])
	}
	return &c
}

// inherit is merge for a whole environment: a Region named in one way replaces
// one named in the other.
func inherit(defaults, env *node) *node {
	if defaults != nil && (env.has("region") || env.has("regions")) {
		defaults = defaults.without("region", "regions")
	}
	return merge(defaults, env)
}
