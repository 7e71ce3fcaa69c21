package notify

import (
	"cmp"
	"slices"
	"time"
)

// targetState is what this process knows of a target. Nothing of it is stored,
// so that a start and a reload try at once, whatever was waited for before.
type targetState struct {
	failures int       // attempts in a row that failed
	since    time.Time // of the first of them, also before this process began; zero = it takes messages
	reason   string    // of the last
	retryAt  time.Time // it is left alone before
	asked    bool      // it asked for that itself, so that a new message waits too
	// suspect is a message that was refused again and again while another one is
	// tried: what becomes of that shows whose fault it is.
	suspect *[2]string
}

// suspicion is a message that was refused.
type suspicion struct {
	tries   int
	retryAt time.Time // it is passed over before
}

// state needs mu. It returns the state of a target, to be changed.
func (b *Book) state(target string) *targetState {
	s := b.states[target]
	if s == nil {
		s = &targetState{}
		b.states[target] = s
	}
	return s
}

// took notes that a target has taken a message: it works.
func (b *Book) took(p pendingSend) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.state(p.target.Name())
	*s = targetState{}
	delete(b.suspects, p.key())
}

// postpone notes that a target has refused a message, and until when which of
// the two is left alone. A message that was refused again and again lets one
// other try in its place: if that is taken, the message is passed over for a
// while and holds up nothing; if not, the target takes none.
func (b *Book) postpone(p pendingSend, e *SendError, began time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name, key := p.target.Name(), p.key()
	s := b.state(name)
	s.failures++
	s.reason = e.Reason
	if s.since.IsZero() {
		s.since = b.refusedSince(name, began)
	}
	x := b.suspects[key]
	x.tries++
	x.retryAt = time.Time{}
	switch probed := s.suspect; {
	case e.RetryAfter > 0:
		s.retryAt, s.asked = began.Add(min(e.RetryAfter, maxRetryAfter)), true
	case e.Verdict == Later && x.tries >= suspectAfter && (probed == nil || *probed == key):
		x.retryAt, s.suspect = began.Add(maxRetry), &key
	default:
		s.retryAt, s.asked = began.Add(delay(s.failures)), false
	}
	b.suspects[key] = x
	if s.suspect == nil || *s.suspect == key {
		return
	}
	// The probe was refused as well: it is the target, and the suspect keeps its place.
	if x, ok := b.suspects[*s.suspect]; ok {
		x.retryAt = time.Time{}
		b.suspects[*s.suspect] = x
	}
	s.suspect = nil
}

// refusedSince needs mu. It returns since when a target takes nothing: an
// earlier process may have noted it.
func (b *Book) refusedSince(target string, now time.Time) time.Time {
	since := now
	for _, d := range b.docs {
		for _, w := range d.Outbox {
			a, ok := w.To[target]
			if !ok || a.Error == "" {
				continue
			}
			if at := cmp.Or(a.Since, w.Message.At); at.Before(since) { // earlier releases noted no Since
				since = at
			}
		}
	}
	return since
}

// retryNow lets targets be tried at once, since a message is new. One that asked
// to be left alone is.
func (b *Book) retryNow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.states {
		if !s.asked {
			s.retryAt = time.Time{}
		}
	}
}

// forgetIdle forgets what was known of targets for which nothing waits here any
// more, since somebody else delivers.
func (b *Book) forgetIdle() {
	busy := map[string]bool{}
	for _, p := range b.pendingSends() {
		busy[p.target.Name()] = true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, s := range b.states {
		if !busy[name] {
			*s = targetState{}
		}
	}
}

// TargetStatus is the state of one target.
type TargetStatus struct {
	Name    string
	Waiting int       // messages that it does not have
	Since   time.Time // since when it takes nothing; zero = it does, or was not tried
	Reason  string    // why not, for a person
	Retry   time.Time // when it is tried next; zero = at once
}

// Targets returns the state of all targets, in the order of their names.
func (b *Book) Targets() []TargetStatus {
	waiting := map[string]int{}
	for _, p := range b.pendingSends() {
		waiting[p.target.Name()]++
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []TargetStatus
	for _, t := range b.targets {
		s := b.state(t.Name())
		list = append(list, TargetStatus{
			Name: t.Name(), Waiting: waiting[t.Name()], Since: s.since, Reason: s.reason, Retry: s.retryAt,
		})
	}
	slices.SortFunc(list, func(a, b TargetStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
