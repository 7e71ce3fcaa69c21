package desired

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/layerd/layerd/internal/state"
)

// Selector chooses functions. All fields that are set must match; a selector
// with nothing set matches nothing.
type Selector struct {
	Name         string            // glob on the name: * and ?, case-sensitive
	Tags         map[string]string // key to glob of the value; all must match
	Runtime      string            // glob
	Architecture string            // "x86_64" or "arm64"
	Attached     bool              // has any version of the layer now
	At           Position
}

// Match reports whether f is chosen, where layer is the wish's own layer (for
// Attached).
func (s Selector) Match(f state.Function, layer state.LayerARN) bool { return s.match(&f, layer) }

// match is Match without a copy of the function: it is asked for each of a fleet.
func (s *Selector) match(f *state.Function, layer state.LayerARN) bool {
	any := s.Name != "" || len(s.Tags) > 0 || s.Runtime != "" || s.Architecture != "" || s.Attached
	if !any || s.Name != "" && !Glob(s.Name, f.Name) {
		return false
	}
	for k, want := range s.Tags {
		have, ok := f.Tags[k]
		if !ok || !Glob(want, have) {
			return false
		}
	}
	if s.Runtime != "" && !Glob(s.Runtime, f.Runtime) || s.Architecture != "" && s.Architecture != f.Architecture {
		return false
	}
	return !s.Attached || f.Layers.Index(layer) >= 0
}

// Text returns a selector much as it stands in the file.
func (s Selector) Text() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		parts = append(parts, "tag "+key+"="+s.Tags[key])
	}
	for _, x := range [][2]string{{"name ", s.Name}, {"runtime ", s.Runtime}, {"architecture ", s.Architecture}} {
		if x[1] != "" {
			parts = append(parts, x[0]+x[1])
		}
	}
	if s.Attached {
		parts = append(parts, "attached")
	}
	if len(parts) == 1 && s.Name != "" {
		return s.Name
	}
	return strings.Join(parts, ", ")
}

// Selects reports whether the wish chooses f.
func (w *LayerWish) Selects(f state.Function) bool {
	return matchAny(w.Functions, &f, w.Layer) && !matchAny(w.Except, &f, w.Layer)
}

// Selects reports whether any layer of the environment chooses f.
func (e Environment) Selects(f *state.Function) bool {
	for i := range e.Layers {
		w := &e.Layers[i]
		if matchAny(w.Functions, f, w.Layer) && !matchAny(w.Except, f, w.Layer) {
			return true
		}
	}
	return false
}

// MaySelect reports whether a layer of the environment could choose a function of that
// name, whatever else it has. None chooses what a probe has made: no snapshot has those
// among its functions.
func (e Environment) MaySelect(name string) bool {
	if state.IsTemporary(name) {
		return false
	}
	for i := range e.Layers {
		w := &e.Layers[i]
		if slices.ContainsFunc(w.Functions, func(s Selector) bool { return s.Name == "" || Glob(s.Name, name) }) &&
			!slices.ContainsFunc(w.Except, func(s Selector) bool { return s.onlyName() && Glob(s.Name, name) }) {
			return true
		}
	}
	return false
}

// onlyName reports whether nothing but the name decides.
func (s *Selector) onlyName() bool {
	return s.Name != "" && len(s.Tags) == 0 && s.Runtime == "" && s.Architecture == "" && !s.Attached
}

func matchAny(list []Selector, f *state.Function, layer state.LayerARN) bool {
	for i := range list {
		if list[i].match(f, layer) {
			return true
		}
	}
	return false
}

// LeavesAlone reports whether unmanaged lists a layer version, by itself or by its layer.
func (e *Environment) LeavesAlone(v state.LayerVersionARN) bool {
	return slices.ContainsFunc(e.Unmanaged, func(u string) bool { return Glob(u, string(v)) || Glob(u, string(v.Layer())) })
}

// Wants returns the version f should have by this wish: a pin's if one covers
// f, else the wish's own. pin is nil when none covers f.
func (w *LayerWish) Wants(f state.Function) (v Version, pin *Pin) {
	for i := range w.Pins {
		if matchAny(w.Pins[i].Functions, &f, w.Layer) {
			return w.Pins[i].Version, &w.Pins[i]
		}
	}
	return w.Version, nil
}

// NeedsTags reports whether any selector of the environment looks at tags, so
// that an observer knows to read them.
func (e Environment) NeedsTags() bool {
	for _, w := range e.Layers {
		for _, list := range [][]Selector{w.Functions, w.Except} {
			for _, s := range list {
				if len(s.Tags) > 0 {
					return true
				}
			}
		}
		for _, p := range w.Pins {
			for _, s := range p.Functions {
				if len(s.Tags) > 0 {
					return true
				}
			}
		}
	}
	return false
}

// Glob matches name against pattern, where * stands for any characters and ?
// for one; everything else stands for itself, case included. It takes time
// proportional to len(pattern)*len(name) at most and does not allocate: it is
// asked for every function.
func Glob(pattern, name string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(name) {
		if i < len(pattern) {
			switch c := pattern[i]; {
			case c == '*':
				star, mark, i = i, j, i+1
				continue
			case c == '?':
				_, size := utf8.DecodeRuneInString(name[j:])
				i, j = i+1, j+size
				continue
			case c == name[j]:
				i, j = i+1, j+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}
