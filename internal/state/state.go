package state

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Snapshot is one complete look at one account and Region. The zero value is
// an empty account. Call Sort once after filling it; the finders rely on it.
type Snapshot struct {
	Account   string // 12 digits, as sts:GetCallerIdentity answered
	Region    string
	Partition string // from the caller's own ARN: aws, aws-cn, …
	// ObservedAt is when the look began, so that nothing in it is older.
	ObservedAt time.Time

	Functions []Function // every function's $LATEST, edge replicas included; none that is Temporary
	// Temporary are functions that a probe of layerd doctor has made and will remove, or has
	// left after a kill. They are no part of anybody's fleet.
	Temporary []Function
	Layers    []Layer // the layers that were asked for; absent = not asked

	// Uses is the sweep of published versions; nil when it was not made.
	Uses *Uses
	// Aliases lists the aliases of the functions that were asked for. A key
	// with no aliases means "looked, none"; a missing key means "not looked".
	Aliases map[string][]Alias
	// Policies are who else may read a layer version, for those asked for.
	Policies map[LayerVersionARN]Policy
	// Probes are whether layer versions can be named in an update, and how large
	// they are; for those asked for.
	Probes map[LayerVersionARN]Probe
	// Served is what qualifiers of functions serve; for those asked for. A
	// Served without Version means that the qualifier does not exist.
	Served map[Qualified]Served
	// Signing holds the functions that take signed layers only; nil when nobody
	// asked. A function that is not in it takes any.
	Signing map[string]Signing
	// Absent are the versions of own layers that were asked for by their number and that
	// do not exist. One that does is among Layers, whether a list has it or not.
	Absent map[LayerVersionARN]bool
	// Contents are what archives are that may be published, for those asked for.
	Contents map[Artifact]Content
}

// TemporaryPrefix is how the name of each temporary function begins. Whoever gives a
// function of their own such a name keeps it from layerd.
const TemporaryPrefix = "layerd-probe-"

// IsTemporary reports whether a function of that name is one that a probe has made.
func IsTemporary(name string) bool { return strings.HasPrefix(name, TemporaryPrefix) }

// Function is one function's $LATEST, as far as deciding about layers goes.
type Function struct {
	Name         string
	ARN          string // unqualified
	Runtime      string // "python3.12"; empty for images
	Architecture string // "x86_64" or "arm64"; AWS's default x86_64 is filled in
	Image        bool   // PackageType Image: layers do not exist for it
	Edge         bool   // a Lambda@Edge replica or its namespaced copy
	Layers       Layers // in AWS's order; nil when there are none
	RevisionID   string // of the read; changes on any write, tags included
	CodeSHA256   string // base64, as AWS writes it
	CodeSize     int64  // of its own zip, in bytes; 0 = unknown
	// Managed is true when it runs on instances of the account (a capacity
	// provider): an unqualified call runs $LATEST.PUBLISHED, not $LATEST.
	Managed bool
	// Settings is all that a version freezes besides code and layers; empty
	// when it was not asked for.
	Settings Settings
	Tags     map[string]string // nil when tags were not asked for or not readable

	// The rest is known from GetFunction only, and empty from a list.
	State            string // StateActive, …
	LastUpdateStatus string // UpdateSuccessful, …
	StatusReason     string // AWS's own words for a state that is not good
	// RuntimeVersion is the ARN of the version of its runtime that it starts with;
	// AWS, or the publisher of a customer-managed one, changes it without a new
	// RevisionID. Empty = unknown.
	RuntimeVersion string
}

// AWS's words for the state of a function or a version. Emulators know no
// states and leave it empty.
const (
	StateActive   = "Active"
	StateInactive = "Inactive" // idle for weeks; an update or a call wakes it
	StatePending  = "Pending"
	StateFailed   = "Failed"
)

// AWS's words for how the last update of a function went.
const (
	UpdateSuccessful = "Successful"
	UpdateInProgress = "InProgress"
	UpdateFailed     = "Failed"
)

// Has returns the version of layer that the function's $LATEST has, and its
// place in the list.
func (f Function) Has(layer LayerARN) (v LayerVersionARN, index int, ok bool) {
	index = f.Layers.Index(layer)
	v = f.Layers.Of(layer)
	return v, index, index >= 0
}

// Layer is one layer and all its live versions.
type Layer struct {
	ARN      LayerARN
	Versions []LayerVersion // by number, highest first
}

// Version finds a live version by its number.
func (l Layer) Version(n int64) (LayerVersion, bool) {
	for _, v := range l.Versions {
		if v.Number == n {
			return v, true
		}
	}
	return LayerVersion{}, false
}

// LayerVersion is one version as ListLayerVersions lists it: without the hash
// of its bytes and without its size.
type LayerVersion struct {
	Number        int64
	Description   string
	Created       time.Time // UTC
	Runtimes      []string  // empty: not said
	Architectures []string  // empty: not said
}

// CodeQuota is how much code an account may have in a Region, and has; in bytes.
type CodeQuota struct {
	Limit int64 // of all zips, of functions and their versions and of layers
	Used  int64
	// Unzipped is how large a function with all its layers may be.
	Unzipped  int64
	Functions int64 // that there are
}

// Uses is who runs which layer version through a published function version.
type Uses struct {
	SweptAt time.Time
	// Published has every published function version that carries layers.
	Published []Published
	// Versioned names, sorted, all functions with at least one published
	// version: only these can have an alias that serves something else than
	// $LATEST does.
	Versioned []string
	// Sizes are those of the zips of the layer versions that any function has, in
	// bytes, as the list of functions has them; a version that is not in it is on none.
	Sizes map[LayerVersionARN]int64
}

// Published is one published version of a function and its frozen layer list.
type Published struct {
	Function string
	Version  string // decimal, or LatestPublished where functions run on own instances
	Layers   Layers
}

// Alias is one alias and what it serves.
type Alias struct {
	Name    string
	Version string             // "$LATEST" or decimal
	Weights map[string]float64 // other versions and their share, 0 to 1; nil = none
	// RevisionID guards UpdateAlias; it is not the function's.
	RevisionID string
	// Provisioned is true when it has provisioned concurrency, which AWS moves
	// to the version the alias is moved to, in its own time. It is read only for
	// functions that a Served was asked for.
	Provisioned bool
}

// LatestPublished is what an unqualified call runs where a function is on
// instances of the account (AWS.md section 1.10). Nothing points at it:
// publishing renews it.
const LatestPublished = "$LATEST.PUBLISHED"

// Qualified is a function and an alias, a version, or LatestPublished.
type Qualified struct{ Function, Qualifier string }

func (q Qualified) String() string { return q.Function + ":" + q.Qualifier }

// Served is one published configuration, as it is reached through a qualifier.
type Served struct {
	Version    string // decimal, "$LATEST", or LatestPublished; empty = there is no such qualifier
	Layers     Layers
	CodeSHA256 string
	Settings   Settings
	State      string // StateActive, …; empty = unknown
	Reason     string // AWS's words for a state that is not good
	// RuntimeVersion is that of the function; see Function.
	RuntimeVersion string
}

// Signing is what a function's code-signing configuration asks of its layers.
type Signing struct {
	Enforce bool     // false: AWS only warns
	Allowed []string // ARNs of signing profile versions; sorted
}

// Policy is who may read a layer version besides its owner.
type Policy struct {
	// Principals are account ids, "*", or "org:o-…"; sorted; empty = private.
	// A grant to the owning account itself is left out: it shares nothing. A
	// principal of another form (a deleted role's id) is kept as AWS gave it.
	Principals []string
	// Grants are its statements, by Sid, those to the owning account included.
	Grants []Grant
	// Revision guards a write; empty where there is no policy.
	Revision string
}

// Probe is whether a layer version can be named in an update.
type Probe struct {
	Usable bool
	Reason string // AWS's words when it is not usable
	Size   int64  // of its zip, in bytes; 0 = unknown
	SHA256 string // of its zip, in lower-case hex; empty = unknown
	Signer string // ARN of the signing profile version; empty = not signed
}

// Sort orders everything that has no order of its own, in place, so that equal
// worlds are equal values. Layer lists are left alone: their order is data.
func (s *Snapshot) Sort() {
	for _, list := range [][]Function{s.Functions, s.Temporary} {
		slices.SortFunc(list, func(a, b Function) int { return cmp.Compare(a.Name, b.Name) })
	}
	slices.SortFunc(s.Layers, func(a, b Layer) int { return cmp.Compare(a.ARN, b.ARN) })
	for i := range s.Layers {
		slices.SortFunc(s.Layers[i].Versions, func(a, b LayerVersion) int { return cmp.Compare(b.Number, a.Number) })
	}
	for _, as := range s.Aliases {
		slices.SortFunc(as, func(a, b Alias) int { return cmp.Compare(a.Name, b.Name) })
	}
	if s.Uses != nil {
		s.Uses.sort()
	}
}

func (u *Uses) sort() {
	slices.Sort(u.Versioned)
	slices.SortFunc(u.Published, func(a, b Published) int {
		// Decimal strings without leading zeros: shorter is smaller.
		return cmp.Or(cmp.Compare(a.Function, b.Function),
			cmp.Compare(len(a.Version), len(b.Version)), cmp.Compare(a.Version, b.Version))
	})
}

// Function finds a function by name.
func (s Snapshot) Function(name string) (Function, bool) {
	i, ok := slices.BinarySearchFunc(s.Functions, name, func(f Function, n string) int { return cmp.Compare(f.Name, n) })
	if !ok {
		return Function{}, false
	}
	return s.Functions[i], true
}

// AddVersion adds a version of a layer that a list of its versions lacks. Other snapshots
// that share the layers with this one stay as they are.
func (s *Snapshot) AddVersion(layer LayerARN, v LayerVersion) {
	s.Layers = slices.Clone(s.Layers)
	i := slices.IndexFunc(s.Layers, func(l Layer) bool { return l.ARN == layer })
	if i < 0 {
		s.Layers, i = append(s.Layers, Layer{ARN: layer}), len(s.Layers)
	}
	if l := &s.Layers[i]; !slices.ContainsFunc(l.Versions, func(have LayerVersion) bool { return have.Number == v.Number }) {
		l.Versions = append(slices.Clone(l.Versions), v)
	}
	s.Sort()
}

// Layer finds a layer that was asked for; ok is false when it was not asked
// for. A layer without any live version is found, with no versions.
func (s Snapshot) Layer(arn LayerARN) (Layer, bool) {
	i, ok := slices.BinarySearchFunc(s.Layers, arn, func(l Layer, a LayerARN) int { return cmp.Compare(l.ARN, a) })
	if !ok {
		return Layer{}, false
	}
	return s.Layers[i], true
}
