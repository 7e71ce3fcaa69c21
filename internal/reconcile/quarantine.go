package reconcile

import (
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// fallback is why a function is brought to another number than Git asks for.
type fallback struct {
	cause  plan.Cause
	reason string
}

// fallbackTarget returns what a function is to have while the number that Git asks for
// is in quarantine there: what a person rolled it back to, or what layerd
// applied last, where somebody has changed that since. Where there is nothing
// to do instead, the number stays what Git asks for, and permit holds it. have is
// what $LATEST has, and served what callers get.
func (r *region) fallbackTarget(w *wish, f *state.Function, t target, past layerPast, have, served int64) (target, *fallback) {
	q := r.quarantine(w.Layer, t.number, f.Name)
	if q == nil {
		return t, nil
	}
	back := func(n int64) target { return target{number: n, semver: w.catalog.Label(n)} }
	if isBack(q, have, served) {
		return t, nil
	}
	returned := past.known && past.number == q.RevertTo
	if q.ByPerson && !returned && (have > 0 || served > 0) && r.returns(w, q, f.Name, have, served) {
		return back(q.RevertTo), &fallback{plan.CauseRollback, rolledBack(q)}
	}
	if past.known && past.number != t.number && (have != past.number || served != past.number) {
		if _, refused := r.refusals[f.Name]; refused {
			return back(past.number), &fallback{plan.CauseRollback, "AWS refused to return it with the others: " + q.Reason}
		}
		return back(past.number), nil // changed by somebody else since it was returned
	}
	return t, nil
}

// isBack reports whether a function, and its callers, have what a person rolled it
// back to. Whoever brought it there, it is where it should be: neither what was
// applied last nor what Git asks for is to come to it.
func isBack(q *ruling.Quarantine, have, served int64) bool {
	return q != nil && q.ByPerson && have == q.RevertTo && served == q.RevertTo
}

func rolledBack(q *ruling.Quarantine) string {
	s := fmt.Sprintf("rolled back by %s", q.By)
	if q.Reason != "" {
		s += ": " + q.Reason
	}
	return s
}

// quarantine returns the word that keeps a number from a function, or nil.
func (r *world) quarantine(layer state.LayerARN, number int64, function string) *ruling.Quarantine {
	return ruling.Governing(r.in.Quarantines, r.want.Region, layer, number, function)
}

// quarantineReason returns why a step's version must not come to its function.
func (r *world) quarantineReason(s plan.Step) string {
	if len(r.in.Quarantines) == 0 || s.Cause == plan.CauseRollback || s.Kind == plan.KindServe || s.Kind == plan.KindPrune ||
		s.Kind == plan.KindShare && (s.Cause == plan.CauseDrift || s.To == "") {
		return "" // a heal would bring it to a function that was left alone
	}
	if s.To.Content() != "" {
		return "" // what has no number is not the one that failed, nor none
	}
	q := r.quarantine(s.LayerARN, s.To.Number(), s.Function)
	if q == nil {
		return ""
	}
	version := words.Version(q.Number, q.Semver)
	lift := "it is lifted when Git asks for another version, or by a retry"
	if q.ByPerson {
		return fmt.Sprintf("%s was %s; %s", version, rolledBack(q), lift)
	}
	return fmt.Sprintf("%s failed here on %s: %s; %s", version, words.Moment(q.At, r.want.Zone), q.Reason, lift)
}

// liftAnswered lists the quarantines that have done their work: Git names their layer
// and asks for another number.
func (r *region) liftAnswered() {
	for _, q := range r.in.Quarantines {
		if q.Region != r.want.Region || !q.Holds() || q.Content {
			continue
		}
		if r.rollout != nil && r.rollout.Stage == rollout.StageRollingBack {
			continue // it is still being taken away
		}
		for _, w := range r.wishes {
			if w.Layer == q.Layer && w.ok && !w.wantsNumber(q.Number) {
				r.plan.Lifted = append(r.plan.Lifted, q)
			}
		}
	}
}

// wantsNumber reports whether Git asks for a number for any function.
func (w *wish) wantsNumber(n int64) bool {
	for _, p := range w.pins {
		if p.number == n {
			return true
		}
	}
	return w.target.number == n
}

// mostHeals is after how many heals a drift that comes back is left alone.
const mostHeals = 3

// tugOfWar returns why a drift is not healed once more; empty = it is.
func tugOfWar(h plan.Heals, zone *time.Location) string {
	if h.Count < mostHeals {
		return ""
	}
	return fmt.Sprintf("another writer changed it back %d times, the last time after %s: it is left alone until Git changes. "+
		"Where Terraform owns the function, add lifecycle { ignore_changes = [layers] } there; where SAM or CloudFormation does, take Layers out of its template",
		h.Count, words.Moment(h.Last, zone))
}
