package daemon

import (
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/plan"
)

// look is when AWS was last read for an environment, all of it, and why it was not
// since. Ages are by the monotonic clock: one that is set makes nothing stale.
type look struct {
	first time.Time     // when it was first tried
	at    time.Time     // when it was last read completely; zero = never
	took  time.Duration // which that had taken
	spent time.Duration // what the last one took, whole or not; 0 = not known
	// applied is when a function was last in hand: a long rollout reads no more
	// than that.
	applied time.Time
	// failure is what was wrong with the last round, nil when nothing was, and
	// failedAt since when something is.
	failure  *plan.Failure
	region   string // of the failure
	failedAt time.Time
}

// note notes what a round has found. took is how long it took to read, 0 where that
// is not known.
func (l *look) note(planned plan.Plan, took time.Duration, now time.Time) {
	l.spent = took
	before, whole := l.failure, true
	l.failure, l.region = nil, ""
	for _, r := range planned.Regions {
		if r.Failure == nil {
			continue
		}
		whole = whole && r.Failure.Code == codeMaxBlocked
		if l.failure == nil || lasting(r.Failure) && !lasting(l.failure) {
			l.failure, l.region = r.Failure, r.Want.Region
		}
	}
	if (before == nil) != (l.failure == nil) {
		l.failedAt = now
	}
	if !whole {
		return
	}
	l.at = now
	if took > 0 {
		l.took = took
	}
}

// codeMaxBlocked is the failure of an environment that was read and has more
// blocked functions than it may have.
const codeMaxBlocked = "max_blocked"

// lasting reports whether waiting does not mend a failure.
func lasting(f *plan.Failure) bool {
	return f.Code == plan.CodeWrongAccount || f.Code == plan.CodeRefused || f.Code == plan.CodeDenied || f.Code == codeMaxBlocked
}

// reason returns why an environment is not looked at as it should be, and since
// when, or "". It may miss two looks, whose interval is at least what one takes.
func (l *look) reason(name string, interval time.Duration) string {
	because := ""
	if l.failure != nil {
		because = fmt.Sprintf(": %s (%s)", l.failure.Message, l.region)
	}
	last := later(l.at, l.applied)
	switch {
	case l.failure != nil && l.failure.Code == codeMaxBlocked:
		return fmt.Sprintf("nothing is changed for %s%s, since %s", name, because, stamp(l.failedAt))
	case l.failure != nil && lasting(l.failure):
		return fmt.Sprintf("nothing is read or changed for %s%s, since %s", name, because, stamp(l.failedAt))
	case l.at.IsZero():
		return fmt.Sprintf("AWS was not read completely for %s yet%s, since %s", name, because, stamp(l.first))
	case time.Since(last) > 3*max(interval, l.took):
		return fmt.Sprintf("AWS was not read completely for %s for %s%s, since %s", name, age(last), because, stamp(last))
	}
	return ""
}

// stamp writes an instant in a reason. It is the same for as long as the reason is.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// noteLook notes what a round has read for an environment: before it changes
// anything, which may take long, and at its end.
func (a *account) noteLook(planned plan.Plan, ended bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.envs[planned.Environment]
	if d == nil {
		return
	}
	var took time.Duration
	if !ended {
		took = time.Since(d.began)
	}
	d.look.note(planned, took, time.Now())
}
