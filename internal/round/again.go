package round

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// tryKey is what is tried, and for whom: a publish, with its content, a grant, or the
// reading of an archive. Another archive, or another commit of one in the repository, is
// another try. A grant without a version is that one on every version of the layer.
type tryKey struct {
	environment, region, id string
	version                 state.LayerVersionARN
	artifact                state.Artifact
}

func keyOfStep(e desired.Environment, s plan.Step) tryKey {
	return tryKey{environment: e.Name, region: e.Region, id: s.ID, version: cmp.Or(s.To, s.From)}
}

// keyOfGrant returns the key of a grant on every version: who may not be granted one, or
// a right that is missing, is the same for each. ok is false for a step of another kind.
func keyOfGrant(e desired.Environment, s plan.Step) (key tryKey, ok bool) {
	if s.Sharing == nil {
		return tryKey{}, false
	}
	verb := "share"
	if s.To == "" {
		verb = "unshare"
	}
	return tryKey{environment: e.Name, region: e.Region, id: strings.Join([]string{verb, string(s.LayerARN), s.Sharing.Sid}, "/")}, true
}

func keyOfArtifact(e desired.Environment, a state.Artifact) tryKey {
	return tryKey{environment: e.Name, region: e.Region, artifact: a}
}

// failedTry is what failed, and when it is tried again.
type failedTry struct {
	id    string // the step that was tried; empty for an archive
	count int
	until time.Time
	why   plan.Result
	// retry is when a person had last asked for a retry of the environment: a later word
	// has it tried at once. It is compared, and never with a clock of this machine.
	retry time.Time
}

// Pauses before what failed is tried once more. Each try of a publish or a grant is a record
// in the history for good: a full store of the account would make a thousand of them in a
// day. Each of an archive may take as long as archives are waited for, of every round.
const (
	firstPause = time.Minute
	lastPause  = time.Hour
)

func (l *Cache) failedAt(key tryKey) (failedTry, bool) {
	if l == nil {
		return failedTry{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.failed[key]
	return f, ok
}

// noteFailed remembers that something failed, which is left for longer each time.
func (l *Cache) noteFailed(key tryKey, id string, why plan.Result, retry, now time.Time) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	count := l.failed[key].count
	// What nobody has tried since, as of a commit of before, is not wanted any more.
	maps.DeleteFunc(l.failed, func(_ tryKey, f failedTry) bool { return now.Sub(f.until) > 24*time.Hour })
	l.failed[key] = failedTry{id: id, count: count + 1, until: now.Add(min(firstPause<<min(count, 10), lastPause)), why: why, retry: retry}
}

func (l *Cache) forgetFailed(key tryKey) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.failed, key)
}

// failedLately returns how something failed that is not yet to be tried again; ok is false
// where it is, or did not fail. A new process tries at once, and so does one that finds that
// a person has asked for a retry since.
func (p *Run) failedLately(ctx context.Context, e desired.Environment, key tryKey) (f failedTry, ok bool) {
	if f, ok = p.Cache.failedAt(key); !ok || !p.Now().Before(f.until) {
		return f, false
	}
	if at, known := p.retriedAt(ctx, e); known && !at.Equal(f.retry) {
		p.Cache.forgetFailed(key)
		return failedTry{}, false
	}
	return f, true
}

// retriedAt returns when a person last asked for a retry of an environment; zero = never.
// known is false where the store was not read. It is read where something has failed only.
func (p *Run) retriedAt(ctx context.Context, e desired.Environment) (at time.Time, known bool) {
	if p.log == nil {
		return time.Time{}, false
	}
	at, err := p.log.Retried(ctx, e.Name)
	if err != nil && ctx.Err() == nil {
		p.Log.Warn("not known whether a retry was asked for", "env", e.Name, "err", err)
	}
	return at, err == nil
}

// refusedLately returns how a step ended that is not yet to be tried again; nil = it is. A
// grant is not tried either while AWS refuses it on another version for what is alike.
func (p *Run) refusedLately(ctx context.Context, e desired.Environment, s plan.Step) *plan.Result {
	f, ok := p.failedLately(ctx, e, keyOfStep(e, s))
	if every, is := keyOfGrant(e, s); is && !ok {
		f, ok = p.failedLately(ctx, e, every)
	}
	if !ok {
		return nil
	}
	res := f.why
	if f.id != s.ID {
		res = plan.Result{Status: plan.StatusSkipped, Error: fmt.Sprintf("not tried, since AWS refused %s: %s", f.id, f.why.Error)}
	}
	res.Error += "; tried again " + words.Moment(f.until, e.Zone)
	res.Untried = true
	return &res
}

// noteStep remembers how a publish or a grant ended that was tried.
func (p *Run) noteStep(ctx context.Context, e desired.Environment, s plan.Step) {
	if p.Cache == nil || s.Result == nil || s.Result.Untried {
		return
	}
	key := keyOfStep(e, s)
	every, is := keyOfGrant(e, s)
	if s.Done() || s.Result.Shared || s.Result.MayBeAll { // of all, or it is looked for
		p.Cache.forgetFailed(key)
		p.Cache.forgetFailed(every)
		return
	}
	if is && s.Result.Alike {
		key = every
	}
	retry, _ := p.retriedAt(ctx, e)
	p.Cache.noteFailed(key, s.ID, *s.Result, retry, p.Now())
}
