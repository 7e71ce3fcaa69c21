package plan

import (
	"slices"
	"time"
)

// By is who or what holds a step.
type By string

// The holders, in order of precedence (DESIGN section 4).
const (
	ByMode       By = "mode"
	ByDesired    By = "desired"
	ByPause      By = "pause" // its place is kept; no ruling of this release pauses
	ByQuarantine By = "quarantine"
	ByFreeze     By = "freeze"
	ByApproval   By = "approval"
	ByWindow     By = "window"
	ByHealth     By = "health"
	ByTugOfWar   By = "tug_of_war"
	ByOrder      By = "order"
	ByWave       By = "wave"
	ByLimit      By = "limit"
	ByGrace      By = "grace"
	ByLease      By = "lease"
)

// Ender is who or what ends a hold.
type Ender string

// The enders.
const (
	EndsByPerson  Ender = "person"  // somebody approves, retries, raises a limit
	EndsByGit     Ender = "git"     // a commit
	EndsByTime    Ender = "time"    // an opening, the end of a grace
	EndsByRollout Ender = "rollout" // the waves and Regions before
	EndsByRound   Ender = "round"   // whoever holds the lease does it
)

// Holder is what follows from being held by something; holders is the one table.
type Holder struct {
	By   By
	Ends Ender
	// Alone reports that a rollout goes on without the step.
	Alone bool
	// News reports that people are told when it goes on; the others end by
	// themselves, soon.
	News bool
	// Waits reports that apply exits 3 for it (DESIGN section 4).
	Waits bool
}

// holders has every holder once, in order of precedence. Whether an approval
// releases a step depends on the others that hold it as well: see
// Region.Approvable.
var holders = []Holder{
	{ByMode, EndsByPerson, false, true, true},
	{ByDesired, EndsByGit, false, true, true},
	{ByPause, EndsByPerson, false, true, true},
	{ByQuarantine, EndsByPerson, true, true, true},
	{ByFreeze, EndsByTime, false, true, true},
	{ByApproval, EndsByPerson, true, true, true},
	{ByWindow, EndsByTime, false, true, true},
	{ByHealth, EndsByPerson, false, true, true},
	{ByTugOfWar, EndsByPerson, true, true, true},
	{ByOrder, EndsByRollout, false, false, true},
	{ByWave, EndsByRollout, false, false, true},
	{ByLimit, EndsByPerson, true, true, false},
	{ByGrace, EndsByTime, true, false, false},
	{ByLease, EndsByRound, false, false, true},
}

// Holder returns what follows from by. One that nobody declared ends by a
// person, is news and waits: unknown is not harmless.
func (by By) Holder() Holder {
	for _, h := range holders {
		if h.By == by {
			return h
		}
	}
	return Holder{By: by, Ends: EndsByPerson, News: true, Waits: true}
}

// Held is why a step waits, by whom, and until when.
type Held struct {
	By     By
	Until  time.Time // of all that is known to end; zero: unknown
	Reason string    // a sentence for a person
	// Also has the others that hold the step too, in order of precedence, each
	// with its own Until and no Also.
	Also []Held
}

// All returns each holder by itself, the first one first; nil when nothing holds.
func (h *Held) All() []Held {
	if h == nil {
		return nil
	}
	return append([]Held{{By: h.By, Until: h.Until, Reason: h.Reason}}, h.Also...)
}

// NotBefore reports whether Until is only the earliest instant: one of the
// holders needs a person or a commit, and nobody knows when that comes.
func (h *Held) NotBefore() bool {
	return slices.ContainsFunc(h.All(), func(x Held) bool {
		ends := x.By.Holder().Ends
		return ends == EndsByGit || ends == EndsByPerson && (x.By != ByLimit || x.Until.IsZero())
	})
}

// HeldBy reports whether the step is held by it, alone or with others.
func (s Step) HeldBy(by By) bool {
	return s.heldBy(func(h Holder) bool { return h.By == by })
}

func (s Step) heldBy(is func(Holder) bool) bool {
	if s.Held == nil {
		return false
	}
	return is(s.Held.By.Holder()) || slices.ContainsFunc(s.Held.Also, func(h Held) bool { return is(h.By.Holder()) })
}

// WaitsAlone reports whether a step is held by something of its own, which the
// rollout does not wait for.
func (s Step) WaitsAlone() bool { return s.heldBy(func(h Holder) bool { return h.Alone }) }

// Waits reports whether the step was not done because of a holder that a person,
// a commit or the next opening has to end. A grace and a limit are not among them
// (DESIGN section 4, exit 3).
func (s Step) Waits() bool {
	return (s.Result == nil || s.Result.Status == StatusHeld) && s.heldBy(func(h Holder) bool { return h.Waits })
}

// Approvable reports whether a person's approval of the plan would release the
// step, as far as a person's word goes: it is asked for, or a limit waits for
// somebody to have seen the plan. Heals need none, and neither an environment that
// is only observed nor what is in quarantine is released by one.
func (r *Region) Approvable(s Step) bool {
	if s.Held == nil || s.Cause == CauseDrift || s.HeldBy(ByMode) || s.HeldBy(ByQuarantine) {
		return false
	}
	return s.HeldBy(ByApproval) || s.HeldBy(ByLimit) && r.Failure == nil && s.Cause == CauseChange
}
