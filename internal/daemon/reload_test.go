package daemon_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/demo"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/store"
)

// keptLog keeps what several daemons log.
type keptLog struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (k *keptLog) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(p)
}

func (k *keptLog) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

// TestP8Reload tells the daemon at every call that it makes, to AWS, Git and the
// store, while it takes its leases, looks, decides, changes and tells, to make room
// for another configuration, and that one likewise a few calls later: two SIGHUP
// within no time. What was in hand is finished, nobody waits for a lease that the
// process has itself, nothing is done or told twice, and the world comes to what it
// comes to without.
func TestP8Reload(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("hundreds of stories take half a minute")
	}
	step, first, pairs, turn := stride(t), 1, 14, 0 // each of both, once
	// A reload is no death: what it meets differs little from one call to the next.
	switch {
	case nightly.On() && os.Getenv(chaosVar) == "":
		// In five nights each call has had its turn, and in three each pair.
		today := time.Now()
		step, first, pairs, turn = 5, 1+nightly.Turn(today, 5), 3, nightly.Turn(today, 3)
	case step > 1:
		step *= 2
	}
	var baseline outcome
	synctest.Test(t, func(t *testing.T) { baseline = runReloaded(t, 0, 0, false) })
	killEvery(t, baseline, step, first, len(baseline.calls), func(t *testing.T, n int, after bool) outcome {
		return runReloaded(t, n, 1+n%13, after)
	})
	// The first calls are those that take the leases: each of them, with each of
	// the next daemon's.
	const taking = 14
	m := newMatrix(baseline)
	for first := 1; first <= taking; first++ {
		for second := 1 + (first+turn)%pairs; second <= taking; second += pairs {
			for _, after := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) { m.note(baseline, runReloaded(t, first, second, after), first, after) })
			}
		}
	}
	for _, wrong := range m.wrong {
		t.Error(wrong)
	}
}

// runReloaded is runStory in one process whose daemon makes room for another at
// its first-th call, and that one at its second-th; 0 = at none.
func runReloaded(t *testing.T, first, second int, after bool) outcome {
	time.Sleep(time.Until(begin()))
	log := &keptLog{}
	sim := &simulation{
		T: t, world: demo.NewWorld(time.Now(), 2*time.Second), git: gitserve.New(), store: store.NewMemory(), slack: &reader{},
		holder: lease.NewIdentity(), log: log,
	}
	released(sim.world)
	sim.repo = sim.git.Add("acme/layers")
	sim.commit("Describe the fleet", "1.4.1")
	before := sim.lists()
	reloaded, last := sim.reloads(first, second, after)
	sim.at(5)
	old := sim.world.LayerARN("makoto-common-dev", 9)
	sim.world.EditFunction("makoto-api-dev", func(f *awssim.Function) { f.Layers[slices.IndexFunc(f.Layers, ours)] = old })
	sim.at(15)
	sim.commit("Raise makoto-common to 1.4.2", "1.4.2")
	sim.at(22)
	sim.approve("prod")
	sim.at(45)
	sim.commit("Revert \"Raise makoto-common to 1.4.2\"", "1.4.1")
	sim.at(75)
	out := sim.outcome(before)
	sim.world.ResetCalls()
	sim.at(87)
	out.late = sim.world.Writes()
	sim.close(last)
	out.calls = reloaded.list()
	out.killed = first > 0 && len(out.calls) >= first
	if out.killed {
		out.calls = out.calls[:first]
	}
	for _, bad := range []string{"standing by", "lease lost", "lease not taken", "store does not work", "level=ERROR"} {
		if text := log.String(); strings.Contains(text, bad) {
			t.Errorf("reloaded at call %d and %d, after its effect %v: the log has %q:\n%s", first, second, after, bad, lineWith(text, bad))
		}
	}
	if out.settled > 0 || out.twice > 0 {
		t.Errorf("reloaded at call %d and %d, after its effect %v: %d changes were left open, %d messages came twice", first, second, after, out.settled, out.twice)
	}
	return out
}

// reloads starts a daemon after another in one process, each as soon as the one
// before has ended. last is closed when there are no more.
func (sim *simulation) reloads(first, second int, after bool) (reloaded *recordedProcess, last chan struct{}) {
	reloaded = sim.start(first, after)
	last = make(chan struct{})
	go func() {
		defer close(last)
		p := reloaded
		for _, n := range []int{second, 0} {
			if <-p.done; p.killAt == 0 || len(p.list()) < p.killAt {
				return // the story is over
			}
			p = sim.start(n, after)
		}
	}()
	return reloaded, last
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
