package contract

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func snapStartFacts() []fact {
	return []fact{
		{name: "SnapStart leaves LATEST alone", check: snapStartLatest},
		{name: "a version with SnapStart is Pending before it is Active", check: snapStartPending},
		{name: "a version with SnapStart cannot be called before it is Active", check: snapStartCalled},
		{name: "a version without SnapStart is Active at once", check: plainVersion},
	}
}

// snapStart makes a function whose versions get a snapshot.
func (p *probe) snapStart() string {
	p.Helper()
	name := p.create("f")
	_, err := p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name, SnapStart: &types.SnapStart{ApplyOn: types.SnapStartApplyOnPublishedVersions}})
	p.must(err)
	p.updated(name)
	return name
}

func snapStartLatest(p *probe) {
	c := p.config(p.snapStart())
	if c.State != types.StateActive || c.SnapStart == nil || c.SnapStart.ApplyOn != types.SnapStartApplyOnPublishedVersions ||
		c.SnapStart.OptimizationStatus != types.SnapStartOptimizationStatusOff {
		p.Errorf("State %s, SnapStart %+v; want Active, PublishedVersions, Off", c.State, c.SnapStart)
	}
}

func snapStartPending(p *probe) {
	name := p.snapStart()
	out, err := p.lambda.PublishVersion(p.ctx, &lambda.PublishVersionInput{FunctionName: &name})
	p.must(err)
	if out.State != types.StatePending || aws.ToString(out.StateReason) == "" {
		p.Errorf("State %s (%s), want Pending and why", out.State, aws.ToString(out.StateReason))
	}
	p.must(lambda.NewPublishedVersionActiveWaiter(p.lambda).Wait(p.ctx,
		&lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: out.Version}, 5*time.Minute,
		func(o *lambda.PublishedVersionActiveWaiterOptions) {
			o.MinDelay, o.MaxDelay = 20*time.Millisecond, 3*time.Second
		}))
	c := p.config(name + ":" + aws.ToString(out.Version))
	if c.SnapStart == nil || c.SnapStart.OptimizationStatus != types.SnapStartOptimizationStatusOn {
		p.Errorf("SnapStart %+v, want it On", c.SnapStart)
	}
	if aws.ToString(c.RevisionId) == aws.ToString(out.RevisionId) {
		p.Errorf("RevisionId is still %q", aws.ToString(c.RevisionId))
	}
}

func snapStartCalled(p *probe) {
	name := p.snapStart()
	_, err := p.invoke(name, p.version(name), nil)
	p.refused(err, 409, "SnapStartNotReadyException", "")
	_, err = p.lambda.DeleteFunction(p.ctx, &lambda.DeleteFunctionInput{FunctionName: &name, Qualifier: aws.String("1")})
	p.refused(err, 409, conflict, "")
}

func plainVersion(p *probe) {
	name := p.create("f")
	if c := p.config(name + ":" + p.version(name)); c.State != types.StateActive {
		p.Errorf("State %s, want Active", c.State)
	}
}
