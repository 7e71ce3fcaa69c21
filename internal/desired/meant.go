package desired

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/window"
)

// meant returns what a value of the wrong type may have been meant as, in YAML: 240
// for a length of time is 240m, 20 for a retention is 20 versions. What the schema
// refuses at the place is not suggested.
func meant(n *node) []string {
	key := ""
	if n.Key != nil {
		key = n.Key.Text
	}
	switch {
	case n.Kind != scalar:
		return nil
	case n.Tag == "!!str" && (key == "smoke_test" || key == ""):
		return []string{"{function: " + strictyaml.Source(n.Text) + "}"}
	case n.Tag != "!!int" && n.Tag != "!!float":
		return nil
	}
	switch key {
	case "retention", "retention_policy":
		return []string{n.Text + " versions"}
	case "timezone":
		return []string{zoneOf(n.Text)}
	case "from", "until":
		return []string{likelyDate(n.Text)}
	case "timeout":
		if !inTimeout(n.Text + "s") {
			return nil
		}
		return []string{n.Text + "s"}
	case "grace", "healthy_for":
		return []string{n.Text + "h"}
	case "bake", "watch", "cutoff", "after", "duration":
		return []string{n.Text + "m"}
	}
	return []string{percentOf(n.Text), n.Text + ".0"} // a share, a version
}

// zoneOf returns the zone that an offset in hours stands for, if one zone is meant by
// it more than others.
func zoneOf(text string) string {
	hours, err := strconv.Atoi(text)
	if err != nil {
		return ""
	}
	_, err = window.LoadZone(fmt.Sprintf("%+03d:00", hours))
	if e, ok := errors.AsType[*window.ParseError](err); ok {
		return e.Suggestion
	}
	return ""
}

// likelyDate returns 20261228 as a date.
func likelyDate(text string) string {
	if e := freezeDateForm(text); e != nil {
		return e.Suggestion
	}
	return ""
}

// percentOf returns a share as a percentage.
func percentOf(text string) string {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v <= 0 || v > 1 {
		return ""
	}
	return strconv.FormatFloat(v*100, 'f', -1, 32) + "%"
}
