package daemon

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/state"
)

const (
	// readTimeout is how long the reading of one environment may take. It takes
	// milliseconds; what takes longer does not end.
	readTimeout = 10 * time.Second
	// maxReads bounds how many environments are read at the same time, so that
	// the time of each is its own and is not spent waiting for a processor.
	maxReads = 8
	// readWait is how long a loop waits for a commit to be read before it goes on
	// with what it knew: less than anybody waits for a sign of life.
	readWait = 2 * time.Second
)

// A Reader reads what commits want, and ends in time whatever they contain: what
// package desired computes has no clock and cannot be stopped from outside, so
// that a part that does not end is left behind. It is the net below the bounds
// that package window has of its own. The zero Reader is ready.
type Reader struct {
	mu sync.Mutex
	// running has what is being read or was left behind: a commit and a part. What
	// was left behind is not begun again while it still runs, however often it is
	// asked for.
	running map[string]bool
}

// Left returns how many reads still run that were abandoned, once Load has
// returned.
func (r *Reader) Left() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.running)
}

// Load reads the environments of a commit, or those that only names. One that
// does not end in time is that one's problem. The error is that of ctx.
func (r *Reader) Load(ctx context.Context, commit string, files fs.FS, o desired.Options, only ...string) (desired.Tree, error) {
	repo, ended := bounded(ctx, r, commit, func() *desired.Repository { return desired.Open(files, o) })
	if ctx.Err() != nil {
		return desired.Tree{}, ctx.Err()
	}
	if !ended {
		return desired.NotOpened(fmt.Sprintf("layerd.yaml and layers/ were not read within %s", readTimeout)), nil
	}
	var names []string
	for _, name := range repo.Files() {
		if len(only) == 0 || slices.Contains(only, name) {
			names = append(names, name)
		}
	}
	parts := make([]desired.Part, len(names))
	slots := make(chan struct{}, maxReads)
	var wg sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			part, ended := bounded(ctx, r, commit+"/"+name, func() desired.Part { return repo.Read(name) })
			if !ended {
				part = repo.Unread(name, fmt.Sprintf("was not read within %s", readTimeout))
			}
			parts[i] = part
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return desired.Tree{}, ctx.Err()
	}
	return repo.Tree(parts), nil
}

// bounded calls do and reports whether it has ended in time.
func bounded[T any](ctx context.Context, r *Reader, key string, do func() T) (value T, ended bool) {
	r.mu.Lock()
	if r.running == nil {
		r.running = map[string]bool{}
	}
	if r.running[key] || ctx.Err() != nil {
		r.mu.Unlock()
		return value, false
	}
	r.running[key] = true
	r.mu.Unlock()
	done := make(chan T, 1)
	go func() {
		v := do()
		r.mu.Lock()
		delete(r.running, key)
		r.mu.Unlock()
		done <- v
	}()
	t := time.NewTimer(readTimeout)
	defer t.Stop()
	select {
	case value = <-done:
		return value, true
	case <-t.C:
	case <-ctx.Done():
	}
	return value, false
}

// loadedCommit is the newest commit that was read, and what it wants.
type loadedCommit struct {
	commit gitrepo.Commit
	tree   desired.Tree
	at     time.Time // for which it was read: wishes change with time, as pins end
}

// startRead starts to read a commit and waits for it, but not for long: the
// caller may have a lease to renew. It reports whether the commit was read.
func (d *Daemon) startRead(ctx context.Context, c gitrepo.Commit) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.contain("read", func() { d.readCommit(ctx, c) })
	}()
	t := time.NewTimer(readWait)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// readCommit reads a commit, and the last good ones of the environments that it
// is not valid for.
func (d *Daemon) readCommit(ctx context.Context, c gitrepo.Commit) {
	select { // one at a time: an older commit must not come after a newer one
	case d.readSlot <- struct{}{}:
		defer func() { <-d.readSlot }()
	case <-ctx.Done():
		return
	}
	t := loadedCommit{commit: c, at: time.Now()}
	d.readLastGood(ctx)
	if c.Files != nil {
		var err error
		if t.tree, err = d.reader.Load(ctx, c.Hash, c.Files, d.loadOptions(t.at)); err != nil {
			return // to stop
		}
	}
	if n := d.reader.Left(); n > 0 {
		d.Log.Error("reading does not end", "revision", c.Hash, "left_behind", n)
	}
	d.mu.Lock()
	d.loaded, d.view, d.lineage = t, nil, d.lineage.wanting(c.Hash, t.tree)
	late := d.head.unread && c.Hash == d.head.commit.Hash
	if late {
		d.head.unread = false
	}
	d.mu.Unlock()
	if late {
		d.wakeAll()
	}
}

// loadOptions are for a commit that is newer than the last good ones: who owns a
// layer since then keeps it, whoever claims it as well.
func (d *Daemon) loadOptions(at time.Time) desired.Options {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := desired.Options{Now: at, Bounds: d.Bounds, Holders: map[state.LayerARN]string{}}
	maps.Copy(o.Holders, d.applied)
	for _, g := range d.lastGood {
		addHolders(o.Holders, g.envs)
	}
	return o
}

// readLastGood reads the last good commits that were not read yet, as they were
// when they were valid, since a newer one may not load or not resolve: a pin that
// has ended since would make them invalid as well, and must not move anything.
func (d *Daemon) readLastGood(ctx context.Context) {
	d.mu.Lock()
	unread := map[string]lastGood{}
	for name, g := range d.lastGood {
		if g.envs == nil {
			unread[name] = *g
		}
	}
	d.mu.Unlock()
	for name, g := range unread {
		tree, err := d.reader.Load(ctx, g.hash, g.files, desired.Options{Now: g.at, Bounds: d.Bounds}, name)
		if err != nil {
			return
		}
		d.mu.Lock()
		if now := d.lastGood[name]; now != nil && now.hash == g.hash {
			now.envs = named(tree.Environments, name)
		}
		d.mu.Unlock()
	}
}

// newest returns the newest commit that was seen, read or not.
func (d *Daemon) newest() gitrepo.Commit {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.head.commit
}

// rereadLoop reads the newest commit again when time may have changed what it
// wants.
func (d *Daemon) rereadLoop(ctx context.Context) {
	d.every(ctx, "read", nil, func(ctx context.Context) time.Duration {
		d.mu.Lock()
		age := time.Since(d.loaded.at)
		d.mu.Unlock()
		if age >= viewMaxAge || age < 0 {
			d.readCommit(ctx, d.newest())
		}
		return tick
	})
}
