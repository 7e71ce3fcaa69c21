package history

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// Kinds of entries that are no steps but decisions: a person's, or what the
// checks of a rollout came to.
const (
	KindApproval   plan.Kind   = ruling.DecidedApproval
	KindForget     plan.Kind   = ruling.DecidedForget
	KindQuarantine plan.Kind   = ruling.DecidedQuarantine // also a rollback by hand
	KindRetry      plan.Kind   = ruling.DecidedRetry      // a quarantine was lifted, or a rollout that halted goes on
	KindRollout    plan.Kind   = "rollout"                // what became of one; its Status is the rollout.Stage
	CauseRuling    plan.Cause  = "ruling"
	StatusGiven    plan.Status = "given"
)

// rulingSegment is behind the ID in the key of a ruling.
const rulingSegment = "ruling"

// rulingDoc is one decision of a person. It is written once and never changed.
// Stored: names and meanings stay.
type rulingDoc struct {
	head
	Kind        plan.Kind       `json:"kind"`
	Environment string          `json:"environment"`
	Digest      string          `json:"digest,omitempty"`
	By          string          `json:"by"`
	Reason      string          `json:"reason,omitempty"`
	Steps       int             `json:"steps,omitempty"` // of the plan; 0 = nobody had offered it
	At          time.Time       `json:"at"`
	Quarantine  *quarantined    `json:"quarantine,omitempty"` // what was quarantined, or lifted; nil = another kind
	Resumed     *resumed        `json:"resumed,omitempty"`    // the rollout that goes on; nil = another kind
	Outcome     *rolloutOutcome `json:"stood,omitempty"`      // what became of a rollout; nil = another kind
}

// rolloutOutcome is what became of a rollout. Stored.
type rolloutOutcome struct {
	Region   string        `json:"region"`
	Rollout  string        `json:"rollout"`
	Revision string        `json:"revision,omitempty"`
	Stage    rollout.Stage `json:"stage"`
	Wave     int           `json:"wave"`
	Waves    int           `json:"waves"`
	Findings []string      `json:"findings,omitempty"`
	Begun    time.Time     `json:"begun"`
}

// resumed is which rollout a retry lets go on. Stored.
type resumed struct {
	Region  string `json:"region"`
	Rollout string `json:"rollout"`
}

// quarantined is of which version a ruling is. Stored.
type quarantined struct {
	Region    string         `json:"region"`
	Layer     state.LayerARN `json:"layer"`
	Name      string         `json:"name"` // in Git
	Number    int64          `json:"number"`
	Semver    string         `json:"semver,omitempty"`
	Functions string         `json:"functions,omitempty"` // a glob; empty = all
	RevertTo  int64          `json:"back,omitempty"`
	ByPerson  bool           `json:"hand,omitempty"`
	Rollout   string         `json:"rollout,omitempty"`
}

func (d rulingDoc) entry(id string) Entry {
	step := string(d.Kind) + "/" + d.Environment
	if d.Digest != "" {
		step += "/" + d.Digest
	}
	e := Entry{
		ID: id, Round: Round{Environment: d.Environment, Digest: d.Digest, Approval: d.Digest, ApprovedBy: d.By},
		Action: Action{Step: step, Kind: d.Kind, Cause: CauseRuling, Reason: d.Reason},
		Status: StatusGiven, Steps: d.Steps, Started: d.At, Ended: d.At,
	}
	if d.Quarantine != nil {
		d.Quarantine.fill(&e)
	}
	if d.Resumed != nil {
		e.Region, e.Rollout = d.Resumed.Region, d.Resumed.Rollout
		e.Step += "/" + e.Region
	}
	if s := d.Outcome; s != nil {
		e.Region, e.Rollout, e.Revision, e.Wave, e.Findings = s.Region, s.Rollout, s.Revision, s.Wave, s.Findings
		e.Status, e.Started, e.Duration = plan.Status(s.Stage), s.Begun, d.At.Sub(s.Begun)
		e.Step += "/" + s.Region + "/" + string(s.Stage)
	}
	return e
}

// fill fills in what a quarantine has more than other rulings: it goes from the
// number that is bad to the one to return to, and a retry the other way.
func (q quarantined) fill(e *Entry) {
	e.Step += "/" + q.Region + "/" + q.Name + "/" + strconv.FormatInt(q.Number, 10)
	if q.Functions != "" {
		e.Step += "/" + q.Functions
	}
	e.Region, e.Layer, e.LayerARN, e.Function, e.Rollout = q.Region, q.Name, q.Layer, q.Functions, q.Rollout
	e.From, e.FromNumber, e.FromVersion = numbered(q.Layer, q.Number), q.Number, q.Semver
	e.To, e.ToNumber = numbered(q.Layer, q.RevertTo), q.RevertTo
	if e.Kind == KindRetry {
		e.From, e.FromNumber, e.FromVersion, e.To, e.ToNumber, e.ToVersion = e.To, e.ToNumber, "", e.From, e.FromNumber, e.FromVersion
	}
}

// numbered names a version of a layer; empty for the number 0.
func numbered(layer state.LayerARN, number int64) state.LayerVersionARN {
	if number == 0 {
		return ""
	}
	return layer.Version(number)
}

var _ ruling.Journal = (*Log)(nil)

// Rulings returns the registry of the repository, whose journal this history is.
func (l *Log) Rulings() *ruling.Registry { return ruling.Open(l.store, l.repository, l) }

// RecordDecision appends who decided what. When it returns, that is durable.
func (l *Log) RecordDecision(ctx context.Context, d ruling.Decision) error {
	doc := rulingDoc{
		Kind: plan.Kind(d.Kind), Environment: d.Environment, Digest: d.Digest, By: d.By, Reason: d.Reason, Steps: d.Steps, At: d.At.UTC(),
	}
	if q := d.Quarantine; q != nil {
		doc.Quarantine = &quarantined{
			Region: q.Region, Layer: q.Layer, Name: q.Name, Number: q.Number, Semver: q.Semver, Functions: q.Functions,
			RevertTo: q.RevertTo, ByPerson: q.ByPerson, Rollout: q.Rollout,
		}
	}
	return l.rule(ctx, doc)
}

// Resume lets a rollout that halted go on: its wave is watched and judged once
// more. Who said so is written into the history first. ok is false when it is not
// halted any more, or not that one; then nothing is written.
func (l *Log) Resume(ctx context.Context, environment, region, id, by, reason string) (ok bool, err error) {
	ro, err := l.Rollout(ctx, environment, region)
	if err != nil || ro == nil || ro.ID != id || ro.Stage != rollout.StageHalted {
		return false, err
	}
	now := time.Now().UTC()
	err = l.rule(ctx, rulingDoc{
		Kind: KindRetry, Environment: environment, By: by, Reason: reason, At: now, Resumed: &resumed{Region: region, Rollout: id},
	})
	if err != nil {
		return false, fmt.Errorf("record who lets the rollout go on: %w", err)
	}
	return true, l.SaveRollout(ctx, environment, region, ro.Next(rollout.Resumed{}, desired.Rollout{}, now))
}

// NoteRollout writes into the history what became of a rollout, with all that
// its checks found: the rollout itself is kept only until the next one begins. It
// comes before SaveRollout; after a kill in between the same is noted twice.
func (l *Log) NoteRollout(ctx context.Context, environment, region, by string, r rollout.Rollout) error {
	err := l.rule(ctx, rulingDoc{
		Kind: KindRollout, Environment: environment, By: by, Reason: r.Reason, Steps: r.Total, At: time.Now().UTC(),
		Outcome: &rolloutOutcome{
			Region: region, Rollout: r.ID, Revision: r.Revision, Stage: r.Stage, Wave: r.Wave, Waves: r.Waves,
			Findings: findings(r.Findings), Begun: stored(r.Begun),
		},
	})
	if err != nil {
		return fmt.Errorf("record what became of the rollout of %s in %s: %w", environment, region, err)
	}
	return nil
}

// rule appends a ruling. Its key lies between those of the records, so that
// reading the history newest first stays one scan.
func (l *Log) rule(ctx context.Context, d rulingDoc) error {
	d.V, d.By, d.Reason = version, truncate(d.By), truncate(d.Reason)
	key := store.Key("history", l.repository, l.clock.next(time.Now()), rulingSegment)
	return docs[rulingDoc](l).Update(ctx, key, func(now *rulingDoc) bool {
		if now.V != 0 {
			return false // our own write, whose answer was lost: the key has a random word
		}
		*now = d
		return true
	})
}
