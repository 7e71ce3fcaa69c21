package awssim

import (
	"cmp"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// Parameter is a parameter of Parameter Store, as seeded and as looked at.
type Parameter struct {
	Account, Region string // default: the World's
	Name            string
	Type            string // default: String
	Value           string
	Description     string
	Tags            map[string]string
	Version         int64     // default: the next one
	Modified        time.Time // default: now
}

// PutParameter puts a parameter there, unchecked, in place of one that is: tags
// and all.
func (w *World) PutParameter(p Parameter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.Account, p.Region, p.Type = cmp.Or(p.Account, w.opts.Account), cmp.Or(p.Region, w.opts.Region), cmp.Or(p.Type, "String")
	p.Tags = maps.Clone(p.Tags)
	s := w.store(p.Account, p.Region)
	if there := s.parameters[p.Name]; there != nil {
		p.Version = cmp.Or(p.Version, there.Version+1)
	}
	p.Version = cmp.Or(p.Version, 1)
	if p.Modified.IsZero() {
		p.Modified = time.Now()
	}
	s.parameters[p.Name] = &p
}

// DropParameter deletes a parameter, by name or ARN, if it is there.
func (w *World) DropParameter(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.parameter(name); p != nil {
		delete(w.store(p.Account, p.Region).parameters, p.Name)
	}
}

// Parameter returns a copy of a parameter, by name or ARN.
func (w *World) Parameter(name string) (Parameter, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.parameter(name)
	if p == nil {
		return Parameter{}, false
	}
	return p.clone(), true
}

// Parameters returns copies of all parameters in all accounts and Regions, in the
// order of their ARNs.
func (w *World) Parameters() []Parameter {
	w.mu.Lock()
	defer w.mu.Unlock()
	byARN := map[string]Parameter{}
	for _, s := range w.stores {
		for name, p := range s.parameters {
			byARN[parameterARN(s.place, name)] = p.clone()
		}
	}
	var out []Parameter
	for _, arn := range sortedKeys(byARN) {
		out = append(out, byARN[arn])
	}
	return out
}

func (p *Parameter) clone() Parameter {
	out := *p
	out.Tags = maps.Clone(p.Tags)
	return out
}

// parameter finds one by name, at home, or by ARN. Callers hold mu.
func (w *World) parameter(nameOrARN string) *Parameter {
	parts := strings.SplitN(nameOrARN, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return w.store(w.opts.Account, w.opts.Region).parameters[nameOrARN]
	}
	name := strings.TrimPrefix(parts[5], "parameter/")
	in := w.store(parts[4], parts[3]).parameters
	return cmp.Or(in["/"+name], in[name])
}

func (c *call) getParameter(in *ssm.GetParameterInput) (any, *apiError) {
	p, e := c.stillThere(str(in.Name))
	if e != nil {
		return nil, e
	}
	return struct{ Parameter parameterDoc }{p.doc()}, nil
}

// getParameters names what is not there instead of failing.
func (c *call) getParameters(in *ssm.GetParametersInput) (any, *apiError) {
	if len(in.Names) < 1 || len(in.Names) > 10 {
		return nil, violation(list(in.Names), "names", "Member must have length less than or equal to 10")
	}
	out := struct {
		Parameters        []parameterDoc
		InvalidParameters []string
	}{[]parameterDoc{}, []string{}}
	for _, name := range in.Names {
		p, e := c.stillThere(name)
		switch {
		case e == nil:
			out.Parameters = append(out.Parameters, p.doc())
		case e.status == 501:
			return nil, e
		default:
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, nil
}

// getParametersByPath does not have the parameter that is the path itself, and
// without Recursive nothing of deeper levels.
func (c *call) getParametersByPath(in *ssm.GetParametersByPathInput) (any, *apiError) {
	size, path := 10, str(in.Path)
	if in.MaxResults != nil {
		size = int(*in.MaxResults)
	}
	above := strings.TrimSuffix(path, "/")
	switch {
	case size < 1 || size > 10:
		return nil, violation(itoa(int32(size)), "maxResults", "Member must have value between 1 and 10")
	case len(in.ParameterFilters) > 0:
		return nil, unsupported("the member ParameterFilters")
	case !strings.HasPrefix(path, "/") || above != "" && !parameterPattern.MatchString(above):
		return nil, invalidParameter("The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". " +
			"It can't be prefixed with \\\"aws\\\" or \\\"ssm\\\" (case-insensitive). It must use only letters, numbers, or the following symbols: " +
			". (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash " +
			"symbol \"/\". Valid example: /get/parameters2-/by1./path0_.")
	}
	docs := []parameterDoc{}
	for _, name := range sortedKeys(c.store.parameters) {
		rest, below := strings.CutPrefix(name, above+"/")
		if !below && above == "" {
			rest, below = name, true // a name without a slash is at the root
		}
		if below && (in.Recursive != nil && *in.Recursive || !strings.Contains(rest, "/")) {
			docs = append(docs, c.store.parameters[name].doc())
		}
	}
	docs, next, ok := cut(c, docs, func(d parameterDoc) string { return d.Name }, in.NextToken, size)
	if !ok {
		return nil, refuse(400, "InvalidNextToken", "The specified token is not valid.")
	}
	return struct {
		Parameters []parameterDoc
		NextToken  *string `json:",omitempty"`
	}{docs, next}, nil
}
