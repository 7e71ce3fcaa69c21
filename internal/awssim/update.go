package awssim

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// edit is the members that creating and updating share. An absent one changes
// nothing.
type edit struct {
	role, handler, description *string
	timeout, memory            *int32
	environment                *types.Environment
	runtime                    types.Runtime
	deadLetter                 *types.DeadLetterConfig
	snapStart                  *types.SnapStart
	runtimeConfig              *types.FunctionRuntimeConfig
}

func (d edit) apply(f *Function) {
	setText(&f.Role, d.role)
	setText(&f.Handler, d.handler)
	setText(&f.Description, d.description)
	if d.timeout != nil {
		f.Timeout = *d.timeout
	}
	if d.memory != nil {
		f.MemorySize = *d.memory
	}
	if d.environment != nil {
		f.Environment = maps.Clone(d.environment.Variables)
	}
	if d.runtime != "" {
		f.setRuntime(string(d.runtime))
	}
	if d.runtimeConfig != nil {
		f.RuntimeARN, f.RuntimeAlias = str(d.runtimeConfig.RuntimeArn), str(d.runtimeConfig.RuntimeAlias)
	}
	if d.deadLetter != nil {
		f.DeadLetterARN = str(d.deadLetter.TargetArn)
	}
	if d.snapStart != nil {
		f.SnapStart = d.snapStart.ApplyOn == types.SnapStartApplyOnPublishedVersions
	}
}

func setText(dst, given *string) {
	if given != nil {
		*dst = *given
	}
}

// writable finds the $LATEST a request wants to change and checks that it may:
// an update in progress comes before a stale revision.
func (c *call) writable(given string, revision *string) (*function, *apiError) {
	f, ref, e := c.function(given, "")
	if e != nil {
		return nil, e
	}
	if ref.qualifier != "" && ref.qualifier != "$LATEST" {
		return nil, invalidValue("This operation is permitted on Lambda functions' unpublished version only: %s", given)
	}
	if e := f.latest.busy(f.arn("")); e != nil {
		return nil, e
	}
	if revision != nil && *revision != f.latest.RevisionID {
		return nil, staleRevision("GetFunction/GetAlias")
	}
	return f, nil
}

// updateFunctionConfiguration touches $LATEST alone. A refused update changes
// nothing; an accepted one changes the revision even when it changes nothing
// else.
func (c *call) updateFunctionConfiguration(in *lambda.UpdateFunctionConfigurationInput) (any, *apiError) {
	if e := checkLayerShapes(in.Layers); e != nil {
		return nil, e
	}
	if e := refuseUnmodelled(map[string]bool{
		"VpcConfig": in.VpcConfig != nil, "KMSKeyArn": in.KMSKeyArn != nil, "FileSystemConfigs": in.FileSystemConfigs != nil,
		"ImageConfig": in.ImageConfig != nil, "CapacityProviderConfig": in.CapacityProviderConfig != nil,
		"DurableConfig": in.DurableConfig != nil, "TracingConfig": in.TracingConfig != nil, "LoggingConfig": in.LoggingConfig != nil,
		"EphemeralStorage": in.EphemeralStorage != nil,
	}); e != nil {
		return nil, e
	}
	f, e := c.writable(str(in.FunctionName), in.RevisionId)
	if e != nil {
		return nil, e
	}
	next := f.latest.clone()
	edit{in.Role, in.Handler, in.Description, in.Timeout, in.MemorySize, in.Environment, in.Runtime, in.DeadLetterConfig, in.SnapStart, in.RuntimeConfig}.apply(&next)
	if next.PackageType == "Image" && (in.Layers != nil || in.Handler != nil || in.Runtime != "") {
		return nil, invalidValue(imageRefusal)
	}
	if e := c.checkRuntime(&next); e != nil {
		return nil, e
	}
	// An absent list leaves the layers alone and unchecked, deleted or not; an
	// empty one removes them.
	if in.Layers != nil {
		if e := c.checkLayers(in.Layers, next.Unzipped); e != nil {
			return nil, e
		}
		if e := c.checkSignatures(f, in.Layers); e != nil {
			return nil, e
		}
		next.Layers = slices.Clone(in.Layers)
	}
	c.w.update(f, next, c.now)
	return c.config(f, f.latest, ""), nil
}

func (c *call) updateFunctionCode(in *lambda.UpdateFunctionCodeInput) (any, *apiError) {
	f, e := c.writable(str(in.FunctionName), in.RevisionId)
	if e != nil {
		return nil, e
	}
	next := f.latest.clone()
	if e := c.setCode(&next, &types.FunctionCode{ZipFile: in.ZipFile, S3Bucket: in.S3Bucket, S3Key: in.S3Key,
		S3ObjectVersion: in.S3ObjectVersion, S3ObjectStorageMode: in.S3ObjectStorageMode, ImageUri: in.ImageUri}); e != nil {
		return nil, e
	}
	if len(in.Architectures) > 0 {
		next.Architectures = []string{string(in.Architectures[0])}
	}
	if e := c.checkSize(next.Layers, next.Unzipped); e != nil {
		return nil, e
	}
	if e := c.checkStorage(next.CodeSize - f.latest.CodeSize); e != nil {
		return nil, e
	}
	if in.DryRun {
		dry := version{Function: next}
		return c.config(f, &dry, ""), nil
	}
	c.w.update(f, next, c.now)
	if in.Publish {
		p := c.w.publishChange(f, c.now)
		return c.config(f, p, p.Version), nil
	}
	return c.config(f, f.latest, ""), nil
}
