package contract

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func provisionedFacts() []fact {
	return []fact{
		{name: "an alias without provisioned concurrency is 404", check: noneProvisioned},
		{name: "provisioned concurrency is in progress and then ready", check: provisionedReady},
		{name: "moving an alias provisions anew", check: provisionedMoves},
		{name: "LATEST cannot have provisioned concurrency", check: latestProvisioned},
		{name: "an alias with weights cannot be given provisioned concurrency", check: weightedProvisioned},
		{name: "a list of provisioned concurrency names the ARNs of aliases and versions", check: listProvisioned},
	}
}

func (p *probe) provision(name, qualifier string) (*lambda.PutProvisionedConcurrencyConfigOutput, error) {
	return p.lambda.PutProvisionedConcurrencyConfig(p.ctx, &lambda.PutProvisionedConcurrencyConfigInput{
		FunctionName: &name, Qualifier: &qualifier, ProvisionedConcurrentExecutions: aws.Int32(1)})
}

func (p *probe) provisioned(name string) *lambda.GetProvisionedConcurrencyConfigOutput {
	p.Helper()
	out, err := p.lambda.GetProvisionedConcurrencyConfig(p.ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: &name, Qualifier: aws.String("live")})
	p.must(err)
	return out
}

// allocated waits until the provisioned concurrency of live is ready.
func (p *probe) allocated(name string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		out := p.provisioned(name)
		if out.Status == types.ProvisionedConcurrencyStatusEnumReady {
			if got := aws.ToInt32(out.AvailableProvisionedConcurrentExecutions); got != 1 {
				p.Errorf("%d are available, want 1", got)
			}
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.Fatalf("it is %s after minutes", out.Status)
		}
	}
}

func noneProvisioned(p *probe) {
	name, _ := p.alias(nil)
	_, err := p.lambda.GetProvisionedConcurrencyConfig(p.ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: &name, Qualifier: aws.String("live")})
	p.refused(err, 404, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function")
}

func provisionedReady(p *probe) {
	name, _ := p.alias(nil)
	out, err := p.provision(name, "live")
	p.must(err)
	if out.Status != types.ProvisionedConcurrencyStatusEnumInProgress || aws.ToInt32(out.AvailableProvisionedConcurrentExecutions) != 0 {
		p.Errorf("it is %s with %d available, want IN_PROGRESS with none", out.Status, aws.ToInt32(out.AvailableProvisionedConcurrentExecutions))
	}
	p.allocated(name)
}

func provisionedMoves(p *probe) {
	name, _ := p.alias(nil)
	_, err := p.provision(name, "live")
	p.must(err)
	p.allocated(name)
	p.must(p.updateAlias(name, lambda.UpdateAliasInput{Description: aws.String("stays")}))
	if got := p.provisioned(name).Status; got != types.ProvisionedConcurrencyStatusEnumReady {
		p.Errorf("an alias that stays is %s", got)
	}
	p.must(p.updateAlias(name, lambda.UpdateAliasInput{FunctionVersion: aws.String("2")}))
	if got := p.provisioned(name).Status; got != types.ProvisionedConcurrencyStatusEnumInProgress {
		p.Errorf("an alias that has moved is %s, want IN_PROGRESS", got)
	}
	p.allocated(name)
}

func latestProvisioned(p *probe) {
	_, err := p.provision(p.create("f"), "$LATEST")
	p.refused(err, 400, invalid, "")
}

func weightedProvisioned(p *probe) {
	name, _ := p.alias(map[string]float64{"2": 0.5})
	_, err := p.provision(name, "live")
	p.refused(err, 400, invalid, "")
}

func listProvisioned(p *probe) {
	name, _ := p.alias(nil)
	_, err := p.provision(name, "live")
	p.must(err)
	var arns []string
	in := &lambda.ListProvisionedConcurrencyConfigsInput{FunctionName: &name}
	for pages := lambda.NewListProvisionedConcurrencyConfigsPaginator(p.lambda, in); pages.HasMorePages(); {
		out, err := pages.NextPage(p.ctx)
		p.must(err)
		for _, c := range out.ProvisionedConcurrencyConfigs {
			arns = append(arns, aws.ToString(c.FunctionArn))
		}
	}
	if len(arns) != 1 || !strings.HasSuffix(arns[0], ":function:"+name+":live") {
		p.Errorf("ARNs are %v, want that of the alias", arns)
	}
}
