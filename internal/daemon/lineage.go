package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
)

const (
	// maxLineage is how many commits are looked back for the one that asked for
	// something. Who asked before them is not known.
	maxLineage = 30
	// lineageTimeout bounds the looking back: the newest commit waits for it, and so
	// may a lease that is to be renewed.
	lineageTimeout = 10 * time.Second
)

// Lineage is the commits that a branch was at, one after the other, and what each asked
// for. It answers who asked for what is wanted now: the newest commit may have changed
// a comment. A Lineage is never changed.
type Lineage struct {
	commits []askingCommit // the newest first
	whole   bool           // there was none before the last
}

// askingCommit is one commit, without its files.
type askingCommit struct {
	gitrepo.Commit
	read bool // tree is what it wants
	tree desired.Tree
}

// NewLineage reads what the commits of a past asked for. One that cannot be read in
// time counts as not read.
func NewLineage(ctx context.Context, reader *Reader, past gitrepo.Past) *Lineage {
	l := &Lineage{whole: past.Whole}
	for i, c := range past.Commits {
		a := askingCommit{Commit: c}
		switch {
		case i > 0 && c.Tree != "" && c.Tree == past.Commits[i-1].Tree && l.commits[i-1].read:
			a.read, a.tree = true, l.commits[i-1].tree
		case c.Files != nil:
			// As it was when it was the newest: a pin may have ended since.
			tree, err := reader.Load(ctx, c.Hash, c.Files, desired.Options{Now: c.When})
			a.read, a.tree = err == nil, wishesOf(tree)
		}
		a.Files = nil
		l.commits = append(l.commits, a)
	}
	return l
}

// wishesOf is what is kept of a tree.
func wishesOf(t desired.Tree) desired.Tree {
	small := desired.Tree{Names: t.Names}
	for _, e := range t.Environments {
		small.Environments = append(small.Environments, desired.Environment{Name: e.Name, Region: e.Region, Layers: e.Layers})
	}
	return small
}

// head is the hash of the newest commit; empty = there is none.
func (l *Lineage) head() string {
	if l == nil || len(l.commits) == 0 {
		return ""
	}
	return l.commits[0].Hash
}

// followedBy returns the lineage of a commit that is the next of the branch.
func (l *Lineage) followedBy(c gitrepo.Commit) *Lineage {
	c.Files = nil
	next := &Lineage{commits: append([]askingCommit{{Commit: c}}, l.commits...), whole: l.whole}
	if len(next.commits) > maxLineage {
		next.commits, next.whole = next.commits[:maxLineage], false
	}
	return next
}

// wanting returns the lineage with what the commit hash wants.
func (l *Lineage) wanting(hash string, t desired.Tree) *Lineage {
	if l == nil {
		return nil
	}
	next := &Lineage{commits: slices.Clone(l.commits), whole: l.whole}
	for i := range next.commits {
		if next.commits[i].Hash == hash {
			next.commits[i].read, next.commits[i].tree = true, wishesOf(t)
		}
	}
	return next
}

// Asks returns what the commit that is followed, which wants envs of an environment,
// and those before it asked for in a Region. Where the commit is not among those that
// are known, one before it may have asked.
func (l *Lineage) Asks(followed gitrepo.Commit, envs []desired.Environment, region string) desired.Asks {
	first := desired.Ask{Revision: followed.Hash, Author: followed.Author, Subject: followed.Subject, When: followed.When, Layers: layersIn(envs, region)}
	asks := desired.Asks{List: []desired.Ask{first}}
	if l == nil || len(envs) == 0 {
		return asks
	}
	at := slices.IndexFunc(l.commits, func(c askingCommit) bool { return c.Hash == followed.Hash })
	if at < 0 {
		return asks
	}
	for _, c := range l.commits[at+1:] {
		asks.List = append(asks.List, c.ask(envs[0].Name, region))
	}
	asks.Whole = l.whole
	return asks
}

// ask is what the commit wanted of an environment in a Region.
func (c askingCommit) ask(name, region string) desired.Ask {
	a := desired.Ask{Revision: c.Hash, Author: c.Author, Subject: c.Subject, When: c.When}
	envs := named(c.tree.Environments, name)
	a.Layers = layersIn(envs, region)
	a.Unread = !c.read || len(envs) == 0 && slices.Contains(c.tree.Names, name)
	return a
}

func layersIn(envs []desired.Environment, region string) []desired.LayerWish {
	for _, e := range envs {
		if e.Region == region {
			return e.Layers
		}
	}
	return nil
}

// pastSource is a Source that can be asked what came before a commit.
type pastSource interface {
	Past(ctx context.Context, hash string, most int) (gitrepo.Past, error)
}

// trace finds out what the branch was at before a commit, unless that is known: it is
// before anybody follows the commit, so that nothing is said of it that is not so.
func (d *Daemon) trace(ctx context.Context, c gitrepo.Commit) {
	source, ok := d.Source.(pastSource)
	d.mu.Lock()
	old := d.lineage
	d.mu.Unlock()
	if !ok || c.Hash == "" || old.head() == c.Hash {
		return
	}
	next := (*Lineage)(nil)
	if c.Parent != "" && old.head() == c.Parent {
		next = old.followedBy(c)
	} else {
		bounded, cancel := context.WithTimeout(ctx, lineageTimeout)
		defer cancel()
		past, err := source.Past(bounded, c.Hash, maxLineage)
		if err != nil {
			d.noteUntraced(c.Hash, err)
			return // the next look at the branch tries again
		}
		next = NewLineage(bounded, &d.reader, past)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lineage, d.view = next, nil
}

// noteUntraced logs once of each commit that what came before it was not read.
func (d *Daemon) noteUntraced(hash string, err error) {
	d.mu.Lock()
	logged := d.untraced == hash
	d.untraced = hash
	d.mu.Unlock()
	if !logged {
		d.Log.Warn("commits before the newest not read", "revision", hash, "err", err)
	}
}
