package reconcile

import (
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/words"
)

// duration is how long what is left of the rollout takes at the least: the calls
// at the configured rates, and the bakes.
func (r *region) duration() time.Duration {
	rules, perWave := r.want.Rules(), time.Duration(0)
	if rules.Bake > 0 {
		perWave += rules.Bake
	}
	if rules.ComparesRates() {
		perWave += desired.MetricDelay
	}
	if c := rules.Canary; c != nil {
		perWave += c.Bake
		if rules.ComparesRates() {
			perWave += desired.MetricDelay // it is judged by itself
		}
	}
	waves := len(r.plan.Waves)
	from := 0
	if r.sameRollout() {
		from = r.rollout.Wave - 1
	}
	functions := 0
	for _, w := range r.plan.Waves {
		functions += w.Functions
	}
	seconds := r.in.Rates.seconds(r.calls(functions))
	return time.Duration(seconds*float64(time.Second)) + time.Duration(max(0, waves-from))*perWave
}

// windowTooShort reports whether what is left of the rollout takes longer than the
// open time does, this one or the next. until is the next opening that is long enough;
// zero where none of the coming ones is. It is the same for all steps, and
// looking ahead in a calendar is slow, so the answer is kept.
func (r *region) windowTooShort() (reason string, until time.Time, short bool) {
	if r.span == nil {
		r.span = new(spanning)
		r.span.reason, r.span.until, r.span.short = r.spanning()
	}
	return r.span.reason, r.span.until, r.span.short
}

type spanning struct {
	reason string
	until  time.Time
	short  bool
}

func (r *region) spanning() (reason string, until time.Time, short bool) {
	if len(r.plan.Waves) == 0 || len(r.want.Calendar.Windows) == 0 {
		return "", time.Time{}, false
	}
	need := r.duration()
	closes, from := r.plan.Window.ClosesAt, r.in.Now
	if !r.plan.Window.Open {
		next := r.want.Calendar.Next(r.in.Now, 1)
		if len(next) == 0 {
			return "", time.Time{}, false
		}
		from, closes = next[0].Start, next[0].End
	}
	if closes.IsZero() || !from.Add(need).After(closes.Add(-r.want.Calendar.Cutoff)) {
		return "", time.Time{}, false
	}
	for _, o := range r.want.Calendar.Next(r.in.Now, 10) {
		if o.Start.After(r.in.Now) && (o.End.IsZero() || !o.Start.Add(need).After(o.End.Add(-r.want.Calendar.Cutoff))) {
			until = o.Start
			break
		}
	}
	return fmt.Sprintf("it takes about %s, and the change window leaves %s", words.About(need), words.About(closes.Add(-r.want.Calendar.Cutoff).Sub(from))), until, true
}
