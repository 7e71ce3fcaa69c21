package daemon

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

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
	if q := failedBy(in, ro, in.Want[i].Region); q != nil && ro.Stage != reconcile.StageRollingBack {
		return ro.Unwell(desired.RollBack, q.Reason, now), nil
	}
	switch ro.Stage {
	case reconcile.StageRollingBack:
		return *ro, nil
	case reconcile.StageHalted:
		return ro.Carried(*r, now), nil // a newer commit is an answer as well
	case reconcile.StageWatching:
		return p.watch(ctx, in, i), nil
	}
	if len(in.Changed[i]) == 0 {
		switch {
		case r.Superseding:
			return ro.Carried(*r, now), nil
		case ro.Stage == reconcile.StageBake || ro.Stage == reconcile.StageCanaryBake:
			return ro.Well(*r, now), nil // the functions are gone, and there is nothing to be watched
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
		next.Findings = told(v)
		return next.Well(*r, now), nil
	default:
		return p.react(*ro, rules, v), nil
	}
}

// react gives what follows a judgement that is not good.
func (p *pass) react(ro reconcile.Rollout, rules desired.Rollout, v health.Verdict) reconcile.Rollout {
	ro.Findings = told(v)
	reaction := cmp.Or(rules.OnFailure, desired.RollBack)
	reason := first(v.Sentences())
	if v.Status == health.Unknown {
		reaction = cmp.Or(rules.OnUnknown, desired.Halt)
		reason = "nobody knows whether it is well: " + reason
	}
	return ro.Unwell(reaction, reason, p.Now())
}

// told is what a judgement says, with the end of the log of what failed: that is
// gone from where it was long before anybody asks.
func told(v health.Verdict) []string {
	list := v.Sentences()
	for _, f := range v.Findings {
		if f.Detail != "" && f.Status != health.Good {
			list = append(list, "log of "+f.About+": "+strings.ReplaceAll(strings.TrimSpace(f.Detail), "\n", " | "))
		}
	}
	return list
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

// watch looks at the alarms of a rollout that is complete, as long as it is
// watched: one that rings is told, and nothing is done.
func (p *pass) watch(ctx context.Context, in *reconcile.Input, i int) reconcile.Rollout {
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
