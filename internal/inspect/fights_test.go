package inspect

import (
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/state"
)

// Which function a template means is what the template, CloudFormation's tags or a stack's
// own list say, whatever CloudFormation has made of the name; a name that only looks like
// one of its kind is nobody's.
func TestTemplateFightsGuessNoName(t *testing.T) {
	made := func(name, stack, logical string) state.Function {
		f := state.Function{Name: name, ARN: "arn:aws:lambda:eu-west-1:123456789012:function:" + name, Tags: map[string]string{}}
		if stack != "" {
			f.Tags["aws:cloudformation:stack-name"], f.Tags["aws:cloudformation:logical-id"] = stack, logical
		}
		return f
	}
	const long = "a-stack-with-a-very-long-n-AFunctionWithAVeryLongN-1A2B3C4D5E6F"
	territory := Territory{Manages: func(_, f string) bool { return f != "outside" }, Regions: []state.Snapshot{{Region: "eu-west-1", Functions: []state.Function{
		made(long, "a-stack-with-a-very-long-name", "AFunctionWithAVeryLongName"),
		made("shop-Chat-1A2B3C4D5E6F", "shop", "Chat"),
		made("shop-dev-Chat-0A2B3C4D5E6F", "shop-dev", "Chat"),
		made("looks-Like-1A2B3C4D5E6F", "looks", "Other"),
		made("looks-Like-byhand", "", ""),
		made("api-prod", "shop", "Api"),
		made("api-dev", "", ""),
		made("api-old", "old", "Elsewhere"),
		made("outside", "shop", "Chat"),
	}}}}
	for _, tt := range []struct {
		name, resource string
		want           []string // nil = no fight
		message        string
	}{
		{"shortened", "AFunctionWithAVeryLongName: {Type: AWS::Lambda::Function, Properties: {Layers: [x]}}", []string{long}, "made by a-stack-with-a-very-long-name"},
		{"two stacks of one template", "Chat: {Type: AWS::Serverless::Function, Properties: {Layers: [x]}}", []string{"shop-Chat-1A2B3C4D5E6F", "shop-dev-Chat-0A2B3C4D5E6F"}, "made by shop and shop-dev; each"},
		{"a name that only looks so", "Like: {Type: AWS::Lambda::Function, Properties: {Layers: [x]}}", nil, ""},
		{"not deployed", "Nobody: {Type: AWS::Lambda::Function, Properties: {Layers: [x]}}", nil, ""},
		{"stated", "Api: {Type: AWS::Lambda::Function, Properties: {FunctionName: api-prod, Layers: [x]}}", []string{"api-prod"}, "made by shop"},
		{"stated in parts", "Api: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub 'api-${Stage}', Layers: [x]}}", []string{"api-prod", "api-dev"}, ""},
		{"stated with values", "Api: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub ['api-${S}', {S: prod}], Layers: [x]}}", []string{"api-prod", "api-dev"}, ""},
		{"stated, of another stack", "Api: {Type: AWS::Lambda::Function, Properties: {FunctionName: api-old, Layers: [x]}}", nil, ""},
		{"all of it at deploy time", "Chat: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub '${A}-${B}', Layers: [x]}}", []string{"shop-Chat-1A2B3C4D5E6F", "shop-dev-Chat-0A2B3C4D5E6F"}, "made by"},
		{"a parameter", "Api: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Ref Name, Layers: [x]}}", []string{"api-prod"}, "made by shop"},
		{"a parameter of what is not there", "Nobody: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Ref Name, Layers: [x]}}", []string{}, "no tag does"},
	} {
		got, err := TemplateFights("t.yaml", []byte("Resources:\n  "+tt.resource+"\n"), territory)
		if err != nil {
			t.Fatal(err)
		}
		var want [][]string
		if tt.want != nil {
			want = [][]string{tt.want}
		}
		checkFights(t, tt.name, got, want, tt.message)
	}
	for _, tt := range []struct {
		name, list string
		want       [][]string
	}{
		{"described", `{"StackResources": [{"StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1", "LogicalResourceId": "Chat", "PhysicalResourceId": "shop-Chat-1A2B3C4D5E6F", "ResourceType": "AWS::Lambda::Function"}, {"PhysicalResourceId": "api-prod", "ResourceType": "AWS::IAM::Role"}]}`, [][]string{{"shop-Chat-1A2B3C4D5E6F"}}},
		{"of another Region", `{"StackResources": [{"StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/shop/1", "PhysicalResourceId": "api-prod", "ResourceType": "AWS::Lambda::Function"}]}`, nil},
		{"listed", `{"StackResourceSummaries": [{"LogicalResourceId": "A", "PhysicalResourceId": "` + long + `", "ResourceType": "AWS::Lambda::Function"}, {"LogicalResourceId": "B", "ResourceType": "AWS::Lambda::Function"}]}`, [][]string{{long}}},
	} {
		got, err := TemplateFights("stack.json", []byte(tt.list), territory)
		if err != nil {
			t.Fatal(err)
		}
		checkFights(t, tt.name, got, tt.want, "")
	}
}

func checkFights(t *testing.T, name string, got []Fight, want [][]string, message string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: fights %+v, want of %q", name, got, want)
		return
	}
	for i, f := range got {
		names := []string{}
		for _, n := range f.Functions {
			names = append(names, strings.TrimPrefix(n, "eu-west-1/"))
		}
		if !slices.Equal(names, want[i]) || !strings.Contains(f.Message, message) {
			t.Errorf("%s: %q: %s, want %q with %q", name, names, f.Message, want[i], message)
		}
	}
}
