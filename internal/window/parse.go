package window

import (
	"fmt"
	"strings"
	"time"
)

// Parse reads a window of the form "DAYS HH:MM-HH:MM [ZONE]". DAYS is "daily" or
// weekdays, whole or by three letters, in a comma-separated list of days and
// ranges, or days of a month in a list of their own: "first Saturday",
// "first,third Sat,last Friday". An end that is not after the start is on the next day; 24:00 is the end
// of the starting day. Without ZONE the window is in defaultZone, and in UTC when
// that is nil. The error is a *ParseError.
func Parse(text string, defaultZone *time.Location) (Window, error) {
	p := parser{text: text}
	if e := foreign("window", text); e != nil {
		e.Suggestion = p.checked(e.Suggestion)
		return Window{}, e
	}
	w, e := p.window(defaultZone)
	if e != nil {
		return Window{}, e
	}
	return w, nil
}

// parser reads ASCII text from left to right.
type parser struct {
	text string
	pos  int

	// final is set for a text that is a suggestion itself: nothing is suggested
	// for it, and so nothing recurs.
	final bool
}

func (p *parser) window(zone *time.Location) (Window, *ParseError) {
	on, e := p.days()
	if e != nil {
		return Window{}, e
	}
	start := p.pos
	from, e := p.clock()
	if e != nil {
		return Window{}, e
	}
	if !p.take('-') {
		return Window{}, p.problem(p.pos, "expected a - and the end, as in 02:00-06:00", "")
	}
	p.space()
	end := p.pos
	to, e := p.clock()
	if e != nil {
		return Window{}, e
	}
	switch {
	case from >= 24*60 || to > 24*60:
		return Window{}, p.tooLate(on, hours{start, end, from, to})
	case from == to:
		return Window{}, p.problem(start, "start and end are equal; a whole day is 00:00-24:00", p.replaced(start, p.pos, "00:00-24:00"))
	}
	zone, e = p.zone(zone)
	if e != nil {
		return Window{}, e
	}
	return newClock(on, from, to, zone), nil
}

// clock reads HH:MM into minutes, up to 47:59 for those who count the hours of a
// night on (tooLate).
func (p *parser) clock() (int, *ParseError) {
	p.space()
	start := p.pos
	hour, hourDigits := p.number()
	colon := p.pos < len(p.text) && p.text[p.pos] == ':'
	if hourDigits == 0 || hourDigits > 2 || !colon {
		return 0, p.problem(start, "expected a time as HH:MM, from 00:00 to 24:00", p.withoutMonth(start))
	}
	p.pos++
	minute, minuteDigits := p.number()
	if minuteDigits != 2 || minute > 59 {
		return 0, p.problem(start, "expected a time as HH:MM, from 00:00 to 24:00", "")
	}
	if p.pos < len(p.text) && (isLetter(p.text[p.pos]) || p.text[p.pos] == ':') {
		return 0, p.problem(p.pos, "a time is HH:MM on the 24-hour clock, without seconds, am or pm", "")
	}
	if hour >= 48 {
		return 0, p.problem(start, "there is no such hour", "")
	}
	return hour*60 + minute, nil
}

// hours are the two times of a window, and where they stand.
type hours struct {
	startAt, endAt int
	from, to       int // minutes
}

// tooLate returns the problem with hours after midnight that are counted on from
// those of the day before, as in Japanese timetables: 25:00 of a Saturday is 01:00 of
// Sunday. What is offered is the window that opens and closes at these instants.
func (p *parser) tooLate(on days, h hours) *ParseError {
	rest := p.text[p.pos:]
	if h.from < 24*60 {
		after := h.to - 24*60
		problem := fmt.Sprintf("there is no hour after 24:00; %s is %s of the next day", clockText(h.to), clockText(after))
		if after >= h.from {
			return p.problem(h.endAt, problem+", and a window ends within 24 hours; write two", "")
		}
		return p.problem(h.endAt, problem, p.replaced(h.endAt, p.pos, clockText(after)))
	}
	problem := fmt.Sprintf("there is no hour after 24:00; %s is %s of the next day", clockText(h.from), clockText(h.from-24*60))
	next := on.weekly.next()
	if on.weekly == 0 { // the day after the first Saturday may be the second Sunday
		return p.problem(h.startAt, problem, "")
	}
	if next != everyDay {
		problem += ", " + next.String()
	}
	to := h.to
	if to >= 24*60 { // 24:00 is the beginning of the day that h.from is on
		to -= 24 * 60
	}
	if to <= h.from-24*60 {
		return p.problem(h.startAt, problem, "")
	}
	return p.problem(h.startAt, problem, p.checked(fmt.Sprintf("%s %s-%s%s", next, clockText(h.from-24*60), clockText(to), rest)))
}

func clockText(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// zone reads what is left of the text.
func (p *parser) zone(otherwise *time.Location) (*time.Location, *ParseError) {
	p.space()
	name := strings.TrimRight(p.text[p.pos:], " ")
	if name == "" {
		if otherwise == nil {
			return time.UTC, nil
		}
		return otherwise, nil
	}
	zone, err := LoadZone(name)
	if err == nil {
		return zone, nil
	}
	e := err.(*ParseError) // LoadZone has no other
	suggestion := ""
	if e.Suggestion != "" {
		suggestion = p.replaced(p.pos, p.pos+len(name), e.Suggestion)
	}
	return nil, p.problem(p.pos, fmt.Sprintf("time zone %q: %s", name, e.Problem), suggestion)
}

func (p *parser) space() {
	for p.pos < len(p.text) && p.text[p.pos] == ' ' {
		p.pos++
	}
}

// take passes over spaces and, where it comes next, the character c.
func (p *parser) take(c byte) bool {
	p.space()
	if p.pos == len(p.text) || p.text[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

// number reads digits and returns how many; only the value of two or fewer is
// right, and nobody asks for others.
func (p *parser) number() (value, digits int) {
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		if digits++; digits <= 2 {
			value = value*10 + int(p.text[p.pos]-'0')
		}
		p.pos++
	}
	return value, digits
}

func (p *parser) problem(offset int, problem, suggestion string) *ParseError {
	return &ParseError{Field: "window", Text: p.text, Offset: offset, Problem: problem, Suggestion: suggestion}
}

// replaced returns the text with another middle, if that is a window.
func (p *parser) replaced(from, to int, middle string) string {
	return p.checked(p.text[:from] + middle + p.text[to:])
}

// checked returns a suggestion if it is a window, and "" otherwise: what a user
// copies from a message must work.
func (p *parser) checked(suggestion string) string {
	if p.final || foreign("window", suggestion) != nil {
		return ""
	}
	q := parser{text: suggestion, final: true}
	if _, e := q.window(nil); e != nil {
		return ""
	}
	return suggestion
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
