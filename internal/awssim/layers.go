package awssim

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// layerVersionDoc is what publish and get answer.
type layerVersionDoc struct {
	Content layerContentDoc
	layerItemDoc
	LayerArn string
}

type layerContentDoc struct {
	Location                 string `json:",omitempty"` // absent where the content stays in S3
	CodeSha256               string
	CodeSize                 int64
	SigningProfileVersionArn *string
	SigningJobArn            *string
	ResolvedS3Object         *resolvedDoc `json:",omitempty"`
}

type resolvedDoc struct{ S3Bucket, S3Key, S3ObjectVersion string }

// layerItemDoc is what lists have: no sum and no size. The pointers keep apart
// what was never sent (absent) and what was sent empty ([]).
type layerItemDoc struct {
	LayerVersionArn         string
	Version                 int64
	Description             *string `json:",omitempty"`
	CreatedDate             string
	CompatibleRuntimes      *[]string `json:",omitempty"`
	CompatibleArchitectures *[]string `json:",omitempty"`
	LicenseInfo             string    `json:",omitempty"`
}

func (v *layerVersion) item() layerItemDoc {
	d := layerItemDoc{LayerVersionArn: v.arn(), Version: v.Number, CreatedDate: stamp(v.Created), LicenseInfo: v.License}
	if v.described {
		d.Description = &v.Description
	}
	if v.Runtimes != nil {
		d.CompatibleRuntimes = &v.Runtimes
	}
	if v.Architectures != nil {
		d.CompatibleArchitectures = &v.Architectures
	}
	return d
}

func (c *call) layerDoc(v *layerVersion) layerVersionDoc {
	d := layerVersionDoc{
		Content:      layerContentDoc{CodeSha256: v.CodeSha256, CodeSize: v.Size, SigningProfileVersionArn: optional(v.SigningProfile)},
		layerItemDoc: v.item(), LayerArn: layerARN(v.ref().place, v.Name),
	}
	if r := v.Reference; r.Bucket != "" {
		d.Content.ResolvedS3Object = &resolvedDoc{r.Bucket, r.Key, r.Version}
	} else {
		d.Content.Location = c.link(v.Content)
	}
	d.Description = &v.Description // here the missing one is ""
	return d
}

func (c *call) publishLayerVersion(in *lambda.PublishLayerVersionInput) (any, *apiError) {
	ref, e := c.ownLayer(str(in.LayerName))
	if e != nil {
		return nil, e
	}
	if e := checkPublish(in); e != nil {
		return nil, e
	}
	src := in.Content
	if src == nil || src.ZipFile == nil && src.S3Bucket == nil {
		return nil, invalidValue("Please provide a source for layer content.")
	}
	a, e := c.content(source{zip: src.ZipFile, bucket: str(src.S3Bucket), key: str(src.S3Key),
		version: str(src.S3ObjectVersion), mode: string(src.S3ObjectStorageMode)})
	if e != nil {
		return nil, e
	}
	if a.reference.Bucket == "" { // what stays in S3 takes no room
		e = c.checkStorage(a.size)
	}
	if e != nil {
		return nil, e
	}
	v := &layerVersion{described: in.Description != nil, revision: c.w.newID(), shows: c.now.Add(c.w.opts.ListLag), LayerVersion: LayerVersion{
		Account: ref.account, Region: ref.region, Name: ref.name,
		Description: str(in.Description), License: str(in.LicenseInfo), Created: c.now,
		Runtimes: texts(in.CompatibleRuntimes), Architectures: texts(in.CompatibleArchitectures),
		Content: a.bytes, CodeSha256: a.sha256, Size: a.size, Unzipped: a.unzipped, Reference: a.reference,
	}}
	c.store.add(v)
	return c.layerDoc(v), nil
}

func checkPublish(in *lambda.PublishLayerVersionInput) *apiError {
	switch {
	case len([]rune(str(in.Description))) > 256:
		return violation(*in.Description, "description", "Member must have length less than or equal to 256")
	case len([]rune(str(in.LicenseInfo))) > 512:
		return violation(*in.LicenseInfo, "licenseInfo", "Member must have length less than or equal to 512")
	case len(in.CompatibleRuntimes) > 15:
		return violation(list(texts(in.CompatibleRuntimes)), "compatibleRuntimes", "Member must have length less than or equal to 15")
	case len(in.CompatibleArchitectures) > 2:
		return violation(list(texts(in.CompatibleArchitectures)), "compatibleArchitectures", "Member must have length less than or equal to 2")
	}
	for _, r := range in.CompatibleRuntimes {
		if !slices.Contains(r.Values(), r) {
			return violation(list(texts(in.CompatibleRuntimes)), "compatibleRuntimes",
				"Member must satisfy constraint: [Member must satisfy enum value set: %s]", list(texts(r.Values())))
		}
	}
	for _, a := range in.CompatibleArchitectures {
		if !slices.Contains(a.Values(), a) {
			return violation(list(texts(in.CompatibleArchitectures)), "compatibleArchitectures",
				"Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]]")
		}
	}
	return nil
}

// texts keeps nil and empty apart.
func texts[S ~string](in []S) []string {
	if in == nil {
		return nil
	}
	out := make([]string, 0, len(in))
	for _, s := range in {
		out = append(out, string(s))
	}
	return out
}

func list(s []string) string { return "[" + strings.Join(s, ", ") + "]" }

// checkFilters refuses filter values outside the enums.
func checkFilters(r types.Runtime, a types.Architecture) *apiError {
	if r != "" && !slices.Contains(r.Values(), r) {
		return violation(string(r), "compatibleRuntime", "Member must satisfy enum value set: %s", list(texts(r.Values())))
	}
	if a != "" && !slices.Contains(a.Values(), a) {
		return violation(string(a), "compatibleArchitecture", "Member must satisfy enum value set: [x86_64, arm64]")
	}
	return nil
}

type layersDoc struct {
	Layers     []layerLineDoc
	NextMarker *string
}

type layerLineDoc struct {
	LayerName, LayerArn   string
	LatestMatchingVersion layerItemDoc
}

// listLayers looks at the newest version of each layer only: one that does not
// fit hides older ones that would.
func (c *call) listLayers(in *lambda.ListLayersInput) (any, *apiError) {
	if e := checkMaxItems(in.MaxItems, 50); e != nil {
		return nil, e
	}
	if e := checkFilters(in.CompatibleRuntime, in.CompatibleArchitecture); e != nil {
		return nil, e
	}
	lines := []layerLineDoc{}
	for _, name := range sortedKeys(c.store.layers) {
		newest := c.store.layers[name].listed(c.now)
		if len(newest) > 0 && newest[0].fits(string(in.CompatibleRuntime), string(in.CompatibleArchitecture)) {
			lines = append(lines, layerLineDoc{name, layerARN(c.store.place, name), newest[0].item()})
		}
	}
	lines, next, e := page(c, lines, func(l layerLineDoc) string { return l.LayerName }, in.Marker, in.MaxItems)
	if e != nil {
		return nil, e
	}
	return layersDoc{lines, next}, nil
}

// listLayerVersions is newest first. A layer without versions, or that never
// was, is an empty list.
func (c *call) listLayerVersions(in *lambda.ListLayerVersionsInput) (any, *apiError) {
	if e := checkMaxItems(in.MaxItems, 50); e != nil {
		return nil, e
	}
	if e := checkFilters(in.CompatibleRuntime, in.CompatibleArchitecture); e != nil {
		return nil, e
	}
	ref, e := c.ownLayer(str(in.LayerName))
	if e != nil {
		return nil, e
	}
	items := []layerItemDoc{}
	for _, v := range c.store.layers[ref.name].listed(c.now) {
		if v.fits(string(in.CompatibleRuntime), string(in.CompatibleArchitecture)) {
			items = append(items, v.item())
		}
	}
	descending := func(d layerItemDoc) string { return fmt.Sprintf("%020d", math.MaxInt64-d.Version) }
	items, next, e := page(c, items, descending, in.Marker, in.MaxItems)
	if e != nil {
		return nil, e
	}
	return struct {
		LayerVersions []layerItemDoc
		NextMarker    *string
	}{items, next}, nil
}

func (c *call) getLayerVersion(in *lambda.GetLayerVersionInput) (any, *apiError) {
	ref, e := c.layerRef(str(in.LayerName))
	if e != nil {
		return nil, e
	}
	return c.readLayerVersion(ref, *in.VersionNumber)
}

func (c *call) getLayerVersionByArn(in *lambda.GetLayerVersionByArnInput) (any, *apiError) {
	ref, n, ok := parseLayerVersion(str(in.Arn))
	if !ok {
		return nil, violation(str(in.Arn), "arn", "Member must satisfy regular expression pattern: "+
			`(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)`)
	}
	return c.readLayerVersion(ref, n)
}

func (c *call) readLayerVersion(ref layerRef, n int64) (any, *apiError) {
	if n < 1 {
		return nil, invalidValue("Layer Version Cannot be less than 1.")
	}
	v, live := c.w.layerVersion(ref, n)
	if ref.account != c.store.account && (!live || ref.region != c.store.region || !c.granted(v)) {
		return nil, notGranted(c.who.arn, "lambda:GetLayerVersion", layerVersionARN(ref.place, ref.name, n))
	}
	if !live || ref.region != c.store.region {
		return nil, notFound("The resource you requested does not exist.")
	}
	return c.layerDoc(v), nil
}

// deleteLayerVersion always says yes: for what is there, what is not, and what
// is in use. Who has the version attached keeps it; nobody can name it again.
func (c *call) deleteLayerVersion(in *lambda.DeleteLayerVersionInput) (any, *apiError) {
	ref, e := c.ownLayer(str(in.LayerName))
	if e != nil {
		return nil, e
	}
	if *in.VersionNumber < 1 {
		return nil, invalidValue("Layer Version Cannot be less than 1.")
	}
	if v, live := c.w.layerVersion(ref, *in.VersionNumber); live {
		v.deleted, v.Grants = true, nil
	}
	return nil, nil
}
