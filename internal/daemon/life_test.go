package daemon_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/daemon/metrics"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// site is everything around daemons: AWS, a Git server, a store, and somebody
// who reads messages. All of it is in memory, for a synctest bubble.
type site struct {
	t     *testing.T
	world *awssim.World
	git   *gitserve.Server
	repo  *gitserve.Repo
	store store.Store
	slack *reader
	// target, when not nil, is told instead of slack.
	target notify.Target
	// wrapGit, when not nil, comes between a process and the Git server, and
	// storeDown between all of them and the store.
	wrapGit   func(http.RoundTripper) http.RoundTripper
	storeDown atomic.Bool
	// wrapStore, when not nil, comes between a process and the store.
	wrapStore func(store.Store) store.Store
	interval  time.Duration // of rounds and of looks at Git; 0 = a minute
	identity  string        // of the repository; empty = acme
	log       io.Writer     // what the daemons log as well; nil = nowhere else
	// credentials, when not nil and what it returns is not, are those for an
	// account.
	credentials func(account string) aws.CredentialsProvider
	// stranger is an account whose environments are reached with the keys of
	// accountID.
	stranger string
	// queue is the URL of the queue of events; empty = none.
	queue string
	// cloudWatch has the daemons put figures into CloudWatch.
	cloudWatch bool
}

// reader is a target that keeps its messages.
type reader struct {
	mu  sync.Mutex // guards got
	got []notify.Message
}

func (r *reader) Name() string { return "reader" }

func (r *reader) Send(_ context.Context, m notify.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, m)
	return nil
}

func (r *reader) take() []notify.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func (r *reader) titles() string {
	var b strings.Builder
	for _, m := range r.take() {
		fmt.Fprintf(&b, "%s %s: %s\n", m.At.UTC().Format("Mon 15:04"), m.Status, m.Title)
	}
	return b.String()
}

// Two accounts, since a lease is an account's.
const (
	accountID    = "123456789012"
	otherAccount = "210987654321"
	region       = "ap-northeast-1"
)

// newSite has functions in the accounts of dev and prod, and a repository that
// wants common 1.4.0, which they have.
func newSite(t *testing.T, functions int) *site {
	t.Helper()
	s := &site{
		t: t, world: awssim.New(awssim.Options{Account: accountID, Region: region, Settle: 2 * time.Second}),
		git: gitserve.New(), store: store.NewMemory(), slack: &reader{},
	}
	s.world.AddKey("OTHER", otherAccount, "")
	s.repo = s.git.Add("acme/layers")
	for _, account := range []string{accountID, otherAccount} {
		for n := 1; n <= 5; n++ {
			s.world.PutLayerVersion(awssim.LayerVersion{
				Account: account, Name: "common", Description: fmt.Sprintf("v1.%d.0", n), Created: time.Now().AddDate(-1, 0, n),
			})
		}
		s.world.PutLayerVersion(awssim.LayerVersion{Account: account, Name: "neighbour", Created: time.Now().AddDate(-1, 0, 0)})
		for i := range functions {
			common, other := layerARN(account, "common", 4), layerARN(account, "neighbour", 1)
			layers := [][]string{{common}, {other, common}, {common, other}}[i%3]
			s.world.PutFunction(awssim.Function{Account: account, Name: fmt.Sprintf("makoto-%02d", i), Layers: layers})
		}
	}
	s.commit("Begin", map[string]string{
		"layerd.yaml":              "timezone: UTC\ndefaults:\n  region: ap-northeast-1\n  unmanaged: [\"*:layer:neighbour\"]\n  layers: {common: {functions: [\"makoto-*\"]}}\n",
		"layers/common/layer.yaml": "name: common\n",
		"environments/dev.yaml":    envFile(accountID, "1.4.0", ""),
		"environments/prod.yaml":   envFile(otherAccount, "1.4.0", "change_window: \"Saturday 02:00-06:00 UTC\"\n"),
	})
	return s
}

func layerARN(account, name string, n int) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:layer:%s:%d", region, account, name, n)
}

func envFile(account, version, more string) string {
	return fmt.Sprintf("account: %q\n%slayers: {common: %s}\n", account, more, version)
}

func (s *site) commit(subject string, files map[string]string) string {
	s.t.Helper()
	hash, err := s.repo.Commit(gitserve.Change{Subject: subject, Files: files, Author: "sato"})
	if err != nil {
		s.t.Fatal(err)
	}
	return hash
}

// process is a daemon that can be killed and paused at any of its calls.
type process struct {
	name   string
	daemon *daemon.Daemon
	cancel context.CancelFunc
	done   chan struct{}
	began  time.Time
	// metrics are those of the process.
	metrics *metrics.Metrics
	ends    *daemon.Ends

	mu     sync.Mutex // guards the rest
	dead   bool
	paused chan struct{} // closed when it goes on; nil = it is not paused
	calls  int
	killAt int  // the call it dies at; 0 = none
	after  bool // the last call has its effect
	// reload: it does not die at that call but is told to stop, as for another
	// configuration.
	reload bool
}

type (
	environment = desired.Environment
	connector   = func(context.Context, environment) (round.Cloud, error)
)

var errDead = errors.New("killed")

// call is one call to the world: it waits while the process is paused, and says
// whether the call has its effect and whether its answer arrives. A dead
// process has no effect at all.
func (p *process) call(ctx context.Context) (do bool, err error) {
	for {
		p.mu.Lock()
		paused := p.paused
		if paused == nil {
			break
		}
		p.mu.Unlock()
		// What is paused hears nothing, not even that its time is over.
		<-paused
	}
	defer p.mu.Unlock()
	if p.dead {
		return false, errDead
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	p.calls++
	if p.killAt == 0 || p.calls < p.killAt {
		return true, nil
	}
	if p.reload {
		if p.calls == p.killAt {
			p.cancel()
		}
		err := ctx.Err() // nil for what is done to the end
		return err == nil || p.after && p.calls == p.killAt, err
	}
	p.dead = true
	p.cancel()
	return p.after, errDead
}

// kill ends the process at once; what it had under way has no effect any more.
func (p *process) kill() {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	p.cancel()
	p.resume()
}

func (p *process) stop() {
	p.cancel()
	<-p.done
}

func (p *process) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = make(chan struct{})
}

func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused != nil {
		close(p.paused)
		p.paused = nil
	}
}

// wire is HTTP as a process sees it.
type wire struct {
	p  *process
	to http.RoundTripper
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	do, dead := w.p.call(r.Context())
	if !do {
		return nil, dead
	}
	res, err := w.to.RoundTrip(r)
	if dead != nil {
		return nil, dead
	}
	return res, err
}

var errDown = errors.New("the store is away")

// disk returns s as a process sees it, which is away while down says so.
func disk(s store.Store, p *process, down *atomic.Bool) store.Store {
	return storetest.Faulty(s, func(ctx context.Context, _ storetest.Call) storetest.Fault {
		do, err := p.call(ctx)
		if do && down.Load() {
			return storetest.Fault{Before: errors.Join(errDown, err)}
		}
		return storetest.KilledAt(do, err)
	})
}

// start runs a daemon over the site.
func (s *site) start(name string) *process { return s.startDying(name, 0, false) }

func (s *site) startDying(name string, killAt int, after bool) *process {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	p := &process{name: name, cancel: cancel, done: make(chan struct{}), began: time.Now(), metrics: metrics.New("test"), ends: &daemon.Ends{}, killAt: killAt, after: after}
	git := s.git.Transport()
	if s.wrapGit != nil {
		git = s.wrapGit(git)
	}
	source, err := gitrepo.New(gitrepo.Options{URL: "http://git.test/acme/layers", HTTP: wire{p, git}})
	if err != nil {
		s.t.Fatal(err)
	}
	log := io.Writer(testLog{s.t, name})
	if s.log != nil {
		log = io.MultiWriter(log, s.log)
	}
	target := notify.Target(s.slack)
	if s.target != nil {
		target = s.target
	}
	kept := disk(s.store, p, &s.storeDown)
	if s.wrapStore != nil {
		kept = s.wrapStore(kept)
	}
	events, queue := s.events(p)
	d, err := daemon.New(daemon.Options{
		Events: events, EventsName: queue, Ends: p.ends,
		Repository: cmp.Or(s.identity, "acme"), Source: source, Store: kept, StoreName: "memory:", Connect: s.connector(p), Name: name,
		Interval: s.interval, GitInterval: s.interval, Targets: []notify.Target{target}, Log: slog.New(slog.NewTextHandler(log, nil)),
		Metrics: p.metrics, CloudWatch: s.cloudWatch,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	p.daemon = d
	go func() {
		defer close(p.done)
		if err := d.Run(ctx); err != nil && (s.wrapStore == nil || !errors.Is(err, daemon.ErrCutOff)) {
			s.t.Errorf("%s: %v", name, err)
		}
	}()
	return p
}

// connector signs with the key of the account that an environment names. The
// user of each key is named after the process, so that the simulator's log of
// calls names who made each.
func (s *site) connector(p *process) connector {
	if p.metrics == nil {
		p.metrics = metrics.New("test")
	}
	byAccount := map[string]connector{}
	for _, id := range []string{accountID, otherAccount} {
		key := strings.ToUpper(p.name) + id
		s.world.AddKey(key, id, fmt.Sprintf("arn:aws:iam::%s:user/%s", id, p.name))
		signs := aws.CredentialsProvider(credentials.NewStaticCredentialsProvider(key, "secret", ""))
		if s.credentials != nil {
			if other := s.credentials(id); other != nil {
				signs = other
			}
		}
		byAccount[id] = daemon.Connector(p.metrics.CountCalls(aws.Config{
			Credentials: signs,
			HTTPClient:  &http.Client{Transport: wire{p, s.world.Transport()}},
		}), daemon.AWSOptions{RequestsPerSecond: 13, GetFunctionPerSecond: 90, Ends: p.ends})
	}
	if s.stranger != "" {
		byAccount[s.stranger] = byAccount[accountID]
	}
	return func(ctx context.Context, e environment) (round.Cloud, error) { return byAccount[e.Account](ctx, e) }
}

// testLog writes a log to the test's, with the virtual time.
type testLog struct {
	t    *testing.T
	name string
}

func (l testLog) Write(p []byte) (int, error) {
	if os.Getenv("LAYERD_TEST_LOG") != "" {
		l.t.Logf("%s %s %s", time.Now().UTC().Format("Mon 15:04:05"), l.name, strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// has counts the functions of an account that have a version of common.
func (s *site) has(account string, version int) int {
	n := 0
	for _, f := range s.world.Functions() {
		if f.Account == account && slices.Contains(f.Layers, layerARN(account, "common", version)) {
			n++
		}
	}
	return n
}

func (s *site) meddle(account, function string, version int) {
	s.world.EditFunction(fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", region, account, function), func(f *awssim.Function) {
		for i, l := range f.Layers {
			if strings.Contains(l, ":layer:common:") {
				f.Layers[i] = layerARN(account, "common", version)
			}
		}
	})
}

func (s *site) entries() []history.Entry {
	s.t.Helper()
	var list []history.Entry
	for e, err := range history.Open(s.store, "acme").Entries(s.t.Context(), history.Query{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// TestADay: what a daemon is there for, once.
func TestADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 6)
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute) // Saturday 1 January 2000, 00:02
		if n := s.world.Writes(); n != 0 {
			t.Errorf("in sync, and %d writes", n)
		}
		t.Log("\n" + s.slack.titles())

		// A hand meddles; the next round heals.
		s.meddle(accountID, "makoto-01", 3)
		time.Sleep(2 * time.Minute)
		if s.has(accountID, 4) != 6 || s.world.Writes() != 1 {
			t.Errorf("%d of 6 have 4 after %d writes", s.has(accountID, 4), s.world.Writes())
		}
		t.Log("\n" + s.slack.titles())

		// A commit: dev follows at once, prod at 02:00.
		s.commit("Raise", map[string]string{
			"environments/dev.yaml":  envFile(accountID, "1.5.0", ""),
			"environments/prod.yaml": envFile(otherAccount, "1.5.0", "change_window: \"Saturday 02:00-06:00 UTC\"\n"),
		})
		time.Sleep(3 * time.Minute)
		if s.has(accountID, 5) != 6 || s.has(otherAccount, 5) != 0 {
			t.Errorf("dev %d, prod %d of 6 have 5", s.has(accountID, 5), s.has(otherAccount, 5))
		}
		t.Log("\n" + s.slack.titles())
		time.Sleep(time.Until(time.Date(2000, 1, 1, 2, 0, 10, 0, time.UTC)))
		if s.has(otherAccount, 5) != 6 {
			t.Errorf("prod: %d of 6 have 5 ten seconds after the window opened", s.has(otherAccount, 5))
		}
		time.Sleep(3 * time.Minute)
		t.Log("\n" + s.slack.titles())
		s.world.ResetCalls()
		time.Sleep(3 * time.Hour)
		if n := s.world.Writes(); n != 0 {
			t.Errorf("three quiet hours, and %d writes", n)
		}
		if msg := s.slack.titles(); msg != "" {
			t.Errorf("three quiet hours, and it says:\n%s", msg)
		}
		for _, e := range s.entries() {
			// A heal is asked for by no commit (H2).
			if e.Fencing == 0 || e.Status != plan.StatusApplied || e.Planned == "" || (e.Revision == "") != (e.Cause == plan.CauseDrift) {
				t.Errorf("entry %+v", e)
			}
		}
		began := time.Now()
		p.stop()
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
}

// A daemon whose store is another one than the commands' logs that.
func TestAnotherStoreIsSaid(t *testing.T) {
	for named, warned := range map[string]bool{"dynamodb:layerd": true, "\"memory:\"": false} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, 1)
			var log logText
			s.log = &log
			s.commit("Name a store", map[string]string{"layerd.yaml": "store: " + named +
				"\ndefaults:\n  region: ap-northeast-1\n  layers: {common: {functions: [\"makoto-*\"]}}\n"})
			p := s.start("one")
			time.Sleep(time.Minute)
			p.stop()
			if got := strings.Contains(log.String(), "names another store"); got != warned {
				t.Errorf("layerd.yaml names %s, warned: %v", named, got)
			}
		})
	}
}
