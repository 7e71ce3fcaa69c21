package awssim

import (
	"crypto/md5" // what an ETag is
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// metaPrefix begins the headers that a user's own metadata is in.
const metaPrefix = "X-Amz-Meta-"

// object is one version of a key. Its bytes are shared with whoever put them and
// whoever reads them: nobody changes them.
type object struct {
	body     []byte
	version  string
	marker   bool // a deletion, and no object
	modified time.Time
	header   http.Header       // what came with it and goes with it: Content-Type, metadata
	sums     map[string]string // algorithm → checksum, by the name in its header
	tag      string            // see etag
}

// etag is computed when somebody looks: objects may be large.
func (o *object) etag() string {
	if o.tag == "" {
		h := md5.Sum(o.body)
		o.tag = `"` + hex.EncodeToString(h[:]) + `"`
	}
	return o.tag
}

// kept are the headers of a PutObject that are given back by GetObject.
var kept = []string{"Content-Type", "Content-Encoding", "Content-Disposition", "Content-Language", "Cache-Control", "Expires"}

func (c *call) putObject(req *s3Request, b *bucket) (any, *apiError) {
	if len(req.Key) > 1024 {
		return nil, refuse(400, "KeyTooLongError", "Your key is too long")
	}
	body, sums, e := req.received()
	if e != nil {
		return nil, e
	}
	if e := b.checkPut(req); e != nil {
		return nil, e
	}
	o := &object{body: body, sums: sums, header: http.Header{"Content-Type": {"binary/octet-stream"}}}
	for name, values := range req.header {
		if strings.HasPrefix(name, metaPrefix) {
			o.header[name] = values
		}
	}
	for _, name := range kept {
		v := req.header.Get(name)
		if name == "Content-Encoding" {
			v = strings.Trim(strings.Replace(v, "aws-chunked", "", 1), ", ")
		}
		if v != "" {
			o.header.Set(name, v)
		}
	}
	b.put(c.w, req.Key, o, c.now)
	h := http.Header{"Etag": {o.etag()}}
	b.addVersion(h, o)
	for name, sum := range sums {
		h.Set(checksumPrefix+name, sum)
	}
	h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	return c.s3Answer(h, nil), nil
}

// addVersion names the version, where the bucket has ever had some.
func (b *bucket) addVersion(h http.Header, o *object) {
	if b.Versioning != "" {
		h.Set("X-Amz-Version-Id", o.version)
	}
}

// checkPut holds a write to its conditions: If-None-Match: * is how nobody writes
// over what is there.
func (b *bucket) checkPut(req *s3Request) *apiError {
	none, match := req.header.Get("If-None-Match"), req.header.Get("If-Match")
	if none != "" && none != "*" {
		return unsupported("If-None-Match of a write but *")
	}
	there, missing := b.find(req.Key, "")
	switch {
	case none != "" && there != nil:
		return failedCondition("If-None-Match")
	case match != "" && missing != nil:
		return missing
	case match != "" && match != there.etag():
		return failedCondition("If-Match")
	}
	return nil
}

func failedCondition(name string) *apiError {
	e := refuse(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	e.details = [][2]string{{"Condition", name}}
	return e
}

// getObject is HeadObject too. Who may not list the bucket is not told that a key
// is not there.
func (c *call) getObject(req *s3Request, b *bucket) (any, *apiError) {
	o, e := b.find(req.Key, req.VersionID)
	if e != nil {
		if e.code == "NoSuchKey" && !b.allows(c.who.account, "s3:ListBucket", "") {
			e = c.deniedByS3(b, "s3:ListBucket", "")
		}
		return nil, e
	}
	h := o.header.Clone()
	h.Set("Etag", o.etag())
	h.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	b.addVersion(h, o)
	if e := o.checkRead(req.header, h); e != nil {
		return nil, e
	}
	body, part, e := pieceOf(o.body, req.Range)
	if e != nil {
		return nil, e
	}
	if part != "" {
		c.status = http.StatusPartialContent
		h.Set("Content-Range", part)
	} else if strings.EqualFold(req.header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		for name, sum := range o.checksums() {
			h.Set(checksumPrefix+name, sum)
		}
		h.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	return c.s3Answer(h, body), nil
}

func (o *object) checkRead(asked, has http.Header) *apiError {
	for _, name := range []string{"If-Modified-Since", "If-Unmodified-Since"} {
		if asked.Get(name) != "" {
			return unsupported(name)
		}
	}
	if match := asked.Get("If-Match"); match != "" && match != o.etag() {
		return failedCondition("If-Match")
	}
	if asked.Get("If-None-Match") == o.etag() {
		e := refuse(http.StatusNotModified, "NotModified", "Not Modified")
		e.header = has
		return e
	}
	return nil
}

var rangePattern = regexp.MustCompile(`^bytes=(\d*)-(\d*)$`)

// pieceOf cuts a range out of what somebody reads, without copying. One that cannot be read
// as a single range means the whole, as HTTP has it.
func pieceOf(all []byte, asked string) (body []byte, contentRange string, e *apiError) {
	m := rangePattern.FindStringSubmatch(asked)
	if m == nil || m[1]+m[2] == "" {
		return all, "", nil
	}
	size := int64(len(all))
	first, err1 := strconv.ParseInt(m[1], 10, 64)
	last, err2 := strconv.ParseInt(m[2], 10, 64)
	switch {
	case m[1] == "": // the last so many
		first, last = max(0, size-last), size-1
		if m[2] == "0" {
			first = size
		}
	case m[2] == "":
		last = size - 1
	case err1 == nil && err2 == nil && last < first:
		return all, "", nil
	}
	last = min(last, size-1)
	if first >= size {
		e := refuse(416, "InvalidRange", "The requested range is not satisfiable")
		e.details = [][2]string{{"RangeRequested", asked}, {"ActualObjectSize", strconv.FormatInt(size, 10)}}
		return nil, "", e
	}
	return all[first : last+1], "bytes " + strconv.FormatInt(first, 10) + "-" + strconv.FormatInt(last, 10) + "/" + strconv.FormatInt(size, 10), nil
}

// deleteObject accepts everything. Where versions are kept, a deletion
// without one is a marker, and what was there can still be had by its version.
func (c *call) deleteObject(req *s3Request, b *bucket) (any, *apiError) {
	if match := req.header.Get("If-Match"); match != "" {
		if o, e := b.find(req.Key, req.VersionID); e != nil || match != "*" && match != o.etag() {
			return nil, failedCondition("If-Match")
		}
	}
	c.status = http.StatusNoContent
	h := http.Header{}
	switch {
	case req.VersionID != "":
		if _, e := b.find(req.Key, req.VersionID); e != nil && e.code == "InvalidArgument" {
			return nil, e
		}
		h.Set("X-Amz-Version-Id", req.VersionID)
		if gone := b.drop(req.Key, req.VersionID); gone != nil && gone.marker {
			h.Set("X-Amz-Delete-Marker", "true")
		}
	case b.Versioning == "":
		b.drop(req.Key, nullVersion)
	default:
		marker := &object{marker: true}
		b.put(c.w, req.Key, marker, c.now)
		h.Set("X-Amz-Delete-Marker", "true")
		b.addVersion(h, marker)
	}
	return c.s3Answer(h, nil), nil
}
