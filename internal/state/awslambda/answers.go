package awslambda

import (
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"github.com/layerd/layerd/internal/state"
)

// answers calls own for each ARN of an answer that has to be of our account,
// Region and partition: functions, their versions and aliases, own layers. The
// layers in a function's list may be anybody's.
func answers(in, out any, own func(*string)) {
	switch out := out.(type) {
	case *lambda.ListFunctionsOutput:
		for i := range out.Functions {
			own(out.Functions[i].FunctionArn)
		}
	case *lambda.GetFunctionOutput:
		if out.Configuration != nil {
			own(out.Configuration.FunctionArn)
		}
	case *lambda.UpdateFunctionConfigurationOutput:
		own(out.FunctionArn)
	case *lambda.PublishVersionOutput:
		own(out.FunctionArn)
	case *lambda.ListLayerVersionsOutput:
		for i := range out.LayerVersions {
			own(out.LayerVersions[i].LayerVersionArn)
		}
	case *lambda.PublishLayerVersionOutput:
		own(out.LayerVersionArn)
	case *lambda.GetLayerVersionOutput:
		own(out.LayerVersionArn)
	case *lambda.GetLayerVersionByArnOutput:
		// It may be asked about a layer of others, and has to answer about theirs.
		if asked := in.(*lambda.GetLayerVersionByArnInput).Arn; !sameOwner(asked, out.LayerVersionArn) {
			own(out.LayerVersionArn)
		}
	case *resourcegroupstaggingapi.GetResourcesOutput:
		for i := range out.ResourceTagMappingList {
			own(out.ResourceTagMappingList[i].ResourceARN)
		}
	case *lambda.GetLayerVersionPolicyOutput:
		ownResources(out.Policy, own)
	case *lambda.AddLayerVersionPermissionOutput:
		ownResources(out.Statement, own)
	default:
		answersOfAliases(out, own)
	}
}

func answersOfAliases(out any, own func(*string)) {
	switch out := out.(type) {
	case *lambda.ListAliasesOutput:
		for i := range out.Aliases {
			own(out.Aliases[i].AliasArn)
		}
	case *lambda.GetAliasOutput:
		own(out.AliasArn)
	case *lambda.UpdateAliasOutput:
		own(out.AliasArn)
	case *lambda.ListProvisionedConcurrencyConfigsOutput:
		for i := range out.ProvisionedConcurrencyConfigs {
			own(out.ProvisionedConcurrencyConfigs[i].FunctionArn)
		}
	case *lambda.ListFunctionsByCodeSigningConfigOutput:
		for i := range out.FunctionArns {
			own(&out.FunctionArns[i])
		}
	}
}

// sameOwner reports whether two layer version ARNs are of one layer.
func sameOwner(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	one, _, ok1 := state.LayerVersionARN(*a).Split()
	other, _, ok2 := state.LayerVersionARN(*b).Split()
	return ok1 && ok2 && one == other
}

// ownResources calls own for the layer version that a policy, or one statement of it, is
// about.
func ownResources(document *string, own func(*string)) {
	var d struct {
		Statement oneOrMore[struct{ Resource oneOrMore[string] }]
		Resource  oneOrMore[string]
	}
	if document == nil || json.Unmarshal([]byte(*document), &d) != nil {
		return // whoever asked finds out
	}
	resources := d.Resource
	for _, s := range d.Statement {
		resources = append(resources, s.Resource...)
	}
	for _, arn := range resources {
		if strings.HasPrefix(arn, "arn:") {
			own(&arn)
		}
	}
}
