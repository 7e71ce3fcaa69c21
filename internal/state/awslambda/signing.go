package awslambda

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/state"
)

// signing finds which functions take signed layers only: by listing the
// configurations and who has them, which are few, and not by asking every
// function. Without any, it is one call.
func (l *look) signing(ctx context.Context) error {
	var configs []types.CodeSigningConfig
	err := sweep(ctx, "ListCodeSigningConfigs", "", func(ctx context.Context, marker *string) (*string, error) {
		out, err := l.client.lambda.ListCodeSigningConfigs(ctx, &lambda.ListCodeSigningConfigsInput{Marker: marker, MaxItems: aws.Int32(pageSize)})
		if err != nil {
			return nil, err
		}
		configs = append(configs, out.CodeSigningConfigs...)
		return out.NextMarker, nil
	})
	if err != nil && state.KindOf(err) != state.Gone {
		return l.failed(err)
	}
	// Gone: whatever answers does not know the call, as emulators do not, and so
	// has no configurations either. AWS itself has no such answer to it.
	all := map[string]state.Signing{}
	for _, cfg := range configs {
		names, err := l.signedFunctions(ctx, aws.ToString(cfg.CodeSigningConfigArn))
		if err != nil {
			return l.failed(err) // a part would say of the others that they take any
		}
		for _, name := range names {
			all[name] = signingOf(cfg)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signed = all
	return nil
}

// signedFunctions names the functions that have a code-signing configuration.
// One that was deleted since it was listed is nobody's.
func (l *look) signedFunctions(ctx context.Context, config string) ([]string, error) {
	var names []string
	err := sweep(ctx, "ListFunctionsByCodeSigningConfig", config, func(ctx context.Context, marker *string) (*string, error) {
		out, err := l.client.lambda.ListFunctionsByCodeSigningConfig(ctx, &lambda.ListFunctionsByCodeSigningConfigInput{
			CodeSigningConfigArn: aws.String(config), Marker: marker, MaxItems: aws.Int32(pageSize),
		})
		if err != nil {
			return nil, err
		}
		for _, arn := range out.FunctionArns {
			arn = unqualified(arn)
			names = append(names, strings.Clone(arn[strings.LastIndexByte(arn, ':')+1:]))
		}
		return out.NextMarker, nil
	})
	if state.KindOf(err) == state.Gone {
		return nil, nil
	}
	return names, err
}

func signingOf(cfg types.CodeSigningConfig) state.Signing {
	var s state.Signing
	if p := cfg.CodeSigningPolicies; p != nil {
		s.Enforce = p.UntrustedArtifactOnDeployment == types.CodeSigningPolicyEnforce
	}
	if a := cfg.AllowedPublishers; a != nil {
		s.Allowed = slices.Clone(a.SigningProfileVersionArns)
		slices.Sort(s.Allowed)
	}
	return s
}
