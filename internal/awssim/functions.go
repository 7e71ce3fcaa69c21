package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// padded makes version numbers sort as numbers, $LATEST before all and
// $LATEST.PUBLISHED after it.
func padded(version string) string {
	if version == latestPublished {
		return padded("") + "+"
	}
	n, _ := strconv.ParseInt(version, 10, 64) // $LATEST is 0
	return fmt.Sprintf("%020d", n)
}

func (c *call) createFunction(in *lambda.CreateFunctionInput) (any, *apiError) {
	ref, e := c.functionRef(str(in.FunctionName), "")
	if e != nil {
		return nil, e
	}
	if e := refuseUnmodelled(map[string]bool{
		"VpcConfig": in.VpcConfig != nil, "KMSKeyArn": in.KMSKeyArn != nil, "FileSystemConfigs": in.FileSystemConfigs != nil,
		"ImageConfig": in.ImageConfig != nil, "CapacityProviderConfig": in.CapacityProviderConfig != nil,
		"DurableConfig": in.DurableConfig != nil, "TracingConfig": in.TracingConfig != nil, "LoggingConfig": in.LoggingConfig != nil,
		"EphemeralStorage": in.EphemeralStorage != nil, "CodeSigningConfigArn": in.CodeSigningConfigArn != nil,
		"TenancyConfig": in.TenancyConfig != nil, "PublishTo": in.PublishTo != "",
	}); e != nil {
		return nil, e
	}
	if c.store.functions[ref.name] != nil {
		return nil, conflict("Function already exist: %s", ref.name)
	}
	v, e := c.firstVersion(ref.name, in)
	if e != nil {
		return nil, e
	}
	f := newFunction(c.store.place, ref.name)
	f.latest, f.tags = v, maps.Clone(in.Tags)
	c.store.functions[ref.name] = f
	c.w.change(f, v, c.now)
	c.w.tagged(f, c.now)
	if in.Publish {
		p := c.w.publishChange(f, c.now)
		return c.config(f, p, p.Version), nil
	}
	return c.config(f, v, ""), nil
}

// firstVersion checks what was asked for and makes the first $LATEST of it.
func (c *call) firstVersion(name string, in *lambda.CreateFunctionInput) (*version, *apiError) {
	fn := Function{
		Account: c.store.account, Region: c.store.region, Name: name, Version: "$LATEST",
		Description: str(in.Description), Runtime: string(in.Runtime), Handler: str(in.Handler), Role: str(in.Role),
		PackageType: string(cmp.Or(in.PackageType, types.PackageTypeZip)), Layers: slices.Clone(in.Layers),
		Timeout: 3, MemorySize: 128, State: "Pending", StateReason: "The function is being created.", StateReasonCode: "Creating",
	}
	for _, a := range in.Architectures {
		fn.Architectures = append(fn.Architectures, string(a))
	}
	if len(fn.Architectures) == 0 {
		fn.Architectures = []string{"x86_64"}
	}
	edit{in.Role, in.Handler, in.Description, in.Timeout, in.MemorySize, in.Environment, in.Runtime, in.DeadLetterConfig, in.SnapStart, in.RuntimeConfig}.apply(&fn)
	if e := c.setCode(&fn, in.Code); e != nil {
		return nil, e
	}
	switch {
	case fn.PackageType == "Image" && (fn.Runtime != "" || fn.Handler != "" || len(fn.Layers) > 0):
		return nil, invalidValue(imageRefusal)
	case fn.PackageType == "Zip" && (fn.Runtime == "" || fn.Handler == ""):
		return nil, invalidValue("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	case len(in.Tags) > maxTags:
		return nil, invalidValue("Function can have at most %d tags.", maxTags)
	}
	if e := c.checkRuntime(&fn); e != nil {
		return nil, e
	}
	if e := c.checkLayers(fn.Layers, fn.Unzipped); e != nil {
		return nil, e
	}
	return &version{Function: fn}, c.checkStorage(fn.CodeSize)
}

// imageRefusal is what a container image hears that is to have layers.
const imageRefusal = "Please don't provide handler or runtime or layer when the intended function PackageType is Image."

// setCode gives fn the code of a request.
func (c *call) setCode(fn *Function, code *types.FunctionCode) *apiError {
	if code == nil {
		code = &types.FunctionCode{}
	}
	if fn.PackageType == "Image" {
		if code.ImageUri == nil {
			return invalidValue("Please provide ImageUri when using Image as PackageType.")
		}
		fn.ImageURI, fn.CodeSha256, fn.CodeSize = *code.ImageUri, sum([]byte(*code.ImageUri)), 0
		return nil
	}
	if code.ZipFile == nil && code.S3Bucket == nil {
		return invalidValue("Please provide a source for function code.")
	}
	if code.S3ObjectStorageMode == types.S3ObjectStorageModeReference {
		return unsupported("S3ObjectStorageMode REFERENCE of functions")
	}
	a, e := c.content(source{zip: code.ZipFile, bucket: str(code.S3Bucket), key: str(code.S3Key),
		version: str(code.S3ObjectVersion), mode: string(code.S3ObjectStorageMode)})
	if e != nil {
		return e
	}
	fn.Code, fn.CodeSha256, fn.CodeSize, fn.Unzipped = a.bytes, a.sha256, a.size, a.unzipped
	return nil
}

// refuseUnmodelled answers 501 to a member we would have to ignore.
func refuseUnmodelled(given map[string]bool) *apiError {
	for _, name := range sortedKeys(given) {
		if given[name] {
			return unsupported("the member " + name)
		}
	}
	return nil
}

func (c *call) getFunction(in *lambda.GetFunctionInput) (any, *apiError) {
	f, v, ref, e := c.version(str(in.FunctionName), str(in.Qualifier))
	if e != nil {
		return nil, e
	}
	return functionDoc{Configuration: c.config(f, v, ref.qualifier), Code: c.code(v), Tags: f.tags}, nil
}

func (c *call) getFunctionConfiguration(in *lambda.GetFunctionConfigurationInput) (any, *apiError) {
	f, v, ref, e := c.version(str(in.FunctionName), str(in.Qualifier))
	if e != nil {
		return nil, e
	}
	return c.config(f, v, ref.qualifier), nil
}

// row is one line of a listing.
type row struct {
	f *function
	v *version
}

func (c *call) listFunctions(in *lambda.ListFunctionsInput) (any, *apiError) {
	if e := checkMaxItems(in.MaxItems, 10000); e != nil {
		return nil, e
	}
	master := str(in.MasterRegion)
	switch {
	case in.FunctionVersion != "" && in.FunctionVersion != "ALL":
		return nil, violation(string(in.FunctionVersion), "functionVersion", "Member must satisfy enum value set: [ALL]")
	case master != "" && in.FunctionVersion == "":
		return nil, invalidValue("FunctionVersion must be set to ALL when MasterRegion is specified.")
	}
	var rows []row
	for _, name := range sortedKeys(c.store.functions) {
		f := c.store.functions[name]
		f.settle(c.now)
		if !f.matchesMaster(master) {
			continue
		}
		versions := f.all()
		if in.FunctionVersion == "" {
			versions = versions[:1]
		}
		for _, v := range versions {
			rows = append(rows, row{f, v})
		}
	}
	key := func(r row) string { return r.f.name + "\x00" + padded(r.v.Version) }
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(key(a), key(b)) })
	rows, next, e := page(c, rows, key, in.Marker, in.MaxItems)
	if e != nil {
		return nil, e
	}
	doc := listDoc{Functions: []configDoc{}, NextMarker: next}
	for _, r := range rows {
		qualifier := r.v.Version
		if in.FunctionVersion == "" {
			qualifier = ""
		}
		doc.Functions = append(doc.Functions, c.listed(r.f, r.v, qualifier))
	}
	return doc, nil
}

// matchesMaster reports whether a listing for master has f: replicas show only
// when a master Region, or ALL of them, is asked for, and then nothing else.
func (f *function) matchesMaster(master string) bool {
	arn := f.latest.MasterARN
	if master == "" {
		return arn == ""
	}
	return arn != "" && (master == "ALL" || strings.Contains(arn, ":lambda:"+master+":"))
}

func (c *call) deleteFunction(in *lambda.DeleteFunctionInput) (any, *apiError) {
	f, v, ref, e := c.version(str(in.FunctionName), str(in.Qualifier))
	if e != nil {
		return nil, e
	}
	if ref.qualifier == "" {
		delete(c.store.functions, f.name)
		c.w.announce(f, "$LATEST", "Deleted", c.now)
		f.tags = nil
		c.w.tagged(f, c.now)
		return nil, nil
	}
	if v == f.latest || v == f.managed {
		return nil, invalidValue("$LATEST version cannot be deleted without deleting the function.")
	}
	if e := v.busy(f.arn(ref.qualifier)); e != nil {
		return nil, e
	}
	if v.Version != ref.qualifier {
		return nil, invalidValue("Deletion of aliases is not currently supported.")
	}
	for _, name := range sortedKeys(f.aliases) {
		if f.aliases[name].routesTo(v.Version) {
			return nil, conflict("Function version %s is in use by alias %s and cannot be deleted.", f.arn(v.Version), name)
		}
	}
	delete(f.provisioned, v.Version)
	f.published = slices.DeleteFunc(f.published, func(p *version) bool { return p == v })
	return nil, nil
}

func (c *call) getAccountSettings(*lambda.GetAccountSettingsInput) (any, *apiError) {
	return map[string]any{
		"AccountLimit": map[string]int64{
			"TotalCodeSize": c.w.opts.CodeStorage, "CodeSizeUnzipped": maxUnzipped, "CodeSizeZipped": 52_428_800,
			"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000,
		},
		"AccountUsage": map[string]int64{"TotalCodeSize": c.store.codeSize(), "FunctionCount": int64(len(c.store.functions))},
	}, nil
}
