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

// refresh is how often the status line is drawn at most.
const refresh = 100 * time.Millisecond

// statusLine is one line on a terminal that is written over and over. What
// else goes to the terminal meanwhile is written through it.
type statusLine struct {
	out   io.Writer
	width int
	now   func() time.Time

	// mu guards all below and the order of writes to out: rounds report from
	// several goroutines.
	mu    sync.Mutex
	shown string
	last  time.Time
}

// startProgress returns what Round.Progress wants, and how to end it; nil where
// standard error is no terminal.
func (a *app) startProgress() (func(round.Progress), func()) {
	if !isTerminal(a.err) {
		return nil, func() {}
	}
	s := &statusLine{out: a.err, width: width(a.err), now: a.now}
	a.progress = s
	return s.report, s.clear
}

func (s *statusLine) report(p round.Progress) {
	text := foreign.Linef("%s · %s  %s", p.Environment, p.Region, p.Phase)
	if p.Total > 0 {
		text += fmt.Sprintf(" %d/%d", p.Done, p.Total)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); now.Sub(s.last) >= refresh || p.Total > 0 && p.Done == p.Total {
		s.last = now
		s.draw(fit(text, s.width-1))
	}
}

// note shows what is waited for until something else is shown.
func (s *statusLine) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draw(fit(foreign.Clean(text), s.width-1))
}

// draw replaces the line. Callers hold mu. A terminal that is gone is no
// reason to stop, so errors of writing are not looked at.
func (s *statusLine) draw(text string) {
	s.shown = text
	_, _ = io.WriteString(s.out, "\r\x1b[K"+text)
}

func (s *statusLine) clear() {
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
