package state

import "strings"

// Artifact names one archive of a layer that may be published, and what it must hold.
// It is comparable: what was learned of it is kept under it.
type Artifact struct {
	// Location is s3://BUCKET/KEY, or a path in the repository, with slashes and
	// without a leading one; variables are filled in.
	Location string
	// Commit is where a path in the repository is read; empty for S3.
	Commit string
	// SHA256 is what Git says that the archive has, in lower-case hex; empty = nothing.
	SHA256 string
	// Layer and Version are the name in Git and the canonical semantic version.
	Layer, Version string
	// Runtimes and Architectures are those that the layer is made for, in Git's order,
	// joined by commas; empty = every.
	Runtimes, Architectures string
}

// S3 returns the bucket and the key of a location in S3; ok is false for another one.
func (a Artifact) S3() (bucket, key string, ok bool) {
	rest, ok := strings.CutPrefix(a.Location, "s3://")
	if !ok {
		return "", "", false
	}
	bucket, key, ok = strings.Cut(rest, "/")
	return bucket, key, ok && bucket != "" && key != ""
}

// Content is what an Artifact was found to be.
type Content struct {
	SHA256        string // of the zip, lower-case hex; empty where Code says why there is none
	ObjectVersion string // that was read, of a bucket with versioning; else empty
	Size          int64  // of the zip, in bytes
	Unzipped      int64  // of what it holds, in bytes
	// Code, Message and Suggestion are why it must not be published: a code of
	// package desired, and sentences for a person; empty = it may.
	Code, Message, Suggestion string
}

// Source is where the archive of a layer version comes from: its bytes, up to what AWS
// takes in a request (50 MB), or an object that Lambda fetches itself.
type Source struct {
	Zip []byte // nil: Lambda fetches the object
	// Bucket and Key are of the object, and ObjectVersion the one that was looked at;
	// empty without versioning.
	Bucket, Key, ObjectVersion string
	// Done lets go of what is held while the bytes are in memory. Whoever has the source
	// calls it when they are needed no more, once or more often; nil = nothing is held.
	Done func()
}

// Close calls Done.
func (s Source) Close() {
	if s.Done != nil {
		s.Done()
	}
}

// Release is what a version of a layer is made of.
type Release struct {
	Source
	Description, License    string   // empty: not said
	Runtimes, Architectures []string // empty: not said
}

// Unpublished returns what stands for a version of the layer that is not published
// yet: its ARN with "sha256:" and the lower-case hex SHA-256 of its zip in place of a
// number. It has no Number, and no function can have it.
func (a LayerARN) Unpublished(sha256 string) LayerVersionARN {
	return LayerVersionARN(string(a) + ":" + contentPrefix + sha256)
}

// Content returns the SHA-256 of a version that is not published yet, see
// LayerARN.Unpublished; empty for every other.
func (v LayerVersionARN) Content() string {
	i := strings.LastIndex(string(v), ":"+contentPrefix)
	if i < 0 || !isLayerARN(string(v[:i])) {
		return ""
	}
	return string(v[i+1+len(contentPrefix):])
}

const contentPrefix = "sha256:"
