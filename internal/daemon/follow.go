package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/words"
)

// head is what is known of the branch.
type head struct {
	commit gitrepo.Commit // the newest that was read; no Hash = none yet
	// readAt is when the branch was last looked at with success, and
	// triedSince when that was first tried; both with a monotonic reading.
	readAt, triedSince time.Time
	err                error // why the last look failed; nil = it did not
	// behind is why we may be behind: the previous holder knew another commit, and
	// the branch was not read since. Empty = we are not.
	behind string
	// unread is true while commit is not read yet, which it may never be.
	unread bool
}

// staleReason returns why the branch counts as not read, or "" when it was read
// lately.
func (h head) staleReason() string {
	switch {
	case h.readAt.IsZero() && h.err != nil:
		return "Git could not be read since layerd started: " + h.err.Error()
	case h.readAt.IsZero():
		return "Git was not read yet"
	case h.behind != "":
		return h.behind
	case time.Since(h.readAt) < staleAfter:
		return ""
	}
	why := fmt.Sprintf("Git was not read for %s", time.Since(h.readAt).Round(time.Minute))
	if h.err != nil {
		why += ": " + h.err.Error()
	}
	return why
}

// pullLoop pulls the branch until ctx ends.
func (d *Daemon) pullLoop(ctx context.Context) {
	d.every(ctx, "git", nil, func(ctx context.Context) time.Duration {
		pause := jitter(d.GitInterval)
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
			d.pull(ctx)
		}
		return 0
	})
}

// jitter stretches or shortens a pause by up to a tenth.
func jitter(pause time.Duration) time.Duration {
	return pause - pause/10 + rand.N(pause/5+1)
}

// pull looks at the branch once.
func (d *Daemon) pull(ctx context.Context) {
	select { // one at a time: an older answer must not come after a newer one
	case d.pullSlot <- struct{}{}:
		defer func() { <-d.pullSlot }()
	case <-ctx.Done():
		return
	}
	d.mu.Lock()
	last := d.head.commit.Hash
	d.mu.Unlock()
	began := time.Now()
	commit, changed, err := d.Source.Pull(ctx, last)
	if ctx.Err() != nil {
		return
	}
	d.Metrics.Poll(changed, err, time.Since(began))
	read := true
	if changed {
		d.trace(ctx, commit)
		read = d.startRead(ctx, commit)
	} else if err == nil {
		d.trace(ctx, d.newest()) // where that failed before
	}
	d.mu.Lock()
	before := d.head
	d.head.err = err
	if err == nil {
		d.head.readAt, d.head.behind = time.Now(), ""
	}
	if changed {
		d.head.commit, d.view = commit, nil
		d.head.unread = !read && d.loaded.commit.Hash != commit.Hash
	}
	if before.staleReason() != "" && err == nil {
		d.view = nil
	}
	d.mu.Unlock()
	d.logPull(commit.Hash, before.err, err)
	if changed {
		d.Log.Info("new commit", "revision", commit.Hash, "author", commit.Author, "subject", commit.Subject)
		if named := d.desired().tree.Store; named != "" && d.StoreName != "" && named != d.StoreName {
			d.Log.Warn("layerd.yaml names another store: commands would not see what the daemon does, nor it their approvals",
				"layerd_yaml", named, "daemon", d.StoreName)
		}
		d.wakeAll()
	}
}

// logPull logs how a look at the branch ended, before being the error of the last one.
func (d *Daemon) logPull(hash string, before, err error) {
	switch {
	case err != nil && before == nil:
		// Logged once, and again when it is something else: a line a minute for
		// a weekend would bury what matters.
		d.Log.Warn("git not read", "err", err)
	case err != nil && before.Error() != err.Error():
		d.Log.Warn("git not read", "err", err)
	case err == nil && before != nil:
		d.Log.Info("git read again", "revision", hash)
	}
	if g, ok := errors.AsType[*gitrepo.Error](err); ok && !g.Retryable() && before == nil {
		d.Log.Error("git needs a person", "kind", string(g.Kind), "err", err)
	}
}

// catchUp looks at the branch when the holder before us knew another commit
// than we do: it may be newer, and what it has applied must not be undone. When
// that is not possible, nothing new starts until it is.
func (d *Daemon) catchUp(ctx context.Context, holder, observed string) {
	d.mu.Lock()
	same := observed == "" || observed == d.head.commit.Hash
	d.mu.Unlock()
	if same {
		return
	}
	began := time.Now()
	d.pull(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.head.readAt.Before(began) && observed != d.head.commit.Hash {
		d.head.behind = fmt.Sprintf("Git was not read since %s acted on commit %s", holder, words.Commit(observed))
		d.view = nil
	}
}

func stack() string { return string(debug.Stack()) }
