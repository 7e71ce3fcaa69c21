package daemon

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// layerd is who decides where no person does.
const layerd = "layerd"

// rollouts reads what is under way, what it did so far, and what is
// quarantined.
func (p *pass) rollouts(ctx context.Context, in *reconcile.Input) error {
	for _, q := range p.Round.Quarantines {
		if q.Environment == in.Want[0].Name {
			in.Quarantines = append(in.Quarantines, q)
		}
	}
	in.Rollouts, in.Changed = make([]*reconcile.Rollout, len(in.Want)), make([][]reconcile.Changed, len(in.Want))
	in.Unwell = make([]string, len(in.Want))
	if p.log == nil {
		return nil
	}
	for i, e := range in.Want {
		ro, err := p.log.Rollout(ctx, e.Name, e.Region)
		if err != nil {
			return err
		}
		in.Rollouts[i] = ro
		// Of one that a newer commit took over from as well: it is undone with
		// that, and a share of calls that it gave is ours.
		if ro.Open() || ro != nil && ro.Stage == reconcile.StageSuperseded {
			if in.Changed[i], err = p.changed(ctx, e, ro); err != nil {
				return err
			}
		}
	}
	kept, err := ruling.LoadQuarantines(ctx, p.Store, p.Repository, in.Want[0].Name)
	in.Quarantines = append(in.Quarantines, kept...)
	return err
}

// changed gives what a rollout under way did so far. That is one record for each
// function, and a wave is watched for many rounds: what was read under this hold
// of the lease, or written since, is not read again.
func (p *pass) changed(ctx context.Context, e desired.Environment, ro *reconcile.Rollout) ([]reconcile.Changed, error) {
	fence := p.fence(e.Account)
	if list, ok := p.Looks.changed(e, ro.ID, fence); ok {
		return list, nil
	}
	list, err := p.log.Changed(ctx, *ro)
	if err == nil {
		p.Looks.keepChanged(e, ro.ID, fence, list)
	}
	return list, err
}

// claim has the history refuse whoever had the lease before, should they wake up
// and go on with a rollout that is ours now.
func (p *pass) claim(ctx context.Context, in *reconcile.Input) error {
	for i, e := range in.Want {
		if ro := in.Rollouts[i]; ro != nil && ro.Ended.IsZero() && p.fence(e.Account) != 0 {
			if err := p.history(e.Account).SaveRollout(ctx, e.Name, e.Region, *ro); err != nil {
				return err
			}
		}
	}
	return nil
}

// progress judges what is due of the rollouts of an environment and decides
// again, until nothing more comes of it. It changes nothing in AWS.
func (p *pass) progress(ctx context.Context, in *reconcile.Input, plan reconcile.Plan) (reconcile.Plan, error) {
	if err := p.claim(ctx, in); err != nil {
		return plan, err
	}
	began := slices.Clone(in.Rollouts)
	const transitions = 8 // a halt that is left, an end, a beginning; far fewer than that
	for range transitions {
		moved := false
		for i := range in.Want {
			if in.Rollouts[i] == nil || !in.Rollouts[i].Ended.IsZero() || in.Have[i] == nil {
				continue
			}
			next, err := p.judge(ctx, in, &plan.Regions[i], i)
			if err != nil {
				return plan, err
			}
			went, err := p.goOn(ctx, in, i, next)
			if err != nil {
				return plan, err
			}
			moved = moved || went
		}
		if !moved {
			break
		}
		plan = p.decide(ctx, in)
	}
	tellEnds(plan, began, in.Rollouts)
	return plan, nil
}

// tellEnds names the rollouts that this round has brought to their end: to a
// decision there is none any more.
func tellEnds(plan reconcile.Plan, before, after []*reconcile.Rollout) {
	for i := range plan.Regions {
		if before[i] != nil && before[i].Ended.IsZero() && !after[i].Ended.IsZero() && plan.Regions[i].Rollout == nil {
			plan.Regions[i].Rollout = after[i]
		}
	}
}

// goOn keeps what a rollout goes on to; moved is false when that is nothing
// new. What must be known before it is acted on is written first.
func (p *pass) goOn(ctx context.Context, in *reconcile.Input, i int, next reconcile.Rollout) (moved bool, err error) {
	e, ro := in.Want[i], in.Rollouts[i]
	if same(*ro, next) {
		return false, nil
	}
	log := p.history(e.Account)
	switch {
	case next.Stage == reconcile.StageRollingBack && ro.Stage != next.Stage:
		if err := p.quarantine(ctx, in, i, next); err != nil {
			return false, err
		}
	case (next.Stage == reconcile.StageDone || next.Stage == reconcile.StageWatching) && ro.Stage != reconcile.StageWatching && ro.Stage != next.Stage:
		if err := log.Prove(ctx, e.Name, e.Region, unheld(in, next, e.Region)); err != nil {
			return false, err
		}
		p.Looks.doubt(e.Name, e.Region)
	}
	if err := log.SaveRollout(ctx, e.Name, e.Region, next); err != nil {
		return false, err
	}
	p.Log.Info("rollout", "env", e.Name, "region", e.Region, "rollout", next.ID, "stage", string(next.Stage),
		"wave", next.Wave, "waves", next.Waves, "revision", next.Revision, "reason", next.Reason)
	in.Rollouts[i] = &next
	return true, nil
}

// unheld are the targets of a rollout that nobody holds back: what a person rolled
// back meanwhile did not come through, although nothing else is left to be done.
func unheld(in *reconcile.Input, ro reconcile.Rollout, region string) []reconcile.Target {
	return slices.DeleteFunc(slices.Clone(ro.Targets), func(t reconcile.Target) bool {
		return slices.ContainsFunc(in.Quarantines, func(q ruling.Quarantine) bool {
			return q.Ended.IsZero() && q.Region == region && q.Layer == t.Layer && q.Number == t.Number
		})
	})
}

// byHand finds the word by which a person has rolled back, everywhere, what a
// rollout brings; nil = nobody has.
func byHand(in *reconcile.Input, ro *reconcile.Rollout, region string) *ruling.Quarantine {
	for i, q := range in.Quarantines {
		if q.Hand && q.Functions == "" && q.Ended.IsZero() && q.Region == region && !q.At.Before(ro.Begun) &&
			slices.ContainsFunc(ro.Targets, func(t reconcile.Target) bool { return t.Layer == q.Layer && t.Number == q.Number }) {
			return &in.Quarantines[i]
		}
	}
	return nil
}

func same(a, b reconcile.Rollout) bool {
	return a.ID == b.ID && a.Stage == b.Stage && a.Wave == b.Wave && a.Waves == b.Waves && a.Reason == b.Reason && a.Smoked == b.Smoked &&
		a.Attempts == b.Attempts && a.Since.Equal(b.Since) && a.Ended.Equal(b.Ended) && slices.Equal(a.Findings, b.Findings)
}

// quarantine keeps the versions that a rollout brought from coming again. They
// are those of the layers that it changed on any function.
func (p *pass) quarantine(ctx context.Context, in *reconcile.Input, i int, ro reconcile.Rollout) error {
	e := in.Want[i]
	for _, t := range ro.Brought(in.Changed[i]) {
		q := ruling.Quarantine{
			Environment: e.Name, Region: e.Region, Layer: t.Layer, Name: t.Name, Number: t.Number, Semver: t.Semver,
			By: layerd, Reason: ro.Reason, At: p.Now().UTC(), Rollout: ro.ID,
		}
		q, err := p.history(e.Account).Quarantine(ctx, q)
		if err != nil {
			return fmt.Errorf("quarantine %s %d: %w", t.Name, t.Number, err)
		}
		in.Quarantines = append(in.Quarantines, q)
	}
	return nil
}

// judge gives what a rollout goes on to before anything is carried out.
func (p *pass) judge(ctx context.Context, in *reconcile.Input, r *reconcile.RegionPlan, i int) (reconcile.Rollout, error) {
	ro, now := in.Rollouts[i], p.Now()
	rules := in.Want[i].Rollout
	if q := byHand(in, ro, in.Want[i].Region); q != nil && ro.Stage != reconcile.StageRollingBack {
		next := *ro // what it did to other layers stays; what is left of them is another rollout
		next.Stage, next.Since, next.Ended = reconcile.StageRolledBack, now.UTC(), now.UTC()
		next.Reason = "rolled back by " + q.By + ": " + q.Reason
		return next, nil
	}
	switch ro.Stage {
	case reconcile.StageRollingBack:
		return *ro, nil
	case reconcile.StageHalted:
		return ro.Carried(*r, now), nil // a newer commit is an answer as well
	case reconcile.StageWatching:
		return p.watch1(ctx, in, i), nil
	}
	if len(in.Changed[i]) == 0 {
		if r.Superseding {
			return ro.Carried(*r, now), nil
		}
		return *ro, nil
	}
	src := p.regions[placeOf(in.Want[i])].cloud
	findings := health.Alarms(ctx, src, rules.Alarms)
	if v := health.Judge(findings); v.Status == health.Bad {
		return p.react(*ro, rules, v), nil
	}
	next := *ro
	switch ro.Stage {
	case reconcile.StageCanary, reconcile.StageChange:
		if r.Superseding {
			next = ro.Carried(*r, now)
		}
		return next, nil
	case reconcile.StageBake:
		smoked := p.smoke(ctx, in, i)
		if v := health.Judge(smoked); v.Status == health.Bad {
			return p.react(*ro, rules, v), nil
		} else if v.Status == health.Good {
			next.Smoked = true
		}
		findings = append(findings, smoked...)
	}
	judged := reconcile.Judged(ro, rules)
	if now.Before(judged) {
		return next, nil
	}
	findings = append(findings, p.rates(ctx, in, i, judged)...)
	switch v := health.Judge(findings); {
	case ctx.Err() != nil:
		return next, nil // we were stopped, which says nothing about the change
	case v.Status == health.Good, v.Status == health.Unknown && rules.OnUnknown == desired.GoOn:
		next.Findings = v.Sentences()
		next.Smoked = false
		return next.Well(*r, now), nil
	default:
		return p.react(*ro, rules, v), nil
	}
}

// react gives what follows a judgement that is not good.
func (p *pass) react(ro reconcile.Rollout, rules desired.Rollout, v health.Verdict) reconcile.Rollout {
	ro.Findings = v.Sentences()
	reaction := cmp.Or(rules.OnFailure, desired.RollBack)
	reason := first(ro.Findings)
	if v.Status == health.Unknown {
		reaction = cmp.Or(rules.OnUnknown, desired.Halt)
		reason = "nobody knows whether it is well: " + reason
	}
	return ro.Unwell(reaction, reason, p.Now())
}

func first(sentences []string) string {
	switch len(sentences) {
	case 0:
		return ""
	case 1:
		return sentences[0]
	}
	return fmt.Sprintf("%s (and %d more)", sentences[0], len(sentences)-1)
}

// smoke tries what is to be tried once a wave has been changed; nothing when
// that was done.
func (p *pass) smoke(ctx context.Context, in *reconcile.Input, i int) []health.Finding {
	e := in.Want[i]
	if in.Rollouts[i].Smoked {
		return nil
	}
	var findings []health.Finding
	src := p.regions[placeOf(e)].cloud
	for _, test := range e.Rollout.SmokeTests {
		qualifier := cmp.Or(test.Qualifier, e.Alias)
		if test.Qualifier == "" && e.Alias != "" {
			if s, ok := in.Have[i].Served[state.Qualified{Function: test.Function, Qualifier: e.Alias}]; ok && s.Version == "" {
				qualifier = "" // it has no such alias
			}
		}
		findings = append(findings, health.Smoke(ctx, src, test, qualifier))
	}
	return findings
}

// rates compares what the changed functions did in the bake with what they did
// before the rollout.
func (p *pass) rates(ctx context.Context, in *reconcile.Input, i int, judged time.Time) []health.Finding {
	e, ro := in.Want[i], in.Rollouts[i]
	if e.Rollout.MaxErrorRate == nil && e.Rollout.MaxThrottles == nil {
		return nil
	}
	bake := health.Span{From: ro.Since, To: judged.Add(-desired.MetricDelay)}
	q := health.Question{
		Bake: bake, Before: health.Span{From: ro.Begun.Add(bake.From.Sub(bake.To)), To: ro.Begun},
		MaxErrorRate: e.Rollout.MaxErrorRate, MaxThrottles: e.Rollout.MaxThrottles,
	}
	for _, c := range in.Changed[i] {
		q.Functions = append(q.Functions, health.Watched{Function: c.Function, Qualifier: qualifierOf(c)})
	}
	return health.Rates(ctx, p.regions[placeOf(e)].cloud, q)
}

// qualifierOf is through what a changed function is called and measured.
func qualifierOf(c reconcile.Changed) string {
	if strings.HasPrefix(c.Alias, "$") {
		return ""
	}
	return c.Alias
}

// watch1 looks at the alarms of a rollout that is complete, as long as it is
// watched: one that rings is told, and nothing is done.
func (p *pass) watch1(ctx context.Context, in *reconcile.Input, i int) reconcile.Rollout {
	ro, rules := *in.Rollouts[i], in.Want[i].Rollout
	if !p.Now().Before(ro.Since.Add(rules.Watch)) {
		ro.Stage, ro.Ended = reconcile.StageDone, p.Now().UTC()
		return ro
	}
	v := health.Judge(health.Alarms(ctx, p.regions[placeOf(in.Want[i])].cloud, rules.Alarms))
	switch v.Status {
	case health.Bad:
		ro.Reason, ro.Findings = first(v.Sentences()), v.Sentences()
	case health.Good:
		ro.Reason, ro.Findings = "", nil
	}
	return ro
}

// unwell asks whether a change may start at all, where one would: alarms that
// ring already hold it, and so does one that is not there or could not be read.
func (p *pass) unwell(ctx context.Context, in *reconcile.Input, plan reconcile.Plan) reconcile.Plan {
	asked := false
	for i, r := range plan.Regions {
		alarms := r.Want.Rollout.Alarms
		if in.Have[i] == nil || len(alarms) == 0 || in.Rollouts[i].Open() || !r.Brings() {
			continue
		}
		src := p.regions[placeOf(r.Want)].cloud
		for _, f := range health.Alarms(ctx, src, alarms) {
			if f.Status == health.Bad || f.Status == health.Unknown && f.Unread {
				in.Unwell[i] = f.Sentence
				asked = true
				break
			}
		}
	}
	if !asked {
		return plan
	}
	return p.decide(ctx, in)
}

// begin makes sure that a rollout which the plan of a Region begins is known
// before its first change.
func (p *pass) beginRollout(ctx context.Context, in *reconcile.Input, r *reconcile.RegionPlan, i int) error {
	e := in.Want[i]
	ro := reconcile.Begins(*r, in.Rollouts[i], p.history(e.Account).NewRolloutID(p.Now()), p.origin(e.Name).Revision, p.Now())
	if ro == nil {
		return nil
	}
	if err := p.history(e.Account).SaveRollout(ctx, e.Name, e.Region, *ro); err != nil {
		return err
	}
	p.Log.Info("rollout", "env", e.Name, "region", e.Region, "rollout", ro.ID, "stage", string(ro.Stage), "wave", ro.Wave,
		"waves", ro.Waves, "functions", ro.Total, "revision", ro.Revision)
	in.Rollouts[i], in.Changed[i] = ro, nil
	return nil
}

// carried notes what came of a plan, and says when the rollout is to be looked
// at next.
func (p *pass) carried(ctx context.Context, in *reconcile.Input, r *reconcile.RegionPlan, i int) error {
	ro := in.Rollouts[i]
	if ro == nil || !ro.Ended.IsZero() {
		return nil
	}
	began := *ro
	e := in.Want[i]
	if r.Carried && ro.Open() {
		var err error
		if in.Changed[i], err = p.changed(ctx, e, ro); err != nil {
			return err
		}
	}
	r.Untouched = len(in.Changed[i]) == 0
	r.Unshared = !slices.ContainsFunc(in.Changed[i], func(c reconcile.Changed) bool { return c.Canary })
	next := ro.Carried(*r, p.Now())
	for _, s := range r.Steps {
		if s.Result != nil && s.Result.Unwell && (ro.Stage == reconcile.StageCanary || ro.Stage == reconcile.StageChange) {
			next = ro.Unwell(cmp.Or(e.Rollout.OnFailure, desired.RollBack), s.Function+": "+s.Result.Error, p.Now())
			break
		}
	}
	moved, err := p.goOn(ctx, in, i, next)
	if err != nil {
		return err
	}
	r.Rollout = in.Rollouts[i]
	p.lookAgain(r, began, moved)
	return nil
}

// between is how soon what goes back and did not get there is tried again.
const between = 5 * time.Second

// lookAgain says when the next round of a rollout is due, if that is sooner
// than what else waits.
func (p *pass) lookAgain(r *reconcile.RegionPlan, began reconcile.Rollout, moved bool) {
	at := time.Time{}
	switch ro := r.Rollout; {
	case ro.Stage == reconcile.StageRollingBack && began.Stage == reconcile.StageRollingBack:
		if !r.Carried {
			break // all of it is held, and trying again moves nothing
		}
		at = p.Now().Add(min(between*time.Duration(max(1, ro.Attempts)), time.Minute))
	case ro.Stage == reconcile.StageBake && !ro.Smoked && len(r.Want.Rollout.SmokeTests) > 0 && moved:
		at = p.Now()
	case ro.Stage == reconcile.StageBake || ro.Stage == reconcile.StageCanaryBake:
		at = reconcile.Judged(ro, r.Want.Rollout)
	case moved && (ro.Open() || waitsForRollout(*r)) && ro.Stage != reconcile.StageHalted:
		at = p.Now()
	}
	r.Again = at
	if !at.IsZero() && (r.Next.IsZero() || at.Before(r.Next)) {
		r.Next = at
	}
}

// waitsForRollout says that something is held by nothing but the rollout.
func waitsForRollout(r reconcile.RegionPlan) bool {
	return slices.ContainsFunc(r.Steps, func(s reconcile.Step) bool {
		return s.Held != nil && (s.Held.By == reconcile.ByWave || s.Held.By == reconcile.ByHealth || s.Held.By == reconcile.ByOrder)
	})
}

// liftAll ends the quarantines that Git has answered.
func (p *pass) liftAll(ctx context.Context, r reconcile.RegionPlan) error {
	for _, q := range r.Lifted {
		if _, err := p.history(r.Want.Account).Lift(ctx, q, layerd, "Git asks for another version"); err != nil {
			return fmt.Errorf("lift the quarantine of %s %d: %w", q.Name, q.Number, err)
		}
	}
	return nil
}

// nextRegion lets the Region that waited for another begin at once when that is
// through.
func (p *pass) nextRegion(plan *reconcile.Plan) {
	for i := range plan.Regions {
		before := &plan.Regions[i]
		if before.Rollout == nil || before.Rollout.Open() || !before.Carried {
			continue
		}
		for j := i + 1; j < len(plan.Regions); j++ {
			after := &plan.Regions[j]
			if slices.ContainsFunc(after.Steps, func(s reconcile.Step) bool { return s.Held != nil && s.Held.By == reconcile.ByOrder }) {
				after.Again = p.Now()
				after.Next = after.Again
				return
			}
		}
	}
}
