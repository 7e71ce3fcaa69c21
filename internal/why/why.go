package why

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// Place is what one environment and Region knows of a function.
type Place struct {
	Region    plan.Region
	Digest    string          // of the environment's plan
	Have      *state.Snapshot // nil = not read
	Aliases   []Alias
	Unread    string                           // why the aliases are not known; empty = they are
	Changes   []history.Entry                  // the last ones, newest first
	Put       map[state.LayerARN]history.Entry // what put each layer's version there
	Approvals []ruling.Approval                // that hold now
}

// Alias is an alias of the function and the layers of the version that it serves.
type Alias struct {
	Name, Version string
	Layers        []state.LayerVersionARN
}

// Answer is why a function has what it has, by environment and Region.
type Answer struct {
	Function     string
	Environments []Environment
}

// Environment is the answer of one environment and Region.
type Environment struct {
	Region      plan.Region // of the plan, what is about the function
	Digest      string      // what an approval would name
	Exists      bool
	Selected    bool
	Layers      []Layer       // that the environment wants on it
	Others      []Other       // that it has besides
	NotSelected []NotSelected // the layers that do not choose it
	Behind      []plan.Behind // aliases that serve something else than $LATEST has
	Unread      string        // why the aliases are not known; empty = they are
	LeftAlone   bool          // a rollout that goes back leaves it as somebody changed it
	Changes     []history.Entry
}

// Layer is one wanted layer.
type Layer struct {
	Name              string
	ARN               state.LayerARN
	Have              int64 // 0 = none
	HaveVersion       string
	Want              int64 // 0 = none, or not published yet, or not known where nothing was decided
	WantVersion       string
	Asked             string // as Git writes it
	Yanked            string // why Git has withdrawn what the function has; empty = it has not
	Deprecated        string // what Git advises instead of it; empty = nothing
	Version, Selector Line
	Pin               *desired.Pin // that Version is of
	Status            Status
	Step              *plan.Step
	Approvable        bool             // an approval of the plan would release Step
	Approval          *ruling.Approval // that covers Step
	Drift             *plan.Drift
	PutBy             *history.Entry // the change that put the version there
}

// Status is how a function stands to a wanted layer.
type Status string

// How a function stands to a layer. Drift is reported and not healed; unknown is
// where nothing was decided.
const (
	InSync  Status = "in_sync"
	Pending Status = "pending"
	Held    Status = "held"
	Blocked Status = "blocked"
	Drift   Status = "drift"
	Unknown Status = "unknown"
)

// Line is a line of the repository.
type Line struct {
	File string
	Line int
	Text string
}

// Other is a layer that the function has and its environment does not want on it.
type Other struct {
	ARN    state.LayerVersionARN
	Reason string
}

// Ask returns why a function has what it has. Where environments select it, the
// answer has only those; else it has all that can see the function, with why they do
// not select it, and those that once changed it.
func Ask(function string, places []Place) Answer {
	a := Answer{Function: function}
	selected := false
	var all []Environment
	for _, p := range places {
		e := p.answer(function)
		if !e.Exists && len(e.Changes) == 0 {
			continue
		}
		selected = selected || e.Selected
		all = append(all, e)
	}
	for _, e := range all {
		if !selected || e.Selected || !e.Exists {
			a.Environments = append(a.Environments, e)
		}
	}
	return a
}

// Function returns the function, if it was read.
func (p Place) Function(name string) (state.Function, bool) {
	if p.Have == nil {
		return state.Function{}, false
	}
	return p.Have.Function(name)
}

// Wanted reports whether the environment wants any of its layers on a function.
func (p Place) Wanted(f state.Function) bool {
	return slices.ContainsFunc(p.Region.Want.Layers, func(w desired.LayerWish) bool { return w.Selects(f) })
}

func (p Place) answer(function string) Environment {
	f, exists := p.Function(function)
	e := Environment{Region: p.about(function), Digest: p.Digest, Exists: exists, Changes: p.Changes}
	if !exists {
		return e
	}
	for _, w := range p.Region.Want.Layers {
		if w.Selects(f) {
			e.Selected = true
			e.Layers = append(e.Layers, p.layer(w, f, e.Region))
			e.Behind = append(e.Behind, p.behind(w, f)...)
			continue
		}
		e.NotSelected = append(e.NotSelected, notSelected(w, f))
	}
	e.Others, e.Unread = p.others(f), p.Unread
	e.LeftAlone = slices.Contains(p.Region.LeftAlone, function)
	return e
}

// about returns of a plan what is about the function.
func (p Place) about(function string) plan.Region {
	r := p.Region
	r.Steps = keep(r.Steps, func(s plan.Step) bool { return s.Function == function })
	r.Drift = keep(r.Drift, func(d plan.Drift) bool { return d.Function == function })
	r.Blocked = keep(r.Blocked, func(b plan.Blocked) bool { return b.Function == function })
	r.Behind, r.Kept, r.Notes = nil, nil, nil
	return r
}

func keep[T any](list []T, good func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return !good(x) })
}

// layer returns the answer for one wanted layer; r is what of the plan is about the function.
func (p Place) layer(w desired.LayerWish, f state.Function, r plan.Region) Layer {
	l := Layer{Name: w.Name, ARN: w.Layer, Status: Unknown}
	if v, _, ok := f.Has(w.Layer); ok {
		l.Have = v.Number()
		l.HaveVersion = p.semver(w, l.Have)
		l.Yanked, l.Deprecated = w.Yanked[l.HaveVersion], w.Deprecated[l.HaveVersion]
	}
	version, pin := w.Wants(f)
	l.Asked, l.Version, l.Pin = version.Text, line(w.At, version.Text), pin
	for _, s := range w.Functions {
		if s.Match(f, w.Layer) {
			l.Selector = line(s.At, s.Text())
			break
		}
	}
	if pin != nil {
		l.Version = line(pin.At, version.Text)
	}
	p.decided(&l, r, version)
	if e, ok := p.Put[w.Layer]; ok && e.ToNumber == l.Have {
		l.PutBy = &e
	}
	return l
}

// decided fills in what the plan has for the layer.
func (p Place) decided(l *Layer, r plan.Region, asked desired.Version) {
	for i, d := range r.Drift {
		if d.Layer == l.Name {
			l.Drift = &r.Drift[i]
		}
	}
	if i := slices.IndexFunc(r.Steps, func(s plan.Step) bool { return s.Layer == l.Name }); i >= 0 {
		s := r.Steps[i]
		l.Step, l.Status, l.WantVersion, l.Approval = &s, Pending, s.ToVersion, p.approval(s)
		if s.Serving == nil {
			l.Want = s.To.Number()
		}
		if s.Held != nil {
			l.Approvable, l.Status = p.Region.Approvable(s), Held
		}
		return
	}
	switch {
	case len(r.Blocked) > 0 && !l.is(asked):
		// Whichever layer is the reason: a function is blocked as a whole, and
		// the steps of its other layers are not in the plan either.
		l.Status = Blocked
	case r.Failure != nil || desired.Errors(r.Problems): // nothing was decided
	case l.Drift != nil:
		l.Status = Drift // only reported
	default:
		l.Status, l.Want, l.WantVersion = InSync, l.Have, l.HaveVersion
	}
}

// is reports whether what the function has is surely what Git asks for. Of a range
// nobody can tell without what the plan would have resolved.
func (l *Layer) is(v desired.Version) bool {
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

// approval returns the approval that covers a step; nil = there is none.
func (p Place) approval(s plan.Step) *ruling.Approval {
	for i, a := range p.Approvals {
		if a.Covers(plan.Line(p.Region.Want.Region, s), p.Digest) || a.Covers(plan.LineBefore(p.Region.Want.Region, s), p.Digest) {
			return &p.Approvals[i]
		}
	}
	return nil
}

// semver returns what a live number of a layer is called: its name in Git, else the
// one in its Description.
func (p Place) semver(w desired.LayerWish, n int64) string {
	if label := catalog.New(w, p.Have, nil).Label(n); label != "" {
		return label
	}
	for _, s := range p.Region.Steps {
		if s.LayerARN == w.Layer && s.From.Number() == n && s.FromVersion != "" {
			return s.FromVersion
		}
	}
	return ""
}

// behind returns the aliases that serve another version of a layer than $LATEST has.
func (p Place) behind(w desired.LayerWish, f state.Function) []plan.Behind {
	have, _, _ := f.Has(w.Layer)
	var out []plan.Behind
	for _, a := range p.Aliases {
		if serves := state.Layers(a.Layers).Of(w.Layer); serves != have {
			out = append(out, plan.Behind{Function: f.Name, Alias: a.Name, Version: a.Version, Layer: w.Name, Serves: serves, Latest: have})
		}
	}
	return out
}

func (p Place) others(f state.Function) []Other {
	var others []Other
	for _, v := range f.Layers {
		wish := slices.IndexFunc(p.Region.Want.Layers, func(w desired.LayerWish) bool { return w.Layer == v.Layer() })
		reason := "named neither by Git nor by unmanaged"
		switch {
		case wish >= 0 && p.Region.Want.Layers[wish].Selects(f):
			continue
		case wish >= 0:
			reason = "not selected, left as it is"
		case p.Region.Want.LeavesAlone(v):
			reason = "unmanaged"
		}
		others = append(others, Other{ARN: v, Reason: reason})
	}
	return others
}

// Valid returns those of the approvals that hold at an instant.
func Valid(approvals []ruling.Approval, want desired.Environment, now time.Time) []ruling.Approval {
	return keep(approvals, func(a ruling.Approval) bool { return a.Valid(want.Calendar, now) })
}
