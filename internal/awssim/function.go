package awssim

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Function is a function or one published version of it, as seeded and as
// looked at. Zero fields of a seeded one get the defaults named here.
type Function struct {
	Account, Region string // default: the World's
	Name            string
	Version         string // "$LATEST" or a number; told, never seeded

	Description      string
	Runtime          string // default python3.12 for Zip; empty for Image
	RuntimeARN       string // of a customer-managed runtime, whose Runtime is custom
	RuntimeAlias     string // of the same
	RuntimeOnUpdate  bool   // it gets another version of its runtime with an update only; default: by itself
	Handler          string // default index.handler for Zip
	Role             string // default: a role of the account
	PackageType      string // Zip (default) or Image
	Architectures    []string
	Layers           []string // version ARNs, in order; nothing checks seeded ones
	Environment      map[string]string
	DeadLetterARN    string
	Timeout          int32  // seconds; default 3
	MemorySize       int32  // MB; default 128
	SnapStart        bool   // ApplyOn PublishedVersions
	CapacityProvider string // ARN: runs on managed instances
	MasterARN        string // set on a Lambda@Edge replica, whose Name has a dot
	Tags             map[string]string
	RuntimeMoves     int // how often the runtime had moved at the last update; told, never seeded

	Code       []byte // the zip; default: a small one
	CodeSha256 string // default: the sum of Code
	CodeSize   int64  // default: the length of Code
	Unzipped   int64
	ImageURI   string

	LastModified time.Time // default: now
	RevisionID   string

	State, StateReason, StateReasonCode                                  string // default Active
	LastUpdateStatus, LastUpdateStatusReason, LastUpdateStatusReasonCode string // default Successful
}

func (f Function) clone() Function {
	f.Architectures = slices.Clone(f.Architectures)
	f.Layers = slices.Clone(f.Layers)
	f.Environment = maps.Clone(f.Environment)
	f.Tags = maps.Clone(f.Tags)
	return f
}

// function is everything under one name.
type function struct {
	place
	name             string
	latest           *version
	published        []*version // ascending
	signing          string     // ARN of its code signing configuration; empty: none
	managed          *version   // $LATEST.PUBLISHED of managed instances; nil: never published
	last             int        // highest number ever given: never used again
	aliases          map[string]*Alias
	tags             map[string]string // of the function, not of a version
	failNext         *updateFailure    // what the next update ends in
	failNextVersion  *updateFailure
	provisioned      map[string]*provisioned // by alias or version
	failProvisioning map[string]string       // by alias: why its next move ends FAILED
	dealt            map[string]float64      // by alias: how much of a call the second version is owed
}

// version is $LATEST or a published one, with the change it is going through.
type version struct {
	Function
	settles  time.Time // when the change is over; zero: nothing is going on
	settled  string    // the RevisionId from then on
	failure  *updateFailure
	serving  *Function // what runs while an update is going on, and after one that failed; nil: Function
	snapshot Function  // of $LATEST when this version was published
}

type updateFailure struct{ code, reason string }

func (f *function) all() []*version {
	all := []*version{f.latest}
	if f.managed != nil {
		all = append(all, f.managed)
	}
	return append(all, f.published...)
}

// newFunction is a name with nothing under it.
func newFunction(p place, name string) *function {
	return &function{place: p, name: name, aliases: map[string]*Alias{}, dealt: map[string]float64{},
		provisioned: map[string]*provisioned{}, failProvisioning: map[string]string{}}
}

// settle ends what has had its time. Doing it when somebody looks, and not in
// the background, is what makes virtual time work.
func (f *function) settle(now time.Time) {
	for _, v := range f.all() {
		if v.settles.IsZero() || now.Before(v.settles) {
			continue
		}
		v.RevisionID, v.settles = v.settled, time.Time{}
		if v.failure != nil && v.Version != "$LATEST" {
			v.State, v.StateReasonCode, v.StateReason, v.failure = "Failed", v.failure.code, v.failure.reason, nil
			continue
		}
		v.State, v.StateReason, v.StateReasonCode = "Active", "", ""
		v.LastUpdateStatus, v.LastUpdateStatusReason, v.LastUpdateStatusReasonCode = "Successful", "", ""
		if v.failure == nil {
			v.serving = nil
		} else {
			v.LastUpdateStatus, v.LastUpdateStatusReasonCode, v.LastUpdateStatusReason = "Failed", v.failure.code, v.failure.reason
		}
		v.failure = nil
	}
}

// running is the code and configuration that calls get.
func (v *version) running() *Function {
	if v.serving != nil {
		return v.serving
	}
	return &v.Function
}

// update gives $LATEST its next content. Calls get the old one until that has
// settled, and for good when it fails.
func (w *World) update(f *function, next Function, now time.Time) {
	v := f.latest
	if v.serving == nil {
		v.serving = new(v.Function)
	}
	v.Function = next
	v.RuntimeMoves = w.moved[w.runtimeOf(next)]
	w.change(f, v, now)
}

// change gives v a new revision and starts the time it needs to settle, at
// the end of which the revision changes once more.
func (w *World) change(f *function, v *version, now time.Time) {
	v.RevisionID, v.settled = w.newID(), w.newID()
	v.LastModified, v.settles = now, now.Add(w.opts.Settle)
	v.failure, f.failNext = f.failNext, nil
	if v.State != "Pending" {
		v.LastUpdateStatus = "InProgress"
		v.LastUpdateStatusReason, v.LastUpdateStatusReasonCode = "The function is being created.", "Creating"
	}
	w.announce(f, v.Version, "InProgress", now)
	w.announce(f, v.Version, "Active", v.settles)
}

// busy refuses what must wait for a create or update to end.
func (v *version) busy(arn string) *apiError {
	switch {
	case v.State == "Pending":
		return conflict("The operation cannot be performed at this time. The function is currently in the following state: Pending")
	case v.LastUpdateStatus == "InProgress":
		return conflict("The operation cannot be performed at this time. An update is in progress for resource: %s", arn)
	}
	return nil
}

// find returns the version, or what the alias points at, that ref names.
func (f *function) find(qualifier string) (*version, bool) {
	if a, ok := f.aliases[qualifier]; ok {
		qualifier = a.Version
	}
	if qualifier == "" || qualifier == "$LATEST" {
		return f.latest, true
	}
	if qualifier == latestPublished {
		return f.managed, f.managed != nil
	}
	i := slices.IndexFunc(f.published, func(v *version) bool { return v.Version == qualifier })
	if i < 0 {
		return nil, false
	}
	return f.published[i], true
}

// function finds the function a request names and lets it settle.
func (c *call) function(given, qualifier string) (*function, functionRef, *apiError) {
	ref, e := c.functionRef(given, qualifier)
	if e != nil {
		return nil, ref, e
	}
	f, ok := c.store.functions[ref.name]
	if !ok {
		return nil, ref, notFound("Function not found: %s", functionARN(c.store.place, ref.name, ref.qualifier))
	}
	f.settle(c.now)
	return f, ref, nil
}

func (c *call) version(given, qualifier string) (*function, *version, functionRef, *apiError) {
	f, ref, e := c.function(given, qualifier)
	if e != nil {
		return nil, nil, ref, e
	}
	v, ok := f.find(ref.qualifier)
	if !ok {
		return nil, nil, ref, notFound("Function not found: %s", f.arn(ref.qualifier))
	}
	return f, v, ref, nil
}

func (f *function) arn(qualifier string) string { return functionARN(f.place, f.name, qualifier) }

// sameContent reports whether a and b would run the same.
func sameContent(a, b Function) bool { return reflect.DeepEqual(a.content(), b.content()) }

// content is f without what changes by itself.
func (f Function) content() Function {
	f = f.clone()
	f.Version, f.RevisionID, f.LastModified, f.Tags, f.Code = "", "", time.Time{}, nil, nil
	f.RuntimeMoves = 0
	f.State, f.StateReason, f.StateReasonCode = "", "", ""
	f.LastUpdateStatus, f.LastUpdateStatusReason, f.LastUpdateStatusReasonCode = "", "", ""
	if len(f.Layers) == 0 {
		f.Layers = nil
	}
	if len(f.Environment) == 0 {
		f.Environment = nil
	}
	return f
}

// snapshotFailure is what the snapshot of a new version ends in; nil: well.
func (w *World) snapshotFailure(f *function, v *version) *updateFailure {
	if f.failNextVersion != nil {
		return f.failNextVersion
	}
	for _, arn := range v.Layers {
		if bad, ok := w.snapshots[arn]; ok {
			return &bad
		}
	}
	return nil
}

// publishChange is publish as part of a change of $LATEST: the version is ready
// no sooner than that.
func (w *World) publishChange(f *function, now time.Time) *version {
	p := w.publish(f, nil, now)
	if p.settles.IsZero() {
		p.settles, p.settled = f.latest.settles, w.newID()
	} else {
		p.settles = f.latest.settles.Add(w.opts.SnapStart)
	}
	return p
}

// latestPublished is what unqualified calls of managed instances run.
const latestPublished = "$LATEST.PUBLISHED"

// publishManaged makes or replaces $LATEST.PUBLISHED. Until the new one is up,
// the instances run the old.
func (w *World) publishManaged(f *function, now time.Time) *version {
	v := &version{Function: f.latest.clone(), snapshot: f.latest.clone()}
	v.Version = latestPublished
	if old := f.managed; old != nil {
		v.serving = new(*old.running())
	} else {
		v.State, v.StateReason, v.StateReasonCode = "Pending", "The function is being created.", "Creating"
	}
	f.managed = v
	w.change(f, v, now)
	return v
}

// publish adds a version with the content of $LATEST. Callers hold mu.
func (w *World) publish(f *function, description *string, now time.Time) *version {
	f.last++
	v := &version{Function: f.latest.clone(), snapshot: f.latest.clone()}
	v.Version, v.RevisionID, v.LastModified = strconv.Itoa(f.last), w.newID(), now
	if description != nil {
		v.Description = *description
	}
	if v.SnapStart {
		v.State, v.StateReason, v.StateReasonCode = "Pending", "The function is being created.", "Creating"
		v.settled, v.settles = w.newID(), now.Add(w.opts.SnapStart)
		v.failure, f.failNextVersion = w.snapshotFailure(f, v), nil
	}
	w.announce(f, v.Version, "Active", later(now, v.settles))
	f.published = append(f.published, v)
	return v
}
