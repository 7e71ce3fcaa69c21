package daemon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
	"github.com/layerd/layerd/internal/window"
)

// TestAVirtualWeek lives through eight days with three daemons, two accounts
// and everything that AWS, Git, the store, people and machines do to them.
// After each trouble has passed, one window later the world equals the wish,
// and one more round writes nothing.
func TestAVirtualWeek(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a week takes half a minute")
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWeek(t)
		for _, day := range []func(*week){
			(*week).saturday, (*week).sunday, (*week).monday, (*week).tuesday, (*week).wednesday, (*week).thursday,
			(*week).friday, (*week).secondSaturday,
		} {
			day(w)
			if t.Failed() {
				break
			}
		}
		for _, p := range w.alive {
			p.stop()
		}
		w.proveOneWriter()
		w.proveHistory()
		t.Logf("%d calls to AWS, of which %d changed something; %d steps in the history; %d messages",
			w.calls.Load(), len(w.writes), len(w.entries()), w.messages)
	})
}

// week is a site with troubles.
type week struct {
	*site
	alive    map[string]*process
	gitDown  atomic.Bool
	trouble  atomic.Pointer[func(awssim.Call) awssim.Fault]
	calls    atomic.Int64
	messages int

	mu           sync.Mutex // guards the rest
	writes       []awssim.Call
	leaseChanges []leaseChange
}

// leaseChange is who had an account's lease from some instant on, as was written to the
// store.
type leaseChange struct {
	at       time.Time
	account  string
	owner    string // empty: nobody
	released bool
}

// noted returns the store with a note of every change of a lease.
func (w *week) noted(s store.Store) store.Store {
	return storetest.Faulty(s, func(_ context.Context, c storetest.Call) storetest.Fault {
		if !c.Write() {
			return storetest.Fault{}
		}
		return storetest.Fault{Done: func(a storetest.Answer) { w.note(c.Key, c.Data, a.Err) }}
	})
}

func (w *week) note(key string, data []byte, err error) {
	account, ok := strings.CutPrefix(key, "lease/")
	if !ok || err != nil {
		return
	}
	var d struct {
		Name     string `json:"name"`
		Released bool   `json:"released"`
	}
	if json.Unmarshal(data, &d) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaseChanges = append(w.leaseChanges, leaseChange{time.Now(), account, d.Name, d.Released})
}

// outage is Git as the week has it.
type outage struct {
	to   http.RoundTripper
	down *atomic.Bool
}

func (o outage) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.down.Load() {
		return nil, fmt.Errorf("dial tcp: connection refused")
	}
	return o.to.RoundTrip(r)
}

func newWeek(t *testing.T) *week {
	w := &week{site: newSite(t, 8), alive: map[string]*process{}}
	w.store = w.noted(w.store)
	w.interval = 4 * time.Minute // what a week takes is mostly rounds that find nothing
	w.git = gitserve.New()
	w.repo = w.git.Add("acme/layers")
	w.commit("Begin", map[string]string{
		"layerd.yaml":              "timezone: UTC\ndefaults:\n  region: ap-northeast-1\n  unmanaged: [\"*:layer:neighbour\"]\n  layers: {common: {functions: [\"makoto-*\"]}}\n",
		"layers/common/layer.yaml": "name: common\n",
		"environments/dev.yaml":    devFile("1.2.0"),
		"environments/prod.yaml":   prodFile("1.2.0"),
	})
	for i := range 8 {
		w.meddle(accountID, fmt.Sprintf("makoto-%02d", i), 2)
		w.meddle(otherAccount, fmt.Sprintf("makoto-%02d", i), 2)
	}
	w.wrapGit = func(rt http.RoundTripper) http.RoundTripper { return outage{rt, &w.gitDown} }
	w.world.OnCall(func(c awssim.Call) awssim.Fault {
		w.calls.Add(1)
		if c.Write {
			w.mu.Lock()
			w.writes = append(w.writes, c)
			w.mu.Unlock()
		}
		if f := w.trouble.Load(); f != nil {
			return (*f)(c)
		}
		return awssim.Fault{}
	})
	return w
}

// dev may change at any time, but its approval is asked for; prod in a window of
// forty seconds a day, which is shorter than the interval.
func devFile(version string) string {
	return envFile(accountID, version, "approval_required: true\n")
}

func prodFile(version string) string {
	return envFile(otherAccount, version, "change_window: \"daily 02:00-02:01 UTC\"\ncutoff: 20s\n")
}

// at moves on to a time of the week; day 0 is the first Saturday.
func (w *week) at(day, hour, minute int) {
	w.t.Helper()
	to := time.Date(2000, 1, 1+day, hour, minute, 0, 0, time.UTC)
	if to.Before(time.Now()) {
		w.t.Fatalf("%s is past", to)
	}
	time.Sleep(time.Until(to))
	if told := w.slack.titles(); told != "" {
		w.messages += strings.Count(told, "\n")
		w.t.Logf("until %s\n%s", to.Format("Mon 15:04"), told)
	}
	w.world.ResetCalls() // the week keeps its own log
}

func (w *week) run(name string) *process {
	p := w.start(name)
	w.alive[name] = p
	return p
}

func (w *week) want(why string, account string, version int) {
	w.t.Helper()
	if n := w.has(account, version); n != 8 {
		w.t.Errorf("%s %s: %d of 8 functions of %s have %d", time.Now().Format("Mon 15:04"), why, n, account, version)
	}
}

// quiet says that two more rounds write nothing.
func (w *week) quiet(why string) {
	w.t.Helper()
	w.mu.Lock()
	before := len(w.writes)
	w.mu.Unlock()
	time.Sleep(2*w.interval + w.interval/4)
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.writes) - before; n != 0 {
		w.t.Errorf("%s: %s: %d writes where nothing was to be done", time.Now().Format("Mon 15:04"), why, n)
	}
}

func (w *week) approve() {
	w.t.Helper()
	for v, err := range w.store.List(w.t.Context(), store.Query{Prefix: store.Prefix("offer", "acme", "dev")}) {
		if err != nil {
			w.t.Fatal(err)
		}
		segments, err := store.Split(v.Key)
		if err != nil {
			w.t.Fatal(err)
		}
		a := ruling.Approval{Environment: "dev", Digest: segments[3], By: "tanaka", At: time.Now()}
		if _, err := history.Open(w.store, "acme").Rulings().Approve(w.t.Context(), a, window.Calendar{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *week) both(subject, version string) {
	w.commit(subject, map[string]string{"environments/dev.yaml": devFile(version), "environments/prod.yaml": prodFile(version)})
}

// Saturday: a first daemon, a commit while closed, an approval, a window that
// is shorter than the interval.
func (w *week) saturday() {
	w.run("one")
	w.at(0, 0, 10)
	w.quiet("the first look adopts")
	w.both("Raise to 1.3.0", "1.3.0")
	w.at(0, 0, 30)
	w.want("dev waits for an approval", accountID, 2)
	w.want("prod waits for its window", otherAccount, 2)
	w.approve()
	w.at(0, 0, 40)
	w.want("approved", accountID, 3)
	w.at(0, 2, 2)
	w.want("a window of forty seconds was met", otherAccount, 3)
	w.quiet("done")
}

// Sunday: a second daemon takes its share; hands meddle; AWS throttles.
func (w *week) sunday() {
	w.run("two")
	w.at(1, 0, 10)
	if a, b := w.holder(accountID), w.holder(otherAccount); a == b || a == "" || b == "" {
		w.t.Errorf("two daemons, and the accounts are with %q and %q", a, b)
	}
	r := rand.New(rand.NewPCG(7, 7))
	var mu sync.Mutex
	throttled := func(awssim.Call) awssim.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch r.IntN(10) {
		case 0:
			return awssim.Throttle()
		case 1:
			return awssim.ServerError()
		case 2:
			return awssim.LostAnswer()
		case 3:
			return awssim.ServerErrorAfter()
		}
		return awssim.Fault{}
	}
	w.trouble.Store(&throttled)
	for i := range 8 {
		w.meddle(accountID, fmt.Sprintf("makoto-%02d", i), 1+i%2)
	}
	w.at(1, 0, 40)
	w.trouble.Store(nil)
	w.at(1, 0, 50)
	w.want("healed in spite of everything", accountID, 3)
	w.meddle(otherAccount, "makoto-03", 1) // outside the window: told, and healed in it
	w.at(1, 1, 50)
	if w.has(otherAccount, 3) != 7 {
		w.t.Errorf("drift was healed outside the window")
	}
	w.at(1, 2, 2)
	w.want("drift was healed in the window", otherAccount, 3)
	w.quiet("done")
}

// Monday: Git disappears for hours; what was applied is defended, nothing new
// begins.
func (w *week) monday() {
	w.at(2, 0, 0)
	w.gitDown.Store(true)
	w.both("Raise to 1.4.0", "1.4.0") // nobody can see it
	w.meddle(accountID, "makoto-05", 1)
	w.at(2, 3, 0)
	w.want("without Git drift is healed", accountID, 3)
	w.want("without Git nothing begins", otherAccount, 3)
	w.gitDown.Store(false)
	w.at(2, 3, 10)
	w.approve()
	w.at(2, 3, 20)
	w.want("Git is back", accountID, 4)
	w.at(3, 2, 2)
	w.want("the next window", otherAccount, 4)
	w.quiet("done")
}

// Tuesday: an invalid file holds its environment and nobody else; then one
// daemon is killed while the other's commit is being applied.
func (w *week) tuesday() {
	w.at(3, 3, 0)
	w.commit("Break prod", map[string]string{
		"environments/dev.yaml": devFile("1.5.0"), "environments/prod.yaml": strings.Replace(prodFile("1.5.0"), "cutoff", "cutof", 1),
	})
	w.at(3, 3, 10)
	w.approve()
	w.meddle(otherAccount, "makoto-01", 1)
	w.at(3, 3, 20)
	w.want("dev is valid and goes on", accountID, 5)
	w.at(4, 2, 2)
	w.want("prod stays at the last good commit, and drift is healed to it", otherAccount, 4)
	w.commit("Mend prod", map[string]string{"environments/prod.yaml": prodFile("1.5.0")})
	w.at(4, 2, 30)
	w.want("too late for today", otherAccount, 4)
}

// Wednesday: a kill in the middle of prod's change; the other daemon follows
// within two terms and the next window finishes.
func (w *week) wednesday() {
	w.at(5, 1, 55)
	holder := w.alive[w.holder(otherAccount)]
	var sent atomic.Int64 // not by name: which function is the last to be written changes from run to run
	kill := func(c awssim.Call) awssim.Fault {
		if c.Operation == "UpdateFunctionConfiguration" && c.Account == otherAccount && sent.Add(1) == 4 {
			holder.kill()
			return awssim.LostAnswer()
		}
		return awssim.Fault{}
	}
	w.trouble.Store(&kill)
	w.at(5, 2, 1)
	w.trouble.Store(nil)
	delete(w.alive, holder.name)
	w.at(5, 2, 3)
	if now := w.holder(otherAccount); now == "" || now == holder.name {
		w.t.Errorf("two terms after the kill the lease is with %q", now)
	}
	if n := w.has(otherAccount, 5); n == 0 || n == 8 {
		w.t.Errorf("the kill was to be in the middle, and %d of 8 are done", n)
	}
	w.at(6, 2, 2)
	w.want("the next window finishes what was begun", otherAccount, 5)
	w.quiet("done")
}

// Thursday: the holder of prod is paused longer than its lease in the middle of
// a change. Somebody else finishes it; the woken one writes nothing.
func (w *week) thursday() {
	w.run("three")
	w.at(6, 12, 0)
	w.both("Back to 1.4.0", "1.4.0")
	w.at(6, 12, 10)
	w.want("going back needs no approval", accountID, 4)
	w.at(7, 1, 55)
	holder := w.alive[w.holder(otherAccount)]
	var paused atomic.Bool
	pause := func(c awssim.Call) awssim.Fault {
		if c.Operation == "UpdateFunctionConfiguration" && c.Account == otherAccount && paused.CompareAndSwap(false, true) {
			holder.pause()
		}
		return awssim.Fault{}
	}
	w.trouble.Store(&pause)
	w.at(7, 2, 1)
	if !paused.Load() {
		w.t.Error("nothing was changed when the window opened")
	}
	w.at(7, 2, 30)
	if now := w.holder(otherAccount); now == holder.name {
		w.t.Error("the lease of the paused one was not taken over")
	}
	before := len(w.log())
	holder.resume()
	w.at(7, 2, 40)
	for _, c := range w.log()[before:] {
		w.t.Errorf("after the paused one woke: %s by %s", c.Operation, c.Caller)
	}
	w.trouble.Store(nil)
}

// Friday: all daemons are down over a window; it is told as missed, and the one
// after it does what waited.
func (w *week) friday() {
	w.at(8, 1, 0)
	for name, p := range w.alive {
		p.stop()
		delete(w.alive, name)
	}
	w.at(8, 3, 0)
	w.run("four")
	time.Sleep(6 * time.Minute)
	told := w.slack.take()
	if !slices.ContainsFunc(told, func(m notify.Message) bool { return strings.Contains(m.Title, "window") }) {
		w.t.Errorf("a missed window is not told: %+v", told)
	}
	w.at(9, 2, 2)
	w.want("what waited is done", otherAccount, 4)
	w.quiet("done")
}

// The store stops working for an hour and comes back.
func (w *week) secondSaturday() {
	w.at(9, 6, 0)
	w.storeDown.Store(true)
	w.meddle(accountID, "makoto-02", 1)
	w.at(9, 6, 30)
	if w.has(accountID, 4) != 7 {
		w.t.Error("something was changed without a record")
	}
	w.storeDown.Store(false)
	w.at(9, 6, 40)
	w.want("the store is back", accountID, 4)
	w.quiet("done")
}

func (w *week) log() []awssim.Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.writes)
}

// holder is who has the lease of an account now, as far as the store knows.
func (w *week) holder(account string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range slices.Backward(w.leaseChanges) {
		if t.account == account {
			if t.released {
				return ""
			}
			return t.owner
		}
	}
	return ""
}

// proveOneWriter: each change that reached AWS came from whoever had the lease
// of its account at that instant.
func (w *week) proveOneWriter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.writes {
		var at leaseChange
		for _, t := range w.leaseChanges {
			if t.account == c.Account && !t.at.After(c.Time) {
				at = t
			}
		}
		who := c.Caller[strings.LastIndex(c.Caller, "/")+1:]
		if at.released || at.owner != who {
			w.t.Errorf("%s: %s of %s in %s by %s, while the lease was with %q (released: %v)",
				c.Time.Format("Mon 15:04:05"), c.Operation, c.Resource, c.Account, who, at.owner, at.released)
		}
	}
	if len(w.writes) < 50 {
		w.t.Errorf("only %d changes: this proves little", len(w.writes))
	}
}

// proveHistory: every step ended, and the fencing numbers only grow.
func (w *week) proveHistory() {
	fences := map[string]int64{}
	for _, e := range slices.Backward(w.entries()) {
		if e.Cause == history.CauseRuling {
			continue
		}
		if e.Status == "" {
			w.t.Errorf("a step without an end: %+v", e)
		}
		if e.Fencing < fences[e.Account] {
			w.t.Errorf("number %d after %d: %s %s", e.Fencing, fences[e.Account], e.Step, e.Started)
		}
		fences[e.Account] = e.Fencing
		if e.Status == plan.StatusFailed && e.Error == "" {
			w.t.Errorf("a failure without a reason: %+v", e)
		}
	}
}
