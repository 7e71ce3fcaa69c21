package deploy_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// template is a CloudFormation template whose functions are worked out for some
// parameters, so that tests see what AWS would.
type template struct {
	t          *testing.T
	root       map[string]any
	parameters map[string]any
}

// nothing is AWS::NoValue: whatever has it as a value is left out.
type nothing struct{}

// readTemplate reads a template with parameters on top of the defaults.
func readTemplate(t *testing.T, file string, parameters map[string]any) *template {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	root, ok := long(t, doc.Content[0]).(map[string]any)
	if !ok {
		t.Fatal("the template is not a mapping")
	}
	all := map[string]any{"AWS::Region": "ap-northeast-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws", "AWS::NoValue": nothing{}}
	for name, p := range root["Parameters"].(map[string]any) {
		p := p.(map[string]any)
		value, given := parameters[name]
		if !given {
			value, given = p["Default"]
		}
		if !given {
			t.Fatalf("parameter %s has no value", name)
		}
		if pattern, ok := p["AllowedPattern"].(string); ok && !regexp.MustCompile("^(?:"+pattern+")$").MatchString(fmt.Sprint(value)) {
			t.Errorf("parameter %s: %v does not match %s", name, value, pattern)
		}
		if text, ok := value.(string); ok && p["Type"] == "CommaDelimitedList" {
			list := []any{}
			for part := range strings.SplitSeq(text, ",") {
				list = append(list, part)
			}
			value = list
		}
		all[name] = value
	}
	return &template{t, root, all}
}

// long writes !Ref x as {Ref: x}, as JSON templates do.
func long(t *testing.T, n *yaml.Node) any {
	var value any
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = long(t, n.Content[i+1])
		}
		value = m
	case yaml.SequenceNode:
		l := []any{}
		for _, item := range n.Content {
			l = append(l, long(t, item))
		}
		value = l
	case yaml.ScalarNode:
		if strings.HasPrefix(n.Tag, "!!") {
			if err := n.Decode(&value); err != nil {
				t.Fatal(err)
			}
		} else {
			value = n.Value
		}
	default:
		t.Fatalf("line %d: an anchor, which CloudFormation does not keep", n.Line)
	}
	if name, ok := strings.CutPrefix(n.Tag, "!"); ok && !strings.HasPrefix(name, "!") {
		if name != "Ref" {
			name = "Fn::" + name
		}
		return map[string]any{name: value}
	}
	return value
}

// properties returns those of one resource, all functions worked out.
func (c *template) properties(resource string) map[string]any {
	c.t.Helper()
	r, ok := c.root["Resources"].(map[string]any)[resource].(map[string]any)
	if !ok {
		c.t.Fatalf("there is no resource %s", resource)
	}
	return c.value(r["Properties"]).(map[string]any)
}

var placeholder = regexp.MustCompile(`\$\{([^}]+)\}`)

func (c *template) value(v any) any {
	switch v := v.(type) {
	case []any:
		l := []any{}
		for _, item := range v {
			if item = c.value(item); item != (nothing{}) {
				l = append(l, item)
			}
		}
		return l
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return c.call(name, argument)
				}
			}
		}
		m := map[string]any{}
		for k, item := range v {
			if item = c.value(item); item != (nothing{}) {
				m[k] = item
			}
		}
		return m
	}
	return v
}

// call works out one function. A resource that is named becomes ${Name}.
func (c *template) call(name string, argument any) any {
	switch name {
	case "Ref":
		return c.ref(argument.(string))
	case "Fn::GetAtt":
		resource, _, _ := strings.Cut(argument.(string), ".")
		c.ref(resource)
		return "${" + argument.(string) + "}"
	case "Fn::Sub":
		return placeholder.ReplaceAllStringFunc(argument.(string), func(m string) string { return fmt.Sprint(c.ref(m[2 : len(m)-1])) })
	case "Fn::Join":
		list := c.value(argument).([]any)
		var parts []string
		for _, p := range list[1].([]any) {
			parts = append(parts, p.(string))
		}
		return strings.Join(parts, list[0].(string))
	case "Fn::Split":
		pair := c.value(argument).([]any)
		parts := []any{}
		for part := range strings.SplitSeq(pair[1].(string), pair[0].(string)) {
			parts = append(parts, part)
		}
		return parts
	case "Fn::Select":
		pair := c.value(argument).([]any)
		return pair[1].([]any)[pair[0].(int)]
	case "Fn::If":
		branches := argument.([]any)
		condition, ok := c.root["Conditions"].(map[string]any)[branches[0].(string)]
		if !ok {
			c.t.Fatalf("there is no condition %s", branches[0])
		}
		if c.value(condition).(bool) {
			return c.value(branches[1])
		}
		return c.value(branches[2])
	case "Fn::Not":
		return !c.value(argument).([]any)[0].(bool)
	case "Fn::Equals":
		pair := c.value(argument).([]any)
		return pair[0] == pair[1]
	}
	c.t.Fatalf("function %s is not known to this test", name)
	return nil
}

func (c *template) ref(name string) any {
	if v, ok := c.parameters[name]; ok {
		return v
	}
	if _, ok := c.root["Resources"].(map[string]any)[name]; !ok {
		c.t.Fatalf("%s is neither a parameter nor a resource", name)
	}
	return "${" + name + "}"
}

// at follows keys and list indices through what properties returns.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for i, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok || m[p] == nil {
				t.Fatalf("nothing at %v", path[:i+1])
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || len(l) <= p {
				t.Fatalf("nothing at %v", path[:i+1])
			}
			v = l[p]
		}
	}
	return v
}
