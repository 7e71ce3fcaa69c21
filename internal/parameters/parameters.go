package parameters

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
)

// Parameter is one name and what it stands for.
type Parameter struct {
	Name  string
	Value string
	Tags  map[string]string // empty: none
	// Plain is true when its value is text as everybody may read it: one that somebody
	// made a secret or a list of is not.
	Plain bool
}

// Store is where parameters are kept, in one account and Region.
type Store interface {
	// Parameters returns those below a path, with the tags of those that tagged names.
	Parameters(ctx context.Context, path string, tagged []string) ([]Parameter, error)
	// PutParameter makes p be there, as it is. It may be repeated. Nothing is sent once
	// check, if it is not nil, returns an error.
	PutParameter(ctx context.Context, p Parameter, check func() error) error
	// DeleteParameter makes the parameter not be there.
	DeleteParameter(ctx context.Context, name string, check func() error) error
}

// Wanted is what the parameters of an environment have to be in one Region.
type Wanted struct {
	Path string      // below which all of them are
	Put  []Parameter // sorted by name
	Gone []string    // names that must not be there; sorted
}

// Empty reports whether the environment asks for nothing.
func (w Wanted) Empty() bool { return len(w.Put)+len(w.Gone) == 0 }

// Names returns the names of what must be there.
func (w Wanted) Names() []string {
	var names []string
	for _, p := range w.Put {
		names = append(names, p.Name)
	}
	return names
}

// Stands is what is known of one layer: what stands, which semantic version that is
// (empty = unknown), and whether a selected function has any version of it.
type Stands struct {
	plan.Standing
	Semver string
	InUse  bool
}

// Want returns what the parameters of an environment have to be. stands is asked about
// each layer that has some.
func Want(e desired.Environment, stands func(desired.LayerWish) Stands) Wanted {
	w := Wanted{Path: "/layerd/" + e.Name}
	for _, l := range e.Layers {
		if !l.Parameters {
			continue
		}
		base := w.Path + "/" + l.Name + "/"
		now := stands(l)
		switch {
		case now.Number > 0:
			version := cmp.Or(now.Semver, strconv.FormatInt(now.Number, 10))
			tags := l.Tags(version)
			w.Put = append(w.Put,
				Parameter{Name: base + "arn", Value: string(l.Layer.Version(now.Number)), Tags: tags, Plain: true},
				Parameter{Name: base + "version", Value: version, Tags: tags, Plain: true})
		case l.Version.Kind == desired.None && now.Rollout == nil && !now.InUse:
			w.Gone = append(w.Gone, base+"arn", base+"version")
		}
	}
	slices.SortFunc(w.Put, func(a, b Parameter) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(w.Gone)
	return w
}

// Diff is what to do about the parameters of an environment.
type Diff struct {
	Put    []Change // sorted by name
	Delete []string // sorted
}

// Change is one parameter that is to be written, and what it is now.
type Change struct {
	Parameter
	Was string // empty: it is not there
}

// Empty reports whether nothing is to be done.
func (d Diff) Empty() bool { return len(d.Put)+len(d.Delete) == 0 }

// Compare returns what to do so that have is as want. What want does not name is left
// alone.
func Compare(want Wanted, have []Parameter) Diff {
	there := map[string]Parameter{}
	for _, p := range have {
		there[p.Name] = p
	}
	var d Diff
	for _, p := range want.Put {
		now, ok := there[p.Name]
		if !ok || now.Value != p.Value || !now.Plain || !covers(now.Tags, p.Tags) {
			d.Put = append(d.Put, Change{Parameter: p, Was: now.Value})
		}
	}
	for _, name := range want.Gone {
		if _, ok := there[name]; ok {
			d.Delete = append(d.Delete, name)
		}
	}
	return d
}

// covers reports whether tags has all of want.
func covers(tags, want map[string]string) bool {
	for key, value := range want {
		if now, ok := tags[key]; !ok || now != value {
			return false
		}
	}
	return true
}

// Equal reports whether two wishes are the same.
func (w Wanted) Equal(other Wanted) bool {
	same := func(a, b Parameter) bool {
		return a.Name == b.Name && a.Value == b.Value && maps.Equal(a.Tags, b.Tags)
	}
	return w.Path == other.Path && slices.EqualFunc(w.Put, other.Put, same) && slices.Equal(w.Gone, other.Gone)
}
