package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/round"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/state"
)

// whyView is the JSON of why. Its lists are never null.
type whyView struct {
	FormatVersion string           `json:"format_version"`
	Function      string           `json:"function"`
	Past          string           `json:"past"`     // none or store
	Revision      string           `json:"revision"` // that was read now
	Environments  []whyEnvironment `json:"environments"`
}

// whyEnvironment is the answer of one environment and Region.
type whyEnvironment struct {
	Environment string             `json:"environment"`
	Account     string             `json:"account"`
	Region      string             `json:"region"`
	ObservedAt  string             `json:"observed_at"`
	Exists      bool               `json:"exists"`
	Selected    bool               `json:"selected"`
	Digest      string             `json:"digest"` // what an approval would name
	Window      plan.WindowView    `json:"window"`
	Layers      []whyLayer         `json:"layers"` // that the environment wants on it
	Others      []whyOther         `json:"others"` // that it has besides
	NotSelected []whyNot           `json:"not_selected"`
	Blocked     []plan.BlockedView `json:"blocked"`
	Aliases     []whyAlias         `json:"aliases"` // that serve something else than $LATEST has
	Notes       []string           `json:"notes"`
	Changes     []entryView        `json:"changes"` // the last few, newest first
	Error       *plan.ErrorView    `json:"error,omitempty"`
}

// whyLayer is one wanted layer. Its status is in_sync, pending, held, blocked,
// drift (reported and not healed) or unknown.
type whyLayer struct {
	Layer       string          `json:"layer"`
	LayerARN    string          `json:"layer_arn"`
	Have        int64           `json:"have"` // 0 = none
	HaveVersion string          `json:"have_version"`
	Want        int64           `json:"want"` // 0 = none, or not known where nothing was decided
	WantVersion string          `json:"want_version"`
	Asked       string          `json:"asked"` // as Git writes it
	Version     whyLine         `json:"version"`
	Selector    whyLine         `json:"selector"`
	Pin         *whyPin         `json:"pin,omitempty"`
	Status      string          `json:"status"`
	Step        *plan.StepView  `json:"step,omitempty"`
	Approval    *whyApproval    `json:"approval,omitempty"` // that covers Step
	Drift       *plan.DriftView `json:"drift,omitempty"`
	PutBy       *entryView      `json:"put_by,omitempty"` // the change that put the version there

	held       *plan.Held    // of Step, for text
	approvable bool          // an approval of the plan would release it
	since      time.Time     // of Drift
	entry      history.Entry // of PutBy
}

// whyLine is a line of the repository.
type whyLine struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

type whyPin struct {
	whyLine
	Until  string `json:"until,omitempty"`
	Reason string `json:"reason"`
	Owner  string `json:"owner"`
}

// whyApproval is somebody's word that holds now.
type whyApproval struct {
	By     string `json:"by"`
	At     string `json:"at"`
	Until  string `json:"until,omitempty"` // absent once its rollout has begun
	Reason string `json:"reason"`
	Digest string `json:"digest"`
}

// whyOther is a layer that the function has and this environment does not want
// on it.
type whyOther struct {
	ARN    string `json:"arn"`
	Reason string `json:"reason"`
}

// whyNot is why a layer's selectors do not choose the function.
type whyNot struct {
	Layer  string `json:"layer"`
	Reason string `json:"reason"`
	whyLine

	near float64
}

// whyAlias is an alias that serves another version of a layer than $LATEST has.
type whyAlias struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
	Layer   string `json:"layer"`
	Serves  string `json:"serves"` // empty: no version of it
	Latest  string `json:"latest"`
}

// answerWhy puts together what is known. Where an environment selects the
// function only such environments answer; else all that can see it say why not,
// and those that once changed it.
func answerWhy(result round.Result, places []whyPlace, function string) whyView {
	v := whyView{FormatVersion: "1", Function: function, Past: result.Past, Revision: result.Revision, Environments: []whyEnvironment{}}
	selected := false
	var all []whyEnvironment
	for _, p := range places {
		e := p.answer(result, function)
		if !e.Exists && len(e.Changes) == 0 {
			continue
		}
		selected = selected || e.Selected
		all = append(all, e)
	}
	for _, e := range all {
		if !selected || e.Selected || !e.Exists {
			v.Environments = append(v.Environments, e)
		}
	}
	return v
}

// answer is one environment's.
func (p whyPlace) answer(result round.Result, function string) whyEnvironment {
	doc := plan.NewDocument(result.Past, result.Revision, []plan.Plan{{
		Environment: p.region.Want.Name, Digest: p.digest, Regions: []plan.Region{p.only(function)},
	}}, nil).Environments[0]
	f, exists := p.function(function)
	e := whyEnvironment{
		Environment: doc.Environment, Account: doc.Account, Region: doc.Region, ObservedAt: doc.ObservedAt, Exists: exists,
		Digest: doc.Digest, Window: doc.Window, Blocked: doc.Blocked, Error: doc.Error,
		Layers: []whyLayer{}, Others: []whyOther{}, NotSelected: []whyNot{}, Aliases: []whyAlias{}, Notes: []string{}, Changes: []entryView{},
	}
	for _, c := range p.changes {
		e.Changes = append(e.Changes, viewEntry(c))
	}
	if !exists {
		return e
	}
	for _, w := range p.region.Want.Layers {
		if w.Selects(f) {
			e.Selected = true
			e.Layers = append(e.Layers, p.layer(w, f, doc))
			e.Aliases = append(e.Aliases, p.behind(w, f)...)
			continue
		}
		e.NotSelected = append(e.NotSelected, notSelected(w, f))
	}
	e.Others = p.others(f)
	if p.unread != "" {
		e.Notes = append(e.Notes, "its aliases are not known: "+p.unread)
	}
	if e.Selected && p.region.Rollout.Open() {
		e.Notes = append(e.Notes, rolloutText(p.region))
	}
	if slices.Contains(p.region.LeftAlone, function) {
		e.Notes = append(e.Notes, "left alone: somebody else has changed it since the rollout, which goes back without it")
	}
	for _, problem := range p.region.Problems {
		e.Notes = append(e.Notes, fmt.Sprintf("%s:%d: %s", problem.File, problem.Line, problem.Message))
	}
	return e
}

// only keeps of a plan what is about the function.
func (p whyPlace) only(function string) plan.Region {
	r := p.region
	r.Steps = keep(r.Steps, func(s plan.Step) bool { return s.Function == function })
	r.Drift = keep(r.Drift, func(d plan.Drift) bool { return d.Function == function })
	r.Blocked = keep(r.Blocked, func(b plan.Blocked) bool { return b.Function == function })
	r.Behind, r.Kept, r.Notes = nil, nil, nil
	return r
}

func keep[T any](list []T, good func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return !good(x) })
}

func (p whyPlace) layer(w desired.LayerWish, f state.Function, doc plan.EnvironmentView) whyLayer {
	l := whyLayer{Layer: w.Name, LayerARN: string(w.Layer), Status: "unknown"}
	if v, _, ok := f.Has(w.Layer); ok {
		l.Have = v.Number()
		l.HaveVersion = p.semver(w, l.Have)
	}
	version, pin := w.Wants(f)
	l.Asked, l.Version = version.Text, line(w.At, version.Text)
	for _, s := range w.Functions {
		if s.Match(f, w.Layer) {
			l.Selector = line(s.At, selectorText(s))
			break
		}
	}
	if pin != nil {
		l.Version = line(pin.At, version.Text)
		l.Pin = &whyPin{whyLine: l.Version, Reason: pin.Reason, Owner: pin.Owner}
		if !pin.Until.IsZero() {
			l.Pin.Until = pin.Until.UTC().Format(time.RFC3339)
		}
	}
	l.decided(p, doc, version)
	if e, ok := p.put[w.Layer]; ok && e.ToNumber == l.Have {
		view := viewEntry(e)
		l.PutBy, l.entry = &view, e
	}
	return l
}

// decided fills in what the plan says of the layer.
func (l *whyLayer) decided(p whyPlace, doc plan.EnvironmentView, asked desired.Version) {
	for i, d := range doc.Drift {
		if d.Layer == l.Layer {
			l.Drift = &doc.Drift[i]
			l.since, _ = time.Parse(time.RFC3339, d.Since)
		}
	}
	for i, s := range doc.Steps {
		if s.Layer != l.Layer {
			continue
		}
		l.Step, l.Status = &doc.Steps[i], "pending"
		l.Want, l.WantVersion = state.LayerVersionARN(s.To).Number(), s.ToVersion
		for _, step := range p.region.Steps {
			if step.ID != s.ID {
				continue
			}
			l.Approval = p.approval(step)
			if step.Held != nil {
				l.held, l.approvable, l.Status = step.Held, p.region.Approvable(step), "held"
			}
		}
		return
	}
	broken := slices.ContainsFunc(p.region.Problems, func(x desired.Problem) bool { return x.Severity == desired.Error })
	switch {
	case len(doc.Blocked) > 0 && !l.is(asked):
		// Whichever layer is the reason: a function is blocked as a whole, and
		// the steps of its other layers are not in the plan either.
		l.Status = "blocked"
	case p.region.Failure != nil || broken: // nothing was decided
	case l.Drift != nil:
		l.Status = "drift" // only reported
	default:
		l.Status, l.Want, l.WantVersion = "in_sync", l.Have, l.HaveVersion
	}
}

// is says whether what the function has is surely what Git asks for. Of a range
// nobody can tell without what the plan would have resolved.
func (l *whyLayer) is(v desired.Version) bool {
	switch v.Kind {
	case desired.Exact:
		return l.HaveVersion != "" && l.HaveVersion == v.Semver.String()
	case desired.Number:
		return l.Have == v.Number
	case desired.None:
		return l.Have == 0
	default:
		return false
	}
}

// approval finds the word that covers a step.
func (p whyPlace) approval(s plan.Step) *whyApproval {
	for _, a := range p.given {
		if !a.Covers(plan.Line(p.region.Want.Region, s), p.digest) {
			continue
		}
		v := &whyApproval{By: a.By, At: a.At.UTC().Format(time.RFC3339), Reason: a.Reason, Digest: a.Digest}
		if a.Begun.IsZero() {
			v.Until = a.Expires(p.region.Want.Calendar).UTC().Format(time.RFC3339)
		}
		return v
	}
	return nil
}

// semver is what a live number of a layer is called: what Git says of it, else
// what its Description says.
func (p whyPlace) semver(w desired.LayerWish, n int64) string {
	if label := catalog.New(w, p.snap, nil).Label(n); label != "" {
		return label
	}
	for _, s := range p.region.Steps {
		if s.LayerARN == w.Layer && s.From.Number() == n && s.FromVersion != "" {
			return s.FromVersion
		}
	}
	return ""
}

func (p whyPlace) behind(w desired.LayerWish, f state.Function) []whyAlias {
	have, _, _ := f.Has(w.Layer)
	var out []whyAlias
	for _, a := range p.aliases {
		serves, _, _ := state.Function{Layers: a.layers}.Has(w.Layer)
		if serves != have {
			out = append(out, whyAlias{Alias: a.name, Version: a.version, Layer: w.Name, Serves: string(serves), Latest: string(have)})
		}
	}
	return out
}

func (p whyPlace) others(f state.Function) []whyOther {
	others := []whyOther{}
	for _, v := range f.Layers {
		wish := slices.IndexFunc(p.region.Want.Layers, func(w desired.LayerWish) bool { return w.Layer == v.Layer() })
		reason := "named neither by Git nor by unmanaged"
		switch {
		case wish >= 0 && p.region.Want.Layers[wish].Selects(f):
			continue
		case wish >= 0:
			reason = "not selected, left as it is"
		case slices.ContainsFunc(p.region.Want.Unmanaged, func(u string) bool {
			return desired.Glob(u, string(v)) || desired.Glob(u, string(v.Layer()))
		}):
			reason = "unmanaged"
		}
		others = append(others, whyOther{ARN: string(v), Reason: reason})
	}
	return others
}
