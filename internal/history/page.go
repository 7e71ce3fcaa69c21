package history

import (
	"cmp"
	"context"
)

// Group names what an entry is told with: the rollout that it is part of, else its
// round, else, for what a person decided, itself. A group is what a limit counts,
// since half of a change looks like a whole one that was smaller.
func (e Entry) Group() string {
	if e.Cause == CauseRuling && e.Kind != KindRollout {
		return e.ID
	}
	return cmp.Or(e.Rollout, e.RoundID, e.ID)
}

// groupBegan returns the ID below which no entry of the group of e is; empty = nobody
// knows.
func (e Entry) groupBegan() string {
	switch e.Group() {
	case e.Rollout:
		id, err := before(e.Rollout)
		if err != nil {
			return ""
		}
		return id
	case e.RoundID:
		return e.RoundID // a process's IDs only grow
	}
	return e.ID
}

// Page is the newest groups of a history, each of them whole.
type Page struct {
	Entries []Entry // newest first
	Groups  int     // that Entries has
	Left    Left    // what the query selects besides
}

// Left is what a page leaves out.
type Left struct {
	Groups, Entries int
	// More reports that there are more than that: a history may be long, and counting
	// all of it for one line would read all of it.
	More bool
}

// maxCounted bounds how many entries are counted that a page leaves out.
const maxCounted = 5000

// Page returns the newest groups that q selects, at most limit of them; 0 = all. Of a
// group it has everything that q selects, however much lies between its parts.
func (l *Log) Page(ctx context.Context, q Query, limit int) (Page, error) {
	var p Page
	shown, left := map[string]bool{}, map[string]bool{}
	began := "" // before which no entry of the groups shown is
	for e, err := range l.Entries(ctx, q) {
		if err != nil {
			return Page{}, err
		}
		group := e.Group()
		if limit > 0 && len(shown) == limit && !shown[group] {
			if p.Left.Entries >= maxCounted && e.ID < began {
				p.Left.More = true
				break
			}
			left[group] = true
			p.Left.Entries++
			continue
		}
		if !shown[group] {
			shown[group] = true
			if id := e.groupBegan(); len(shown) == 1 || id < began {
				began = id
			}
		}
		p.Entries = append(p.Entries, e)
	}
	p.Groups, p.Left.Groups = len(shown), len(left)
	return p, nil
}
