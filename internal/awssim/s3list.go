package awssim

import (
	"encoding/xml"
	"net/url"
	"strconv"
	"strings"
)

type listedObject struct {
	Key, LastModified, ETag string
	ChecksumAlgorithm       []string `xml:",omitempty"`
	Size                    int
	StorageClass            string
}

type listObjectsDoc struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name, Prefix          string
	Delimiter             string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	KeyCount, MaxKeys     int
	IsTruncated           bool
	Contents              []listedObject
	CommonPrefixes        []commonPrefix
}

type commonPrefix struct{ Prefix string }

// listLine is an object, or what several have in common before a delimiter.
type listLine struct {
	key    string
	object *object // nil: a common prefix
}

// listObjects is in the order of the keys' bytes.
func (c *call) listObjects(req *s3Request, b *bucket) (any, *apiError) {
	q := req.query
	size, encode, e := checkList(q)
	if e != nil {
		return nil, e
	}
	var token *string
	if q.Has("continuation-token") {
		t := q.Get("continuation-token")
		token = &t
	}
	doc := listObjectsDoc{Name: b.Name, Prefix: encode(q.Get("prefix")), Delimiter: encode(q.Get("delimiter")), StartAfter: encode(q.Get("start-after")),
		ContinuationToken: q.Get("continuation-token"), EncodingType: q.Get("encoding-type"), MaxKeys: size}
	if size == 0 {
		return c.s3Document(doc), nil
	}
	all := b.lines(q.Get("prefix"), q.Get("delimiter"), q.Get("start-after"))
	lines, next, ok := cut(c, all, func(l listLine) string { return l.key }, token, min(size, 1000))
	if !ok {
		return nil, refuse(400, "InvalidArgument", "The continuation token provided is incorrect")
	}
	doc.KeyCount, doc.IsTruncated, doc.NextContinuationToken = len(lines), next != nil, str(next)
	for _, l := range lines {
		if l.object == nil {
			doc.CommonPrefixes = append(doc.CommonPrefixes, commonPrefix{encode(l.key)})
			continue
		}
		doc.Contents = append(doc.Contents, listedObject{Key: encode(l.key), LastModified: l.object.modified.UTC().Format("2006-01-02T15:04:05.000Z"),
			ETag: l.object.etag(), Size: len(l.object.body), StorageClass: "STANDARD"})
	}
	return c.s3Document(doc), nil
}

// checkList returns how many lines are wanted and how keys are written.
func checkList(q url.Values) (size int, encode func(string) string, e *apiError) {
	size, encode = 1000, func(s string) string { return s }
	if q.Get("list-type") != "2" {
		return 0, nil, unsupported("ListObjects in its first version")
	}
	if q.Has("max-keys") {
		n, err := strconv.Atoi(q.Get("max-keys"))
		if err != nil || n < 0 {
			return 0, nil, refuse(400, "InvalidArgument", "Provided max-keys not an integer or within integer range")
		}
		size = n
	}
	switch q.Get("encoding-type") {
	case "":
	case "url":
		encode = func(s string) string { return strings.ReplaceAll(url.PathEscape(s), "%2F", "/") }
	default:
		return 0, nil, refuse(400, "InvalidArgument", "Invalid Encoding Method specified in Request")
	}
	return size, encode, nil
}

// lines are the objects with a prefix that come after a key, those with a
// delimiter after the prefix gathered under what they share.
func (b *bucket) lines(prefix, delimiter, after string) []listLine {
	var out []listLine
	for _, key := range sortedKeys(b.keys) {
		o, gone := b.find(key, "")
		rest, in := strings.CutPrefix(key, prefix)
		if gone != nil || !in || key <= after {
			continue
		}
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			shared := prefix + rest[:i+len(delimiter)]
			if len(out) == 0 || out[len(out)-1].key != shared {
				out = append(out, listLine{key: shared})
			}
			continue
		}
		out = append(out, listLine{key, o})
	}
	return out
}
