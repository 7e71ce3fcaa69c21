package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// unpublished is where the numbers begin that stand for versions without one while a
// plan is made: they are higher than all of AWS's, so that going to one goes forward. They
// leave the package in no step and no record; there a version stands with its content.
const unpublished = int64(1) << 62

// pending is a version that Git wants and AWS lacks, and that may be published.
type pending struct {
	target     target
	to         state.LayerVersionARN
	publishing plan.Publishing
}

// live returns the target's number in AWS; 0 = none, or none yet.
func (t target) live() int64 {
	if t.number >= unpublished {
		return 0
	}
	return t.number
}

// missing finds out what is to be published for a version that is not live, or what
// stands in the way. What its artifact is has to be known for that, and is asked for.
func (r *region) missing(w *wish, version *semver.Version, at desired.Position) (target, *desired.Problem) {
	text := version.String()
	for _, p := range w.pending {
		if p.target.semver == text {
			return p.target, nil // a pin names what the layer does
		}
	}
	for _, n := range w.catalog.Unlisted(desired.Version{Kind: desired.Exact, Semver: version}) {
		if !r.snap.Absent[w.Layer.Version(n)] {
			return target{}, problem(at, "version_not_found", text, fmt.Sprintf("%s %s was version %d, which the list of versions lacks, and AWS does not say whether it exists: nothing is published until it does", w.Name, text, n),
				"allow lambda:GetLayerVersion on the layer")
		}
	}
	a := w.Artifact(version, r.in.Revision)
	content, known := r.snap.Contents[a]
	if !known {
		if !slices.Contains(r.plan.Needs.Artifacts, a) {
			r.plan.Needs.Artifacts = append(r.plan.Needs.Artifacts, a)
		}
		return target{}, problem(at, desired.CodeArtifactUnread, text, fmt.Sprintf("%s %s is not live, and it is not known what %s holds", w.Name, text, a.Location), "")
	}
	if content.Code != "" {
		return target{}, problem(at, content.Code, text, fmt.Sprintf("%s %s cannot be published: %s", w.Name, text, content.Message), content.Suggestion)
	}
	if other := r.otherContent(w, a, content.SHA256); other != "" {
		return target{}, problem(at, "artifact_changed", text, fmt.Sprintf("%s %s cannot be published: %s has sha256:%s, and %s", w.Name, text, a.Location, words.Digest(content.SHA256), other),
			"give the new content a version of its own, or put the archive back")
	}
	description, fits := catalog.NewStamp(version, content.SHA256, r.in.Revision).Describe(w.Source.DescriptionOf(version))
	if !fits {
		return target{}, problem(at, "bad_version", text, fmt.Sprintf("%s %s cannot be published: with such a long version its Description has more than 256 characters", w.Name, text), "choose a shorter version")
	}
	p := pending{
		target: target{number: unpublished + int64(len(w.pending)), semver: text},
		to:     w.Layer.Unpublished(content.SHA256),
		publishing: plan.Publishing{
			Artifact: a, Content: content, Description: description, License: w.Source.License, Runtimes: w.Runtimes, Architectures: w.Architectures,
		},
	}
	w.pending = append(w.pending, p)
	return p.target, nil
}

func problem(at desired.Position, code, asked, message, suggestion string) *desired.Problem {
	return &desired.Problem{Position: at, Severity: desired.Error, Code: code, Asked: asked, Message: message, Suggestion: suggestion}
}

// otherContent returns what else a version is known to be than a zip with this SHA-256;
// empty = nothing. The first publish of a version fixes what it is, everywhere.
func (r *region) otherContent(w *wish, a state.Artifact, sha256 string) string {
	if a.SHA256 != "" && a.SHA256 != sha256 {
		return fmt.Sprintf("layer.yaml says that it is sha256:%s", words.Digest(a.SHA256))
	}
	if first := r.in.Published[w.Name][a.Version]; first != "" && first != sha256 {
		return fmt.Sprintf("what was published first as %s is sha256:%s", a.Version, words.Digest(first))
	}
	type place struct {
		want desired.Environment
		snap *state.Snapshot
	}
	var places []place
	for _, other := range r.in.Regions {
		places = append(places, place{other.Want, other.Have})
	}
	for _, o := range r.others {
		places = append(places, place{o.Want, r.snap})
	}
	for _, p := range places {
		for _, lw := range p.want.Layers {
			if p.snap == nil || lw.Name != w.Name || !lw.Owned {
				continue
			}
			l, _ := p.snap.Layer(lw.Layer)
			for _, v := range l.Versions {
				if s, ok := catalog.ReadStamp(v.Description); ok && s.Version.String() == a.Version && !s.Is(sha256) {
					return fmt.Sprintf("%s, which is %s, is sha256:%s", lw.Layer.Version(v.Number), a.Version, s.SHA256)
				}
			}
		}
	}
	return ""
}

// publish drafts one step for each version that is to be published, also where no
// function is to have it yet: the next one that appears gets it without waiting.
func (r *region) publish() {
	for _, w := range r.wishes {
		for _, p := range w.pending {
			r.plan.Steps = append(r.plan.Steps, plan.Step{
				ID: strings.Join([]string{string(plan.KindPublish), w.Name, p.target.semver}, "/"), Kind: plan.KindPublish,
				Layer: w.Name, LayerARN: w.Layer, To: p.to, ToVersion: p.target.semver, Cause: plan.CauseChange,
				Reason:     fmt.Sprintf("Git asks for %s, and %s has no such version yet", p.target.semver, w.Layer.Name()),
				Publishing: &p.publishing,
			})
		}
		r.noteNewLayer(w)
	}
}

// noteNewLayer notes that publishing makes a layer of a new name, where what is there
// has nearly the same.
func (r *region) noteNewLayer(w *wish) {
	if len(w.pending) == 0 || len(w.catalog.Versions()) > 0 {
		return
	}
	if name := r.nearestLayer(w); name != "" {
		r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "new_layer", Message: fmt.Sprintf(
			"publishing %s %s makes a new layer %s, and there is %s: if that is meant, correct layer_name", w.Name, w.pending[0].target.semver, w.Layer.Name(), name)})
	}
}

// publishedFirst returns which version a step waits for that is not published yet;
// empty = none. What one rollout brings waits for all of it, and what one function gets
// for all that it gets.
func (r *region) publishedFirst(s *plan.Step) string {
	if !r.anyPending() {
		return ""
	}
	if s.To.Content() != "" && s.Kind != plan.KindPublish {
		return fmt.Sprintf("waits until %s %s is published", s.Layer, s.ToVersion)
	}
	if !s.InRollout() {
		return ""
	}
	if first := r.firstUnpublished(); first != "" {
		return fmt.Sprintf("layers of one commit wait for each other: %s is not published yet", first)
	}
	return r.partUnpublished()[s.Function]
}

// firstUnpublished names a version that a rollout would bring and that is not published
// yet; empty = there is none.
func (r *world) firstUnpublished() string {
	for _, w := range r.wishes {
		if w.ok && w.target.number >= unpublished {
			return w.Name + " " + w.target.semver
		}
	}
	return ""
}

// partUnpublished returns, by function, why its other layers wait for one that is
// pinned there and is not published yet.
func (r *region) partUnpublished() map[string]string {
	if r.parts == nil {
		r.parts = map[string]string{}
		for i := range r.plan.Steps {
			s := &r.plan.Steps[i]
			if s.Function != "" && s.To.Content() != "" {
				r.parts[s.Function] = cmp.Or(r.parts[s.Function],
					fmt.Sprintf("layers of one function wait for each other: %s %s is not published yet", s.Layer, s.ToVersion))
			}
		}
	}
	return r.parts
}

// anyPending reports whether something is to be published here.
func (r *world) anyPending() bool {
	return slices.ContainsFunc(r.wishes, func(w *wish) bool { return len(w.pending) > 0 })
}
