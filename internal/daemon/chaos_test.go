package daemon_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/examples"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/demo"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
	"github.com/layerd/layerd/internal/window"
)

// chaosVar says how much: "each" kills at each call of the short stories, which
// is what the night does; a number at one call in so many, "story" at each of the
// demo's, which takes an hour or two. By default it is one in sixty of the short
// ones.
const chaosVar = "LAYERD_CHAOS"

// stride is how many calls there are from one kill to the next.
func stride(t *testing.T) int {
	switch v := os.Getenv(chaosVar); v {
	case "":
		if nightly.On() {
			return 1
		}
		return 60
	case "each", "story":
		return 1
	default:
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("%s is %q, and should be each, story, or a number", chaosVar, v)
		}
		return n
	}
}

// unit is the story's minute. Everything is measured in it, the lease too.
const unit = 20 * time.Second

func whole() bool { return os.Getenv(chaosVar) == "story" }

// TestChaos runs the demo's story with the daemon and kills it at every call
// it makes to AWS, Git and the store, before and after the call has its effect.
// Another process is started five seconds later. Each time the world must come
// to what it comes to without a kill, nothing is applied twice, no step is
// missing from the history, and what follows writes nothing.
func TestChaos(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("thousands of kills take a minute")
	}
	var baseline outcome
	synctest.Test(t, func(t *testing.T) { baseline = runStory(t, 0, false) })
	if len(baseline.calls) < 200 || len(baseline.applied) < 10 {
		t.Fatalf("the story makes %d calls and %d changes: that proves little", len(baseline.calls), len(baseline.applied))
	}
	killEach(t, baseline, 1, len(baseline.calls), runStory)
}

// killEach runs a story once for each kill, from its call first to last, and
// compares how it ends with the baseline.
func killEach(t *testing.T, baseline outcome, first, last int, run func(t *testing.T, n int, after bool) outcome) {
	killEvery(t, baseline, stride(t), first, last, run)
}

// killEvery is killEach with how many calls there are from one kill to the next.
func killEvery(t *testing.T, baseline outcome, step, first, last int, run func(t *testing.T, n int, after bool) outcome) {
	m := newMatrix(baseline)
	t.Run("kills", func(t *testing.T) {
		for worker := range 2 { // as many as there are cores
			t.Run(fmt.Sprint("worker", worker), func(t *testing.T) {
				t.Parallel()
				for n := first + worker*step; n <= last && !m.hopeless(); n += 2 * step {
					for _, after := range []bool{false, true} {
						synctest.Test(t, func(t *testing.T) { m.note(baseline, run(t, n, after), n, after) })
					}
				}
			})
		}
	})
	t.Logf("calls of the story, each killed before and after it had its effect\n\n%s", m)
	for _, wrong := range m.wrong {
		t.Error(wrong)
	}
}

// outcome is how a story ended.
type outcome struct {
	calls   []string            // of the process that was to be killed, in order
	layers  map[string][]string // every function's list at the end
	live    []string            // layer versions that are left
	stands  map[string]string   // what the parameters say at the end
	applied map[string]int      // changes that AWS made, by what they were
	history map[string]int      // changes in the history, likewise
	open    int                 // records without an end
	late    int                 // writes after the story was over
	settled int                 // records that a later process found without an end
	twice   int                 // messages that arrived more than once
	killed  bool
}

// simulation is where a story runs.
type simulation struct {
	*testing.T
	world *awssim.World
	git   *gitserve.Server
	repo  *gitserve.Repo
	store store.Store
	slack *reader
	all   []*recordedProcess
	// holder, when not nil, is the one process that all daemons are of, and log
	// where they log as well.
	holder *lease.Identity
	log    io.Writer
	// aws, when not nil, is the AWS of a process in place of world's.
	aws func(*recordedProcess) http.RoundTripper
}

// recordedProcess is a process with a list of its calls.
type recordedProcess struct {
	*process
	mu    sync.Mutex
	names []string
}

// begin is a Saturday in Tokyo, thirty units before prod's window.
func begin() time.Time {
	return time.Date(2026, 11, 28, 2, 0, 0, 0, time.FixedZone("JST", 9*60*60)).Add(-30 * unit)
}

// runStory runs the demo's chapters once. The first process dies at its n-th
// call; 0 = it lives.
func runStory(t *testing.T, n int, after bool) outcome {
	time.Sleep(time.Until(begin()))
	sim := &simulation{T: t, world: demo.NewWorld(time.Now(), 2*time.Second), git: gitserve.New(), store: store.NewMemory(), slack: &reader{}}
	released(sim.world)
	sim.repo = sim.git.Add("acme/layers")
	sim.commit("Describe the fleet", "1.4.1")
	before := sim.lists()
	dead, restarted := sim.firstProcess(n, after)
	sim.at(5)
	old := sim.world.LayerARN("makoto-common-dev", 9)
	sim.world.EditFunction("makoto-api-dev", func(f *awssim.Function) { f.Layers[slices.IndexFunc(f.Layers, ours)] = old })
	sim.at(15)
	sim.commit("Raise makoto-common to 1.4.2", "1.4.2")
	sim.at(22)
	if whole() {
		sim.approve("staging")
	}
	sim.approve("prod")
	sim.at(45) // the window opened at 30
	sim.commit("Revert \"Raise makoto-common to 1.4.2\"", "1.4.1")
	sim.at(75) // versions were candidates for half an hour
	out := sim.outcome(before)
	sim.world.ResetCalls()
	sim.at(87)
	out.late = sim.world.Writes()
	sim.close(restarted)
	out.calls, out.killed = dead.list(), dead.died()
	return out
}

// released puts 1.4.2 there as it was before layerd published: what is killed in a publish
// has a story of its own.
func released(w *awssim.World) {
	demo.PutRelease(w, "dev", "1.4.2", time.Now().AddDate(0, 0, -2))
	demo.PutRelease(w, "staging", "1.4.2", time.Now().AddDate(0, 0, -1))
	demo.PutRelease(w, "prod", "1.4.2", time.Now().AddDate(0, 0, -1))
}

// firstProcess starts the one that is killed, and another five seconds after
// its death, which is what systemd does. restarted is closed when that was done,
// or there was no need.
func (sim *simulation) firstProcess(n int, after bool) (dead *recordedProcess, restarted chan struct{}) {
	dead = sim.start(n, after)
	restarted = make(chan struct{})
	go func() {
		defer close(restarted)
		<-dead.done
		if dead.died() {
			time.Sleep(5 * time.Second)
			sim.start(0, false)
		}
	}()
	return dead, restarted
}

// close ends all processes.
func (sim *simulation) close(restarted chan struct{}) {
	for _, p := range sim.all {
		p.cancel()
	}
	for _, p := range sim.all {
		<-p.done
	}
	<-restarted
	for _, p := range sim.all {
		p.cancel() // one that was started just now
		<-p.done
	}
}

func ours(layer string) bool { return strings.Contains(layer, ":layer:makoto-common-") }

// at moves to a time of the story.
func (sim *simulation) at(units int) {
	time.Sleep(time.Until(begin().Add(time.Duration(units) * unit)))
}

// served is what waves and aliases are in an environment's file: the story here
// is told without them, and they have tests of their own.
var served = regexp.MustCompile(`(?m)^(?:alias: .*\n|rollout:\n(?: .*\n)+)`)

// commit writes examples/repo with a version of makoto-common. Pruning waits
// thirty units rather than a day.
func (sim *simulation) commit(subject, version string) {
	sim.Helper()
	files := map[string]string{}
	err := fs.WalkDir(examples.Repo(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(examples.Repo(), name)
		text := strings.ReplaceAll(served.ReplaceAllString(string(data), ""), "makoto-common: 1.4.1", "makoto-common: "+version)
		text = strings.ReplaceAll(text, "retention: 5 versions", "retention: {versions_to_keep: 5, grace: "+(30*unit).String()+"}")
		if !whole() {
			if name == "environments/staging.yaml" {
				return nil
			}
			text = strings.ReplaceAll(text, `"makoto-*-${ENVIRONMENT}"`, `"makoto-a??-${ENVIRONMENT}", "makoto-au*-${ENVIRONMENT}"`)
			text = strings.NewReplacer("  makoto-ml-models: 3.2.0\n", "", "  makoto-third-party: ^2.0\n", "", "  makoto-third-party: 2.1.0\n", "",
				"unmanaged:\n", "unmanaged:\n    - \"*:layer:makoto-ml-*\"\n    - \"*:layer:makoto-third-*\"\n").Replace(text)
			if name == "layerd.yaml" {
				text, _, _ = strings.Cut(text, "    makoto-ml-models:")
			}
		}
		files[name] = text
		return err
	})
	if err != nil {
		sim.Fatal(err)
	}
	if _, err := sim.repo.Commit(gitserve.Change{Subject: subject, Files: files, Author: "sato"}); err != nil {
		sim.Fatal(err)
	}
}

// approve gives an approval of every plan of an environment that waits for one,
// as soon as it waits: after a kill that may be a while later.
func (sim *simulation) approve(environment string) {
	sim.Helper()
	for range 12 {
		offers, err := ruling.Pending(sim.Context(), sim.store, "demo", environment, "")
		if err != nil {
			sim.Fatal(err)
		}
		for _, o := range offers {
			a := ruling.Approval{Environment: environment, Digest: o.Digest, By: "tanaka", At: time.Now()}
			if _, err := history.Open(sim.store, "demo").Rulings().Approve(sim.Context(), a, window.Calendar{}); err != nil {
				sim.Fatal(err)
			}
		}
		if len(offers) > 0 {
			return
		}
		time.Sleep(unit / 2)
	}
	sim.Errorf("no plan of %s waits for an approval", environment)
}

// start runs the daemon, which dies at its n-th call.
func (sim *simulation) start(n int, after bool) *recordedProcess {
	ctx, cancel := context.WithCancel(sim.Context())
	p := &recordedProcess{process: &process{name: fmt.Sprint("process-", len(sim.all)+1), cancel: cancel, done: make(chan struct{}), killAt: n, after: after, reload: sim.holder != nil}}
	sim.all = append(sim.all, p)
	source, err := gitrepo.New(gitrepo.Options{URL: "http://git.test/acme/layers", HTTP: named{p: p, to: sim.git.Transport()}})
	if err != nil {
		sim.Fatal(err)
	}
	var cloud http.RoundTripper
	if sim.aws != nil {
		cloud = sim.aws(p)
	} else {
		cloud = sim.world.Transport()
	}
	cfg := aws.Config{
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient:  &http.Client{Transport: named{p, cloud, awssim.New(awssim.Options{})}},
	}
	log := io.Writer(testLog{sim.T, p.name})
	if sim.log != nil {
		log = io.MultiWriter(log, sim.log)
	}
	kept, connect := namedDisk(sim.store, p), daemon.Connector(cfg, daemon.AWSOptions{RequestsPerSecond: 13, GetFunctionPerSecond: 90})
	d, err := daemon.New(daemon.Options{
		Repository: "demo", Source: source, Store: kept, Name: p.name, Holder: sim.holder, Connect: connect, Interval: 6 * unit,
		Artifacts:   daemon.NewArtifacts(daemon.ArtifactOptions{Connect: connect, Store: kept, Repository: "demo"}),
		GitInterval: 2 * unit, Term: 2 * unit, Targets: []notify.Target{sim.slack}, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		sim.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = d.Run(ctx) // it says in its log what goes wrong
	}()
	return p
}

func (p *recordedProcess) died() bool {
	p.process.mu.Lock()
	defer p.process.mu.Unlock()
	return p.dead
}

func (p *recordedProcess) list() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.names
}

// say notes which call the next one is. Two calls at once may be noted in
// either order; which of them dies then is chance, that one does is not.
func (p *recordedProcess) say(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.died() {
		p.names = append(p.names, name)
	}
}

// outcome looks at the world and the history.
func (sim *simulation) outcome(before map[string][]string) outcome {
	o := outcome{layers: sim.lists(), stands: map[string]string{}, applied: map[string]int{}, history: map[string]int{}}
	for _, p := range sim.world.Parameters() {
		o.stands[p.Name] = p.Value + " " + fmt.Sprint(p.Tags)
	}
	for _, env := range []string{"dev", "staging", "prod"} {
		for _, v := range sim.world.LayerVersions("makoto-common-" + env) {
			o.live = append(o.live, fmt.Sprintf("%s:%d", env, v.Number))
		}
	}
	log := history.Open(sim.store, "demo")
	for e, err := range log.Entries(sim.Context(), history.Query{}) {
		switch {
		case err != nil:
			sim.Fatal(err)
		case e.Cause == history.CauseRuling:
		case e.Status == plan.StatusApplied && e.Kind == plan.KindPrune:
			o.history["delete "+string(e.From)]++
		case e.Status == plan.StatusApplied && e.Kind == plan.KindPublish:
			o.history["publish "+string(e.LayerARN)]++
		case e.Status == plan.StatusApplied && e.Kind == plan.KindServe:
			o.history[moved(e.Function, e.AliasBefore, e.AliasAfter, e.Canary)]++
		case e.Kind == plan.KindServe:
		case e.Status == plan.StatusApplied, e.Status == plan.StatusFailed && e.Alias != "" && e.Found == nil:
			// One that failed at the alias has changed the list all the same.
			o.history[fmt.Sprintf("%s %d→%d", e.Function, e.FromNumber, e.ToNumber)]++
		}
		if e.Interrupted && e.Status != plan.StatusApplied {
			o.settled++
		}
	}
	open, err := log.Unfinished(sim.Context())
	if err != nil {
		sim.Fatal(err)
	}
	o.open = len(open)
	o.applied = sim.changes(before)
	seen := map[string]bool{}
	for _, m := range sim.slack.take() {
		if seen[m.ID] {
			o.twice++
		}
		seen[m.ID] = true
	}
	return o
}

// changes lists what AWS did, by what it was: a function's version before and
// after, or a deleted version.
func (sim *simulation) changes(before map[string][]string) map[string]int {
	done := map[string]int{}
	now := maps.Clone(before)
	now["makoto-api-dev"] = []string{sim.world.LayerARN("makoto-common-dev", 9)} // what the hand left there
	live := map[string]string{}
	for _, c := range sim.world.Calls() {
		if !c.Write || !c.Applied {
			continue
		}
		switch in := c.Input.(type) {
		case *lambda.UpdateFunctionConfigurationInput:
			name := aws.ToString(in.FunctionName)
			done[fmt.Sprintf("%s %s→%s", name, number(now[name]), number(in.Layers))]++
			now[name] = in.Layers
		case *lambda.DeleteLayerVersionInput:
			done["delete "+sim.world.LayerARN(aws.ToString(in.LayerName), aws.ToInt64(in.VersionNumber))]++
		case *lambda.PublishLayerVersionInput:
			done["publish "+string(state.NewLayerARN("aws", c.Region, c.Account, aws.ToString(in.LayerName)))]++
		case *lambda.UpdateAliasInput:
			name, version, canary := aws.ToString(in.FunctionName), aws.ToString(in.FunctionVersion), false
			for v := range in.RoutingConfig.AdditionalVersionWeights {
				version, canary = v, true
			}
			done[moved(name, cmp.Or(live[name], "1"), version, canary)]++
			if !canary {
				live[name] = version
			}
		case *lambda.PublishVersionInput: // gives what there is; the versions are counted at the end
		case *ssm.PutParameterInput, *ssm.AddTagsToResourceInput, *ssm.DeleteParameterInput: // may be repeated; what they left is compared
		case *lambda.InvokeInput: // a smoke test may be repeated
		default:
			done["unexpected "+c.Operation]++
		}
	}
	return done
}

// moved returns what was done to an alias.
func moved(function, before, after string, canary bool) string {
	if canary {
		return fmt.Sprintf("%s live %s, some %s", function, before, after)
	}
	return fmt.Sprintf("%s live %s→%s", function, before, after)
}

// number returns our layer's number in a list.
func number(list []string) string {
	if i := slices.IndexFunc(list, ours); i >= 0 {
		return list[i][strings.LastIndex(list[i], ":")+1:]
	}
	return "0"
}

func (sim *simulation) lists() map[string][]string {
	lists := map[string][]string{}
	for _, f := range sim.world.Functions() {
		lists[f.Name] = f.Layers
	}
	return lists
}

// named is HTTP that says which call it is.
type named struct {
	p  *recordedProcess
	to http.RoundTripper
	// reads, when not nil, is an AWS that knows what its requests ask for; nil = Git.
	reads *awssim.World
}

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	name := "git " + path.Base(r.URL.Path)
	if n.reads != nil {
		call, again, err := n.reads.Read(r)
		if err != nil {
			return nil, err
		}
		name, r = "aws "+call.Operation, again
	}
	n.p.say(name)
	return wire{n.p.process, n.to}.RoundTrip(r)
}

// namedDisk returns a store as p sees it, with the names of its calls in p's list.
func namedDisk(s store.Store, p *recordedProcess) store.Store {
	return storetest.Faulty(disk(s, p.process, &atomic.Bool{}), func(_ context.Context, c storetest.Call) storetest.Fault {
		kind, _, _ := strings.Cut(c.Key, "/")
		p.say("store " + string(c.Op) + " " + kind)
		return storetest.Fault{}
	})
}

// matrix counts what became of the kills, by the call that was the last.
type matrix struct {
	mu      sync.Mutex // guards all: stories run side by side
	rows    map[string]*row
	settled int
	twice   int
	wrong   []string
}

type row struct{ times, before, after, converged int }

func newMatrix(baseline outcome) *matrix {
	m := &matrix{rows: map[string]*row{}}
	for _, name := range baseline.calls {
		if m.rows[name] == nil {
			m.rows[name] = &row{}
		}
		m.rows[name].times++
	}
	return m
}

// hopeless: more failures than anybody reads.
func (m *matrix) hopeless() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.wrong) > 20
}

// note compares the story of a kill with the baseline.
func (m *matrix) note(baseline, o outcome, n int, after bool) {
	if !o.killed || len(o.calls) == 0 {
		return // calls differ in number by chance: this one was not reached
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name := o.calls[len(o.calls)-1]
	r := m.rows[name]
	if r == nil {
		r = &row{}
		m.rows[name] = r
	}
	if after {
		r.after++
	} else {
		r.before++
	}
	m.settled += o.settled
	m.twice += o.twice
	var why []string
	differs := func(what string, want, got any) {
		if diff := gocmp.Diff(want, got); diff != "" {
			why = append(why, fmt.Sprintf("%s (-baseline +killed):\n%s", what, diff))
		}
	}
	differs("the lists", baseline.layers, o.layers)
	differs("the parameters", baseline.stands, o.stands)
	differs("the versions that are left", baseline.live, o.live)
	differs("what AWS did", baseline.applied, o.applied)
	differs("the history against what AWS did", o.applied, o.history)
	differs("records without an end, late writes", [2]int{}, [2]int{o.open, o.late})
	if o.twice > 1 {
		why = append(why, fmt.Sprintf("%d messages arrived twice", o.twice))
	}
	if len(why) == 0 {
		r.converged++
		return
	}
	m.wrong = append(m.wrong, fmt.Sprintf("killed at call %d (%s), after its effect: %v:\n%s", n, name, after, strings.Join(why, "\n")))
}

// String is the table that make chaos prints.
func (m *matrix) String() string {
	var b strings.Builder
	var all row
	fmt.Fprintf(&b, "%-42s %7s %8s %8s %10s\n", "call", "calls", "before", "after", "converged")
	for _, name := range slices.Sorted(maps.Keys(m.rows)) {
		r := m.rows[name]
		all = row{all.times + r.times, all.before + r.before, all.after + r.after, all.converged + r.converged}
		fmt.Fprintf(&b, "%-42s %7d %8d %8d %10s\n", name, r.times, r.before, r.after, fmt.Sprintf("%d/%d", r.converged, r.before+r.after))
	}
	fmt.Fprintf(&b, "%-42s %7d %8d %8d %10s\n", "all", all.times, all.before, all.after, fmt.Sprintf("%d/%d", all.converged, all.before+all.after))
	fmt.Fprintf(&b, "\nrecords found without an end and settled as not done: %d; messages that came twice: %d\n", m.settled, m.twice)
	return b.String()
}
