package round

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// publishFirst publishes what the plan may publish now, in all Regions, and looks at the
// versions of those layers again. again reports that something was tried, so that it has
// to be decided again: what was published has a number now, and what needs it may go in
// the same round. The plan then has what was tried, with its results.
func (p *Run) publishFirst(ctx context.Context, in *reconcile.Input, planned plan.Plan, tried [][]plan.Step) (again bool, err error) {
	for i := range in.Regions {
		due := publishesOf(planned.Regions[i])
		if len(due) == 0 || in.Regions[i].Have == nil || ctx.Err() != nil {
			continue
		}
		again = true
		steps, err := p.publish(ctx, in, planned, i, due)
		tried[i] = append(tried[i], steps...)
		if err != nil {
			return again, err
		}
	}
	if again && ctx.Err() == nil {
		in.Published, err = p.published(ctx, in.Regions)
	}
	return again, err
}

// publishesOf are the publish steps that may run and were not tried yet.
func publishesOf(r plan.Region) (due []plan.Step) {
	for _, s := range r.Steps {
		if s.Kind == plan.KindPublish && s.Held == nil && s.Result == nil {
			due = append(due, s)
		}
	}
	return due
}

// withTried is the plan with the publishes that this round has tried already: they are
// part of what it did, and are not tried a second time.
func withTried(planned plan.Plan, tried [][]plan.Step) plan.Plan {
	planned.Regions = slices.Clone(planned.Regions)
	for i, steps := range tried {
		if len(steps) == 0 {
			continue
		}
		r := &planned.Regions[i]
		left := slices.DeleteFunc(slices.Clone(r.Steps), func(s plan.Step) bool {
			return slices.ContainsFunc(steps, func(t plan.Step) bool { return t.ID == s.ID })
		})
		r.Steps = append(slices.Clone(steps), left...)
	}
	return planned
}

// publish carries the publish steps of one Region out and brings what is known of the
// Region up to date with what came of them.
func (p *Run) publish(ctx context.Context, in *reconcile.Input, planned plan.Plan, i int, due []plan.Step) ([]plan.Step, error) {
	r := planned.Regions[i]
	p.leaveRefused(ctx, r, due)
	if err := p.leaveUnsettled(ctx, in, r, due); err != nil {
		return nil, err
	}
	if r.Steps = due; r.Runnable() {
		made := p.record(*in, planned, r, i)
		made.Rollout = "" // it is of no rollout: a rollback takes no version away
		var err error
		if due, err = p.carryPublishesOut(ctx, in, r, i, made); err != nil {
			return due, err
		}
	}
	for _, s := range due {
		p.noteStep(ctx, r.Want, s)
		if s.Result != nil {
			if q, ok := p.otherContent(entryOf(r.Want, s), *s.Result); ok {
				in.Quarantines = append(in.Quarantines, q)
			}
		}
	}
	return due, p.lookAtPublished(ctx, in, i, due)
}

func (p *Run) carryPublishesOut(ctx context.Context, in *reconcile.Input, r plan.Region, i int, made history.Round) ([]plan.Step, error) {
	p.Cache.invalidate(r.Want.Name, r.Want.Region) // whatever comes of it
	rec, err := p.history(r.Want.Account).BeginRound(ctx, made)
	if err != nil {
		return r.Steps, fmt.Errorf("record the round of %s: %w", r.Want.Name, err)
	}
	steps, runErr := apply.Run(ctx, r, p.cloud(r.Want), rec, p.applyOptions(ctx, *in, r, i))
	if closed, ok := errors.AsType[*apply.ClosedError](runErr); ok {
		in.Regions[i].Have, in.Regions[i].Unread, runErr = nil, closedFailure(ctx, closed.Err), nil
	}
	endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := rec.FinishRound(endCtx); err != nil {
		return steps, errors.Join(runErr, fmt.Errorf("finish the record of %s: %w", r.Want.Name, err))
	}
	if ctx.Err() != nil {
		return steps, nil // whoever ended ctx says so
	}
	return steps, runErr
}

// leaveRefused leaves out of due what AWS has refused a short while ago.
func (p *Run) leaveRefused(ctx context.Context, r plan.Region, due []plan.Step) {
	for n := range due {
		due[n].Result = p.refusedLately(ctx, r.Want, due[n])
	}
}

// leaveUnsettled leaves out of due what an earlier process has begun to publish, of which
// nobody knows yet how it ended: a request of it may still be on its way.
func (p *Run) leaveUnsettled(ctx context.Context, in *reconcile.Input, r plan.Region, due []plan.Step) error {
	for n := range due {
		for _, e := range p.result.Unfinished {
			if due[n].Result != nil || e.Kind != plan.KindPublish || e.LayerARN != due[n].LayerARN || e.ToVersion != due[n].ToVersion {
				continue
			}
			// Whatever environment it was of: that may have another name by now.
			out, known := settledPublish(ctx, p.cloud(r.Want), e, p.Now())
			if !known {
				due[n].Result = &plan.Result{Status: plan.StatusSkipped, Untried: true, Error: fmt.Sprintf(
					"not begun: a publish of it that began %s has no end yet, and is looked for until %s; two would be two versions",
					words.Moment(e.Started, r.Want.Zone), words.Moment(e.Started.Add(publishInFlight), r.Want.Zone))}
				break
			}
			if err := p.keepAway(ctx, e, out.Result); err != nil {
				return err
			}
			if q, ok := p.otherContent(e, out.Result); ok {
				due[n].Result, in.Quarantines = new(out.Result), append(in.Quarantines, q)
			}
			if err := p.history(e.Account).Settle(ctx, e, out); err != nil {
				return fmt.Errorf("settle an unfinished record: %w", err)
			}
		}
	}
	return nil
}

// otherContent returns the word against what AWS made of other content than was decided
// about, so that it never comes to a function: its Description says that it is the version
// that Git wants. ok is false where a publish ended otherwise, or e is none.
func (p *Run) otherContent(e history.Entry, res plan.Result) (q ruling.Quarantine, ok bool) {
	if e.Kind != plan.KindPublish || res.Status != plan.StatusFailed || res.Published == "" {
		return q, false
	}
	return ruling.Quarantine{
		Environment: e.Environment, Region: e.Region, Layer: e.LayerARN, Name: e.Layer, Number: res.Published.Number(), Semver: e.ToVersion,
		Content: true, By: layerd, Reason: res.Error, At: p.Now().UTC(),
	}, true
}

// keepAway writes that word, before the record ends: a kill between the two would lose it.
func (p *Run) keepAway(ctx context.Context, e history.Entry, res plan.Result) error {
	q, ok := p.otherContent(e, res)
	if !ok {
		return nil
	}
	if _, err := p.history(e.Account).Rulings().Quarantine(context.WithoutCancel(ctx), q); err != nil {
		return fmt.Errorf("quarantine %s %d: %w", e.Layer, q.Number, err)
	}
	return nil
}

// entryOf returns a publish step as its record has it.
func entryOf(e desired.Environment, s plan.Step) history.Entry {
	return history.Entry{
		Round:  history.Round{Environment: e.Name, Region: e.Region, Account: e.Account},
		Action: history.Action{Kind: s.Kind, Layer: s.Layer, LayerARN: s.LayerARN, ToVersion: s.ToVersion},
	}
}

// lookAtPublished lists the versions of those layers anew of which some were published,
// for all environments of the place, and reads the past again, which knows them too.
func (p *Run) lookAtPublished(ctx context.Context, in *reconcile.Input, i int, tried []plan.Step) error {
	r := &in.Regions[i]
	var layers []state.LayerARN
	for _, s := range tried {
		if s.Result != nil && s.Result.Published != "" && !slices.Contains(layers, s.LayerARN) {
			layers = append(layers, s.LayerARN)
		}
	}
	if len(layers) == 0 || r.Have == nil || ctx.Err() != nil {
		return nil
	}
	seen, snap := p.seenFor(r.Want), *r.Have
	snap.Absent = maps.Clone(snap.Absent)
	for _, layer := range layers {
		list, err := seen.cloud.LayerVersions(ctx, layer)
		if err != nil {
			r.Have, r.Unread = nil, awsFailure(ctx, err)
			return nil
		}
		snap.Layers = replaced(snap.Layers, state.Layer{ARN: layer, Versions: list})
	}
	if err := seen.cloud.Look(ctx, &snap, state.Needs{Numbers: unlisted(snap, tried)}); err != nil {
		r.Have, r.Unread = nil, awsFailure(ctx, err)
		return nil
	}
	snap.Sort()
	seen.mu.Lock()
	seen.snap = &snap
	seen.mu.Unlock()
	r.Have = &snap
	p.Cache.invalidate(r.Want.Name, r.Want.Region)
	var err error
	if r.Past, err = p.past(ctx, r.Want); err != nil {
		return fmt.Errorf("read the past of %s: %w", r.Want.Name, err)
	}
	return nil
}

// unlisted returns what was published or found and does not show in the list yet.
func unlisted(snap state.Snapshot, tried []plan.Step) (list []state.LayerVersionARN) {
	for _, s := range tried {
		if s.Result == nil || s.Result.Published == "" {
			continue
		}
		i := slices.IndexFunc(snap.Layers, func(l state.Layer) bool { return l.ARN == s.LayerARN })
		if _, listed := snap.Layers[i].Version(s.Result.Published.Number()); !listed {
			list = append(list, s.Result.Published)
		}
	}
	return list
}

// replaced is a list with one layer as it was read anew.
func replaced(list []state.Layer, l state.Layer) []state.Layer {
	list = slices.DeleteFunc(slices.Clone(list), func(have state.Layer) bool { return have.ARN == l.ARN })
	return append(list, l)
}

// published returns what the contents of the versions are that the environment wants by
// name, as the first publish anywhere has fixed them.
func (p *Run) published(ctx context.Context, regions []reconcile.Region) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	if p.log == nil {
		return nil, nil
	}
	for _, r := range regions {
		for _, w := range r.Want.Layers {
			if w.Source == nil || all[w.Name] != nil {
				continue
			}
			found, err := p.log.Published(ctx, w.Name, exactly(w)...)
			if err != nil {
				return nil, err
			}
			all[w.Name] = found
		}
	}
	return all, nil
}

// exactly are the semantic versions that a wish names: only such are published.
func exactly(w desired.LayerWish) (semvers []string) {
	versions := []desired.Version{w.Version}
	for _, pin := range w.Pins {
		versions = append(versions, pin.Version)
	}
	for _, v := range versions {
		if v.Kind == desired.Exact && !slices.Contains(semvers, v.Semver.String()) {
			semvers = append(semvers, v.Semver.String())
		}
	}
	return semvers
}
