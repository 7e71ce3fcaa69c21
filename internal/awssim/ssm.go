package awssim

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

const (
	maxParameter = 4096 // characters of a value of the standard tier
	maxLevels    = 15   // of a hierarchy
)

// routeSSM finds an operation of Parameter Store, the part of Systems Manager that
// is here.
func (c *call) routeSSM(body []byte) *apiError {
	route, ok := map[string]func(*call, []byte) *apiError{
		"PutParameter":           ssmOp((*call).putParameter),
		"GetParameter":           ssmOp((*call).getParameter),
		"GetParameters":          ssmOp((*call).getParameters),
		"GetParametersByPath":    ssmOp((*call).getParametersByPath),
		"DeleteParameter":        ssmOp((*call).deleteParameter),
		"AddTagsToResource":      ssmOp((*call).addParameterTags),
		"RemoveTagsFromResource": ssmOp((*call).removeParameterTags),
		"ListTagsForResource":    ssmOp((*call).listParameterTags),
	}[c.log.Operation]
	if !ok {
		return unsupported("ssm:" + c.log.Operation)
	}
	c.log.Write = !strings.HasPrefix(c.log.Operation, "Get") && !strings.HasPrefix(c.log.Operation, "List")
	return route(c, body)
}

// ssmOp reads the input and ties it to what carries it out.
func ssmOp[In any](do func(*call, *In) (any, *apiError)) func(*call, []byte) *apiError {
	return func(c *call, body []byte) *apiError {
		in := new(In)
		if err := json.Unmarshal(body, in); err != nil {
			return refuse(400, "SerializationException", "%v", err)
		}
		var named struct{ Name, Path, ResourceId string }
		_ = json.Unmarshal(body, &named) // it could be read once
		c.log.Input, c.log.Resource = in, named.Name+named.Path+named.ResourceId
		c.do = func(c *call) (any, *apiError) { return do(c, in) }
		return nil
	}
}

func invalidParameter(format string, args ...any) *apiError {
	return refuse(400, "ValidationException", format, args...)
}

var (
	parameterPattern = regexp.MustCompile(`^(?:/[a-zA-Z0-9_.-]+)+$|^[a-zA-Z0-9_.-]+$`)
	parameterTag     = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+@-]*$`)
)

const badParameterName = `Parameter name: can't be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths ` +
	`divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`

// checkParameterName is for a name that is to be written; a name that is read only
// needs the shape.
func (c *call) checkParameterName(name string) *apiError {
	first := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case len(name) < 1 || len(name) > 2048:
		return violation(name, "name", "Member must have length less than or equal to 2048")
	case strings.HasPrefix(first, "aws"):
		return refuse(400, "AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case strings.HasPrefix(first, "ssm"):
		return invalidParameter("%s", badParameterName)
	case strings.HasSuffix(name, "/"):
		return invalidParameter("Parameter name must not end with slash.")
	case strings.Contains(name, "/") && name[0] != '/':
		return invalidParameter("Parameter name must be a fully qualified name.")
	case !parameterPattern.MatchString(name):
		return invalidParameter("%s", badParameterName)
	case strings.Count(name, "/") > maxLevels:
		return refuse(400, "HierarchyLevelLimitExceededException", "Parameter hierarchies can have a maximum of %d levels. Shorten the "+
			"hierarchy, and try again.", maxLevels)
	case len(parameterARN(c.store.place, name)) > 1011:
		return invalidParameter("Parameter name is too long: its ARN can have 1011 characters.")
	}
	return nil
}

func (c *call) putParameter(in *ssm.PutParameterInput) (any, *apiError) {
	if e := refuseUnmodelled(map[string]bool{
		"AllowedPattern": in.AllowedPattern != nil, "KeyId": in.KeyId != nil, "Policies": in.Policies != nil,
		"DataType": in.DataType != nil && *in.DataType != "text", "Type": in.Type != "" && in.Type != types.ParameterTypeString,
		"Tier": in.Tier != "" && in.Tier != types.ParameterTierStandard,
	}); e != nil {
		return nil, e
	}
	name, overwrite := str(in.Name), in.Overwrite != nil && *in.Overwrite
	if e := c.checkParameterName(name); e != nil {
		return nil, e
	}
	if e := checkParameter(in, overwrite); e != nil {
		return nil, e
	}
	p := c.store.parameters[name]
	switch {
	case p != nil && !overwrite:
		return nil, refuse(400, "ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case p == nil && in.Type == "":
		return nil, invalidParameter("A parameter type is required when you create a parameter.")
	case p == nil:
		p = &Parameter{Account: c.store.account, Region: c.store.region, Name: name, Type: string(in.Type), Tags: parameterTags(in.Tags)}
		c.store.parameters[name] = p
	}
	p.Value, p.Modified = str(in.Value), c.now
	p.Version++
	if in.Description != nil {
		p.Description = *in.Description
	}
	return struct {
		Tier    string
		Version int64
	}{"Standard", p.Version}, nil
}

func checkParameter(in *ssm.PutParameterInput, overwrite bool) *apiError {
	switch {
	case str(in.Value) == "":
		return violation("", "value", "Member must have length greater than or equal to 1.")
	case len([]rune(*in.Value)) > maxParameter:
		return invalidParameter("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, "+
			"upgrade the parameter to use the advanced-parameter tier. For more information, see "+
			"https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", maxParameter)
	case len([]rune(str(in.Description))) > 1024:
		return violation(*in.Description, "description", "Member must have length less than or equal to 1024")
	case overwrite && len(in.Tags) > 0:
		return invalidParameter("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove " +
			"overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	return checkParameterTags(nil, in.Tags)
}

// checkParameterTags holds what is added to what there is to the rules.
func checkParameterTags(there map[string]string, more []types.Tag) *apiError {
	all := maps.Clone(there)
	if all == nil {
		all = map[string]string{}
	}
	for _, t := range more {
		k, v := str(t.Key), str(t.Value)
		switch {
		case len([]rune(k)) < 1 || len([]rune(k)) > 128:
			return violation(k, "tags.member.key", "Member must have length less than or equal to 128")
		case len([]rune(v)) > 256:
			return violation(v, "tags.member.value", "Member must have length less than or equal to 256")
		case !parameterTag.MatchString(k) || !parameterTag.MatchString(v):
			return violation(k+"="+v, "tags", `Member must satisfy regular expression pattern: ^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$`)
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return invalidParameter("Tag keys that start with 'aws:' are reserved.")
		}
		all[k] = v
	}
	if len(all) > maxTags {
		return refuse(400, "TooManyTagsError", "The Targets parameter includes too many tags. Remove one or more tags and try the command again.")
	}
	return nil
}

func parameterTags(tags []types.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[str(t.Key)] = str(t.Value)
	}
	return out
}

// stillThere finds a parameter by the plain name.
func (c *call) stillThere(name string) (*Parameter, *apiError) {
	switch {
	case strings.Contains(name, ":"):
		return nil, unsupported("versions, labels and ARNs in the name of a parameter")
	case !parameterPattern.MatchString(name):
		return nil, invalidParameter("%s", badParameterName)
	case c.store.parameters[name] == nil:
		return nil, refuse(400, "ParameterNotFound", "Parameter %s not found.", name)
	}
	return c.store.parameters[name], nil
}

func (c *call) deleteParameter(in *ssm.DeleteParameterInput) (any, *apiError) {
	if _, e := c.stillThere(str(in.Name)); e != nil {
		return nil, e
	}
	delete(c.store.parameters, *in.Name)
	return struct{}{}, nil
}

// taggedParameter finds what a call about tags means. An ARN is not taken.
func (c *call) taggedParameter(kind types.ResourceTypeForTagging, id string) (*Parameter, *apiError) {
	switch {
	case !slices.Contains(kind.Values(), kind):
		return nil, refuse(400, "InvalidResourceType", "The resource type is not valid. For example, if you are attempting to tag an EC2 instance, the instance must be a registered managed node.")
	case kind != types.ResourceTypeForTaggingParameter:
		return nil, unsupported("tags of anything but parameters")
	case c.store.parameters[id] == nil:
		return nil, refuse(400, "InvalidResourceId", "The resource ID is not valid. Verify that you entered the correct ID and try again.")
	}
	return c.store.parameters[id], nil
}

func (c *call) addParameterTags(in *ssm.AddTagsToResourceInput) (any, *apiError) {
	p, e := c.taggedParameter(in.ResourceType, str(in.ResourceId))
	if e != nil {
		return nil, e
	}
	if e := checkParameterTags(p.Tags, in.Tags); e != nil {
		return nil, e
	}
	p.Tags = maps.Clone(p.Tags)
	if p.Tags == nil {
		p.Tags = map[string]string{}
	}
	maps.Copy(p.Tags, parameterTags(in.Tags))
	return struct{}{}, nil
}

func (c *call) removeParameterTags(in *ssm.RemoveTagsFromResourceInput) (any, *apiError) {
	p, e := c.taggedParameter(in.ResourceType, str(in.ResourceId))
	if e != nil {
		return nil, e
	}
	p.Tags = maps.Clone(p.Tags)
	for _, k := range in.TagKeys {
		delete(p.Tags, k)
	}
	return struct{}{}, nil
}

func (c *call) listParameterTags(in *ssm.ListTagsForResourceInput) (any, *apiError) {
	p, e := c.taggedParameter(in.ResourceType, str(in.ResourceId))
	if e != nil {
		return nil, e
	}
	out := []tagDoc{}
	for _, k := range sortedKeys(p.Tags) {
		out = append(out, tagDoc{k, p.Tags[k]})
	}
	return struct{ TagList []tagDoc }{out}, nil
}

// parameterDoc is a parameter as it is read: without its description and its tags.
type parameterDoc struct {
	Name, Type, Value, ARN, DataType string
	LastModifiedDate                 float64
	Version                          int64
}

func (p *Parameter) doc() parameterDoc {
	return parameterDoc{Name: p.Name, Type: p.Type, Value: p.Value, ARN: parameterARN(place{p.Account, p.Region}, p.Name), DataType: "text",
		LastModifiedDate: float64(p.Modified.Truncate(time.Millisecond).UnixMilli()) / 1000, Version: p.Version}
}

func parameterARN(p place, name string) string {
	return "arn:" + partition(p.region) + ":ssm:" + p.region + ":" + p.account + ":parameter/" + strings.TrimPrefix(name, "/")
}
