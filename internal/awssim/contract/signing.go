package contract

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func signingFacts() []fact {
	return []fact{
		{name: "a function without code signing has no ARN of a configuration", check: unsignedFunction},
		{name: "a code signing configuration that is not there is 404", check: absentSigning},
		{name: "what is no ARN of a code signing configuration fails validation", check: malformedSigning},
		{name: "enforced code signing refuses layers nobody trusted has signed", seeded: true, check: signingEnforced},
		{name: "enforced code signing does not look at layers that are attached already", seeded: true, check: signingAttached},
		{name: "code signing that warns refuses nothing", seeded: true, check: signingWarns},
		{name: "a code signing configuration is listed with its functions", seeded: true, check: signingListed},
		{name: "a signed layer tells who signed it", seeded: true, check: signedLayer},
	}
}

const (
	trusted  = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/trusted/abcdefghij"
	stranger = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/stranger/abcdefghij"
)

func unsignedFunction(p *probe) {
	name := p.create("f")
	out, err := p.lambda.GetFunctionCodeSigningConfig(p.ctx, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: &name})
	p.must(err)
	if out.CodeSigningConfigArn != nil || aws.ToString(out.FunctionName) != name {
		p.Errorf("ARN %q of %q", aws.ToString(out.CodeSigningConfigArn), aws.ToString(out.FunctionName))
	}
}

func absentSigning(p *probe) {
	arn := "arn:aws:lambda:" + p.env.Config.Region + ":123456789012:code-signing-config:csc-00000000000000000"
	_, err := p.lambda.GetCodeSigningConfig(p.ctx, &lambda.GetCodeSigningConfigInput{CodeSigningConfigArn: &arn})
	p.refused(err, 404, missing, "")
	_, err = p.lambda.ListFunctionsByCodeSigningConfig(p.ctx, &lambda.ListFunctionsByCodeSigningConfigInput{CodeSigningConfigArn: &arn})
	p.refused(err, 404, missing, "")
}

func malformedSigning(p *probe) {
	_, err := p.lambda.GetCodeSigningConfig(p.ctx, &lambda.GetCodeSigningConfigInput{CodeSigningConfigArn: aws.String("csc-1")})
	p.refused(err, 400, validation, "")
}

// signing makes a function that trusts one publisher, and its configuration.
func (p *probe) signing(enforce bool, layers ...string) (name, config string) {
	p.Helper()
	name = p.create("f", layers...)
	config, err := p.env.Seeds.Signing(name, []string{trusted}, enforce)
	p.must(err)
	return name, config
}

// signed makes a layer version signed by a profile.
func (p *probe) signed(s, profile string) string {
	p.Helper()
	arn, err := p.env.Seeds.SignedLayer(p.name(s), profile)
	p.must(err)
	return arn
}

func signingEnforced(p *probe) {
	unsigned, strange, good := p.layer("u"), p.signed("s", stranger), p.signed("t", trusted)
	name, _ := p.signing(true)
	for _, arn := range []string{unsigned, strange} {
		p.refused(p.setLayers(name, []string{good, arn}), 400, "CodeVerificationFailedException", "the code signing policy is set to ENFORCE")
	}
	p.has(name)
	p.must(p.setLayers(name, []string{good}))
	p.updated(name)
	p.has(name, good)
}

func signingAttached(p *probe) {
	unsigned, good := p.layer("u"), p.signed("t", trusted)
	name, _ := p.signing(true, unsigned)
	p.describe(name, "not a layer")
	p.must(p.setLayers(name, []string{unsigned, good}))
	p.updated(name)
	p.has(name, unsigned, good)
}

func signingWarns(p *probe) {
	unsigned := p.layer("u")
	name, _ := p.signing(false)
	p.must(p.setLayers(name, []string{unsigned}))
}

func signingListed(p *probe) {
	name, config := p.signing(true)
	got, err := p.lambda.GetFunctionCodeSigningConfig(p.ctx, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: &name})
	p.must(err)
	if aws.ToString(got.CodeSigningConfigArn) != config {
		p.Errorf("the function has %s, want %s", aws.ToString(got.CodeSigningConfigArn), config)
	}
	var listed []types.CodeSigningConfig
	for pages := lambda.NewListCodeSigningConfigsPaginator(p.lambda, nil); pages.HasMorePages(); {
		out, err := pages.NextPage(p.ctx)
		p.must(err)
		listed = append(listed, out.CodeSigningConfigs...)
	}
	i := slices.IndexFunc(listed, func(c types.CodeSigningConfig) bool { return aws.ToString(c.CodeSigningConfigArn) == config })
	if i < 0 {
		p.Fatalf("%s is not among %d", config, len(listed))
	}
	if c := listed[i]; !slices.Equal(c.AllowedPublishers.SigningProfileVersionArns, []string{trusted}) ||
		c.CodeSigningPolicies.UntrustedArtifactOnDeployment != types.CodeSigningPolicyEnforce {
		p.Errorf("publishers %v, policy %s", c.AllowedPublishers.SigningProfileVersionArns, c.CodeSigningPolicies.UntrustedArtifactOnDeployment)
	}
	var arns []string
	in := &lambda.ListFunctionsByCodeSigningConfigInput{CodeSigningConfigArn: &config}
	for pages := lambda.NewListFunctionsByCodeSigningConfigPaginator(p.lambda, in); pages.HasMorePages(); {
		out, err := pages.NextPage(p.ctx)
		p.must(err)
		arns = append(arns, out.FunctionArns...)
	}
	if len(arns) != 1 || !strings.HasSuffix(arns[0], ":function:"+name) {
		p.Errorf("its functions are %v, want %s", arns, name)
	}
}

func signedLayer(p *probe) {
	arn := p.signed("s", stranger)
	out, err := p.lambda.GetLayerVersionByArn(p.ctx, &lambda.GetLayerVersionByArnInput{Arn: &arn})
	p.must(err)
	if got := aws.ToString(out.Content.SigningProfileVersionArn); got != stranger || out.Content.CodeSize == 0 {
		p.Errorf("the layer says %q, %d bytes", got, out.Content.CodeSize)
	}
	c := p.config(p.create("f", arn))
	if got := aws.ToString(c.Layers[0].SigningProfileVersionArn); got != stranger {
		p.Errorf("the function says %q", got)
	}
}
