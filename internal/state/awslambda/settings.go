package awslambda

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/state"
)

// unreadable is the name under which variables that AWS does not return (a key
// of the account that we may not use) appear among the settings.
const unreadable = "environment (not readable)"

// settings is the fingerprint of all that a version freezes besides code and
// layers. It is the same for $LATEST listed, for $LATEST read, and for a version
// that was published from it: what only some of these answers have is left out,
// and a default that is spelled out is the same as one that is not.
func settings(cfg *types.FunctionConfiguration) state.Settings {
	return state.NewSettings(map[string]string{
		"role":              aws.ToString(cfg.Role),
		"handler":           aws.ToString(cfg.Handler),
		"runtime":           string(cfg.Runtime),
		"timeout":           canonical(cfg.Timeout),
		"memory_size":       canonical(cfg.MemorySize),
		"kms_key":           aws.ToString(cfg.KMSKeyArn),
		"architectures":     architectures(cfg.Architectures),
		"environment":       environment(cfg.Environment),
		unreadable:          environmentError(cfg),
		"vpc":               vpc(cfg.VpcConfig),
		"file_systems":      fileSystems(cfg.FileSystemConfigs),
		"logging":           loggingOf(cfg),
		"image_config":      imageConfig(cfg.ImageConfigResponse),
		"dead_letter":       deadLetter(cfg.DeadLetterConfig),
		"tracing":           tracing(cfg.TracingConfig),
		"ephemeral_storage": ephemeral(cfg.EphemeralStorage),
		"snap_start":        snapStart(cfg.SnapStart),
		"tenancy":           tenancy(cfg.TenancyConfig),
		"capacity_provider": capacityProvider(cfg.CapacityProviderConfig),
		"durable":           durable(cfg.DurableConfig),
		"runtime_config":    runtimeConfig(cfg.RuntimeConfig),
	})
}

// canonical is v as JSON; nothing for a nil pointer, and for a list or a map
// without entries. Keys of maps are sorted, so that equal values are equal.
func canonical(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // unreachable unless bug: texts, numbers, lists and maps of them
		return "unreadable: " + err.Error()
	}
	switch s := string(b); s {
	case "null", "{}", "[]":
		return ""
	default:
		return s
	}
}

// fields joins the members of one setting; nothing when all are empty.
func fields(members ...string) string {
	if strings.Join(members, "") == "" {
		return ""
	}
	return canonical(members)
}

// unless returns s, or nothing when it is the default.
func unless(s, byDefault string) string {
	if s == byDefault {
		return ""
	}
	return s
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func architectures(list []types.Architecture) string {
	if len(list) == 0 {
		list = []types.Architecture{types.ArchitectureX8664}
	}
	return canonical(list)
}

func environment(e *types.EnvironmentResponse) string {
	if e == nil {
		return ""
	}
	return canonical(e.Variables)
}

// environmentError makes variables that nobody could read equal to those of the
// same version only: taken for equal everywhere, they would release what was
// changed in $LATEST and never released.
func environmentError(cfg *types.FunctionConfiguration) string {
	if cfg.Environment == nil || cfg.Environment.Error == nil {
		return ""
	}
	return fields("of version", aws.ToString(cfg.Version))
}

// vpc leaves out the VPC, which follows from its subnets.
func vpc(v *types.VpcConfigResponse) string {
	if v == nil {
		return ""
	}
	ipv6 := ""
	if aws.ToBool(v.Ipv6AllowedForDualStack) {
		ipv6 = "ipv6"
	}
	return fields(canonical(sorted(v.SubnetIds)), canonical(sorted(v.SecurityGroupIds)), ipv6)
}

func fileSystems(list []types.FileSystemConfig) string {
	var all []string
	for _, f := range list {
		direct := ""
		if f.S3FilesConfig != nil {
			direct = string(f.S3FilesConfig.DirectS3Read)
		}
		all = append(all, fields(aws.ToString(f.LocalMountPath), aws.ToString(f.Arn), direct))
	}
	return canonical(sorted(all))
}

func loggingOf(cfg *types.FunctionConfiguration) string {
	l := cfg.LoggingConfig
	if l == nil {
		return ""
	}
	return fields(
		unless(string(l.LogFormat), string(types.LogFormatText)),
		unless(aws.ToString(l.LogGroup), "/aws/lambda/"+aws.ToString(cfg.FunctionName)),
		string(l.ApplicationLogLevel), string(l.SystemLogLevel),
	)
}

func imageConfig(r *types.ImageConfigResponse) string {
	if r == nil || r.ImageConfig == nil {
		return ""
	}
	c := r.ImageConfig
	return fields(canonical(c.Command), canonical(c.EntryPoint), aws.ToString(c.WorkingDirectory))
}

func deadLetter(d *types.DeadLetterConfig) string {
	if d == nil {
		return ""
	}
	return aws.ToString(d.TargetArn)
}

func tracing(t *types.TracingConfigResponse) string {
	if t == nil {
		return ""
	}
	return unless(string(t.Mode), string(types.TracingModePassThrough))
}

// ephemeralDefault is the size of /tmp where nobody asked for another, in MB.
const ephemeralDefault = "512"

func ephemeral(e *types.EphemeralStorage) string {
	if e == nil {
		return ""
	}
	return unless(canonical(e.Size), ephemeralDefault)
}

// snapStart leaves out OptimizationStatus: only a version is ever "On".
func snapStart(s *types.SnapStartResponse) string {
	if s == nil {
		return ""
	}
	return unless(string(s.ApplyOn), string(types.SnapStartApplyOnNone))
}

func tenancy(t *types.TenancyConfig) string {
	if t == nil {
		return ""
	}
	return string(t.TenantIsolationMode)
}

func capacityProvider(c *types.CapacityProviderConfig) string {
	if c == nil || c.LambdaManagedInstancesCapacityProviderConfig == nil {
		return ""
	}
	m := c.LambdaManagedInstancesCapacityProviderConfig
	return fields(aws.ToString(m.CapacityProviderArn), canonical(m.ExecutionEnvironmentMemoryGiBPerVCpu), canonical(m.PerExecutionEnvironmentMaxConcurrency))
}

func durable(d *types.DurableConfig) string {
	if d == nil {
		return ""
	}
	return fields(canonical(d.ExecutionTimeout), canonical(d.RetentionPeriodInDays), aws.ToString(d.KMSKeyArn))
}

// runtimeConfig is which customer-managed runtime a function uses, and by which
// of its aliases. Where that alias points now is its publisher's to change.
func runtimeConfig(r *types.FunctionRuntimeConfig) string {
	if r == nil {
		return ""
	}
	return fields(aws.ToString(r.RuntimeArn), aws.ToString(r.RuntimeAlias))
}
