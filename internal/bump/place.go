package bump

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/words"
)

// Place is where a version stands in the files of a repository.
type Place struct {
	desired.Position
	Was string // as it is there, without a leading v
}

// Asked returns the versions of a layer that the repository names: those that
// environments ask for, exact ones only, as what a range takes is what is live, and those
// that its own file knows of.
func Asked(t desired.Tree, layer string) (list []Known) {
	for _, e := range t.Environments {
		for _, w := range e.Layers {
			if w.Name != layer {
				continue
			}
			if w.Version.Kind == desired.Exact {
				list = append(list, Known{w.Version.Semver, w.At.File + " asks for it"})
			}
			for _, p := range w.Pins {
				if p.Version.Kind == desired.Exact {
					list = append(list, Known{p.Version.Semver, p.At.File + " pins functions to it"})
				}
			}
			for text := range w.Known {
				list = append(list, Known{semver.MustParse(text), "layer.yaml has its number"})
			}
			for _, of := range []map[string]string{w.Yanked, w.Deprecated} {
				for text := range of {
					list = append(list, Known{semver.MustParse(text), "layer.yaml names it"})
				}
			}
		}
	}
	return list
}

// Places returns where the version of a layer stands that an environment asks for, for
// each of the environments; a place that several share is there once. The error says
// why one of them cannot be written, and what could be done.
func Places(t desired.Tree, environments []string, layer string) ([]Place, error) {
	var places []Place
	for _, name := range environments {
		found := false
		for _, e := range t.Environments {
			if e.Name != name {
				continue
			}
			i := slices.IndexFunc(e.Layers, func(w desired.LayerWish) bool { return w.Name == layer })
			if i < 0 {
				return nil, fmt.Errorf("environment %s has no layer %q", name, layer)
			}
			found = true
			p, err := placeOf(t, e, e.Layers[i], environments)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(places, p) {
				places = append(places, p)
			}
		}
		if !found {
			return nil, fmt.Errorf("environment %s is invalid, so that nobody knows what it asks for; see what validate finds", name)
		}
	}
	slices.SortFunc(places, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return places, nil
}

func placeOf(t desired.Tree, e desired.Environment, w desired.LayerWish, environments []string) (Place, error) {
	what, at := fmt.Sprintf("%s of environment %s", w.Name, e.Name), w.At.Place()
	switch w.Version.Kind {
	case desired.Number:
		return Place{}, fmt.Errorf("%s: %s is version number %s; a version that is not published yet has no number: write a semantic version there", at, what, w.Version)
	case desired.Range:
		return Place{}, fmt.Errorf("%s: %s follows the range %s by itself", at, what, w.Version)
	case desired.Latest:
		return Place{}, fmt.Errorf("%s: %s follows what is newest by itself", at, what)
	case desired.None:
		return Place{}, fmt.Errorf("%s: %s is taken off (none)", at, what)
	}
	if w.At.File == e.File {
		return Place{w.At, w.Version.Text}, nil
	}
	if others := sharing(t, w.At, environments); len(others) > 0 {
		return Place{}, fmt.Errorf("%s: the version of %s stands there for %s too: write one into %s, or name these environments as well",
			at, what, words.And(others), e.File)
	}
	return Place{w.At, w.Version.Text}, nil
}

// sharing returns the environments, beside those that are meant, whose version stands at
// the same place. Of an invalid one nobody knows.
func sharing(t desired.Tree, at desired.Position, meant []string) []string {
	var others []string
	for _, name := range t.Names {
		known, same := false, false
		for _, e := range t.Environments {
			known = known || e.Name == name
			same = same || e.Name == name && slices.ContainsFunc(e.Layers, func(w desired.LayerWish) bool { return w.At == at })
		}
		if (same || !known) && !slices.Contains(meant, name) {
			others = append(others, name)
		}
	}
	return others
}

// ReplaceAll returns the files in which next stands at the places, by name. read returns
// a file as it is now.
func ReplaceAll(read func(name string) ([]byte, error), places []Place, next *semver.Version) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, p := range slices.Backward(places) { // from the end of a file, so that the places before stay
		data, known := files[p.File]
		if !known {
			var err error
			if data, err = read(p.File); err != nil {
				return nil, err
			}
		}
		data, err := Replace(data, p.Position, p.Was, next.String())
		if err != nil {
			return nil, err
		}
		files[p.File] = data
	}
	return files, nil
}

// Check returns why what would be written is not what is meant; nil = each of the
// environments asks for next then, and everything else asks for what it did.
func Check(before, after desired.Tree, environments []string, layer string, next *semver.Version) error {
	type wish struct{ environment, region, layer string }
	versions := func(t desired.Tree) map[wish]string {
		m := map[wish]string{}
		for _, e := range t.Environments {
			for _, w := range e.Layers {
				m[wish{e.Name, e.Region, w.Name}] = w.Version.Text
			}
		}
		return m
	}
	want, got := versions(before), versions(after)
	for w := range want {
		if w.layer == layer && slices.Contains(environments, w.environment) {
			want[w] = next.String()
		}
	}
	if !maps.Equal(want, got) {
		return errors.New("with the new version in the files the repository would ask for something else as well: nothing was written")
	}
	return nil
}
