package desired

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/strictyaml"
)

const fsLink = fs.ModeSymlink

// claim is a layer that an environment names.
type claim struct {
	env  Environment
	wish LayerWish
}

// place is in the environment's own file, also when the layer is a default.
func (c claim) place() Position {
	if c.wish.At.File == c.env.File {
		return c.wish.At
	}
	return Position{File: c.env.File, Line: 1, Column: 1, Length: 1}
}

// ownership reports layers that two environments would publish and prune, and
// two names for one layer within an environment. Who owned the layer before keeps
// it, and each newcomer has the problem; where that is not known, all have, but for
// those that only share the layer with files that are invalid anyway.
func (l *loader) ownership() {
	wrong := map[string]bool{}
	for _, p := range l.problems {
		wrong[p.Environment] = wrong[p.Environment] || p.Severity == Error
	}
	claims := map[state.LayerARN][]claim{}
	for _, e := range l.wishes {
		for _, w := range e.Layers {
			claims[w.Layer] = append(claims[w.Layer], claim{e.Environment, w})
		}
	}
	for arn, list := range claims {
		for i, a := range list {
			for j, b := range list {
				same := a.env.Name == b.env.Name
				switch {
				case i == j, same && i < j:
					continue
				case same:
				case !a.wish.Owned, !b.wish.Owned, l.holders[arn] == a.env.Name, wrong[b.env.Name] && !wrong[a.env.Name]:
					continue
				}
				p := problemAt("layer_owned_twice", a.place(), "", "")
				p.Environment = a.env.Name
				p.Message = fmt.Sprintf("%s also owns %s in %s, %s", b.env.File, arn.Name(), a.env.Account, a.env.Region)
				if l.holders[arn] == b.env.Name {
					p.Message = fmt.Sprintf("%s has owned %s in %s, %s since before", b.env.File, arn.Name(), a.env.Account, a.env.Region)
				}
				p.Suggestion = "put ${ENVIRONMENT} into layer_name"
				if same {
					p.Message = fmt.Sprintf("layer %q and layer %q are both %s", a.wish.Name, b.wish.Name, arn)
					p.Suggestion = ""
				}
				l.add(p)
			}
			if holder := l.holders[arn]; a.wish.Owned && holder != a.env.Name && l.unread(holder, wrong[holder]) {
				l.ownedUnread(holder, a)
			}
		}
	}
}

// unread reports whether the environment has a file of which it is not known what it
// asks for.
func (l *loader) unread(name string, wrong bool) bool {
	return slices.Contains(l.names, name) && (wrong || !slices.ContainsFunc(l.wishes, func(e built) bool { return e.Name == name }))
}

// ownedUnread reports a layer whose owner's file cannot be read now: that one keeps
// what it had.
func (l *loader) ownedUnread(holder string, c claim) {
	p := problemAt("layer_owned_twice", c.place(), fmt.Sprintf("environments/%s.yaml has owned %s in %s, %s since before, and that file is invalid now",
		holder, c.wish.Layer.Name(), c.env.Account, c.env.Region), "put ${ENVIRONMENT} into layer_name")
	p.Environment = c.env.Name
	l.add(p)
}

// afterCycles reports environments that wait for one another.
func (l *loader) afterCycles(after map[string]*node) {
	for name, n := range after {
		at := name
		for range after {
			next, ok := after[at]
			if !ok {
				break
			}
			if at = next.Text; at == name {
				p := problemAt("after_cycle", n.Where(), fmt.Sprintf("%s waits for itself, by way of %s", name, n.Text), "")
				p.Environment = name
				l.add(p)
				break
			}
		}
	}
}

// tree puts together what was found: problems once and in order, and the
// environments that none of them makes invalid.
func (l *loader) tree() Tree {
	strictyaml.Sort(l.problems)
	t := Tree{Store: l.store, Names: l.names, Problems: slices.CompactFunc(l.problems, func(a, b Problem) bool { return a == b })}
	invalid, all, layer, loose := map[string]bool{}, false, map[string]bool{}, false
	for _, p := range t.Problems {
		switch {
		case p.Severity != Error:
		case p.Environment != "":
			invalid[p.Environment] = true
		case strings.HasPrefix(p.File, "environments/"): // of no environment
		case !strings.HasPrefix(p.File, "layers/"):
			all = true
		default:
			name := l.layerAt(p.File)
			layer[name] = true
			loose = loose || name == ""
		}
	}
	for _, e := range l.wishes {
		for _, u := range e.uses {
			invalid[e.Name] = invalid[e.Name] || layer[u]
		}
		// A layer.yaml whose name cannot be read may be the one it lacks.
		invalid[e.Name] = invalid[e.Name] || all || loose && e.loose
	}
	for _, e := range l.wishes {
		if !invalid[e.Name] {
			t.Environments = append(t.Environments, e.Environment)
		}
	}
	return t
}

// layerAt returns the name of the layer that a file below layers/ belongs to, ""
// when it is not known.
func (l *loader) layerAt(file string) string {
	for _, info := range l.layers {
		if strings.TrimSuffix(info.path, ".yaml") == strings.TrimSuffix(strings.TrimSuffix(file, ".yaml"), ".yml") {
			return info.file.Name
		}
	}
	return ""
}

// Invalid names the environments that have a file and are not in Environments,
// sorted.
func (t Tree) Invalid() []string {
	var invalid []string
	for _, name := range t.Names {
		if !slices.ContainsFunc(t.Environments, func(e Environment) bool { return e.Name == name }) {
			invalid = append(invalid, name)
		}
	}
	return invalid
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
func isEnd(err error) bool     { return err == nil || errors.Is(err, io.EOF) }

// reasonOf returns the words of err without the path, which on a disk is not the
// one the repository knows.
func reasonOf(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
