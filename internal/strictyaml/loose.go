package strictyaml

// Loose is a place in a YAML file of others, which may have tags of their own: a template
// of CloudFormation. Nothing in it is judged. Aliases stand for nothing.
type Loose struct {
	Line    int
	Tag     string // "!!str", "!Sub"
	Text    string // of a scalar
	Mapping bool
	Keys    []string // of a mapping
	Items   []*Loose // its values, or the elements of a list
}

// Get follows keys; nil = there is no such place. It may be called on nil.
func (l *Loose) Get(path ...string) *Loose {
	for _, key := range path {
		if l == nil || !l.Mapping {
			return nil
		}
		var next *Loose
		for i, k := range l.Keys {
			if k == key && i < len(l.Items) {
				next = l.Items[i]
			}
		}
		l = next
	}
	return l
}
