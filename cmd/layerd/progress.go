package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/round"
)

// progress shows what is being done, and what is waited for, to whoever waits.
type progress interface {
	report(p round.Progress)
	// work shows how far something has come, at most as often as anybody reads it;
	// done is for the last of it.
	work(text string, done bool)
	// wait shows what is waited for, and how long still, until something else is shown.
	wait(text string, until time.Time)
	clear()
}

var (
	_ progress = (*statusLine)(nil)
	_ progress = (*progressLines)(nil)
)

// refresh is how often the status line is drawn at most.
const refresh = 100 * time.Millisecond

// statusLine is one line on a terminal that is written over and over. What
// else goes to the terminal meanwhile is written through it.
type statusLine struct {
	out   io.Writer
	width int
	now   func() time.Time
	countdown

	// mu guards all below and the order of writes to out: rounds report from
	// several goroutines.
	mu    sync.Mutex
	shown string
	last  time.Time
}

// startProgress returns what Round.Progress wants, and how to end it.
func (a *app) startProgress() (func(round.Progress), func()) {
	if isTerminal(a.err) {
		a.progress = &statusLine{out: a.err, width: width(a.err), now: a.now}
		a.shown = a.progress
	} else {
		a.shown = newProgressLines(a.now, func(text string) { a.say("%s", text) })
	}
	return a.shown.report, a.shown.clear
}

// doing returns a round's progress in a line.
func doing(p round.Progress) string {
	name := p.Environment
	if p.Region != "" {
		name += " · " + p.Region
	}
	text := foreign.Linef("%s  %s", name, p.Phase)
	if p.Total > 0 {
		text += fmt.Sprintf(" %d/%d", p.Done, p.Total)
	}
	return text
}

func (s *statusLine) report(p round.Progress) { s.work(doing(p), allDone(p)) }

func allDone(p round.Progress) bool { return p.Total > 0 && p.Done == p.Total }

func (s *statusLine) work(text string, done bool) {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); now.Sub(s.last) >= refresh || done {
		s.last = now
		s.draw(fit(foreign.Clean(text), s.width-1))
	}
}

func (s *statusLine) wait(text string, until time.Time) {
	s.stop()
	show := func() time.Duration {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.draw(fit(foreign.Clean(text)+left(until.Sub(s.now())), s.width-1))
		return time.Second
	}
	s.start(show(), show)
}

// draw replaces the line. Callers hold mu. A terminal that is gone is no
// reason to stop, so errors of writing are not looked at.
func (s *statusLine) draw(text string) {
	s.shown = text
	_, _ = io.WriteString(s.out, "\r\x1b[K"+text)
}

func (s *statusLine) clear() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown != "" {
		s.draw("")
	}
}

// Write puts whole lines above the status line.
func (s *statusLine) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := s.shown
	if shown != "" {
		s.draw("")
	}
	n, err := s.out.Write(b)
	if shown != "" {
		s.draw(shown)
	}
	return n, err
}

// fit cuts text to columns: a status line that wraps cannot be written over.
func fit(text string, columns int) string {
	if foreign.Width(text) <= columns {
		return text
	}
	var b strings.Builder
	left := columns - 1
	for _, r := range text {
		if left -= foreign.Width(string(r)); left < 0 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}
