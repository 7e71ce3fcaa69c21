package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// noteRefused keeps that AWS has refused something on a function, so that nobody
// looks for it in the past of a fleet again. It remembers at which revision the
// function is, where that was not known when it was refused.
func (r *region) noteRefused(f *state.Function, past plan.FunctionPast) {
	if len(past.Refusals) == 0 {
		return
	}
	if r.refusals == nil {
		r.refusals = map[string]refusedPast{}
	}
	r.refusals[f.Name] = refusedPast{f, past}
	if f.RevisionID != "" && slices.ContainsFunc(past.Refusals, func(x plan.Refusal) bool { return x.Revision == "" }) {
		r.plan.Learned.Refused = append(r.plan.Learned.Refused, plan.Revised{Function: f.Name, Revision: f.RevisionID})
	}
}

// refusedPast is a function on which AWS has refused something.
type refusedPast struct {
	function *state.Function
	past     plan.FunctionPast
}

// dropRefused takes out of the draft what AWS has refused again and again, and
// blocks its functions: nobody else waits for them. Those that are due are tried
// once more. It may be called again when more steps are there.
func (r *region) dropRefused() {
	drop := map[refusedKey]bool{}
	for key, steps := range r.refusedSteps() {
		of := r.refusals[key.function]
		refusal := of.past.Refused(plan.Aim(valuesOf(steps)), *of.function)
		switch {
		case refusal.Blocks(r.in.Now):
			drop[key] = true
			r.block(steps, r.refusedReason(refusal), refusal.Until())
			r.keepGoingBack(steps, of.function)
		case refusal.Due(r.in.Now):
			for _, s := range steps {
				s.Refused = r.refusedReason(refusal)
			}
		}
	}
	r.takeOut(drop)
}

// keepGoingBack has a function go back still when the rollback of the others is over:
// what it had before counts as what was applied to it, and what it has as something
// that nobody wants there.
func (r *region) keepGoingBack(steps []*plan.Step, f *state.Function) {
	if r.rollout == nil || r.rollout.Stage != rollout.StageRollingBack || !r.undone[f.Name] {
		return
	}
	for _, s := range steps {
		if p := slotPast(r.past.Functions[f.Name], s.LayerARN); s.LayerARN != "" && p.known && p.number != s.To.Number() {
			r.plan.Learned.Adopted = append(r.plan.Learned.Adopted, plan.Adoption{
				Function: f.Name, Layer: s.LayerARN, Number: s.To.Number(), List: f.Layers,
			})
		}
	}
}

// refusedKey is what is carried out together, and so refused together.
type refusedKey struct {
	function string
	points   bool
}

func keyOf(s plan.Step) refusedKey { return refusedKey{s.Function, s.Points()} }

// refusedSteps returns the steps of functions on which AWS has refused something.
func (r *region) refusedSteps() map[refusedKey][]*plan.Step {
	of := map[refusedKey][]*plan.Step{}
	if len(r.refusals) == 0 {
		return of
	}
	for i := range r.plan.Steps {
		s := &r.plan.Steps[i]
		if _, ok := r.refusals[s.Function]; ok && s.Kind != plan.KindPrune {
			of[keyOf(*s)] = append(of[keyOf(*s)], s)
		}
	}
	return of
}

func valuesOf(steps []*plan.Step) []plan.Step {
	list := make([]plan.Step, len(steps))
	for i, s := range steps {
		list[i] = *s
	}
	return list
}

// block blocks the function of steps that AWS refuses.
func (r *region) block(steps []*plan.Step, reason string, until time.Time) {
	r.plan.Blocked = append(r.plan.Blocked, plan.Blocked{
		Function: steps[0].Function, Layer: layersOf(valuesOf(steps), nil), Reason: reason, Refused: true, Until: until,
	})
}

// takeOut takes steps out of the draft, and out of what was counted of them.
func (r *region) takeOut(keys map[refusedKey]bool) {
	if len(keys) == 0 {
		return
	}
	r.plan.Steps = slices.DeleteFunc(r.plan.Steps, func(s plan.Step) bool {
		out := keys[keyOf(s)] && s.Kind != plan.KindPrune
		if out && s.New {
			r.newSteps--
		}
		return out
	})
}

func (r *region) refusedReason(refusal plan.Refusal) string {
	return fmt.Sprintf("AWS refused it %s, last %s: %s; it is tried again when the function or what is asked for changes, and at the latest %s",
		words.Plural(refusal.Count, "time", "times"), words.Moment(refusal.Last, r.want.Zone), refusal.Reason, words.Moment(refusal.Until(), r.want.Zone))
}

// blockWaiting blocks functions that are due to be tried once more and may not be now:
// what only waits for its time is told as what it waits for in the end.
func (r *region) blockWaiting() {
	waits := map[refusedKey]bool{}
	for key, steps := range r.refusedSteps() {
		if s := steps[0]; s.Refused != "" && s.Held != nil && !slices.ContainsFunc(s.Held.All(), func(h plan.Held) bool { return needsSomebody(h.By) }) {
			waits[key] = true
			r.block(steps, s.Refused, s.Held.Until)
		}
	}
	r.takeOut(waits)
	r.sortBlocked()
}

// needsSomebody reports whether a hold does not end by itself.
func needsSomebody(by plan.By) bool {
	ends := by.Holder().Ends
	return ends == plan.EndsByPerson || ends == plan.EndsByGit
}
