package strictyaml

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// jsonNumber is what JSON and all readers of YAML see the same number in:
	// 1e3 is text to some, .5 is not JSON.
	jsonNumber = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+][0-9]+)?)?$`)
	// otherBool and otherNumber are text to the parser and something else to
	// readers of YAML 1.1: 12:30 is 750 there.
	otherBool   = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$`)
	otherNumber = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$|^[-+]?[0-9_]*\.?[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?$`)
)

// JSON returns n as JSON, for values that are handed on and not read here: 1.0
// stays 1.0, a number of any length keeps its digits, and keys are sorted. Nothing
// is guessed: each value that is left empty or that readers of YAML disagree about
// is a problem, and then there is no JSON.
func (n *Node) JSON() (json.RawMessage, []Problem) {
	var w jsonWriter
	w.value(n)
	if len(w.problems) > 0 {
		return nil, w.problems
	}
	return w.Bytes(), nil
}

type jsonWriter struct {
	bytes.Buffer
	problems []Problem
}

func (w *jsonWriter) value(n *Node) {
	switch n.Kind {
	case Mapping:
		order := make([]int, len(n.Keys))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(i, j int) int { return cmp.Compare(n.Keys[i].Text, n.Keys[j].Text) })
		w.WriteByte('{')
		for i, at := range order {
			if i > 0 {
				w.WriteByte(',')
			}
			w.text(n.Keys[at].Text)
			w.WriteByte(':')
			w.value(n.Items[at])
		}
		w.WriteByte('}')
	case List:
		w.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				w.WriteByte(',')
			}
			w.value(item)
		}
		w.WriteByte(']')
	default:
		w.scalar(n)
	}
}

func (w *jsonWriter) scalar(n *Node) {
	plain := n.Inner == 1 // neither in quotes nor made of variables
	switch {
	case n.Tag == "!!null" && n.Text == "":
		w.problems = append(w.problems, NewProblem("wrong_type", n.Where(), "has no value", "null"))
	case n.Tag == "!!null":
		w.WriteString("null")
	case n.Tag == "!!bool":
		w.WriteString(strings.ToLower(n.Text))
	case (n.Tag == "!!int" || n.Tag == "!!float") && jsonNumber.MatchString(n.Text):
		w.WriteString(n.Text)
	case n.Tag == "!!int" || n.Tag == "!!float" || plain && otherNumber.MatchString(n.Text):
		w.problems = append(w.problems, NewProblem("ambiguous_value", n.Where(),
			fmt.Sprintf("%s is not a number to all readers of YAML and JSON; write plain digits (10, 0.5), or put text in quotes", n.Text), strconv.Quote(n.Text)))
	case plain && otherBool.MatchString(n.Text):
		w.problems = append(w.problems, NewProblem("ambiguous_value", n.Where(),
			fmt.Sprintf("some readers of YAML take %s for true or false; write that, or put text in quotes", n.Text), strconv.Quote(n.Text)))
	default:
		w.text(n.Text)
	}
}

func (w *jsonWriter) text(s string) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)         // text always has a JSON form, and a buffer takes it
	w.Truncate(w.Len() - 1) // the encoder ends it with a line end
}
