package awssim

import (
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// publishVersion makes a version of $LATEST, or returns the newest one when
// nothing has changed since. A layer deleted in the meantime is no obstacle:
// nothing names it anew.
func (c *call) publishVersion(in *lambda.PublishVersionInput) (any, *apiError) {
	f, e := c.writable(str(in.FunctionName), in.RevisionId)
	if e != nil {
		return nil, e
	}
	if want := str(in.CodeSha256); want != "" && want != f.latest.CodeSha256 {
		return nil, invalidValue("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). "+
			"Please try again with the CodeSHA256 in $LATEST.", want, f.latest.CodeSha256)
	}
	if in.PublishTo != "" {
		return c.publishTo(f, in)
	}
	if n := len(f.published); n > 0 && sameContent(f.published[n-1].snapshot, f.latest.Function) {
		v := f.published[n-1]
		return c.config(f, v, v.Version), nil
	}
	if e := c.checkStorage(f.latest.CodeSize); e != nil {
		return nil, e
	}
	v := c.w.publish(f, in.Description, c.now)
	return c.config(f, v, v.Version), nil
}

// publishTo puts $LATEST where unqualified calls of managed instances run.
func (c *call) publishTo(f *function, in *lambda.PublishVersionInput) (any, *apiError) {
	switch {
	case in.PublishTo != types.FunctionVersionLatestPublishedLatestPublished:
		return nil, violation(string(in.PublishTo), "publishTo", "Member must satisfy enum value set: [LATEST_PUBLISHED]")
	case f.latest.CapacityProvider == "":
		return nil, invalidValue("PublishTo is supported only for functions with a capacity provider.")
	case in.Description != nil:
		return nil, unsupported("the member Description with PublishTo")
	}
	v := f.managed
	if v != nil {
		if e := v.busy(f.arn(latestPublished)); e != nil {
			return nil, e
		}
	}
	if v == nil || !sameContent(v.snapshot, f.latest.Function) {
		v = c.w.publishManaged(f, c.now)
	}
	return c.config(f, v, latestPublished), nil
}

func (c *call) listVersionsByFunction(in *lambda.ListVersionsByFunctionInput) (any, *apiError) {
	if e := checkMaxItems(in.MaxItems, 10000); e != nil {
		return nil, e
	}
	f, _, e := c.function(str(in.FunctionName), "")
	if e != nil {
		return nil, e
	}
	versions, next, e := page(c, f.all(), func(v *version) string { return padded(v.Version) }, in.Marker, in.MaxItems)
	if e != nil {
		return nil, e
	}
	doc := versionsDoc{Versions: []configDoc{}, NextMarker: next}
	for _, v := range versions {
		doc.Versions = append(doc.Versions, c.config(f, v, v.Version))
	}
	return doc, nil
}
