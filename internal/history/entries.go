package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/store"
)

// Query selects entries; what is empty does not matter.
type Query struct {
	Environment, Region string
	Function            string
	Layer               string    // the name in Git, or an ARN without version
	Since, Until        time.Time // begun at or after, and before
	// Only selects further; nil = all. It is asked about what the rest selects.
	Only func(Entry) bool
}

// match: a ruling is of all Regions of its environment, and of no layer, unless
// it is about a quarantine; none is of a function.
func (q Query) match(e Entry) bool {
	return (q.Environment == "" || q.Environment == e.Environment) &&
		(q.Region == "" || q.Region == e.Region || e.Cause == CauseRuling && e.Region == "") &&
		(q.Function == "" || q.Function == e.Function && e.Cause != CauseRuling) &&
		(q.Layer == "" || q.Layer == e.Layer || q.Layer == string(e.LayerARN)) &&
		(q.Only == nil || q.Only(e))
}

// Entries yields what was done and what people ruled, newest first. An error
// is yielded once and ends the list. It holds one page of the store in memory,
// however long the history is.
func (l *Log) Entries(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	list := store.Query{Prefix: store.Prefix("history", l.repository), Reverse: true}
	if !q.Until.IsZero() {
		list.After = l.recordKey(q.Until.UTC().Format(idTime))
	}
	since := ""
	if !q.Since.IsZero() {
		since = q.Since.UTC().Format(idTime)
	}
	return func(yield func(Entry, error) bool) {
		for v := range l.lines(ctx, list) {
			if v.err != nil {
				yield(Entry{}, fmt.Errorf("read the history: %w", v.err))
				return
			}
			if v.id < since {
				return
			}
			for _, e := range v.entries() {
				if !q.match(e) {
					continue
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// line is one value of the history, or why reading it ended: a record, or a
// ruling that was made between two records.
type line struct {
	id     string
	record record
	ruling *rulingDoc
	err    error
}

func (v line) entries() []Entry {
	if v.ruling != nil {
		return []Entry{v.ruling.entry(v.id)}
	}
	return v.record.entries(v.id)
}

// lines yields what q selects of the history.
func (l *Log) lines(ctx context.Context, q store.Query) iter.Seq[line] {
	return func(yield func(line) bool) {
		for v, err := range l.store.List(ctx, q) {
			segments, splitErr := []string(nil), error(nil)
			if err == nil {
				segments, splitErr = store.Split(v.Key)
			}
			next := line{err: errors.Join(err, splitErr)}
			switch {
			case next.err != nil:
			case len(segments) == 3:
				next.id, next.err = segments[2], decode(v, &next.record)
			case len(segments) == 4 && segments[3] == rulingSegment:
				next.id, next.ruling = segments[2], new(rulingDoc)
				next.err = decode(v, next.ruling)
			default:
				continue // of a newer layerd, beside a record that we know
			}
			if !yield(next) || next.err != nil {
				return
			}
		}
	}
}

// Unfinished returns the entries without an end that earlier rounds left, oldest
// first. Ask when no round of the repository is at work: those of one that is
// look the same. It writes nothing.
func (l *Log) Unfinished(ctx context.Context) ([]Entry, error) {
	rounds := map[string]bool{}
	first := ""
	for d, err := range docs[openDoc](l).List(ctx, store.Query{Prefix: store.Prefix("open", l.repository)}) {
		if err != nil {
			return nil, fmt.Errorf("read which rounds are open: %w", err)
		}
		for id := range d.Doc.Rounds {
			rounds[id] = true
			if first == "" || id < first {
				first = id
			}
		}
	}
	return l.unfinished(ctx, rounds, first)
}

// unfinished looks through the records from the ID first on.
func (l *Log) unfinished(ctx context.Context, rounds map[string]bool, first string) ([]Entry, error) {
	var open []Entry
	if len(rounds) == 0 {
		return nil, nil
	}
	q := store.Query{Prefix: store.Prefix("history", l.repository), After: l.recordKey(first)}
	for v := range l.lines(ctx, q) {
		if v.err != nil {
			return nil, fmt.Errorf("read what was left open: %w", v.err)
		}
		if v.ruling == nil && v.record.End == nil && rounds[v.record.RoundID] {
			open = append(open, v.entries()...)
		}
	}
	return open, nil
}

// Settle ends the record of an entry without an end, after somebody looked at
// AWS: out is what was found. All entries of the record end with it; a
// record that has an end keeps it.
func (l *Log) Settle(ctx context.Context, e Entry, out apply.Outcome) error {
	rec, v, err := docs[record](l).Get(ctx, l.recordKey(e.ID))
	if err == nil && v.Revision == "" {
		err = fmt.Errorf("settle %s: %w", e.Step, store.ErrNotFound)
	}
	if err != nil {
		return err
	}
	if rec.End == nil {
		anew := func(Action) bool { return true }
		if err := l.finish(ctx, e.ID, rec, out, anew); err != nil {
			return err
		}
	}
	left, err := l.unfinished(ctx, map[string]bool{rec.RoundID: true}, rec.RoundID)
	if err != nil || slices.ContainsFunc(left, func(o Entry) bool { return o.ID != e.ID }) {
		return err
	}
	return l.closeRounds(ctx, rec.Environment, rec.Region, rec.RoundID)
}
