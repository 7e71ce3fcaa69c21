package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/layerd/layerd/internal/daemon/metrics"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/hint"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// Source is where commits come from. *gitrepo.Repo is one.
type Source interface {
	// Pull returns the newest commit and true, unless its hash is last.
	Pull(ctx context.Context, last string) (gitrepo.Commit, bool, error)
}

// Options are what a daemon follows, where it keeps its state, and how it reaches
// the world. Repository, Source, Store and Connect are required.
type Options struct {
	Repository string // identity; part of every key in the store
	Source     Source
	Store      store.Store
	// StoreName is the store as people name it (sqlite:PATH), to be compared with
	// what layerd.yaml names; empty = not compared.
	StoreName string
	Connect   func(context.Context, desired.Environment) (round.Cloud, error)
	Artifacts round.Artifacts // reads archives of layers; nil = nothing is published
	Rates     reconcile.Rates
	// Bounds are what the environments' files may reach, before what layerd.yaml says.
	Bounds desired.Bounds
	// Interval is between two rounds of an environment, GitInterval between two
	// looks at the branch; each is stretched or shortened by up to a tenth, so
	// that many daemons do not ask in step. 0 = a minute.
	Interval, GitInterval time.Duration
	// Name is the holder that people see: host and process. Holder is the identity
	// of the process, which one daemon hands on to the next that takes its place;
	// nil = one that is this daemon's alone.
	Name    string
	Holder  *lease.Identity
	Targets []notify.Target // where alerts go; none = nowhere
	Repeat  time.Duration   // after which an open alert is repeated; 0 = 24 hours
	Suffix  string          // of the commands that messages name; see notify.Options
	Secrets []Secret        // that the configuration names; see secrets.go
	// Events is the queue in which it stands what happens in AWS, nil = none, and
	// EventsName what it is called in the log; see hints.go.
	Events     hint.Queue
	EventsName string
	// Ends is the connector's, which hears of the ends of updates from Events; nil = none.
	Ends *Ends
	Term time.Duration // of leases; 0 = lease.Term
	Log  *slog.Logger  // nil = no log
	// Metrics are those of the process, handed on like Holder; nil = its own.
	Metrics *metrics.Metrics
	// CloudWatch has figures put into CloudWatch; see meter.go.
	CloudWatch bool
}

const (
	defaultInterval = time.Minute
	// tick is how often a loop looks at the clock at least: after a jump of the
	// wall clock a window is noticed this late at most.
	tick = 5 * time.Second
	// staleAfter is when Git or AWS counts as not read any more (DESIGN section
	// 2, isolation).
	staleAfter = 15 * time.Minute
	// shutdownTimeout bounds the final writes to the store. With the 20 seconds
	// that apply takes to finish it stays below the 25 that are promised.
	shutdownTimeout = 3 * time.Second
	// shutdownLimit is after how long Run returns although something still hangs.
	shutdownLimit = 24 * time.Second
)

// ErrCutOff: the daemon was to stop, and something did not end in time. What it
// left open is settled by whoever comes next; leases run out.
var ErrCutOff = errors.New("stopped before everything had ended")

// Daemon follows one desired-state repository until Run's context ends.
type Daemon struct {
	Options
	keeper         *lease.Keeper
	book           *notify.Book
	history        *history.Log
	cache          *round.Cache
	contents       *inspect.Memory // what is known of layer versions
	deliverNow     chan struct{}   // wakes the delivery; holds one token
	pullSlot       chan struct{}   // holds one token for whoever looks at the branch
	readSlot       chan struct{}   // holds one token for whoever reads a commit
	reader         Reader
	removed        atomic.Bool // an environment that was not forgotten has no file in Git any more
	lastGoodLoaded atomic.Bool // the last good commits were read at the start, or since
	status         statusFacts // what StatusPath serves

	// mu guards what follows. It is never held over a call to anybody.
	mu              sync.Mutex
	started         time.Time
	head            head
	loaded          loadedCommit                   // the newest commit that was read
	lineage         *Lineage                       // of the newest commit; nil = not known
	untraced        untraced                       // the commit of which that could not be read, as last logged
	lastGood        map[string]*lastGood           // by environment: the last commit that was valid for it, and resolved
	applied         map[state.LayerARN]string      // by layer: the environment that alone had it before this daemon started
	verdicts        map[string]verdict             // by environment: what the newest commit came to in AWS
	problems        map[string]environmentProblems // by environment; "" = of no environment
	revisions       map[string]*revisions          // by environment: the four revisions
	accounts        map[string]*account            // by number
	view            *desiredView                   // of head and lastGood; nil = to be computed
	storeError      string                         // why the store does not work; empty = it does
	replaced        bool                           // it is not the store that was opened; see replaced.go
	replacementTold bool                           // an alert about the replaced store was raised
	lostLeases      map[string]lostLease           // accounts whose lease was lost and that no daemon is known to hold
	reported        string                         // what tellRepository last reported, in short
	reportedAt      time.Time
	unreadable      map[string]unreadable // secrets that cannot be read, by key
	deaf            deafness              // whether the queue of events can be read

	// Only the delivery touches this: why a target takes no messages, as last logged.
	loggedTargets map[string]string
}

// New checks the options and does nothing else.
func New(o Options) (*Daemon, error) {
	switch {
	case o.Repository == "":
		return nil, errors.New("a daemon without the identity of its repository")
	case o.Source == nil || o.Store == nil || o.Connect == nil:
		return nil, errors.New("a daemon without a source, a store or a way to AWS")
	case o.Interval < 0 || o.GitInterval < 0:
		return nil, fmt.Errorf("intervals of %s and %s are not possible", o.Interval, o.GitInterval)
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.GitInterval == 0 {
		o.GitInterval = defaultInterval
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Holder == nil {
		o.Holder = lease.NewIdentity()
	}
	if o.Metrics == nil {
		o.Metrics = metrics.New("")
	}
	o.Targets = counted(o.Targets, o.Metrics)
	return &Daemon{
		Options:    o,
		keeper:     o.Holder.Keeper(o.Store, lease.Holder{Name: o.Name, Repository: o.Repository}, o.Term),
		book:       notify.NewBook(o.Store, o.Repository, notify.Options{Targets: o.Targets, Repeat: o.Repeat, Suffix: o.Suffix}),
		history:    history.Open(o.Store, o.Repository),
		cache:      round.NewCache(),
		contents:   &inspect.Memory{Store: o.Store, Log: o.Log},
		deliverNow: make(chan struct{}, 1),
		pullSlot:   make(chan struct{}, 1),
		readSlot:   make(chan struct{}, 1),
		lastGood:   map[string]*lastGood{}, verdicts: map[string]verdict{}, problems: map[string]environmentProblems{}, revisions: map[string]*revisions{}, accounts: map[string]*account{}, lostLeases: map[string]lostLease{},
		unreadable: map[string]unreadable{}, loggedTargets: map[string]string{},
	}, nil
}

// Run lives until ctx ends, and then stops in an orderly way: functions that were
// begun are finished and recorded, leases are released. That takes less than 25
// seconds. It returns nil after an orderly end, and ErrCutOff when the store or AWS
// kept it from one.
func (d *Daemon) Run(ctx context.Context) error {
	d.mu.Lock()
	d.started = time.Now()
	d.head.triedSince = d.started
	d.mu.Unlock()
	d.Metrics.Watch(d.Status)
	d.Log.Info("daemon starts", "repository", d.Repository, "name", d.Name, "interval", d.Interval.String())
	var wg sync.WaitGroup
	d.contain("start", func() { d.loadLastGood(ctx) })
	d.contain("git", func() { d.pull(ctx) }) // before anything is decided, so that nothing old is followed for a minute
	if d.newest().Files == nil {
		d.startRead(ctx, d.newest()) // the last good commits are followed
	}
	for _, loop := range []func(context.Context){d.pullLoop, d.rereadLoop, d.deliverLoop, d.secretsLoop, d.balanceLoop, d.hintsLoop} {
		wg.Go(func() { loop(ctx) })
	}
	wg.Go(func() { d.runAccounts(ctx) })
	<-ctx.Done()
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	t := time.NewTimer(shutdownLimit)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		// The service manager kills soon after, which would leave no line in
		// the log.
		d.Log.Error("daemon stops although not everything has ended", "repository", d.Repository, "after", shutdownLimit.String())
		return ErrCutOff
	}
	d.Log.Info("daemon has stopped", "repository", d.Repository)
	return nil
}

// every calls do until ctx ends, and waits between two calls for as long as do
// returned or until woken. A panic of do is logged and does not end the loop: it
// may be the one that alerts people.
func (d *Daemon) every(ctx context.Context, name string, wake <-chan struct{}, do func(context.Context) time.Duration) {
	for ctx.Err() == nil {
		pause := tick // after a panic
		d.contain(name, func() { pause = do(ctx) })
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-wake:
		}
		t.Stop()
	}
}

// contain keeps a panic of do from ending the daemon, and logs it.
func (d *Daemon) contain(name string, do func()) {
	defer func() {
		if p := recover(); p != nil {
			d.Log.Error("panic in a loop", "loop", name, "panic", fmt.Sprint(p), "stack", stack())
		}
	}()
	do()
}

// runAccounts starts one loop for each account that an environment names, and
// waits for all of them at the end.
func (d *Daemon) runAccounts(ctx context.Context) {
	var wg sync.WaitGroup
	d.every(ctx, "accounts", nil, func(ctx context.Context) time.Duration {
		d.renewStore(ctx)
		if !d.lastGoodLoaded.Load() {
			if d.loadLastGood(ctx); d.lastGoodLoaded.Load() { // the store did not answer at the start
				d.startRead(ctx, d.newest())
			}
		}
		for _, id := range d.desired().accounts() {
			d.mu.Lock()
			a := d.accounts[id]
			if a == nil {
				a = newAccount(d, id)
				d.accounts[id] = a
				wg.Go(func() { a.run(ctx) })
			}
			d.mu.Unlock()
		}
		return tick
	})
	wg.Wait()
}

// wakeAll has every account look for work now.
func (d *Daemon) wakeAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.accounts {
		a.wake()
	}
}
