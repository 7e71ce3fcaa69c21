package reconcile

import (
	"fmt"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// required returns why one of the steps must not be taken, by what the function's own tag
// says that it requires of a layer. The tags are asked for where nobody has read them.
func (r *region) required(f *state.Function, steps []plan.Step) *plan.Blocked {
	if f.Tags == nil {
		r.plan.Needs.Tags = true
		return nil
	}
	for _, s := range steps {
		if reason := unmet(f, s); reason != "" {
			return &plan.Blocked{Function: f.Name, Layer: s.Layer, Reason: reason}
		}
	}
	return nil
}

// Unmet returns why one of the steps of a function that was read just now must not be
// taken, as required does: its tags may be others than those that the plan saw, or all
// that anybody has read. Where AWS leaves them out of its answer, those that the plan saw
// count; seen is that snapshot. What nobody could read may require anything, and lets
// nothing through. What a rollout takes back is taken back whatever is required.
func Unmet(seen state.Snapshot, fresh state.Function, steps []plan.Step) string {
	if fresh.Tags == nil {
		f, _ := seen.Function(fresh.Name)
		fresh.Tags = f.Tags
	}
	for _, s := range steps {
		if s.Cause == plan.CauseRollback || s.Kind == plan.KindServe {
			continue
		}
		if fresh.Tags == nil {
			return fmt.Sprintf("its tags cannot be read, and %s may be one of them: allow lambda:ListTags on the function, or tag:GetResources", catalog.RequiresTag)
		}
		if reason := unmet(&fresh, s); reason != "" {
			return reason
		}
	}
	return ""
}

// unmet returns why a step must not be taken: it brings a version that does not satisfy
// the function's tag, or nobody can tell what that tag means.
func unmet(f *state.Function, s plan.Step) string {
	value, tagged := f.Tags[catalog.RequiresTag]
	if !tagged || s.Kind == plan.KindServe {
		return ""
	}
	list, err := catalog.Requirements(value)
	if err != nil {
		return fmt.Sprintf("its tag %s, %q, cannot be read: %s", catalog.RequiresTag, words.Truncate(value, 80), err)
	}
	for _, q := range list {
		if q.Layer != s.Layer && q.Layer != s.LayerARN.Name() {
			continue
		}
		asks := fmt.Sprintf("its tag %s asks for %s %s", catalog.RequiresTag, q.Layer, q.Text)
		switch {
		case s.To == "":
			return asks + ", and it would lose the layer"
		case s.ToVersion == "":
			return fmt.Sprintf("%s, and which version %s is nobody knows", asks, words.Version(s.To.Number(), ""))
		case !q.Satisfied(s.ToVersion):
			return fmt.Sprintf("%s, which %s is not", asks, s.ToVersion)
		}
	}
	return ""
}
