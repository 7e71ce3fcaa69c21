package main

import (
	"sync"
	"time"

	"github.com/layerd/layerd/internal/round"
)

// countdown shows something again and again until it is stopped. The zero value is
// one that is stopped.
type countdown struct {
	ending sync.Mutex // guards the rest: a round and the end of a command both stop it
	end    chan struct{}
	ended  chan struct{}
}

// start calls show after first, and then each time after what it returned.
func (c *countdown) start(first time.Duration, show func() time.Duration) {
	c.ending.Lock()
	defer c.ending.Unlock()
	end, ended := make(chan struct{}), make(chan struct{})
	c.end, c.ended = end, ended
	go func() {
		defer close(ended)
		timer := time.NewTimer(first)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
				timer.Reset(show())
			case <-end:
				return
			}
		}
	}()
}

// stop returns once nothing is shown any more.
func (c *countdown) stop() {
	c.ending.Lock()
	defer c.ending.Unlock()
	if c.end == nil {
		return
	}
	close(c.end)
	<-c.ended
	c.end, c.ended = nil, nil
}

// left returns the end of a line that says how long something still takes; nothing
// when it is due.
func left(d time.Duration) string {
	if d = d.Round(time.Second); d > 0 {
		return ", " + d.String() + " left"
	}
	return ""
}

// A log is read later, and a bake may take a day: of one thing there is a line every
// ten seconds at most, and the rarer the longer it still takes.
const (
	leastBetween = 10 * time.Second
	linesOfWait  = 30 // were the time that is left divided evenly
)

// progressLines shows progress where standard error is no terminal: a line now and
// then while something takes long, so that nobody takes layerd for dead.
type progressLines struct {
	now func() time.Time
	say func(text string)
	countdown

	mu   sync.Mutex // guards the rest, and the order of lines
	last time.Time  // of a line
	busy time.Time  // since when something is done and nothing waited for
	idle bool       // something is waited for
	said string     // what was waited for, in the last line about it
}

func newProgressLines(now func() time.Time, say func(string)) *progressLines {
	return &progressLines{now: now, say: say, busy: now()}
}

func (l *progressLines) report(p round.Progress) { l.work(doing(p), allDone(p)) }

// work shows what is being done where nothing was shown for a while; that it is done
// is seen by what comes next.
func (l *progressLines) work(text string, _ bool) {
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.idle {
		l.idle, l.busy = false, now
	}
	if min(now.Sub(l.last), now.Sub(l.busy)) >= leastBetween {
		l.last, l.said = now, ""
		l.say(text)
	}
}

// wait shows at once what is new, and again what lasts.
func (l *progressLines) wait(text string, until time.Time) {
	l.stop()
	show := func() time.Duration {
		l.mu.Lock()
		defer l.mu.Unlock()
		now := l.now()
		l.idle = true
		pause := max(leastBetween, until.Sub(now)/linesOfWait)
		if since := now.Sub(l.last); text == l.said && since < pause {
			return pause - since
		}
		l.last, l.said = now, text
		l.say(text + left(until.Sub(now)))
		return pause
	}
	l.start(show(), show)
}

func (l *progressLines) clear() { l.stop() }
