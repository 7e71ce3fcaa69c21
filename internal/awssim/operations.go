package awssim

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/lambda/schemas"
)

// lambdaOperations is what Lambda can do here. Methods, paths and codes come
// from the SDK's own schemas: a route cannot be misspelled.
func lambdaOperations() []operation {
	ops := []operation{
		lambdaOp(schemas.CreateFunction, schemas.CreateFunctionRequest, (*call).createFunction),
		lambdaOp(schemas.GetFunction, schemas.GetFunctionRequest, (*call).getFunction),
		lambdaOp(schemas.GetFunctionConfiguration, schemas.GetFunctionConfigurationRequest, (*call).getFunctionConfiguration),
		lambdaOp(schemas.ListFunctions, schemas.ListFunctionsRequest, (*call).listFunctions),
		lambdaOp(schemas.UpdateFunctionConfiguration, schemas.UpdateFunctionConfigurationRequest, (*call).updateFunctionConfiguration),
		lambdaOp(schemas.UpdateFunctionCode, schemas.UpdateFunctionCodeRequest, (*call).updateFunctionCode),
		lambdaOp(schemas.DeleteFunction, schemas.DeleteFunctionRequest, (*call).deleteFunction),
		lambdaOp(schemas.PublishVersion, schemas.PublishVersionRequest, (*call).publishVersion),
		lambdaOp(schemas.ListVersionsByFunction, schemas.ListVersionsByFunctionRequest, (*call).listVersionsByFunction),

		lambdaOp(schemas.Invoke, schemas.InvocationRequest, (*call).invoke),

		lambdaOp(schemas.CreateAlias, schemas.CreateAliasRequest, (*call).createAlias),
		lambdaOp(schemas.UpdateAlias, schemas.UpdateAliasRequest, (*call).updateAlias),
		lambdaOp(schemas.GetAlias, schemas.GetAliasRequest, (*call).getAlias),
		lambdaOp(schemas.ListAliases, schemas.ListAliasesRequest, (*call).listAliases),
		lambdaOp(schemas.DeleteAlias, schemas.DeleteAliasRequest, (*call).deleteAlias),

		lambdaOp(schemas.PutProvisionedConcurrencyConfig, schemas.PutProvisionedConcurrencyConfigRequest, (*call).putProvisioned),
		lambdaOp(schemas.GetProvisionedConcurrencyConfig, schemas.GetProvisionedConcurrencyConfigRequest, (*call).getProvisioned),
		lambdaOp(schemas.ListProvisionedConcurrencyConfigs, schemas.ListProvisionedConcurrencyConfigsRequest, (*call).listProvisioned),
		lambdaOp(schemas.DeleteProvisionedConcurrencyConfig, schemas.DeleteProvisionedConcurrencyConfigRequest, (*call).deleteProvisioned),

		lambdaOp(schemas.PublishLayerVersion, schemas.PublishLayerVersionRequest, (*call).publishLayerVersion),
		lambdaOp(schemas.ListLayers, schemas.ListLayersRequest, (*call).listLayers),
		lambdaOp(schemas.ListLayerVersions, schemas.ListLayerVersionsRequest, (*call).listLayerVersions),
		lambdaOp(schemas.GetLayerVersion, schemas.GetLayerVersionRequest, (*call).getLayerVersion),
		lambdaOp(schemas.GetLayerVersionByArn, schemas.GetLayerVersionByArnRequest, (*call).getLayerVersionByArn),
		lambdaOp(schemas.DeleteLayerVersion, schemas.DeleteLayerVersionRequest, (*call).deleteLayerVersion),

		lambdaOp(schemas.GetLayerVersionPolicy, schemas.GetLayerVersionPolicyRequest, (*call).getLayerVersionPolicy),
		lambdaOp(schemas.AddLayerVersionPermission, schemas.AddLayerVersionPermissionRequest, (*call).addLayerVersionPermission),
		lambdaOp(schemas.RemoveLayerVersionPermission, schemas.RemoveLayerVersionPermissionRequest, (*call).removeLayerVersionPermission),

		lambdaOp(schemas.ListTags, schemas.ListTagsRequest, (*call).listTags),
		lambdaOp(schemas.TagResource, schemas.TagResourceRequest, (*call).tagResource),
		lambdaOp(schemas.UntagResource, schemas.UntagResourceRequest, (*call).untagResource),

		lambdaOp(schemas.GetCodeSigningConfig, schemas.GetCodeSigningConfigRequest, (*call).getCodeSigningConfig),
		lambdaOp(schemas.ListCodeSigningConfigs, schemas.ListCodeSigningConfigsRequest, (*call).listCodeSigningConfigs),
		lambdaOp(schemas.ListFunctionsByCodeSigningConfig, schemas.ListFunctionsByCodeSigningConfigRequest, (*call).listFunctionsByCodeSigningConfig),
		lambdaOp(schemas.GetFunctionCodeSigningConfig, schemas.GetFunctionCodeSigningConfigRequest, (*call).getFunctionCodeSigningConfig),

		lambdaOp(schemas.GetAccountSettings, schemas.GetAccountSettingsRequest, (*call).getAccountSettings),
	}
	// Two operations share GET /2018-10-31/layers: the one that asks for a
	// certain query goes first.
	slices.SortStableFunc(ops, func(a, b operation) int { return len(b.query) - len(a.query) })
	return ops
}
