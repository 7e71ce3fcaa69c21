package awslambda

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"

	"golang.org/x/time/rate"
)

const (
	// defaultRate is a third of the 15 requests a second that all control
	// plane calls of an account and Region share: CI, Terraform and the
	// console draw on the same bucket, and none of it can be raised.
	defaultRate = 5
	// defaultGetFunctionRate leaves the same kind of room in GetFunction's own
	// bucket of 100 a second.
	defaultGetFunctionRate = 60
	// lookupRate is half of what CloudTrail gives an account and Region.
	lookupRate = 1
	// slowest, in requests a second, is where halving ends: a probe every two
	// seconds is what it takes to notice that the neighbours have finished.
	slowest = 0.5
	// recovery is how long a rate takes from nothing back to full while calls
	// succeed, whatever the rate is.
	recovery = 20 * time.Second
	// longestPause bounds what a Retry-After may ask of us.
	longestPause = time.Minute
)

// Limits is what one account and Region may be asked, shared by every Client
// of that account and Region in the process. It is safe for concurrent use.
type Limits struct {
	shared      *bucket // every call but those below
	getFunction *bucket
	lookup      *bucket // CloudTrail's LookupEvents
	meter       *meter
}

// NewLimits makes the two buckets, in requests a second; a rate that is not
// positive means the default, 5 and 60.
func NewLimits(requestsPerSecond, getFunctionPerSecond float64) *Limits {
	if requestsPerSecond <= 0 {
		requestsPerSecond = defaultRate
	}
	if getFunctionPerSecond <= 0 {
		getFunctionPerSecond = defaultGetFunctionRate
	}
	return &Limits{
		shared:      newBucket(requestsPerSecond),
		getFunction: newBucket(getFunctionPerSecond),
		lookup:      newBucket(lookupRate),
		meter:       newMeter(),
	}
}

// Stats is what all clients of these limits have cost together.
func (l *Limits) Stats() state.Stats { return l.meter.stats() }

// Rates returns the two current rates, in requests a second: below the
// configured ones while AWS throttles.
func (l *Limits) Rates() (shared, getFunction float64) {
	return l.shared.rate(), l.getFunction.rate()
}

func (l *Limits) bucket(op string) *bucket {
	switch op {
	case "GetFunction":
		return l.getFunction
	case "LookupEvents":
		return l.lookup
	}
	return l.shared
}

// meter counts; mu guards s, whose map is handed out as a copy only.
type meter struct {
	mu sync.Mutex
	s  state.Stats
}

func newMeter() *meter { return &meter{s: state.Stats{Calls: map[string]int{}}} }

func (m *meter) called(op string, waited time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.s.Calls[op]++
	m.s.Waited += waited
}

func (m *meter) throttled() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.s.Throttled++
}

func (m *meter) stats() state.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.s
	s.Calls = maps.Clone(m.s.Calls)
	return s
}

// bucket is a token bucket whose rate falls by half when AWS throttles and
// rises by a fixed amount per second while calls succeed.
type bucket struct {
	full float64 // the configured rate, requests a second
	lim  *rate.Limiter

	// mu guards the three below and keeps a change of rate and its burst
	// together; without it two throttled answers could halve from one reading.
	mu       sync.Mutex
	current  float64   // the rate of this moment
	slowedAt time.Time // when it was last halved
	pausedTo time.Time // Retry-After: nobody starts before
}

func newBucket(perSecond float64) *bucket {
	return &bucket{full: perSecond, current: perSecond, lim: rate.NewLimiter(rate.Limit(perSecond), burst(perSecond))}
}

// burst is one second's allowance: a small account is read without pacing, a
// large one never asks more than twice the rate in any second.
func burst(perSecond float64) int { return max(1, int(perSecond)) }

// wait returns when a call may start. A pause that begins while we wait costs
// the token, so that those who wait do not all start when it ends.
func (b *bucket) wait(ctx context.Context) error {
	for {
		if err := awscall.Turn(ctx, b.lim); err != nil {
			return err
		}
		pause := time.Until(b.pausedUntil())
		if pause <= 0 {
			return nil
		}
		if err := awscall.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func (b *bucket) pausedUntil() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pausedTo
}

func (b *bucket) rate() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current
}

// throttled notes a "slow down" for a call that began then. Calls that were
// already under way when the rate was halved say nothing new and only
// lengthen the pause: eight of them at once would else mean an eighth-fold
// halving for one event.
func (b *bucket) throttled(began time.Time, retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := time.Now()
	if until := at.Add(min(retryAfter, longestPause)); retryAfter > 0 && until.After(b.pausedTo) {
		b.pausedTo = until
	}
	if !b.slowedAt.IsZero() && began.Before(b.slowedAt) {
		return
	}
	b.slowedAt = at
	b.set(b.current / 2)
}

// succeeded speeds up again: by full/recovery for each second of success, so
// the gain of one call is the smaller the more of them a second has.
func (b *bucket) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current >= b.full {
		return
	}
	b.set(b.current + b.full/recovery.Seconds()/b.current)
}

// set needs mu.
func (b *bucket) set(perSecond float64) {
	b.current = min(b.full, max(perSecond, min(slowest, b.full)))
	b.lim.SetLimit(rate.Limit(b.current))
	b.lim.SetBurst(burst(b.current))
}
