// Package awssecrets reads secrets from AWS Secrets Manager and SSM Parameter
// Store, for the configuration of the daemon.
//
//	secrets := &config.Secrets{SecretsManager: awssecrets.Manager(cfg), SSM: awssecrets.Parameters(cfg)}
//
// A name is looked up in the Region of cfg, an ARN in its own. An error is what
// AWS says, which names the secret and whoever asked; nothing that AWS returned
// as a secret, and nothing that signs a request, is in an error or a log.
package awssecrets

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/daemon/config"
)

// Manager looks secrets up in Secrets Manager, in their current version. It
// needs secretsmanager:GetSecretValue, and kms:Decrypt where the key is one of
// the account's own.
func Manager(cfg aws.Config) config.Lookup {
	client := secretsmanager.NewFromConfig(quiet(cfg))
	return func(ctx context.Context, name string) (string, error) {
		out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name}, func(o *secretsmanager.Options) {
			o.Region = regionOf(name, o.Region)
		})
		if err != nil {
			return "", plain("GetSecretValue", err)
		}
		if out.SecretString == nil {
			return string(out.SecretBinary), nil
		}
		return *out.SecretString, nil
	}
}

// Parameters looks parameters up in Parameter Store, decrypted. It needs
// ssm:GetParameter, and kms:Decrypt as above.
func Parameters(cfg aws.Config) config.Lookup {
	client := ssm.NewFromConfig(quiet(cfg))
	return func(ctx context.Context, name string) (string, error) {
		out, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)}, func(o *ssm.Options) {
			o.Region = regionOf(name, o.Region)
		})
		if err != nil {
			return "", plain("GetParameter", err)
		}
		if out.Parameter == nil {
			return "", errors.New("GetParameter: the answer has no parameter")
		}
		return aws.ToString(out.Parameter.Value), nil
	}
}

// quiet is cfg for clients that log nothing and try four times: a hiccup is no
// round without Git.
func quiet(cfg aws.Config) aws.Config {
	return awscall.Wire{Retryer: func() aws.Retryer {
		return awscall.Retryer(func(o *retry.StandardOptions) { o.MaxAttempts = 4 })
	}}.Config(cfg)
}

func regionOf(name, otherwise string) string {
	if a, err := arn.Parse(name); err == nil && a.Region != "" {
		return a.Region
	}
	return otherwise
}

// plain is what AWS said, without the SDK's account of how it was asked. An
// error that is not from AWS, such as no credentials, stays whole. What may be
// another one in a moment is a *config.UnreachableError.
func plain(call string, err error) error {
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return &config.UnreachableError{Err: fmt.Errorf("%s: %w", call, err)}
	}
	response, answered := errors.AsType[*smithyhttp.ResponseError](err)
	_, throttled := retry.DefaultThrottleErrorCodes[e.ErrorCode()]
	err = fmt.Errorf("%s: %w", call, refusal{e})
	if throttled || answered && response.HTTPStatusCode() >= 500 {
		return &config.UnreachableError{Err: err}
	}
	return err
}

// refusal is what AWS said, as it may be shown: of a signature that does not match
// it repeats the request, session token included.
type refusal struct{ smithy.APIError }

func (r refusal) Error() string { return awscall.Clean(r.APIError.Error()) }
