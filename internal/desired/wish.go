package desired

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// wish makes one layer of an environment. ok is false when too little is right
// to say which layer it is.
func (b *builder) wish(name string, e Environment) (w LayerWish, ok bool) {
	f, at, info := b.file.Layers[name], b.root.Get("layers", name), b.layers[name]
	w = LayerWish{Name: name, Owned: !at.Has("arn"), First: f.Position == "first", AllowRuntime: f.AllowRuntime}
	w.Version, w.At = b.version(name, f, at)
	w.Functions = selectors(at.Get("functions"), f.Functions)
	w.Except = selectors(at.Get("except"), f.Except)
	b.unexpandedVersion(at)
	if !at.Has("functions") {
		b.problem("missing_functions", b.positionOf(at), fmt.Sprintf("layer %q has no functions", name), "")
	} else if fs := at.Get("functions"); fs != nil && len(fs.Items) == 0 && !fs.Damaged {
		b.warning("no_functions", fs.Where(), fmt.Sprintf("functions of layer %q is empty: it goes nowhere", name), "")
	}
	if w.Owned {
		b.ownLayer(&w, info, e)
	} else {
		b.foreignLayer(&w, f, at, e)
	}
	w.Pins = b.pins(name, f, at, w)
	b.doubtLayer(w, at, info)
	b.doubtPins(w)
	b.withdrawn(w, at)
	return w, w.Layer != ""
}

// version finds the wish's version for the Region and where it stands.
func (b *builder) version(name string, f layerEntry, at *node) (Version, Position) {
	n, text := at.Get("version"), f.Version.text
	if f.Version.byRegion != nil {
		text = string(f.Version.byRegion[b.region])
		if text == "" && !n.Damaged {
			b.problem("missing_version", b.positionOf(n), fmt.Sprintf("layer %q has no version for %s", name, b.region), "")
			return Version{}, n.Where()
		}
		n = n.Nearest(b.region)
	}
	if n == nil {
		where := b.positionOf(at)
		if at.Has("version") {
			return Version{}, where
		}
		if b.file.AutoUpdate && !at.Has("arn") {
			return Version{Kind: Latest, Text: "latest"}, where
		}
		b.problem("missing_version", where, fmt.Sprintf("layer %q has no version", name)+b.originOf(at), "")
		return Version{}, where
	}
	v, err := ParseVersion(text)
	if err != nil {
		if text != "" {
			b.form(n, versionForm(text))
		}
		return Version{}, n.Where()
	}
	if (v.Kind == Range || v.Kind == Latest) && !b.file.AutoUpdate && !b.root.Lost["auto_update"] && !at.Has("arn") {
		b.problem("needs_auto_update", b.positionOf(n), fmt.Sprintf("version %s needs auto_update: true, or write an exact version", v), "")
	}
	return v, n.Where()
}

// withdrawn judges a wanted version by what the layer's file says of it: one that was
// yanked is not wanted again, one that is deprecated is only told.
func (b *builder) withdrawn(w LayerWish, at *node) {
	where := b.positionOf(at.Get("version"))
	if reason, is := w.notedOf(w.Yanked, w.Version); is {
		b.problem("yanked_version", where, fmt.Sprintf("%s of layer %q is yanked: %s", w.Version, w.Name, reason), "")
	}
	if reason, is := w.notedOf(w.Deprecated, w.Version); is {
		b.warning("deprecated_version", where, fmt.Sprintf("%s of layer %q is deprecated: %s", w.Version, w.Name, reason), "")
	}
}

// notedOf returns what a list of versions, yanked or deprecated, has of v: of an exact
// version, or of a number that known names.
func (w *LayerWish) notedOf(list map[string]string, v Version) (reason string, is bool) {
	switch v.Kind {
	case Exact:
		reason, is = list[v.Text]
	case Number:
		for _, text := range slices.Sorted(maps.Keys(w.Known)) {
			if said, listed := list[text]; listed && w.Known[text] == v.Number {
				return said, true
			}
		}
	}
	return reason, is
}

// unexpandedVersion reports ${VERSION} where the version is a range or none.
func (b *builder) unexpandedVersion(at *node) {
	at.Each(nil, func(_ []string, n *node) {
		if strings.Contains(n.Text, "${VERSION}") {
			b.problem("unknown_variable", n.Where(), "${VERSION} has no value where the version is a range, latest or none", "")
		}
	})
}

// ownLayer fills in what a layer of our own has: its live name, what its
// layer.yaml holds, and how many of its versions are kept.
func (b *builder) ownLayer(w *LayerWish, info *layerInfo, e Environment) {
	live := b.file.LayerName
	if live == "" && !b.root.Has("layer_name") {
		live = "${NAME}"
	}
	values := map[string]string{"NAME": w.Name}
	if w.Version.Kind == Exact || w.Version.Kind == Number {
		values["VERSION"] = w.Version.Text
	}
	live = expandText(live, values)
	at := b.positionOf(b.root.Get("layers", w.Name))
	switch {
	case live == "":
	case strings.Contains(live, "${VERSION}"):
		b.problem("unknown_variable", at, "layer_name has ${VERSION}, which has no value where the version is a range, latest or none", "")
	case strings.Contains(live, "${"): // reported for the file
	case !layerNameShape.MatchString(live):
		b.problem("bad_layer_name", at, fmt.Sprintf("%q, the name of layer %q here, is not a layer name: up to 140 letters, digits, - and _", live, w.Name), "")
	default:
		w.Layer = state.NewLayerARN(e.Partition, e.Region, e.Account, live)
	}
	if info == nil && len(b.layers) > 0 {
		b.warning("layer_without_file", at, fmt.Sprintf("no layers/*/layer.yaml is named %q", w.Name), nearest(w.Name, slices.Sorted(maps.Keys(b.layers))))
	}
	if info == nil {
		info = &layerInfo{}
	}
	values["ENVIRONMENT"], values["REGION"], values["PARTITION"], values["ACCOUNT"] = e.Name, e.Region, e.Partition, e.Account
	w.Description = expandText(info.file.Description, values)
	title, _, versioned := strings.Cut(info.file.Description, "${VERSION}")
	if versioned {
		title = strings.TrimSuffix(title, "v")
	}
	w.Title = strings.TrimSpace(expandText(title, values))
	for _, r := range info.file.CompatibleRuntimes {
		w.Runtimes = append(w.Runtimes, string(r))
	}
	for _, a := range info.file.CompatibleArchitectures {
		w.Architectures = append(w.Architectures, string(a))
	}
	delete(values, "VERSION") // a pin publishes another one
	b.source(w, info, values)
	b.announce(w, info, e)
	w.Known = info.known(e.Name, e.Region)
	w.Yanked, w.Deprecated = byVersion(info.file.Yanked), byVersion(info.file.Deprecated)
	w.Retention = b.retention(w.Name, info)
	b.shareWith(w, info, e.Account)
}

// foreignLayer fills in a layer that others publish.
func (b *builder) foreignLayer(w *LayerWish, f layerEntry, at *node, e Environment) {
	for _, key := range []string{"retention", "share_with", "parameters"} {
		if n := at.Get(key); n != nil {
			b.problem("not_ours", n.Key.Position, fmt.Sprintf("layer %q is published by others: %s does not apply", w.Name, key), "")
		}
	}
	if w.Version.Text != "" && w.Version.Kind != Number && w.Version.Kind != None {
		b.problem("needs_number", b.positionOf(at.Get("version")), fmt.Sprintf("layer %q is published by others and needs a number (or none), not %s", w.Name, w.Version), "")
	}
	n, text := at.Get("arn"), f.ARN.text
	if f.ARN.byRegion != nil {
		if text = f.ARN.byRegion[b.region]; text == "" && !n.Damaged {
			b.problem("missing_arn", b.positionOf(n), fmt.Sprintf("layer %q has no arn for %s", w.Name, b.region)+b.originOf(n), "")
		}
		n = n.Nearest(b.region)
	}
	if text == "" || strings.Contains(text, "${") {
		return
	}
	arn, err := state.ParseLayerARN(text)
	if err != nil {
		b.form(n, arnForm(text))
		return
	}
	partition := strings.Split(text, ":")[1]
	if r := arn.Region(); r != "" && (r != e.Region || partition != e.Partition) {
		b.problem("arn_region", n.Where(), fmt.Sprintf("a function in %s (%s) cannot use a layer in %s (%s)", e.Region, e.Partition, r, partition), "write ${REGION} and ${PARTITION}")
	}
	w.Layer = arn
}

func selectors(at *node, list []selectorEntry) []Selector {
	var all []Selector
	for i, s := range list {
		all = append(all, Selector{Name: s.Name, Tags: s.Tags, Runtime: s.Runtime, Architecture: s.Architecture,
			Attached: s.Attached != nil && *s.Attached, At: at.Items[i].Position})
	}
	return all
}

// pins are the layer's own, then those of the environment that name it.
func (b *builder) pins(name string, f layerEntry, at *node, w LayerWish) []Pin {
	var all []Pin
	for i, p := range f.Pins {
		n := at.Get("pins", strconv.Itoa(i))
		if p.Layer != "" && p.Layer != name {
			b.problem("unknown_layer", n.Get("layer").Where(), fmt.Sprintf("a pin of layer %q is about another layer", name), "put it into the environment's pins")
		}
		all = append(all, b.pin(p, n, w))
	}
	for i, p := range b.file.Pins {
		if p.Layer == name {
			all = append(all, b.pin(p, b.root.Get("pins", strconv.Itoa(i)), w))
		}
	}
	return all
}

func (b *builder) pin(f pinFile, n *node, w LayerWish) Pin {
	p := Pin{Functions: selectors(n.Get("functions"), f.Functions), Reason: f.Reason, Owner: f.Owner, At: n.Position}
	b.unexpandedVersion(n)
	v, err := ParseVersion(string(f.Version))
	at := n.Get("version")
	switch {
	case err != nil:
		b.form(at, versionForm(string(f.Version)))
	case v.Kind != Exact && v.Kind != Number:
		b.problem("pin_not_exact", at.Where(), fmt.Sprintf("a pin needs an exact version or a number, not %s", v), "")
	case v.Kind == Exact && !w.Owned:
		b.problem("needs_number", at.Where(), fmt.Sprintf("layer %q is published by others and needs a number, not %s", w.Name, v), "")
	}
	const pinned = "functions are pinned to %s of layer %q, which is %s: %s"
	if reason, is := w.notedOf(w.Yanked, v); is {
		b.warning("yanked_version", at.Where(), fmt.Sprintf(pinned, v, w.Name, "yanked", reason), "")
	}
	if reason, is := w.notedOf(w.Deprecated, v); is {
		b.warning("deprecated_version", at.Where(), fmt.Sprintf(pinned, v, w.Name, "deprecated", reason), "")
	}
	p.Version = v
	p.Until = b.until(n.Get("until"), f.Until)
	if b.expired(p.Until) {
		b.problem("expired", n.Get("until").Where(), "the pin ended "+words.Moment(p.Until, b.timeZone()), "remove it, or set a later date")
	}
	return p
}

// retention merges the three places field by field.
func (b *builder) retention(name string, info *layerInfo) Retention {
	at := []*node{b.root.Get("layers", name, "retention"), b.root.Get("retention"), info.root.Get("retention_policy")}
	from := []retentionFile{b.file.Layers[name].Retention.retentionFile, b.file.Retention.retentionFile, info.file.RetentionPolicy.retentionFile}
	var m retentionFile
	var keepAt, ageAt *node
	for i, f := range from {
		if m.VersionsToKeep == nil && f.VersionsToKeep != nil {
			m.VersionsToKeep, keepAt = f.VersionsToKeep, at[i].Get("versions_to_keep")
		}
		if m.DeleteOlderThanDays == nil && f.DeleteOlderThanDays != nil {
			m.DeleteOlderThanDays, ageAt = f.DeleteOlderThanDays, at[i].Get("delete_older_than_days")
		}
		if m.Grace == "" {
			m.Grace = f.Grace
		}
		if m.FunctionVersions == nil {
			m.FunctionVersions = f.FunctionVersions
		}
	}
	if m.VersionsToKeep == nil {
		if ageAt != nil {
			b.warning("retention_without_keep", ageAt.Where(), fmt.Sprintf("nothing of layer %q is pruned: versions_to_keep is not set", name), "")
		}
		return Retention{}
	}
	r := Retention{Keep: *m.VersionsToKeep, Grace: 24 * time.Hour, FunctionVersions: 5}
	if r.Keep < 2 {
		two := "2"
		if keepAt.Inner == 0 { // the short form
			two = "2 versions"
		}
		b.warning("retention_too_small", keepAt.Where(), fmt.Sprintf("2 versions are kept, not %d: the newest and what a rollback goes to; without the key nothing is pruned", r.Keep), two)
		r.Keep = 2
	}
	if m.DeleteOlderThanDays != nil {
		r.OlderThan = time.Duration(*m.DeleteOlderThanDays) * 24 * time.Hour
	}
	if m.Grace != "" {
		r.Grace = length(m.Grace)
	}
	if m.FunctionVersions != nil {
		r.FunctionVersions = *m.FunctionVersions
	}
	return r
}
