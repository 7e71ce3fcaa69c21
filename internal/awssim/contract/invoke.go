package contract

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func invokeFacts() []fact {
	return []fact{
		{name: "an invocation gives what the function returns and the version that ran", runs: true, check: invokeLatest},
		{name: "an invocation through an alias runs the version behind it", runs: true, check: invokeAlias},
		{name: "an invocation through an alias with all the weight elsewhere runs the other version", runs: true, check: invokeWeighted},
		{name: "an invocation has the end of the log when it asks for it", runs: true, check: invokeLog},
		{name: "a dry run answers 204 and runs nothing", check: dryRun},
		{name: "an invocation of a function that is not there is 404", check: invokeNothing},
		{name: "an invocation of an alias that is not there is 404", check: invokeNoAlias},
		{name: "an invocation with a payload that is no JSON is refused", check: invokeNoJSON},
		{name: "an invocation with more than six megabytes is refused", check: invokeLarge},
	}
}

func (p *probe) invoke(name, qualifier string, change func(*lambda.InvokeInput)) (*lambda.InvokeOutput, error) {
	in := &lambda.InvokeInput{FunctionName: &name, Payload: []byte("{}")}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	if change != nil {
		change(in)
	}
	return p.lambda.Invoke(p.ctx, in)
}

func (p *probe) ran(name, qualifier, version string) {
	p.Helper()
	out, err := p.invoke(name, qualifier, nil)
	p.must(err)
	var got struct{ StatusCode int }
	if err := json.Unmarshal(out.Payload, &got); err != nil || got.StatusCode != 200 {
		p.Errorf("answer is %s, want a statusCode of 200", out.Payload)
	}
	if out.StatusCode != 200 || out.FunctionError != nil || out.LogResult != nil || aws.ToString(out.ExecutedVersion) != version {
		p.Errorf("%d, FunctionError %q, log %v, version %q; want 200, none, none, %q",
			out.StatusCode, aws.ToString(out.FunctionError), out.LogResult != nil, aws.ToString(out.ExecutedVersion), version)
	}
}

func invokeLatest(p *probe) { p.ran(p.create("f"), "", "$LATEST") }

func invokeAlias(p *probe) {
	name, _ := p.alias(nil)
	p.ran(name, "live", "1")
	p.ran(name, "2", "2")
}

func invokeWeighted(p *probe) {
	name, _ := p.alias(map[string]float64{"2": 1})
	p.ran(name, "live", "2")
}

func invokeLog(p *probe) {
	out, err := p.invoke(p.create("f"), "", func(in *lambda.InvokeInput) { in.LogType = types.LogTypeTail })
	p.must(err)
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil || !strings.Contains(string(log), "START RequestId: ") || !strings.Contains(string(log), "REPORT RequestId: ") {
		p.Errorf("log is %q, %v", log, err)
	}
}

func dryRun(p *probe) {
	out, err := p.invoke(p.create("f"), "", func(in *lambda.InvokeInput) { in.InvocationType = types.InvocationTypeDryRun })
	p.must(err)
	if out.StatusCode != 204 || len(out.Payload) != 0 {
		p.Errorf("%d with %q, want 204 with nothing", out.StatusCode, out.Payload)
	}
}

func invokeNothing(p *probe) {
	_, err := p.invoke(p.name("absent"), "", nil)
	p.refused(err, 404, missing, "Function not found: arn:")
}

func invokeNoAlias(p *probe) {
	_, err := p.invoke(p.create("f"), "live", nil)
	p.refused(err, 404, missing, "")
}

func invokeNoJSON(p *probe) {
	_, err := p.invoke(p.create("f"), "", func(in *lambda.InvokeInput) { in.Payload = []byte("no") })
	p.refused(err, 400, "InvalidRequestContentException", "")
}

func invokeLarge(p *probe) {
	_, err := p.invoke(p.create("f"), "", func(in *lambda.InvokeInput) { in.Payload = []byte(`"` + strings.Repeat("x", 6<<20) + `"`) })
	p.refused(err, 413, "RequestTooLargeException", "")
}
