package awssim

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Bucket is an S3 bucket, as seeded. Its name is unique in the whole World.
type Bucket struct {
	Account, Region string // default: the World's
	Name            string
	Versioning      string // Enabled, Suspended; empty: never was
	Policy          []BucketStatement
}

// BucketStatement is one statement of a bucket's policy. The owner's account may
// do everything that no statement denies; others only what one allows.
type BucketStatement struct {
	Deny      bool
	Principal string // an account, the ARN of its root, a service (lambda.amazonaws.com), or *
	Action    string // s3:GetObject; a * at the end stands for any rest
	Prefix    string // of the keys it is about; empty: all, and the bucket
}

// bucket is a bucket and what is in it.
type bucket struct {
	Bucket
	keys map[string][]*object // newest last
}

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (s BucketStatement) covers(who, action, key string) bool {
	start, open := strings.CutSuffix(s.Action, "*")
	return (s.Principal == "*" || accountOf(s.Principal) == who) &&
		(s.Action == action || open && strings.HasPrefix(action, start)) && strings.HasPrefix(key, s.Prefix)
}

// allows reports whether an account or a service may do something. One word
// against it is enough.
func (b *bucket) allows(who, action, key string) bool {
	allowed := who == b.Account
	for _, s := range b.Policy {
		if s.covers(who, action, key) {
			if s.Deny {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

// elsewhere is the answer to a request in a Region that is not the bucket's.
func (b *bucket) elsewhere() *apiError {
	e := refuse(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. "+
		"Please send all future requests to this endpoint.")
	e.details = [][2]string{{"Endpoint", b.Name + ".s3." + b.Region + ".amazonaws.com"}, {"Bucket", b.Name}}
	e.header = http.Header{"X-Amz-Bucket-Region": {b.Region}}
	return e
}

// createBucket has a rule of its own for us-east-1: it is nobody's constraint, and
// there one's own bucket can be made again.
func (c *call) createBucket(req *s3Request, there *bucket) (any, *apiError) {
	var in struct{ LocationConstraint string }
	if e := req.readXML(&in); e != nil {
		return nil, e
	}
	region := c.store.region
	switch {
	case !bucketPattern.MatchString(req.Bucket) || strings.Contains(req.Bucket, ".."):
		return nil, refuse(400, "InvalidBucketName", "The specified bucket is not valid.")
	case in.LocationConstraint == "us-east-1":
		return nil, refuse(400, "InvalidLocationConstraint", "The specified location-constraint is not valid")
	case cmp.Or(in.LocationConstraint, "us-east-1") != region && (region != "us-east-1" || in.LocationConstraint == ""):
		return nil, refuse(400, "IllegalLocationConstraintException", "The %s location constraint is incompatible for the region specific "+
			"endpoint this request was sent to.", cmp.Or(in.LocationConstraint, "unspecified"))
	case there != nil && there.Account != c.who.account:
		return nil, refuse(409, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all "+
			"users of the system. Please select a different name and try again.")
	case there != nil && region != "us-east-1":
		return nil, refuse(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	case there == nil:
		c.w.buckets[req.Bucket] = newBucket(Bucket{Account: c.who.account, Region: cmp.Or(in.LocationConstraint, region), Name: req.Bucket})
	}
	return c.s3Answer(http.Header{"Location": {"/" + req.Bucket}}, nil), nil
}

func newBucket(b Bucket) *bucket {
	b.Policy = slices.Clone(b.Policy)
	return &bucket{Bucket: b, keys: map[string][]*object{}}
}

func (c *call) headBucket(_ *s3Request, b *bucket) (any, *apiError) {
	return c.s3Answer(http.Header{"X-Amz-Bucket-Region": {b.Region}}, nil), nil
}

type versioningDoc struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ VersioningConfiguration"`
	Status  string   `xml:",omitempty"`
}

func (c *call) putBucketVersioning(req *s3Request, b *bucket) (any, *apiError) {
	var in versioningDoc
	if e := req.readXML(&in); e != nil {
		return nil, e
	}
	if in.Status != "Enabled" && in.Status != "Suspended" {
		return nil, refuse(400, "IllegalVersioningConfigurationException", "The Versioning element must be specified")
	}
	b.Versioning = in.Status
	return c.s3Answer(nil, nil), nil
}

func (c *call) getBucketVersioning(_ *s3Request, b *bucket) (any, *apiError) {
	return c.s3Document(versioningDoc{Status: b.Versioning}), nil
}

// find returns an object, or the refusal that its absence is. Without a version
// it is the newest.
func (b *bucket) find(key, version string) (*object, *apiError) {
	all := b.keys[key]
	if version == "" {
		if len(all) > 0 && !all[len(all)-1].marker {
			return all[len(all)-1], nil
		}
		e := refuse(404, "NoSuchKey", "The specified key does not exist.")
		e.details = [][2]string{{"Key", key}}
		if len(all) > 0 {
			e.header = http.Header{"X-Amz-Delete-Marker": {"true"}, "X-Amz-Version-Id": {all[len(all)-1].version}}
		}
		return nil, e
	}
	if version != nullVersion && len(version) != 32 {
		return nil, refuse(400, "InvalidArgument", "Invalid version id specified")
	}
	i := slices.IndexFunc(all, func(o *object) bool { return o.version == version })
	switch {
	case i < 0:
		e := refuse(404, "NoSuchVersion", "The specified version does not exist.")
		e.details = [][2]string{{"Key", key}, {"VersionId", version}}
		return nil, e
	case all[i].marker:
		e := refuse(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
		e.header = http.Header{"X-Amz-Delete-Marker": {"true"}, "Allow": {"DELETE"}}
		return nil, e
	}
	return all[i], nil
}

// nullVersion is the version id of what was put while versioning was off.
const nullVersion = "null"

// put stores o as the newest of its key. Where versions are not kept it takes the
// place of the one that has no number.
func (b *bucket) put(w *World, key string, o *object, now time.Time) {
	o.version, o.modified = nullVersion, now
	if b.Versioning == "Enabled" {
		o.version = strings.ReplaceAll(w.newID(), "-", "")
	} else {
		b.drop(key, nullVersion)
	}
	b.keys[key] = append(b.keys[key], o)
}

// drop takes one version away for good.
func (b *bucket) drop(key, version string) (gone *object) {
	b.keys[key] = slices.DeleteFunc(slices.Clone(b.keys[key]), func(o *object) bool {
		if o.version == version {
			gone = o
		}
		return o.version == version
	})
	if len(b.keys[key]) == 0 {
		delete(b.keys, key)
	}
	return gone
}
