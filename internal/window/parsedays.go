package window

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agext/levenshtein"
)

// days reads "daily", a list such as "Mon-Wed,Sat", or one of days of the month such
// as "first,third Saturday,last Friday".
func (p *parser) days() (days, *ParseError) {
	var d days
	for first := true; ; first = false {
		p.space()
		start := p.pos
		places, e := p.ordinals()
		if e != nil {
			return days{}, e
		}
		if !first && (len(places) > 0) != (d.weekly == 0) {
			return days{}, p.problem(start, "days of the week and days of the month in one list; write first Saturday,first Sunday, or two windows", "")
		}
		if len(places) > 0 {
			e = p.monthly(&d, places)
		} else {
			e = p.weekly(&d, first)
		}
		if e != nil {
			return days{}, e
		}
		if d.weekly == everyDay && p.everyDayAt(start) {
			return d, nil
		}
		if !p.take(',') {
			return d, p.joined()
		}
	}
}

// everyDayAt reports whether the word daily stands at start: nothing can follow it.
func (p *parser) everyDayAt(start int) bool {
	p.space()
	return strings.EqualFold(strings.TrimSpace(p.text[start:p.pos]), "daily")
}

// joined returns the problem with a word such as "and" where a comma belongs.
func (p *parser) joined() *ParseError {
	p.space()
	for _, word := range []string{"and ", "& ", "+ "} {
		if rest := p.text[p.pos:]; len(rest) > len(word) && strings.EqualFold(rest[:len(word)], word) {
			return p.problem(p.pos, "days are joined by commas", p.checked(strings.TrimRight(p.text[:p.pos], " ")+","+rest[len(word):]))
		}
	}
	return nil
}

// ordinals reads "first" or a list such as "first,third", and stops before the day.
func (p *parser) ordinals() (places []int, e *ParseError) {
	for {
		p.space()
		start := p.pos
		word := p.word()
		place := slices.IndexFunc(ordinals6(), func(name string) bool { return strings.EqualFold(word, name) })
		if place < 0 {
			p.pos = start
			if e := p.misspeltOrdinal(start); e != nil {
				return nil, e
			}
			if len(places) > 0 {
				return nil, p.problem(start, "expected first, second, third, fourth, fifth or last", "")
			}
			return nil, nil
		}
		if slices.Contains(places, place) {
			return nil, p.problem(start, fmt.Sprintf("%s is in the list twice", ordinals()[place]), "")
		}
		places = append(places, place)
		if !p.take(',') {
			if e := p.joined(); e != nil {
				return nil, e
			}
			return places, nil
		}
	}
}

func ordinals6() []string {
	names := ordinals()
	return names[:]
}

// misspeltOrdinal returns the problem with another way to write an ordinal: 1st, or
// Sat#1 as in cron. nil when there is none at start.
func (p *parser) misspeltOrdinal(start int) *ParseError {
	rest := p.text[start:]
	word, _, _ := strings.Cut(rest, " ")
	word, _, _ = strings.Cut(word, ",")
	place := map[string]string{"1st": "first", "2nd": "second", "3rd": "third", "4th": "fourth", "5th": "fifth", "final": "last"}[strings.ToLower(word)]
	if place != "" {
		return p.problem(start, fmt.Sprintf("%q is written %s", word, place), p.replaced(start, start+len(word), place))
	}
	d, ordinal, problem := readMonthly(strings.ToUpper(word))
	if problem != "" || len(word) < 4 { // a number is no day here
		return nil
	}
	written := ordinals()[ordinal] + " " + d.String()
	return p.problem(start, fmt.Sprintf("%q is written %s outside of cron", word, written), p.replaced(start, start+len(word), written))
}

// monthly reads the day that ordinals belong to.
func (p *parser) monthly(d *days, places []int) *ParseError {
	p.space()
	start := p.pos
	of, e := p.weekday(false)
	if e != nil {
		return e
	}
	if p.take('-') {
		return p.problem(start, "a day of the month is one day, not a range", "")
	}
	for _, i := range places {
		if d.monthly[i]&of != 0 {
			return p.problem(start, fmt.Sprintf("%s %s is in the list twice", ordinals()[i], of), "")
		}
		d.monthly[i] |= of
	}
	return nil
}

// weekly reads a day, a range of days or, as the first of a list, daily.
func (p *parser) weekly(d *days, daily bool) *ParseError {
	start := p.pos
	from, e := p.weekday(daily)
	if e != nil {
		return e
	}
	added := from
	if from != everyDay && p.take('-') {
		p.space()
		to, e := p.weekday(false)
		if e != nil {
			return e
		}
		if to == from {
			return p.problem(start, "a range from a day to itself is one day or all seven", "")
		}
		for d := from; d != to; {
			d = d.next()
			added |= d
		}
	}
	if d.weekly&added != 0 {
		return p.problem(start, fmt.Sprintf("%s is in the list twice", d.weekly&added), "")
	}
	d.weekly |= added
	return nil
}

// word reads letters.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.text) && isLetter(p.text[p.pos]) {
		p.pos++
	}
	return p.text[start:p.pos]
}

// withoutMonth returns the text without "of the month" and the like where that
// stands at start.
func (p *parser) withoutMonth(start int) string {
	rest := strings.ToLower(p.text[start:])
	for _, words := range []string{"of the month ", "of each month ", "of every month ", "of a month "} {
		if strings.HasPrefix(rest, words) {
			return p.replaced(start, start+len(words), "")
		}
	}
	return ""
}

// weekday reads one name of a day, or "daily" where that is possible.
func (p *parser) weekday(daily bool) (weekdays, *ParseError) {
	start := p.pos
	word := p.word()
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
