package contract

import (
	"maps"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func tagFacts() []fact {
	return []fact{
		{name: "tags add up and GetFunction tells them", check: tagsMerge},
		{name: "tagging changes the RevisionId of the function", check: tagRevision},
		{name: "tagging a qualified function is refused", check: tagQualified},
		{name: "tagging by name fails validation", check: tagByName},
		{name: "tagging a layer version fails validation", check: tagLayer},
		{name: "the fifty-first tag is refused with the whole call", check: tooManyTags},
		{name: "GetResources finds functions by tag", check: foundByTag},
		{name: "GetResources does not know functions that never had a tag", check: neverTagged},
	}
}

func accountFacts() []fact {
	return []fact{
		{name: "the caller's account is the one in the ARNs", check: callerAccount},
		{name: "the account settings tell the quota and what is used", check: settings},
	}
}

func (p *probe) tag(resource string, tags map[string]string) error {
	_, err := p.lambda.TagResource(p.ctx, &lambda.TagResourceInput{Resource: &resource, Tags: tags})
	return err
}

// tagged makes a function and returns its name and ARN.
func (p *probe) tagged(s string, tags map[string]string) (name, arn string) {
	p.Helper()
	name = p.create(s)
	arn = aws.ToString(p.config(name).FunctionArn)
	if tags != nil {
		p.must(p.tag(arn, tags))
	}
	return name, arn
}

func tagsMerge(p *probe) {
	name, arn := p.tagged("f", map[string]string{"a": "1", "b": "2"})
	p.must(p.tag(arn, map[string]string{"b": "3", "c": "4"}))
	_, err := p.lambda.UntagResource(p.ctx, &lambda.UntagResourceInput{Resource: &arn, TagKeys: []string{"a", "never"}})
	p.must(err)
	out, err := p.lambda.GetFunction(p.ctx, &lambda.GetFunctionInput{FunctionName: &name})
	p.must(err)
	listed, err := p.lambda.ListTags(p.ctx, &lambda.ListTagsInput{Resource: &arn})
	p.must(err)
	want := map[string]string{"b": "3", "c": "4"}
	if !maps.Equal(out.Tags, want) || !maps.Equal(listed.Tags, want) {
		p.Errorf("tags are %v and %v, want %v", out.Tags, listed.Tags, want)
	}
}

func tagRevision(p *probe) {
	name, arn := p.tagged("f", map[string]string{"a": "1"})
	before := p.config(name)
	p.must(p.tag(arn, map[string]string{"a": "1"})) // nothing new
	after := p.config(name)
	if aws.ToString(after.RevisionId) == aws.ToString(before.RevisionId) {
		p.Errorf("RevisionId is still %q", aws.ToString(after.RevisionId))
	}
}

func tagQualified(p *probe) {
	name, arn := p.tagged("f", nil)
	p.refused(p.tag(arn+":"+p.version(name), map[string]string{"a": "1"}), 400, invalid, "")
}

func tagByName(p *probe) {
	name, _ := p.tagged("f", nil)
	p.refused(p.tag(name, map[string]string{"a": "1"}), 400, validation, "")
}

func tagLayer(p *probe) {
	arn := p.layer("l")
	p.refused(p.tag(arn, map[string]string{"current": "true"}), 400, validation, "Value '"+arn+"' at 'resource' failed to satisfy constraint")
}

func tooManyTags(p *probe) {
	name, arn := p.tagged("f", map[string]string{"a": "1"})
	more := map[string]string{}
	for i := range 50 {
		more["k"+strconv.Itoa(i)] = "v"
	}
	p.refused(p.tag(arn, more), 400, invalid, "")
	out, err := p.lambda.GetFunction(p.ctx, &lambda.GetFunctionInput{FunctionName: &name})
	p.must(err)
	if len(out.Tags) != 1 {
		p.Errorf("%d tags, want the one that was there", len(out.Tags))
	}
}

// resources asks the tagging API for functions with a tag.
func (p *probe) resources(filters ...tagtypes.TagFilter) []string {
	p.Helper()
	in := &tagging.GetResourcesInput{ResourceTypeFilters: []string{"lambda:function"}, TagFilters: filters, ResourcesPerPage: aws.Int32(100)}
	var out []string
	for range 100 {
		o, err := p.tagging.GetResources(p.ctx, in)
		p.must(err)
		for _, m := range o.ResourceTagMappingList {
			out = append(out, aws.ToString(m.ResourceARN))
		}
		if aws.ToString(o.PaginationToken) == "" {
			return out
		}
		in.PaginationToken = o.PaginationToken
	}
	p.Fatalf("the list has no end")
	return nil
}

func foundByTag(p *probe) {
	key := p.name("team")
	_, a := p.tagged("a", map[string]string{key: "platform", "env": "prod"})
	_, b := p.tagged("b", map[string]string{key: "data", "env": "dev"})
	for _, c := range []struct {
		filters []tagtypes.TagFilter
		want    []string
	}{
		{[]tagtypes.TagFilter{{Key: &key, Values: []string{"platform"}}}, []string{a}},
		{[]tagtypes.TagFilter{{Key: &key, Values: []string{"platform", "data"}}}, []string{a, b}},
		{[]tagtypes.TagFilter{{Key: &key}}, []string{a, b}},
		{[]tagtypes.TagFilter{{Key: &key}, {Key: aws.String("env"), Values: []string{"dev"}}}, []string{b}},
		{[]tagtypes.TagFilter{{Key: &key, Values: []string{"Platform"}}}, nil},
	} {
		got := map[string]bool{}
		for _, arn := range p.resources(c.filters...) {
			got[arn] = true
		}
		if len(got) != len(c.want) {
			p.Errorf("found %v, want %v", got, c.want)
		}
		for _, arn := range c.want {
			if !got[arn] {
				p.Errorf("%s is not found", arn)
			}
		}
	}
}

func neverTagged(p *probe) {
	_, arn := p.tagged("f", nil)
	for _, got := range p.resources() {
		if got == arn {
			p.Errorf("%s is known", arn)
		}
	}
}

func callerAccount(p *probe) {
	out, err := p.sts.GetCallerIdentity(p.ctx, &sts.GetCallerIdentityInput{})
	p.must(err)
	_, arn := p.tagged("f", nil)
	if want := "arn:aws:lambda:" + p.env.Config.Region + ":" + aws.ToString(out.Account) + ":function:" + p.name("f"); arn != want {
		p.Errorf("the function is %s, want %s", arn, want)
	}
}

func settings(p *probe) {
	p.create("f")
	out, err := p.lambda.GetAccountSettings(p.ctx, &lambda.GetAccountSettingsInput{})
	p.must(err)
	if out.AccountLimit == nil || out.AccountLimit.CodeSizeUnzipped != 262144000 || out.AccountLimit.TotalCodeSize == 0 {
		p.Errorf("limits are %+v", out.AccountLimit)
	}
	if out.AccountUsage == nil || out.AccountUsage.FunctionCount == 0 || out.AccountUsage.TotalCodeSize == 0 {
		p.Errorf("usage is %+v", out.AccountUsage)
	}
}
