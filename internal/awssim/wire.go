package awssim

import "strings"

// The documents of Lambda's answers. Members without omitempty are written as
// an explicit null when there is nothing: the live service does so too.

type configDoc struct {
	FunctionName               string
	FunctionArn                string
	Runtime                    string `json:",omitempty"` // absent on images
	Role                       string
	Handler                    string `json:",omitempty"`
	CodeSize                   int64
	Description                string
	Timeout                    int32
	MemorySize                 int32
	LastModified               string
	CodeSha256                 string
	Version                    string
	VpcConfig                  *struct{}
	DeadLetterConfig           *deadLetterDoc
	Environment                *environmentDoc
	KMSKeyArn                  *string
	TracingConfig              modeDoc
	MasterArn                  *string
	RevisionId                 string
	Layers                     []attachedDoc
	State                      *string
	StateReason                *string
	StateReasonCode            *string
	LastUpdateStatus           *string
	LastUpdateStatusReason     *string
	LastUpdateStatusReasonCode *string
	FileSystemConfigs          *struct{}
	PackageType                string
	SigningProfileVersionArn   *string
	SigningJobArn              *string
	Architectures              []string
	EphemeralStorage           sizeDoc
	SnapStart                  snapStartDoc
	LoggingConfig              loggingDoc
	CapacityProviderConfig     *capacityDoc `json:",omitempty"`
	RuntimeConfig              *runtimeDoc  `json:",omitempty"`
	RuntimeVersionConfig       *struct{ RuntimeVersionArn string }
}

type (
	deadLetterDoc  struct{ TargetArn string }
	environmentDoc struct{ Variables map[string]string }
	modeDoc        struct{ Mode string }
	sizeDoc        struct{ Size int }
	snapStartDoc   struct{ ApplyOn, OptimizationStatus string }
	loggingDoc     struct{ LogFormat, LogGroup string }
	capacityDoc    struct {
		LambdaManagedInstancesCapacityProviderConfig struct{ CapacityProviderArn string }
	}
	runtimeDoc  struct{ RuntimeArn, RuntimeAlias string }
	attachedDoc struct {
		Arn                      string
		CodeSize                 int64
		SigningProfileVersionArn *string
		SigningJobArn            *string
	}
)

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// config writes v down. qualifier is the end of its ARN: a version, an alias
// or nothing.
func (c *call) config(f *function, v *version, qualifier string) configDoc {
	d := configDoc{
		FunctionName: f.name, FunctionArn: f.arn(qualifier),
		Runtime: v.Runtime, Role: v.Role, Handler: v.Handler,
		CodeSize: v.CodeSize, Description: v.Description, Timeout: v.Timeout, MemorySize: v.MemorySize,
		LastModified: stamp(v.LastModified), CodeSha256: v.CodeSha256, Version: v.Version,
		TracingConfig: modeDoc{"PassThrough"}, MasterArn: optional(v.MasterARN), RevisionId: v.RevisionID,
		State: optional(v.State), StateReason: optional(v.StateReason), StateReasonCode: optional(v.StateReasonCode),
		LastUpdateStatus:           optional(v.LastUpdateStatus),
		LastUpdateStatusReason:     optional(v.LastUpdateStatusReason),
		LastUpdateStatusReasonCode: optional(v.LastUpdateStatusReasonCode),
		PackageType:                v.PackageType, Architectures: v.Architectures,
		EphemeralStorage: sizeDoc{512}, SnapStart: snapStartDoc{"None", "Off"},
		LoggingConfig: loggingDoc{"Text", "/aws/lambda/" + f.name},
	}
	for _, arn := range v.Layers {
		d.Layers = append(d.Layers, c.w.attached(arn))
	}
	if len(v.Environment) > 0 {
		d.Environment = &environmentDoc{v.Environment}
	}
	if v.DeadLetterARN != "" {
		d.DeadLetterConfig = &deadLetterDoc{v.DeadLetterARN}
	}
	if v.CapacityProvider != "" {
		d.CapacityProviderConfig = &capacityDoc{}
		d.CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig.CapacityProviderArn = v.CapacityProvider
	}
	if v.RuntimeARN != "" {
		d.RuntimeConfig = &runtimeDoc{v.RuntimeARN, v.RuntimeAlias}
	}
	if arn := c.w.runtimeVersion(v.Function); arn != "" {
		d.RuntimeVersionConfig = &struct{ RuntimeVersionArn string }{arn}
	}
	if v.SnapStart {
		d.SnapStart.ApplyOn = "PublishedVersions"
		if v.Version != "$LATEST" && v.State == "Active" {
			d.SnapStart.OptimizationStatus = "On"
		}
	}
	return d
}

// listed is config as ListFunctions has it: not a word about states, nor about the
// version of the runtime.
func (c *call) listed(f *function, v *version, qualifier string) configDoc {
	d := c.config(f, v, qualifier)
	d.State, d.StateReason, d.StateReasonCode = nil, nil, nil
	d.LastUpdateStatus, d.LastUpdateStatusReason, d.LastUpdateStatusReasonCode = nil, nil, nil
	d.RuntimeVersionConfig = nil
	return d
}

type listDoc struct {
	Functions  []configDoc
	NextMarker *string
}

type versionsDoc struct {
	Versions   []configDoc
	NextMarker *string
}

type functionDoc struct {
	Configuration configDoc
	Code          codeDoc
	Tags          map[string]string `json:",omitempty"`
	Concurrency   *struct{}
}

type codeDoc struct {
	RepositoryType   string
	Location         string
	ImageUri         string `json:",omitempty"`
	ResolvedImageUri string `json:",omitempty"`
}

func (c *call) code(v *version) codeDoc {
	if v.PackageType == "Image" {
		repo, _, _ := strings.Cut(v.ImageURI, ":")
		return codeDoc{RepositoryType: "ECR", Location: v.ImageURI, ImageUri: v.ImageURI, ResolvedImageUri: repo + "@sha256:" + v.CodeSha256}
	}
	return codeDoc{RepositoryType: "S3", Location: c.link(v.Code)}
}
