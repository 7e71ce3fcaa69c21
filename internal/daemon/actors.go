package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
)

// actorFinder is a Cloud that can find out who else changed a function, which not
// every one can. An unknown actor is "" and no error.
type actorFinder interface {
	Actor(ctx context.Context, function string, since time.Time) (who string, at time.Time, err error)
}

const (
	// maxActorLookups is for how many functions of a Region it is asked: a writer
	// that changes hundreds is the same one.
	maxActorLookups = 3
	// actorMaxAge is how long an answer is good enough, an unknown actor included.
	// A lookup without an answer is repeated in the next round.
	actorMaxAge = time.Hour
	// actorLookback is how far back it is asked: as long as a heal counts.
	actorLookback = 24 * time.Hour
	// actorTimeout bounds a lookup that is only nice to have.
	actorTimeout = 10 * time.Second
)

// actorAnswer is what was found out about one function, and when.
type actorAnswer struct {
	notify.Actor
	asked time.Time
	// failed is true when the last lookup had no answer, which is logged once.
	failed bool
}

// actors returns who has changed the functions that are left to another writer.
// It never keeps that from being reported.
func (a *account) actors(ctx context.Context, planned plan.Plan) []notify.Actor {
	ctx, cancel := context.WithTimeout(ctx, actorTimeout)
	defer cancel()
	var list []notify.Actor
	for _, r := range planned.Regions {
		for _, name := range tugFunctions(r) {
			if who, ok := a.actor(ctx, r, name); ok {
				list = append(list, who)
			}
		}
	}
	return list
}

// tugFunctions names the first functions of a Region that another writer keeps
// changing back, sorted.
func tugFunctions(r plan.Region) []string {
	var names []string
	for _, s := range r.Steps {
		if s.HeldBy(plan.ByTugOfWar) {
			names = append(names, s.Function)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxActorLookups)]
}

func (a *account) actor(ctx context.Context, r plan.Region, function string) (notify.Actor, bool) {
	key := [2]string{r.Want.Region, function}
	now := time.Now()
	a.mu.Lock()
	old, known := a.answers[key]
	a.mu.Unlock()
	if age := now.Sub(old.asked); known && !old.failed && age < actorMaxAge {
		return old.Actor, old.Who != ""
	}
	next := actorAnswer{Actor: notify.Actor{Region: r.Want.Region, Function: function}, asked: now}
	cloud, err := a.Connect(ctx, r.Want)
	if w, ok := cloud.(actorFinder); err == nil && ok {
		next.Who, next.At, err = w.Actor(ctx, function, now.Add(-actorLookback))
	}
	if err != nil {
		if ctx.Err() == nil && !old.failed {
			a.Log.Info("who changed a function is not known", "region", r.Want.Region, "function", function, "err", err)
		}
		next.Actor, next.failed = old.Actor, true // as known before
	}
	a.mu.Lock()
	a.answers[key] = next
	a.mu.Unlock()
	return next.Actor, next.Who != ""
}
