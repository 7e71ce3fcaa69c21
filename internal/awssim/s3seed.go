package awssim

import (
	"cmp"
	"slices"
	"time"
)

// ObjectVersion names one version of an object.
type ObjectVersion struct{ Bucket, Key, Version string }

// PutBucket puts a bucket there, or changes one that is: what is in it stays.
func (w *World) PutBucket(b Bucket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b.Account, b.Region = cmp.Or(b.Account, w.opts.Account), cmp.Or(b.Region, w.opts.Region)
	next := newBucket(b)
	if there := w.buckets[b.Name]; there != nil {
		next.keys = there.keys
	}
	w.buckets[b.Name] = next
}

// PutObject puts an object into S3 and returns its version: null in a bucket that
// keeps none. A bucket nobody has put is made, in the World's own Region. The
// bytes are not copied.
func (w *World) PutObject(bucket, key string, body []byte) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.buckets[bucket]
	if b == nil {
		b = newBucket(Bucket{Account: w.opts.Account, Region: w.opts.Region, Name: bucket})
		w.buckets[bucket] = b
	}
	o := &object{body: body, header: map[string][]string{"Content-Type": {"binary/octet-stream"}}}
	b.put(w, key, o, time.Now())
	return o.version
}

// DeleteObject takes every version of an object away, as a rule of the bucket's
// lifecycle does behind everybody's back.
func (w *World) DeleteObject(bucket, key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.buckets[bucket]; b != nil {
		delete(b.keys, key)
	}
}

// Bucket returns a copy of a bucket without what is in it.
func (w *World) Bucket(name string) (Bucket, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.buckets[name]
	if b == nil {
		return Bucket{}, false
	}
	out := b.Bucket
	out.Policy = slices.Clone(out.Policy)
	return out, true
}

// Object returns what is in an object now. Read it, do not change it.
func (w *World) Object(bucket, key string) ([]byte, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.buckets[bucket]
	if b == nil {
		return nil, false
	}
	o, e := b.find(key, "")
	if e != nil {
		return nil, false
	}
	return o.body, true
}
