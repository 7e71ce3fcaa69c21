package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/layerd/layerd/internal/round"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/store"
)

// Source is where commits come from. *gitrepo.Repo is one.
type Source interface {
	// Pull gives the newest commit and true, unless its hash is last.
	Pull(ctx context.Context, last string) (gitrepo.Commit, bool, error)
}

// Options say what a daemon follows, where it remembers, and how it reaches
// the world. Repository, Source, Store and Connect are required.
type Options struct {
	Repository string // identity; part of every key in the store
	Source     Source
	Store      store.Store
	// StoreName is the store as people name it (sqlite:PATH), to be compared with
	// what layerd.yaml names; empty = not compared.
	StoreName string
	Connect   func(context.Context, desired.Environment) (round.Cloud, error)
	Rates     reconcile.Rates
	// Interval is between two rounds of an environment, GitInterval between two
	// looks at the branch; each is stretched or shortened by up to a tenth, so
	// that many daemons do not ask in step. 0 = a minute.
	Interval, GitInterval time.Duration
	// Name is who acts, for people: host and process.
	Name    string
	Targets []notify.Target // who is told; none = nobody
	Repeat  time.Duration   // after which an open alert is told again; 0 = 24 hours
	Suffix  string          // of the commands that messages name; see notify.Options
	Term    time.Duration   // of leases; 0 = lease.Term
	Log     *slog.Logger    // nil = no log
}

const (
	defaultInterval = time.Minute
	// tick is how often a loop looks at the clock at least: after a jump of the
	// wall clock a window is noticed this late at most.
	tick = 5 * time.Second
	// staleAfter is when Git or AWS counts as not read any more (DESIGN section
	// 2, isolation).
	staleAfter = 15 * time.Minute
	// farewell is how long an orderly end may take for what is in the store.
	// With apply's grace of 20 seconds it keeps below the 25 that are promised.
	farewell = 3 * time.Second
	// longestEnd is when a daemon stops although something still hangs.
	longestEnd = 24 * time.Second
)

// ErrCutOff: the daemon was to stop, and something did not end in time. What it
// left open is settled by whoever comes next; leases run out.
var ErrCutOff = errors.New("stopped before everything had ended")

// Daemon follows one desired-state repository until Run's context ends.
type Daemon struct {
	Options
	keeper  *lease.Keeper
	book    *notify.Book
	history *history.Log
	looks   *round.Cache
	rung    chan struct{} // something may be to deliver; holds one token
	pulling chan struct{} // holds one token for whoever looks at the branch
	reading chan struct{} // holds one token for whoever reads a commit
	reader  Reader
	removed atomic.Bool // an environment is gone from Git that nobody let be forgotten
	recalls atomic.Bool // the last good commits were read at the start, or since

	// mu guards what follows. It is never held over a call to anybody.
	mu       sync.Mutex
	started  time.Time
	head     head
	taken    taken                // the newest commit that was read
	good     map[string]*good     // by environment: the last commit that was valid for it, and resolved
	verdicts map[string]verdict   // by environment: what the newest commit came to in AWS
	troubles map[string]trouble   // by environment; "" = of no environment
	memory   map[string]*memory   // by environment: the four revisions
	accounts map[string]*account  // by number
	wanted   *wanted              // what head and good amount to; nil = work it out
	store    string               // why the store does not work; empty = it does
	replaced bool                 // it is not the store that was opened; see replaced.go
	said     bool                 // that it is not was told
	lost     map[string]lostLease // accounts that were lost and that nobody is known to hold
	news     string               // what was last told of the repository, in short
	newsAt   time.Time
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
	return &Daemon{
		Options: o,
		keeper:  lease.New(o.Store, lease.Holder{Name: o.Name, Repository: o.Repository}, o.Term),
		book:    notify.NewBook(o.Store, o.Repository, notify.Options{Targets: o.Targets, Repeat: o.Repeat, Suffix: o.Suffix}),
		history: history.Open(o.Store, o.Repository),
		looks:   round.NewCache(),
		rung:    make(chan struct{}, 1),
		pulling: make(chan struct{}, 1),
		reading: make(chan struct{}, 1),
		good:    map[string]*good{}, verdicts: map[string]verdict{}, troubles: map[string]trouble{}, memory: map[string]*memory{}, accounts: map[string]*account{}, lost: map[string]lostLease{},
	}, nil
}

// Run lives until ctx ends, and then stops in an orderly way: functions in hand
// are finished and recorded, leases are given back. That takes less than 25
// seconds. It returns nil after an orderly end, and ErrCutOff when the store or AWS
// kept it from one.
func (d *Daemon) Run(ctx context.Context) error {
	d.mu.Lock()
	d.started = time.Now()
	d.head.triedSince = d.started
	d.mu.Unlock()
	d.Log.Info("daemon starts", "repository", d.Repository, "name", d.Name, "interval", d.Interval.String())
	var wg sync.WaitGroup
	d.guard("start", func() time.Duration {
		d.remember(ctx)
		return 0
	})
	d.guard("git", func() time.Duration {
		d.pull(ctx) // before anything is decided, so that nothing old is followed for a minute
		return 0
	})
	if d.newest().Files == nil {
		d.take(ctx, d.newest()) // the last good commits are followed
	}
	for _, loop := range []func(context.Context){d.follow, d.reread, d.deliver, d.attend} {
		wg.Go(func() { loop(ctx) })
	}
	wg.Go(func() { d.staff(ctx) })
	<-ctx.Done()
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	t := time.NewTimer(longestEnd)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		// Whoever waits for us kills soon after, and that would say nothing.
		d.Log.Error("daemon stops although not everything has ended", "repository", d.Repository, "after", longestEnd.String())
		return ErrCutOff
	}
	d.Log.Info("daemon has stopped", "repository", d.Repository)
	return nil
}

// every calls do again and again, at most pause apart and never while ctx has
// ended; do says how long to wait. A panic of do is logged, and the loop goes
// on: it may be the loop that would have told somebody.
func (d *Daemon) every(ctx context.Context, name string, wake <-chan struct{}, do func(context.Context) time.Duration) {
	for ctx.Err() == nil {
		pause := d.guard(name, func() time.Duration { return do(ctx) })
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-wake:
		}
		t.Stop()
	}
}

func (d *Daemon) guard(name string, do func() time.Duration) (pause time.Duration) {
	defer func() {
		if p := recover(); p != nil {
			d.Log.Error("panic in a loop", "loop", name, "panic", fmt.Sprint(p), "stack", stack())
			pause = tick
		}
	}()
	return do()
}

// staff starts an account for each that an environment names, and waits for
// all of them at the end.
func (d *Daemon) staff(ctx context.Context) {
	var wg sync.WaitGroup
	d.every(ctx, "staff", nil, func(ctx context.Context) time.Duration {
		d.renewStore(ctx)
		if !d.recalls.Load() {
			if d.remember(ctx); d.recalls.Load() { // the store did not answer at the start
				d.take(ctx, d.newest())
			}
		}
		for _, id := range d.wants().accounts() {
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

// wakeAll lets every account look at once: something is new.
func (d *Daemon) wakeAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.accounts {
		a.ring()
	}
}
