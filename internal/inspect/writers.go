package inspect

import (
	"fmt"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
)

// writers finds who else writes to the function, and what makes peace with them.
func (x *exam) writers() {
	x.stacks()
	x.terraform()
	for _, l := range x.Function.Layers {
		if v, ok := vendorOf(l); ok && !x.wants(l) {
			f := Finding{Code: "written_by_vendor", Severity: Note, Subject: x.Name, Evidence: []string{string(l)}, Command: x.why(),
				Message: fmt.Sprintf("%s is attached, which %s of %s puts there by itself: it may rewrite the list at any time", l.Layer().Name(), v.tool, v.name),
				Advice:  "let one of the two write layers: list it under unmanaged and keep the tool, or wish it in Git and switch the tool off"}
			if x.Environment != nil && x.Environment.LeavesAlone(l) {
				f.Evidence = append(f.Evidence, "unmanaged in "+x.Environment.File+" lists it")
				f.Advice = "nothing is to be done: unmanaged lists it, and layerd leaves it where it is"
			}
			x.add(f)
		}
	}
	switch w := x.Writer; {
	case w.Unread != "":
		x.add(Finding{Code: "trail_unread", Severity: Note, Subject: x.Name, Evidence: []string{w.Unread}, Message: "who else has changed it lately is not known",
			Command: command("aws", "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=ResourceName,AttributeValue="+x.Name)})
	case w.Who != "":
		x.add(Finding{Code: "written_by_other", Severity: Note, Subject: x.Name, Command: x.why(),
			Message:  fmt.Sprintf("%s changed its configuration on %s", w.Who, w.At.UTC().Format(time.RFC3339)),
			Evidence: []string{"CloudTrail, " + w.At.UTC().Format(time.RFC3339)}})
	}
}

// wants reports whether Git asks for the layer.
func (x *exam) wants(v state.LayerVersionARN) bool {
	for _, w := range x.Wants {
		if w.Selected && v.Of(w.ARN) {
			return true
		}
	}
	return false
}

// managed reports whether Git asks for any layer of the function: then two write its list.
func (x *exam) managed() bool {
	for _, w := range x.Wants {
		if w.Selected {
			return true
		}
	}
	return false
}

// severity of another writer: a fight is only where both write.
func (x *exam) severity() Severity {
	if x.managed() {
		return Warning
	}
	return Note
}

// live returns the layers as a template has to have them, one a line.
func (x *exam) live(before, after string) string {
	var b strings.Builder
	for _, l := range x.Function.Layers {
		fmt.Fprintf(&b, "%s%s%s\n", before, l, after)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// stacks finds CloudFormation, which SAM, the CDK, Amplify and the Serverless Framework
// are as well.
func (x *exam) stacks() {
	stack, logical := x.Tags["aws:cloudformation:stack-name"], x.Tags["aws:cloudformation:logical-id"]
	if stack == "" {
		return
	}
	f := Finding{Code: "written_by_cloudformation", Severity: x.severity(), Subject: x.Name,
		Evidence: []string{"the tag aws:cloudformation:stack-name is " + stack},
		Message:  fmt.Sprintf("the stack %s owns it: a deploy that changes its Layers, or one with REVERT_DRIFT, puts back what the template says", stack),
		Command:  x.inRegion(command("aws", "cloudformation", "detect-stack-resource-drift", "--stack-name", stack, "--logical-resource-id", logicalOr(logical)))}
	f.Advice = "let the template say what is live:\nLayers:\n" + x.live("  - ", "")
	if len(x.Function.Layers) == 0 {
		f.Advice = "leave Layers out of the template"
	}
	if x.serverless() != "" {
		f.Code = "written_by_serverless"
		f.Message = fmt.Sprintf("the Serverless Framework deploys it by the stack %s: each deploy that changes its layers puts back what serverless.yml says", stack)
		f.Evidence = append(f.Evidence, x.serverless())
		f.Advice = "let serverless.yml say what is live:\nlayers:\n" + x.live("  - ", "")
	}
	x.add(f)
}

func logicalOr(logical string) string {
	if logical == "" {
		return "LOGICAL_ID"
	}
	return logical
}

func (x *exam) inRegion(text string) string {
	if x.Region == "" {
		return text
	}
	return text + " --region " + x.Region
}

// serverless returns what shows that the Serverless Framework deploys the function: it
// tags with STAGE and names its resources with LambdaFunction at the end.
func (x *exam) serverless() string {
	for key := range x.Tags {
		if strings.HasPrefix(strings.ToLower(key), "serverless") {
			return "it has the tag " + key
		}
	}
	if stage, ok := x.Tags["STAGE"]; ok && strings.HasSuffix(x.Tags["aws:cloudformation:logical-id"], "LambdaFunction") {
		return "it has the tag STAGE, " + stage
	}
	return ""
}

// terraform finds Terraform by the tags that teams give what it makes: it leaves none of
// its own.
func (x *exam) terraform() {
	for _, key := range sortedKeys(x.Tags) {
		by, value := strings.ToLower(key), strings.ToLower(x.Tags[key])
		tool := ""
		for _, name := range []string{"terraform", "opentofu", "terragrunt", "pulumi"} {
			if strings.Contains(value, name) || strings.HasPrefix(by, name) {
				tool = name
			}
		}
		if tool == "" || strings.HasPrefix(by, "aws:") {
			continue
		}
		x.add(Finding{Code: "written_by_terraform", Severity: x.severity(), Subject: x.Name, Evidence: []string{fmt.Sprintf("the tag %s", key)},
			Message: "Terraform, or one of its kind, owns it: each apply puts back the layers of its configuration, also where that names none",
			Command: command("terraform", "state", "list"),
			Advice:  "in its resource aws_lambda_function: lifecycle { ignore_changes = [layers] }"})
		return
	}
}

// vendor is who puts layers on functions without being asked by Git.
type vendor struct{ account, name, tool string }

// vendors are known by the accounts that own their layers.
var vendors = []vendor{
	{"464622532012", "Datadog", "the instrumenter"},
	{"002406178527", "Datadog", "the instrumenter"},
	{"451483290750", "New Relic", "newrelic-lambda layers install"},
	{"580247275435", "AWS", "CloudWatch Lambda Insights"},
	{"615299751070", "AWS", "CloudWatch Application Signals"},
	{"901920570463", "AWS", "the distribution of OpenTelemetry"},
	{"184161586896", "OpenTelemetry", "the community's distribution"},
	{"725887861453", "Dynatrace", "the OneAgent extension"},
	{"943013980633", "Sentry", "the Sentry integration"},
	{"114300393969", "Lumigo", "the Lumigo instrumenter"},
	{"267093732750", "Elastic", "the APM extension"},
}

func vendorOf(v state.LayerVersionARN) (vendor, bool) {
	for _, one := range vendors {
		if one.account == v.Layer().Account() {
			return one, true
		}
	}
	return vendor{}, false
}
