package contract

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func updateFacts() []fact {
	return []fact{
		{name: "an update is InProgress first", check: inProgressFirst},
		{name: "the RevisionId of an update is stale once it has settled", check: staleAfterSettle},
		{name: "a second update during an update is a conflict", check: duringUpdate},
		{name: "tagging during an update is a conflict", check: tagDuringUpdate},
		{name: "an update with a stale RevisionId is refused and changes nothing", check: staleRevision},
		{name: "an update without Layers leaves them alone", check: absentLayers},
		{name: "an update with empty Layers removes them", check: emptyLayers},
		{name: "the order of layers is kept", check: orderKept},
		{name: "a list of layers replaces, it does not add", check: replaces},
		{name: "six layers are refused", check: sixLayers},
		{name: "two versions of one layer are refused", check: twoVersions},
		{name: "one version named twice is refused", check: namedTwice},
		{name: "a layer version that never was is refused as invalid", check: neverWas},
		{name: "a deleted layer version stays attached and does not hinder other updates", check: deletedStays},
		{name: "a deleted layer version cannot be named even where it is attached", check: deletedNamed},
		{name: "a layer ARN without a version fails validation", check: noVersion},
		{name: "an own layer of another Region is refused", check: otherRegion},
		{name: "a refused update changes nothing", check: refusedChangesNothing},
		{name: "a code update changes CodeSha256 and keeps the layers", check: codeUpdate},
	}
}

func inProgressFirst(p *probe) {
	name := p.create("f")
	out, err := p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Timeout: aws.Int32(7)})
	p.must(err)
	if out.LastUpdateStatus != types.LastUpdateStatusInProgress || out.State != types.StateActive {
		p.Errorf("LastUpdateStatus %q, State %q; want InProgress and Active", out.LastUpdateStatus, out.State)
	}
	if got := p.updated(name); aws.ToInt32(got.Timeout) != 7 || got.LastUpdateStatus != types.LastUpdateStatusSuccessful {
		p.Errorf("settled with Timeout %d, %s", aws.ToInt32(got.Timeout), got.LastUpdateStatus)
	}
}

func staleAfterSettle(p *probe) {
	name := p.create("f")
	out, err := p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Timeout: aws.Int32(7)})
	p.must(err)
	if got := aws.ToString(p.updated(name).RevisionId); got == aws.ToString(out.RevisionId) {
		p.Errorf("RevisionId is still %q", got)
	}
	_, err = p.lambda.PublishVersion(p.ctx, &lambda.PublishVersionInput{FunctionName: &name, RevisionId: out.RevisionId})
	p.refused(err, 412, stale, "The Revision Id provided does not match the latest Revision Id.")
}

func duringUpdate(p *probe) {
	name := p.create("f")
	p.must(p.setLayers(name, []string{}))
	p.refused(p.setLayers(name, []string{}), 409, conflict, "An update is in progress for resource: arn:")
	p.updated(name)
	p.must(p.setLayers(name, []string{}))
}

func tagDuringUpdate(p *probe) {
	name := p.create("f")
	arn := p.config(name).FunctionArn
	p.must(p.setLayers(name, []string{}))
	_, err := p.lambda.TagResource(p.ctx, &lambda.TagResourceInput{Resource: arn, Tags: map[string]string{"a": "b"}})
	p.refused(err, 409, conflict, "")
}

func staleRevision(p *probe) {
	name := p.create("f")
	old := p.config(name).RevisionId
	now := p.describe(name, "somebody else")
	_, err := p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name, RevisionId: old, Description: aws.String("me")})
	p.refused(err, 412, stale, "The Revision Id provided does not match the latest Revision Id.")
	if c := p.config(name); aws.ToString(c.Description) != "somebody else" || aws.ToString(c.RevisionId) != aws.ToString(now.RevisionId) {
		p.Errorf("Description %q, RevisionId %q; want what was there", aws.ToString(c.Description), aws.ToString(c.RevisionId))
	}
}

// has checks the layers of a function.
func (p *probe) has(name string, want ...string) {
	p.Helper()
	if got := attached(p.config(name).Layers); !slices.Equal(got, want) {
		p.Errorf("layers are %v, want %v", got, want)
	}
}

func absentLayers(p *probe) {
	arn := p.layer("l")
	name := p.create("f", arn)
	p.describe(name, "x")
	p.has(name, arn)
}

func emptyLayers(p *probe) {
	name := p.create("f", p.layer("l"))
	p.must(p.setLayers(name, []string{}))
	p.updated(name)
	p.has(name)
}

func orderKept(p *probe) {
	a, b, c := p.layer("a"), p.layer("b"), p.layer("c")
	name := p.create("f", a, b, c)
	p.has(name, a, b, c)
	p.must(p.setLayers(name, []string{c, a, b}))
	p.updated(name)
	p.has(name, c, a, b)
}

func replaces(p *probe) {
	a, b := p.layer("a"), p.layer("b")
	name := p.create("f", a)
	p.must(p.setLayers(name, []string{b}))
	p.updated(name)
	p.has(name, b)
}

func sixLayers(p *probe) {
	var six []string
	for s := range strings.SplitSeq("abcdef", "") {
		six = append(six, p.layer(s))
	}
	name := p.create("f", six[:5]...)
	p.refused(p.setLayers(name, six), 400, invalid, "Cannot reference more than 5 layers.")
}

func twoVersions(p *probe) {
	a, b := p.layer("l"), p.layer("l")
	p.refused(p.setLayers(p.create("f"), []string{a, b}), 400, invalid,
		"Two different versions of the same layer are not allowed to be referenced in the same function. "+a+" and "+b)
}

func namedTwice(p *probe) {
	a := p.layer("l")
	p.refused(p.setLayers(p.create("f"), []string{a, a}), 400, invalid, "Two different versions of the same layer are not allowed")
}

func neverWas(p *probe) {
	arn := strings.TrimSuffix(p.layer("l"), ":1") + ":99"
	p.refused(p.setLayers(p.create("f"), []string{arn}), 400, invalid, "Layer version "+arn+" does not exist.")
}

func deletedStays(p *probe) {
	arn := p.layer("l")
	name := p.create("f", arn)
	p.unpublish("l", 1)
	p.has(name, arn)
	p.describe(name, "still works")
	p.has(name, arn)
	p.must(p.setLayers(name, []string{}))
	p.updated(name)
	p.has(name)
}

func deletedNamed(p *probe) {
	arn, other := p.layer("l"), p.layer("other")
	name := p.create("f", arn)
	p.unpublish("l", 1)
	p.refused(p.setLayers(name, []string{arn, other}), 400, invalid, "does not exist")
}

func noVersion(p *probe) {
	arn := strings.TrimSuffix(p.layer("l"), ":1")
	p.refused(p.setLayers(p.create("f"), []string{arn}), 400, validation, "'layers' failed to satisfy constraint")
}

func otherRegion(p *probe) {
	here := p.env.Config.Region
	there := "eu-central-1"
	if here == there {
		there = "us-east-1"
	}
	arn := strings.Replace(p.layer("l"), ":"+here+":", ":"+there+":", 1)
	p.refused(p.setLayers(p.create("f"), []string{arn}), 400, invalid, "not in the same region")
}

func refusedChangesNothing(p *probe) {
	a := p.layer("l")
	name := p.create("f", a)
	before := p.config(name)
	if err := p.setLayers(name, []string{a, a}); err == nil {
		p.Fatalf("one version twice was accepted")
	}
	after := p.config(name)
	if aws.ToString(after.RevisionId) != aws.ToString(before.RevisionId) || aws.ToString(after.LastModified) != aws.ToString(before.LastModified) {
		p.Errorf("RevisionId or LastModified changed")
	}
	p.has(name, a)
}

func codeUpdate(p *probe) {
	arn := p.layer("l")
	name := p.create("f", arn)
	before := p.config(name).CodeSha256
	_, err := p.lambda.UpdateFunctionCode(p.ctx, &lambda.UpdateFunctionCodeInput{FunctionName: &name, ZipFile: archive("other")})
	p.must(err)
	if after := p.updated(name).CodeSha256; aws.ToString(after) == aws.ToString(before) {
		p.Errorf("CodeSha256 is still %s", aws.ToString(before))
	}
	p.has(name, arn)
}
