package round

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// stepKey is a publish, with its content, or a grant, and for whom. Without a version it
// is that grant on every version of the layer.
type stepKey struct {
	environment, region, id string
	version                 state.LayerVersionARN
}

// refusedStep is a publish or a grant that failed, and when it is tried again.
type refusedStep struct {
	id    string // the step that was tried
	count int
	until time.Time
	why   plan.Result
}

// Pauses before a publish or a grant that failed is tried once more. Each try is a record in the
// history for good: a full store of the account would make a thousand of them in a day.
const (
	firstPause = time.Minute
	lastPause  = time.Hour
)

func keyOfStep(e desired.Environment, s plan.Step) stepKey {
	return stepKey{e.Name, e.Region, s.ID, cmp.Or(s.To, s.From)}
}

// keyOfGrant returns the key of a grant on every version: who may not be granted one, or
// a right that is missing, is the same for each. ok is false for a step of another kind.
func keyOfGrant(e desired.Environment, s plan.Step) (key stepKey, ok bool) {
	if s.Sharing == nil {
		return stepKey{}, false
	}
	verb := "share"
	if s.To == "" {
		verb = "unshare"
	}
	return stepKey{environment: e.Name, region: e.Region, id: strings.Join([]string{verb, string(s.LayerARN), s.Sharing.Sid}, "/")}, true
}

// refusedLately returns how a step ended that is not yet to be tried again; nil = it is. A
// grant is not tried either while AWS refuses it on another version for what is alike.
func (p *Run) refusedLately(e desired.Environment, s plan.Step) *plan.Result {
	r, ok := p.Cache.stepRefused(e, s, p.Now())
	if !ok {
		return nil
	}
	res := r.why
	if r.id != s.ID {
		res = plan.Result{Status: plan.StatusSkipped, Error: fmt.Sprintf("not tried, since AWS refused %s: %s", r.id, r.why.Error)}
	}
	res.Error += "; tried again " + words.Moment(r.until, e.Zone)
	res.Untried = true
	return &res
}

// stepRefused returns how a publish or a grant failed that is not yet to be tried again; ok is
// false where it is, or did not fail. A new process tries at once.
func (l *Cache) stepRefused(e desired.Environment, s plan.Step, now time.Time) (r refusedStep, ok bool) {
	if l == nil {
		return refusedStep{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := []stepKey{keyOfStep(e, s)}
	if every, is := keyOfGrant(e, s); is {
		keys = append(keys, every)
	}
	for _, key := range keys {
		if r, ok := l.refused[key]; ok && now.Before(r.until) {
			return r, true
		}
	}
	return refusedStep{}, false
}

// noteStep remembers how a publish or a grant ended that was tried.
func (l *Cache) noteStep(e desired.Environment, s plan.Step, now time.Time) {
	if l == nil || s.Result == nil || s.Result.Untried {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := keyOfStep(e, s)
	every, is := keyOfGrant(e, s)
	if s.Done() || s.Result.Shared || s.Result.MayBeAll { // of all, or it is looked for
		delete(l.refused, key)
		delete(l.refused, every)
		return
	}
	if is && s.Result.Alike {
		key = every
	}
	r := l.refused[key]
	r.id, r.why, r.until = s.ID, *s.Result, now.Add(min(firstPause<<min(r.count, 10), lastPause))
	r.count++
	l.refused[key] = r
}
