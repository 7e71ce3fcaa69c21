package awssim

import (
	"bytes"
	"crypto/md5" // what an ETag is
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strconv"
	"strings"
)

// s3Answer writes headers and a body that is the object's own: nothing is copied.
// The length is always said, so that a HEAD knows it.
func (c *call) s3Answer(h http.Header, body []byte) answer {
	a := answer{status: c.status, header: h, body: body}
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("X-Amz-Request-Id", c.id)
	a.header.Set("X-Amz-Id-2", "awssim/"+c.id)
	if c.status != http.StatusNoContent {
		a.header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if c.head {
		a.body = nil
	}
	return a
}

func (c *call) s3Document(v any) answer {
	b, _ := xml.Marshal(v) // strings and numbers only
	return c.s3Answer(http.Header{"Content-Type": {"application/xml"}}, append([]byte(xml.Header), b...))
}

// s3Error has its code in the body alone: HEAD, which has none, leaves the client
// with the status.
func (c *call) s3Error(e *apiError) answer {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<Error>")
	for _, d := range append([][2]string{{"Code", e.code}, {"Message", e.message}}, append(e.details,
		[2]string{"RequestId", c.id}, [2]string{"HostId", "awssim/" + c.id})...) {
		b.WriteString("<" + d[0] + ">")
		_ = xml.EscapeText(&b, []byte(d[1])) // a buffer never fails
		b.WriteString("</" + d[0] + ">")
	}
	b.WriteString("</Error>")
	h := e.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	body := b.Bytes()
	if c.head || e.status == http.StatusNotModified {
		body = nil
	} else {
		h.Set("Content-Type", "application/xml")
	}
	c.status = e.status
	return c.s3Answer(h, body)
}

func (req *s3Request) readXML(into any) *apiError {
	body, _, e := req.received()
	if e != nil || len(body) == 0 {
		return e
	}
	if err := xml.Unmarshal(body, into); err != nil {
		return refuse(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	return nil
}

// checksumPrefix begins the headers of checksums.
const checksumPrefix = "X-Amz-Checksum-"

// checksums are the algorithms of S3, by the end of their headers.
var checksums = map[string]func() hash.Hash{
	"Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"Crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"Sha1":      sha1.New,
	"Sha256":    sha256.New,
}

func checksumName(header string) string { return strings.TrimPrefix(header, checksumPrefix) }

func checksum(algorithm string, body []byte) string {
	h := checksums[algorithm]()
	_, _ = h.Write(body) // a hash never fails
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// checksums are what was sent with the object, or the one that S3 adds itself.
func (o *object) checksums() map[string]string {
	if len(o.sums) == 0 {
		o.sums = map[string]string{"Crc64nvme": checksum("Crc64nvme", o.body)}
	}
	return o.sums
}

// received takes the body out of its wrapping and holds it to every sum that came
// with it.
func (req *s3Request) received() (body []byte, sums map[string]string, e *apiError) {
	body = req.body
	said := req.header.Clone()
	payload := said.Get("X-Amz-Content-Sha256")
	if strings.HasPrefix(payload, "STREAMING-") {
		var trailer http.Header
		var ok bool
		body, trailer, ok = unchunk(body)
		if !ok || said.Get("X-Amz-Decoded-Content-Length") != strconv.Itoa(len(body)) {
			return nil, nil, refuse(400, "IncompleteBody", "The request body terminated unexpectedly")
		}
		for name := range trailer {
			said.Set(name, trailer.Get(name))
		}
	} else if got := sha256.Sum256(body); len(payload) == 64 && payload != hex.EncodeToString(got[:]) {
		return nil, nil, refuse(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	if md := said.Get("Content-Md5"); md != "" {
		if got := md5.Sum(body); md != base64.StdEncoding.EncodeToString(got[:]) {
			return nil, nil, refuse(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	sums = map[string]string{}
	for name := range checksums {
		want := said.Get(checksumPrefix + name)
		if want == "" {
			continue
		}
		if sums[name] = checksum(name, body); sums[name] != want {
			return nil, nil, refuse(400, "BadDigest", "The %s you specified did not match the calculated checksum.", strings.ToUpper(name))
		}
	}
	if len(sums) == 0 {
		sums["Crc64nvme"] = checksum("Crc64nvme", body)
	}
	return body, sums, nil
}

// unchunk takes the frames of aws-chunked off, in place. Signatures of chunks are
// believed like all others.
func unchunk(framed []byte) (body []byte, trailer http.Header, ok bool) {
	body, trailer = framed[:0], http.Header{}
	for {
		line, rest, found := bytes.Cut(framed, []byte("\r\n"))
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if !found || err != nil || n < 0 || n > int64(len(rest)) {
			return nil, nil, false
		}
		framed = rest[n:]
		if n == 0 {
			break
		}
		body = append(body, rest[:n]...)
		if framed, ok = bytes.CutPrefix(framed, []byte("\r\n")); !ok {
			return nil, nil, false
		}
	}
	for line := range strings.SplitSeq(string(framed), "\r\n") {
		if name, value, found := strings.Cut(line, ":"); found {
			trailer.Set(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return body, trailer, true
}
