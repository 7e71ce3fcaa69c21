package awssim

import (
	"archive/zip"
	"bytes"
	"crypto/md5" // what an ETag is
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"strings"
	"time"
)

// maxUnzipped is what function and layers may hold together, in bytes.
const maxUnzipped = 262_144_000

// archive is a zip as Lambda sees it.
type archive struct {
	bytes    []byte
	sha256   string // base64 of the raw sum, not hex
	size     int64  // of the zip
	unzipped int64

	reference ObjectVersion // not copied: where it stays
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(h[:])
}

// unpack looks into a zip. The unzipped size is told by no call of the API;
// the service knows it all the same.
func unpack(b []byte) (archive, *apiError) {
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return archive{}, invalidValue("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	a := archive{bytes: b, sha256: sum(b), size: int64(len(b))}
	for _, f := range r.File {
		a.unzipped += int64(f.UncompressedSize64)
	}
	if a.unzipped >= maxUnzipped {
		return archive{}, invalidValue("Unzipped size must be smaller than %d bytes", maxUnzipped)
	}
	return a, nil
}

// maxZip is how large a zip may be that is sent along with the request, in bytes.
const maxZip = 52_428_800

// source is where a request says its code is.
type source struct {
	zip                  []byte
	bucket, key, version string
	mode                 string // COPY, REFERENCE; empty: COPY
}

// noZip begins what Lambda says when S3 did not give it the object.
const noZip = "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s"

// content finds the zip of a request: sent along, or in S3.
func (c *call) content(src source) (archive, *apiError) {
	switch {
	case src.mode != "" && src.mode != "COPY" && src.mode != "REFERENCE":
		return archive{}, violation(src.mode, "content.s3ObjectStorageMode", "Member must satisfy enum value set: [COPY, REFERENCE]")
	case src.zip != nil && src.bucket+src.key+src.version != "":
		return archive{}, invalidValue("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case src.bucket == "" && len(src.zip) > maxZip:
		return archive{}, invalidValue("Zipped size must be smaller than %d bytes", maxZip)
	case src.bucket == "":
		return unpack(src.zip)
	case src.key == "":
		return archive{}, invalidValue("Please provide both S3Bucket and S3Key.")
	}
	b := c.w.buckets[src.bucket]
	switch {
	case b == nil:
		return archive{}, invalidValue(noZip, "NoSuchBucket", "The specified bucket does not exist")
	case src.mode == "REFERENCE":
		return c.reference(b, src)
	case b.Region != c.store.region:
		return archive{}, invalidValue(noZip, "PermanentRedirect",
			"The bucket is in this region: "+b.Region+". Please use this region to retry the request")
	}
	o, e := c.fetch(b, src, c.who.account)
	if e != nil {
		return archive{}, e
	}
	return unpack(o.body)
}

// fetch reads an object for somebody, as Lambda does it and in its words.
func (c *call) fetch(b *bucket, src source, who string) (*object, *apiError) {
	o, e := b.find(src.key, src.version)
	action := "s3:GetObject"
	if src.version != "" {
		action = "s3:GetObjectVersion"
	}
	unseen := e != nil && !b.allows(who, "s3:ListBucket", "") && who == c.who.account
	if !b.allows(who, action, src.key) || unseen {
		return nil, refuse(403, "AccessDeniedException", "Your access has been denied by S3, please make sure your request credentials have "+
			"permission to GetObject for %s/%s. S3 Error Code: AccessDenied. S3 Error Message: Access Denied", src.bucket, src.key)
	}
	if e != nil {
		return nil, invalidValue(noZip, e.code, e.message)
	}
	return o, nil
}

// lambdaService is who reads an object that is not copied.
const lambdaService = "lambda.amazonaws.com"

// reference leaves the object where it is, in whatever Region. It must be one
// that stays: of a bucket that keeps versions, and open to Lambda.
func (c *call) reference(b *bucket, src source) (archive, *apiError) {
	if b.Versioning != "Enabled" {
		return archive{}, invalidValue("S3 versioning must be enabled on bucket %s to use S3ObjectStorageMode REFERENCE.", src.bucket)
	}
	o, e := c.fetch(b, src, c.who.account)
	if e != nil {
		return archive{}, e
	}
	src.version = o.version
	if _, e := c.fetch(b, src, lambdaService); e != nil {
		return archive{}, e
	}
	a, e := unpack(o.body)
	a.reference = ObjectVersion{src.bucket, src.key, src.version}
	return a, e
}

// checkStorage refuses code the account has no room for.
func (c *call) checkStorage(more int64) *apiError {
	if c.store.codeSize()+more > c.w.opts.CodeStorage {
		return refuse(400, "CodeStorageExceededException", "Code storage limit exceeded.")
	}
	return nil
}

// downloadPath begins the links that GetFunction and GetLayerVersion give out.
const downloadPath = "/awssim-download/"

// download is a link that needs no signature: whoever has it may read.
type download struct {
	body  []byte
	sum   [16]byte
	until time.Time
}

// link returns a URL for b that works for ten minutes.
func (c *call) link(b []byte) string {
	maps.DeleteFunc(c.w.downloads, func(_ string, d download) bool { return !c.now.Before(d.until) })
	id := c.w.newID()
	c.w.downloads[id] = download{b, md5.Sum(b), c.now.Add(10 * time.Minute)}
	return c.base + downloadPath + id
}

func (w *World) serveDownload(r *http.Request) answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.downloads[strings.TrimPrefix(r.URL.Path, downloadPath)]
	if !ok || !time.Now().Before(d.until) {
		return newAnswer(http.StatusForbidden, "application/xml", w.newID(), []byte("<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"))
	}
	body, part, e := pieceOf(d.body, r.Header.Get("Range"))
	if e != nil {
		return newAnswer(e.status, "application/xml", w.newID(), []byte("<Error><Code>"+e.code+"</Code><Message>"+e.message+"</Message></Error>"))
	}
	a := newAnswer(http.StatusOK, "application/zip", w.newID(), body)
	a.header.Set("Accept-Ranges", "bytes")
	a.header.Set("ETag", `"`+hex.EncodeToString(d.sum[:])+`"`)
	if part != "" {
		a.status = http.StatusPartialContent
		a.header.Set("Content-Range", part)
	}
	return a
}
