package state

import (
	"slices"
	"strconv"
)

// Layers is the ordered layer list of a function. Later layers win on equal
// paths below /opt, so the order is part of what it is. To AWS a nil list means
// "leave the layers alone" and only an empty one means "none".
type Layers []LayerVersionARN

// Index returns the place of layer in the list, or -1.
func (l Layers) Index(layer LayerARN) int {
	for i := range l {
		if l[i].Of(layer) {
			return i
		}
	}
	return -1
}

// Of returns the version of layer that is in the list, or "" when there is
// none.
func (l Layers) Of(layer LayerARN) LayerVersionARN {
	if i := l.Index(layer); i >= 0 {
		return l[i]
	}
	return ""
}

// Number returns the number of the version of layer that is in the list; 0 =
// none.
func (l Layers) Number(layer LayerARN) int64 {
	i := l.Index(layer)
	if i < 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(l[i][len(layer)+1:]), 10, 64) // Index saw that these are digits
	return n
}

// Without returns the list without the layers for which drop reports true, the
// rest in its order. It is a list of its own and never nil.
func (l Layers) Without(drop func(LayerARN) bool) Layers {
	return slices.DeleteFunc(l.Clone(), func(v LayerVersionARN) bool { return drop(v.Layer()) })
}

// Clone returns a list of its own, which is never nil.
func (l Layers) Clone() Layers { return append(make(Layers, 0, len(l)), l...) }

// Differ returns the layers of which the two lists have different versions, or
// which only one of them has; sorted.
func (l Layers) Differ(o Layers) []LayerARN {
	var layers []LayerARN
	for _, v := range append(l.Clone(), o...) {
		if layer := v.Layer(); l.Of(layer) != o.Of(layer) {
			layers = append(layers, layer)
		}
	}
	slices.Sort(layers)
	return slices.Compact(layers)
}
