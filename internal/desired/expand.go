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
	root.each(nil, func(path []string, n *node) {
		known := environmentVariables()
		if layer || slices.Contains(path, "layers") && len(path) > 1 || slices.Contains(path, "layer_name") {
			known = append(known, layerVariables()...)
		}
		problems = append(problems, n.variables(known)...)
	})
	root.eachKey(func(k *node) {
		if strings.Contains(k.text, "${") {
			problems = append(problems, problemAt("unknown_variable", k.Position, "variables work in values, not in keys", ""))
		}
	})
	return problems
}

func (n *node) variables(known []string) []Problem {
	var problems []Problem
	for _, m := range variable.FindAllStringSubmatchIndex(n.text, -1) {
		name, closed := n.text[m[2]:m[3]], m[4] != m[5]
		at := n.inside(utf8.RuneCountInString(n.text[:m[0]]))
		if at.Length == 1 && at != n.where() {
			at.Length = utf8.RuneCountInString(n.text[m[0]:m[1]])
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
func (n *node) eachKey(f func(k *node)) {
	if n == nil {
		return
	}
	for _, k := range n.keys {
		f(k)
	}
	for _, item := range n.items {
		item.eachKey(f)
	}
}

// expand returns n with variables replaced. One without a value here stays as
// it is, for a later expansion to find.
func (n *node) expand(values map[string]string) *node {
	if n == nil {
		return nil
	}
	if n.kind == scalar {
		if !strings.Contains(n.text, "${") {
			return n
		}
		c := *n
		c.inner, c.tag = 0, "!!str"
		c.text = expandText(n.text, values)
		return &c
	}
	c := *n
	c.items = make([]*node, len(n.items))
	for i, item := range n.items {
		c.items[i] = item.expand(values)
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
	layers := env.get("layers")
	env = env.expand(values)
	if layers == nil || layers.kind != mapping {
		return env
	}
	expanded := *env.get("layers")
	expanded.items = slices.Clone(expanded.items)
	for i, l := range expanded.items {
		of := map[string]string{"NAME": expanded.keys[i].text}
		if v, ok := fixedVersion(l, values["REGION"]); ok {
			of["VERSION"] = v
		}
		expanded.items[i] = l.expand(of)
	}
	return env.set(layers.key, &expanded)
}

// fixedVersion gives the version of a layer where it is known without looking
// at AWS: not for a range, latest or none.
func fixedVersion(layer *node, region string) (string, bool) {
	v := layer.get("version")
	if v != nil && v.kind == mapping {
		v = v.get(region)
	}
	if v == nil || v.kind != scalar {
		return "", false
	}
	parsed, err := ParseVersion(v.text)
	if err != nil || parsed.Kind != Exact && parsed.Kind != Number {
		return "", false
	}
	return parsed.Text, true
}
