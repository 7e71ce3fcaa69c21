package desired

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/strictyaml"
)

// Bounds are what the environments' own files may reach, by environment. The entry
// "*" is for those that have none of their own; without it they are free.
type Bounds map[string]Bound

// Bound is what one environment's file may reach. In each list one has to match; nil
// = no bound.
type Bound struct {
	Accounts   []string
	Regions    []string
	Roles      []string // globs; an environment without a role reaches what the caller does, which is beyond
	Functions  []string // globs: what its selectors may match, and its smoke tests may call
	LayerNames []string // globs on the live names of layers in its own account
}

// everyOther is the name of the entry for environments without one.
const everyOther = "*"

// entry returns the bound of one environment, its variables expanded.
func (b Bounds) entry(environment string, values map[string]string) Bound {
	e, ok := b[environment]
	if !ok {
		e = b[everyOther]
	}
	for _, list := range []*[]string{&e.Roles, &e.Functions, &e.LayerNames} {
		*list = slices.Clone(*list)
		for i := range *list {
			(*list)[i] = expandText((*list)[i], values)
		}
	}
	return e
}

// BoundForms returns the forms of what stands in bounds, by format.
func BoundForms() map[string]strictyaml.Form {
	all, some := formats(), map[string]strictyaml.Form{}
	for _, name := range []string{"account", "region", "role-glob", "bound-glob", "bound-name"} {
		some[name] = all[name]
	}
	return some
}

// limits are the bounds of one environment: what the repository says, and before
// that, list by list, what the daemon's own file does.
type limits struct{ repository, daemon Bound }

// list returns the list that counts, and where it stands.
func (l limits) list(of func(Bound) []string) (list []string, where string) {
	if list := of(l.daemon); list != nil {
		return list, "the daemon's configuration"
	}
	return of(l.repository), "layerd.yaml"
}

// beyond adds a problem where text is in no entry of a list.
func (b *builder) beyond(at *node, key, text string, of func(Bound) []string, in func(pattern, text string) bool) {
	list, where := b.limits.list(of)
	if list == nil || text == "" || strings.Contains(text, "${") || slices.ContainsFunc(list, func(p string) bool { return in(p, text) }) {
		return
	}
	b.outOfBounds(at, key, fmt.Sprintf("%q", text), list, where)
}

func (b *builder) outOfBounds(at *node, key, what string, list []string, where string) {
	allowed := strings.Join(list, ", ")
	if allowed == "" {
		allowed = "nothing"
	}
	origin := ""
	if at != nil {
		origin = b.originOf(at)
	}
	b.problem("beyond_bounds", b.positionOf(at), fmt.Sprintf("%s is beyond what %s may reach: bounds of %s allow %s %s%s", what, b.name, where, key, allowed, origin), "")
}

// inBounds checks a whole environment in one Region against its bounds.
func (b *builder) inBounds(e Environment) {
	b.beyond(b.root.Get("account"), "accounts", e.Account, func(x Bound) []string { return x.Accounts }, Glob)
	region := b.root.Get("region")
	for i := range b.file.Regions {
		if r := b.root.Get("regions"); string(b.file.Regions[i]) == e.Region && r != nil && i < len(r.Items) {
			region = r.Items[i]
		}
	}
	b.beyond(region, "regions", e.Region, func(x Bound) []string { return x.Regions }, Glob)
	roles := func(x Bound) []string { return x.Roles }
	b.beyond(b.root.Get("role"), "roles", e.Role, roles, Glob)
	if list, where := b.limits.list(roles); list != nil && !b.root.Has("role") {
		b.outOfBounds(nil, "roles", "the caller's own role", list, where)
	}
	for _, w := range e.Layers {
		at := b.root.Get("layers", w.Name)
		if w.Owned || w.Layer.Account() == e.Account {
			name := at.Get("arn")
			if name == nil {
				name = at
			}
			b.beyond(name, "layer_names", w.Layer.Name(), func(x Bound) []string { return x.LayerNames }, Glob)
		}
		b.selectorsInBounds(at.Get("functions"), w)
	}
	for _, t := range e.Rollout.SmokeTests {
		b.beyondAt(t)
	}
}

func functionBounds(x Bound) []string { return x.Functions }

// selectorsInBounds wants every selector to match nothing beyond, whatever functions
// there are.
func (b *builder) selectorsInBounds(at *node, w LayerWish) {
	list, where := b.limits.list(functionBounds)
	for i, s := range w.Functions {
		var n *node
		if at != nil && i < len(at.Items) {
			n = at.Items[i]
		}
		if s.Name == "" && list != nil {
			b.outOfBounds(n, "functions", "a selector without a name", list, where)
			continue
		}
		b.beyond(n, "functions", s.Name, functionBounds, func(bound, pattern string) bool { return within(pattern, bound) })
	}
}

func (b *builder) beyondAt(t SmokeTest) {
	at := b.root.Get("rollout", "smoke_test")
	if t.Layer != "" {
		at = b.root.Get("layers", t.Layer, "smoke_test")
	}
	if at != nil && at.Kind == list {
		for _, n := range at.Items {
			if n.Where() == t.At {
				at = n
				break
			}
		}
	}
	if f := at.Get("function"); f != nil {
		at = f
	}
	b.beyond(at, "functions", t.Function, functionBounds, Glob)
}

// within reports whether bound matches every name that pattern matches: a * of the
// pattern is any number of characters, and only a * of the bound takes that.
func within(pattern, bound string) bool {
	p, b := canonical(pattern), canonical(bound)
	// fits[j] reports whether b, as far as it was read, takes p[:j].
	fits := make([]bool, len(p)+1)
	fits[0] = true
	for i := range len(b) {
		next := make([]bool, len(p)+1)
		next[0] = b[i] == '*' && fits[0]
		for j := range len(p) {
			switch b[i] {
			case '*':
				next[j+1] = fits[j+1] || next[j]
			case '?':
				next[j+1] = fits[j] && p[j] != '*'
			default:
				next[j+1] = fits[j] && p[j] == b[i]
			}
		}
		fits = next
	}
	return fits[len(p)]
}

// canonical writes *? and **, which match what ?* and * do, in one way.
func canonical(pattern string) string {
	var out strings.Builder
	star := false
	flush := func() {
		if star {
			out.WriteByte('*')
		}
		star = false
	}
	for i := range len(pattern) {
		switch pattern[i] {
		case '*':
			star = true
		case '?':
			out.WriteByte('?')
		default:
			flush()
			out.WriteByte(pattern[i])
		}
	}
	flush()
	return out.String()
}

// readBounds takes the bounds of layerd.yaml, and warns of such as bind nobody.
func (l *loader) readBounds(files map[string]boundFile) {
	l.bounds = Bounds{}
	for name, f := range files {
		l.bounds[name] = Bound{
			Accounts: texts(f.Accounts), Regions: texts(f.Regions), Roles: texts(f.Roles),
			Functions: texts(f.Functions), LayerNames: texts(f.LayerNames),
		}
	}
}

func texts[T ~string](list []T) []string {
	if list == nil {
		return nil
	}
	all := []string{}
	for _, t := range list {
		all = append(all, string(t))
	}
	return all
}

// boundNames warns of bounds that bind nobody: most often a misspelt name, and the
// environment that was meant is free.
func (l *loader) boundNames() {
	add := func(name string, at Position) {
		if name == everyOther || slices.Contains(l.names, name) {
			return
		}
		p := problemAt("unknown_environment", at, fmt.Sprintf("bounds of %q, and there is no such environment", name), nearest(name, l.names))
		p.Severity = Warning
		l.add(p)
	}
	for _, name := range slices.Sorted(maps.Keys(l.bounds)) {
		at := Position{File: "layerd.yaml", Line: 1, Column: 1, Length: 1}
		if n := l.boundsAt.Get(name); n != nil && n.Key != nil {
			at = n.Key.Position
		}
		add(name, at)
	}
	for _, name := range slices.Sorted(maps.Keys(l.daemon)) {
		add(name, Position{})
	}
}
