package inspect

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// ImportOptions say how what is live becomes environments.
type ImportOptions struct {
	// Role is what the environments assume; empty = the caller's own credentials.
	Role string
	// Suffixes of function names make environments: "-prod" makes prod. The longest that
	// fits counts.
	Suffixes []string
	// Name is the environment of the functions that no suffix fits; empty = they are left
	// out.
	Name string
	// Owner is whom to ask about the pins.
	Owner string
}

// Imported is a desired-state repository that asks for what is live.
type Imported struct {
	Files        []RepositoryFile // by name
	Environments []ImportedEnvironment
	LeftOut      []LeftOut // that no environment takes care of
	managed      map[string]bool
}

// Manages reports whether an environment asks for a layer of a function.
func (im Imported) Manages(region, function string) bool { return im.managed[region+"/"+function] }

// RepositoryFile is one file of a repository: its name, with slashes, and its text.
type RepositoryFile struct{ Name, Text string }

// ImportedEnvironment is what one file of environments/ asks for, in numbers.
type ImportedEnvironment struct {
	Name      string   `json:"environment"`
	Regions   []string `json:"regions"`
	Functions int      `json:"functions"` // with a layer that is managed; one in two Regions is two
	Layers    int      `json:"layers"`
	Pinned    int      `json:"pinned"`
}

// LeftOut is a function of which a layer, or all, is not taken over.
type LeftOut struct {
	Function string `json:"function"`
	Region   string `json:"region"`
	Layer    string `json:"layer,omitempty"` // empty = all
	Reason   string `json:"reason"`
}

// ErrNothingToImport means that no function has a layer of its own account.
var ErrNothingToImport = errors.New("no function has a layer of its own account that is still live")

// OwnLayers returns the layers of the account itself that its functions have: those whose
// versions have to be listed to import them.
func OwnLayers(s state.Snapshot) []state.LayerARN {
	found := map[state.LayerARN]bool{}
	for _, f := range s.Functions {
		for _, v := range f.Layers {
			if l := v.Layer(); isOwn(s, l) {
				found[l] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func isOwn(s state.Snapshot, l state.LayerARN) bool {
	return l != "" && l == state.NewLayerARN(s.Partition, s.Region, s.Account, l.Name())
}

// importing is an account that is being imported.
type importing struct {
	ImportOptions
	regions []state.Snapshot
	environments
	layers map[string]*importedLayer // by the name in Git
	files  map[[2]string]string      // the environment that a file is called by, of an environment and a Region
	out    Imported
}

// Import returns a repository that asks for what one account has in its Regions, so that
// there is nothing to do. The same world makes the same bytes.
func Import(regions []state.Snapshot, o ImportOptions) (Imported, error) {
	im := &importing{ImportOptions: o, regions: regions, layers: map[string]*importedLayer{}, files: map[[2]string]string{}, out: Imported{managed: map[string]bool{}}}
	im.environments = im.divide()
	im.describe()
	var drafts []*draft
	for _, env := range im.names {
		drafts = append(drafts, im.draftsOf(env)...)
	}
	if len(drafts) == 0 {
		return Imported{}, ErrNothingToImport
	}
	for _, d := range drafts {
		im.out.Environments = append(im.out.Environments, d.summary())
		maps.Copy(im.out.managed, d.selected)
		for _, region := range d.places {
			im.files[[2]string{d.environment.name, region}] = d.name
		}
		im.write("environments/"+d.name+".yaml", im.environmentText(d))
	}
	for _, name := range slices.Sorted(maps.Keys(im.layers)) {
		im.write("layers/"+name+"/layer.yaml", im.layerText(im.layers[name]))
	}
	im.write("layerd.yaml", im.defaultsText())
	im.write("schema/layerd.schema.json", string(desired.Schema()))
	slices.SortFunc(im.out.Files, func(a, b RepositoryFile) int { return cmp.Compare(a.Name, b.Name) })
	return im.out, nil
}

func (im *importing) write(name, text string) {
	im.out.Files = append(im.out.Files, RepositoryFile{name, text})
}

// draftsOf returns an environment as one file, where its Regions can be told in one, and
// else as one for each Region.
func (im *importing) draftsOf(env environment) []*draft {
	var with []int
	for i := range im.regions {
		if im.carriers(env, i) {
			with = append(with, i)
			continue
		}
		for _, f := range im.membersOf(env, i) {
			if slices.ContainsFunc(f.Layers, func(v state.LayerVersionARN) bool { return isOwn(im.regions[i], v.Layer()) }) {
				im.leave(i, f, "the versions that it has are deleted")
			}
		}
	}
	if len(with) == 0 {
		return nil
	}
	if d, ok := im.draft(env, env.name, with); ok {
		return []*draft{d}
	}
	var list []*draft
	for _, i := range with {
		d, _ := im.draft(env, im.freeName(env.name+"-"+im.regions[i].Region), []int{i}) // of one Region it is always possible
		list = append(list, d)
	}
	return list
}

// freeName returns a name that no environment has.
func (im *importing) freeName(name string) string {
	for slices.ContainsFunc(im.names, func(e environment) bool { return e.name == name }) {
		name += "-only"
	}
	return name
}

// carriers reports whether a function of the environment has a layer that can be asked for.
func (im *importing) carriers(env environment, region int) bool {
	s := im.regions[region]
	return slices.ContainsFunc(im.membersOf(env, region), func(f state.Function) bool {
		return slices.ContainsFunc(f.Layers, func(v state.LayerVersionARN) bool { return isLive(s, v) })
	})
}

// membersOf returns the functions of an environment that can have layers and have some.
func (im *importing) membersOf(env environment, region int) (list []state.Function) {
	for _, f := range im.regions[region].Functions {
		if len(f.Layers) > 0 && !f.Image && !f.Edge && im.environmentOf(f.Name) == env.name {
			list = append(list, f)
		}
	}
	return list
}

// isLive reports whether v is a version of a layer of the account that is still there.
func isLive(s state.Snapshot, v state.LayerVersionARN) bool {
	l, listed := s.Layer(v.Layer())
	_, live := l.Version(v.Number())
	return listed && live
}

func (im *importing) leave(region int, f state.Function, reason string) {
	im.out.LeftOut = append(im.out.LeftOut, LeftOut{f.Name, im.regions[region].Region, "", reason})
}

// environments are which there are, and whose each function and layer is.
type environments struct {
	names  []environment     // in the order of the suffixes
	owners map[string]string // layer by its live name → environment that owns it
}

// environment is one of the repository.
type environment struct{ name, suffix string }

// separator is what parts the environment's name from the rest of a function's.
func (e environment) separator() string { return strings.TrimSuffix(e.suffix, e.name) }

// divide finds the environments, and which of them owns a layer: the one with most of its
// functions, as only one may publish and prune it.
func (im *importing) divide() environments {
	var list environments
	for _, suffix := range im.Suffixes {
		list.names = append(list.names, environment{EnvironmentOfSuffix(suffix), suffix})
	}
	if im.Name != "" && !slices.ContainsFunc(list.names, func(e environment) bool { return e.name == im.Name }) {
		list.names = append(list.names, environment{im.Name, ""})
	}
	im.environments = list
	users := map[string]map[string]int{}
	for i, s := range im.regions {
		for _, env := range list.names {
			for _, f := range im.membersOf(env, i) {
				for _, v := range f.Layers {
					if name := v.Layer().Name(); isLive(s, v) {
						if users[name] == nil {
							users[name] = map[string]int{}
						}
						users[name][env.name]++
					}
				}
			}
		}
	}
	list.owners = map[string]string{}
	for name, by := range users {
		most := 0
		for _, env := range list.names {
			if by[env.name] > most {
				most, list.owners[name] = by[env.name], env.name
			}
		}
	}
	return list
}

// EnvironmentOfSuffix returns the name of the environment whose functions end so.
func EnvironmentOfSuffix(suffix string) string { return strings.TrimLeft(suffix, separators) }

// environmentOf returns whose function it is by its name; empty = nobody's.
func (im *importing) environmentOf(function string) string {
	longest, name := -1, im.Name
	for _, env := range im.names {
		if env.suffix != "" && strings.HasSuffix(function, env.suffix) && len(env.suffix) > longest {
			longest, name = len(env.suffix), env.name
		}
	}
	return name
}

// nameInGit returns what a live layer is called in Git, and whether the environment
// owns it there. Most of its layers decide how the names of all are made.
func (im *importing) nameInGit(env environment, live string) (name string, owned bool) {
	owned = im.owners[live] == env.name
	if !im.suffixed(env) {
		return live, owned
	}
	base := strings.TrimSuffix(live, env.suffix)
	if base != live && base != "" {
		return base, owned
	}
	return im.free(env, live), false
}

// suffixed reports whether the layers of an environment end as its functions do.
func (im *importing) suffixed(env environment) bool {
	with, without := 0, 0
	for live, owner := range im.owners {
		switch {
		case owner != env.name || env.suffix == "":
		case len(live) > len(env.suffix) && strings.HasSuffix(live, env.suffix):
			with++
		default:
			without++
		}
	}
	return with > 0 && with >= without
}

// free returns what a layer is called whose name does not end as those of the environment
// do: as no other layer is called there.
func (im *importing) free(env environment, live string) string {
	name := live
	for {
		_, base := im.owners[name+env.suffix]
		_, other := im.owners[name]
		if !base && (!other || name == live) {
			return name
		}
		name += "-shared"
	}
}
