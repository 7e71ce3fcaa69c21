package inspect

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// draft is one environment's file as a value.
type draft struct {
	environment
	name      string // of the file; the environment's own, or with the Region at its end
	regions   []int
	places    []string // names of the Regions
	layers    []draftLayer
	unmanaged []string
	selected  map[string]bool // REGION/FUNCTION with a layer that is asked for
	left      []LeftOut
}

// draftLayer is one layer of it.
type draftLayer struct {
	name, live string
	owned      bool
	versions   []string // what is asked for, by Region
	numbers    []int64  // what that is now, by Region
	functions  []string // selectors
	except     []string
	pins       []draftPin
}

// draftPin are the functions that have another version than most.
type draftPin struct {
	version   string
	number    int64 // 0 = it differs between Regions
	functions []string
}

func (d *draft) summary() ImportedEnvironment {
	s := ImportedEnvironment{Name: d.name, Regions: d.places, Functions: len(d.selected), Layers: len(d.layers)}
	for _, l := range d.layers {
		for _, p := range l.pins {
			s.Pinned += len(p.functions)
		}
	}
	return s
}

// draft makes one file of an environment's functions in some Regions. ok is false where
// one file cannot say what all of them have; of a single Region it always can.
func (im *importing) draft(env environment, name string, regions []int) (d *draft, ok bool) {
	d = &draft{environment: env, name: name, regions: regions, selected: map[string]bool{}}
	others, live := map[string]bool{}, map[string]bool{}
	var left []LeftOut
	for _, i := range regions {
		s := im.regions[i]
		d.places = append(d.places, s.Region)
		for _, f := range im.membersOf(env, i) {
			for _, v := range f.Layers {
				switch l := v.Layer(); {
				case isLive(s, v):
					live[l.Name()] = true
				case isOwn(s, l):
					left = append(left, LeftOut{f.Name, s.Region, l.Name(), "version " + strconv.FormatInt(v.Number(), 10) + " is deleted"})
				default:
					others[pattern(v, len(regions) > 1)] = true
				}
			}
		}
	}
	d.unmanaged = slices.Sorted(maps.Keys(others))
	d.left = append(im.cannotHaveLayers(env, regions), left...)
	for _, name := range slices.Sorted(maps.Keys(live)) {
		l, ok := im.draftLayer(d, name)
		if !ok {
			return nil, false
		}
		d.layers = append(d.layers, l)
	}
	return d, true
}

// pattern returns what stands under unmanaged for a layer: in every Region, where there
// are several, and whole for AWS's own old form.
func pattern(v state.LayerVersionARN, everywhere bool) string {
	l := v.Layer()
	if l == "" {
		return string(v)
	}
	if everywhere && l.Region() != "" {
		return strings.Replace(string(l), ":"+l.Region()+":", ":*:", 1)
	}
	return string(l)
}

// cannotHaveLayers returns the functions of an environment that layerd leaves alone.
func (im *importing) cannotHaveLayers(env environment, regions []int) (list []LeftOut) {
	for _, i := range regions {
		for _, f := range im.regions[i].Functions {
			if im.environmentOf(f.Name) != env.name {
				continue
			}
			switch region := im.regions[i].Region; {
			case f.Image:
				list = append(list, LeftOut{f.Name, region, "", "an image has no layers"})
			case f.Edge:
				list = append(list, LeftOut{f.Name, region, "", "a replica of Lambda@Edge has the layers of its original"})
			}
		}
	}
	return list
}

// draftLayer finds who has a layer, at which version, and with which selectors to say so.
func (im *importing) draftLayer(d *draft, live string) (l draftLayer, ok bool) {
	l = draftLayer{live: live}
	l.name, l.owned = im.nameInGit(d.environment, live)
	have := make([]map[string]int64, len(d.regions)) // function → number, by Region
	chosen, all := map[string]bool{}, map[string]bool{}
	for at, i := range d.regions {
		have[at] = im.numbersOf(d.environment, i, live)
		if len(have[at]) == 0 {
			return l, false // what is asked for here is not there
		}
		for name := range have[at] {
			chosen[name] = true
			d.selected[im.regions[i].Region+"/"+name] = true
		}
		for _, f := range im.regions[i].Functions {
			all[f.Name] = true
		}
	}
	for at, i := range d.regions {
		for _, f := range im.regions[i].Functions {
			if _, has := have[at][f.Name]; !has && chosen[f.Name] {
				return l, false // a function of this name has it in another Region only
			}
		}
	}
	l.functions, l.except = cover(slices.Sorted(maps.Keys(chosen)), slices.Sorted(maps.Keys(all)))
	return l, im.chooseVersions(d, &l, have)
}

// numbersOf returns which functions of an environment have a live version of a layer.
func (im *importing) numbersOf(env environment, region int, live string) map[string]int64 {
	s := im.regions[region]
	layer := state.NewLayerARN(s.Partition, s.Region, s.Account, live)
	numbers := map[string]int64{}
	for _, f := range im.membersOf(env, region) {
		if v := f.Layers.Of(layer); v != "" && isLive(s, v) {
			numbers[f.Name] = v.Number()
		}
	}
	return numbers
}

// chooseVersions asks for what most functions have, and pins the others to what they have.
// It reports whether one file can say so for all Regions.
func (im *importing) chooseVersions(d *draft, l *draftLayer, have []map[string]int64) bool {
	texts := make([]func(int64) string, len(d.regions))
	for at, i := range d.regions {
		texts[at] = im.texts(*l, i)
		n := commonest(have[at])
		l.numbers, l.versions = append(l.numbers, n), append(l.versions, texts[at](n))
	}
	pins := map[string]*draftPin{} // by version
	pinned := map[string]string{}  // function → version
	for at := range d.regions {
		for _, name := range slices.Sorted(maps.Keys(have[at])) {
			n := have[at][name]
			if n == l.numbers[at] {
				continue
			}
			text := texts[at](n)
			if pins[text] == nil {
				pins[text] = &draftPin{version: text, number: n}
			}
			p := pins[text]
			if p.number != n {
				p.number = 0
			}
			if was, is := pinned[name]; is && was != text {
				return false
			} else if !is {
				p.functions = append(p.functions, name)
			}
			pinned[name] = text
		}
	}
	for _, text := range slices.Sorted(maps.Keys(pins)) {
		slices.Sort(pins[text].functions)
		l.pins = append(l.pins, *pins[text])
	}
	return im.holdEverywhere(d, l, have, texts, pinned)
}

// holdEverywhere reports whether the pins are right in every Region: a pin has one version
// for all of them.
func (im *importing) holdEverywhere(d *draft, l *draftLayer, have []map[string]int64, texts []func(int64) string, pinned map[string]string) bool {
	for at, i := range d.regions {
		for name, text := range pinned {
			if n, here := have[at][name]; here && texts[at](n) != text {
				return false
			}
		}
		if len(d.regions) == 1 {
			continue
		}
		for _, p := range l.pins {
			if !l.owned || !im.means(*l, i, p.version) {
				return false
			}
		}
	}
	return true
}

// commonest returns the number that most have; of several, the highest.
func commonest(have map[string]int64) (number int64) {
	count, most := map[int64]int{}, 0
	for _, n := range have {
		count[n]++
	}
	for n, c := range count {
		if c > most || c == most && n > number {
			number, most = n, c
		}
	}
	return number
}

// texts returns what writes a number of a layer: the semantic version that its
// Description names, where that leads back to the number, and else the number.
func (im *importing) texts(l draftLayer, region int) func(int64) string {
	c := im.catalog(l, region)
	return func(n int64) string {
		number := strconv.FormatInt(n, 10)
		v, err := desired.ParseVersion(c.Label(n))
		if !l.owned || err != nil || v.Kind != desired.Exact || c.Resolve(v, desired.Position{}).Number != n {
			return number
		}
		return v.Text
	}
}

// means reports whether a version stands for a live number in a Region.
func (im *importing) means(l draftLayer, region int, text string) bool {
	v, err := desired.ParseVersion(text)
	return err == nil && im.catalog(l, region).Resolve(v, desired.Position{}).Number > 0
}

// catalog reads the layer's versions as a plan will, with the layer.yaml that is written.
func (im *importing) catalog(l draftLayer, region int) catalog.Catalog {
	s := im.regions[region]
	w := desired.LayerWish{Name: l.name, Layer: state.NewLayerARN(s.Partition, s.Region, s.Account, l.live), Owned: true}
	if info := im.layers[l.name]; info != nil {
		w.Title = info.description
	}
	return catalog.New(w, &s, nil)
}

// importedLayer is one layer.yaml.
type importedLayer struct {
	name                    string
	description             string
	runtimes, architectures []string
	silent                  []silentVersion
}

// silentVersion is a version in use whose Description does not begin with a version.
type silentVersion struct {
	env, region string
	number      int64
	description string
	mentioned   string // the version that the Description names further inside; empty = none
}

// describe makes a layer.yaml of the newest version of each own layer: of the first
// environment that has it.
func (im *importing) describe() {
	for _, env := range im.names {
		for i, s := range im.regions {
			for _, live := range slices.Sorted(maps.Keys(im.owners)) {
				name, owned := im.nameInGit(env, live)
				l, listed := s.Layer(state.NewLayerARN(s.Partition, s.Region, s.Account, live))
				if !owned || !listed || len(l.Versions) == 0 || im.layers[name] != nil {
					continue
				}
				newest := l.Versions[0]
				label := im.catalog(draftLayer{name: name, live: live}, i).Label(newest.Number)
				im.layers[name] = &importedLayer{name: name, description: titleOf(newest.Description, label),
					runtimes: newest.Runtimes, architectures: newest.Architectures}
			}
		}
	}
	for _, env := range im.names {
		for i := range im.regions {
			for _, live := range slices.Sorted(maps.Keys(im.owners)) {
				im.silence(env, i, live)
			}
		}
	}
}

// silence notes the versions in use whose Description does not say which they are.
func (im *importing) silence(env environment, region int, live string) {
	name, owned := im.nameInGit(env, live)
	if !owned {
		return
	}
	c := im.catalog(draftLayer{name: name, live: live}, region)
	numbers := map[int64]bool{}
	for _, n := range im.numbersOf(env, region, live) {
		if c.Label(n) == "" {
			numbers[n] = true
		}
	}
	l := im.layers[name]
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		l.silent = append(l.silent, silentVersion{env.name, im.regions[region].Region, n, c.Version(n).Description, c.Mentioned(n)})
	}
}

// titleOf returns what a Description says before its version. One that names a version
// somewhere else is for a person to shorten: it would stand before that of every version
// that is published from now on.
func titleOf(description, label string) string {
	title := description
	if label != "" {
		title, _, _ = strings.Cut(description, "v"+label)
	} else if strings.Contains(description, "${") || looksLikeVersion.MatchString(description) {
		return ""
	}
	title = strings.TrimFunc(title, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("-–—:：,、([{（［｛「【", r)
	})
	if strings.ContainsFunc(title, unicode.IsControl) || strings.Contains(title, "${") {
		return ""
	}
	return title
}
