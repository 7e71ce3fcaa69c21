package daemon_test

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/awssim/mototest"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/store"
)

// TestChaosInMoto plays the plain story of a release in an AWS that others have written:
// a commit wants a version in three environments, and it is published, attached to two
// hundred functions and shared. Calls are throttled, answers get lost, and the daemon is
// killed before and after writes of each kind. In the end everything is there once, what
// is of others is as it was, and nothing more is written. LAYERD_SEED=n plays it with
// other calls meeting that.
func TestChaosInMoto(t *testing.T) {
	seeds := []uint64{1, 2}
	if s := os.Getenv("LAYERD_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("LAYERD_SEED=", seed), func(t *testing.T) {
			endpoint := mototest.Start(t)
			role := mototest.Role(t, endpoint)
			began := time.Now() // moto's clock is the real one
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(began))
				releaseInMoto(t, newMotoFleet(t, endpoint, role), newFates(seed))
			})
		})
	}
}

func releaseInMoto(t *testing.T, f *motoFleet, fates *fates) {
	log := &logText{}
	sim := &simulation{T: t, git: gitserve.New(), store: store.NewMemory(), slack: &reader{}, log: log}
	sim.repo = sim.git.Add("acme/layers")
	sim.aws = func(p *recordedProcess) http.RoundTripper { return fated{p, fates, f.to} }
	archive := archiveOf("1.5.0")
	f.upload("1.5.0", archive)
	f.want(sim.repo, "1.5.0", f.environments()...)

	p, kills := sim.outlive()
	t.Logf("%d kills; %s", kills, fates)
	fates.check(t)
	f.compare("after the release", f.released(sumOf(archive)), f.look())
	sim.recordedOnce(f)

	// What changes under the same name is refused, and nothing comes of it.
	before, world := fates.done(), f.look()
	f.upload("1.5.0", archiveOf("other bytes"))
	f.want(sim.repo, "1.5.0", append(f.environments(), "late")...)
	time.Sleep(30 * time.Minute)
	if !strings.Contains(log.String(), "artifact_changed") {
		t.Error("other bytes under the same version are not refused")
	}
	p.stop()
	last := sim.start(0, false) // and another process writes nothing, either
	time.Sleep(30 * time.Minute)
	last.stop()
	if diff := gocmp.Diff(before, fates.done()); diff != "" {
		t.Errorf("writes after the release (-before +after):\n%s", diff)
	}
	f.compare("half an hour later", world, f.look())
}

// outlive starts the daemon again, whenever it was killed, until one has lived for an
// hour.
func (sim *simulation) outlive() (p *recordedProcess, kills int) {
	for {
		p = sim.start(0, false)
		select {
		case <-p.done:
		case <-time.After(time.Hour):
			return p, kills
		}
		if !p.died() {
			sim.Fatal("the daemon ended by itself")
		}
		if kills++; kills > 100 {
			sim.Fatal("a hundred kills, and no end")
		}
		time.Sleep(5 * time.Second)
	}
}

// fate is what becomes of one call to AWS.
type fate string

const (
	well         fate = "well"
	throttled    fate = "throttled"
	lost         fate = "done, and its answer lost"
	killedBefore fate = "the process killed before it"
	killedAfter  fate = "the process killed after it"
)

// fates decides about calls by how many there have been of their operation: the first
// writes of each meet every fate once, in some order, and one in fifteen of the others
// meets one. Reads are throttled, and lost, more often: nobody dies of one.
type fates struct {
	seed uint64
	aws  *awssim.World // reads requests, and throttles them
	mu   sync.Mutex    // guards the rest
	// By operation, so that none depends on how the calls of two mix: where the next are
	// drawn from, the first ones, and what has been.
	draw   map[string]*rand.Rand
	coming map[string][]fate
	met    map[string]map[fate]int
	writes map[string]bool
}

func newFates(seed uint64) *fates {
	return &fates{
		seed: seed, aws: refuser(),
		draw: map[string]*rand.Rand{}, coming: map[string][]fate{}, met: map[string]map[fate]int{}, writes: map[string]bool{},
	}
}

func (f *fates) next(call awssim.Call) fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	operation := call.Operation
	f.writes[operation] = call.Write
	if f.met[operation] == nil {
		h := fnv.New64a()
		io.WriteString(h, operation)
		f.met[operation], f.draw[operation] = map[fate]int{}, rand.New(rand.NewPCG(f.seed, h.Sum64()))
		if call.Write {
			first := []fate{throttled, lost, killedBefore, killedAfter}
			f.draw[operation].Shuffle(len(first), func(i, k int) { first[i], first[k] = first[k], first[i] })
			f.coming[operation] = first
		}
	}
	it := well
	switch n := f.draw[operation].IntN(60); {
	case len(f.coming[operation]) > 0:
		it, f.coming[operation] = f.coming[operation][0], f.coming[operation][1:]
	case call.Write && n < 4:
		it = []fate{throttled, lost, killedBefore, killedAfter}[n]
	case call.Write:
	case n < 8:
		it = throttled
	case n < 10:
		it = lost
	}
	f.met[operation][it]++
	return it
}

// done counts the writes that AWS has done, by operation.
func (f *fates) done() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := map[string]int{}
	for operation, met := range f.met {
		if did := met[well] + met[lost] + met[killedAfter]; f.writes[operation] && did > 0 {
			n[operation] = did
		}
	}
	return n
}

// fated is AWS as a process meets it.
type fated struct {
	p     *recordedProcess
	fates *fates
	to    http.RoundTripper
}

func (f fated) RoundTrip(r *http.Request) (*http.Response, error) {
	call, r, err := f.fates.aws.Read(r)
	if err != nil {
		return nil, err
	}
	it := f.fates.next(call)
	switch it {
	case throttled:
		return f.fates.aws.Transport().RoundTrip(r)
	case killedBefore:
		f.p.kill()
		return nil, errDead
	case well, lost, killedAfter:
	}
	resp, err := f.to.RoundTrip(r)
	switch {
	case err != nil || it == well:
		return resp, err
	case it == killedAfter:
		f.p.kill()
	}
	return nil, errors.Join(io.ErrUnexpectedEOF, resp.Body.Close())
}

// refuser is an AWS that knows what requests ask for, and is asked too often by all.
func refuser() *awssim.World {
	w := awssim.New(awssim.Options{})
	w.OnCall(func(c awssim.Call) awssim.Fault {
		f := awssim.Throttle()
		switch c.Service {
		case "ssm":
			f.Before = &awssim.Failure{Status: 400, Code: "ThrottlingException"}
		case "tagging":
			f.Before = &awssim.Failure{Status: 400, Code: "ThrottledException"}
		case "sts":
			f.Before = &awssim.Failure{Status: 400, Code: "Throttling"}
		case "s3":
			f.Before = &awssim.Failure{Status: 503, Code: "SlowDown"}
		}
		return f
	})
	return w
}

// check fails where the play has not met what it is about: every write with every fate.
func (f *fates) check(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, operation := range []string{"PublishLayerVersion", "UpdateFunctionConfiguration", "AddLayerVersionPermission", "PutParameter"} {
		for _, it := range []fate{throttled, lost, killedBefore, killedAfter} {
			if f.met[operation][it] == 0 {
				t.Errorf("no %s was %s", operation, it)
			}
		}
	}
}

func (f *fates) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, operation := range slices.Sorted(maps.Keys(f.met)) {
		fmt.Fprintf(&b, "\n%-28s", operation)
		for _, it := range []fate{well, throttled, lost, killedBefore, killedAfter} {
			fmt.Fprintf(&b, " %5d %s", f.met[operation][it], it)
		}
	}
	return b.String()
}

// recordedOnce compares the history with what was to be done: each publish, attach and
// grant once, and no record without an end.
func (sim *simulation) recordedOnce(f *motoFleet) {
	sim.Helper()
	log, got := history.Open(sim.store, "demo"), map[plan.Kind]map[string]int{}
	for e, err := range log.Entries(sim.Context(), history.Query{}) {
		f.check(err)
		if e.Status != plan.StatusApplied {
			continue
		}
		if got[e.Kind] == nil {
			got[e.Kind] = map[string]int{}
		}
		got[e.Kind][fmt.Sprint(e.Region, " ", e.LayerARN, e.Function, e.To, e.Sharing)]++
	}
	for kind, want := range map[plan.Kind]int{plan.KindPublish: len(f.places), plan.KindAttach: motoFunctions, plan.KindShare: 2 * len(f.places) * len(motoShared)} {
		if len(got[kind]) != want {
			sim.Errorf("the history has %d of %s, want %d", len(got[kind]), kind, want)
		}
		for what, n := range got[kind] {
			if n != 1 {
				sim.Errorf("%s %s is %d times in the history", kind, what, n)
			}
		}
	}
	open, err := log.Unfinished(sim.Context())
	if f.check(err); len(open) > 0 {
		sim.Errorf("%d records have no end: %+v", len(open), open)
	}
}
