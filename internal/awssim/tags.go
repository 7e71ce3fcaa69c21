package awssim

import (
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// maxTags is how many tags a function can have.
const maxTags = 50

// taggable finds the function whose tags are meant. The shape of the ARN is
// checked first: a layer does not have it, nor has a bare name.
func (c *call) taggable(resource string) (*function, *apiError) {
	if !taggablePattern.MatchString(resource) {
		return nil, violation(resource, "resource", "Member must satisfy regular expression pattern: "+
			`arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|`+
			`code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[a-z0-9]{8}-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{12}|capacity-provider:[a-zA-Z0-9-_]+)`)
	}
	if !strings.Contains(resource, ":function:") {
		return nil, unsupported("tags of anything but functions")
	}
	f, ref, e := c.function(resource, "")
	if e != nil {
		return nil, e
	}
	if ref.qualifier != "" {
		return nil, invalidValue("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return f, nil
}

func (c *call) listTags(in *lambda.ListTagsInput) (any, *apiError) {
	f, e := c.taggable(str(in.Resource))
	if e != nil {
		return nil, e
	}
	return struct{ Tags map[string]string }{f.tags}, nil
}

func (c *call) tagResource(in *lambda.TagResourceInput) (any, *apiError) {
	f, e := c.taggable(str(in.Resource))
	if e != nil {
		return nil, e
	}
	if len(in.Tags) == 0 {
		return nil, invalidValue("An error occurred and the request cannot be processed.")
	}
	next := maps.Clone(f.tags)
	if next == nil {
		next = map[string]string{}
	}
	maps.Copy(next, in.Tags)
	if len(next) > maxTags {
		return nil, invalidValue("Function can have at most %d tags.", maxTags)
	}
	return nil, c.setTags(f, next)
}

func (c *call) untagResource(in *lambda.UntagResourceInput) (any, *apiError) {
	f, e := c.taggable(str(in.Resource))
	if e != nil {
		return nil, e
	}
	if len(in.TagKeys) == 0 {
		return nil, violation("null", "tagKeys", "Member must not be null")
	}
	next := maps.Clone(f.tags)
	for _, k := range in.TagKeys {
		delete(next, k)
	}
	return nil, c.setTags(f, next)
}

// setTags is a write like any other: refused during an update, and a new
// revision even when the tags stay as they were.
func (c *call) setTags(f *function, tags map[string]string) *apiError {
	if e := f.latest.busy(f.arn("")); e != nil {
		return e
	}
	f.tags = tags
	f.latest.RevisionID, f.latest.LastModified = c.w.newID(), c.now
	c.w.tagged(f, c.now)
	return nil
}

// tagEvent is a change of a function's tags as the tagging API's index learns
// of it.
type tagEvent struct {
	place
	at   time.Time
	arn  string
	tags map[string]string // empty: had some once
	gone bool
}

// tagged writes f's tags into the index. Functions that never had a tag are unknown to it.
func (w *World) tagged(f *function, now time.Time) {
	_, exists := w.stores[f.place].functions[f.name]
	w.tagLog = append(w.tagLog, tagEvent{f.place, now, f.arn(""), maps.Clone(f.tags), !exists})
}
