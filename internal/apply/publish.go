package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

const (
	// lostPatience is how long a publish whose answer was lost is looked for: AWS takes
	// seconds for one, and a minute for the largest.
	lostPatience = time.Minute
	// CodeArtifactChanged begins the error of a publish whose semantic version has other
	// content already: the name of the same problem at the time of the plan.
	CodeArtifactChanged = "artifact_changed"
)

// RefusedError is what Recorder.Begin returns when the intent must not be acted on, and
// has ended its record: another content is published under the name, or about to be. It
// is of this intent alone.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Layers is what a look for a published version needs of AWS.
type Layers interface {
	LayerVersions(ctx context.Context, layer state.LayerARN) ([]state.LayerVersion, error)
	LayerVersion(ctx context.Context, v state.LayerVersionARN) (found state.LayerVersion, sha256 string, err error)
}

// Found is what a look for a semantic version of a layer found.
type Found struct {
	Version state.LayerVersionARN // a live one with the content that is meant; empty = none
	// Other is a live one with other content, OtherSHA256; empty = none.
	Other       state.LayerVersionARN
	OtherSHA256 string
}

// Find looks for a semantic version of a layer among the live ones: the stamp at the end
// of a Description names it, which the list has, and the content says whether it is what
// is meant. Another version with the same bytes is not it: Git would find it under its own
// name only.
//
// The list may lack what was published a moment ago, by whomever. AWS counts up, so that
// it would be the number after the highest of the list, and AWS is asked for that one.
func Find(ctx context.Context, aws Layers, layer state.LayerARN, version, sha256 string) (f Found, err error) {
	list, err := aws.LayerVersions(ctx, layer)
	if err != nil {
		return Found{}, err
	}
	next := int64(1)
	for _, v := range list {
		next = max(next, v.Number+1)
		if !named(v, version) {
			continue
		}
		switch _, content, err := aws.LayerVersion(ctx, layer.Version(v.Number)); {
		case state.KindOf(err) == state.Gone: // deleted since it was listed
		case err != nil:
			return Found{}, err
		case f.note(layer.Version(v.Number), content, sha256):
			return f, nil
		}
	}
	for ; ; next++ {
		v, content, err := aws.LayerVersion(ctx, layer.Version(next))
		switch {
		case state.KindOf(err) == state.Gone:
			return f, nil
		case err != nil:
			return Found{}, err
		case named(v, version) && f.note(layer.Version(next), content, sha256):
			return f, nil
		}
	}
}

// named reports whether layerd has stamped a version as this semantic version.
func named(v state.LayerVersion, version string) bool {
	stamp, ok := catalog.ReadStamp(v.Description)
	return ok && stamp.Version.String() == version
}

// note takes a version down that has the name, and reports whether it is what is meant.
func (f *Found) note(arn state.LayerVersionARN, content, want string) bool {
	switch {
	case content == want:
		*f = Found{Version: arn}
		return true
	case f.Other == "":
		f.Other, f.OtherSHA256 = arn, content
	}
	return false
}

// publishAll publishes one version after another; index are places in plan.Steps.
func (r *run) publishAll(ctx context.Context, index []int) {
	for _, i := range index {
		s := &r.plan.Steps[i]
		if r.mayStart(ctx, []int{i}) {
			s.Result = new(r.publish(ctx, *s))
		}
		r.report(s.ID, s.Result.Status)
	}
}

// publish brings one publish step to its end: looks whether the version is there, writes
// down what is about to be done, and asks AWS once.
func (r *run) publish(ctx context.Context, s plan.Step) (res plan.Result) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.ErrorContext(ctx, "panic while publishing", "step", s.ID, "panic", p, "stack", string(debug.Stack()))
			// The record, if one is open, stays open: how far it went is unknown.
			res = failed("panic: %v", p)
		}
		r.logPublish(ctx, s, res)
	}()
	if s.Publishing == nil {
		return failed("nothing says what is to be published")
	}
	finishing, cancel := finishingContext(ctx)
	defer cancel()
	if res, ended := r.alreadyThere(ctx, s); ended {
		return res
	}
	src, err := r.open(ctx, s)
	if err != nil {
		return r.unpublished(ctx, fmt.Errorf("not published: %w", err))
	}
	defer state.Source{Done: src.Done}.Close() // without its bytes, which would stay until then
	id, err := r.begin(finishing, Intent{Steps: []plan.Step{s}})
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return failed("%s", refused)
	}
	if err != nil {
		return unrecorded(err)
	}
	res, known := r.publishOnce(ctx, finishing, s, src)
	if !known {
		res.Error += "; it may have happened, and a later round settles the record. Nothing is published under this version until then"
		return res
	}
	if res.Status == plan.StatusFailed && res.Published != "" && r.KeepAway != nil {
		if err := r.KeepAway(finishing, s, res); err != nil {
			res.Error = join(res.Error, err.Error())
			return res
		}
	}
	if err := r.finish(finishing, id, Outcome{Result: res}); err != nil {
		res.Error = join(res.Error, err.Error())
	}
	return res
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// alreadyThere reports whether the step ends without a write, and how: the version is
// there, another content has its name, or nobody knows.
func (r *run) alreadyThere(ctx context.Context, s plan.Step) (res plan.Result, ended bool) {
	want := s.Publishing.Content.SHA256
	found, err := Find(ctx, r.cloud, s.LayerARN, s.Publishing.Artifact.Version, want)
	switch {
	case err != nil:
		return r.unpublished(ctx, fmt.Errorf("not published, since it is not known whether it is there: %w", err)), true
	case found.Version != "":
		return plan.Result{Status: plan.StatusSkipped, Published: found.Version}, true
	case found.Other != "":
		return failed("%s: %s is published with other content, as version %d (sha256:%.12s, and this archive is sha256:%.12s); a version stays what it was, so give the change a version of its own",
			CodeArtifactChanged, nameOf(s), found.Other.Number(), found.OtherSHA256, want), true
	}
	return plan.Result{}, false
}

func nameOf(s plan.Step) string {
	return s.Publishing.Artifact.Layer + " " + s.Publishing.Artifact.Version
}

// open returns the archive, if it is what was decided about.
func (r *run) open(ctx context.Context, s plan.Step) (Source, error) {
	if r.Open == nil {
		return Source{}, errors.New("archives of layers cannot be read here")
	}
	src, err := r.Open(ctx, *s.Publishing)
	switch {
	case err != nil:
		return Source{}, err
	case src.Zip == nil && (src.Bucket == "" || src.Key == ""):
		src.Close()
		return Source{}, errors.New("there is no archive")
	case src.Zip == nil:
		return src, nil
	}
	if sum := sha256.Sum256(src.Zip); hex.EncodeToString(sum[:]) != s.Publishing.Content.SHA256 {
		src.Close()
		return Source{}, fmt.Errorf("%s: the archive of %s is sha256:%.12x now, and was sha256:%.12s when it was decided",
			CodeArtifactChanged, nameOf(s), sum, s.Publishing.Content.SHA256)
	}
	return src, nil
}

// unpublished is the result of a step of which nothing was sent.
func (r *run) unpublished(ctx context.Context, err error) plan.Result {
	switch {
	case ctx.Err() != nil:
		r.noteStopped()
		res := skipped("stopped before it was published")
		res.Untried = true
		return res
	case closes(err):
		return notTried(err)
	}
	if closed, ok := errors.AsType[*ClosedError](err); ok {
		return notTried(closed)
	}
	return failed("%s", err)
}

// publishOnce asks AWS to make the version. known is false when nobody can tell whether
// it did.
func (r *run) publishOnce(ctx, finishing context.Context, s plan.Step, src Source) (res plan.Result, known bool) {
	if ctx.Err() != nil {
		return r.unpublished(ctx, ctx.Err()), true
	}
	p := s.Publishing
	n, sum, id, err := r.cloud.PublishLayer(finishing, s.LayerARN, state.Release{
		Source: src, Description: p.Description, License: p.License, Runtimes: p.Runtimes, Architectures: p.Architectures,
	})
	src.Close() // what was lost is looked for without the bytes
	kind := state.KindOf(err)
	switch {
	case err == nil && sum != p.Content.SHA256:
		res = failed("AWS has other content than was decided about: version %d is sha256:%.12s, and not sha256:%.12s. What %s has was replaced in between; the version must not be used, and %s needs another version number",
			n, sum, p.Content.SHA256, p.Artifact.Location, p.Artifact.Layer)
		res.RequestID, res.Published = id, s.LayerARN.Version(n)
		return res, true
	case err == nil:
		return plan.Result{Status: plan.StatusApplied, RequestID: id, Published: s.LayerARN.Version(n)}, true
	case kind == state.Unsure || kind == state.Stopped:
		return r.lookForLost(finishing, s, err)
	}
	if closed, ok := errors.AsType[*ClosedError](err); ok {
		return notTried(closed), true
	}
	res = failed("%s", err)
	res.Shared = closes(err)
	if e, ok := errors.AsType[*state.Error](err); ok {
		res.RequestID = e.RequestID
	}
	return res, true
}

// lookForLost looks for a version whose answer was lost, for a while. It is never sent
// again: that it is not there now does not say that it will not be.
func (r *run) lookForLost(ctx context.Context, s plan.Step, lost error) (res plan.Result, known bool) {
	res = failed("%s", lost)
	res.MayBeAll = true
	wait := newBackOff()
	for began := time.Now(); ctx.Err() == nil && time.Since(began) < lostPatience; pause(ctx, wait.NextBackOff()) {
		found, err := Find(ctx, r.cloud, s.LayerARN, s.Publishing.Artifact.Version, s.Publishing.Content.SHA256)
		switch {
		case err == nil && found.Version != "":
			return plan.Result{Status: plan.StatusApplied, Published: found.Version}, true
		case err == nil && found.Other != "": // it was not there before
			return OtherContent(found, nameOf(s), s.Publishing.Content.SHA256), true
		case r.cloud.whyClosed() != nil:
			return res, false
		}
	}
	return res, false
}

// OtherContent is the result of a publish of which AWS has other content than was decided
// about.
func OtherContent(found Found, name, sha256 string) plan.Result {
	res := failed("AWS has other content than was decided about: version %d, which calls itself %s, is sha256:%.12s, and not sha256:%.12s. It must not be used, and the change needs another version number",
		found.Other.Number(), name, found.OtherSHA256, sha256)
	res.Published = found.Other
	return res
}

func (r *run) logPublish(ctx context.Context, s plan.Step, res plan.Result) {
	log := r.Log.With("step", s.ID, "status", res.Status, "version", string(res.Published), "request_id", res.RequestID)
	if res.Error != "" && !res.Shared && !res.Untried {
		log.WarnContext(ctx, "publish is done", "err", res.Error)
		return
	}
	log.InfoContext(ctx, "publish is done", "err", res.Error)
}
