package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// ErrStaleFence is returned when a later holder of the lease has written the
// rollout: whoever gets it acts on an old picture and must stop.
var ErrStaleFence = errors.New("a later holder of the lease has written it")

func (l *Log) rolloutKey(environment, region string) string {
	return store.Key("rollout", l.repository, environment, region)
}

// NewRolloutID returns the ID of a rollout that begins at now. It is greater than
// all that this history returned before.
func (l *Log) NewRolloutID(now time.Time) string { return l.clock.next(now) }

// Rollout returns the current or last rollout of an environment in a Region; nil
// when there never was one.
func (l *Log) Rollout(ctx context.Context, environment, region string) (*rollout.Rollout, error) {
	doc, _, err := docs[rolloutDoc](l).Get(ctx, l.rolloutKey(environment, region))
	if err != nil {
		return nil, fmt.Errorf("read the rollout: %w", err)
	}
	if doc.V == 0 {
		return nil, nil
	}
	return &doc.Rollout, nil
}

// SaveRollout makes r the current or last rollout of an environment in a
// Region. What is kept already is not written, but that a new holder of the
// lease is at work on one that goes on: from then on the old one is refused. The
// error is ErrStaleFence when a later holder was here, and nothing is written.
func (l *Log) SaveRollout(ctx context.Context, environment, region string, r rollout.Rollout) error {
	if environment == "" || region == "" || r.ID == "" {
		return fmt.Errorf("save a rollout without environment, Region or ID: %w", store.ErrInvalid)
	}
	next := newRolloutDoc(r)
	passed := false
	err := docs[rolloutDoc](l).Update(ctx, l.rolloutKey(environment, region), func(d *rolloutDoc) bool {
		if passed = d.Fences.staleFor(l.held); passed {
			return false
		}
		next.Fences = d.Fences
		if reflect.DeepEqual(*d, next) && (!d.Ended.IsZero() || l.held.number == d.Fences[l.held.account]) {
			return false
		}
		*d = next
		d.Fences.advance(l.held)
		return true
	})
	if err == nil && passed {
		err = ErrStaleFence
	}
	if err != nil {
		return fmt.Errorf("save the rollout of %s in %s: %w", environment, region, err)
	}
	return nil
}

// newRolloutDoc is a rollout as it is stored. Times are in UTC and without a
// monotonic part, and what is empty is nil, as they are when they are read, so
// that the same compares equal.
func newRolloutDoc(r rollout.Rollout) rolloutDoc {
	r.Begun, r.Since, r.Ended = stored(r.Begun), stored(r.Since), stored(r.Ended)
	r.Chain, r.Targets, r.Left = slices.Concat(r.Chain), slices.Concat(r.Targets), slices.Concat(r.Left)
	r.Shares = slices.Concat(r.Shares)
	var asked []desired.Asked
	for _, a := range r.Asked {
		asked = append(asked, *truncatedAsked(&a))
	}
	r.Asked = asked
	r.Reason, r.Findings = truncate(r.Reason), findings(r.Findings)
	return rolloutDoc{head: head{version}, Rollout: r}
}

// The sentences of a judgement are bounded, so that they fit into a value of
// the store however many functions are bad and however JSON escapes them.
const (
	maxFindings = 40
	maxFinding  = 1 << 10
)

func findings(all []string) []string {
	var list []string
	for i, f := range all {
		if i == maxFindings-1 && len(all) > maxFindings {
			return append(list, fmt.Sprintf("and %d more", len(all)-i))
		}
		list = append(list, words.Truncate(f, maxFinding))
	}
	return list
}

// stored is a time as it comes back from JSON.
func stored(t time.Time) time.Time { return t.Round(0).UTC() }

// Prove records the targets of a rollout that completed healthily: they are the
// default targets of a rollback from now on. What is recorded is not written, and what
// a later holder of the lease wrote is left alone.
func (l *Log) Prove(ctx context.Context, environment, region string, targets []rollout.Target) error {
	for _, t := range targets {
		if t.Layer == "" {
			continue
		}
		err := docs[layerDoc](l).Update(ctx, l.layerKey(environment, region, t.Layer), func(d *layerDoc) bool {
			return d.prove(t.Number, l.held)
		})
		if err != nil {
			return fmt.Errorf("remember that %s %d is well: %w", t.Layer, t.Number, err)
		}
	}
	return nil
}

// prove notes the number, and reports whether it is new. A layer that was taken away
// healthily has none: a rollback to an older one would bring it again.
func (d *layerDoc) prove(number int64, by fence) bool {
	if d.Fences.staleFor(by) || d.Proven == number {
		return false
	}
	d.V, d.Proven = version, number
	d.Fences.advance(by)
	return true
}

// Changed returns what r and the rollouts of its chain did to functions, sorted by
// function. Records of a rollback are not counted, and neither are those that
// changed nothing. Drift that was healed meanwhile is no change either: a
// rollback must not bring the drift back. But on a function that the rollout has
// changed it counts as what was left there last.
//
// It reads the history from the oldest of these rollouts on.
func (l *Log) Changed(ctx context.Context, r rollout.Rollout) ([]rollout.Changed, error) {
	ids := map[string]bool{r.ID: true}
	oldest := r.ID
	for _, id := range r.Chain {
		ids[id] = true
		oldest = min(oldest, id)
	}
	first, err := before(oldest)
	if err != nil {
		return nil, fmt.Errorf("read what rollout %s changed: %w", r.ID, err)
	}
	byName := map[string]*rollout.Changed{}
	in := interner{}
	q := store.Query{Prefix: store.Prefix("history", l.repository), After: l.recordKey(first)}
	for v := range l.lines(ctx, q) {
		switch {
		case v.err != nil:
			return nil, fmt.Errorf("read what rollout %s changed: %w", r.ID, v.err)
		case v.ruling == nil && ids[v.record.Rollout]:
			v.record.change(byName, in, r.ID)
		}
	}
	var list []rollout.Changed
	for _, c := range byName {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b rollout.Changed) int { return strings.Compare(a.Function, b.Function) })
	return list, nil
}

// before is the ID below which no record of a rollout with this ID is. The
// machine that writes a record may have an earlier clock than the one that
// began the rollout.
func before(id string) (string, error) {
	at, _, _ := strings.Cut(id, "-")
	t, err := time.Parse(idTime, at)
	if err != nil {
		return "", fmt.Errorf("the ID %.60q: %w", id, store.ErrInvalid)
	}
	return t.Add(-clockSkew).Format(idTime), nil
}

// change adds to byName what the record did to its function. current is the
// rollout that is asked for; what those of its chain did belongs to none of its waves.
func (rec record) change(byName map[string]*rollout.Changed, in interner, current string) {
	var back, changes bool
	for _, s := range rec.Steps {
		back = back || s.Cause == plan.CauseRollback
		changes = changes || s.Cause != plan.CauseRollback && s.Cause != plan.CauseDrift && !s.AnyTime
	}
	if len(rec.Steps) == 0 || rec.Steps[0].Function == "" || rec.idle() {
		return
	}
	name := rec.Steps[0].Function
	c := byName[name]
	if back && !changes {
		rec.takeBack(c)
		return
	}
	if c == nil {
		if !changes {
			return
		}
		c = &rollout.Changed{Function: name, Before: in.list(rec.Before)}
		byName[name] = c
	}
	if c.Runtime == "" {
		c.Runtime = in.intern(rec.Runtime)
	}
	if rec.Rollout != current {
		c.Earlier = rec.layers(c.Earlier, in)
	}
	switch {
	case changes && rec.Rollout == current:
		c.Wave = rec.Wave
	case changes:
		c.Wave = 0
	}
	c.After, c.Failed = in.list(rec.After), rec.End == nil || rec.End.Status == plan.StatusFailed
	if rec.End != nil && rec.End.List != nil {
		c.After = in.list(rec.End.List)
	}
	if rec.Alias == "" {
		return
	}
	first := c.Alias == ""
	if first {
		c.Alias, c.AliasBefore = rec.Alias, rec.AliasBefore
	}
	if !first && rec.End != nil && rec.End.AliasAfter == "" {
		return // the alias is what the record before left it
	}
	c.Canary, c.AliasServes = rec.Canary, ""
	if rec.Canary && rec.AliasBefore != c.AliasBefore {
		c.AliasServes = rec.AliasBefore // where the rollout that this one took over from had moved it
	}
	if rec.End != nil && rec.End.AliasAfter != "" {
		c.AliasAfter = rec.End.AliasAfter
	}
}

// takeBack notes that the record took back the share of calls that c gave: what an alias
// no longer carries then was taken by nobody else.
func (rec record) takeBack(c *rollout.Changed) {
	if c == nil || !c.Canary || rec.Alias != c.Alias || rec.Canary || rec.End == nil || rec.End.Status != plan.StatusApplied {
		return
	}
	if rec.End.AliasAfter == cmp.Or(c.AliasServes, c.AliasBefore) {
		c.AliasAfter, c.Canary = "", false
	}
}

// layers returns those in list and those that the record changed, sorted.
func (rec record) layers(list []state.LayerARN, in interner) []state.LayerARN {
	for _, s := range rec.Steps {
		if i, known := slices.BinarySearch(list, s.LayerARN); !known && s.LayerARN != "" && s.Cause == plan.CauseChange {
			list = slices.Insert(list, i, state.LayerARN(in.intern(string(s.LayerARN))))
		}
	}
	return list
}

// idle reports whether the record is known to have changed nothing.
func (rec record) idle() bool {
	switch {
	case rec.End == nil || rec.End.AliasAfter != "":
		return false
	case rec.End.Status == plan.StatusSkipped || rec.End.Status == plan.StatusHeld:
		return true
	}
	return rec.End.Status == plan.StatusFailed && rec.End.List != nil && slices.Equal(rec.End.List, rec.Before)
}

// list is a list with one copy of each name; empty is nil.
func (in interner) list(versions []state.LayerVersionARN) []state.LayerVersionARN {
	var list []state.LayerVersionARN
	for _, v := range versions {
		list = append(list, state.LayerVersionARN(in.intern(string(v))))
	}
	return list
}
