package round

import (
	"context"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
)

// Retry is a person's word that what failed, or was rolled back, may come again.
type Retry struct {
	Environment string
	Layer       string // empty = all
	By, Reason  string
}

// Retried is what a Retry found and lifted; nothing is no error.
type Retried struct {
	Lifted  []ruling.Quarantine
	Resumed []Resumed
	Tried   []Tried
}

// Tried are functions that AWS has refused, or whose alias somebody else had changed,
// and that are tried again at once.
type Tried struct {
	Environment desired.Environment
	Functions   []string // never empty
}

// Resumed is a rollout that halted and goes on.
type Resumed struct {
	Environment desired.Environment
	Rollout     rollout.Rollout // as it was
}

// Retry lifts the quarantines of an environment, or of one of its layers, and lets
// a rollout go on that halted: its wave is judged once more. What AWS has refused is
// tried again, whatever the layer: a function is refused as a whole. So is what failed to
// be published or shared and waits, and an archive that was out of reach. It asks AWS nothing;
// what follows is for the next round. Where it is refused nothing is written, and
// the error is a *Refusal.
func (r Round) Retry(ctx context.Context, ask Retry) (Retried, error) {
	if r.Store == nil {
		return Retried{}, errNoStore
	}
	held, err := ruling.LoadQuarantines(ctx, r.Store, r.Repository, ask.Environment)
	if err != nil {
		return Retried{}, err
	}
	if ask.Layer != "" {
		var names []string
		for _, q := range held {
			names = append(names, q.Name)
		}
		if err := r.hasLayer(ask.Environment, ask.Layer, names); err != nil {
			return Retried{}, err
		}
	}
	var done Retried
	log := history.Open(r.Store, r.Repository)
	if err := log.NoteRetry(ctx, ask.Environment, r.clock()()); err != nil {
		return done, err
	}
	for _, q := range held {
		if ask.Layer != "" && q.Name != ask.Layer {
			continue
		}
		ok, err := log.Rulings().Lift(ctx, q, ask.By, ask.Reason, r.clock()())
		if err != nil {
			return done, fmt.Errorf("lift the quarantine of %s %d: %w", q.Name, q.Number, err)
		}
		if ok {
			done.Lifted = append(done.Lifted, q)
		}
	}
	for _, e := range r.Tree.Environments {
		if e.Name != ask.Environment {
			continue
		}
		if err := done.resume(ctx, log, e, ask); err != nil {
			return done, err
		}
		names, err := log.ForgetRefusals(ctx, e.Name, e.Region)
		if err != nil {
			return done, err
		}
		if len(names) > 0 {
			done.Tried = append(done.Tried, Tried{e, names})
		}
	}
	return done, nil
}

// resume lets a rollout that halted go on, where it brings the layer.
func (r *Retried) resume(ctx context.Context, log *history.Log, e desired.Environment, ask Retry) error {
	ro, err := log.Rollout(ctx, e.Name, e.Region)
	if err == nil && ro != nil && !ro.Ended.IsZero() && len(ro.Left) > 0 {
		r.Tried = append(r.Tried, Tried{e, ro.Left})
		ro.Left = nil
		return log.SaveRollout(ctx, e.Name, e.Region, *ro)
	}
	if err != nil || ro == nil || ro.Stage != rollout.StageHalted {
		return err
	}
	if ask.Layer != "" && !slices.ContainsFunc(ro.Targets, func(t rollout.Target) bool { return t.Name == ask.Layer }) {
		return nil
	}
	ok, err := log.Resume(ctx, e.Name, e.Region, ro.ID, ask.By, ask.Reason)
	if err != nil {
		return fmt.Errorf("let the rollout of %s go on: %w", e.Name, err)
	}
	if ok {
		r.Resumed = append(r.Resumed, Resumed{e, *ro})
	}
	return nil
}
