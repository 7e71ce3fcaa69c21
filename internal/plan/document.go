package plan

import (
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/rollout"
)

// FormatVersion is the version of Document. Fields are only ever added within
// one version.
const FormatVersion = "1"

// Document is plans as other programs read them: the JSON of plan and apply
// (DESIGN section 4). Its lists are never null.
type Document struct {
	FormatVersion string            `json:"format_version"`
	Past          string            `json:"past"` // none, store or server
	Environments  []EnvironmentView `json:"environments"`
	Problems      []desired.Problem `json:"problems"`
}

// EnvironmentView is one environment in one Region.
type EnvironmentView struct {
	Environment string        `json:"environment"`
	Account     string        `json:"account"`
	Region      string        `json:"region"`
	Revision    string        `json:"revision"`
	ObservedAt  string        `json:"observed_at"` // RFC 3339, UTC; empty when not read
	InSync      bool          `json:"in_sync"`
	Digest      string        `json:"digest"`
	Window      WindowView    `json:"window"`
	Steps       []StepView    `json:"steps"`
	Drift       []DriftView   `json:"drift"`
	Blocked     []BlockedView `json:"blocked"`
	Kept        []KeptView    `json:"kept"`
	Aliases     []AliasView   `json:"aliases"`
	Notes       []NoteView    `json:"notes"`
	Rollout     *RolloutView  `json:"rollout,omitempty"` // the one under way
	Waves       []WaveView    `json:"waves"`
	LeftAlone   []string      `json:"left_alone"` // functions that are not returned
	Unselected  int           `json:"unselected"`
	Cost        CostView      `json:"cost"`
	Error       *ErrorView    `json:"error,omitempty"`
}

// WindowView is the calendar at the time of the decision.
type WindowView struct {
	Open     bool   `json:"open"`
	NextOpen string `json:"next_open,omitempty"`
	ClosesAt string `json:"closes_at,omitempty"`
	Reason   string `json:"reason"`
}

// StepView is one step. From and To are versions of its layer; of a serve step,
// the function version that callers get now and the alias they reach it by. A version
// that is not published yet has sha256:HEX where others have their number.
type StepView struct {
	ID          string       `json:"id"`
	Kind        Kind         `json:"kind"`
	Layer       string       `json:"layer"`
	Function    string       `json:"function"`
	From        string       `json:"from"`
	To          string       `json:"to"`
	FromVersion string       `json:"from_version"`
	ToVersion   string       `json:"to_version"`
	New         bool         `json:"new"`
	Cause       Cause        `json:"cause"`
	Reason      string       `json:"reason"`
	Wave        int          `json:"wave"`
	Publish     *PublishView `json:"publish,omitempty"` // of a publish
	Share       *ShareView   `json:"share,omitempty"`   // of a share
	Held        *HeldView    `json:"held,omitempty"`
	Result      *ResultView  `json:"result,omitempty"`
}

// PublishView is what a publish makes a version of.
type PublishView struct {
	Artifact    string `json:"artifact"` // s3://BUCKET/KEY, or a path in the repository
	SHA256      string `json:"sha256"`   // of the zip, in hex
	Size        int64  `json:"size"`     // of the zip, in bytes
	Unzipped    int64  `json:"unzipped"` // of what it holds, in bytes
	Description string `json:"description"`
}

// ShareView is whom a version is shared with: to is the version, or from the one that
// is no longer shared.
type ShareView struct {
	With string `json:"with"` // an account, o-…, or * for every AWS account
	Sid  string `json:"sid"`
}

// HeldView is why a step waits, and who else holds it.
type HeldView struct {
	HolderView
	Also []HolderView `json:"also"`
}

// HolderView is one of those that hold a step.
type HolderView struct {
	By     By     `json:"by"`
	Until  string `json:"until,omitempty"`
	Reason string `json:"reason"`
}

// ResultView is how a step ended.
type ResultView struct {
	Status    Status `json:"status"`
	Error     string `json:"error,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// DriftView is one difference that nobody asked for.
type DriftView struct {
	Kind     string `json:"kind"`
	Layer    string `json:"layer"`
	Function string `json:"function"`
	Want     string `json:"want"`
	Have     string `json:"have"`
	Since    string `json:"since"`
	Reason   string `json:"reason"`
}

// BlockedView is one function that cannot be changed.
type BlockedView struct {
	Function string `json:"function"`
	Layer    string `json:"layer"`
	Reason   string `json:"reason"`
}

// KeptView is one version that retention keeps.
type KeptView struct {
	Layer   string `json:"layer"`
	Version int64  `json:"version"`
	Semver  string `json:"semver"`
	Reason  string `json:"reason"`
}

// AliasView is one alias that serves another version than $LATEST.
type AliasView struct {
	Function string `json:"function"`
	Alias    string `json:"alias"`
	Version  string `json:"version"`
	Layer    string `json:"layer"`
	Serves   string `json:"serves"`
	Latest   string `json:"latest"`
}

// NoteView is something worth saying.
type NoteView struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// RolloutView is a rollout that is under way or still watched.
type RolloutView struct {
	ID       string        `json:"id"`
	Revision string        `json:"revision"`
	Stage    rollout.Stage `json:"stage"`
	Wave     int           `json:"wave"`
	Waves    int           `json:"waves"`
	Since    string        `json:"since"`     // RFC 3339, UTC; when the stage began
	JudgedAt string        `json:"judged_at"` // RFC 3339, UTC; empty while nothing is watched
	Reason   string        `json:"reason"`    // why it halted or goes back; empty otherwise
	Findings []string      `json:"findings"`  // of the last judgement
}

// WaveView is how many functions one wave has still to change.
type WaveView struct {
	Wave      int `json:"wave"`
	Functions int `json:"functions"`
}

// CostView is what the plan takes.
type CostView struct {
	Calls   int     `json:"calls"`
	Seconds float64 `json:"seconds"`
}

// ErrorView is why an environment could not be decided or applied.
type ErrorView struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// NewDocument returns plans for other programs. revision is the commit they
// were made from; problems are those of the repository, to which those found
// while planning are added.
func NewDocument(past, revision string, plans []Plan, problems []desired.Problem) Document {
	d := Document{
		FormatVersion: FormatVersion, Past: past,
		Environments: []EnvironmentView{}, Problems: append([]desired.Problem{}, problems...),
	}
	for _, p := range plans {
		for _, r := range p.Regions {
			d.Environments = append(d.Environments, viewRegion(p, r, revision))
			d.Problems = append(d.Problems, r.Problems...)
		}
	}
	return d
}

func viewRegion(p Plan, r Region, revision string) EnvironmentView {
	v := EnvironmentView{
		Environment: p.Environment, Account: r.Want.Account, Region: r.Want.Region,
		Revision: revision, ObservedAt: Timestamp(r.ObservedAt), InSync: r.InSync, Digest: p.Digest,
		Window: WindowView{
			Open: r.Window.Open, NextOpen: Timestamp(r.Window.NextOpen),
			ClosesAt: Timestamp(r.Window.ClosesAt), Reason: r.Window.Reason,
		},
		Steps:   Views(r.Steps, viewStep),
		Drift:   Views(r.Drift, viewDrift),
		Blocked: Views(r.Blocked, func(b Blocked) BlockedView { return BlockedView{b.Function, b.Layer, b.Reason} }),
		Kept:    Views(r.Kept, func(k Kept) KeptView { return KeptView{k.Layer, k.Version, k.Semver, k.Reason} }),
		Aliases: Views(r.Behind, viewAlias),
		Notes:   Views(r.Notes, func(n Note) NoteView { return NoteView(n) }),
		Waves:   Views(r.Waves, func(w Wave) WaveView { return WaveView(w) }),
		Cost:    CostView(r.Cost), Unselected: r.Unselected, LeftAlone: append([]string{}, r.LeftAlone...),
	}
	if r.Rollout != nil {
		v.Rollout = viewRollout(*r.Rollout, r.Want.Rules())
	}
	if r.Failure != nil {
		v.Error = &ErrorView{r.Failure.Code, r.Failure.Message, r.Failure.Retryable}
	}
	return v
}

func viewStep(s Step) StepView {
	v := StepView{
		ID: s.ID, Kind: s.Kind, Layer: s.Layer, Function: s.Function,
		From: string(s.From), To: string(s.To), FromVersion: s.FromVersion, ToVersion: s.ToVersion,
		New: s.New, Cause: s.Cause, Reason: s.Reason, Wave: s.Wave,
	}
	if s.Serving != nil {
		v.From, v.To = s.Serving.Served.Version, s.Serving.Qualifier
	}
	if p := s.Publishing; p != nil {
		v.Publish = &PublishView{p.Artifact.Location, p.Content.SHA256, p.Content.Size, p.Content.Unzipped, p.Description}
	}
	if s.Sharing != nil {
		v.Share = &ShareView{s.Sharing.String(), s.Sharing.Sid}
	}
	if s.Held != nil {
		v.Held = &HeldView{HolderView: viewHolder(*s.Held), Also: Views(s.Held.Also, viewHolder)}
	}
	if s.Result != nil {
		if s.Result.Published != "" {
			v.To = string(s.Result.Published)
		}
		v.Result = &ResultView{s.Result.Status, s.Result.Error, s.Result.RequestID}
	}
	return v
}

func viewHolder(h Held) HolderView { return HolderView{h.By, Timestamp(h.Until), h.Reason} }

func viewRollout(r rollout.Rollout, rules desired.Rollout) *RolloutView {
	return &RolloutView{
		ID: r.ID, Revision: r.Revision, Stage: r.Stage, Wave: r.Wave, Waves: r.Waves, Since: Timestamp(r.Since),
		JudgedAt: Timestamp(r.VerdictDue(rules)), Reason: r.Reason, Findings: append([]string{}, r.Findings...),
	}
}

func viewDrift(d Drift) DriftView {
	return DriftView{d.Kind, d.Layer, d.Function, d.Want, d.Have, Timestamp(d.Since), d.Reason}
}

func viewAlias(b Behind) AliasView {
	return AliasView{b.Function, b.Alias, b.Version, b.Layer, string(b.Serves), string(b.Latest)}
}

// Views returns view of each element of list, and never nil, so that JSON has []
// and not null.
func Views[T, V any](list []T, view func(T) V) []V {
	out := make([]V, 0, len(list))
	for _, x := range list {
		out = append(out, view(x))
	}
	return out
}

// Timestamp returns t as documents have it: RFC 3339 in UTC, or "" for the zero
// time.
func Timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
