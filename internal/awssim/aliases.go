package awssim

import (
	"maps"
	"regexp"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Alias is a name that callers of a function use.
type Alias struct {
	Account, Region string // default: the World's
	Function, Name  string
	Version         string             // where it points
	Weights         map[string]float64 // share of traffic that goes to another version
	Description     string
	RevisionID      string
}

func (a *Alias) clone() Alias {
	c := *a
	c.Weights = maps.Clone(a.Weights)
	return c
}

// routesTo reports whether any traffic may reach version.
func (a *Alias) routesTo(version string) bool {
	_, weighted := a.Weights[version]
	return weighted || a.Version == version
}

var (
	aliasPattern  = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	digits        = regexp.MustCompile(`^[0-9]+$`)
	targetPattern = regexp.MustCompile(`^(\$LATEST(\.PUBLISHED)?|[0-9]+)$`)
)

type aliasDoc struct {
	AliasArn, Name, FunctionVersion, Description string
	RoutingConfig                                *routingDoc
	RevisionId                                   string
}

type routingDoc struct{ AdditionalVersionWeights map[string]float64 }

func (f *function) aliasDoc(a *Alias) aliasDoc {
	d := aliasDoc{f.arn(a.Name), a.Name, a.Version, a.Description, nil, a.RevisionID}
	if len(a.Weights) > 0 {
		d.RoutingConfig = &routingDoc{a.Weights}
	}
	return d
}

func (c *call) createAlias(in *lambda.CreateAliasInput) (any, *apiError) {
	name := str(in.Name)
	if !aliasPattern.MatchString(name) || digits.MatchString(name) {
		return nil, violation(name, "name", `Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)`)
	}
	f, _, e := c.function(str(in.FunctionName), "")
	if e != nil {
		return nil, e
	}
	a := &Alias{Account: f.account, Region: f.region, Function: f.name, Name: name,
		Version: str(in.FunctionVersion), Description: str(in.Description)}
	if in.RoutingConfig != nil {
		a.Weights = in.RoutingConfig.AdditionalVersionWeights
	}
	if e := f.checkRouting(a); e != nil {
		return nil, e
	}
	if f.aliases[name] != nil {
		return nil, conflict("Alias already exists: %s", f.arn(name))
	}
	a.RevisionID = c.w.newID()
	f.aliases[name] = a
	return f.aliasDoc(a), nil
}

// updateAlias keeps the weights when no RoutingConfig is sent; an empty one
// clears them. Every success changes the revision.
func (c *call) updateAlias(in *lambda.UpdateAliasInput) (any, *apiError) {
	f, old, e := c.alias(str(in.FunctionName), str(in.Name))
	if e != nil {
		return nil, e
	}
	if in.RevisionId != nil && *in.RevisionId != old.RevisionID {
		return nil, staleRevision("GetFunction/GetAlias")
	}
	a := old.clone()
	setText(&a.Version, in.FunctionVersion)
	setText(&a.Description, in.Description)
	if in.RoutingConfig != nil {
		a.Weights = in.RoutingConfig.AdditionalVersionWeights
	}
	if e := f.checkRouting(&a); e != nil {
		return nil, e
	}
	a.RevisionID = c.w.newID()
	f.aliases[a.Name] = &a
	delete(f.dealt, a.Name)
	if a.Version != old.Version {
		f.reallocate(c.w, a.Name, c.now)
	}
	return f.aliasDoc(&a), nil
}

// checkRouting holds an alias to the rules of weighted routing.
func (f *function) checkRouting(a *Alias) *apiError {
	if !targetPattern.MatchString(a.Version) {
		return violation(a.Version, "functionVersion", `Member must satisfy regular expression pattern: (\$LATEST(\.PUBLISHED)?|[0-9]+)`)
	}
	for _, v := range sortedKeys(a.Weights) {
		if w := a.Weights[v]; !digits.MatchString(v) || w < 0 || w > 1 {
			return violation("{"+v+"="+strconv.FormatFloat(w, 'g', -1, 64)+"}", "routingConfig.additionalVersionWeights",
				"Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]+], "+
					"Map values must satisfy constraint: [Member must have value less than or equal to 1.0 and greater than or equal to 0.0]")
		}
	}
	primary, ok := f.find(a.Version)
	if !ok {
		return notFound("Function not found: %s", f.arn(a.Version))
	}
	if len(a.Weights) > 1 {
		return invalidValue("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	for v := range a.Weights {
		second, ok := f.find(v)
		switch {
		case v == a.Version:
			return invalidValue("Invalid function version %s. Function version %s is already included in routing configuration.", v, v)
		case a.Version == "$LATEST":
			return invalidValue("$LATEST is not supported for an alias pointing to more than 1 version")
		case !ok:
			return notFound("Function not found: %s", f.arn(v))
		case second.Role != primary.Role || second.DeadLetterARN != primary.DeadLetterARN:
			return invalidValue("Versions of a weighted alias must have the same execution role and dead-letter queue.")
		}
	}
	return nil
}

func (c *call) alias(given, name string) (*function, *Alias, *apiError) {
	f, _, e := c.function(given, "")
	if e != nil {
		return nil, nil, e
	}
	a := f.aliases[name]
	if a == nil {
		return nil, nil, notFound("Cannot find alias arn: %s", f.arn(name))
	}
	return f, a, nil
}

func (c *call) getAlias(in *lambda.GetAliasInput) (any, *apiError) {
	f, a, e := c.alias(str(in.FunctionName), str(in.Name))
	if e != nil {
		return nil, e
	}
	return f.aliasDoc(a), nil
}

// listAliases filters by the primary version alone: an alias that sends a
// share of its traffic to a version is not found by that version.
func (c *call) listAliases(in *lambda.ListAliasesInput) (any, *apiError) {
	if e := checkMaxItems(in.MaxItems, 10000); e != nil {
		return nil, e
	}
	f, _, e := c.function(str(in.FunctionName), "")
	if e != nil {
		return nil, e
	}
	docs := []aliasDoc{}
	for _, name := range sortedKeys(f.aliases) {
		if a := f.aliases[name]; in.FunctionVersion == nil || a.Version == *in.FunctionVersion {
			docs = append(docs, f.aliasDoc(a))
		}
	}
	docs, next, e := page(c, docs, func(d aliasDoc) string { return d.Name }, in.Marker, in.MaxItems)
	if e != nil {
		return nil, e
	}
	return struct {
		Aliases    []aliasDoc
		NextMarker *string
	}{docs, next}, nil
}

// deleteAlias succeeds for an alias that is not there.
func (c *call) deleteAlias(in *lambda.DeleteAliasInput) (any, *apiError) {
	ref, e := c.functionRef(str(in.FunctionName), "")
	if e != nil {
		return nil, e
	}
	if f := c.store.functions[ref.name]; f != nil {
		delete(f.aliases, str(in.Name))
		delete(f.provisioned, str(in.Name))
	}
	return nil, nil
}
