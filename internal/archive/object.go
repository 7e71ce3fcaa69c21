package archive

import "fmt"

// Object is one version of an object in S3. What it has never changes: who writes it
// anew makes another version, or in a bucket without versioning another ETag.
type Object struct {
	Bucket, Key string
	Version     string // of a bucket with versioning; else empty
	ETag        string
	Size        int64 // bytes
}

// URL returns the object's name, without its version.
func (o Object) URL() string { return "s3://" + o.Bucket + "/" + o.Key }

// RegionError means that a bucket is in another Region than it was asked in, from
// which Lambda copies nothing.
type RegionError struct {
	Bucket string
	Region string // where it is; empty = AWS did not answer that
	Asked  string
}

func (e *RegionError) Error() string {
	where := "another Region"
	if e.Region != "" {
		where = e.Region
	}
	return fmt.Sprintf("bucket %s is in %s and was asked for in %s", e.Bucket, where, e.Asked)
}
