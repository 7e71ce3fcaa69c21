package inspect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// AdoptWorld is one Region of an environment, as far as one function of it goes.
type AdoptWorld struct {
	Want     desired.Environment
	Function state.Function
	// Have has the versions of the own layers that select the function, and Applied which
	// number each version of a layer stood for when it was first applied.
	Have    *state.Snapshot
	Applied map[state.LayerARN]map[string]int64
}

// Adoption is a pin that makes a change by hand the wish of Git.
type Adoption struct {
	Layer   string `json:"layer"`
	Version string `json:"version"` // as the pin has it
	Number  int64  `json:"number"`  // that the function has
	Wanted  string `json:"wanted"`  // what Git asked for so far
	// Pinned is where the pin stands that holds the function now; zero = none does.
	Pinned desired.Position `json:"-"`
}

// CannotAdopt is why there is nothing that a pin could keep, and what to do instead.
type CannotAdopt struct{ Message, Advice string }

func (e *CannotAdopt) Error() string { return e.Message }

// Adopt returns the pins that one function needs so that Git asks for what it has; the
// Regions are those of one environment in which it exists, at least one.
func Adopt(worlds []AdoptWorld) (list []Adoption, err error) {
	selected, has := false, map[string][]string{} // by layer, what the function has in each Region
	for _, w := range worlds {
		for i := range w.Want.Layers {
			wish := &w.Want.Layers[i]
			if !wish.Selects(w.Function) {
				continue
			}
			selected = true
			a, differs, err := w.adopt(wish)
			if err != nil {
				return nil, err
			}
			has[wish.Name] = append(has[wish.Name], a.Version)
			if differs && !contains(list, wish.Name) {
				list = append(list, a)
			}
		}
	}
	switch {
	case worlds[0].Function.Image || worlds[0].Function.Edge:
		return nil, &CannotAdopt{worlds[0].Function.Name + " is an image or a replica of Lambda@Edge, of which layerd changes nothing", ""}
	case !selected:
		return nil, &CannotAdopt{fmt.Sprintf("no layer of environment %s selects %s", worlds[0].Want.Name, worlds[0].Function.Name), "a pin holds a function only that a layer selects: look at functions and except"}
	case len(list) == 0:
		return nil, worlds[0].nothing()
	}
	for _, a := range list { // what is as Git wants has numbers of its own in each Region
		for _, other := range has[a.Layer] {
			if other != a.Version {
				return nil, &CannotAdopt{fmt.Sprintf("%s has %s of %s in one Region and %s in another, and a pin has one version", worlds[0].Function.Name, a.Version, a.Layer, other),
					"make them the same, or write an environment for each Region"}
			}
		}
	}
	return list, nil
}

func contains(list []Adoption, layer string) bool {
	for _, a := range list {
		if a.Layer == layer {
			return true
		}
	}
	return false
}

// adopt compares the function with one wish.
func (w AdoptWorld) adopt(wish *desired.LayerWish) (a Adoption, differs bool, err error) {
	f := w.Function
	c := catalog.New(*wish, w.Have, w.Applied[wish.Layer])
	v, pin := wish.Wants(f)
	want := c.Resolve(v, desired.Position{})
	if pin != nil {
		want = c.ResolvePin(v, desired.Position{})
	}
	have := f.Layers.Number(wish.Layer)
	a = Adoption{Layer: wish.Name, Number: have, Wanted: v.Text, Version: strconv.FormatInt(have, 10)}
	if pin != nil {
		a.Pinned = pin.At
	}
	if label, err := desired.ParseVersion(c.Label(have)); wish.Owned && err == nil && label.Kind == desired.Exact && c.ResolvePin(label, desired.Position{}).Number == have {
		a.Version = label.Text
	}
	if want.Problem == nil && want.Missing == nil && want.Number == have {
		return a, false, nil
	}
	switch {
	case have == 0:
		return a, false, &CannotAdopt{fmt.Sprintf("%s does not have %s, and no pin asks for none", f.Name, wish.Name),
			fmt.Sprintf("to keep it so, add the function to except of layer %s", wish.Name)}
	case wish.Owned && !c.Live(have):
		return a, false, &CannotAdopt{fmt.Sprintf("%s has version %d of %s, which is deleted: no pin can ask for it", f.Name, have, wish.Name),
			"let it go back to what Git wants, or publish that version anew"}
	}
	return a, true, nil
}

// nothing returns why a function that has what Git wants needs no adoption; what is
// attached beside that is not a pin's to keep.
func (w AdoptWorld) nothing() error {
	var extra []string
	for _, v := range w.Function.Layers {
		named := w.Want.LeavesAlone(v)
		for i := range w.Want.Layers {
			named = named || v.Of(w.Want.Layers[i].Layer)
		}
		if !named {
			extra = append(extra, string(v))
		}
	}
	e := &CannotAdopt{w.Function.Name + " has what Git wants: there is nothing to adopt", ""}
	if len(extra) > 0 {
		e.Message = w.Function.Name + " has what Git wants, and beside that " + strings.Join(extra, ", ") + ", which Git does not name"
		e.Advice = "list it under unmanaged to leave it alone, or under layers with arn, a number and functions to manage it"
	}
	return e
}

// PinLines returns a pin as the keys and values of YAML. An empty layer is left out, as in
// the pins of one.
func (a Adoption) PinLines(layer, function, until, reason, owner string) []string {
	var lines []string
	if layer != "" {
		lines = append(lines, "layer: "+scalar(layer))
	}
	lines = append(lines, "functions: ["+scalar(function)+"]", "version: "+a.Version)
	if until != "" {
		lines = append(lines, "until: "+strconv.Quote(until))
	}
	return append(lines, "reason: "+scalar(reason), "owner: "+scalar(owner))
}

// CheckAdopted returns why what would be written is not what is meant; nil = the function
// is pinned then to what it has, and every pin of before is still there.
func CheckAdopted(before, after desired.Tree, worlds []AdoptWorld, pins []Adoption) error {
	type place struct{ environment, region, layer string }
	was := map[place][]string{}
	for _, e := range before.Environments {
		for i := range e.Layers {
			was[place{e.Name, e.Region, e.Layers[i].Name}] = pinTexts(&e.Layers[i])
		}
	}
	env := worlds[0].Want.Name
	for _, e := range after.Environments {
		for i := range e.Layers {
			w := &e.Layers[i]
			at := place{e.Name, e.Region, w.Name}
			more := 0
			if e.Name == env && contains(pins, w.Name) {
				more = 1
			}
			if now := pinTexts(w); len(now) != len(was[at])+more || !holdsAll(now, was[at]) {
				return errors.New("with the pin in the file the repository would ask for something else as well")
			}
			delete(was, at)
		}
		for _, w := range worlds {
			for _, p := range pins {
				if e.Name == env && e.Region == w.Want.Region && !pinned(e, w.Function, p) {
					return fmt.Errorf("another pin of layer %s comes before the new one, and holds the function", p.Layer)
				}
			}
		}
	}
	if len(was) > 0 {
		return errors.New("with the pin in the file the repository would ask for less than before")
	}
	return nil
}

func pinned(e desired.Environment, f state.Function, p Adoption) bool {
	for i := range e.Layers {
		if w := &e.Layers[i]; w.Name == p.Layer {
			v, pin := w.Wants(f)
			return pin != nil && v.Text == p.Version
		}
	}
	return false
}

// pinTexts writes the pins of a wish without their places, which a new one moves.
func pinTexts(w *desired.LayerWish) (list []string) {
	for _, p := range w.Pins {
		text := []string{p.Version.Text, p.Until.String(), p.Reason, p.Owner}
		for _, s := range p.Functions {
			s.At = desired.Position{}
			text = append(text, fmt.Sprintf("%+v", s))
		}
		list = append(list, strings.Join(text, "\x00"))
	}
	return list
}

func holdsAll(list, part []string) bool {
	for _, text := range part {
		if !slices.Contains(list, text) {
			return false
		}
	}
	return true
}

// AdoptMessage returns the message of the commit that adopts.
func AdoptMessage(environment, function string, pins []Adoption, reason, owner, until string) string {
	var names []string
	for _, p := range pins {
		names = append(names, p.Layer+" "+p.Version)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: pin %s to %s\n\n%s\n\n", environment, function, strings.Join(names, ", "), reason)
	for _, p := range pins {
		fmt.Fprintf(&text, "It has version %d of %s, set by hand; Git asked for %s.\n", p.Number, p.Layer, p.Wanted)
	}
	if until != "" {
		text.WriteString("Until " + until + ". ")
	}
	return text.String() + "Owner: " + owner + "."
}
