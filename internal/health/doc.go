// Package health judges whether a change is good: it calls functions, looks at
// alarms, and compares error rates with what they were before.
//
//	findings := health.Alarms(ctx, src, rollout.Alarms)
//	for _, test := range rollout.SmokeTests {
//		findings = append(findings, health.Smoke(ctx, src, test, cmp.Or(test.Qualifier, alias)))
//	}
//	// once bake.To is health.MetricDelay ago:
//	findings = append(findings, health.Rates(ctx, src, health.Question{
//		Functions: changed, Bake: bake, Before: before, MaxErrorRate: rollout.MaxErrorRate, MaxThrottles: rollout.MaxThrottles,
//	})...)
//	switch v := health.Judge(findings); v.Status {
//	case health.Bad:     // on_failure
//	case health.Unknown: // on_unknown
//	case health.Good:    // go on; v.Sentences names what could not be looked at
//	}
//
// Source is where it looks; internal/health/cloudwatch is the real one. Sink is where
// Figures are put, of which others make alarms.
//
// # What is promised
//
//   - Silence is never good. No data, too few calls, an alarm without data, AWS
//     out of reach: all of it is unknown, with a sentence that names it. Only
//     when nothing at all was asked for is nothing good.
//   - A missing alarm and a function that is gone are bad: a gate that a typo
//     took away would let everything through.
//   - AWS's own trouble is never held against a change, nor is our being
//     stopped.
//   - What was as bad before is not held against a change either, when there
//     was enough before to tell.
//   - Every finding has one sentence with the number, its limit and what it was
//     before. What functions and AWS said is masked (package redact), cut, and free of
//     what would paint a terminal.
//   - Equal answers give equal findings in the same order. No clock is read:
//     spans come in as arguments. Smoke waits no longer than its test allows.
//
// # What is not
//
// It decides nothing that follows: when to look, what on_failure and on_unknown
// say, and whether to go back is for the caller. A smoke test calls a real
// function with real effects, and is never repeated here. A passed one proves
// that one call worked; behind an alias with weights, that of the version that got
// it. Mask knows secrets by their looks and by the name before them; a password
// in the middle of a sentence it does not know.
package health
