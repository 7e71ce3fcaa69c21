package history

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// record is one write to AWS: all steps of one function, one publish, one grant, or one prune. It is
// whole in itself, so that history can be read newest first without looking
// anything up. Stored: names and meanings stay.
type record struct {
	head
	RoundID string `json:"round"` // the ID that its round began with
	Round
	Wave        int                     `json:"wave,omitempty"`
	Alias       string                  `json:"alias,omitempty"`
	AliasBefore string                  `json:"alias_before,omitempty"`
	Canary      bool                    `json:"canary,omitempty"`
	Runtime     string                  `json:"runtime,omitempty"` // version of the function's runtime before; an ARN
	Steps       []Action                `json:"steps"`
	Before      []state.LayerVersionARN `json:"before"`
	After       []state.LayerVersionARN `json:"after"`
	Started     time.Time               `json:"started"`
	End         *endDoc                 `json:"end,omitempty"` // nil: nobody knows yet
}

// Action is one step of a write. Stored: names and meanings stay.
type Action struct {
	Step        string                `json:"id"` // "attach/makoto-common/makoto-chat-handler-prod"
	Kind        plan.Kind             `json:"kind"`
	Layer       string                `json:"layer"` // the name in Git
	LayerARN    state.LayerARN        `json:"layer_arn"`
	Function    string                `json:"function,omitempty"` // empty for a prune, a publish and a share
	From        state.LayerVersionARN `json:"from,omitempty"`
	To          state.LayerVersionARN `json:"to,omitempty"`
	FromVersion string                `json:"from_version,omitempty"`
	ToVersion   string                `json:"to_version,omitempty"`
	Cause       plan.Cause            `json:"cause"`
	AnyTime     bool                  `json:"any_time,omitempty"` // of no rollout: it brought what all others had
	Reason      string                `json:"reason,omitempty"`
	Asked       *desired.Asked        `json:"asked,omitempty"` // of a change; nil = whoever the round says
	// Of a publish: the archive that the version is made of, and its SHA-256 in lower-case
	// hex. To is what LayerARN.Unpublished returns.
	Artifact string `json:"artifact,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
	// Sharing is the grant of a share: To is the version that it is made on, From the one
	// on which it is taken back.
	Sharing *plan.Sharing `json:"sharing,omitempty"`
}

type endDoc struct {
	Status    plan.Status `json:"status"`
	Error     string      `json:"error,omitempty"`
	RequestID string      `json:"request_id,omitempty"`
	// List is what was there at the end, where it differs from what was meant.
	// Seen and empty is not nil, and was kept as nil once.
	List       []state.LayerVersionARN `json:"list,omitzero"`
	AliasAfter string                  `json:"alias_after,omitempty"`
	// Published is the version that a publish made, with its number.
	Published state.LayerVersionARN `json:"published,omitempty"`
	Ended     time.Time             `json:"ended"`
	// Interrupted: whoever made the record was killed, and somebody else ended it.
	Interrupted bool `json:"interrupted,omitempty"`
}

// maxText bounds what AWS or a person wrote; a record must always fit.
const maxText = 4 << 10

func newRecord(round string, r Round, in apply.Intent, now time.Time) record {
	r.Window = truncate(r.Window)
	rec := record{
		head: head{version}, RoundID: round, Round: r, Alias: in.Alias, AliasBefore: in.AliasBefore, Canary: in.Canary, Runtime: in.Runtime,
		Before: in.Before, After: in.After, Started: now.UTC(),
	}
	for _, s := range in.Steps {
		if s.Function != "" {
			rec.Wave = max(rec.Wave, s.Wave) // all of one function are in one
		}
		rec.Steps = append(rec.Steps, Action{
			Step: s.ID, Kind: s.Kind, Layer: s.Layer, LayerARN: s.LayerARN, Function: s.Function, From: s.From, To: s.To,
			FromVersion: s.FromVersion, ToVersion: s.ToVersion, Cause: s.Cause, AnyTime: s.AnyTime, Reason: truncate(s.Reason), Asked: truncatedAsked(s.Asked), Sharing: s.Sharing,
		})
		if p := s.Publishing; p != nil {
			a := &rec.Steps[len(rec.Steps)-1]
			a.Artifact, a.SHA256, a.ToVersion = p.Artifact.Location, p.Content.SHA256, p.Artifact.Version
		}
	}
	return rec
}

// truncatedAsked bounds what a commit says of itself.
func truncatedAsked(a *desired.Asked) *desired.Asked {
	if a == nil {
		return nil
	}
	short := *a
	short.Author, short.Subject = words.Truncate(a.Author, maxSubject), words.Truncate(a.Subject, maxSubject)
	return &short
}

// maxSubject bounds the author and the subject of a commit.
const maxSubject = 300

// Entry is one step of one write. Ended is zero while nobody knows how it ended.
//
// An entry with CauseRuling is no step: it is what a person decided, and has an
// Environment, Digest, Reason, ApprovedBy and Steps; one about a quarantine has a
// Region, a layer, From, To and Rollout as well, and as Function the glob of those
// it is about, empty for all.
type Entry struct {
	ID      string // of the record; the steps of one write share it
	RoundID string // the ID that its round began with
	Round
	Action
	Wave                 int                     // of the rollout, from 1; 0 = none
	FromNumber, ToNumber int64                   // 0 = none
	Before, After        []state.LayerVersionARN // the function's whole list; nil for a prune
	Found                []state.LayerVersionARN // what was there at the end, where that is not After; else nil
	Alias, AliasBefore   string                  // the alias that was to be moved, and the function version it served; empty = none
	AliasAfter           string                  // what it was moved to; empty = it was not, or nobody knows
	Canary               bool                    // the alias was to be given weights only
	Planned              string                  // the commit that the round was decided from
	Subject              string                  // of Revision, where it is known
	Status               plan.Status             // empty without an end
	Interrupted          bool                    // whoever began it was killed; the end was found out by looking
	Error, RequestID     string
	Findings             []string  // of a rollout: what its checks said, and the end of a function's log
	Steps                int       // of a ruling: how many steps it releases; of a rollout: its functions; 0 = not known
	Started, Ended       time.Time // UTC
	Duration             time.Duration
}

// entries returns one Entry for each step of a record.
func (rec record) entries(id string) []Entry {
	list := make([]Entry, 0, len(rec.Steps))
	for _, s := range rec.Steps {
		e := Entry{
			ID: id, RoundID: rec.RoundID, Round: rec.Round, Action: s, Wave: rec.Wave,
			Alias: rec.Alias, AliasBefore: rec.AliasBefore, Canary: rec.Canary,
			FromNumber: s.From.Number(), ToNumber: s.To.Number(), Before: rec.Before, After: rec.After, Started: rec.Started,
		}
		e.Planned = rec.Revision
		e.attribute()
		if end := rec.End; end != nil {
			e.Status, e.Error, e.RequestID, e.Found = end.Status, end.Error, end.RequestID, end.List
			e.AliasAfter, e.Interrupted = end.AliasAfter, end.Interrupted
			if end.Published != "" {
				e.To, e.ToNumber = end.Published, end.Published.Number()
			}
			e.Ended, e.Duration = end.Ended, end.Ended.Sub(rec.Started)
		}
		list = append(list, e)
	}
	return list
}

// attribute makes Revision and Author those of the commit that asked for the step. No
// commit did for a heal, a rollback or a prune, whichever was followed at the time.
func (e *Entry) attribute() {
	switch {
	case e.Cause != plan.CauseChange:
		e.Revision, e.Author = "", ""
	case e.Asked != nil && (e.Asked.Earlier || e.Asked.Published):
		e.Revision, e.Author = "", ""
	case e.Asked != nil:
		e.Revision, e.Author, e.Subject = e.Asked.Revision, e.Asked.Author, e.Asked.Subject
	}
}

// idTime orders IDs by time: fixed width, UTC, nanoseconds.
const idTime = "20060102T150405.000000000Z"

// clock makes IDs that only grow within one process, also when two are asked
// for in one instant or the machine's clock is set back. The random word keeps
// two processes apart.
type clock struct {
	mu   sync.Mutex // guards last; without it two IDs could be in the wrong order
	last time.Time
}

func (c *clock) next(now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = now.UTC()
	if !now.After(c.last) {
		now = c.last.Add(1)
	}
	c.last = now
	return now.Format(idTime) + "-" + rand.Text()[:12]
}

// truncate bounds what AWS or a person wrote.
func truncate(text string) string { return words.Truncate(text, maxText) }
