package present

// grouped is values by key, the keys in the order in which they came.
type grouped[K comparable, V any] struct {
	keys []K
	of   map[K][]V
}

func (g *grouped[K, V]) add(key K, value V) {
	if g.of == nil {
		g.of = map[K][]V{}
	}
	if _, known := g.of[key]; !known {
		g.keys = append(g.keys, key)
	}
	g.of[key] = append(g.of[key], value)
}
