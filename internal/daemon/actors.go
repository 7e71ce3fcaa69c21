package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/notify"
)

// witness is a Cloud that knows who else has changed a function, which not
// every one does. Nobody known is "" and no error.
type witness interface {
	Actor(ctx context.Context, function string, since time.Time) (who string, at time.Time, err error)
}

const (
	// mostAsked is for how many functions of a Region it is asked: a writer that
	// changes hundreds is the same one.
	mostAsked = 3
	// askAgain is how long an answer is good enough, also that nobody knows. No
	// answer is none: it is asked again in the next round.
	askAgain = time.Hour
	// askSince is how far back it is asked: as long as a heal counts.
	askSince = 24 * time.Hour
	// askPatience bounds what is no more than good to know.
	askPatience = 10 * time.Second
)

// answered is what was found out about one function, and when.
type answered struct {
	notify.Actor
	asked time.Time
	// failed says that no answer came the last time, which is logged once.
	failed bool
}

// actors says who has changed the functions that are left to another writer.
// It is never in the way of telling that they are.
func (a *account) actors(ctx context.Context, planned plan.Plan) []notify.Actor {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	var list []notify.Actor
	for _, r := range planned.Regions {
		for _, name := range tugged(r) {
			if who, ok := a.actor(ctx, r, name); ok {
				list = append(list, who)
			}
		}
	}
	return list
}

// tugged names the first functions of a Region that another writer keeps
// changing back, sorted.
func tugged(r plan.Region) []string {
	var names []string
	for _, s := range r.Steps {
		if s.HeldBy(plan.ByTugOfWar) {
			names = append(names, s.Function)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), mostAsked)]
}

func (a *account) actor(ctx context.Context, r plan.Region, function string) (notify.Actor, bool) {
	key := [2]string{r.Want.Region, function}
	now := time.Now()
	a.mu.Lock()
	old, known := a.answers[key]
	a.mu.Unlock()
	if age := now.Sub(old.asked); known && !old.failed && age < askAgain {
		return old.Actor, old.Who != ""
	}
	next := answered{Actor: notify.Actor{Region: r.Want.Region, Function: function}, asked: now}
	cloud, err := a.Connect(ctx, r.Want)
	if w, ok := cloud.(witness); err == nil && ok {
		next.Who, next.At, err = w.Actor(ctx, function, now.Add(-askSince))
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
