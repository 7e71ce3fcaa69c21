package contract

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func layerFacts() []fact {
	return []fact{
		{name: "layer version numbers rise and are never reused", check: neverReused},
		{name: "the same bytes published twice are two versions with one sum", check: sameBytes},
		{name: "CodeSha256 of a layer is base64 of the sum of the zip", check: layerSha},
		{name: "CreatedDate has a zone without a colon", check: createdDate},
		{name: "an omitted Description is empty in publish and get and absent in lists", check: omittedDescription},
		{name: "omitted compatibility is absent and empty compatibility is empty", check: emptyCompatibility},
		{name: "what publish was told is what get and list tell", check: toldAgain},
		{name: "GetLayerVersionByArn is GetLayerVersion", check: byARN},
		{name: "a malformed layer ARN fails validation", check: malformedARN},
		{name: "a missing layer version is 404", check: missingLayer},
		{name: "a layer version number below one is refused", check: numberZero},
		{name: "ListLayerVersions is newest first", check: newestFirst},
		{name: "ListLayerVersions follows markers to the end", check: versionPages},
		{name: "ListLayerVersions refuses a marker that is none", check: badLayerMarker},
		{name: "ListLayerVersions refuses pages above fifty", check: bigPage},
		{name: "list filters add up and leave out versions that say nothing", check: filters},
		{name: "ListLayers filters by the newest version only", check: newestHides},
		{name: "a layer whose versions are all gone is an empty list and not listed", check: allGone},
		{name: "deleting a layer version twice succeeds", check: deletedTwice},
		{name: "deleting a version of a layer that never was succeeds", check: deleteNothing},
		{name: "publishing what is no zip is refused", check: noZip},
		{name: "a Description of more than 256 characters fails validation", check: longDescription},
		{name: "an attached layer is told with its size", check: attachedSize},
	}
}

func (p *probe) getLayer(s string, n int64) (*lambda.GetLayerVersionOutput, error) {
	return p.lambda.GetLayerVersion(p.ctx, &lambda.GetLayerVersionInput{LayerName: aws.String(p.name(s)), VersionNumber: &n})
}

// versions lists a layer page by page.
func (p *probe) versions(in lambda.ListLayerVersionsInput) []types.LayerVersionsListItem {
	p.Helper()
	in.LayerName = aws.String(p.name("l"))
	var all []types.LayerVersionsListItem
	for range 100 {
		out, err := p.lambda.ListLayerVersions(p.ctx, &in)
		p.must(err)
		all = append(all, out.LayerVersions...)
		if out.NextMarker == nil {
			return all
		}
		in.Marker = out.NextMarker
	}
	p.Fatalf("the list has no end")
	return nil
}

func numbers(items []types.LayerVersionsListItem) []int64 {
	out := []int64{}
	for _, it := range items {
		out = append(out, it.Version)
	}
	return out
}

func neverReused(p *probe) {
	for want := int64(1); want <= 3; want++ {
		if got := p.publish("l", nil).Version; got != want {
			p.Errorf("version is %d, want %d", got, want)
		}
	}
	for n := int64(1); n <= 3; n++ {
		p.unpublish("l", n)
	}
	if got := p.publish("l", nil).Version; got != 4 {
		p.Errorf("after deleting all, version is %d, want 4", got)
	}
}

func sameBytes(p *probe) {
	a, b := p.publish("l", nil), p.publish("l", nil)
	if a.Version == b.Version || aws.ToString(a.Content.CodeSha256) != aws.ToString(b.Content.CodeSha256) {
		p.Errorf("versions %d and %d, sums %s and %s", a.Version, b.Version, aws.ToString(a.Content.CodeSha256), aws.ToString(b.Content.CodeSha256))
	}
}

func layerSha(p *probe) {
	sum := sha256.Sum256(archive("l"))
	out := p.publish("l", nil)
	if got, want := aws.ToString(out.Content.CodeSha256), base64.StdEncoding.EncodeToString(sum[:]); got != want {
		p.Errorf("CodeSha256 is %s, want %s", got, want)
	}
	if got, want := out.Content.CodeSize, int64(len(archive("l"))); got != want {
		p.Errorf("CodeSize is %d, want %d", got, want)
	}
}

func createdDate(p *probe) {
	if _, err := time.Parse(lambdaTime, aws.ToString(p.publish("l", nil).CreatedDate)); err != nil {
		p.Errorf("%v", err)
	}
}

func omittedDescription(p *probe) {
	out := p.publish("l", nil)
	got, err := p.getLayer("l", 1)
	p.must(err)
	for _, d := range []*string{out.Description, got.Description} {
		if d == nil || *d != "" {
			p.Errorf("Description is %v, want an empty one", d)
		}
	}
	if d := p.versions(lambda.ListLayerVersionsInput{})[0].Description; d != nil {
		p.Errorf("the list has a Description of %q, want none", *d)
	}
}

func emptyCompatibility(p *probe) {
	if out := p.publish("l", nil); out.CompatibleRuntimes != nil || out.CompatibleArchitectures != nil {
		p.Errorf("omitted: %v and %v, want nothing", out.CompatibleRuntimes, out.CompatibleArchitectures)
	}
	out := p.publish("l", func(in *lambda.PublishLayerVersionInput) {
		in.CompatibleRuntimes, in.CompatibleArchitectures = []types.Runtime{}, []types.Architecture{}
	})
	if out.CompatibleRuntimes == nil || out.CompatibleArchitectures == nil {
		p.Errorf("empty: %#v and %#v, want empty lists", out.CompatibleRuntimes, out.CompatibleArchitectures)
	}
}

// described sends everything that can be said about a version.
func described(in *lambda.PublishLayerVersionInput) {
	in.Description, in.LicenseInfo = aws.String("共通 v1.4.2"), aws.String("MIT")
	in.CompatibleRuntimes = []types.Runtime{types.RuntimePython312, types.RuntimePython311}
	in.CompatibleArchitectures = []types.Architecture{types.ArchitectureArm64}
}

func toldAgain(p *probe) {
	p.publish("l", described)
	got, err := p.getLayer("l", 1)
	p.must(err)
	item := p.versions(lambda.ListLayerVersionsInput{})[0]
	want := "共通 v1.4.2 MIT [python3.12 python3.11] [arm64]"
	for who, s := range map[string]string{
		"get":  fmt.Sprint(aws.ToString(got.Description), " ", aws.ToString(got.LicenseInfo), " ", got.CompatibleRuntimes, " ", got.CompatibleArchitectures),
		"list": fmt.Sprint(aws.ToString(item.Description), " ", aws.ToString(item.LicenseInfo), " ", item.CompatibleRuntimes, " ", item.CompatibleArchitectures),
	} {
		if s != want {
			p.Errorf("%s tells %s, want %s", who, s, want)
		}
	}
}

func byARN(p *probe) {
	out := p.publish("l", described)
	got, err := p.lambda.GetLayerVersionByArn(p.ctx, &lambda.GetLayerVersionByArnInput{Arn: out.LayerVersionArn})
	p.must(err)
	if got.Content == nil {
		p.Fatalf("no Content: the request was taken for another")
	}
	if got.Version != 1 || aws.ToString(got.LayerArn) != aws.ToString(out.LayerArn) || aws.ToString(got.Content.CodeSha256) != aws.ToString(out.Content.CodeSha256) {
		p.Errorf("version %d of %s with %s", got.Version, aws.ToString(got.LayerArn), aws.ToString(got.Content.CodeSha256))
	}
}

func malformedARN(p *probe) {
	arn := p.publish("l", nil).LayerArn
	_, err := p.lambda.GetLayerVersionByArn(p.ctx, &lambda.GetLayerVersionByArnInput{Arn: arn})
	p.refused(err, 400, validation, "")
}

func missingLayer(p *probe) {
	p.layer("l")
	p.unpublish("l", 1)
	for _, n := range []int64{1, 2} {
		_, err := p.getLayer("l", n)
		p.refused(err, 404, missing, "The resource you requested does not exist.")
	}
}

func numberZero(p *probe) {
	p.layer("l")
	_, err := p.getLayer("l", 0)
	p.refused(err, 400, invalid, "")
}

func newestFirst(p *probe) {
	for range 3 {
		p.layer("l")
	}
	if got, want := numbers(p.versions(lambda.ListLayerVersionsInput{})), []int64{3, 2, 1}; !slices.Equal(got, want) {
		p.Errorf("versions are %v, want %v", got, want)
	}
}

func versionPages(p *probe) {
	for range 5 {
		p.layer("l")
	}
	p.unpublish("l", 3)
	out, err := p.lambda.ListLayerVersions(p.ctx, &lambda.ListLayerVersionsInput{LayerName: aws.String(p.name("l")), MaxItems: aws.Int32(2)})
	p.must(err)
	if len(out.LayerVersions) > 2 || out.NextMarker == nil {
		p.Errorf("a page of two has %d, marker %v", len(out.LayerVersions), out.NextMarker)
	}
	if got, want := numbers(p.versions(lambda.ListLayerVersionsInput{MaxItems: aws.Int32(2)})), []int64{5, 4, 2, 1}; !slices.Equal(got, want) {
		p.Errorf("versions are %v, want %v", got, want)
	}
}

func badLayerMarker(p *probe) {
	p.layer("l")
	_, err := p.lambda.ListLayerVersions(p.ctx, &lambda.ListLayerVersionsInput{LayerName: aws.String(p.name("l")), Marker: aws.String("no such marker")})
	p.refused(err, 400, invalid, "")
}

func bigPage(p *probe) {
	p.layer("l")
	_, err := p.lambda.ListLayerVersions(p.ctx, &lambda.ListLayerVersionsInput{LayerName: aws.String(p.name("l")), MaxItems: aws.Int32(51)})
	p.refused(err, 400, validation, "")
}

func filters(p *probe) {
	p.publish("l", nil)
	p.publish("l", described) // python3.12 and arm64
	p.publish("l", func(in *lambda.PublishLayerVersionInput) {
		in.CompatibleRuntimes = []types.Runtime{types.RuntimePython312}
	})
	for _, c := range []struct {
		in   lambda.ListLayerVersionsInput
		want []int64
	}{
		{lambda.ListLayerVersionsInput{}, []int64{3, 2, 1}},
		{lambda.ListLayerVersionsInput{CompatibleRuntime: types.RuntimePython312}, []int64{3, 2}},
		{lambda.ListLayerVersionsInput{CompatibleRuntime: types.RuntimePython312, CompatibleArchitecture: types.ArchitectureArm64}, []int64{2}},
		{lambda.ListLayerVersionsInput{CompatibleArchitecture: types.ArchitectureX8664}, []int64{}},
	} {
		if got := numbers(p.versions(c.in)); !slices.Equal(got, c.want) {
			p.Errorf("%s %s: %v, want %v", c.in.CompatibleRuntime, c.in.CompatibleArchitecture, got, c.want)
		}
	}
}

// listedLayer returns the newest version ListLayers has of the fact's layer.
func (p *probe) listedLayer(runtime types.Runtime) (int64, bool) {
	p.Helper()
	in := lambda.ListLayersInput{CompatibleRuntime: runtime}
	for range 100 {
		out, err := p.lambda.ListLayers(p.ctx, &in)
		p.must(err)
		for _, l := range out.Layers {
			if aws.ToString(l.LayerName) == p.name("l") {
				return l.LatestMatchingVersion.Version, true
			}
		}
		if out.NextMarker == nil {
			return 0, false
		}
		in.Marker = out.NextMarker
	}
	p.Fatalf("the list has no end")
	return 0, false
}

func newestHides(p *probe) {
	p.publish("l", described)
	if n, ok := p.listedLayer(types.RuntimePython312); n != 1 || !ok {
		p.Errorf("version %d, %t; want 1", n, ok)
	}
	p.publish("l", func(in *lambda.PublishLayerVersionInput) {
		in.CompatibleRuntimes = []types.Runtime{types.RuntimeNodejs22x}
	})
	if n, ok := p.listedLayer(types.RuntimePython312); ok {
		p.Errorf("the older version %d shows behind one that does not fit", n)
	}
	if n, _ := p.listedLayer(""); n != 2 {
		p.Errorf("the newest is %d, want 2", n)
	}
}

func allGone(p *probe) {
	p.layer("l")
	p.unpublish("l", 1)
	if got := p.versions(lambda.ListLayerVersionsInput{}); len(got) != 0 {
		p.Errorf("versions are %v, want none", numbers(got))
	}
	if n, ok := p.listedLayer(""); ok {
		p.Errorf("ListLayers has version %d", n)
	}
}

func deletedTwice(p *probe) {
	p.layer("l")
	p.unpublish("l", 1)
	p.unpublish("l", 1)
	p.unpublish("l", 9)
}

func deleteNothing(p *probe) { p.unpublish("never", 1) }

func noZip(p *probe) {
	_, err := p.lambda.PublishLayerVersion(p.ctx, &lambda.PublishLayerVersionInput{LayerName: aws.String(p.name("l")),
		Content: &types.LayerVersionContentInput{ZipFile: []byte("not a zip")}})
	p.refused(err, 400, invalid, "")
}

func longDescription(p *probe) {
	_, err := p.lambda.PublishLayerVersion(p.ctx, &lambda.PublishLayerVersionInput{LayerName: aws.String(p.name("l")),
		Content: &types.LayerVersionContentInput{ZipFile: archive("l")}, Description: aws.String(fmt.Sprintf("%257d", 1))})
	p.refused(err, 400, validation, "description")
}

func attachedSize(p *probe) {
	out := p.publish("l", nil)
	l := p.config(p.create("f", aws.ToString(out.LayerVersionArn))).Layers
	if len(l) != 1 || l[0].CodeSize != out.Content.CodeSize {
		p.Errorf("layers are %v, want one of %d bytes", l, out.Content.CodeSize)
	}
}
