package inspect

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// stackOf returns which stack made a function and as which of its resources, by the tags
// that CloudFormation leaves on all that it makes; empty = none did. The function's name
// would not do: where CloudFormation makes it, that is STACK-LOGICAL-RANDOM, of which it
// shortens both until there are 64 characters, and other names look the same.
func stackOf(f state.Function) (stack, logical string) {
	return f.Tags["aws:cloudformation:stack-name"], f.Tags["aws:cloudformation:logical-id"]
}

// layersProperty returns the lines that a template has to have.
func layersProperty(layers state.Layers) string {
	lines := []string{"Layers:"}
	for _, l := range layers {
		lines = append(lines, "  - "+string(l))
	}
	return strings.Join(lines, "\n")
}

// stackUndoes is what a stack does to layers that its template does not name.
const stackUndoes = "a deploy that changes Layers in the template, and each with REVERT_DRIFT, puts back what the template says; one that names what is live is at peace"

// StackFights finds, by the tags that CloudFormation leaves, the stacks whose functions
// are to be managed. The tags have to be in the snapshots.
func StackFights(t Territory) (fights []Fight) {
	stacks := map[string]*Fight{}
	for _, s := range t.Regions {
		for _, f := range s.Functions {
			stack, _ := stackOf(f)
			if stack == "" || !t.Manages(s.Region, f.Name) {
				continue
			}
			where := stack + " (" + s.Region + ")"
			if stacks[where] == nil {
				stacks[where] = &Fight{Tool: "cloudformation", Where: where, Peace: layersProperty(f.Layers), Message: stackUndoes}
			}
			stacks[where].Functions = append(stacks[where].Functions, s.Region+"/"+f.Name)
		}
	}
	for _, where := range sortedKeys(stacks) {
		fights = append(fights, *stacks[where])
	}
	return fights
}

// maxTemplate is more than CloudFormation takes, which is a mebibyte.
const maxTemplate = 4 << 20

// TemplateFights finds the functions with Layers in a CloudFormation or SAM template, or
// those in a list of a stack's resources, in YAML or JSON. The tags of functions have to be
// in the snapshots: where a template leaves a name to CloudFormation, they alone say which
// function it became.
func TemplateFights(file string, data []byte, t Territory) ([]Fight, error) {
	if len(data) > maxTemplate {
		return nil, errors.New("it is larger than CloudFormation takes")
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" ")) // which YAML has none of, between the tokens of JSON
	}
	root, err := strictyaml.ParseLoose(data)
	if err != nil {
		return nil, fmt.Errorf("it is not YAML or JSON: %w", err)
	}
	for _, key := range []string{"StackResources", "StackResourceSummaries"} {
		if list := root.Get(key); list != nil {
			return resourceFights(file, list.Items, t), nil
		}
	}
	resources := root.Get("Resources")
	if resources == nil {
		return nil, errors.New("it is no template: it has no Resources")
	}
	fights := []Fight{}
	global := root.Get("Globals", "Function", "Layers")
	for i, logical := range resources.Keys {
		r := resources.Get(logical)
		kind := r.Get("Type")
		if kind == nil || i >= len(resources.Items) || kind.Text != "AWS::Lambda::Function" && kind.Text != "AWS::Serverless::Function" {
			continue
		}
		at := r.Get("Properties", "Layers")
		if at == nil && kind.Text == "AWS::Serverless::Function" {
			at = global
		}
		if at == nil {
			continue
		}
		if f, ok := t.template(logical, r.Get("Properties", "FunctionName")); ok {
			f.Where = fmt.Sprintf("%s:%d", file, at.Line)
			fights = append(fights, f)
		}
	}
	slices.SortStableFunc(fights, func(a, b Fight) int { return cmp.Compare(a.Where, b.Where) })
	return fights, nil
}

// resourceFights finds the functions in what aws cloudformation describe-stack-resources,
// or list-stack-resources, prints: it names them as they are live.
func resourceFights(file string, resources []*strictyaml.Loose, t Territory) []Fight {
	text := func(r *strictyaml.Loose, key string) string {
		if at := r.Get(key); at != nil {
			return at.Text
		}
		return ""
	}
	fights := []Fight{}
	for _, r := range resources {
		physical, stack := text(r, "PhysicalResourceId"), text(r, "StackId")
		if text(r, "ResourceType") != "AWS::Lambda::Function" || physical == "" {
			continue
		}
		names, layers := t.functions(func(region string, f state.Function) bool {
			return f.Name == physical && (stack == "" || strings.Contains(stack, ":cloudformation:"+region+":"))
		})
		if len(names) > 0 {
			fights = append(fights, Fight{Tool: "cloudformation", Where: fmt.Sprintf("%s:%d", file, r.Line), Functions: names, Peace: layersProperty(layers),
				Message: text(r, "LogicalResourceId") + " is this function: " + stackUndoes})
		}
	}
	return fights
}

// substitution is what !Sub puts in at deploy time.
var substitution = regexp.MustCompile(`\$\{[^}]*\}`)

// statedName returns the name that a template states, as a glob where parts of it are put
// in at deploy time. ok is false where it states none.
func statedName(name *strictyaml.Loose) (glob string, ok bool) {
	if name == nil {
		return "", false
	}
	is := name.Tag == "!!str" || name.Tag == "!Sub"
	if sub := name.Get("Fn::Sub"); sub != nil {
		name, is = sub, true
	}
	if len(name.Items) > 0 && !name.Mapping {
		name = name.Items[0] // of !Sub with values of its own, the text
	}
	glob = substitution.ReplaceAllString(name.Text, "*")
	return glob, is && strings.Trim(glob, "*"+separators) != ""
}

// template returns the fight about one function of a template. ok is false where it is
// certain that none of its functions is managed.
func (t Territory) template(logical string, name *strictyaml.Loose) (f Fight, ok bool) {
	glob, stated := statedName(name)
	var stacks []string
	names, layers := t.functions(func(_ string, f state.Function) bool {
		stack, resource := stackOf(f)
		if resource != "" {
			is := resource == logical && (!stated || desired.Glob(glob, f.Name))
			if is {
				stacks = append(stacks, stack)
			}
			return is
		}
		return stated && desired.Glob(glob, f.Name)
	})
	f = Fight{Tool: "cloudformation", Functions: names, Peace: layersProperty(layers),
		Message: logical + " has Layers: a deploy that changes them there, and each with REVERT_DRIFT, puts back what the template says"}
	slices.Sort(stacks)
	if stacks = slices.DeleteFunc(slices.Compact(stacks), func(s string) bool { return s == "" }); len(stacks) > 0 {
		f.Message += "; tags say so: made by " + words.And(stacks)
	}
	switch {
	case len(names) > 1:
		f.Message += "; each of the functions has to have its own layers there"
	case len(names) == 0 && !stated && name != nil:
		f.Functions, f.Message = []string{}, f.Message+"; which function it is, the template does not say, and no tag does"
		f.Peace = "Layers: the ARNs that are live, or no Layers at all"
		return f, true
	}
	return f, len(names) > 0
}
