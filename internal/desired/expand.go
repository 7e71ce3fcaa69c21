package desired

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// variable finds ${NAME}, and ${ without an end.
var variable = regexp.MustCompile(`\$\{([^}]*)(\}?)`)

func environmentVariables() []string {
	return []string{"ENVIRONMENT", "REGION", "PARTITION", "ACCOUNT"}
}
func layerVariables() []string { return []string{"NAME", "VERSION"} }

// variables checks the names of all variables in a file of an environment, or,
// where everything is about a layer, in layer.yaml.
func variables(root *node, layer bool) []Problem {
	var problems []Problem
	root.Each(nil, func(path []string, n *node) {
		known := environmentVariables()
		if path[0] == "defaults" {
			path = path[1:]
		}
		if layer || len(path) > 1 && path[0] == "layers" || len(path) == 1 && path[0] == "layer_name" {
			known = append(known, layerVariables()...)
		}
		problems = append(problems, unknownVariables(n, known)...)
	})
	eachKey(root, func(k *node) {
		if strings.Contains(k.Text, "${") {
			problems = append(problems, problemAt("unknown_variable", k.Position, "variables work in values, not in keys", ""))
		}
	})
	return problems
}

func unknownVariables(n *node, known []string) []Problem {
	var problems []Problem
	for _, m := range variable.FindAllStringSubmatchIndex(n.Text, -1) {
		name, closed := n.Text[m[2]:m[3]], m[4] != m[5]
		at := n.Inside(utf8.RuneCountInString(n.Text[:m[0]]))
		if at.Length == 1 && at != n.Where() {
			at.Length = utf8.RuneCountInString(n.Text[m[0]:m[1]])
		}
		switch {
		case !closed:
			problems = append(problems, problemAt("unknown_variable", at, "a variable without its closing }", ""))
		case !slices.Contains(known, name):
			p := problemAt("unknown_variable", at, fmt.Sprintf("unknown variable ${%s}; known here are %s", name, strings.Join(known, ", ")), "")
			if s := nearest(name, known); s != "" {
				p.Suggestion = "${" + s + "}"
			}
			problems = append(problems, p)
		}
	}
	return problems
}

// eachKey calls f for every key of every mapping below n.
func eachKey(n *node, f func(k *node)) {
	if n == nil {
		return
	}
	for _, k := range n.Keys {
		f(k)
	}
	for _, item := range n.Items {
		eachKey(item, f)
	}
}

// expand returns n with variables replaced. One without a value here stays as
// it is, for a later expansion to find.
func expand(n *node, values map[string]string) *node {
	if n == nil {
		return nil
	}
	if n.Kind == scalar {
		if !strings.Contains(n.Text, "${") {
			return n
		}
		c := *n
		c.Inner, c.Tag = 0, "!!str"
		c.Text = expandText(n.Text, values)
		return &c
	}
	c := *n
	c.Items = make([]*node, len(n.Items))
	for i, item := range n.Items {
		c.Items[i] = expand(item, values)
	}
	return &c
}

func expandText(text string, values map[string]string) string {
	return variable.ReplaceAllStringFunc(text, func(m string) string {
		if v, ok := values[strings.Trim(m, "${}")]; ok && strings.HasSuffix(m, "}") {
			return v
		}
		return m
	})
}

// expandEnvironment expands a merged environment for one Region.
func expandEnvironment(env *node, values map[string]string) *node {
	layers := env.Get("layers")
	env = expand(env, values)
	if layers == nil || layers.Kind != mapping {
		return env
	}
	expanded := *env.Get("layers")
	expanded.Items = slices.Clone(expanded.Items)
	for i, l := range expanded.Items {
		of := map[string]string{"NAME": expanded.Keys[i].Text}
		if v, ok := fixedVersion(l, values["REGION"]); ok {
			of["VERSION"] = v
		}
		expanded.Items[i] = expand(l, of)
	}
	return env.Set(layers.Key, &expanded)
}

// fixedVersion returns the version of a layer where it is known without looking
// at AWS: not for a range, latest or none.
func fixedVersion(layer *node, region string) (string, bool) {
	v := layer.Get("version")
	if v != nil && v.Kind == mapping {
		v = v.Get(region)
	}
	if v == nil || v.Kind != scalar {
		return "", false
	}
	parsed, err := ParseVersion(v.Text)
	if err != nil || parsed.Kind != Exact && parsed.Kind != Number {
		return "", false
	}
	return parsed.Text, true
}
