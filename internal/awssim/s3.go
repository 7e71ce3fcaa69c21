package awssim

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// maxObject is the largest object that can be put here: S3 takes five times as
// much at once, but this one is held in memory.
const maxObject = 1 << 30

// ObjectRequest is what a call to S3 asks for: Call.Input of every one.
type ObjectRequest struct {
	Bucket, Key string
	VersionID   string
	Range       string // as sent
}

// s3Request is a request to S3 on its way.
type s3Request struct {
	ObjectRequest
	method string
	header http.Header
	query  url.Values
	body   []byte
}

// s3Operation is one operation of S3. There are no schemas to take it from: the
// SDK has none for this service.
type s3Operation struct {
	name   string
	method string
	object bool   // a key is named
	sub    string // the parameter that picks it among those of its method
	params []string
	write  bool
	action string // what a bucket's policy calls it
	do     func(*call, *s3Request, *bucket) (any, *apiError)
}

func s3Operations() []s3Operation {
	return []s3Operation{
		{name: "PutBucketVersioning", method: http.MethodPut, sub: "versioning", write: true, action: "s3:PutBucketVersioning", do: (*call).putBucketVersioning},
		{name: "GetBucketVersioning", method: http.MethodGet, sub: "versioning", action: "s3:GetBucketVersioning", do: (*call).getBucketVersioning},
		{name: "ListObjectsV2", method: http.MethodGet, sub: "list-type", action: "s3:ListBucket", do: (*call).listObjects,
			params: []string{"prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "fetch-owner"}},
		{name: "CreateBucket", method: http.MethodPut, write: true, do: (*call).createBucket},
		{name: "HeadBucket", method: http.MethodHead, action: "s3:ListBucket", do: (*call).headBucket},

		{name: "PutObject", method: http.MethodPut, object: true, write: true, action: "s3:PutObject", do: (*call).putObject},
		{name: "GetObject", method: http.MethodGet, object: true, action: "s3:GetObject", params: []string{"versionId"}, do: (*call).getObject},
		{name: "HeadObject", method: http.MethodHead, object: true, action: "s3:GetObject", params: []string{"versionId"}, do: (*call).getObject},
		{name: "DeleteObject", method: http.MethodDelete, object: true, write: true, action: "s3:DeleteObject", params: []string{"versionId"}, do: (*call).deleteObject},
	}
}

// amazonHost is how AWS's own names carry a bucket before them.
var amazonHost = regexp.MustCompile(`^(?:(.+)\.)?s3(?:[.-][a-z0-9-]+){0,2}\.amazonaws\.com(?:\.cn)?$`)

// virtualBucket returns the bucket that stands in a host name, empty where it is
// in the path. A name of AWS's is read as AWS reads it; below localhost and below
// a name of two labels (aws.test) everything is a bucket, but for a first "s3".
func virtualBucket(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if m := amazonHost.FindStringSubmatch(host); m != nil {
		return m[1]
	}
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return ""
	}
	bucket, below := strings.CutSuffix(host, ".localhost")
	if labels := strings.Split(host, "."); !below {
		if len(labels) < 3 {
			return ""
		}
		bucket = strings.Join(labels[:len(labels)-2], ".")
	}
	if bucket == "s3" {
		return ""
	}
	return strings.TrimSuffix(bucket, ".s3")
}

func hostOf(r *http.Request) string { return cmp.Or(r.Host, r.URL.Host) }

// forS3 reports whether a request is S3's: it is signed for it, or unsigned and
// sent to its address.
func forS3(r *http.Request) bool {
	if m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return m[3] == "s3"
	}
	return amazonHost.MatchString(hostOf(r))
}

func (c *call) routeS3(r *http.Request, body []byte) *apiError {
	req := &s3Request{method: r.Method, header: r.Header, query: r.URL.Query(), body: body}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if req.Bucket = virtualBucket(hostOf(r)); req.Bucket != "" {
		req.Key = path
	} else {
		req.Bucket, req.Key, _ = strings.Cut(path, "/")
	}
	req.VersionID, req.Range = req.query.Get("versionId"), r.Header.Get("Range")
	c.log.Input = req.ObjectRequest
	c.log.Resource = strings.TrimSuffix(req.Bucket+"/"+req.Key, "/")
	for _, op := range c.w.s3 {
		if op.method != r.Method || op.object != (req.Key != "") || req.Bucket == "" || op.sub != "" && !req.query.Has(op.sub) {
			continue
		}
		c.log.Operation, c.log.Write = op.name, op.write
		c.do = func(c *call) (any, *apiError) { return c.carryOutS3(op, req) }
		return op.understands(req)
	}
	return unsupported("s3: " + r.Method + " " + r.URL.RequestURI())
}

// s3Headers are the headers of S3's own that mean something here. Those of a
// request's dress (dates, sums of what is sent) are among them.
var s3Headers = []string{
	"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amz-Expected-Bucket-Owner",
	"X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Checksum-Mode", "X-Amz-Trailer", "X-Amz-Decoded-Content-Length",
	"X-Amz-Storage-Class", "X-Amz-Server-Side-Encryption",
}

// understands refuses what would be ignored.
func (op *s3Operation) understands(req *s3Request) *apiError {
	for name := range req.query {
		if name != op.sub && name != "x-id" && !slices.Contains(op.params, name) {
			return unsupported("the parameter " + name + " of " + op.name)
		}
	}
	for name := range req.header {
		sum := strings.HasPrefix(name, checksumPrefix) && checksums[checksumName(name)] != nil
		known := sum || strings.HasPrefix(name, metaPrefix) || slices.Contains(s3Headers, name)
		if strings.HasPrefix(name, "X-Amz-") && !known {
			return unsupported("the header " + name + " of " + op.name)
		}
	}
	switch {
	case !slices.Contains([]string{"", "STANDARD"}, req.header.Get("X-Amz-Storage-Class")):
		return unsupported("storage classes but STANDARD")
	case !slices.Contains([]string{"", "AES256"}, req.header.Get("X-Amz-Server-Side-Encryption")):
		return unsupported("encryption but AES256")
	case len(req.body) > maxObject:
		return refuse(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	return nil
}

// carryOutS3 finds the bucket and asks it whether the caller may.
func (c *call) carryOutS3(op s3Operation, req *s3Request) (any, *apiError) {
	b := c.w.buckets[req.Bucket]
	if op.action == "" {
		return op.do(c, req, b)
	}
	if b == nil {
		return nil, noSuchBucket(req.Bucket)
	}
	if b.Region != c.store.region {
		return nil, b.elsewhere()
	}
	action := op.action
	if req.VersionID != "" {
		action += "Version"
	}
	owner := req.header.Get("X-Amz-Expected-Bucket-Owner")
	if owner != "" && owner != b.Account || !b.allows(c.who.account, action, req.Key) {
		return nil, c.deniedByS3(b, action, req.Key)
	}
	return op.do(c, req, b)
}

func noSuchBucket(name string) *apiError {
	e := refuse(404, "NoSuchBucket", "The specified bucket does not exist")
	e.details = [][2]string{{"BucketName", name}}
	return e
}

// deniedByS3 says whether a statement denies it or none allows it, as S3 does.
func (c *call) deniedByS3(b *bucket, action, key string) *apiError {
	resource, why := "arn:"+partition(b.Region)+":s3:::"+b.Name, "because no resource-based policy allows the "+action+" action"
	if key != "" {
		resource += "/" + key
	}
	if slices.ContainsFunc(b.Policy, func(s BucketStatement) bool { return s.Deny && s.covers(c.who.account, action, key) }) {
		why = "with an explicit deny in a resource-based policy"
	}
	return refuse(403, "AccessDenied", "User: %s is not authorized to perform: %s on resource: %q %s", c.who.arn, action, resource, why)
}
