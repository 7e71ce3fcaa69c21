package awssim

import (
	"slices"
	"time"
)

// LayerVersion is one version of a layer, as seeded and as looked at.
type LayerVersion struct {
	Account, Region string // default: the World's
	Name            string
	Number          int64 // 0: the next one

	Description             string
	License                 string
	Runtimes, Architectures []string  // nil is told as absent, empty as []
	Created                 time.Time // default: now

	Content    []byte // the zip; default: none, and made-up sizes
	CodeSha256 string // default: the sum of Content
	Size       int64  // of the zip; default: the length of Content
	Unzipped   int64
	Reference  ObjectVersion // where the content stays; zero: Lambda has a copy

	SigningProfile string // version ARN of who signed it; empty: nobody
	Tampered       bool   // the signature does not fit the bytes

	Grants []Grant
}

// Grant lets others use a layer version.
type Grant struct {
	Sid            string // default: made up
	Principal      string // 12 digits, arn:…:iam::ACCOUNT:root, or *
	OrganizationID string // only with *
}

func (v LayerVersion) clone() LayerVersion {
	v.Runtimes = slices.Clone(v.Runtimes)
	v.Architectures = slices.Clone(v.Architectures)
	v.Grants = slices.Clone(v.Grants)
	return v
}

// layer is all versions of one name.
type layer struct {
	last     int64 // highest number ever given
	versions map[int64]*layerVersion
}

// layerVersion stays after its deletion: functions that have it keep it, and
// its size still counts for them.
type layerVersion struct {
	LayerVersion
	described bool // a Description was sent: lists leave it out otherwise
	deleted   bool
	shows     time.Time // in lists, from then on; zero = always
	revision  string    // of the policy
	policed   bool      // had a policy once: the 404 for none has other words then
}

// live returns what has not been deleted, newest first.
func (l *layer) live() []*layerVersion {
	if l == nil {
		return nil
	}
	var out []*layerVersion
	for _, v := range l.versions {
		if !v.deleted {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b *layerVersion) int { return int(b.Number - a.Number) })
	return out
}

// listed returns what lists have: the newest may not have come to them yet.
func (l *layer) listed(now time.Time) []*layerVersion {
	return slices.DeleteFunc(l.live(), func(v *layerVersion) bool { return now.Before(v.shows) })
}

// layerVersion finds a live version anywhere. Callers hold mu.
func (w *World) layerVersion(ref layerRef, n int64) (*layerVersion, bool) {
	v := w.stored(ref, n)
	return v, v != nil && !v.deleted
}

// stored finds a version, deleted or not.
func (w *World) stored(ref layerRef, n int64) *layerVersion {
	s := w.stores[ref.place]
	if s == nil || s.layers[ref.name] == nil {
		return nil
	}
	return s.layers[ref.name].versions[n]
}

// add gives v its number, never one that was given before.
func (s *store) add(v *layerVersion) {
	l := s.layers[v.Name]
	if l == nil {
		l = &layer{versions: map[int64]*layerVersion{}}
		s.layers[v.Name] = l
	}
	if v.Number == 0 {
		v.Number = l.last + 1
	}
	l.last = max(l.last, v.Number)
	l.versions[v.Number] = v
}

func (v *layerVersion) ref() layerRef { return layerRef{place{v.Account, v.Region}, v.Name} }

func (v *layerVersion) arn() string { return layerVersionARN(v.ref().place, v.Name, v.Number) }

// fits reports whether a filter of the list calls lets v through. A version
// that says nothing about itself fits no filter.
func (v *layerVersion) fits(runtime, arch string) bool {
	return (runtime == "" || slices.Contains(v.Runtimes, runtime)) && (arch == "" || slices.Contains(v.Architectures, arch))
}

// attached is a layer as a function lists it, whether it is gone or not.
func (w *World) attached(arn string) attachedDoc {
	d := attachedDoc{Arn: arn}
	if ref, n, ok := parseLayerVersion(arn); ok {
		if v := w.stored(ref, n); v != nil {
			d.CodeSize, d.SigningProfileVersionArn = v.Size, optional(v.SigningProfile)
		}
	}
	return d
}
