package desired

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// What AWS takes as tags of a parameter.
const (
	mostTags     = 50
	longestKey   = 128 // characters
	longestValue = 256
)

// tagText is what keys and values of tags consist of.
var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// announce fills in whether what is applied and proven of a layer is written to
// parameters, and with which tags. Layers that layerd publishes are by default; a team
// that has not granted the rights for it sees no difference for the others.
func (b *builder) announce(w *LayerWish, info *layerInfo, e Environment) {
	w.Parameters = w.Source != nil
	for _, said := range []*bool{b.file.Parameters, b.file.Layers[w.Name].Parameters} {
		if said != nil {
			w.Parameters = *said
		}
	}
	all := info.root.Get("metadata")
	if !w.Parameters || all == nil || all.Kind != mapping {
		return
	}
	values := map[string]string{"NAME": w.Name, "ENVIRONMENT": e.Name, "REGION": e.Region, "PARTITION": e.Partition, "ACCOUNT": e.Account}
	w.Metadata = map[string]string{}
	for i, key := range all.Keys {
		n := all.Items[i]
		text := expandText(n.Text, values)
		why := tagProblem(key.Text, strings.ReplaceAll(text, "${VERSION}", "0.0.0"))
		switch {
		case n.Kind != scalar: // reported by the schema
		case why != "":
			b.warning("bad_tag", key.Where(), fmt.Sprintf("%q of metadata is no tag of the parameters: %s", key.Text, why), "")
		case len(w.Metadata) == mostTags:
			b.warning("bad_tag", key.Where(), fmt.Sprintf("%q of metadata is no tag of the parameters: they take %d", key.Text, mostTags), "")
		default:
			w.Metadata[key.Text] = text
		}
	}
}

// tagProblem returns why AWS would not take a tag; empty where it would.
func tagProblem(key, value string) string {
	switch {
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return "keys that begin with aws: are AWS's own"
	case key == "" || utf8.RuneCountInString(key) > longestKey:
		return fmt.Sprintf("a key has 1 to %d characters", longestKey)
	case utf8.RuneCountInString(value) > longestValue:
		return fmt.Sprintf("a value has at most %d characters", longestValue)
	case !tagText.MatchString(key + value):
		return "letters, digits, spaces and _ . : / = + - @ are allowed"
	}
	return ""
}

// Tags returns the tags of the layer's parameters while they name a version: the
// semantic one, or the number where that is not known.
func (w LayerWish) Tags(version string) map[string]string {
	tags := maps.Clone(w.Metadata)
	for _, key := range slices.Collect(maps.Keys(tags)) {
		tags[key] = expandText(tags[key], map[string]string{"VERSION": version})
	}
	return tags
}
