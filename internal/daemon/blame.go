package daemon

import (
	"context"
	"time"

	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

const (
	// blamed is how many functions are looked up in a round at most: CloudTrail
	// allows two calls a second, and one tug of war has one other side.
	blamed = 3
	// blameAge is for how long the answer is good enough.
	blameAge = time.Hour
	// blameBack is how long before the last heal the other side is searched.
	blameBack = time.Hour
)

// witness knows who else changes functions; awslambda.Client does.
type witness interface {
	Actor(ctx context.Context, function string, since time.Time) (who string, at time.Time, err error)
}

// blame says of drift that is left alone who keeps bringing it, where that can
// be read. What cannot is left out: the drift is told with it or without.
func (p *pass) blame(ctx context.Context, in *reconcile.Input, plan *reconcile.Plan) {
	for i := range plan.Regions {
		r := &plan.Regions[i]
		s := p.regions[placeOf(r.Want)]
		if in.Have[i] == nil || s == nil {
			continue
		}
		w, ok := s.cloud.(witness)
		if !ok {
			continue
		}
		asked := 0
		for j := range r.Steps {
			step := &r.Steps[j]
			if step.Tug == "" || step.Held == nil {
				continue
			}
			q := state.Qualified{Function: step.Function, Qualifier: string(step.LayerARN)}
			who, known := p.Looks.actor(placeOf(r.Want), q, p.Now())
			if !known && asked < blamed {
				asked++
				who = p.ask1(ctx, w, step.Function, in.Past[i].Functions[step.Function].Heals[step.LayerARN].Last)
				p.Looks.keepActor(placeOf(r.Want), q, who, p.Now())
			}
			if who == "" {
				continue
			}
			said := "; it was changed by " + who
			step.Tug += said
			if step.Held.By == reconcile.ByTugOfWar {
				step.Held.Reason += said
			}
		}
	}
}

func (p *pass) ask1(ctx context.Context, w witness, function string, last time.Time) string {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	who, _, err := w.Actor(ctx, function, last.Add(-blameBack))
	if err != nil && ctx.Err() == nil {
		p.Log.Info("who changes a function is not known", "function", function, "err", err)
	}
	return who
}

// actor is who was found to change a function, lately.
type actor struct {
	who string
	at  time.Time
}

func (l *Looks) actor(at place, q state.Qualified, now time.Time) (who string, known bool) {
	if l == nil {
		return "", false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.actors[at][q]
	return a.who, ok && now.Sub(a.at) < blameAge && now.Sub(a.at) >= 0
}

func (l *Looks) keepActor(at place, q state.Qualified, who string, now time.Time) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.actors[at] == nil {
		l.actors[at] = map[state.Qualified]actor{}
	}
	l.actors[at][q] = actor{who, now}
}
