package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/inspect"
)

// watching tries what only the checks of a rollout need, and nothing where
// there are none. No function is run.
func (r *regionExam) watching(ctx context.Context) {
	const invoke, alarms, metrics = "lambda:InvokeFunction", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"
	rules := r.env.Rollout
	if len(rules.SmokeTests) == 0 {
		r.add(inspect.Unneeded(invoke, "no smoke test is set"))
	}
	var tried []string
	for _, t := range rules.SmokeTests {
		if slices.Contains(tried, t.Function) {
			continue
		}
		tried = append(tried, t.Function)
		res := inspect.Permission(invoke, t.Function, r.client.TryInvoke(ctx, t.Function))
		if res.Verdict == inspect.OK {
			res.Reason += " on " + t.Function
		}
		r.add(res)
	}
	if len(rules.Alarms) == 0 {
		r.add(inspect.Unneeded(alarms, "no alarm is set"))
	} else {
		found, err := r.health.Alarms(ctx, rules.Alarms)
		res := inspect.Permission(alarms, "*", err)
		if missing := missingAlarms(rules.Alarms, found); err == nil && len(missing) > 0 {
			res.Verdict, res.Reason = inspect.Failed, "allowed, but there is no alarm "+strings.Join(missing, ", ")
			res.Fix = "correct the names in rollout.alarms; a rollout halts where an alarm is not there"
		}
		r.add(res)
	}
	if rules.MaxErrorRate == nil && rules.MaxThrottles == nil {
		r.add(inspect.Unneeded(metrics, "neither max_error_rate nor max_throttles is set"))
		return
	}
	if len(r.chosen) == 0 {
		r.add(inspect.Skipped(metrics, "no function is selected that could be tried"))
		return
	}
	now := r.now().UTC().Truncate(time.Minute)
	series := []health.Series{{Function: r.chosen[0].Name, Metric: "Errors"}}
	_, err := r.health.Sums(ctx, series, now.Add(-10*time.Minute), now)
	r.add(inspect.Permission(metrics, "*", err))
}

func missingAlarms(names []string, found map[string]health.Alarm) []string {
	var missing []string
	for _, name := range names {
		if _, ok := found[name]; !ok {
			missing = append(missing, name)
		}
	}
	return missing
}
