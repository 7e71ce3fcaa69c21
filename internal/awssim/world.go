package awssim

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are the laws of a World. The zero value is a usable one: account
// 123456789012, us-east-1, updates that settle at the next look, and the rate
// limits of AWS.
type Options struct {
	Account string // of access keys nobody has introduced; default 123456789012
	Region  string // of seeded things that name none; default us-east-1

	// Settle is how long a create or an update stays in progress. Zero still
	// answers InProgress; it is over at the next look.
	Settle time.Duration

	// SnapStart is how long a version with SnapStart is Pending; zero: Settle.
	SnapStart time.Duration

	// Provisioning is how long provisioned concurrency is IN_PROGRESS after its
	// alias has moved; zero: it is over at the next look.
	Provisioning time.Duration

	Limits Limits // zero: as AWS; see Unlimited

	// EmptyPages makes every page of every list be preceded by an empty one
	// with a NextMarker, as AWS is free to do.
	EmptyPages bool

	// TagLag is how far the tagging API's index is behind the functions.
	TagLag time.Duration

	// ListLag is how long after its publish a layer version shows in lists; by its
	// number it is there at once. AWS promises nothing about either. What is seeded
	// shows at once.
	ListLag time.Duration

	// MetricLag is how long after a call has ended it shows in CloudWatch;
	// zero: a minute, negative: at once.
	MetricLag time.Duration

	// TrailLag is how long after a call CloudTrail knows of it; zero: five
	// minutes, negative: at once.
	TrailLag time.Duration

	// BlockedRuntimes can neither be created nor updated any more.
	BlockedRuntimes []string

	// CodeStorage is the quota for code in bytes, per account and Region;
	// zero: 300 GB.
	CodeStorage int64
}

// World is the whole of AWS. All methods may be called at any time by anybody.
type World struct {
	opts   Options
	routes []operation
	s3     []s3Operation

	// mu guards everything below. It is held while an operation is carried
	// out, never while waiting, so a slow answer delays nobody else.
	mu        sync.Mutex
	stores    map[place]*store
	keys      map[string]session // access key id → who it is
	roles     map[string]Role    // by ARN
	orgs      map[string]string  // account → organization id
	buckets   map[string]*bucket // by name, which is unique in the World
	downloads map[string]download
	runtimes  map[string]bool          // deleted aliases of customer-managed runtimes, by ARN
	moved     map[string]int           // how often a runtime, or such an alias, was moved to another version
	snapshots map[string]updateFailure // by layer version ARN: what SnapStart versions with it end in
	tagLog    []tagEvent
	trail     []trailEvent
	rules     []rule
	queueNews chan struct{} // closed when any queue changes, and made anew
	calls     []Call
	seq       int // of calls
	onCall    func(Call) Fault
	onQuery   func(Query) string
	onInvoke  func(Invocation) Result
	serial    int64 // of revision, request and key ids: a World is reproducible
}

// place is where things live: names are unique within one.
type place struct{ account, region string }

// store is one account in one Region.
type store struct {
	place
	functions  map[string]*function
	layers     map[string]*layer
	alarms     map[string]Alarm
	signing    map[string]*signingConfig // by ARN
	parameters map[string]*Parameter
	queues     map[string]*queue
	metrics    map[string][]sample // by seriesKey
	limits     *limiters
}

// New makes an empty World.
func New(o Options) *World {
	if o.Account == "" {
		o.Account = "123456789012"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.CodeStorage == 0 {
		o.CodeStorage = 300 << 30
	}
	if o.MetricLag == 0 {
		o.MetricLag = time.Minute
	}
	o.MetricLag = max(0, o.MetricLag)
	if o.TrailLag == 0 {
		o.TrailLag = 5 * time.Minute
	}
	o.TrailLag = max(0, o.TrailLag)
	o.SnapStart = cmp.Or(o.SnapStart, o.Settle)
	return &World{
		opts:      o,
		routes:    lambdaOperations(),
		s3:        s3Operations(),
		stores:    map[place]*store{},
		keys:      map[string]session{},
		roles:     map[string]Role{},
		orgs:      map[string]string{},
		buckets:   map[string]*bucket{},
		downloads: map[string]download{},
		runtimes:  map[string]bool{},
		moved:     map[string]int{},
		snapshots: map[string]updateFailure{},
		queueNews: make(chan struct{}),
	}
}

// Handler serves the World over HTTP; every service and Region has the one
// address. A dropped connection is dropped for real.
func (w *World) Handler() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		a, err := w.serve(r)
		if err != nil {
			panic(http.ErrAbortHandler) // cuts the connection, logs nothing
		}
		maps.Copy(rw.Header(), a.header)
		rw.WriteHeader(a.status)
		_, _ = rw.Write(a.body) // nobody is left to tell when this fails
	})
}

// store returns the account and Region, made on first sight. Callers hold mu.
func (w *World) store(account, region string) *store {
	p := place{account, region}
	s := w.stores[p]
	if s == nil {
		s = &store{place: p, functions: map[string]*function{}, layers: map[string]*layer{},
			alarms: map[string]Alarm{}, signing: map[string]*signingConfig{}, parameters: map[string]*Parameter{}, queues: map[string]*queue{}, metrics: map[string][]sample{}, limits: newLimiters(w.opts.Limits)}
		w.stores[p] = s
	}
	return s
}

// newID returns the next identifier in the shape of a UUID. Callers hold mu.
func (w *World) newID() string {
	w.serial++
	h := sha256.Sum256(fmt.Appendf(nil, "awssim %d", w.serial))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80 // version and variant of a random one
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// codeSize is what counts towards the storage quota, in bytes. Deleted layer
// versions stop counting at once, whoever still uses them.
func (s *store) codeSize() int64 {
	var sum int64
	for _, f := range s.functions {
		for _, v := range f.all() {
			sum += v.CodeSize
		}
	}
	for _, l := range s.layers {
		for _, v := range l.live() {
			if v.Reference.Bucket == "" {
				sum += v.Size
			}
		}
	}
	return sum
}

// sortedKeys returns the keys of m in order: AWS promises none, tests need one.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// partition returns the partition a Region is in.
func partition(region string) string {
	for _, p := range [][2]string{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"eusc-", "aws-eusc"}, {"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"}, {"us-iso-", "aws-iso"}, {"eu-isoe-", "aws-iso-e"},
	} {
		if strings.HasPrefix(region, p[0]) {
			return p[1]
		}
	}
	return "aws"
}

// stamp is how Lambda writes a time: not RFC 3339, the zone has no colon.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }
