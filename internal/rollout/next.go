package rollout

import (
	"cmp"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
)

// Facts are what a plan, and what became of it, mean to a rollout.
type Facts struct {
	// Observed reports that the Region was read, and Failed that nothing may be
	// changed there all the same: which is not the same as nothing is left.
	Observed, Failed bool
	// WaveWith is the lowest wave in which a step is neither done nor waits for
	// something of its own nor for its wave; 0 = there is none, -1 = unknown,
	// since what functions serve was not read.
	WaveWith int
	// NextWave is the lowest wave in which something is still to be changed;
	// 0 = nothing is. Waves is how many the plan counts.
	NextWave, Waves int
	// NewerCommit reports that Git wants something else than the rollout brings.
	NewerCommit bool
	// NothingChanged reports that the rollout has changed no function, and
	// AllChanged that it has changed as many as it began with.
	NothingChanged, AllChanged bool
	// Altered are functions whose alias somebody else has changed while it shared out
	// its calls.
	Altered []string
	// NoCanary reports that no function shares its calls out: there is nothing
	// to watch in a canary.
	NoCanary bool
	// UndoPlanned reports that the plan was made to roll back, Undone that
	// nothing is left to undo, and Applied that the plan was carried out.
	UndoPlanned, Undone, Applied bool
}

// waveDone reports whether all functions of wave, and of those before, were
// changed, but for those that wait for something of their own.
func (f Facts) waveDone(wave int) bool {
	return !f.Failed && (f.WaveWith == 0 || f.WaveWith > wave)
}

// Event is something that may move a rollout. The types below are all there
// are.
type Event interface{ event() }

// Applied is that a plan was carried out as far as it could be, or that there
// was nothing in it to carry out.
type Applied struct{ Facts Facts }

// NewerCommit is that Git wants something else than the rollout brings.
type NewerCommit struct{ Facts Facts }

// SmokePassed is that the smoke tests of the wave passed; its bake goes on.
type SmokePassed struct{}

// Passed is that what was watched is well, or that its time is over. Findings
// are the sentences of the verdict; nil keeps those of the last one.
type Passed struct {
	Facts    Facts
	Findings []string
}

// Failed is that a check was bad, or that its answer is unknown and the
// environment asks for more. The empty Reaction is a rollback.
type Failed struct {
	Reaction desired.Reaction
	Reason   string
	Findings []string // nil keeps those of the last verdict
}

// AlarmsRead is what the alarms of a complete rollout say while it is watched;
// an empty Reason = none rings. Nothing follows but that people are told.
type AlarmsRead struct {
	Reason   string
	Findings []string
}

// RolledBack is that a person has rolled back, everywhere, what the rollout
// brings. What it did to other layers stays.
type RolledBack struct{ By, Reason string }

// Resumed is that a person lets a halted rollout go on.
type Resumed struct{}

func (Applied) event()     {}
func (NewerCommit) event() {}
func (SmokePassed) event() {}
func (Passed) event()      {}
func (Failed) event()      {}
func (AlarmsRead) event()  {}
func (RolledBack) event()  {}
func (Resumed) event()     {}

// Next returns the rollout after an event; rules are the environment's. It is
// the only function that moves a rollout from stage to stage:
//
//	stage         | event       | goes to
//	--------------+-------------+---------------------------------------------
//	canary        | Applied     | canary_bake once its wave shares its calls;
//	              |             | as from change where no function has the alias
//	change        | Applied     | bake once its wave is changed whole; on from
//	              |             | there as Passed where nothing is verified
//	canary,change | NewerCommit | bake: what was changed is judged first;
//	              |             | superseded where nothing was, or no check is
//	canary_bake   | Passed      | change
//	bake          | SmokePassed | bake
//	              | Passed      | the next wave; watching or done after the
//	              |             | last; superseded under a newer commit, but
//	              |             | done where all was changed before it came
//	bakes         | NewerCommit | superseded where nothing was changed
//	halted        | Resumed     | bake: its wave is judged once more
//	              | NewerCommit | superseded; Applied under one as well
//	rolling_back  | Applied     | rolled_back once nothing is left to undo
//	watching      | AlarmsRead  | watching
//	              | Passed      | done
//	any but an    | Failed      | rolling_back or halted
//	end           | RolledBack  | rolled_back, but while rolling_back
//
// Every other pair leaves the rollout as it is, and so does a Region that could
// not be read.
func (r Rollout) Next(e Event, rules desired.Rollout, now time.Time) Rollout {
	if !r.Ended.IsZero() {
		return r
	}
	switch e := e.(type) {
	case Applied:
		return r.applied(e.Facts, rules, now)
	case NewerCommit:
		return r.newerCommit(e.Facts, rules, now)
	case SmokePassed:
		if r.Stage == StageBake {
			r.Smoked = true
		}
	case Passed:
		return r.passed(e, rules, now)
	case Failed:
		return r.failed(e, now)
	case AlarmsRead:
		if r.Stage == StageWatching {
			r.Reason, r.Findings = e.Reason, e.Findings
		}
	case RolledBack:
		if r.Stage != StageRollingBack {
			r.Reason = "rolled back by " + e.By + ": " + e.Reason
			r.end(StageRolledBack, now)
		}
	case Resumed:
		if r.Stage == StageHalted {
			r.Reason, r.Findings = "", nil
			r.to(StageBake, now)
		}
	}
	return r
}

func (r Rollout) applied(f Facts, rules desired.Rollout, now time.Time) Rollout {
	if !f.Observed {
		return r
	}
	switch r.Stage {
	case StageCanary, StageChange:
		switch {
		case f.NewerCommit:
			return r.newerCommit(f, rules, now)
		case !f.waveDone(r.Wave):
		case r.Stage == StageCanary && !f.NoCanary:
			r.to(StageCanaryBake, now)
		default:
			r.to(StageBake, now)
			if !rules.Verifies() {
				return r.passed(Passed{Facts: f}, rules, now)
			}
		}
	case StageHalted:
		if f.NewerCommit {
			r.end(StageSuperseded, now)
		}
	case StageRollingBack:
		switch {
		case !f.UndoPlanned: // the plan is older than the decision to roll back
		case f.Undone:
			r.end(StageRolledBack, now)
		case f.Applied:
			r.Attempts++
		}
	}
	return r
}

// newerCommit lets a newer commit take over at the end of the wave, which is
// now: what was changed is judged first.
func (r Rollout) newerCommit(f Facts, rules desired.Rollout, now time.Time) Rollout {
	switch {
	case !f.Observed:
	case r.Stage == StageHalted:
		r.end(StageSuperseded, now) // a newer commit is an answer as well
	case f.NothingChanged && r.changes():
		r.end(StageSuperseded, now)
	case r.Stage != StageCanary && r.Stage != StageChange:
	case rules.Verifies():
		r.to(StageBake, now)
	default:
		r.end(StageSuperseded, now)
	}
	return r
}

// changes reports whether the rollout is in one of the stages of a wave.
func (r Rollout) changes() bool {
	switch r.Stage {
	case StageCanary, StageCanaryBake, StageChange, StageBake:
		return true
	}
	return false
}

// passed goes on to the next wave, or ends. Where something of this wave or of
// one before is still to be changed (it halted half way, or a function came
// late) that goes first.
func (r Rollout) passed(e Passed, rules desired.Rollout, now time.Time) Rollout {
	if r.Stage != StageWatching && e.Findings != nil {
		r.Findings = e.Findings
	}
	f := e.Facts
	r.leave(f.Altered)
	switch {
	case !f.Observed:
	case r.Stage == StageWatching:
		r.end(StageDone, now) // nothing is left to be changed, which Failed would hold
	case f.Failed:
	case r.Stage == StageCanaryBake:
		r.to(StageChange, now)
	case r.Stage != StageBake:
	case f.NewerCommit && !f.AllChanged:
		r.end(StageSuperseded, now)
	case f.NewerCommit:
		r.end(StageDone, now) // it was complete before the newer commit came, and is well
	case f.NextWave > 0:
		r.Wave = max(f.NextWave, r.Wave)
		r.Waves = max(f.Waves, r.Wave)
		r.to(firstStage(rules), now)
	default:
		r.Waves = max(r.Wave, 1)
		if rules.Watch > 0 && len(rules.Alarms) > 0 {
			r.to(StageWatching, now)
		} else {
			r.end(StageDone, now)
		}
	}
	return r
}

// leave adds functions to those that are left alone.
func (r *Rollout) leave(names []string) {
	if len(names) == 0 || !r.changes() {
		return
	}
	all := slices.Concat(r.Left, names)
	slices.Sort(all)
	r.Left = slices.Compact(all)
}

// failed undoes all of the rollout, or halts it and a person is asked.
func (r Rollout) failed(e Failed, now time.Time) Rollout {
	if r.Stage == StageRollingBack {
		return r
	}
	r.Reason = e.Reason
	if e.Findings != nil {
		r.Findings = e.Findings
	}
	if cmp.Or(e.Reaction, desired.RollBack) == desired.Halt {
		r.to(StageHalted, now)
	} else {
		r.to(StageRollingBack, now)
	}
	return r
}

func (r *Rollout) to(s Stage, now time.Time) {
	r.Stage, r.Since = s, now.UTC()
	r.Smoked = false
}

func (r *Rollout) end(s Stage, now time.Time) {
	r.to(s, now)
	r.Ended = now.UTC()
}

func firstStage(rules desired.Rollout) Stage {
	if rules.Canary != nil {
		return StageCanary
	}
	return StageChange
}
