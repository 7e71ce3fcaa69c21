package contract

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// fromObjectFacts are about layers whose zip is in S3.
func fromObjectFacts() []fact {
	return []fact{
		{name: "a layer published from S3 is what the object is", check: fromObject},
		{name: "a layer published from a version of an object is that version", check: fromVersion},
		{name: "publishing from an object that is not there is refused in the words of S3", check: fromNothing},
		{name: "publishing from a bucket in another Region is refused", check: fromElsewhere},
		{name: "publishing from what is no zip in S3 is refused", check: fromNoZip},
		{name: "publishing from S3 and from a zip at once is refused", check: fromBoth},
		{name: "publishing from a bucket that denies it is denied in the words of S3", seeded: true, check: fromDenied},
		{name: "a layer cannot stay in a bucket without versions", seeded: true, check: stayUnversioned},
		{name: "a layer that stays in S3 names the version and has no Location", seeded: true, check: stay},
		{name: "a layer can stay in a bucket of another Region", seeded: true, check: stayElsewhere},
	}
}

// publishFrom publishes the fact's layer from its bucket.
func (p *probe) publishFrom(key, version string, mode types.S3ObjectStorageMode) (*lambda.PublishLayerVersionOutput, error) {
	in := &lambda.PublishLayerVersionInput{LayerName: aws.String(p.name("l")),
		Content: &types.LayerVersionContentInput{S3Bucket: aws.String(p.name("b")), S3Key: &key, S3ObjectStorageMode: mode}}
	if version != "" {
		in.Content.S3ObjectVersion = &version
	}
	return p.lambda.PublishLayerVersion(p.ctx, in)
}

func fromObject(p *probe) {
	p.bucket()
	p.put("common/1.4.2.zip", archive("l"))
	out, err := p.publishFrom("common/1.4.2.zip", "", "")
	p.must(err)
	sent := p.publish("l", nil)
	if aws.ToString(out.Content.CodeSha256) != aws.ToString(sent.Content.CodeSha256) || out.Content.CodeSize != sent.Content.CodeSize ||
		aws.ToString(out.Content.Location) == "" {
		p.Errorf("from S3: %+v; sent: %+v", out.Content, sent.Content)
	}
}

func fromVersion(p *probe) {
	p.versioned()
	one, two := p.put("k", archive("1")), p.put("k", archive("two"))
	size := func(version string) int64 {
		out, err := p.publishFrom("k", version, types.S3ObjectStorageModeCopy)
		p.must(err)
		return out.Content.CodeSize
	}
	if a, b, c := size(one), size(two), size(""); a != int64(len(archive("1"))) || b != int64(len(archive("two"))) || b != c {
		p.Errorf("sizes are %d, %d and %d of the newest", a, b, c)
	}
}

func fromNothing(p *probe) {
	_, err := p.publishFrom("k", "", "")
	p.refused(err, 400, invalid, "S3 Error Code: NoSuchBucket.")
	p.versioned()
	_, err = p.publishFrom("k", "", "")
	p.refused(err, 400, invalid, "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.")
	p.put("k", archive("l"))
	_, err = p.publishFrom("k", "null", "")
	p.refused(err, 400, invalid, "S3 Error Code: NoSuchVersion.")
}

func fromElsewhere(p *probe) {
	p.bucketIn(p.elsewhere(), elsewhere)
	_, err := p.publishFrom("k", "", "")
	p.refused(err, 400, invalid, "S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this region: "+elsewhere)
}

func fromNoZip(p *probe) {
	p.bucket()
	p.put("k", []byte("not a zip"))
	_, err := p.publishFrom("k", "", "")
	p.refused(err, 400, invalid, "Could not unzip uploaded file.")
}

func fromBoth(p *probe) {
	b := p.bucket()
	_, err := p.lambda.PublishLayerVersion(p.ctx, &lambda.PublishLayerVersionInput{LayerName: aws.String(p.name("l")),
		Content: &types.LayerVersionContentInput{ZipFile: archive("l"), S3Bucket: &b, S3Key: aws.String("k")}})
	p.refused(err, 400, invalid, "")
}

func fromDenied(p *probe) {
	b := p.bucket()
	p.put("k", archive("l"))
	p.must(p.env.Seeds.BucketPolicy(b, "Deny", "*"))
	_, err := p.publishFrom("k", "", "")
	p.refused(err, 403, denied, "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for "+b+"/k. "+
		"S3 Error Code: AccessDenied.")
}

const lambdaService = "lambda.amazonaws.com"

func stayUnversioned(p *probe) {
	b := p.bucket()
	p.put("k", archive("l"))
	p.must(p.env.Seeds.BucketPolicy(b, "Allow", lambdaService))
	_, err := p.publishFrom("k", "", types.S3ObjectStorageModeReference)
	p.refused(err, 400, invalid, "")
}

// stays publishes a layer that stays in S3, and looks at it.
func (p *probe) stays(version string) {
	p.Helper()
	out, err := p.publishFrom("k", "", types.S3ObjectStorageModeReference)
	p.must(err)
	got, err := p.getLayer("l", out.Version)
	p.must(err)
	for _, c := range []*types.LayerVersionContentOutput{out.Content, got.Content} {
		r := c.ResolvedS3Object
		if c.Location != nil || r == nil || aws.ToString(r.S3Bucket) != p.name("b") || aws.ToString(r.S3Key) != "k" ||
			version != "" && aws.ToString(r.S3ObjectVersion) != version || aws.ToString(r.S3ObjectVersion) == "" {
			p.Errorf("content is %+v", *c)
		}
	}
}

func stay(p *probe) {
	b := p.versioned()
	p.must(p.env.Seeds.BucketPolicy(b, "Allow", lambdaService))
	v := p.put("k", archive("l"))
	p.stays(v)
	_, err := p.publishFrom("none", "", types.S3ObjectStorageModeReference)
	p.refused(err, 400, invalid, "S3 Error Code: NoSuchKey.")
}

func stayElsewhere(p *probe) {
	away := p.elsewhere()
	p.bucketIn(away, elsewhere)
	p.keepVersions(away)
	p.must(p.env.Seeds.BucketPolicy(p.name("b"), "Allow", lambdaService))
	at := *p
	at.s3 = away
	at.put("k", archive(strings.Repeat("l", 10)))
	p.stays("")
}
