package awssim

import (
	"encoding/base64"
	"encoding/json"
	"slices"
)

type tagDoc struct{ Key, Value string }

type getResourcesInput struct {
	PaginationToken     string
	ResourcesPerPage    int
	ResourceTypeFilters []string
	ResourceARNList     []string
	TagFilters          []struct {
		Key    string
		Values []string
	}
}

type mappingDoc struct {
	ResourceARN string
	Tags        []tagDoc
}

func (c *call) routeTagging(body []byte) *apiError {
	if c.log.Operation != "GetResources" {
		return unsupported("tagging:" + c.log.Operation)
	}
	var in getResourcesInput
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return refuse(400, "SerializationException", "%v", err)
		}
	}
	c.log.Input = in
	c.do = func(c *call) (any, *apiError) { return c.getResources(in) }
	return nil
}

// getResources reads the index, which may be behind the functions. It knows
// what has tags or had some.
func (c *call) getResources(in getResourcesInput) (any, *apiError) {
	size := in.ResourcesPerPage
	switch {
	case size == 0:
		size = 50
	case size < 1 || size > 100:
		return nil, refuse(400, "InvalidParameterException", "ResourcesPerPage must be between 1 and 100")
	case len(in.TagFilters) > 50:
		return nil, refuse(400, "InvalidParameterException", "TagFilters must have at most 50 items")
	}
	if len(in.ResourceARNList) > 0 && (len(in.TagFilters) > 0 || len(in.ResourceTypeFilters) > 0 || in.PaginationToken != "") {
		return nil, refuse(400, "InvalidParameterException", "ResourceARNList cannot be used with other filters or pagination")
	}
	after, err := base64.URLEncoding.DecodeString(in.PaginationToken)
	if err != nil {
		return nil, refuse(400, "PaginationTokenExpiredException", "The pagination token is invalid or has expired")
	}
	out, token := []mappingDoc{}, ""
	index := c.index()
	for _, arn := range sortedKeys(index) {
		if arn <= string(after) || !in.wants(arn, index[arn]) {
			continue
		}
		if len(out) == size {
			token = base64.URLEncoding.EncodeToString([]byte(out[size-1].ResourceARN))
			break
		}
		m := mappingDoc{arn, []tagDoc{}}
		for _, k := range sortedKeys(index[arn]) {
			m.Tags = append(m.Tags, tagDoc{k, index[arn][k]})
		}
		out = append(out, m)
	}
	return struct {
		PaginationToken        string // empty at the end, never absent
		ResourceTagMappingList []mappingDoc
	}{token, out}, nil
}

// index is what the tagging API believes now.
func (c *call) index() map[string]map[string]string {
	known := map[string]map[string]string{}
	for _, ev := range c.w.tagLog {
		if ev.place != c.store.place || ev.at.Add(c.w.opts.TagLag).After(c.now) {
			continue
		}
		_, before := known[ev.arn]
		switch {
		case ev.gone:
			delete(known, ev.arn)
		case len(ev.tags) > 0 || before:
			known[ev.arn] = ev.tags
		}
	}
	return known
}

// wants reports whether the filters let a resource through: all keys must
// match, one value of each is enough, no values means any.
func (in getResourcesInput) wants(arn string, tags map[string]string) bool {
	if len(in.ResourceARNList) > 0 {
		return slices.Contains(in.ResourceARNList, arn)
	}
	types := in.ResourceTypeFilters
	if len(types) > 0 && !slices.Contains(types, "lambda") && !slices.Contains(types, "lambda:function") {
		return false
	}
	for _, f := range in.TagFilters {
		value, has := tags[f.Key]
		if !has || len(f.Values) > 0 && !slices.Contains(f.Values, value) {
			return false
		}
	}
	return true
}
