package awslambda

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/state"
)

// unfrozen are the members of a configuration that are no setting, each with
// the reason. A member that the SDK grows is neither here nor in settings, and
// fails the test below until somebody has said what it is.
var unfrozen = map[string]string{
	"CodeSha256": "code", "CodeSize": "code", "PackageType": "code", "SigningJobArn": "code", "SigningProfileVersionArn": "code",
	"Layers[].Arn": "layers", "Layers[].CodeSize": "layers", "Layers[].SigningJobArn": "layers", "Layers[].SigningProfileVersionArn": "layers",
	"ConfigSha256": "a sum over layers too",
	"Description":  "of the version itself",
	"FunctionArn":  "name", "FunctionName": "name", "MasterArn": "name", "Version": "name",
	"LastModified": "state", "RevisionId": "state", "State": "state", "StateReason": "state", "StateReasonCode": "state",
	"LastUpdateStatus": "state", "LastUpdateStatusReason": "state", "LastUpdateStatusReasonCode": "state",
	"SnapStart.OptimizationStatus":           "state",
	"VpcConfig.VpcId":                        "follows from the subnets",
	"RuntimeVersionConfig.RuntimeVersionArn": "not listed, and AWS's own to change",
	"RuntimeVersionConfig.Error.ErrorCode":   "state", "RuntimeVersionConfig.Error.Message": "state",
	"ImageConfigResponse.Error.ErrorCode": "state", "ImageConfigResponse.Error.Message": "state",
}

func TestEveryMemberIsASettingOrSaysWhyNot(t *testing.T) {
	none := settings(&types.FunctionConfiguration{})
	var silent []string
	for _, leaf := range leaves(reflect.TypeFor[types.FunctionConfiguration](), "") {
		cfg := &types.FunctionConfiguration{}
		put(t, reflect.ValueOf(cfg).Elem(), leaf)
		if settings(cfg) == none {
			silent = append(silent, leaf)
		}
	}
	var want []string
	for member := range unfrozen {
		want = append(want, member)
	}
	slices.Sort(silent)
	slices.Sort(want)
	if diff := cmp.Diff(want, silent); diff != "" {
		t.Errorf("members that are no setting (-want +got):\n%s", diff)
	}
}

// leaves names every text, number and list below t.
func leaves(t reflect.Type, path string) []string {
	switch t.Kind() {
	case reflect.Pointer:
		return leaves(t.Elem(), path)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return leaves(t.Elem(), path+"[]")
		}
	case reflect.Struct:
		var all []string
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				all = append(all, leaves(f.Type, strings.TrimPrefix(path+"."+f.Name, "."))...)
			}
		}
		return all
	}
	return []string{path}
}

// put sets one leaf to something that is no default.
func put(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		put(t, v.Elem(), path)
		return
	case reflect.Struct:
		name, rest, _ := strings.Cut(path, ".")
		name = strings.TrimSuffix(name, "[]")
		put(t, v.FieldByName(name), rest)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("something")
	case reflect.Int32, reflect.Int64:
		v.SetInt(77)
	case reflect.Float64:
		v.SetFloat(7.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		put(t, v.Index(0), path)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("KEY"), reflect.ValueOf("value"))
	default:
		t.Fatalf("%s is a %s: teach the test about it", path, v.Kind())
	}
}

func full() *types.FunctionConfiguration {
	return &types.FunctionConfiguration{
		FunctionName: aws.String("f"), Version: aws.String("$LATEST"), Role: aws.String("role"), Timeout: aws.Int32(3),
		Environment: &types.EnvironmentResponse{Variables: map[string]string{"A": "1", "B": "2", "C": "3"}},
		VpcConfig:   &types.VpcConfigResponse{SubnetIds: []string{"s-1", "s-2"}, SecurityGroupIds: []string{"g-1"}, VpcId: aws.String("v")},
		FileSystemConfigs: []types.FileSystemConfig{
			{Arn: aws.String("a"), LocalMountPath: aws.String("/mnt/a")}, {Arn: aws.String("b"), LocalMountPath: aws.String("/mnt/b")},
		},
	}
}

// What AWS writes in one way here and in another there is one setting.
func TestEqualSettingsHaveOneFingerprint(t *testing.T) {
	for name, change := range map[string]func(*types.FunctionConfiguration){
		"order of subnets":      func(c *types.FunctionConfiguration) { slices.Reverse(c.VpcConfig.SubnetIds) },
		"order of file systems": func(c *types.FunctionConfiguration) { slices.Reverse(c.FileSystemConfigs) },
		"a version of it": func(c *types.FunctionConfiguration) {
			c.Version, c.RevisionId, c.Description = aws.String("7"), aws.String("r"), aws.String("released")
		},
		"empty parts": func(c *types.FunctionConfiguration) {
			c.DeadLetterConfig, c.DurableConfig, c.ImageConfigResponse = &types.DeadLetterConfig{}, &types.DurableConfig{}, &types.ImageConfigResponse{}
			c.RuntimeConfig = &types.FunctionRuntimeConfig{}
		},
		"defaults that are told": func(c *types.FunctionConfiguration) {
			c.Architectures = []types.Architecture{"x86_64"}
			c.TracingConfig = &types.TracingConfigResponse{Mode: "PassThrough"}
			c.EphemeralStorage = &types.EphemeralStorage{Size: aws.Int32(512)}
			c.SnapStart = &types.SnapStartResponse{ApplyOn: "None", OptimizationStatus: "Off"}
			c.LoggingConfig = &types.LoggingConfig{LogFormat: "Text", LogGroup: aws.String("/aws/lambda/f")}
		},
	} {
		c := full()
		change(c)
		if diff := settings(full()).Differ(settings(c)); diff != nil {
			t.Errorf("%s: differs in %v", name, diff)
		}
	}
	bare, empty := &types.FunctionConfiguration{}, &types.FunctionConfiguration{
		VpcConfig: &types.VpcConfigResponse{VpcId: aws.String(""), SubnetIds: []string{}}, Environment: &types.EnvironmentResponse{Variables: map[string]string{}},
	}
	if diff := settings(bare).Differ(settings(empty)); diff != nil {
		t.Errorf("nothing and empty differ in %v", diff)
	}
}

func TestSettingsNameWhatDiffers(t *testing.T) {
	for want, change := range map[string]func(*types.FunctionConfiguration){
		"[environment]":  func(c *types.FunctionConfiguration) { c.Environment.Variables["B"] = "3" },
		"[timeout]":      func(c *types.FunctionConfiguration) { c.Timeout = aws.Int32(4) },
		"[vpc]":          func(c *types.FunctionConfiguration) { c.VpcConfig.SubnetIds = c.VpcConfig.SubnetIds[:1] },
		"[file_systems]": func(c *types.FunctionConfiguration) { c.FileSystemConfigs[0].Arn = aws.String("c") },
		"[logging]": func(c *types.FunctionConfiguration) {
			c.LoggingConfig = &types.LoggingConfig{LogGroup: aws.String("x")}
		},
		"[architectures]": func(c *types.FunctionConfiguration) { c.Architectures = []types.Architecture{"arm64"} },
		"[runtime_config]": func(c *types.FunctionConfiguration) {
			c.RuntimeConfig = &types.FunctionRuntimeConfig{RuntimeArn: aws.String("arn:aws:lambda:us-east-1:123456789012:runtime/r"), RuntimeAlias: aws.String("live")}
		},
		"[runtime runtime_config]": func(c *types.FunctionConfiguration) {
			c.Runtime = types.RuntimeCustom
			c.RuntimeConfig = &types.FunctionRuntimeConfig{RuntimeAlias: aws.String("live")}
		},
		"[snap_start vpc]": func(c *types.FunctionConfiguration) {
			c.SnapStart = &types.SnapStartResponse{ApplyOn: "PublishedVersions"}
			c.VpcConfig = nil
		},
	} {
		c := full()
		change(c)
		if got := fmt.Sprint(settings(full()).Differ(settings(c))); got != want {
			t.Errorf("differs in %s, want %s", got, want)
		}
	}
}

// Variables that cannot be read are equal to nothing but themselves.
func TestUnreadableVariablesAreNeverTakenForEqual(t *testing.T) {
	of := func(version string) state.Settings {
		c := full()
		c.Version = aws.String(version)
		c.Environment = &types.EnvironmentResponse{Error: &types.EnvironmentError{ErrorCode: aws.String("AccessDeniedException"), Message: aws.String("kms")}}
		return settings(c)
	}
	if diff := of("$LATEST").Differ(of("$LATEST")); diff != nil {
		t.Errorf("read twice: differs in %v", diff)
	}
	if got := fmt.Sprint(of("$LATEST").Differ(of("7"))); got != "["+unreadable+"]" {
		t.Errorf("latest and a version differ in %s", got)
	}
}

func TestSettingsTellNothing(t *testing.T) {
	c := full()
	c.Environment.Variables["PASSWORD"] = planted
	if s := settings(c); s == "" || strings.Contains(string(s), planted) {
		t.Errorf("settings %q", s)
	}
}
