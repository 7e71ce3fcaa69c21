package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

func parameterFacts() []fact {
	return []fact{
		{name: "a parameter is read as it was put", check: parameterAsPut},
		{name: "a parameter that is not there is ParameterNotFound", check: parameterMissing},
		{name: "a parameter that is there is not put again without Overwrite", check: parameterTwice},
		{name: "every put of a parameter raises its version", check: parameterVersions},
		{name: "a new parameter needs a type and an old one does not", check: parameterType},
		{name: "tags and Overwrite cannot be put together", check: tagsAndOverwrite},
		{name: "tags of a parameter are put with it, added, replaced and removed", check: tagsOfParameter},
		{name: "overwriting a parameter leaves its tags", check: tagsStay},
		{name: "tags of a parameter that is not there are InvalidResourceId", check: tagsOfNothing},
		{name: "a tag of a parameter that begins with aws is refused", check: reservedTag},
		{name: "a parameter has at most fifty tags", check: fiftyTags},
		{name: "a parameter name has its shape", check: parameterNames},
		{name: "a parameter name has at most fifteen levels", check: parameterLevels},
		{name: "names that begin with aws or ssm are reserved", check: reservedNames},
		{name: "a parameter without a value is refused", check: emptyParameter},
		{name: "a parameter of more than 4096 characters is refused", check: longParameter},
		{name: "GetParameters names what is not there", check: someParameters},
		{name: "more than ten names of parameters are refused", check: elevenNames},
		{name: "GetParametersByPath has one level, or all with Recursive", check: parameterTree},
		{name: "GetParametersByPath follows tokens to the end", check: parameterPages},
		{name: "a page of more than ten parameters is refused", check: bigParameterPage},
		{name: "a path that does not begin with a slash is refused", check: pathShape},
		{name: "a deleted parameter is gone, and deleting it again is ParameterNotFound", check: parameterDeleted},
		{name: "a parameter that is put again after its deletion starts over", check: parameterAnew},
		{name: "parameters of another Region are others", check: parameterElsewhere},
		{name: "parameters of another account are others", two: true, check: parameterForeign},
	}
}

const parameterMissingCode = "ParameterNotFound"

// parameter is a name in the fact's own hierarchy.
func (p *probe) parameter(s string) string { return "/" + p.name("p") + "/" + s }

func (p *probe) putParameter(s, value string, change func(*ssm.PutParameterInput)) (int64, error) {
	in := &ssm.PutParameterInput{Name: aws.String(p.parameter(s)), Value: &value, Type: types.ParameterTypeString}
	if change != nil {
		change(in)
	}
	out, err := p.ssm.PutParameter(p.ctx, in)
	if err != nil {
		return 0, err
	}
	return out.Version, nil
}

// mustPut puts a parameter that must go.
func (p *probe) mustPut(s, value string, change func(*ssm.PutParameterInput)) int64 {
	p.Helper()
	n, err := p.putParameter(s, value, change)
	p.must(err)
	return n
}

func overwrite(in *ssm.PutParameterInput) { in.Overwrite = aws.Bool(true) }

func withTags(tags map[string]string) func(*ssm.PutParameterInput) {
	return func(in *ssm.PutParameterInput) { in.Tags = tagList(tags) }
}

func tagList(tags map[string]string) []types.Tag {
	var out []types.Tag
	for k, v := range tags {
		out = append(out, types.Tag{Key: &k, Value: &v})
	}
	return out
}

func (p *probe) getParameter(s string) (*types.Parameter, error) {
	out, err := p.ssm.GetParameter(p.ctx, &ssm.GetParameterInput{Name: aws.String(p.parameter(s))})
	if err != nil {
		return nil, err
	}
	return out.Parameter, nil
}

func (p *probe) parameterTags(s string) map[string]string {
	p.Helper()
	out, err := p.ssm.ListTagsForResource(p.ctx, &ssm.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String(p.parameter(s))})
	p.must(err)
	tags := map[string]string{}
	for _, t := range out.TagList {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}

func (p *probe) addParameterTags(s string, tags map[string]string) error {
	_, err := p.ssm.AddTagsToResource(p.ctx, &ssm.AddTagsToResourceInput{ResourceType: types.ResourceTypeForTaggingParameter,
		ResourceId: aws.String(p.parameter(s)), Tags: tagList(tags)})
	return err
}

func parameterAsPut(p *probe) {
	const value = "arn:aws:lambda:us-east-1:123456789012:layer:common:7"
	if n := p.mustPut("arn", value, func(in *ssm.PutParameterInput) { in.Description = aws.String("共通 v1.4.2") }); n != 1 {
		p.Errorf("version is %d", n)
	}
	got, err := p.getParameter("arn")
	p.must(err)
	if aws.ToString(got.Value) != value || aws.ToString(got.Name) != p.parameter("arn") || got.Type != types.ParameterTypeString || got.Version != 1 ||
		aws.ToString(got.DataType) != "text" || got.LastModifiedDate == nil {
		p.Errorf("parameter is %+v", *got)
	}
	if arn := aws.ToString(got.ARN); !strings.HasPrefix(arn, "arn:aws:ssm:"+p.env.Config.Region+":") || !strings.HasSuffix(arn, ":parameter"+p.parameter("arn")) {
		p.Errorf("ARN is %s", arn)
	}
}

func parameterMissing(p *probe) {
	_, err := p.getParameter("none")
	p.refused(err, 400, parameterMissingCode, "")
}

func parameterTwice(p *probe) {
	p.mustPut("a", "1", nil)
	_, err := p.putParameter("a", "2", nil)
	p.refused(err, 400, "ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	if got, err := p.getParameter("a"); err != nil || aws.ToString(got.Value) != "1" {
		p.Errorf("parameter is %+v, %v", got, err)
	}
}

func parameterVersions(p *probe) {
	for n, value := range []string{"1", "2", "2"} { // also without a change
		if got := p.mustPut("a", value, overwrite); got != int64(n+1) {
			p.Errorf("version is %d, want %d", got, n+1)
		}
	}
}

func parameterType(p *probe) {
	untyped := func(in *ssm.PutParameterInput) { in.Type, in.Overwrite = "", aws.Bool(true) }
	_, err := p.putParameter("a", "1", untyped)
	p.refused(err, 400, validation, "type")
	p.mustPut("a", "1", nil)
	p.mustPut("a", "2", untyped)
}

func tagsAndOverwrite(p *probe) {
	both := func(in *ssm.PutParameterInput) {
		overwrite(in)
		in.Tags = tagList(map[string]string{"a": "b"})
	}
	for range 2 { // whether it is there or not
		_, err := p.putParameter("a", "1", both)
		p.refused(err, 400, validation, "tags and overwrite can't be used together")
		p.mustPut("a", "1", overwrite)
	}
}

func tagsOfParameter(p *probe) {
	p.mustPut("a", "1", withTags(map[string]string{"team": "platform", "version": "1.4.2"}))
	p.must(p.addParameterTags("a", map[string]string{"version": "1.5.0", "environment": "本番"}))
	_, err := p.ssm.RemoveTagsFromResource(p.ctx, &ssm.RemoveTagsFromResourceInput{ResourceType: types.ResourceTypeForTaggingParameter,
		ResourceId: aws.String(p.parameter("a")), TagKeys: []string{"team", "never"}})
	p.must(err)
	if got := p.parameterTags("a"); !maps.Equal(got, map[string]string{"version": "1.5.0", "environment": "本番"}) {
		p.Errorf("tags are %v", got)
	}
}

func tagsStay(p *probe) {
	p.mustPut("a", "1", withTags(map[string]string{"team": "platform"}))
	p.mustPut("a", "2", overwrite)
	if got := p.parameterTags("a"); got["team"] != "platform" {
		p.Errorf("tags are %v", got)
	}
}

func tagsOfNothing(p *probe) {
	p.refused(p.addParameterTags("a", map[string]string{"a": "b"}), 400, "InvalidResourceId", "")
	_, err := p.ssm.ListTagsForResource(p.ctx, &ssm.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String(p.parameter("a"))})
	p.refused(err, 400, "InvalidResourceId", "")
}

func reservedTag(p *probe) {
	_, err := p.putParameter("a", "1", withTags(map[string]string{"aws:team": "x"}))
	p.refused(err, 400, validation, "")
	_, err = p.getParameter("a")
	p.refused(err, 400, parameterMissingCode, "")
}

func fiftyTags(p *probe) {
	tags := map[string]string{}
	for i := range 50 {
		tags[fmt.Sprintf("k%d", i)] = "v"
	}
	p.mustPut("a", "1", withTags(tags))
	p.must(p.addParameterTags("a", map[string]string{"k0": "w"}))
	p.refused(p.addParameterTags("a", map[string]string{"k0": "x", "k50": "v"}), 400, "TooManyTagsError", "")
	if got := p.parameterTags("a"); len(got) != 50 || got["k0"] != "w" {
		p.Errorf("%d tags, k0 is %q", len(got), got["k0"])
	}
}

func named(name string) func(*ssm.PutParameterInput) {
	return func(in *ssm.PutParameterInput) { in.Name = &name }
}

func parameterNames(p *probe) {
	p.mustPut("", "1", named(p.name("without.a_slash")))
	for _, name := range []string{p.name("a") + "/b", p.parameter("a b"), p.parameter("a:b"), p.parameter("ü"), p.parameter("a/"), p.parameter("/a")} {
		_, err := p.putParameter("", "1", named(name))
		p.refused(err, 400, validation, "")
	}
}

func parameterLevels(p *probe) {
	p.mustPut(strings.Repeat("l/", 13)+"a", "1", nil)
	_, err := p.putParameter(strings.Repeat("l/", 14)+"a", "1", nil)
	p.refused(err, 400, "HierarchyLevelLimitExceededException", "")
}

func reservedNames(p *probe) {
	for name, code := range map[string]string{"/ssm/a": validation, "/SSM-a": validation, "/aws/a": denied, "/AWS/a": denied} {
		_, err := p.putParameter("", "1", named(name))
		p.refused(err, 400, code, "")
	}
}

func emptyParameter(p *probe) {
	_, err := p.putParameter("a", "", nil)
	p.refused(err, 400, validation, "")
}

func longParameter(p *probe) {
	p.mustPut("a", strings.Repeat("ü", 2048), nil)
	p.mustPut("b", strings.Repeat("u", 4096), nil)
	_, err := p.putParameter("c", strings.Repeat("u", 4097), nil)
	p.refused(err, 400, validation, "Standard tier parameters support a maximum parameter value of 4096 characters")
}

func someParameters(p *probe) {
	p.mustPut("a", "1", nil)
	p.mustPut("b", "2", nil)
	out, err := p.ssm.GetParameters(p.ctx, &ssm.GetParametersInput{Names: []string{p.parameter("a"), p.parameter("none"), p.parameter("b")}})
	p.must(err)
	if len(out.Parameters) != 2 || !slices.Equal(out.InvalidParameters, []string{p.parameter("none")}) {
		p.Errorf("there are %d, and not %v", len(out.Parameters), out.InvalidParameters)
	}
}

func elevenNames(p *probe) {
	var names []string
	for i := range 11 {
		names = append(names, p.parameter(fmt.Sprint(i)))
	}
	_, err := p.ssm.GetParameters(p.ctx, &ssm.GetParametersInput{Names: names})
	p.refused(err, 400, validation, "")
}

// below lists names under a path of the fact's hierarchy, without what is before
// it.
func (p *probe) below(path string, recursive bool, size *int32) []string {
	p.Helper()
	in := &ssm.GetParametersByPathInput{Path: aws.String(strings.TrimSuffix(p.parameter(""), "/") + path), Recursive: &recursive, MaxResults: size}
	names := []string{}
	for range 100 {
		out, err := p.ssm.GetParametersByPath(p.ctx, in)
		p.must(err)
		for _, got := range out.Parameters {
			names = append(names, strings.TrimPrefix(aws.ToString(got.Name), p.parameter("")))
		}
		if out.NextToken == nil {
			slices.Sort(names)
			return names
		}
		in.NextToken = out.NextToken
	}
	p.Fatalf("the list has no end")
	return nil
}

func parameterTree(p *probe) {
	for _, name := range []string{"prod/common/arn", "prod/common/version", "prod/common", "prod/other/arn", "product/common/arn"} {
		p.mustPut(name, "1", nil)
	}
	for _, c := range []struct {
		path      string
		recursive bool
		want      []string
	}{
		{"/prod/common", false, []string{"prod/common/arn", "prod/common/version"}},
		{"/prod/common/", false, []string{"prod/common/arn", "prod/common/version"}},
		{"/prod", false, []string{"prod/common"}},
		{"/prod", true, []string{"prod/common", "prod/common/arn", "prod/common/version", "prod/other/arn"}},
		{"/pro", true, []string{}},
	} {
		if got := p.below(c.path, c.recursive, nil); !slices.Equal(got, c.want) {
			p.Errorf("below %s (recursive: %v) is %v, want %v", c.path, c.recursive, got, c.want)
		}
	}
}

func parameterPages(p *probe) {
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprintf("l/%02d", i))
		p.mustPut(want[i], "1", nil)
	}
	for _, size := range []*int32{nil, aws.Int32(5), aws.Int32(10)} {
		if got := p.below("", true, size); !slices.Equal(got, want) {
			p.Errorf("names are %v", got)
		}
	}
	_, err := p.ssm.GetParametersByPath(p.ctx, &ssm.GetParametersByPathInput{Path: aws.String("/" + p.name("p")), NextToken: aws.String("none")})
	p.refused(err, 400, "InvalidNextToken", "")
}

func bigParameterPage(p *probe) {
	for _, n := range []int32{0, 11} {
		_, err := p.ssm.GetParametersByPath(p.ctx, &ssm.GetParametersByPathInput{Path: aws.String("/a"), MaxResults: &n})
		p.refused(err, 400, validation, "maxResults")
	}
}

func pathShape(p *probe) {
	for _, path := range []string{"a", "/a b", "/a:b"} {
		_, err := p.ssm.GetParametersByPath(p.ctx, &ssm.GetParametersByPathInput{Path: &path})
		p.refused(err, 400, validation, "")
	}
}

func (p *probe) deleteParameter(s string) error {
	_, err := p.ssm.DeleteParameter(p.ctx, &ssm.DeleteParameterInput{Name: aws.String(p.parameter(s))})
	return err
}

func parameterDeleted(p *probe) {
	p.mustPut("a", "1", nil)
	p.must(p.deleteParameter("a"))
	_, err := p.getParameter("a")
	p.refused(err, 400, parameterMissingCode, "")
	p.refused(p.deleteParameter("a"), 400, parameterMissingCode, "")
}

func parameterAnew(p *probe) {
	p.mustPut("a", "1", withTags(map[string]string{"a": "b"}))
	p.mustPut("a", "2", overwrite)
	p.must(p.deleteParameter("a"))
	if n := p.mustPut("a", "1", nil); n != 1 {
		p.Errorf("version is %d", n)
	}
	if tags := p.parameterTags("a"); len(tags) != 0 {
		p.Errorf("tags are %v", tags)
	}
}

func parameterElsewhere(p *probe) {
	p.mustPut("a", "1", nil)
	cfg := p.env.Config.Copy()
	cfg.Region = elsewhere
	p.ssm = ssm.NewFromConfig(cfg)
	_, err := p.getParameter("a")
	p.refused(err, 400, parameterMissingCode, "")
}

func parameterForeign(p *probe) {
	p.mustPut("a", "1", nil)
	p.ssm = ssm.NewFromConfig(*p.env.Other)
	_, err := p.getParameter("a")
	p.refused(err, 400, parameterMissingCode, "")
}
