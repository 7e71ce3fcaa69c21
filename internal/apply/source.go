package apply

// Source is the archive of a layer version that is about to be published: its bytes,
// up to what AWS takes in a request (50 MB), or an object that Lambda fetches itself.
type Source struct {
	Zip []byte // nil: Lambda fetches the object
	// Bucket and Key are of the object, and ObjectVersion the one that was looked at;
	// empty without versioning.
	Bucket, Key, ObjectVersion string
}
