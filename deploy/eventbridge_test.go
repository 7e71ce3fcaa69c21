package deploy_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/nightly"
)

const (
	queueTemplate   = "eventbridge/queue.template.yaml"
	forwardTemplate = "eventbridge/forward.template.yaml"
	eventsBus       = "arn:aws:events:ap-northeast-1:123456789012:event-bus/default"
)

// What is forwarded from elsewhere is what is forwarded here: all that layerd asks CloudTrail
// about or does itself, and every function state event, whatever it is called.
func TestEventsThatAreForwarded(t *testing.T) {
	here := at(t, readTemplate(t, queueTemplate, nil).properties("Rule"), "EventPattern")
	there := at(t, readTemplate(t, forwardTemplate, map[string]any{"BusArn": eventsBus}).properties("Rule"), "EventPattern")
	if diff := cmp.Diff(here, there); diff != "" {
		t.Errorf("patterns (-here +there):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"aws.lambda"}, at(t, here, "source")); diff != "" {
		t.Error(diff)
	}
	var prefixes []string
	for _, p := range at(t, here, "$or", 1, "detail", "eventName").([]any) {
		prefixes = append(prefixes, at(t, p, "prefix").(string))
	}
	forwarded := func(name string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	for _, name := range []string{
		"UpdateFunctionConfiguration20150331v2", "UpdateFunctionCode20150331v2", "PublishVersion20150331", "UpdateAlias20150331", "CreateFunction20150331",
		"DeleteFunction20150331", "PublishLayerVersion20181031", "DeleteLayerVersion20181031", "AddLayerVersionPermission20181031",
		"RemoveLayerVersionPermission20181031", "TagResource20170331v2", "UntagResource20170331v2",
	} {
		if !forwarded(name) {
			t.Errorf("%s is not forwarded", name)
		}
	}
	for _, name := range []string{"Invoke", "GetFunction20150331v2", "ListFunctions20150331"} {
		if forwarded(name) {
			t.Errorf("%s is forwarded", name)
		}
	}
}

// Nobody but the rule writes into the queue, and nobody but the accounts that are named may
// put events on the bus.
func TestWhoMayWriteEvents(t *testing.T) {
	c := readTemplate(t, queueTemplate, map[string]any{"Accounts": "210987654321,111122223333"})
	statements := at(t, c.properties("QueuePolicy"), "PolicyDocument", "Statement").([]any)
	if len(statements) != 1 || at(t, statements[0], "Principal", "Service") != "events.amazonaws.com" ||
		at(t, statements[0], "Condition", "ArnEquals", "aws:SourceArn") != "${Rule.Arn}" {
		t.Errorf("the queue's policy is %v", statements)
	}
	if diff := cmp.Diff([]any{"210987654321", "111122223333"}, at(t, c.properties("BusPolicy"), "Statement", "Principal", "AWS")); diff != "" {
		t.Error(diff)
	}
	if got := at(t, c.root, "Resources", "BusPolicy", "Condition"); got != "HasAccounts" {
		t.Errorf("the bus is open on the condition %v", got)
	}
	role := readTemplate(t, forwardTemplate, map[string]any{"BusArn": eventsBus}).properties("Role")
	if got := at(t, role, "Policies", 0, "PolicyDocument", "Statement", 0, "Resource"); got != eventsBus {
		t.Errorf("events may be put on %v", got)
	}
}

// Whoever runs elsewhere than in deploy/ecs is given what the code calls.
func TestWhoMayReadEvents(t *testing.T) {
	var want []string
	for op, p := range permissions() {
		if strings.HasPrefix(op, "sqs.") {
			want = append(want, p.action)
		}
	}
	slices.Sort(want)
	have := list(at(t, readTemplate(t, queueTemplate, nil).properties("Read"), "PolicyDocument", "Statement", 0, "Action"))
	slices.Sort(have)
	if diff := cmp.Diff(have, want); diff != "" {
		t.Errorf("actions (-allowed +called):\n%s", diff)
	}
}

func TestEventTemplatesLint(t *testing.T) {
	switch {
	case testing.Short():
		t.Skip("starts Python")
	case !nightly.On() && unchanged(t, "eventbridge"):
		t.Skip("LAYERD_NIGHTLY=1 runs it: it takes some seconds, and the templates have not changed")
	}
	lint := nightly.Program(t, "cfn-lint", "pip install cfn-lint")
	if out, err := exec.CommandContext(t.Context(), lint, queueTemplate, forwardTemplate).CombinedOutput(); err != nil {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
}
