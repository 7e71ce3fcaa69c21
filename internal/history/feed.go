package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// Cursor is how far somebody has followed the history with CompletedSince. Keep
// it as it is: it is a short text without quotes, to be stored and passed again.
// The empty Cursor is the beginning; Now returns the present.
type Cursor string

const (
	// clockSkew is how long after its ID was made a record may still appear: the
	// clocks of machines that share a store differ, and a write takes its time
	// (never more than late). AWS itself refuses a clock that is off by more.
	clockSkew = 5 * time.Minute
	// maxReported bounds a cursor when much happens within clockSkew; what appears
	// out of order by more than so many records is missed.
	maxReported = 2000
	// maxCompleted is after how many records one call of CompletedSince stops.
	maxCompleted = 500
)

// position is what a Cursor is made of. Records are kept in the order in which
// they began and end in any other, days later and by the hand of another process.
// So a place in the list is not enough.
type position struct {
	settledUpTo string   // up to this ID no record appears any more; each was reported, or is in open
	open        []string // IDs up to settledUpTo of records without an end, sorted
	reported    []string // behind settledUpTo: the random parts of the IDs that were reported, sorted
}

// CompletedSince returns the steps that have ended since the cursor, in the order
// in which they began, and the cursor for the next call. Over successive cursors
// every step that ends is returned exactly once, whoever ends it and however late.
// One call returns a few hundred at most: call again until it returns none. Rulings,
// which do not end, are not among them.
//
// Store next together with what was made of the entries; a call that is repeated
// with the same cursor returns the same ones again.
func (l *Log) CompletedSince(ctx context.Context, cursor Cursor) (entries []Entry, next Cursor, err error) {
	p, err := parseCursor(cursor)
	if err != nil {
		return nil, cursor, err
	}
	entries, err = l.completedSince(ctx, &p)
	if err != nil {
		return nil, cursor, fmt.Errorf("read what has ended: %w", err)
	}
	return entries, p.cursor(), nil
}

// Now returns the cursor behind everything that has ended by now, for somebody
// who begins to follow and is not interested in what was.
func (l *Log) Now(ctx context.Context) (Cursor, error) {
	// Records that are open are few and may be old; they are found by their
	// rounds. Read them before the end of the list, so that none ends unseen.
	open, err := l.Unfinished(ctx)
	if err != nil {
		return "", err
	}
	p := position{settledUpTo: settledBefore(time.Now())}
	for _, e := range open {
		if e.ID <= p.settledUpTo {
			p.open = append(p.open, e.ID)
		}
	}
	slices.Sort(p.open)
	p.open = slices.Compact(p.open)
	for {
		entries, err := l.completedBehind(ctx, &p)
		if err != nil {
			return "", fmt.Errorf("read what has ended: %w", err)
		}
		if len(entries) == 0 {
			return p.cursor(), nil
		}
	}
}

// settledBefore is the ID below which all records have appeared at now.
func settledBefore(now time.Time) string { return now.UTC().Add(-clockSkew).Format(idTime) }

func (l *Log) completedSince(ctx context.Context, p *position) ([]Entry, error) {
	var entries []Entry
	var open []string
	for _, id := range p.open {
		rec, _, err := docs[record](l).Get(ctx, l.recordKey(id))
		switch {
		case err != nil:
			return nil, err
		case rec.V == 0: // gone: the store was put back to an older copy
		case rec.End == nil:
			open = append(open, id)
		default:
			entries = append(entries, rec.entries(id)...)
		}
	}
	p.open = open
	behind, err := l.completedBehind(ctx, p)
	return append(entries, behind...), err
}

// completedBehind reads the records behind p.settledUpTo and moves p.
func (l *Log) completedBehind(ctx context.Context, p *position) ([]Entry, error) {
	var entries []Entry
	var open, reported []string // IDs behind low, ascending
	low, records := settledBefore(time.Now()), 0
	for v := range l.lines(ctx, store.Query{Prefix: store.Prefix("history", l.repository), After: l.recordKey(p.settledUpTo)}) {
		if v.err != nil {
			return nil, v.err
		}
		if v.ruling != nil {
			continue
		}
		at, known := slices.BinarySearch(p.reported, randomPart(v.id))
		switch {
		case known:
			p.reported = slices.Delete(p.reported, at, at+1)
			reported = append(reported, v.id)
		case v.record.End == nil:
			open = append(open, v.id)
		default:
			entries = append(entries, v.entries()...)
			reported = append(reported, v.id)
			records++
		}
		if records == maxCompleted {
			low = min(low, v.id)
			break
		}
	}
	if over := len(reported) - maxReported; over > 0 {
		low = max(low, reported[over-1])
	}
	p.move(max(low, p.settledUpTo), open, reported)
	return entries, nil
}

// move puts the position at low. What is left in p.reported lies behind all that was
// read.
func (p *position) move(low string, open, reported []string) {
	p.settledUpTo = low
	for _, id := range open {
		if id <= low {
			p.open = append(p.open, id)
		}
	}
	for _, id := range reported {
		if id > low {
			p.reported = append(p.reported, randomPart(id))
		}
	}
	slices.Sort(p.open)
	slices.Sort(p.reported)
}

// randomPart is the random word of an ID, which alone tells it from all others.
func randomPart(id string) string { return id[strings.LastIndexByte(id, '-')+1:] }

// cursorVersion begins every cursor. Its four parts are divided by semicolons.
const cursorVersion = "1"

func (p position) cursor() Cursor {
	return Cursor(strings.Join([]string{cursorVersion, p.settledUpTo, strings.Join(p.open, ","), strings.Join(p.reported, ",")}, ";"))
}

func parseCursor(c Cursor) (position, error) {
	if c == "" {
		return position{}, nil
	}
	parts := strings.Split(string(c), ";")
	switch {
	case parts[0] != cursorVersion && len(parts[0]) > 0 && strings.Trim(parts[0], "0123456789") == "":
		return position{}, fmt.Errorf("read a cursor of the history: %w: it has version %s, this program knows %s", store.ErrNewer, parts[0], cursorVersion)
	case len(parts) != 4 || parts[0] != cursorVersion:
		return position{}, fmt.Errorf("read a cursor of the history: %w: %.60q", store.ErrCorrupt, c)
	}
	return position{settledUpTo: parts[1], open: list(parts[2]), reported: list(parts[3])}, nil
}

// list is strings.Split for a text that may be no list at all.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
