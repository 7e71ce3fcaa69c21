package present

import (
	"slices"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/why"
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
	Want        int64           `json:"want"` // 0 = none, or not published yet, or not known where nothing was decided
	WantVersion string          `json:"want_version"`
	Asked       string          `json:"asked"`                // as Git writes it
	Yanked      string          `json:"yanked,omitempty"`     // why Git has withdrawn what it has
	Deprecated  string          `json:"deprecated,omitempty"` // what Git advises instead of what it has
	Version     whyLine         `json:"version"`
	Selector    whyLine         `json:"selector"`
	Pin         *whyPin         `json:"pin,omitempty"`
	Status      why.Status      `json:"status"`
	Step        *plan.StepView  `json:"step,omitempty"`
	Approval    *whyApproval    `json:"approval,omitempty"` // that covers Step
	Drift       *plan.DriftView `json:"drift,omitempty"`
	PutBy       *entryView      `json:"put_by,omitempty"` // the change that put the version there
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
}

// whyAlias is an alias that serves another version of a layer than $LATEST has.
type whyAlias struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
	Layer   string `json:"layer"`
	Serves  string `json:"serves"` // empty: no version of it
	Latest  string `json:"latest"`
}

// WhyDocument returns an answer for other programs. of is the round that the answer
// is from.
func WhyDocument(a why.Answer, of plan.Report) any {
	return whyView{
		FormatVersion: "1", Function: a.Function, Past: of.Past, Revision: of.Revision,
		Environments: plan.Views(a.Environments, func(e why.Environment) whyEnvironment { return viewAnswer(e, of) }),
	}
}

func viewAnswer(e why.Environment, of plan.Report) whyEnvironment {
	doc := plan.NewDocument(of.Past, of.Revision, []plan.Plan{{
		Environment: e.Region.Want.Name, Digest: e.Digest, Regions: []plan.Region{e.Region},
	}}, nil).Environments[0]
	return whyEnvironment{
		Environment: doc.Environment, Account: doc.Account, Region: doc.Region, ObservedAt: doc.ObservedAt, Exists: e.Exists, Selected: e.Selected,
		Digest: doc.Digest, Window: doc.Window, Blocked: doc.Blocked, Error: doc.Error, Notes: whyNotes(e),
		Layers: plan.Views(e.Layers, func(l why.Layer) whyLayer { return viewLayer(e, l, doc) }),
		Others: plan.Views(e.Others, func(o why.Other) whyOther { return whyOther{string(o.ARN), o.Reason} }),
		NotSelected: plan.Views(e.NotSelected, func(n why.NotSelected) whyNot {
			return whyNot{n.Layer, n.Reason, whyLine(n.Line)}
		}),
		Aliases: plan.Views(e.Behind, func(b plan.Behind) whyAlias {
			return whyAlias{b.Alias, b.Version, b.Layer, string(b.Serves), string(b.Latest)}
		}),
		Changes: plan.Views(e.Changes, viewEntry),
	}
}

func viewLayer(e why.Environment, l why.Layer, doc plan.EnvironmentView) whyLayer {
	v := whyLayer{
		Layer: l.Name, LayerARN: string(l.ARN), Have: l.Have, HaveVersion: l.HaveVersion, Want: l.Want, WantVersion: l.WantVersion,
		Asked: l.Asked, Yanked: l.Yanked, Deprecated: l.Deprecated, Version: whyLine(l.Version), Selector: whyLine(l.Selector), Status: l.Status,
	}
	if p := l.Pin; p != nil {
		v.Pin = &whyPin{whyLine: v.Version, Until: plan.Timestamp(p.Until), Reason: p.Reason, Owner: p.Owner}
	}
	if l.Step != nil {
		i := slices.IndexFunc(doc.Steps, func(s plan.StepView) bool { return s.ID == l.Step.ID })
		v.Step = &doc.Steps[i]
	}
	if l.Drift != nil {
		i := slices.IndexFunc(e.Region.Drift, func(d plan.Drift) bool { return d == *l.Drift })
		v.Drift = &doc.Drift[i]
	}
	if a := l.Approval; a != nil {
		v.Approval = &whyApproval{By: a.By, At: plan.Timestamp(a.At), Until: plan.Timestamp(expires(e, l)), Reason: a.Reason, Digest: a.Digest}
	}
	if l.PutBy != nil {
		put := viewEntry(*l.PutBy)
		v.PutBy = &put
	}
	return v
}
