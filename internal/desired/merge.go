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
	layers := env.Get("layers")
	if layers == nil || layers.Kind != mapping {
		return env
	}
	c := *layers
	c.Items = slices.Clone(layers.Items)
	for i, l := range layers.Items {
		if l.Kind == scalar {
			l = wrap(l, "version", l)
		}
		c.Items[i] = longRetention(l, "retention")
	}
	return env.Set(layers.Key, &c)
}

func longRetention(n *node, key string) *node {
	r := n.Get(key)
	if r == nil || r.Kind != scalar {
		return n
	}
	keep, ok := versionsToKeep(r.Text)
	if !ok { // a variable that is not expanded yet
		return n
	}
	count := *r
	count.Tag, count.Text, count.Inner = "!!int", strconv.Itoa(keep), 0
	return n.Set(r.Key, wrap(r, "versions_to_keep", &count))
}

// wrap makes the mapping {name: value} that stands where short stands. The
// place of its key is that of the value: there is no other.
func wrap(short *node, name string, value *node) *node {
	key := &node{Position: short.Position, Kind: scalar, Tag: "!!str", Text: name}
	v := *value
	v.Key = key
	return &node{Position: short.Position, Kind: mapping, Key: short.Key, Keys: []*node{key}, Items: []*node{&v}}
}

// merge lays over on base: mappings key by key; freezes and except add up;
// everything else, lists included, is replaced. Both may be nil.
func merge(base, over *node) *node { return mergeLists(base, over, true) }

// mergeLists is merge, where freezes and except are ours to add up: in what a
// smoke test sends they are not.
func mergeLists(base, over *node, add bool) *node {
	switch {
	case base == nil:
		return over
	case over == nil:
		return base
	case add && base.Kind == list && over.Kind == list && over.Key != nil && (over.Key.Text == "freezes" || over.Key.Text == "except"):
		c := *over
		c.Items = slices.Concat(base.Items, over.Items)
		c.Damaged = base.Damaged || over.Damaged
		return &c
	case base.Kind != mapping || over.Kind != mapping:
		return over
	}
	c := *over
	c.Keys, c.Items = slices.Clone(base.Keys), slices.Clone(base.Items)
	c.Damaged = base.Damaged || over.Damaged
	for k := range base.Lost {
		if over.Get(k) == nil {
			c.Lose(k)
		}
	}
	for i, k := range over.Keys {
		j := slices.IndexFunc(c.Keys, func(b *node) bool { return b.Text == k.Text })
		if j < 0 {
			c.Keys, c.Items = append(c.Keys, k), append(c.Items, over.Items[i])
			continue
		}
		c.Keys[j], c.Items[j] = k, mergeLists(c.Items[j], over.Items[i], add && k.Text != "smoke_test")
	}
	return &c
}

// inherit is merge for a whole environment: a Region named in one way replaces
// one named in the other.
func inherit(defaults, env *node) *node {
	if defaults != nil && (env.Has("region") || env.Has("regions")) {
		defaults = defaults.Without("region", "regions")
	}
	return merge(defaults, env)
}
