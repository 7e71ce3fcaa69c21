package daemon

import (
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/round"
)

// One environment is done early and begins anew while its first round still
// works on another: the end of the first must not set it free, or a third round
// of it would begin beside the second, and the lease be given back under both.
func TestTheEndOfARoundFreesOnlyWhatIsItsOwn(t *testing.T) {
	a := newAccount(&Daemon{Options: Options{Interval: time.Minute}}, "123456789012")
	w := &desiredView{tree: desired.Tree{Names: []string{"fast", "slow"}}, origins: map[string]round.Origin{}}
	for _, name := range w.tree.Names {
		a.envs[name] = &envState{}
	}
	now := time.Now()
	first, turn, _ := a.takeDue(w, w.tree.Names, now)
	a.markFree([]string{"fast"}, turn)
	second, _, _ := a.takeDue(w, w.tree.Names, now.Add(2*time.Minute))
	if len(first) != 2 || len(second) != 1 {
		t.Fatalf("rounds over %v and %v", first, second)
	}
	a.markFree(first, turn)
	if a.idle() {
		t.Error("it counts as idle while the second round works")
	}
	if third, _, _ := a.takeDue(w, w.tree.Names, now.Add(4*time.Minute)); len(third) != 1 || third[0] != "slow" {
		t.Errorf("a third round over %v beside the second", third)
	}
}
