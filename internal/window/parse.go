package window

import (
	"fmt"
	"strings"
	"time"

	"github.com/agext/levenshtein"
)

// Parse reads a window of the form "DAYS HH:MM-HH:MM [ZONE]". DAYS is "daily" or
// weekdays, whole or by three letters, in a comma-separated list of days and
// ranges. An end that is not after the start is on the next day; 24:00 is the end
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
	days, e := p.days()
	if e != nil {
		return Window{}, e
	}
	start := p.pos
	from, e := p.clock(false)
	if e != nil {
		return Window{}, e
	}
	if !p.take('-') {
		return Window{}, p.problem(p.pos, "expected a - and the end, as in 02:00-06:00", "")
	}
	to, e := p.clock(true)
	if e != nil {
		return Window{}, e
	}
	if from == to {
		return Window{}, p.problem(start, "start and end are equal; a whole day is 00:00-24:00", p.replaced(start, p.pos, "00:00-24:00"))
	}
	zone, e = p.zone(zone)
	if e != nil {
		return Window{}, e
	}
	return newClock(days, from, to, zone), nil
}

// days reads "daily" or a list such as "Mon-Wed,Sat".
func (p *parser) days() (weekdays, *ParseError) {
	var days weekdays
	for {
		p.space()
		start := p.pos
		from, e := p.weekday(days == 0)
		if e != nil {
			return 0, e
		}
		if from == everyDay {
			p.space()
			return from, nil
		}
		added := from
		if p.take('-') {
			p.space()
			to, e := p.weekday(false)
			if e != nil {
				return 0, e
			}
			if to == from {
				return 0, p.problem(start, "a range from a day to itself is one day or all seven", "")
			}
			for d := from; d != to; {
				d = (d<<1 | d>>6) & everyDay
				added |= d
			}
		}
		if days&added != 0 {
			return 0, p.problem(start, fmt.Sprintf("%s is in the list twice", days&added), "")
		}
		days |= added
		if !p.take(',') {
			return days, nil
		}
	}
}

// weekday reads one name of a day, or "daily" where that is possible.
func (p *parser) weekday(daily bool) (weekdays, *ParseError) {
	start := p.pos
	for p.pos < len(p.text) && isLetter(p.text[p.pos]) {
		p.pos++
	}
	word := p.text[start:p.pos]
	if word == "" {
		suggestion := ""
		if start == len(p.text)-len(strings.TrimLeft(p.text, " ")) && start < len(p.text) {
			suggestion = "daily " + p.text[start:]
		}
		return 0, p.problem(start, "expected a day of the week or daily", p.checked(suggestion))
	}
	if daily && strings.EqualFold(word, "daily") {
		return everyDay, nil
	}
	if len(word) > 16 {
		return 0, p.problem(start, "expected a day of the week or daily", "")
	}
	best, score := "", 0.6
	for d := time.Sunday; d <= time.Saturday; d++ {
		for _, name := range []string{d.String(), d.String()[:3]} {
			if strings.EqualFold(word, name) {
				return 1 << d, nil
			}
			if s := levenshtein.Similarity(strings.ToLower(word), strings.ToLower(name), nil); s > score {
				best, score = name, s
			}
		}
	}
	switch strings.ToLower(word) {
	case "weekday", "weekdays", "workdays":
		best = "Mon-Fri"
	case "weekend", "weekends":
		best = "Sat,Sun"
	case "everyday", "always", "nightly":
		best = "daily"
	}
	if best == "" {
		return 0, p.problem(start, fmt.Sprintf("%q is not a day of the week or daily", word), "")
	}
	return 0, p.problem(start, fmt.Sprintf("%q is not a day of the week or daily", word), p.replaced(start, p.pos, best))
}

// clock reads HH:MM into minutes. Only an end may be 24:00.
func (p *parser) clock(end bool) (int, *ParseError) {
	p.space()
	start := p.pos
	hour, hourDigits := p.number()
	colon := p.pos < len(p.text) && p.text[p.pos] == ':'
	if hourDigits == 0 || hourDigits > 2 || !colon {
		return 0, p.problem(start, "expected a time as HH:MM, from 00:00 to 24:00", "")
	}
	p.pos++
	minute, minuteDigits := p.number()
	if minuteDigits != 2 || minute > 59 {
		return 0, p.problem(start, "expected a time as HH:MM, from 00:00 to 24:00", "")
	}
	if p.pos < len(p.text) && (isLetter(p.text[p.pos]) || p.text[p.pos] == ':') {
		return 0, p.problem(p.pos, "a time is HH:MM on the 24-hour clock, without seconds, am or pm", "")
	}
	late := hour*60 + minute
	switch {
	case late < 24*60 || late == 24*60 && end:
		return late, nil
	case hour < 30: // 25:00 is how Japanese timetables write 01:00 of the next day
		return 0, p.problem(start, "there is no hour after 24:00", p.replaced(start, p.pos, fmt.Sprintf("%02d:%02d", hour-24, minute)))
	}
	return 0, p.problem(start, "there is no such hour", "")
}

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
