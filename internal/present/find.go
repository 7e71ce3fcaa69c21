package present

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/words"
)

// Find is what layerd find answers.
type Find struct {
	FormatVersion string            `json:"format_version"`
	Queries       []string          `json:"queries"` // as they were typed
	Advisories    *FindAdvisories   `json:"advisories,omitempty"`
	Looked        FindLooked        `json:"looked"`
	Found         []inspect.Carrier `json:"found"`
	Unknown       []inspect.Carrier `json:"unknown"`
	Gaps          []inspect.Gap     `json:"gaps"`
}

// FindAdvisories are what a file of advisories had.
type FindAdvisories struct {
	File      string `json:"file"`
	Read      int    `json:"read"`
	Withdrawn int    `json:"withdrawn"`
	Others    int    `json:"others"` // about neither PyPI nor npm
}

// FindLooked is what was looked at.
type FindLooked struct {
	LayerVersions int `json:"layer_versions"`
	Functions     int `json:"functions"`
	Fetched       int `json:"fetched"` // archives that were not known yet
}

// FindDocument returns the answer as others read it: its lists are never null.
func FindDocument(f inspect.Findings, fetched int) Find {
	return Find{
		FormatVersion: "1", Queries: []string{}, Looked: FindLooked{f.Looked, f.Functions, fetched},
		Found: append([]inspect.Carrier{}, f.Found...), Unknown: append([]inspect.Carrier{}, f.Unknown...), Gaps: append([]inspect.Gap{}, f.Gaps...),
	}
}

// fewUsers is how many users of a layer version are named without -v.
const fewUsers = 5

// Text shows the answer to a person.
func (f Find) Text(o Options) string {
	p := &Page{Palette: o.Palette, Width: o.Width}
	for _, c := range f.Found {
		p.Ends(foreign.Styledf("%s %s %s", p.Bad("✗"), p.Bold(c.Layer.Layer().Name()), c.Layer.Label(c.Version)), foreign.Styledf("%s %s", c.Account, c.Region))
		f.carrier(p, c, o)
		p.Blank()
	}
	for _, group := range unknownGroups(f.Unknown) {
		f.unknown(p, group, o)
		p.Blank()
	}
	for _, g := range f.Gaps {
		p.Linef(0, "%s %s in %s (%s) was not looked at wholly: %s", p.Warn("?"), words.And(g.Environments), g.Region, g.Account, g.Reason)
	}
	if len(f.Gaps) > 0 {
		p.Blank()
	}
	p.Linef(0, "%s", f.summary(p.Palette))
	return p.String()
}

// unknownGroups joins the versions of a layer of which nobody knows for one cause.
func unknownGroups(unknown []inspect.Carrier) (groups [][]inspect.Carrier) {
	type key struct{ account, region, layer, cause string }
	at := map[key]int{}
	for _, c := range unknown {
		k := key{c.Account, c.Region, string(c.Layer.Layer()), cause(c)}
		if c.Number == 0 {
			k.layer = string(c.Layer) // of AWS's old form, which is one of its own
		}
		i, is := at[k]
		if !is {
			i = len(groups)
			at[k], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// cause returns why nobody knows, as it is for every version of a layer: the heading has
// the version's name, which no line of 80 columns has room for.
func cause(c inspect.Carrier) string {
	why := strings.ReplaceAll(c.Reason, "read "+string(c.Layer)+": ", "")
	if l := c.Layer.Layer(); l != "" {
		why = strings.ReplaceAll(why, string(c.Layer), string(l))
	}
	return why
}

// unknown shows the versions of a layer of which nobody knows for one cause.
func (f Find) unknown(p *Page, group []inspect.Carrier, o Options) {
	first := group[0]
	label := first.Layer.Label(first.Version)
	if len(group) > 1 {
		var numbers []int64
		for _, c := range group {
			numbers = append(numbers, c.Number)
		}
		label = words.Ranges(numbers)
	}
	p.Ends(foreign.Styledf("%s %s %s", p.Warn("?"), p.Bold(layerName(first)), label), foreign.Styledf("%s %s", first.Account, first.Region))
	if owner := first.Layer.Layer().Account(); owner != first.Account {
		p.Linef(4, "of account %s", valueOr(owner, "AWS"))
	}
	p.Linef(4, "nobody knows: %s", cause(first))
	f.users(p, group, o)
}

// layerName is the name of a layer; AWS's old form has none that could be cut out.
func layerName(c inspect.Carrier) string {
	if name := c.Layer.Layer().Name(); name != "" {
		return name
	}
	return "layer"
}

func (f Find) carrier(p *Page, c inspect.Carrier, o Options) {
	if owner := c.Layer.Layer().Account(); owner != c.Account {
		p.Linef(4, "of account %s", valueOr(owner, "AWS"))
	}
	for _, m := range c.Packages {
		what := foreign.Styledf("%s %s", m.Name, m.Version)
		if m.ID != "" {
			what = foreign.Styledf("%s  %s %s", what, p.Bold(m.ID), m.Summary)
		}
		p.Hangf(4, 2, "%s  %s", what, p.Faint(m.At))
	}
	f.users(p, []inspect.Carrier{c}, o)
}

// users shows who has versions of a layer; of several, who has which.
func (f Find) users(p *Page, group []inspect.Carrier, o Options) {
	type user struct {
		inspect.User
		name string
	}
	var all []user
	for _, c := range group {
		for _, u := range c.Users {
			name := userName(u)
			if len(group) > 1 {
				name = strconv.FormatInt(c.Number, 10) + ": " + name
			}
			all = append(all, user{u, foreign.Clean(name)})
		}
	}
	if len(all) == 0 {
		what := "no function has it"
		switch {
		case len(group) > 1:
			what = "no function has one of them"
		case !group[0].Live:
			what += ", and it is not listed"
		}
		p.Linef(4, "%s", p.Faint(what))
		return
	}
	shown := all
	if !o.Verbose && len(shown) > fewUsers {
		shown = shown[:fewUsers]
	}
	widest := 0
	for _, u := range shown {
		widest = max(widest, foreign.Width(u.name))
	}
	for _, u := range shown {
		env := p.Faint(strings.Join(u.Environments, ", "))
		if len(u.Environments) == 0 {
			env = p.Warn("in no environment")
		}
		p.Hangf(4, 2, "%s  %s", Pad(u.name, widest), env)
	}
	if n := len(all) - len(shown); n > 0 {
		p.Linef(4, "and %d more: all with -v", n)
	}
}

// userName is a function, its version, and the aliases that lead there.
func userName(u inspect.User) string {
	name := u.Function
	if u.Qualifier != "$LATEST" {
		name += ":" + u.Qualifier
	}
	if len(u.Aliases) > 0 {
		name += " (" + strings.Join(u.Aliases, ", ") + ")"
	}
	return name
}

func (f Find) summary(p Palette) foreign.Styled {
	what := strings.Join(f.Queries, " or ")
	if a := f.Advisories; a != nil {
		if what != "" {
			what += " or "
		}
		what += fmt.Sprintf("what %s in %s about", words.Plural(a.Read-a.Withdrawn, "advisory is", "advisories are"), a.File)
	}
	looked := words.Count(f.Looked.LayerVersions, "layer version")
	var verdict foreign.Styled
	switch n := len(f.Found); {
	case n > 0:
		verdict = foreign.Styledf("%s of %s %s %s", p.Bold(strconv.Itoa(n)), looked, map[bool]string{true: "carries", false: "carry"}[n == 1], what)
	case len(f.Unknown)+len(f.Gaps) > 0:
		verdict = foreign.Styledf("%s was found in none of %s that could be read", what, words.Count(f.Looked.LayerVersions-len(f.Unknown), "layer version"))
	default:
		verdict = foreign.Styledf("%s none of %s carries %s", p.Good("✓"), looked, what)
	}
	if n := len(f.Unknown); n > 0 {
		verdict = foreign.Styledf("%s; of %d %s", verdict, n, p.Warn("nobody knows"))
	}
	return verdict
}

// CSV returns a row for each package and each function that has it: who has it is
// empty where nobody does, and the package where nobody knows.
func (f Find) CSV() string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	write := func(row ...string) {
		for i, cell := range row {
			row[i] = foreign.Cell(cell)
		}
		_ = w.Write(row) // a builder never fails
	}
	write("account", "region", "layer", "number", "version", "live", "ecosystem", "package", "package_version", "advisory",
		"function", "qualifier", "aliases", "environments", "at", "unknown")
	for _, c := range slices.Concat(f.Found, f.Unknown) {
		packages, users := c.Packages, c.Users
		if len(packages) == 0 {
			packages = []inspect.Match{{}}
		}
		if len(users) == 0 {
			users = []inspect.User{{}}
		}
		for _, m := range packages {
			for _, u := range users {
				write(c.Account, c.Region, string(c.Layer), number(c.Number), c.Version, yes[c.Live], string(m.Kind), m.Name, m.Version, m.ID,
					u.Function, u.Qualifier, strings.Join(u.Aliases, " "), strings.Join(u.Environments, " "), m.At, c.Reason)
			}
		}
	}
	for _, g := range f.Gaps {
		write(g.Account, g.Region, "", "", "", "", "", "", "", "", "", "", "", strings.Join(g.Environments, " "), "", g.Reason)
	}
	w.Flush()
	return b.String()
}
