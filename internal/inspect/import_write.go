package inspect

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/layerd/layerd/internal/words"
)

var (
	looksLikeVersion = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)
	// plainScalar is text that YAML takes as it is written, whoever reads it.
	plainScalar = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _./-]*[A-Za-z0-9_]$`)
	// means something else in YAML, of one version of it or another.
	notText = regexp.MustCompile(`^(?i:y|n|yes|no|true|false|on|off|null)$`)
)

// scalar writes a text as YAML, in quotes where it needs them.
func scalar(text string) string {
	if plainScalar.MatchString(text) && !notText.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}

// version writes a version as YAML: 12 and 1.4.1 need no quotes, 1.4.1-rc.1 neither.
func version(text string) string { return text }

// yamlText is a file that is being written.
type yamlText struct{ strings.Builder }

func (t *yamlText) line(format string, args ...any) {
	fmt.Fprintf(t, format, args...)
	t.WriteByte('\n')
}

// comment writes text as a comment, wrapped.
func (t *yamlText) comment(indent, format string, args ...any) {
	const most = 88
	line := indent + "#"
	for word := range strings.FieldsSeq(fmt.Sprintf(format, args...)) {
		if len(line)+1+len(word) > most && line != indent+"#" {
			t.line("%s", line)
			line = indent + "#"
		}
		line += " " + word
	}
	t.line("%s", line)
}

// list writes a list, on one line where it is short.
func (t *yamlText) list(indent, key string, values []string) {
	short := make([]string, len(values))
	for i, v := range values {
		short[i] = scalar(v)
	}
	if line := indent + key + ": [" + strings.Join(short, ", ") + "]"; len(line) <= 88 {
		t.line("%s", line)
		return
	}
	t.line("%s%s:", indent, key)
	for _, v := range short {
		t.line("%s  - %s", indent, v)
	}
}

func (im *importing) defaultsText() string {
	t := &yamlText{}
	t.line("# yaml-language-server: $schema=schema/layerd.schema.json\n#")
	t.comment("", "Written by layerd import from what account %s has. Defaults of all environments; what an environment file says itself wins: maps merge key by key, lists replace.", im.regions[0].Account)
	t.line("")
	t.line("defaults:")
	t.line("  account: %q # always in quotes: an account may begin with 0", im.regions[0].Account)
	if im.Role != "" {
		t.line("  role: %s", im.Role)
	}
	t.line("")
	t.comment("  ", "layerd tells everything and changes nothing, until this line is taken away or an environment says mode: apply.")
	t.line("  mode: observe")
	t.line("")
	t.comment("  ", "Nothing is pruned before there is a retention: 20 versions.")
	if left := im.leftOver(); len(left) > 0 {
		t.line("")
		t.comment("", "No environment has these functions, as no suffix fits their names:")
		t.names(left)
	}
	return t.String()
}

// leftOver returns the functions with layers that are in no environment.
func (im *importing) leftOver() (list []LeftOut) {
	for i, s := range im.regions {
		for _, f := range s.Functions {
			if len(f.Layers) > 0 && !f.Edge && im.environmentOf(f.Name) == "" {
				left := LeftOut{f.Name, im.regions[i].Region, "", "no suffix fits its name"}
				im.out.LeftOut = append(im.out.LeftOut, left)
				list = append(list, left)
			}
		}
	}
	return list
}

// most functions that a comment names.
const mostNamed = 20

// names writes what was left out as a comment.
func (t *yamlText) names(list []LeftOut) {
	for i, l := range list {
		if i == mostNamed {
			t.line("#   and %d more", len(list)-i)
			return
		}
		what := ""
		if l.Layer != "" {
			what = " has " + l.Layer + ", of which"
		}
		if l.Layer != "" {
			t.line("#   %s (%s)%s %s", l.Function, l.Region, what, l.Reason)
			continue
		}
		t.line("#   %s (%s): %s", l.Function, l.Region, l.Reason)
	}
}

func (im *importing) environmentText(d *draft) string {
	t := &yamlText{}
	t.line("# yaml-language-server: $schema=../schema/layerd.schema.json\n#")
	t.comment("", "%s as layerd import found it: %s with %s.", d.name, words.Count(len(d.selected), "function"), words.Count(len(d.layers), "layer"))
	if len(d.left) > 0 {
		t.line("#")
		t.comment("", "Left out, since layerd has nothing to do there:")
		t.names(d.left)
		im.out.LeftOut = append(im.out.LeftOut, d.left...)
	}
	t.line("")
	if len(d.places) == 1 {
		t.line("region: %s", d.places[0])
	} else {
		t.list("", "regions", d.places)
	}
	im.layerNameLine(t, d)
	if len(d.unmanaged) > 0 {
		t.line("")
		t.comment("", "Layers of others. layerd keeps them, and their order, and does not report them as extra. To set their versions too, move one to layers, with its arn, a number as version, and functions.")
		t.line("unmanaged:")
		for _, u := range d.unmanaged {
			t.line("  - %s", strconv.Quote(u))
		}
	}
	t.line("\nlayers:")
	for i, l := range d.layers {
		if i > 0 {
			t.line("")
		}
		im.writeLayer(t, d, l)
	}
	return t.String()
}

// layerNameLine returns the line by which live names are made, where they are not those of layer.yaml.
func (im *importing) layerNameLine(t *yamlText, d *draft) {
	i := slices.IndexFunc(d.layers, func(l draftLayer) bool { return l.owned && l.name != l.live })
	if i < 0 {
		return
	}
	end := d.suffix
	if d.name == d.environment.name {
		end = d.separator() + "${ENVIRONMENT}"
	}
	t.line("layer_name: ${NAME}%s # %s is %s live", end, d.layers[i].name, d.layers[i].live)
}

func (im *importing) writeLayer(t *yamlText, d *draft, l draftLayer) {
	t.line("  %s:", scalar(l.name))
	if !l.owned {
		t.comment("    ", "%s", im.notOwned(d, l))
		t.line("    arn: arn:${PARTITION}:lambda:${REGION}:${ACCOUNT}:layer:%s", l.live)
	}
	if len(slices.Compact(slices.Clone(l.versions))) == 1 {
		line := "    version: " + version(l.versions[0])
		if len(l.versions) == 1 {
			line += im.versionNote(d, l, l.versions[0], l.numbers[0])
		}
		t.line("%s", line)
	} else {
		t.line("    version:")
		for at, text := range l.versions {
			t.line("      %s: %s", d.places[at], version(text))
		}
	}
	t.line("    functions:")
	for _, f := range l.functions {
		t.line("      - %s", strconv.Quote(f))
	}
	if len(l.except) > 0 {
		t.line("    except:")
		for _, f := range l.except {
			t.line("      - %s", strconv.Quote(f))
		}
	}
	if len(l.pins) == 0 {
		return
	}
	t.comment("    ", "These have another version than most. Take one away to bring its functions to the version above.")
	t.line("    pins:")
	for _, p := range l.pins {
		line := "      - version: " + version(p.version)
		t.line("%s", line+im.versionNote(d, l, p.version, p.number))
		t.list("        ", "functions", p.functions)
		t.line("        reason: had it when layerd import looked")
		t.line("        owner: %s", scalar(im.Owner))
	}
}

// versionNote returns what else a version is called, as a comment: its number, or of a
// number the version that its Description names further inside. A number of 0 is another one
// in each Region.
func (im *importing) versionNote(d *draft, l draftLayer, text string, number int64) string {
	switch n := strconv.FormatInt(number, 10); {
	case number == 0:
		return ""
	case n != text:
		return " # number " + n
	case len(d.regions) == 1 && l.owned:
		if mentioned := im.catalog(l, d.regions[0]).Mentioned(number); mentioned != "" {
			return " # its Description has v" + mentioned
		}
	}
	return ""
}

// notOwned returns why a layer of the account is named by its ARN.
func (im *importing) notOwned(d *draft, l draftLayer) string {
	if owner := im.owners[l.live]; owner != d.environment.name {
		return fmt.Sprintf("Owned by %s, which publishes it; only one environment may own a layer, and the others name it by its ARN and a number.", owner)
	}
	return "Named by its ARN, since its name does not end as layer_name does; as it is, layerd neither publishes nor prunes it."
}

func (im *importing) layerText(l *importedLayer) string {
	t := &yamlText{}
	t.line("# yaml-language-server: $schema=../../schema/layerd.schema.json")
	t.line("name: %s", scalar(l.name))
	if l.description != "" {
		t.line("description: %s", scalar(l.description))
	}
	if len(l.runtimes) > 0 {
		t.list("", "compatible_runtimes", l.runtimes)
	}
	if len(l.architectures) > 0 {
		t.list("", "compatible_architectures", l.architectures)
	}
	t.line("")
	t.comment("", "Where layerd finds the archive of a version that AWS does not have yet:")
	t.line("# artifact: s3://BUCKET/%s/${VERSION}.zip", l.name)
	if len(l.silent) > 0 {
		im.writeSilent(t, l)
	}
	return t.String()
}

// writeSilent writes how to name the numbers whose Descriptions do not begin with a version:
// by the words that stand before it, or each by itself. Nothing is guessed: the version may
// be that of a dependency.
func (im *importing) writeSilent(t *yamlText, l *importedLayer) {
	t.line("")
	t.comment("", "The Descriptions of these numbers do not begin with a version, so that the environments ask for the numbers: %s.", im.silentNumbers(l.silent))
	title, example := l.silentTitle()
	if title != "" {
		t.comment("", "%s: where that is this layer's own version, say what stands before it, and the Descriptions are read:", strconv.Quote(example))
		t.line("# description: %s", scalar(title))
		t.comment("", "Or name the numbers:")
	} else {
		t.comment("", "Name them here to ask for the names:")
	}
	t.line("# known:")
	for _, line := range im.knownLines(l.silent) {
		t.line("#   %s", line)
	}
}

// silentNumbers returns "prod in eu-west-1: 3, 4; dev in eu-west-1: 7".
func (im *importing) silentNumbers(list []silentVersion) string {
	var parts []string
	for i, v := range list {
		n := strconv.FormatInt(v.number, 10)
		if i > 0 && list[i-1].env == v.env && list[i-1].region == v.region {
			parts[len(parts)-1] += ", " + n
			continue
		}
		parts = append(parts, v.env+" in "+v.region+": "+n)
	}
	return strings.Join(parts, "; ")
}

// silentTitle returns the words that stand before the version in all the Descriptions, and
// one of these; empty where they are not the same, or where layer.yaml has some already.
func (l *importedLayer) silentTitle() (title, example string) {
	if l.description != "" {
		return "", ""
	}
	for _, v := range l.silent {
		if v.mentioned == "" || strings.ContainsFunc(v.description, unicode.IsControl) {
			return "", ""
		}
		words := titleOf(v.description, v.mentioned)
		if words == "" || title != "" && words != title {
			return "", ""
		}
		title, example = words, v.description
	}
	return title, words.Truncate(example, 60)
}

// knownLines returns the numbers as known has them. A number whose Description names no
// version is called 1.0.0, for a person to change.
func (im *importing) knownLines(list []silentVersion) (lines []string) {
	type key struct{ version, env string }
	numbers := map[key]map[string]int64{} // by Region
	versions := map[string][]string{}     // the environments of each
	for _, v := range list {
		file, is := im.files[[2]string{v.env, v.region}]
		if !is {
			continue
		}
		k := key{cmp.Or(v.mentioned, "1.0.0"), file}
		if numbers[k] == nil {
			numbers[k] = map[string]int64{}
			versions[k.version] = append(versions[k.version], file)
		}
		numbers[k][v.region] = v.number // the highest of several: one version is one number
	}
	for _, version := range sortedKeys(versions) {
		var envs []string
		for _, env := range versions[version] {
			envs = append(envs, env+": "+regionNumbers(numbers[key{version, env}]))
		}
		lines = append(lines, version+": {"+strings.Join(envs, ", ")+"}")
	}
	return lines
}

// regionNumbers returns one number, or where Regions differ a map of them.
func regionNumbers(by map[string]int64) string {
	var list []string
	distinct := map[int64]bool{}
	for _, region := range sortedKeys(by) {
		distinct[by[region]] = true
		list = append(list, region+": "+strconv.FormatInt(by[region], 10))
	}
	if len(distinct) == 1 {
		return strings.SplitN(list[0], ": ", 2)[1]
	}
	return "{" + strings.Join(list, ", ") + "}"
}
