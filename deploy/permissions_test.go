package deploy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/health"
)

// eventsQueue is the URL of a queue of events, and eventsQueueARN its ARN.
const (
	eventsQueue    = "https://sqs.eu-central-1.amazonaws.com/210987654321/layerd-events"
	eventsQueueARN = "arn:aws:sqs:eu-central-1:210987654321:layerd-events"
)

// artifactBucket is the ARN of a bucket with archives of layers.
const artifactBucket = "arn:aws:s3:::makoto-artifacts"

// permission is what IAM calls an operation of an SDK client.
type permission struct {
	action string   // "" = none is needed
	also   []string // actions that the same call needs beside it
	person bool     // a person's, at layerd store init, and never the daemon's
}

// permissions is the one list of what layerd asks of AWS. An operation that is
// not in it, and an entry that nothing calls, fail the test below; so do actions
// of the task's role that are not here.
func permissions() map[string]permission {
	return map[string]permission{
		"lambda.ListFunctions":                     {action: "lambda:ListFunctions"},
		"lambda.ListLayerVersions":                 {action: "lambda:ListLayerVersions"},
		"lambda.ListAliases":                       {action: "lambda:ListAliases"},
		"lambda.GetFunction":                       {action: "lambda:GetFunction"},
		"lambda.GetLayerVersionByArn":              {action: "lambda:GetLayerVersion"},
		"lambda.GetLayerVersionPolicy":             {action: "lambda:GetLayerVersionPolicy"},
		"lambda.UpdateFunctionConfiguration":       {action: "lambda:UpdateFunctionConfiguration"}, // and lambda:GetLayerVersion of each layer
		"lambda.DeleteLayerVersion":                {action: "lambda:DeleteLayerVersion"},
		"lambda.GetLayerVersion":                   {action: "lambda:GetLayerVersion"},
		"lambda.PublishLayerVersion":               {action: "lambda:PublishLayerVersion"},                    // and what S3 asks of whoever reads the archive
		"s3.HeadObject":                            {action: "s3:GetObject", also: []string{"s3:ListBucket"}}, // without it a missing object is a denied one
		"s3.GetObject":                             {action: "s3:GetObject", also: []string{"s3:GetObjectVersion"}},
		"lambda.AddLayerVersionPermission":         {action: "lambda:AddLayerVersionPermission"},
		"lambda.RemoveLayerVersionPermission":      {action: "lambda:RemoveLayerVersionPermission"},
		"lambda.PublishVersion":                    {action: "lambda:PublishVersion"},
		"lambda.GetAlias":                          {action: "lambda:GetAlias"},
		"lambda.UpdateAlias":                       {action: "lambda:UpdateAlias"},
		"lambda.GetProvisionedConcurrencyConfig":   {action: "lambda:GetProvisionedConcurrencyConfig"},
		"lambda.ListProvisionedConcurrencyConfigs": {action: "lambda:ListProvisionedConcurrencyConfigs"},
		"lambda.ListCodeSigningConfigs":            {action: "lambda:ListCodeSigningConfigs"},
		"lambda.ListFunctionsByCodeSigningConfig":  {action: "lambda:ListFunctionsByCodeSigningConfig"},
		"lambda.GetAccountSettings":                {action: "lambda:GetAccountSettings"}, // layerd usage: on *
		"lambda.Invoke":                            {action: "lambda:InvokeFunction"},
		"lambda.CreateFunction":                    {action: "lambda:CreateFunction", also: []string{"lambda:TagResource", "iam:PassRole"}, person: true}, // doctor --probe
		"lambda.DeleteFunction":                    {action: "lambda:DeleteFunction", person: true},
		"cloudwatch.DescribeAlarms":                {action: "cloudwatch:DescribeAlarms"}, // of composite ones only on *
		"cloudwatch.GetMetricData":                 {action: "cloudwatch:GetMetricData"},
		"cloudwatch.PutMetricData":                 {action: "cloudwatch:PutMetricData"}, // in the namespace layerd
		"cloudtrail.LookupEvents":                  {action: "cloudtrail:LookupEvents"},
		"sqs.ReceiveMessage":                       {action: "sqs:ReceiveMessage"},
		"sqs.DeleteMessageBatch":                   {action: "sqs:DeleteMessage"},
		"resourcegroupstaggingapi.GetResources":    {action: "tag:GetResources"},
		"sts.GetCallerIdentity":                    {},
		"stscreds.AssumeRole":                      {action: "sts:AssumeRole"},
		"secretsmanager.GetSecretValue":            {action: "secretsmanager:GetSecretValue"},
		"ssm.GetParameter":                         {action: "ssm:GetParameter"},
		"ssm.GetParametersByPath":                  {action: "ssm:GetParametersByPath"},
		"ssm.ListTagsForResource":                  {action: "ssm:ListTagsForResource"},
		"ssm.PutParameter":                         {action: "ssm:PutParameter"},
		"ssm.AddTagsToResource":                    {action: "ssm:AddTagsToResource"},
		"ssm.DeleteParameter":                      {action: "ssm:DeleteParameter"},
		"dynamodb.GetItem":                         {action: "dynamodb:GetItem"},
		"dynamodb.Query":                           {action: "dynamodb:Query"},
		"dynamodb.UpdateItem":                      {action: "dynamodb:UpdateItem"},
		"dynamodb.DescribeTable":                   {action: "dynamodb:DescribeTable", person: true},
		"dynamodb.CreateTable":                     {action: "dynamodb:CreateTable", person: true},
		"dynamodb.UpdateTable":                     {action: "dynamodb:UpdateTable", person: true},
		"dynamodb.Scan":                            {action: "dynamodb:Scan", person: true},
		"dynamodb.DescribeContinuousBackups":       {action: "dynamodb:DescribeContinuousBackups", person: true},
		"dynamodb.UpdateContinuousBackups":         {action: "dynamodb:UpdateContinuousBackups", person: true},
	}
}

// calls finds the operations that the code of internal/ and cmd/ asks SDK
// clients for: each has an Input that is made somewhere.
func calls(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, root := range []string{"../internal", "../cmd"} {
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && (d.Name() == "awssim" || strings.HasSuffix(d.Name(), "test")) {
				if err == nil {
					err = fs.SkipDir // worlds for tests
				}
				return err
			}
			if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			return callsOf(file, found)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func callsOf(file string, found map[string]bool) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return err
	}
	services := map[string]string{}
	for _, i := range f.Imports {
		p := strings.Trim(i.Path.Value, `"`)
		if strings.HasPrefix(p, "github.com/aws/aws-sdk-go-v2/service/") || p == "github.com/aws/aws-sdk-go-v2/credentials/stscreds" {
			name := path.Base(p)
			if i.Name != nil {
				name = i.Name.Name
			}
			services[name] = path.Base(p)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok || services[x.Name] == "" {
			return true
		}
		if op, ok := strings.CutSuffix(sel.Sel.Name, "Input"); ok && services[x.Name] != "types" {
			found[services[x.Name]+"."+op] = true
		}
		if sel.Sel.Name == "NewAssumeRoleProvider" {
			found["stscreds.AssumeRole"] = true
		}
		return true
	})
	return nil
}

// The list of permissions is what the code calls, no more and no less.
func TestPermissionsAreWhatTheCodeCalls(t *testing.T) {
	have := calls(t)
	want := map[string]bool{}
	for op := range permissions() {
		want[op] = true
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(have)), func(op string) bool { return strings.HasPrefix(op, "dynamodb.") }) {
		t.Log("no store in DynamoDB yet: its permissions are not compared")
		maps.DeleteFunc(want, func(op string, _ bool) bool { return strings.HasPrefix(op, "dynamodb.") })
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want))); diff != "" {
		t.Errorf("operations (-called +listed):\n%s", diff)
	}
}

// The task may do what the daemon calls, and nothing else.
func TestTheTaskMayDoWhatTheDaemonCalls(t *testing.T) {
	c := stack(t, map[string]any{
		"SpokeRoles": "arn:aws:iam::210987654321:role/layerd", "SlackWebhookSecret": slackSecret, "ArtifactBucket": artifactBucket, "EventsQueue": eventsQueue,
	})
	have := map[string]bool{}
	for _, s := range statements(t, c) {
		for _, a := range list(at(t, s, "Action")) {
			have[a] = true
		}
	}
	want := map[string]bool{}
	for _, p := range permissions() {
		if p.action != "" && !p.person {
			want[p.action] = true
			for _, also := range p.also {
				want[also] = true
			}
		}
	}
	delete(want, "ssm:GetParameter") // this configuration names no parameter
	if diff := cmp.Diff(slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want))); diff != "" {
		t.Errorf("actions (-allowed +called):\n%s", diff)
	}
}

func statements(t *testing.T, c *template) []any {
	t.Helper()
	return at(t, c.properties("TaskRole"), "Policies", 0, "PolicyDocument", "Statement").([]any)
}

func list(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var l []string
	for _, item := range v.([]any) {
		l = append(l, item.(string))
	}
	return l
}

// What changes or reveals something is allowed on what was named only.
func TestTheTaskIsKeptToWhatWasNamed(t *testing.T) {
	c := stack(t, map[string]any{
		"FunctionPrefix": "makoto-", "SpokeRoles": "arn:aws:iam::210987654321:role/layerd", "SlackWebhookSecret": slackSecret, "ArtifactBucket": artifactBucket, "EventsQueue": eventsQueue,
	})
	want := map[string][]string{
		"lambda:UpdateFunctionConfiguration":  {"arn:aws:lambda:ap-northeast-1:123456789012:function:makoto-*"},
		"lambda:DeleteLayerVersion":           {"arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-*:*"},
		"lambda:PublishLayerVersion":          {"arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-*"},
		"s3:GetObject":                        {artifactBucket + "/*"},
		"s3:GetObjectVersion":                 {artifactBucket + "/*"},
		"s3:ListBucket":                       {artifactBucket},
		"lambda:PublishVersion":               {"arn:aws:lambda:ap-northeast-1:123456789012:function:makoto-*"},
		"lambda:UpdateAlias":                  {"arn:aws:lambda:ap-northeast-1:123456789012:function:makoto-*"},
		"lambda:InvokeFunction":               {"arn:aws:lambda:ap-northeast-1:123456789012:function:makoto-*"},
		"dynamodb:UpdateItem":                 {"${Table.Arn}"},
		"secretsmanager:GetSecretValue":       {gitSecret, slackSecret},
		"ssm:PutParameter":                    {"arn:aws:ssm:ap-northeast-1:123456789012:parameter/layerd/*"},
		"ssm:DeleteParameter":                 {"arn:aws:ssm:ap-northeast-1:123456789012:parameter/layerd/*"},
		"ssm:AddTagsToResource":               {"arn:aws:ssm:ap-northeast-1:123456789012:parameter/layerd/*"},
		"sqs:ReceiveMessage":                  {eventsQueueARN},
		"sqs:DeleteMessage":                   {eventsQueueARN},
		"sts:AssumeRole":                      {"arn:aws:iam::210987654321:role/layerd"},
		"lambda:GetFunction":                  {"arn:aws:lambda:ap-northeast-1:123456789012:function:*"},
		"lambda:AddLayerVersionPermission":    {"arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-*:*"},
		"lambda:RemoveLayerVersionPermission": {"arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-*:*"},
	}
	// IAM knows no resources for them.
	everywhere := []string{
		"lambda:ListFunctions", "lambda:ListLayerVersions", "lambda:ListCodeSigningConfigs", "tag:GetResources", "cloudtrail:LookupEvents",
		"cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:PutMetricData", "lambda:GetAccountSettings",
	}
	for _, s := range statements(t, c) {
		resources := list(at(t, s, "Resource"))
		for _, a := range list(at(t, s, "Action")) {
			if w := want[a]; w != nil && !slices.Equal(resources, w) {
				t.Errorf("%s is allowed on %v, want %v", a, resources, w)
			}
			delete(want, a)
			if slices.Contains(resources, "*") && !slices.Contains(everywhere, a) {
				t.Errorf("%s is allowed on everything", a)
			}
			if strings.Contains(a, "*") {
				t.Errorf("%s allows more than it says", a)
			}
			if a == "cloudwatch:PutMetricData" && at(t, s, "Condition", "StringEquals", "cloudwatch:namespace") != health.FiguresNamespace {
				t.Errorf("%s is allowed in the namespaces of others", a)
			}
		}
	}
	for a := range want {
		t.Errorf("%s is not allowed", a)
	}
	// Without roles and Slack nothing is left half allowed.
	for _, s := range statements(t, stack(t, nil)) {
		if slices.Contains(list(at(t, s, "Action")), "sts:AssumeRole") {
			t.Error("roles may be assumed though none was named")
		}
		if strings.HasPrefix(list(at(t, s, "Action"))[0], "s3:") {
			t.Error("S3 may be read though no bucket was named")
		}
		if strings.HasPrefix(list(at(t, s, "Action"))[0], "sqs:") {
			t.Error("a queue may be read though none was named")
		}
		if got := list(at(t, s, "Resource")); slices.Contains(got, "") {
			t.Errorf("%v: an empty resource", s)
		}
	}
}
