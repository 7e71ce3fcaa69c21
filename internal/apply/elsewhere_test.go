package apply_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/apply/applytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// astray is a cloud whose calls reach another account from one write on.
type astray struct {
	*applytest.World
	err   error
	sets  atomic.Int32
	after int32
}

func (a *astray) SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (string, error) {
	if a.sets.Add(1) > a.after {
		return "", a.err
	}
	return a.World.SetLayers(ctx, name, layers, revision)
}

// When a call would go to another account, or was answered from one, nothing
// starts any more: no function, no prune, not even its record.
func TestNothingStartsWhereAnotherAccountAnswers(t *testing.T) {
	for _, err := range []error{
		&state.WrongAccountError{Want: "123456789012", Have: "210987654321"},
		&state.ForeignError{Op: "UpdateFunctionConfiguration", ARN: "arn:x", Account: "123456789012"},
	} {
		synctest.Test(t, func(t *testing.T) {
			lists := map[string]list{}
			planned := &plan.Region{}
			for i := range 20 {
				name := fmt.Sprintf("f-%02d", i)
				lists[name] = list{common.Version(3)}
				planned.Steps = append(planned.Steps, step(name, common, 4, lists[name]))
			}
			planned.Steps = append(planned.Steps, prune(common, 1))
			w := &astray{World: applytest.New(lists), err: err, after: 3}
			n := &notebook{}
			if got := carryOut(t.Context(), planned, w, n, apply.Options{Parallel: 1}); !errors.Is(got, err) {
				t.Errorf("got %v", got)
			}
			count := map[string]int{}
			for _, status := range results(planned) {
				count[status]++
			}
			if w.sets.Load() != 4 || count["applied"] != 3 || count["failed"] != 1 || count["skipped"] != 17 {
				t.Errorf("%d writes, results %v", w.sets.Load(), count)
			}
			if len(n.open) != 0 || len(n.lines) != 8 {
				t.Errorf("records: %v", n.lines)
			}
		})
	}
}
