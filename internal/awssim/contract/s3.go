package contract

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func objectFacts() []fact {
	return []fact{
		{name: "an object is read as it was put", check: readAsPut},
		{name: "a range of an object is that part of it", check: readRange},
		{name: "a range beyond the end of an object is refused", check: rangeBeyond},
		{name: "an object that is not there is NoSuchKey", check: noSuchKey},
		{name: "a bucket that is not there is NoSuchBucket", check: noSuchBucket},
		{name: "a HEAD of what is not there is 404 without words", check: headOfNothing},
		{name: "a write that must replace nothing is refused where something is", check: writeOnce},
		{name: "a bucket without versions names none", check: noVersions},
		{name: "a bucket with versions keeps what was written before", check: versionsOfObject},
		{name: "a deleted object can still be had by its version", check: deletedObject},
		{name: "a version of an object that never was is NoSuchVersion", check: noSuchVersion},
		{name: "an object tells the checksum it came with when asked", check: checksumOfObject},
		{name: "an object whose checksum does not fit is refused", check: wrongChecksum},
		{name: "metadata of an object is given back", check: metadataOfObject},
		{name: "ListObjectsV2 follows tokens to the end in the order of keys", check: listObjects},
		{name: "ListObjectsV2 gathers keys before a delimiter", check: listFolders},
		{name: "a bucket in another Region sends away", check: bucketElsewhere},
		{name: "a bucket name with capitals is refused", check: badBucketName},
		{name: "a bucket of another account cannot be made or read", two: true, check: foreignBucket},
		{name: "a bucket whose policy denies reading is AccessDenied", seeded: true, check: deniedBucket},
	}
}

const (
	accessDenied = "AccessDenied"
	elsewhere    = "eu-west-1" // a Region that is not the suite's
)

// bucket makes the fact's bucket and returns its name.
func (p *probe) bucket() string {
	p.Helper()
	p.bucketIn(p.s3, p.env.Config.Region)
	return p.name("b")
}

func (p *probe) bucketIn(c *s3.Client, region string) {
	p.Helper()
	in := &s3.CreateBucketInput{Bucket: aws.String(p.name("b"))}
	if region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err := c.CreateBucket(p.ctx, in)
	p.must(err)
}

// elsewhere is a client of another Region.
func (p *probe) elsewhere() *s3.Client {
	cfg := p.env.Config.Copy()
	cfg.Region = elsewhere
	return s3.NewFromConfig(cfg)
}

// versioned makes the fact's bucket, which keeps versions.
func (p *probe) versioned() string {
	p.Helper()
	b := p.bucket()
	p.keepVersions(p.s3)
	return b
}

func (p *probe) keepVersions(c *s3.Client) {
	p.Helper()
	_, err := c.PutBucketVersioning(p.ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(p.name("b")),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	p.must(err)
}

// put writes an object of the fact's bucket and returns its version.
func (p *probe) put(key string, body []byte) string {
	p.Helper()
	out, err := p.s3.PutObject(p.ctx, &s3.PutObjectInput{Bucket: aws.String(p.name("b")), Key: &key, Body: bytes.NewReader(body)})
	p.must(err)
	return aws.ToString(out.VersionId)
}

func (p *probe) get(key string, change func(*s3.GetObjectInput)) (*s3.GetObjectOutput, string, error) {
	p.Helper()
	in := &s3.GetObjectInput{Bucket: aws.String(p.name("b")), Key: &key}
	if change != nil {
		change(in)
	}
	out, err := p.s3.GetObject(p.ctx, in)
	if err != nil {
		return nil, "", err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	p.must(err)
	return out, string(body), nil
}

func ofVersion(v string) func(*s3.GetObjectInput) {
	return func(in *s3.GetObjectInput) { in.VersionId = &v }
}

func ofRange(r string) func(*s3.GetObjectInput) {
	return func(in *s3.GetObjectInput) { in.Range = &r }
}

func readAsPut(p *probe) {
	b := p.bucket()
	for _, key := range []string{"l.zip", "common/1.4.2/l.zip", "a b+ü%"} {
		p.put(key, []byte(key))
		out, body, err := p.get(key, nil)
		p.must(err)
		head, err := p.s3.HeadObject(p.ctx, &s3.HeadObjectInput{Bucket: &b, Key: &key})
		p.must(err)
		if body != key || aws.ToInt64(head.ContentLength) != int64(len(key)) || aws.ToString(head.ETag) != aws.ToString(out.ETag) {
			p.Errorf("%s: body %q, head %d %s, get %s", key, body, aws.ToInt64(head.ContentLength), aws.ToString(head.ETag), aws.ToString(out.ETag))
		}
		if !strings.HasPrefix(aws.ToString(out.ETag), `"`) || out.LastModified == nil {
			p.Errorf("%s: ETag is %s, LastModified %v", key, aws.ToString(out.ETag), out.LastModified)
		}
	}
}

func readRange(p *probe) {
	p.bucket()
	p.put("k", []byte("0123456789"))
	for asked, want := range map[string][2]string{
		"bytes=2-4": {"234", "bytes 2-4/10"}, "bytes=7-": {"789", "bytes 7-9/10"}, "bytes=-2": {"89", "bytes 8-9/10"}, "bytes=8-99": {"89", "bytes 8-9/10"},
	} {
		out, body, err := p.get("k", ofRange(asked))
		p.must(err)
		if body != want[0] || aws.ToString(out.ContentRange) != want[1] {
			p.Errorf("%s: %q of %s, want %q of %s", asked, body, aws.ToString(out.ContentRange), want[0], want[1])
		}
	}
}

func rangeBeyond(p *probe) {
	p.bucket()
	p.put("k", []byte("0123456789"))
	_, _, err := p.get("k", ofRange("bytes=10-"))
	p.refused(err, 416, "InvalidRange", "")
}

func noSuchKey(p *probe) {
	p.bucket()
	_, _, err := p.get("k", nil)
	p.refused(err, 404, "NoSuchKey", "The specified key does not exist.")
}

func noSuchBucket(p *probe) {
	_, _, err := p.get("k", nil)
	p.refused(err, 404, "NoSuchBucket", "The specified bucket does not exist")
}

func headOfNothing(p *probe) {
	_, err := p.s3.HeadBucket(p.ctx, &s3.HeadBucketInput{Bucket: aws.String(p.name("b"))})
	p.refused(err, 404, "NotFound", "")
	b := p.bucket()
	_, err = p.s3.HeadBucket(p.ctx, &s3.HeadBucketInput{Bucket: &b})
	p.must(err)
	_, err = p.s3.HeadObject(p.ctx, &s3.HeadObjectInput{Bucket: &b, Key: aws.String("k")})
	p.refused(err, 404, "NotFound", "")
}

func writeOnce(p *probe) {
	b := p.bucket()
	write := func(body string) error {
		_, err := p.s3.PutObject(p.ctx, &s3.PutObjectInput{Bucket: &b, Key: aws.String("k"), Body: strings.NewReader(body), IfNoneMatch: aws.String("*")})
		return err
	}
	p.must(write("first"))
	p.refused(write("second"), 412, "PreconditionFailed", "")
	if _, body, err := p.get("k", nil); err != nil || body != "first" {
		p.Errorf("there is %q, %v", body, err)
	}
}

func noVersions(p *probe) {
	p.bucket()
	if v := p.put("k", []byte("x")); v != "" && v != "null" {
		p.Errorf("version is %q", v)
	}
}

func versionsOfObject(p *probe) {
	b := p.versioned()
	one, two := p.put("k", []byte("1")), p.put("k", []byte("2"))
	if one == "" || one == two {
		p.Fatalf("versions are %q and %q", one, two)
	}
	for v, want := range map[string]string{one: "1", two: "2"} {
		out, body, err := p.get("k", ofVersion(v))
		p.must(err)
		if body != want || aws.ToString(out.VersionId) != v {
			p.Errorf("version %s is %q of %s", v, body, aws.ToString(out.VersionId))
		}
	}
	head, err := p.s3.HeadObject(p.ctx, &s3.HeadObjectInput{Bucket: &b, Key: aws.String("k")})
	p.must(err)
	if aws.ToString(head.VersionId) != two {
		p.Errorf("the newest is %s, want %s", aws.ToString(head.VersionId), two)
	}
}

func deletedObject(p *probe) {
	b := p.versioned()
	v := p.put("k", []byte("x"))
	out, err := p.s3.DeleteObject(p.ctx, &s3.DeleteObjectInput{Bucket: &b, Key: aws.String("k")})
	p.must(err)
	if !aws.ToBool(out.DeleteMarker) || aws.ToString(out.VersionId) == "" {
		p.Errorf("deleting says %v, %v", aws.ToBool(out.DeleteMarker), aws.ToString(out.VersionId))
	}
	_, _, err = p.get("k", nil)
	p.refused(err, 404, "NoSuchKey", "")
	_, body, err := p.get("k", ofVersion(v))
	p.must(err)
	if body != "x" {
		p.Errorf("the version is %q", body)
	}
	_, err = p.s3.DeleteObject(p.ctx, &s3.DeleteObjectInput{Bucket: &b, Key: aws.String("k"), VersionId: &v})
	p.must(err)
	_, _, err = p.get("k", ofVersion(v))
	p.refused(err, 404, "NoSuchVersion", "")
}

func noSuchVersion(p *probe) {
	p.versioned()
	p.put("k", []byte("x"))
	_, _, err := p.get("k", ofVersion("null"))
	p.refused(err, 404, "NoSuchVersion", "The specified version does not exist.")
}

func checksumOfObject(p *probe) {
	b := p.bucket()
	_, err := p.s3.PutObject(p.ctx, &s3.PutObjectInput{Bucket: &b, Key: aws.String("k"), Body: strings.NewReader("x"),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
	p.must(err)
	for mode, want := range map[types.ChecksumMode]string{types.ChecksumModeEnabled: "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=", "": ""} {
		head, err := p.s3.HeadObject(p.ctx, &s3.HeadObjectInput{Bucket: &b, Key: aws.String("k"), ChecksumMode: mode})
		p.must(err)
		if got := aws.ToString(head.ChecksumSHA256); got != want {
			p.Errorf("mode %q: checksum is %q, want %q", mode, got, want)
		}
	}
}

func wrongChecksum(p *probe) {
	b := p.bucket()
	_, err := p.s3.PutObject(p.ctx, &s3.PutObjectInput{Bucket: &b, Key: aws.String("k"), Body: strings.NewReader("x"), ChecksumCRC32: aws.String("AAAAAA==")})
	p.refused(err, 400, "BadDigest", "")
}

func metadataOfObject(p *probe) {
	b := p.bucket()
	_, err := p.s3.PutObject(p.ctx, &s3.PutObjectInput{Bucket: &b, Key: aws.String("k"), Body: strings.NewReader("x"),
		ContentType: aws.String("application/zip"), Metadata: map[string]string{"commit": "abc"}})
	p.must(err)
	out, _, err := p.get("k", nil)
	p.must(err)
	if aws.ToString(out.ContentType) != "application/zip" || out.Metadata["commit"] != "abc" {
		p.Errorf("type is %s, metadata %v", aws.ToString(out.ContentType), out.Metadata)
	}
}

func (p *probe) keys(in s3.ListObjectsV2Input) (keys, folders []string) {
	p.Helper()
	in.Bucket = aws.String(p.name("b"))
	for range 100 {
		out, err := p.s3.ListObjectsV2(p.ctx, &in)
		p.must(err)
		if n := len(out.Contents) + len(out.CommonPrefixes); in.MaxKeys != nil && n > int(*in.MaxKeys) || n != int(aws.ToInt32(out.KeyCount)) {
			p.Errorf("%d lines on a page of %d, KeyCount %d", n, aws.ToInt32(in.MaxKeys), aws.ToInt32(out.KeyCount))
		}
		for _, o := range out.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
		for _, f := range out.CommonPrefixes {
			folders = append(folders, aws.ToString(f.Prefix))
		}
		if !aws.ToBool(out.IsTruncated) {
			return keys, folders
		}
		in.ContinuationToken = out.NextContinuationToken
	}
	p.Fatalf("the list has no end")
	return nil, nil
}

func listObjects(p *probe) {
	p.bucket()
	var want []string
	for i := range 7 {
		key := fmt.Sprintf("l/%d", i)
		want = append(want, key)
		p.put(key, []byte("x"))
	}
	p.put("m", []byte("x"))
	if got, _ := p.keys(s3.ListObjectsV2Input{MaxKeys: aws.Int32(3), Prefix: aws.String("l/")}); !slices.Equal(got, want) {
		p.Errorf("keys are %v", got)
	}
	if got, _ := p.keys(s3.ListObjectsV2Input{StartAfter: aws.String("l/5")}); !slices.Equal(got, []string{"l/6", "m"}) {
		p.Errorf("keys after l/5 are %v", got)
	}
}

func listFolders(p *probe) {
	p.bucket()
	for _, key := range []string{"l/a/1", "l/a/2", "l/b", "l/c/1", "z"} {
		p.put(key, []byte("x"))
	}
	keys, folders := p.keys(s3.ListObjectsV2Input{Prefix: aws.String("l/"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(2)})
	if !slices.Equal(keys, []string{"l/b"}) || !slices.Equal(folders, []string{"l/a/", "l/c/"}) {
		p.Errorf("keys are %v, folders %v", keys, folders)
	}
}

func bucketElsewhere(p *probe) {
	p.bucketIn(p.elsewhere(), elsewhere)
	_, _, err := p.get("k", nil)
	p.refused(err, 301, "PermanentRedirect", "")
}

func badBucketName(p *probe) {
	_, err := p.s3.CreateBucket(p.ctx, &s3.CreateBucketInput{Bucket: aws.String(p.name("B"))})
	p.refused(err, 400, "InvalidBucketName", "")
}

func foreignBucket(p *probe) {
	b := p.bucket()
	p.put("k", []byte("x"))
	other := s3.NewFromConfig(*p.env.Other)
	_, err := other.CreateBucket(p.ctx, &s3.CreateBucketInput{Bucket: &b})
	p.refused(err, 409, "BucketAlreadyExists", "")
	_, err = other.GetObject(p.ctx, &s3.GetObjectInput{Bucket: &b, Key: aws.String("k")})
	p.refused(err, 403, accessDenied, "")
}

func deniedBucket(p *probe) {
	b := p.bucket()
	p.put("k", []byte("x"))
	p.must(p.env.Seeds.BucketPolicy(b, "Deny", "*"))
	_, _, err := p.get("k", nil)
	p.refused(err, 403, accessDenied, "with an explicit deny in a resource-based policy")
}
