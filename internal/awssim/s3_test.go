package awssim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/nightly"
)

// objects is a client of S3 with an address and a Region of its own; an empty
// endpoint is AWS's.
func objects(w *awssim.World, endpoint, region string, change ...func(*s3.Options)) *s3.Client {
	cfg := config(w)
	cfg.Region, cfg.BaseEndpoint = region, nil
	if endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	return s3.NewFromConfig(cfg, change...)
}

func pathStyle(o *s3.Options) { o.UsePathStyle = true }

func put(ctx context.Context, c *s3.Client, bucket, key string, body io.Reader) error {
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body})
	return err
}

func get(t *testing.T, c *s3.Client, bucket, key string) string {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	must(t, err)
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	must(t, err)
	return string(b)
}

// However a client finds its bucket, it is the same one.
func TestAddressesOfBuckets(t *testing.T) {
	for name, tt := range map[string]struct {
		endpoint, region, bucket string
		change                   []func(*s3.Options)
	}{
		"virtual":              {"http://aws.test", "us-east-1", "artifacts", nil},
		"path":                 {"http://aws.test", "us-east-1", "artifacts", []func(*s3.Options){pathStyle}},
		"a port":               {"http://aws.test:4599", "us-east-1", "artifacts", nil},
		"an s3 before":         {"http://s3.aws.test", "us-east-1", "artifacts", nil},
		"TLS, in chunks":       {"https://aws.test", "us-east-1", "artifacts", nil},
		"dots":                 {"http://aws.test", "us-east-1", "my.team.artifacts", nil},
		"dots and TLS":         {"https://aws.test", "us-east-1", "my.team.artifacts", nil},
		"localhost":            {"http://localhost:4599", "us-east-1", "artifacts", nil},
		"an address":           {"http://127.0.0.1:4599", "us-east-1", "artifacts", nil},
		"IPv6":                 {"http://[::1]:4599", "us-east-1", "artifacts", nil},
		"AWS":                  {"", "us-east-1", "artifacts", nil},
		"AWS, a Region":        {"", "ap-northeast-1", "artifacts", nil},
		"AWS, path":            {"", "ap-northeast-1", "artifacts", []func(*s3.Options){pathStyle}},
		"AWS, two stacks":      {"", "ap-northeast-1", "artifacts", []func(*s3.Options){func(o *s3.Options) { o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled }}},
		"China":                {"", "cn-north-1", "artifacts", nil},
		"a bucket called s3-x": {"", "us-east-1", "s3-x.s3", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := awssim.New(awssim.Options{Region: tt.region})
			w.PutBucket(awssim.Bucket{Name: tt.bucket})
			c := objects(w, tt.endpoint, tt.region, tt.change...)
			for _, key := range []string{"l.zip", "common/1.4.2/a b+ü%.zip", "service/x/y", "a//b"} {
				must(t, put(t.Context(), c, tt.bucket, key, bytes.NewReader([]byte(key))))
				if got, ok := w.Object(tt.bucket, key); !ok || string(got) != key {
					t.Errorf("%s is %q, %v", key, got, ok)
				}
				if got := get(t, c, tt.bucket, key); got != key {
					t.Errorf("%s: read %q", key, got)
				}
			}
			out, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &tt.bucket})
			must(t, err)
			if len(out.Contents) != 4 {
				t.Errorf("%d objects", len(out.Contents))
			}
		})
	}
}

// A stream that cannot be read twice goes out in chunks, its sum behind it.
func TestAStreamInChunks(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutBucket(awssim.Bucket{Name: "artifacts"})
	c := objects(w, "https://aws.test", "us-east-1")
	body := bytes.Repeat([]byte("layer"), 100_000)
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("k"),
		Body: struct{ io.Reader }{bytes.NewReader(body)}, ContentLength: aws.Int64(int64(len(body))), ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
	must(t, err)
	if got, _ := w.Object("artifacts", "k"); !bytes.Equal(got, body) {
		t.Errorf("%d bytes arrived of %d", len(got), len(body))
	}
	out, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("artifacts"), Key: aws.String("k"), ChecksumMode: types.ChecksumModeEnabled})
	must(t, err)
	if aws.ToString(out.ChecksumSHA256) == "" || out.ContentLength == nil || *out.ContentLength != int64(len(body)) {
		t.Errorf("head: %+v", out)
	}
}

// What came broken is refused, and nothing is stored.
func TestWhatArrivesBroken(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutBucket(awssim.Bucket{Name: "b"})
	scope := []string{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIDTEST/20261124/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"}
	for name, tt := range map[string]struct {
		body, want string
		header     []string
	}{
		"a sum":             {"x", "BadDigest", []string{"X-Amz-Checksum-Crc32", "AAAAAA=="}},
		"MD5":               {"x", "BadDigest", []string{"Content-Md5", "AAAAAAAAAAAAAAAAAAAAAA=="}},
		"the payload's sum": {"x", "XAmzContentSHA256Mismatch", []string{"X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
		"chunks cut short":  {"5\r\nab", "IncompleteBody", []string{"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "5"}},
		"chunks of another length": {"2\r\nab\r\n0\r\n\r\n", "IncompleteBody",
			[]string{"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "5"}},
		"a sum behind chunks": {"2\r\nab\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest",
			[]string{"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "2"}},
		"an ACL":          {"x", "NotImplemented", []string{"X-Amz-Acl", "public-read"}},
		"a copy":          {"", "NotImplemented", []string{"X-Amz-Copy-Source", "/b/x"}},
		"a storage class": {"x", "NotImplemented", []string{"X-Amz-Storage-Class", "GLACIER"}},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := raw(t, w, http.MethodPut, "/b/k", tt.body, append(tt.header, scope...)...)
			if resp.StatusCode < 400 || !bytes.Contains([]byte(body), []byte("<Code>"+tt.want)) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if _, ok := w.Object("b", "k"); ok {
				t.Error("it is stored")
			}
		})
	}
	for _, path := range []string{"/b?acl", "/b/k?tagging", "/b/k?uploads", "/b", "/"} {
		if resp, body := raw(t, w, http.MethodPost, path, "", scope...); resp.StatusCode != 501 {
			t.Errorf("POST %s: %d %s", path, resp.StatusCode, body)
		}
		if resp, body := raw(t, w, http.MethodGet, path, "", scope...); resp.StatusCode != 501 {
			t.Errorf("GET %s: %d %s", path, resp.StatusCode, body)
		}
	}
	if resp, body := raw(t, w, http.MethodGet, "/b/k", "", "Authorization", "", "Host", "s3.us-east-1.amazonaws.com"); resp.StatusCode != 403 {
		t.Errorf("unsigned: %d %s", resp.StatusCode, body)
	}
}

// A bucket's policy decides about others, and one Deny about everybody.
func TestPoliciesOfBuckets(t *testing.T) {
	const other = "210987654321"
	allow := func(action, prefix string) awssim.BucketStatement {
		return awssim.BucketStatement{Principal: "arn:aws:iam::" + other + ":root", Action: action, Prefix: prefix}
	}
	deny := func(principal, action string) awssim.BucketStatement {
		return awssim.BucketStatement{Deny: true, Principal: principal, Action: action}
	}
	for name, tt := range map[string]struct {
		policy       []awssim.BucketStatement
		owner, other string // what reading layers/l.zip comes to
		missing      string // what reading layers/none.zip comes to for the other
	}{
		"none":             {nil, "", "AccessDenied", "AccessDenied"},
		"read":             {[]awssim.BucketStatement{allow("s3:GetObject", "")}, "", "", "AccessDenied"},
		"read and list":    {[]awssim.BucketStatement{allow("s3:GetObject", ""), allow("s3:ListBucket", "")}, "", "", "NoSuchKey"},
		"everything":       {[]awssim.BucketStatement{allow("s3:*", "")}, "", "", "NoSuchKey"},
		"all gets":         {[]awssim.BucketStatement{allow("s3:Get*", "")}, "", "", "AccessDenied"},
		"its folder":       {[]awssim.BucketStatement{allow("s3:GetObject", "layers/")}, "", "", "AccessDenied"},
		"another folder":   {[]awssim.BucketStatement{allow("s3:GetObject", "code/")}, "", "AccessDenied", "AccessDenied"},
		"another action":   {[]awssim.BucketStatement{allow("s3:PutObject", "")}, "", "AccessDenied", "AccessDenied"},
		"denied to all":    {[]awssim.BucketStatement{allow("s3:*", ""), deny("*", "s3:GetObject")}, "AccessDenied", "AccessDenied", "AccessDenied"},
		"denied to owners": {[]awssim.BucketStatement{deny("123456789012", "s3:*")}, "AccessDenied", "AccessDenied", "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			w := awssim.New(awssim.Options{})
			w.AddKey("AKIDOTHER", other, "")
			w.PutBucket(awssim.Bucket{Name: "b", Policy: tt.policy})
			w.PutObject("b", "layers/l.zip", []byte("x"))
			for _, as := range []struct{ key, object, want string }{{"AKIDTEST", "layers/l.zip", tt.owner},
				{"AKIDOTHER", "layers/l.zip", tt.other}, {"AKIDOTHER", "layers/none.zip", tt.missing}} {
				c := objects(w, "http://aws.test", "us-east-1", func(o *s3.Options) {
					o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
						return aws.Credentials{AccessKeyID: as.key, SecretAccessKey: "secret"}, nil
					})
				})
				_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: &as.object})
				code(t, err, as.want)
			}
		})
	}
}

// A lost answer to a write is one that happened; a throttled one did not.
func TestFaultsOfS3(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  awssim.Fault
		stored bool
	}{
		"before":      {awssim.ServerError(), false},
		"after":       {awssim.ServerErrorAfter(), true},
		"lost":        {awssim.LostAnswer(), true},
		"reset":       {awssim.Reset(), false},
		"slow down":   {awssim.Fault{Before: &awssim.Failure{Status: 503, Code: "SlowDown", Message: "Please reduce your request rate."}}, false},
		"denied":      {awssim.Denied(awssim.Call{Service: "s3", Operation: "PutObject"}), false},
		"no trouble":  {awssim.Fault{}, true},
		"a late word": {awssim.SlowAnswer(1), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := awssim.New(awssim.Options{})
			w.PutBucket(awssim.Bucket{Name: "b"})
			w.OnCall(func(awssim.Call) awssim.Fault { return tt.fault })
			err := put(t.Context(), objects(w, "http://aws.test", "us-east-1"), "b", "k", bytes.NewReader([]byte("x")))
			if _, ok := w.Object("b", "k"); ok != tt.stored {
				t.Errorf("stored: %v (%v)", ok, err)
			}
			call := w.Calls()[0]
			if call.Service != "s3" || call.Operation != "PutObject" || call.Resource != "b/k" || !call.Write || call.Applied != tt.stored || w.Writes() != 1 {
				t.Errorf("call is %+v", call)
			}
			if in, ok := call.Input.(awssim.ObjectRequest); !ok || in.Key != "k" {
				t.Errorf("input is %+v", call.Input)
			}
		})
	}
}

// Large objects are held once, whoever reads them and whatever is published.
func TestLargeObjectsAreShared(t *testing.T) {
	body := awssim.Zip(map[string]string{"python/a.py": "x = 1"})
	body = append(make([]byte, 60<<20), body...) // a zip may have anything before it
	w := awssim.New(awssim.Options{})
	w.PutObject("b", "k", body)
	got, _ := w.Object("b", "k")
	if &got[0] != &body[0] {
		t.Error("putting copies")
	}
	out, err := client(w).PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{LayerName: aws.String("l"),
		Content: &lambdatypes.LayerVersionContentInput{S3Bucket: aws.String("b"), S3Key: aws.String("k")}})
	must(t, err)
	if v := w.LayerVersions("l")[0]; &v.Content[0] != &body[0] || out.Content.CodeSize != int64(len(body)) {
		t.Error("publishing copies")
	}
	srv := httptest.NewServer(w.Handler())
	defer srv.Close()
	c := objects(w, srv.URL, "us-east-1", func(o *s3.Options) { o.HTTPClient = srv.Client() })
	part, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Range: aws.String("bytes=-22")})
	must(t, err)
	defer part.Body.Close()
	if end, err := io.ReadAll(part.Body); err != nil || !bytes.HasPrefix(end, []byte("PK\x05\x06")) {
		t.Errorf("the end is %q, %v", end, err)
	}
}

// What is sent along has a limit of its own, whatever is in it.
func TestTheSizeOfAZipThatIsSent(t *testing.T) {
	nightly.Only(t, "seventy megabytes of base64, three times")
	end := awssim.Zip(map[string]string{"a": "b"})
	publish := func(zip []byte) error {
		_, err := client(awssim.New(awssim.Options{})).PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{
			LayerName: aws.String("l"), Content: &lambdatypes.LayerVersionContentInput{ZipFile: zip}})
		return err
	}
	const most = 52_428_800
	must(t, publish(append(make([]byte, most-len(end)), end...)))
	code(t, publish(append(make([]byte, most+1-len(end)), end...)), "InvalidParameterValueException")
	code(t, publish(append(make([]byte, most+200_000), end...)), "RequestEntityTooLargeException")
}

// What is copied from S3 takes room like what is sent.
func TestTheQuotaCountsWhatIsCopied(t *testing.T) {
	zip := awssim.Zip(map[string]string{"a": "b"})
	w := awssim.New(awssim.Options{CodeStorage: int64(len(zip))})
	w.PutObject("b", "k", zip)
	publish := func() error {
		_, err := client(w).PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{LayerName: aws.String("l"),
			Content: &lambdatypes.LayerVersionContentInput{S3Bucket: aws.String("b"), S3Key: aws.String("k")}})
		return err
	}
	must(t, publish())
	code(t, publish(), "CodeStorageExceededException")
}

// A layer that stays in S3 goes with its object.
func TestReferencedLayers(t *testing.T) {
	w := awssim.New(awssim.Options{CodeStorage: 1})
	w.PutFunction(awssim.Function{Name: "f", Code: []byte{0}, CodeSize: 1})
	open := []awssim.BucketStatement{{Principal: "lambda.amazonaws.com", Action: "s3:GetObject*"}}
	w.PutBucket(awssim.Bucket{Name: "b", Region: "eu-west-1", Versioning: "Enabled", Policy: open})
	version := w.PutObject("b", "k", awssim.Zip(map[string]string{"a": "b"}))
	out, err := client(w).PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{LayerName: aws.String("l"),
		Content: &lambdatypes.LayerVersionContentInput{S3Bucket: aws.String("b"), S3Key: aws.String("k"),
			S3ObjectStorageMode: lambdatypes.S3ObjectStorageModeReference}})
	must(t, err)
	if r := out.Content.ResolvedS3Object; r == nil || aws.ToString(r.S3ObjectVersion) != version || out.Content.Location != nil {
		t.Fatalf("content is %+v", out.Content)
	}
	must(t, setLayers(t, client(w), "f", w.LayerARN("l", 1)))
	w.PutBucket(awssim.Bucket{Name: "b", Region: "eu-west-1", Versioning: "Enabled"})
	code(t, setLayers(t, client(w), "f", w.LayerARN("l", 1)), "AccessDeniedException")
	w.PutBucket(awssim.Bucket{Name: "b", Region: "eu-west-1", Versioning: "Enabled", Policy: open})
	must(t, setLayers(t, client(w), "f", w.LayerARN("l", 1)))
	w.DeleteObject("b", "k")
	code(t, setLayers(t, client(w), "f", w.LayerARN("l", 1)), "InvalidParameterValueException")
	must(t, setLayers(t, client(w), "f"))
}

// The SDK does not follow a redirect by itself: the Region is in the answer.
func TestTheWrongRegion(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutBucket(awssim.Bucket{Name: "b", Region: "eu-west-1"})
	w.PutObject("b", "k", []byte("x"))
	c := objects(w, "", "us-east-1")
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
	code(t, err, "PermanentRedirect")
	_, err = c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("b")})
	var re interface{ HTTPStatusCode() int }
	if !errors.As(err, &re) || re.HTTPStatusCode() != 301 {
		t.Errorf("HEAD: %v", err)
	}
	if got := get(t, objects(w, "", "eu-west-1"), "b", "k"); got != "x" {
		t.Errorf("got %q", got)
	}
}
