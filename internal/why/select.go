package why

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

func line(at desired.Position, text string) Line {
	return Line{File: at.File, Line: at.Line, Text: text}
}

// NotSelected is why a layer's selectors do not choose the function.
type NotSelected struct {
	Layer, Reason string
	Line          // of the selector that comes nearest

	Near float64 // how near the selector comes: the greater the nearer
}

// notSelected returns what takes the function away from a layer, or which of the
// layer's selectors comes nearest to it and where that one fails.
func notSelected(w desired.LayerWish, f state.Function) NotSelected {
	matched := slices.ContainsFunc(w.Functions, func(s desired.Selector) bool { return s.Match(f, w.Layer) })
	if matched {
		for _, s := range w.Except {
			if s.Match(f, w.Layer) {
				return NotSelected{Layer: w.Name, Reason: "except takes it away", Line: line(s.At, s.Text()), Near: 2}
			}
		}
	}
	best := NotSelected{Layer: w.Name, Reason: "it has no selector", Line: line(w.At, ""), Near: -1}
	for _, s := range w.Functions {
		reason, near := misses(s, f, w.Layer)
		if near > best.Near {
			best = NotSelected{Layer: w.Name, Reason: reason, Line: line(s.At, s.Text()), Near: near}
		}
	}
	return best
}

// misses returns the first key of a selector that does not fit, and how near the
// selector comes: one whose name fits is nearer than any whose name does not.
func misses(s desired.Selector, f state.Function, layer state.LayerARN) (reason string, near float64) {
	if s.Name != "" && !desired.Glob(s.Name, f.Name) {
		return "the name does not match", levenshtein.Similarity(strings.Trim(s.Name, "*?"), f.Name, nil)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		if have, ok := f.Tags[key]; !ok {
			return "it has no tag " + key, 1
		} else if !desired.Glob(s.Tags[key], have) {
			return fmt.Sprintf("its tag %s is %s", key, have), 1
		}
	}
	if s.Runtime != "" && !desired.Glob(s.Runtime, f.Runtime) {
		return "its runtime is " + f.Runtime, 1
	}
	if s.Architecture != "" && s.Architecture != f.Architecture {
		return "its architecture is " + f.Architecture, 1
	}
	if _, _, has := f.Has(layer); s.Attached && !has {
		return "it does not have the layer", 1
	}
	return "the selector is empty", 0
}
