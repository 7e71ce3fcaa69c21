package round

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
)

// judge returns the event that moves a rollout before anything is carried out;
// nil = nothing does. It only asks: what follows is decided by rollout.Next.
func (p *Run) judge(ctx context.Context, in *reconcile.Input, r plan.Region, i int) rollout.Event {
	ro, now, rules := in.Regions[i].Rollout, in.Now, in.Regions[i].Want.Rules()
	facts := r.Facts(in.Regions[i].Changed)
	if e := ro.Answer(facts, in.Quarantines, in.Regions[i].Want.Region, rules, now); e != nil {
		return e
	}
	checks := ro.Checks(facts, rules, now)
	if !checks.Alarms {
		return nil
	}
	findings := health.Alarms(ctx, p.seenFor(in.Regions[i].Want).cloud, rules.Alarms, in.Regions[i].Want.Zone)
	if ro.Stage == rollout.StageWatching {
		return p.alarmsRead(ctx, in, i, findings)
	}
	if v := health.Judge(findings); v.Status == health.Bad {
		return p.failed(ctx, in, i, v)
	}
	if facts.NewerCommit && (ro.Stage == rollout.StageCanary || ro.Stage == rollout.StageChange) {
		return rollout.NewerCommit{Facts: facts}
	}
	smoked := false
	if checks.Smoke {
		found := p.smoke(ctx, in, r.Problems, i)
		v := health.Judge(found)
		if v.Status == health.Bad {
			return p.failed(ctx, in, i, v)
		}
		smoked = v.Status == health.Good
		findings = append(findings, found...)
	}
	if !checks.Rates {
		if smoked {
			return rollout.SmokePassed{}
		}
		return nil
	}
	if ro.Stage == rollout.StageCanaryBake {
		found, altered := p.canaries(ctx, in, i)
		findings, facts.Altered = append(findings, found...), append(facts.Altered, altered...)
	}
	findings = append(findings, p.rates(ctx, in, i, ro.VerdictDue(rules))...)
	if ctx.Err() != nil {
		return nil // stopped, which proves nothing about the change
	}
	v := health.Judge(findings)
	if v.Status == health.Good || v.Status == health.Unknown && rules.OnUnknown == desired.GoOn {
		return rollout.Passed{Facts: facts, Findings: sentences(v)}
	}
	return p.failed(ctx, in, i, v)
}

// alarmsRead returns what the alarms of a complete rollout say; nil = some could
// not be read, and none rings.
func (p *Run) alarmsRead(ctx context.Context, in *reconcile.Input, i int, findings []health.Finding) rollout.Event {
	switch v := health.Judge(findings); v.Status {
	case health.Bad:
		reason, all := p.blameRuntimes(ctx, in, i, findings, headline(v.Sentences()), v.Sentences())
		return rollout.AlarmsRead{Reason: reason, Findings: all}
	case health.Good:
		return rollout.AlarmsRead{}
	}
	return nil
}

// failed returns what a verdict that is not good means to the rollout.
func (p *Run) failed(ctx context.Context, in *reconcile.Input, i int, v health.Verdict) rollout.Event {
	rules := in.Regions[i].Want.Rules()
	f := rollout.Failed{Reaction: cmp.Or(rules.OnFailure, desired.RollBack), Reason: headline(v.Sentences()), Findings: sentences(v)}
	if v.Status == health.Unknown {
		f.Reaction = cmp.Or(rules.OnUnknown, desired.Halt)
		f.Reason = "nobody knows whether it is well: " + f.Reason
	}
	f.Reason, f.Findings = p.blameRuntimes(ctx, in, i, v.Findings, f.Reason, f.Findings)
	return f
}

// sentences returns the verdict with the tail of the failing function's log;
// nobody could fetch that later. None is not nil, which would keep those of the
// verdict before.
func sentences(v health.Verdict) []string {
	list := append([]string{}, v.Sentences()...)
	for _, f := range v.Findings {
		if f.Detail != "" && f.Status != health.Good {
			list = append(list, "log of "+f.About+": "+strings.ReplaceAll(strings.TrimSpace(f.Detail), "\n", " | "))
		}
	}
	return list
}

// headline returns the first of sentences, and how many more there are.
func headline(sentences []string) string {
	switch len(sentences) {
	case 0:
		return ""
	case 1:
		return sentences[0]
	}
	return fmt.Sprintf("%s (and %d more)", sentences[0], len(sentences)-1)
}

// canaries looks at the aliases through which calls are shared out, each itself and
// not what was kept of it: one that somebody else has changed shows nothing about
// the new version. It is known to what is decided from then on.
func (p *Run) canaries(ctx context.Context, in *reconcile.Input, i int) (findings []health.Finding, altered []string) {
	r := &in.Regions[i]
	rules := r.Want.Rules()
	for _, c := range r.Changed {
		if c.Wave == 0 || c.Altered(nil, rules) == "" {
			continue // it has no share
		}
		a, err := p.seenFor(r.Want).cloud.Alias(ctx, state.Qualified{Function: c.Function, Qualifier: c.Alias})
		why := ""
		switch {
		case err == nil:
			why = c.Altered(&a, rules)
			p.learnAlias(in, i, c.Function, c.Alias, &a)
		case state.KindOf(err) == state.Gone:
			why = c.Altered(nil, rules)
			p.learnAlias(in, i, c.Function, c.Alias, nil)
		default:
			findings = append(findings, health.Finding{About: c.Function, Status: health.Unknown, Unread: true, Sentence: "its canary could not be read: " + err.Error()})
		}
		if why != "" {
			altered = append(altered, c.Function)
			findings = append(findings, health.Finding{About: c.Function, Status: health.Unknown, Decides: true, Sentence: c.Function + ": " + why})
		}
	}
	return findings, altered
}

// learnAlias puts an alias as it was just read in the place of what was known of it;
// nil = it is gone.
func (p *Run) learnAlias(in *reconcile.Input, i int, function, name string, a *state.Alias) {
	p.Cache.forgetAliasesOf(PlaceOf(in.Regions[i].Want), function)
	snap := *in.Regions[i].Have
	known, ok := snap.Aliases[function]
	if !ok {
		return // it is asked for when it is needed
	}
	list := slices.DeleteFunc(slices.Clone(known), func(o state.Alias) bool {
		if a != nil && o.Name == name {
			a.Provisioned = o.Provisioned
		}
		return o.Name == name
	})
	if a != nil {
		list = append(list, *a)
	}
	snap.Aliases = maps.Clone(snap.Aliases)
	snap.Aliases[function] = list
	in.Regions[i].Have = &snap
}

// smoke calls the smoke tests of the environment, but for those that are a problem:
// their function is another environment's, or is not there.
func (p *Run) smoke(ctx context.Context, in *reconcile.Input, problems []desired.Problem, i int) []health.Finding {
	e := in.Regions[i].Want
	var findings []health.Finding
	src := p.seenFor(e).cloud
	for _, test := range e.Rollout.SmokeTests {
		if at := slices.IndexFunc(problems, func(p desired.Problem) bool { return p.Position == test.At }); at >= 0 {
			findings = append(findings, health.Finding{About: test.Function, Status: health.Unknown, Code: health.CodeSmoke, Unread: true, Sentence: problems[at].Message})
			continue
		}
		qualifier := cmp.Or(test.Qualifier, e.Alias)
		if test.Qualifier == "" && e.Alias != "" {
			if s, ok := in.Regions[i].Have.Served[state.Qualified{Function: test.Function, Qualifier: e.Alias}]; ok && s.Version == "" {
				qualifier = "" // it has no such alias
			}
		}
		findings = append(findings, health.Smoke(ctx, src, test, qualifier))
	}
	return findings
}

// rates compares what the changed functions did in the bake with what they did
// before the rollout.
func (p *Run) rates(ctx context.Context, in *reconcile.Input, i int, judged time.Time) []health.Finding {
	e, ro := in.Regions[i].Want, in.Regions[i].Rollout
	if e.Rollout.MaxErrorRate == nil && e.Rollout.MaxThrottles == nil {
		return nil
	}
	bake := health.Span{From: ro.Since, To: judged.Add(-desired.MetricDelay)}
	q := health.Question{
		Bake: bake, Before: health.Span{From: ro.Begun.Add(bake.From.Sub(bake.To)), To: ro.Begun},
		MaxErrorRate: e.Rollout.MaxErrorRate, MaxThrottles: e.Rollout.MaxThrottles,
	}
	for _, c := range in.Regions[i].Changed {
		q.Functions = append(q.Functions, health.Watched{Function: c.Function, Qualifier: qualifierOf(c)})
	}
	return health.Rates(ctx, p.seenFor(e).cloud, q)
}

// qualifierOf is through what a changed function is called and measured.
func qualifierOf(c rollout.Changed) string {
	if strings.HasPrefix(c.Alias, "$") {
		return ""
	}
	return c.Alias
}

// checkAlarms asks whether a change may start at all, where one would: alarms that
// ring already hold it, and so does one that is not there or could not be read.
func (p *Run) checkAlarms(ctx context.Context, in *reconcile.Input, planned plan.Plan) plan.Plan {
	asked := false
	for i, r := range planned.Regions {
		alarms := r.Want.Rollout.Alarms
		if in.Regions[i].Have == nil || len(alarms) == 0 || in.Regions[i].Rollout.Open() || !r.Brings() {
			continue
		}
		src := p.seenFor(r.Want).cloud
		findings := health.Alarms(ctx, src, alarms, r.Want.Zone)
		if cut := interrupted(ctx); cut != nil {
			in.Regions[i].Have, in.Regions[i].Unread = nil, cut
			asked = true
			continue
		}
		for _, f := range findings {
			if f.Status == health.Bad || f.Status == health.Unknown && f.Unread {
				in.Regions[i].Unwell = f.Sentence
				asked = true
				break
			}
		}
	}
	if !asked {
		return planned
	}
	return p.decide(ctx, in)
}
