package inspect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// Place is one account and Region, as find looks at it.
type Place struct {
	Have state.Snapshot
	// Contents are the layer versions that were read, and Unread why one was not.
	Contents map[state.LayerVersionARN]Contents
	Unread   map[state.LayerVersionARN]string
	// Selected returns the environments that select a function; none = nobody does.
	Selected func(*state.Function) []string
	// Label returns a layer version's semantic version, or "".
	Label func(state.LayerVersionARN) string
}

// LayerVersions returns the layer versions of a place that have to be read, sorted: the
// live ones of its layers, and all that any function has.
func LayerVersions(have state.Snapshot) []state.LayerVersionARN {
	all := map[state.LayerVersionARN]bool{}
	for _, l := range have.Layers {
		for _, v := range l.Versions {
			all[l.ARN.Version(v.Number)] = true
		}
	}
	for _, f := range have.Functions {
		for _, v := range f.Layers {
			all[v] = true
		}
	}
	if have.Uses != nil {
		for _, p := range have.Uses.Published {
			for _, v := range p.Layers {
				all[v] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Findings is the answer of find.
type Findings struct {
	Found   []Carrier
	Unknown []Carrier // of which nobody can tell
	// Looked is how many layer versions, and Functions how many functions were looked at.
	Looked, Functions int
	// Gaps are what was not looked at.
	Gaps []Gap
}

// Gap is a part of AWS that was not looked at, or not wholly.
type Gap struct {
	Account      string   `json:"account"`
	Region       string   `json:"region"`
	Environments []string `json:"environments"`
	Reason       string   `json:"reason"`
}

// Whole reports whether all was looked at and understood, so that what is not found is not
// there.
func (f Findings) Whole() bool { return len(f.Unknown)+len(f.Gaps) == 0 }

// Carrier is a layer version that has what is looked for, or may have it.
type Carrier struct {
	Account string                `json:"account"` // where it was looked at
	Region  string                `json:"region"`
	Layer   state.LayerVersionARN `json:"layer"`
	Number  int64                 `json:"number"`
	Version string                `json:"version,omitempty"` // semantic; absent = not known
	// Live is false for one that is deleted, or that is of another account and not listed.
	Live     bool    `json:"live"`
	Packages []Match `json:"packages"`
	Users    []User  `json:"users"`
	Reason   string  `json:"reason,omitempty"` // why nobody can tell
}

// Match is one package that is looked for.
type Match struct {
	Kind    archive.PackageKind `json:"kind"`
	Name    string              `json:"name"`
	Version string              `json:"version"`
	Query   string              `json:"query"`
	ID      string              `json:"id,omitempty"`      // of the advisory
	Summary string              `json:"summary,omitempty"` // of the advisory
	At      string              `json:"at"`                // where in the archive it says so
}

// User is a function, or a published version of one, that has a layer version.
type User struct {
	Function  string   `json:"function"`
	Qualifier string   `json:"qualifier"` // $LATEST, or a published version
	Aliases   []string `json:"aliases"`   // that lead to it
	// Environments select the function; none = layerd does not manage it.
	Environments []string `json:"environments"`
}

// Carrying returns the functions with published versions that have one of the layer
// versions which carry something: of those the aliases are worth reading.
func Carrying(p Place, queries []Query) []string {
	hit, wanted := map[state.LayerVersionARN]bool{}, indexOf(queries)
	for _, v := range LayerVersions(p.Have) {
		m, why := p.match(v, wanted)
		hit[v] = len(m) > 0 || why != ""
	}
	var names []string
	if p.Have.Uses != nil {
		for _, f := range p.Have.Uses.Published {
			if slices.ContainsFunc(f.Layers, func(v state.LayerVersionARN) bool { return hit[v] }) {
				names = append(names, f.Function)
			}
		}
	}
	// $LATEST may be behind an alias as well, of whoever has any version.
	for _, f := range p.Have.Functions {
		versioned := p.Have.Uses != nil && slices.Contains(p.Have.Uses.Versioned, f.Name)
		if versioned && slices.ContainsFunc(f.Layers, func(v state.LayerVersionARN) bool { return hit[v] }) {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Find returns who carries what is looked for.
func Find(places []Place, queries []Query) Findings {
	var out Findings
	wanted := indexOf(queries)
	for _, p := range places {
		users := p.users()
		out.Functions += len(p.Have.Functions)
		for _, v := range LayerVersions(p.Have) {
			out.Looked++
			matches, why := p.match(v, wanted)
			c := p.carrier(v)
			c.Users = append(c.Users, users[v]...)
			if len(matches) > 0 {
				found := c
				found.Packages = matches
				out.Found = append(out.Found, found)
			}
			if why != "" {
				c.Reason = why
				out.Unknown = append(out.Unknown, c)
			}
		}
	}
	order := func(a, b Carrier) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Region, b.Region),
			strings.Compare(string(a.Layer.Layer()), string(b.Layer.Layer())), cmp.Compare(b.Number, a.Number), strings.Compare(string(a.Layer), string(b.Layer)))
	}
	slices.SortFunc(out.Found, order)
	slices.SortFunc(out.Unknown, order)
	return out
}

func (p Place) carrier(v state.LayerVersionARN) Carrier {
	c := Carrier{Account: p.Have.Account, Region: p.Have.Region, Layer: v, Number: v.Number(), Packages: []Match{}, Users: []User{}}
	if p.Label != nil {
		c.Version = p.Label(v)
	}
	if l, ok := p.Have.Layer(v.Layer()); ok {
		_, c.Live = l.Version(c.Number)
	}
	return c
}

// index has the queries of each package: a list of advisories names thousands.
type index map[wanted][]Query

type wanted struct {
	kind archive.PackageKind
	name string
}

func indexOf(queries []Query) index {
	all := index{}
	for _, q := range queries {
		of := wanted{q.Kind, q.Name}
		all[of] = append(all[of], q)
	}
	return all
}

// match returns what is looked for in a layer version, and why it may have more of it.
func (p Place) match(v state.LayerVersionARN, queries index) (found []Match, why string) {
	have, read := p.Contents[v]
	if !read {
		return nil, cmp.Or(p.Unread[v], "it was not read")
	}
	var doubts []string
	for _, pkg := range have.Packages {
		for _, q := range queries[wanted{pkg.Kind, pkg.Name}] {
			in, known := q.Has(pkg.Version)
			switch {
			case !known:
				doubts = append(doubts, fmt.Sprintf("%s has version %q, and nobody can tell whether %s means it", pkg.Name, words.Truncate(pkg.Version, 40), cmp.Or(q.ID, q.Text)))
			case in:
				found = append(found, Match{pkg.Kind, pkg.Name, pkg.Version, q.Text, q.ID, q.Summary, pkg.At})
			}
		}
	}
	for _, pkg := range have.Bare {
		if len(queries[wanted{pkg.Kind, pkg.Name}]) > 0 {
			doubts = append(doubts, pkg.At+" is there, and nothing beside it says which version")
		}
	}
	doubts = append(doubts, have.Doubts...)
	if len(doubts) > 0 {
		why = words.Truncate(doubts[0], 300)
		if n := len(doubts) - 1; n > 0 {
			why += fmt.Sprintf(" (and %d more)", n)
		}
	}
	return found, why
}

// users returns who has each layer version.
func (p Place) users() map[state.LayerVersionARN][]User {
	all := map[state.LayerVersionARN][]User{}
	selected := map[string][]string{}
	for i := range p.Have.Functions {
		f := &p.Have.Functions[i]
		if p.Selected != nil {
			selected[f.Name] = p.Selected(f)
		}
		for _, v := range f.Layers {
			all[v] = append(all[v], p.user(f.Name, "$LATEST", selected))
		}
	}
	if p.Have.Uses == nil {
		return all
	}
	for _, f := range p.Have.Uses.Published {
		for _, v := range f.Layers {
			all[v] = append(all[v], p.user(f.Function, f.Version, selected))
		}
	}
	for _, list := range all {
		slices.SortStableFunc(list, func(a, b User) int { return strings.Compare(a.Function, b.Function) })
	}
	return all
}

func (p Place) user(function, qualifier string, selected map[string][]string) User {
	u := User{Function: function, Qualifier: qualifier, Aliases: []string{}, Environments: []string{}}
	for _, a := range p.Have.Aliases[function] {
		if _, weighted := a.Weights[qualifier]; weighted || a.Version == qualifier {
			u.Aliases = append(u.Aliases, a.Name)
		}
	}
	u.Environments = append(u.Environments, selected[function]...)
	return u
}
