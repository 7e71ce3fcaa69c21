package contract

import (
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func versionFacts() []fact {
	return []fact{
		{name: "publishing what has not changed returns the same version", check: unchangedVersion},
		{name: "publishing with the wrong CodeSha256 is refused", check: wrongCodeSha},
		{name: "a published version keeps its layers when LATEST and the layer change", check: versionKeeps},
		{name: "a version of a function is told with its number in the ARN", check: versionARN},
		{name: "publishing to LATEST.PUBLISHED without a capacity provider is refused", check: publishToPlain},
		{name: "managed instances run LATEST.PUBLISHED and not LATEST", seeded: true, runs: true, check: managedInstances},
	}
}

func aliasFacts() []fact {
	return []fact{
		{name: "an alias qualifier gives the ARN of the alias and the version behind it", check: aliasQualifier},
		{name: "a missing alias is 404 and the message names its ARN", check: missingAlias},
		{name: "every update of an alias changes its RevisionId", check: aliasRevision},
		{name: "a stale RevisionId of an alias is refused", check: staleAlias},
		{name: "an alias to a version that is not there is 404", check: aliasNowhere},
		{name: "an alias created twice is a conflict", check: aliasTwice},
		{name: "an alias update without routing keeps the weights", check: routingKept},
		{name: "an alias update with empty routing clears the weights", check: routingCleared},
		{name: "an alias cannot route to its own version twice", check: primaryAsSecondary},
		{name: "an alias to LATEST cannot have weights", check: latestWeighted},
		{name: "a weight above one fails validation", check: heavyWeight},
		{name: "a weight for LATEST fails validation", check: latestAsWeight},
		{name: "an alias with two weights is refused", check: twoWeights},
		{name: "an alias cannot split between versions with other dead-letter queues", check: otherQueue},
		{name: "an alias with a weight for a version that is not there is 404", check: weightNowhere},
		{name: "ListAliases by version does not see weights", check: listByVersion},
		{name: "deleting an alias that is not there succeeds", check: deleteAbsentAlias},
		{name: "a layer name is not an alias's function", check: layerNameAsFunction},
	}
}

func unchangedVersion(p *probe) {
	name := p.create("f")
	first := p.version(name)
	if again := p.version(name); again != first {
		p.Errorf("version is %s, then %s without a change", first, again)
	}
	p.describe(name, "changed")
	if next := p.version(name); next == first {
		p.Errorf("version is still %s after a change", next)
	}
}

func wrongCodeSha(p *probe) {
	name := p.create("f")
	_, err := p.lambda.PublishVersion(p.ctx, &lambda.PublishVersionInput{FunctionName: &name, CodeSha256: aws.String("bm90IHRoaXM=")})
	p.refused(err, 400, invalid, "is different from current CodeSHA256 in $LATEST")
}

func versionKeeps(p *probe) {
	arn := p.layer("l")
	name := p.create("f", arn)
	n := p.version(name)
	p.must(p.setLayers(name, []string{}))
	p.updated(name)
	p.unpublish("l", 1)
	p.has(name+":"+n, arn)
	p.has(name)
}

func versionARN(p *probe) {
	name := p.create("f")
	n := p.version(name)
	latest := aws.ToString(p.config(name).FunctionArn)
	c := p.config(name + ":" + n)
	if got, want := aws.ToString(c.FunctionArn), latest+":"+n; got != want || aws.ToString(c.Version) != n {
		p.Errorf("ARN %s, Version %s; want %s, %s", got, aws.ToString(c.Version), want, n)
	}
}

// alias makes a function with versions 1 and 2 and the alias live to 1, with
// the given share for 2.
func (p *probe) alias(weights map[string]float64) (name string, out *lambda.CreateAliasOutput) {
	p.Helper()
	name = p.create("f")
	p.version(name)
	p.describe(name, "two")
	p.version(name)
	out, err := p.lambda.CreateAlias(p.ctx, &lambda.CreateAliasInput{
		FunctionName: &name, Name: aws.String("live"), FunctionVersion: aws.String("1"),
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: weights}})
	p.must(err)
	return name, out
}

func (p *probe) getAlias(name string) *lambda.GetAliasOutput {
	p.Helper()
	out, err := p.lambda.GetAlias(p.ctx, &lambda.GetAliasInput{FunctionName: &name, Name: aws.String("live")})
	p.must(err)
	return out
}

func (p *probe) updateAlias(name string, in lambda.UpdateAliasInput) error {
	in.FunctionName, in.Name = &name, aws.String("live")
	_, err := p.lambda.UpdateAlias(p.ctx, &in)
	return err
}

// weights checks where the rest of the traffic goes.
func (p *probe) weights(name string, want map[string]float64) {
	p.Helper()
	var got map[string]float64
	if r := p.getAlias(name).RoutingConfig; r != nil {
		got = r.AdditionalVersionWeights
	}
	if !maps.Equal(got, want) {
		p.Errorf("weights are %v, want %v", got, want)
	}
}

func aliasQualifier(p *probe) {
	name, alias := p.alias(nil)
	out, err := p.lambda.GetFunction(p.ctx, &lambda.GetFunctionInput{FunctionName: &name, Qualifier: aws.String("live")})
	p.must(err)
	if got := aws.ToString(out.Configuration.FunctionArn); got != aws.ToString(alias.AliasArn) {
		p.Errorf("ARN is %s, want %s", got, aws.ToString(alias.AliasArn))
	}
	if got := aws.ToString(out.Configuration.Version); got != "1" {
		p.Errorf("Version is %s, want 1", got)
	}
}

func missingAlias(p *probe) {
	name := p.create("f")
	_, err := p.lambda.GetAlias(p.ctx, &lambda.GetAliasInput{FunctionName: &name, Name: aws.String("live")})
	p.refused(err, 404, missing, "Cannot find alias arn: "+aws.ToString(p.config(name).FunctionArn)+":live")
}

func aliasRevision(p *probe) {
	name, out := p.alias(nil)
	p.must(p.updateAlias(name, lambda.UpdateAliasInput{FunctionVersion: aws.String("1")}))
	if got := aws.ToString(p.getAlias(name).RevisionId); got == aws.ToString(out.RevisionId) {
		p.Errorf("RevisionId is still %q", got)
	}
}

func staleAlias(p *probe) {
	name, out := p.alias(nil)
	p.must(p.updateAlias(name, lambda.UpdateAliasInput{FunctionVersion: aws.String("2")}))
	p.refused(p.updateAlias(name, lambda.UpdateAliasInput{FunctionVersion: aws.String("1"), RevisionId: out.RevisionId}),
		412, stale, "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API")
	if got := aws.ToString(p.getAlias(name).FunctionVersion); got != "2" {
		p.Errorf("the alias is at %s, want 2", got)
	}
}

func aliasNowhere(p *probe) {
	name, _ := p.alias(nil)
	p.refused(p.updateAlias(name, lambda.UpdateAliasInput{FunctionVersion: aws.String("77")}), 404, missing, "")
}

func aliasTwice(p *probe) {
	name, _ := p.alias(nil)
	_, err := p.lambda.CreateAlias(p.ctx, &lambda.CreateAliasInput{FunctionName: &name, Name: aws.String("live"), FunctionVersion: aws.String("1")})
	p.refused(err, 409, conflict, "")
}

func routingKept(p *probe) {
	name, _ := p.alias(map[string]float64{"2": 0.1})
	p.must(p.updateAlias(name, lambda.UpdateAliasInput{Description: aws.String("x")}))
	p.weights(name, map[string]float64{"2": 0.1})
}

func routingCleared(p *probe) {
	name, _ := p.alias(map[string]float64{"2": 0.1})
	p.must(p.updateAlias(name, lambda.UpdateAliasInput{FunctionVersion: aws.String("2"), RoutingConfig: &types.AliasRoutingConfiguration{}}))
	p.weights(name, nil)
}

func primaryAsSecondary(p *probe) {
	name, _ := p.alias(map[string]float64{"2": 0.1})
	p.refused(p.updateAlias(name, lambda.UpdateAliasInput{FunctionVersion: aws.String("2")}), 400, invalid, "")
}

func latestWeighted(p *probe) {
	name, _ := p.alias(map[string]float64{"2": 0.1})
	p.refused(p.updateAlias(name, lambda.UpdateAliasInput{FunctionVersion: aws.String("$LATEST")}), 400, invalid, "")
}

func heavyWeight(p *probe) {
	name, _ := p.alias(nil)
	p.refused(p.updateAlias(name, lambda.UpdateAliasInput{RoutingConfig: &types.AliasRoutingConfiguration{
		AdditionalVersionWeights: map[string]float64{"2": 1.5}}}), 400, validation, "")
}

// split gives the alias live a second version, or more.
func (p *probe) split(name string, weights map[string]float64) error {
	return p.updateAlias(name, lambda.UpdateAliasInput{RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: weights}})
}

func latestAsWeight(p *probe) {
	name, _ := p.alias(nil)
	p.refused(p.split(name, map[string]float64{"$LATEST": 0.1}), 400, validation, "")
}

func twoWeights(p *probe) {
	name, _ := p.alias(nil)
	p.describe(name, "three")
	p.refused(p.split(name, map[string]float64{"2": 0.1, p.version(name): 0.1}), 400, invalid, "")
}

func otherQueue(p *probe) {
	name, _ := p.alias(nil)
	_, err := p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name,
		DeadLetterConfig: &types.DeadLetterConfig{TargetArn: aws.String("arn:aws:sqs:us-east-1:123456789012:queue")}})
	p.must(err)
	p.updated(name)
	p.refused(p.split(name, map[string]float64{p.version(name): 0.1}), 400, invalid, "")
	p.weights(name, nil)
}

func weightNowhere(p *probe) {
	name, _ := p.alias(nil)
	p.refused(p.split(name, map[string]float64{"77": 0.1}), 404, missing, "")
}

func publishToPlain(p *probe) {
	name := p.create("f")
	_, err := p.lambda.PublishVersion(p.ctx, &lambda.PublishVersionInput{FunctionName: &name, PublishTo: types.FunctionVersionLatestPublishedLatestPublished})
	p.refused(err, 400, invalid, "")
}

func managedInstances(p *probe) {
	name := p.create("f")
	p.must(p.env.Seeds.Managed(name))
	_, err := p.invoke(name, "", nil)
	p.refused(err, 404, missing, "")
	out, err := p.lambda.PublishVersion(p.ctx, &lambda.PublishVersionInput{FunctionName: &name, PublishTo: types.FunctionVersionLatestPublishedLatestPublished})
	p.must(err)
	const version = "$LATEST.PUBLISHED"
	if got := aws.ToString(out.Version); got != version {
		p.Errorf("Version is %s", got)
	}
	in := &lambda.GetFunctionInput{FunctionName: &name, Qualifier: aws.String(version)}
	p.must(lambda.NewFunctionActiveV2Waiter(p.lambda).Wait(p.ctx, in, time.Minute, func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 5*time.Millisecond, 3*time.Second
	}))
	p.describe(name, "not published")
	got, err := p.lambda.GetFunction(p.ctx, in)
	p.must(err)
	if c := got.Configuration; !strings.HasSuffix(aws.ToString(c.FunctionArn), ":"+version) || aws.ToString(c.Description) != "" {
		p.Errorf("ARN %s, Description %q", aws.ToString(c.FunctionArn), aws.ToString(c.Description))
	}
	p.ran(name, "", version)
}

func listByVersion(p *probe) {
	name, _ := p.alias(map[string]float64{"2": 0.5})
	for version, want := range map[string]int{"1": 1, "2": 0} {
		in := &lambda.ListAliasesInput{FunctionName: &name, FunctionVersion: &version}
		pages, got := lambda.NewListAliasesPaginator(p.lambda, in), 0
		for pages.HasMorePages() {
			out, err := pages.NextPage(p.ctx)
			p.must(err)
			got += len(out.Aliases)
		}
		if got != want {
			p.Errorf("version %s has %d aliases, want %d", version, got, want)
		}
	}
}

func deleteAbsentAlias(p *probe) {
	name := p.create("f")
	_, err := p.lambda.DeleteAlias(p.ctx, &lambda.DeleteAliasInput{FunctionName: &name, Name: aws.String("absent")})
	p.must(err)
}

func layerNameAsFunction(p *probe) {
	p.layer("l")
	p.refused(p.updateAlias(p.name("l"), lambda.UpdateAliasInput{FunctionVersion: aws.String("1")}), 404, missing, "")
}
