package awssim

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	// functionPattern takes a name, a partial and a full ARN, each with or
	// without a qualifier. Replicas have a dot in their name.
	functionPattern = regexp.MustCompile(`^(?:(?:arn:aws[a-zA-Z-]*:lambda:([a-z]{2,4}(?:-[a-z]+)+-\d):)?(?:(\d{12}):)?function:)?` +
		`([a-zA-Z0-9._-]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?$`)
	layerPattern = regexp.MustCompile(`^(?:arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:)?([a-zA-Z0-9_-]+)$`)

	// layerVersionPattern is the model's own, as the messages quote it.
	layerVersionPattern = regexp.MustCompile(`^arn:[a-zA-Z0-9-]+:lambda:([a-zA-Z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+):([0-9]+)$`)
	awsLayerPattern     = regexp.MustCompile(`^arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+$`)

	taggablePattern = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:lambda:[a-z]{2,4}(?:-[a-z]+)+-\d:\d{12}:` +
		`(?:function:[a-zA-Z0-9._-]+(?::(?:\$LATEST|[a-zA-Z0-9_-]+))?|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-f-]{36}|capacity-provider:[a-zA-Z0-9_-]+)$`)
)

const layerVersionRule = "Member must satisfy constraint: [Member must have length less than or equal to 2048, " +
	"Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: " +
	"(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+), Member must not be null]"

func functionARN(p place, name, qualifier string) string {
	arn := "arn:" + partition(p.region) + ":lambda:" + p.region + ":" + p.account + ":function:" + name
	if qualifier != "" {
		arn += ":" + qualifier
	}
	return arn
}

func layerARN(p place, name string) string {
	return "arn:" + partition(p.region) + ":lambda:" + p.region + ":" + p.account + ":layer:" + name
}

func layerVersionARN(p place, name string, n int64) string {
	return layerARN(p, name) + ":" + strconv.FormatInt(n, 10)
}

// LayerARN returns the version ARN of a layer of the World's own account and
// Region.
func (w *World) LayerARN(name string, n int64) string {
	return layerVersionARN(place{w.opts.Account, w.opts.Region}, name, n)
}

// FunctionARN returns the unqualified ARN of a function of the World's own
// account and Region.
func (w *World) FunctionARN(name string) string {
	return functionARN(place{w.opts.Account, w.opts.Region}, name, "")
}

// unversioned cuts the number off a layer version ARN.
func unversioned(arn string) string { return arn[:strings.LastIndex(arn, ":")] }

// functionRef is a function as a request names it.
type functionRef struct{ name, qualifier string }

// functionRef reads the FunctionName and Qualifier of a request. A layer ARN
// does not have the shape of a function's.
func (c *call) functionRef(given, qualifier string) (functionRef, *apiError) {
	m := functionPattern.FindStringSubmatch(given)
	if m == nil {
		return functionRef{}, violation(given, "functionName", "Member must satisfy regular expression pattern: "+
			`(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`)
	}
	ref := functionRef{m[3], m[4]}
	switch {
	case m[2] != "" && m[2] != c.store.account:
		return ref, notGranted(c.who.arn, "lambda:"+c.log.Operation, given)
	case m[1] != "" && m[1] != c.store.region:
		return ref, notFound("Functions from '%s' are not reachable in this region ('%s')", m[1], c.store.region)
	case ref.qualifier != "" && qualifier != "" && ref.qualifier != qualifier:
		return ref, invalidValue("The derived qualifier from the function name does not match the specified qualifier.")
	case ref.qualifier == "":
		ref.qualifier = qualifier
	}
	return ref, nil
}

// layerRef is a layer as a request names it, perhaps one of another account.
type layerRef struct {
	place
	name string
}

func (c *call) layerRef(given string) (layerRef, *apiError) {
	m := layerPattern.FindStringSubmatch(given)
	if m == nil || len(given) > 140 {
		return layerRef{}, violation(given, "layerName", "Member must satisfy regular expression pattern: "+
			`(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+`)
	}
	if m[1] == "" {
		return layerRef{c.store.place, m[3]}, nil
	}
	return layerRef{place{m[2], m[1]}, m[3]}, nil
}

// ownLayer is layerRef for what only the owner may do.
func (c *call) ownLayer(given string) (layerRef, *apiError) {
	ref, e := c.layerRef(given)
	if e == nil && ref.place != c.store.place {
		e = notGranted(c.who.arn, "lambda:"+c.log.Operation, given)
	}
	return ref, e
}

func parseLayerVersion(arn string) (ref layerRef, n int64, ok bool) {
	m := layerVersionPattern.FindStringSubmatch(arn)
	if m == nil {
		return layerRef{}, 0, false
	}
	n, err := strconv.ParseInt(m[4], 10, 64)
	return layerRef{place{m[2], m[1]}, m[3]}, n, err == nil
}
