package round

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
)

// Rollback is a person's word that takes one layer of an environment back, at
// once, and keeps the version that Git asks for away.
type Rollback struct {
	Environment, Layer string
	// To is a semantic version, which means what it means in Git, or the number of
	// a live version; empty = the last good one.
	To         string
	Functions  string // only functions whose names match the glob; empty = all
	By, Reason string
	DryRun     bool // only plans; writes and changes nothing
	// Going, when not nil, is called with what is about to be done before anything is
	// written.
	Going func(Return)
}

// Return is what a rollback by hand did, or would do.
type Return struct {
	Result
	Back []Back // one for each Region
	// Given is the word by which everything is there already, so that nothing was
	// left to do; nil otherwise.
	Given *Back
	// Written reports that the word is given: a daemon does what was not done here.
	Written bool
}

// Back is what takes a layer back in one Region.
type Back struct {
	ruling.Quarantine
	To string // what it goes back to, for people

	others         []string // see Refusal
	foreign, there bool     // there: every function that has the layer has that version
	given          bool     // it holds already
	begun          bool     // it holds already, or another word of a person does for some of the functions
}

// Rollback finds what to go back to, writes the word, which is what the daemon
// acts on as well, and makes the round that carries it out, of steps that go back
// and no others, see takesBack. What is not done, because a lease was not to be had or ctx ended,
// is done by whoever makes the next round. Where it is refused nothing is written,
// and the error is a *Refusal.
func (r Round) Rollback(ctx context.Context, ask Rollback) (Return, error) {
	r.Environments, r.Only = []string{ask.Environment}, nil
	if err := r.hasLayer(ask.Environment, ask.Layer, nil); err != nil {
		return Return{}, err
	}
	back, err := r.goingBack(ctx, ask)
	if err != nil || back.Given != nil {
		return back, err
	}
	if ask.Going != nil {
		ask.Going(back)
	}
	if ask.DryRun {
		return back, nil
	}
	if r.Store == nil {
		return back, errNoStore
	}
	for _, b := range back.Back {
		if _, err := history.Open(r.Store, r.Repository).Rulings().Quarantine(ctx, b.Quarantine); err != nil {
			return Return{}, fmt.Errorf("write the rollback of %s: %w", b.Name, err)
		}
	}
	r.Only, back.Written = takesBack(ask.Layer), true
	back.Result, err = r.Apply(ctx)
	return back, err
}

// takesBack chooses the steps that a rollback of a layer is about. Callers' part
// of it is a change where they would get something else with it: that may have to
// wait, and where it may be made the rollback makes it, since they would otherwise
// keep what is bad. What Git wants to bring to callers again, on a function that is
// back already, is no part of it.
func takesBack(layer string) func(plan.Step) bool {
	return func(s plan.Step) bool {
		if s.Cause == plan.CauseRollback {
			return slices.Contains(strings.Split(s.Layer, "+"), layer)
		}
		return s.Kind == plan.KindServe && slices.Contains(s.Serving.Reverts, layer)
	}
}

// goingBack looks, finds what to go back to in each Region, and plans it. Half of
// an environment is not what was asked for: what is refused in one Region is
// refused in all.
func (r Round) goingBack(ctx context.Context, ask Rollback) (back Return, err error) {
	p, err := r.begin(ctx)
	if err != nil {
		return back, err
	}
	if len(p.chosen) == 0 {
		return back, &Refusal{Code: RefusedInvalid, Message: fmt.Sprintf("environment %s uses what is not supported yet", ask.Environment)}
	}
	seen := p.plan(ctx, p.chosen[0])
	if err := ctx.Err(); err != nil {
		return back, err
	}
	for i := range seen.Plan.Regions {
		t, err := returning(seen, i, ask)
		if err != nil {
			return back, err
		}
		b, err := t.back(ask, p.Now())
		if err != nil {
			return back, err
		}
		back.Back = append(back.Back, b)
		p.Round.Quarantines = append(slices.Clip(p.Round.Quarantines), b.Quarantine)
	}
	p.Only = takesBack(ask.Layer)
	would := p.plan(ctx, p.chosen[0])
	if err := ctx.Err(); err != nil {
		return back, err
	}
	would.Plan = would.Plan.Costing(func(r plan.Region) plan.Cost { return costOfBack(r.Steps, p.Rates.Requests) })
	p.result.add(would)
	back.Result = p.result
	return back, back.alreadyThere(ask)
}

// alreadyThere finds out whether there is nothing to go back from: every function
// has what is asked for, and its callers too. The word is worth writing all the same
// where it says more than the one by which they have: it is of all functions, those
// that come later included, and that was of some, or of another Region.
func (b *Return) alreadyThere(ask Rollback) error {
	every := func(is func(Back) bool) bool {
		return !slices.ContainsFunc(b.Back, func(x Back) bool { return !is(x) })
	}
	switch {
	case len(b.Steps()) > 0 || !every(func(x Back) bool { return x.there }):
	case every(func(x Back) bool { return x.given }):
		b.Given = &b.Back[len(b.Back)-1]
	case every(func(x Back) bool { return !x.begun }):
		return &Refusal{Code: RefusedThere, Others: b.Back[0].others, Foreign: b.Back[0].foreign,
			Message: fmt.Sprintf("%s has %s of %s already", ask.Environment, b.Back[0].To, ask.Layer)}
	}
	return nil
}

// costOfBack is what going back costs at the rate it is done at, without the
// looks of a round.
func costOfBack(steps []plan.Step, rate float64) plan.Cost {
	writes, reads := 0, 0
	for _, s := range steps {
		switch {
		case s.Held != nil:
		case s.Kind == plan.KindServe && s.Serving.Version == "":
			writes, reads = writes+2, reads+2
		case s.Kind == plan.KindServe:
			writes, reads = writes+1, reads+2
		default:
			writes, reads = writes+1, reads+3
		}
	}
	const looks = 60 // per second: what AWS allows for GetFunction
	seconds := float64(reads) / looks
	if rate > 0 {
		seconds = max(seconds, float64(writes)/rate)
	}
	return plan.Cost{Calls: writes + reads, Seconds: seconds}
}

// hasLayer refuses names of layers that an environment does not have. others are
// names that are known besides.
func (r Round) hasLayer(environment, layer string, others []string) error {
	names := slices.Clone(others)
	i := slices.IndexFunc(r.Tree.Environments, func(e desired.Environment) bool { return e.Name == environment })
	if i < 0 {
		return &Refusal{Code: RefusedInvalid, Message: fmt.Sprintf("the repository has no valid environment %s", environment)}
	}
	for _, w := range r.Tree.Environments[i].Layers {
		names = append(names, w.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if slices.Contains(names, layer) {
		return nil
	}
	return &Refusal{Code: RefusedLayer, Asked: layer, Message: fmt.Sprintf("%s has no layer %q", environment, layer), Names: names}
}
