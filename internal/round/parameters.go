package round

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/parameters"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// refusedAge is for how long parameters that AWS refused are left alone: who grants a
// right waits for it, and a refusal each minute would be most of what CloudTrail has.
const refusedAge = 10 * time.Minute

// announced is what was last found of the parameters of an environment in a Region, and
// done about them.
type announced struct {
	account string
	want    parameters.Wanted
	at      time.Time
	diff    parameters.Diff // that was not carried out
	refused string          // why; empty: nothing was refused
}

// recallAnnounced returns what is known of the parameters of an environment; ok is false
// where they have to be looked at: others are wanted now, or the look is too old.
func (l *Cache) recallAnnounced(e desired.Environment, want parameters.Wanted, now time.Time) (a announced, ok bool) {
	if l == nil {
		return announced{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a = l.announced[[2]string{e.Name, e.Region}]
	most := lookAge
	if a.refused != "" {
		most = refusedAge
	}
	age := now.Sub(a.at)
	return a, a.account == e.Account && age >= 0 && age < most && a.want.Equal(want)
}

func (l *Cache) putAnnounced(e desired.Environment, a announced) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.announced[[2]string{e.Name, e.Region}] = a
}

// announce makes the parameters of each Region be what stands there, once the rollout
// is where it is. What AWS refuses of it is told, and fails nothing.
func (p *Run) announce(ctx context.Context, in *reconcile.Input, planned plan.Plan, done []plan.Outcome, quiet bool) error {
	for i, r := range in.Regions {
		if r.Have == nil || done[i].Failure != nil || ctx.Err() != nil {
			continue
		}
		past := r.Past
		if announces(r.Want) && (done[i].Applied || done[i].Rollout != nil || !quiet) && !r.Rollout.Open() {
			var err error // what was read is from before
			if past, err = p.log.Past(ctx, r.Want.Name, r.Want.Region); err != nil {
				return fmt.Errorf("read the past of %s: %w", r.Want.Name, err)
			}
		}
		want := wantedParameters(in, i, past)
		if want.Empty() {
			continue
		}
		act := !r.Want.Observe && p.Watching == ""
		done[i].Notes, done[i].Unannounced = p.announceIn(ctx, r.Want, want, act)
	}
	return nil
}

// foresee adds to a plan what would be written to parameters now, and what will be once
// its rollout is through.
func (p *Run) foresee(ctx context.Context, in *reconcile.Input, planned plan.Plan) plan.Plan {
	planned.Regions = slices.Clone(planned.Regions)
	for i, r := range in.Regions {
		if r.Have == nil || p.Only != nil || planned.Regions[i].Failure != nil || !announces(r.Want) {
			continue
		}
		to := &planned.Regions[i]
		want := wantedParameters(in, i, r.Past)
		if !want.Empty() {
			var notes []plan.Note
			notes, to.Unannounced = p.announceIn(ctx, r.Want, want, false)
			to.Notes = slices.Concat(to.Notes, notes)
		}
		to.Notes = append(to.Notes, comingParameters(*to, in, i)...)
	}
	return planned
}

// announces reports whether anything of an environment is written to parameters.
func announces(e desired.Environment) bool {
	return slices.ContainsFunc(e.Layers, func(w desired.LayerWish) bool { return w.Parameters })
}

// wantedParameters returns what the parameters of the i-th Region have to be.
func wantedParameters(in *reconcile.Input, i int, past plan.Past) parameters.Wanted {
	r := in.Regions[i]
	return parameters.Want(r.Want, func(w desired.LayerWish) parameters.Stands {
		s := parameters.Stands{Standing: past.StandingOf(r.Want.Region, w.Layer, r.Rollout, in.Quarantines)}
		s.Semver = catalog.New(w, r.Have, past.Layers[w.Layer].Numbers).Label(s.Number)
		s.InUse = slices.ContainsFunc(r.Have.Functions, func(f state.Function) bool { return f.Layers.Of(w.Layer) != "" && w.Selects(f) })
		return s
	})
}

// announceIn compares the parameters with what they have to be, and where act is true
// writes them. It returns what is worth saying, and why it could not be done.
func (p *Run) announceIn(ctx context.Context, e desired.Environment, want parameters.Wanted, act bool) (notes []plan.Note, refused string) {
	known, ok := p.Cache.recallAnnounced(e, want, p.Now())
	before := known.refused
	if ok && known.refused != "" {
		return refusedParameters(known.refused), known.refused
	}
	if !ok {
		known = announced{account: e.Account, want: want, at: p.Now()}
		have, err := p.cloud(e).Parameters(ctx, want.Path, want.Names())
		if err != nil {
			return p.unannounced(ctx, e, known, before, err)
		}
		known.diff = parameters.Compare(want, have)
	}
	defer func() { p.Cache.putAnnounced(e, known) }()
	if known.diff.Empty() {
		return nil, ""
	}
	if !act {
		return noteParameters("parameters_to_write", "parameters to write", known.diff), ""
	}
	if err := p.writeParameters(ctx, e, known.diff); err != nil {
		notes, refused = p.unannounced(ctx, e, known, before, err)
		known.refused = refused
		if refused == "" {
			known.at = time.Time{} // looked at again in the next round
		}
		return notes, refused
	}
	notes = noteParameters("parameters_written", "parameters written", known.diff)
	known.diff = parameters.Diff{}
	return notes, ""
}

func (p *Run) writeParameters(ctx context.Context, e desired.Environment, d parameters.Diff) error {
	log := p.Log.With("env", e.Name, "region", e.Region)
	for _, c := range d.Put {
		if err := p.cloud(e).PutParameter(ctx, c.Parameter, nil); err != nil {
			return err
		}
		log.Info("parameter written", "parameter", c.Name, "was", c.Was, "value", c.Value)
	}
	for _, name := range d.Delete {
		if err := p.cloud(e).DeleteParameter(ctx, name, nil); err != nil {
			return err
		}
		log.Info("parameter deleted", "parameter", name)
	}
	return nil
}

// unannounced notes that parameters could not be read or written, before being why they
// could not the last time. What passes by itself is tried again in the next round and
// is nobody's matter; neither is that this round was stopped.
func (p *Run) unannounced(ctx context.Context, e desired.Environment, known announced, before string, err error) ([]plan.Note, string) {
	kind := state.KindOf(err)
	if ctx.Err() != nil || kind == state.Stopped {
		return nil, ""
	}
	if kind == state.Again || kind == state.Unsure {
		p.Log.Warn("parameters not written", "env", e.Name, "region", e.Region, "err", err)
		return []plan.Note{{Code: "parameters_later", Message: "the parameters are tried again in the next round: " + err.Error()}}, ""
	}
	known.refused = err.Error()
	p.Cache.putAnnounced(e, known)
	if known.refused != before {
		p.Log.Error("parameters not written", "env", e.Name, "region", e.Region, "err", err)
	}
	return refusedParameters(known.refused), known.refused
}

func refusedParameters(why string) []plan.Note {
	return []plan.Note{{Code: "parameters_refused", Message: "the parameters do not say what stands: " + why + "; parameters: false in Git does without them"}}
}

// noteParameters names what is written or deleted.
func noteParameters(code, what string, d parameters.Diff) []plan.Note {
	var list []string
	for _, c := range d.Put {
		switch c.Was {
		case "":
			list = append(list, c.Name+" = "+c.Value)
		case c.Value:
			list = append(list, c.Name+" (its type or tags)")
		default:
			list = append(list, c.Name+": "+c.Was+" → "+c.Value)
		}
	}
	for _, name := range d.Delete {
		list = append(list, name+" deleted")
	}
	return []plan.Note{{Code: code, Message: what + ": " + words.Few(list)}}
}

// comingParameters names the versions that the parameters will have once the rollout of
// a plan is through.
func comingParameters(r plan.Region, in *reconcile.Input, i int) []plan.Note {
	if !r.Brings() {
		return nil
	}
	var list []string
	for _, t := range r.Targets {
		at := slices.IndexFunc(r.Want.Layers, func(w desired.LayerWish) bool { return w.Layer == t.Layer && w.Parameters })
		if at < 0 || t.Number == 0 || !brings(r, t) {
			continue
		}
		if in.Regions[i].Past.StandingOf(r.Want.Region, t.Layer, in.Regions[i].Rollout, in.Quarantines).Number != t.Number {
			list = append(list, fmt.Sprintf("/layerd/%s/%s to %s", r.Want.Name, t.Name, words.Version(t.Number, t.Semver)))
		}
	}
	if len(list) == 0 {
		return nil
	}
	return []plan.Note{{Code: "parameters_follow", Message: "once the rollout is through, its parameters follow: " + words.Few(list)}}
}

// brings reports whether a step of the plan brings the target.
func brings(r plan.Region, t rollout.Target) bool {
	return slices.ContainsFunc(r.Steps, func(s plan.Step) bool { return s.InRollout() && s.To == t.Layer.Version(t.Number) })
}
