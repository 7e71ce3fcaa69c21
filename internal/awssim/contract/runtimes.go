package contract

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func runtimeFacts() []fact {
	return []fact{
		{name: "a customer-managed runtime is told with its alias, by reads and by lists", seeded: true, check: customRuntime},
		{name: "the version of a function's runtime is told by reads, and not by a list of functions", seeded: true, check: runtimeVersionTold},
		{name: "a deleted runtime alias refuses updates with 409 and its own code", seeded: true, check: runtimeAliasDeleted},
		{name: "a function leaves a deleted runtime alias by an update that names another runtime", seeded: true, check: runtimeLeft},
	}
}

// custom makes a function of a customer-managed runtime, and a way to delete
// its alias.
func (p *probe) custom() (name, arn string, drop func() error) {
	p.Helper()
	arn, drop, err := p.env.Seeds.Runtime(p.name("r"), "live")
	p.must(err)
	name = p.create("f")
	_, err = p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Runtime: types.RuntimeCustom,
		RuntimeConfig: &types.FunctionRuntimeConfig{RuntimeArn: &arn, RuntimeAlias: aws.String("live")}})
	p.must(err)
	p.updated(name)
	return name, arn, drop
}

func customRuntime(p *probe) {
	name, arn, _ := p.custom()
	number := p.version(name)
	check := func(from string, runtime types.Runtime, r *types.FunctionRuntimeConfig) {
		if runtime != types.RuntimeCustom || r == nil || aws.ToString(r.RuntimeArn) != arn || aws.ToString(r.RuntimeAlias) != "live" {
			p.Errorf("%s has runtime %q and %+v", from, runtime, r)
		}
	}
	c := p.config(name)
	check("a read", c.Runtime, c.RuntimeConfig)
	listed := 0
	in := &lambda.ListVersionsByFunctionInput{FunctionName: &name}
	for pages := lambda.NewListVersionsByFunctionPaginator(p.lambda, in); pages.HasMorePages(); {
		out, err := pages.NextPage(p.ctx)
		p.must(err)
		for _, v := range out.Versions {
			listed++
			check("version "+aws.ToString(v.Version)+" of a list", v.Runtime, v.RuntimeConfig)
		}
	}
	if listed != 2 {
		p.Errorf("%d versions are listed, want $LATEST and %s", listed, number)
	}
}

func runtimeVersionTold(p *probe) {
	name, arn, _ := p.custom()
	if c := p.config(name); c.RuntimeVersionConfig == nil || !strings.HasPrefix(aws.ToString(c.RuntimeVersionConfig.RuntimeVersionArn), arn+"/version/") {
		p.Errorf("a read has %+v, want a version of %s", c.RuntimeVersionConfig, arn)
	}
	for pages := lambda.NewListFunctionsPaginator(p.lambda, &lambda.ListFunctionsInput{}); pages.HasMorePages(); {
		out, err := pages.NextPage(p.ctx)
		p.must(err)
		for _, f := range out.Functions {
			if f.RuntimeVersionConfig != nil {
				p.Errorf("a list has the version of the runtime of %s", aws.ToString(f.FunctionName))
			}
		}
	}
}

func runtimeAliasDeleted(p *probe) {
	name, _, drop := p.custom()
	arn := p.layer("l")
	p.must(drop())
	const code = "RuntimeAliasDeletedException"
	p.refused(p.setLayers(name, []string{arn}), 409, code, "")
	p.has(name)
	_, err := p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Description: aws.String("x")})
	p.refused(err, 409, code, "")
	_, err = p.lambda.Invoke(p.ctx, &lambda.InvokeInput{FunctionName: &name})
	p.refused(err, 409, code, "")
}

func runtimeLeft(p *probe) {
	name, arn, drop := p.custom()
	p.must(drop())
	_, err := p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name,
		RuntimeConfig: &types.FunctionRuntimeConfig{RuntimeArn: &arn, RuntimeAlias: aws.String("next")}})
	p.must(err)
	if c := p.updated(name); c.RuntimeConfig == nil || aws.ToString(c.RuntimeConfig.RuntimeAlias) != "next" {
		p.Errorf("after another alias: %+v", c.RuntimeConfig)
	}
	_, err = p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Runtime: types.RuntimePython312})
	p.must(err)
	if c := p.updated(name); c.Runtime != types.RuntimePython312 || c.RuntimeConfig != nil {
		p.Errorf("runtime %q and %+v", c.Runtime, c.RuntimeConfig)
	}
}
