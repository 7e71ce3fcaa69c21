package awssim

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
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

// PutObject puts an object into S3, for code that is named and not sent.
func (w *World) PutObject(bucket, key string, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects[bucket+"/"+key] = body
}

// content finds the zip of a request: sent along, or in S3.
func (c *call) content(zipFile []byte, bucket, key, mode string) (archive, *apiError) {
	if mode == "REFERENCE" {
		return archive{}, unsupported("S3ObjectStorageMode REFERENCE")
	}
	if bucket == "" {
		return unpack(zipFile)
	}
	b, ok := c.w.objects[bucket+"/"+key]
	if !ok {
		return archive{}, invalidValue("Error occurred while GetObject. S3 Error Code: NoSuchKey. " +
			"S3 Error Message: The specified key does not exist.")
	}
	return unpack(b)
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
	until time.Time
}

// link returns a URL for b that works for ten minutes.
func (c *call) link(b []byte) string {
	maps.DeleteFunc(c.w.downloads, func(_ string, d download) bool { return !c.now.Before(d.until) })
	id := c.w.newID()
	c.w.downloads[id] = download{b, c.now.Add(10 * time.Minute)}
	return c.base + downloadPath + id
}

func (w *World) serveDownload(r *http.Request) answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.downloads[strings.TrimPrefix(r.URL.Path, downloadPath)]
	if !ok || !time.Now().Before(d.until) {
		return newAnswer(http.StatusForbidden, "application/xml", w.newID(), []byte("<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"))
	}
	return newAnswer(http.StatusOK, "application/zip", w.newID(), d.body)
}
