package window

import (
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/layerd/layerd/internal/words"
)

// maxLength bounds a cron window. A search has to look that far back for an
// occurrence that is still open.
const maxLength = 31 * 24 * time.Hour

// cronPart is one element of a list in a field: *, 5, MON, 1-5, SAT-SUN, each
// with an optional step. The parser we use takes more, such as "*-5" for "*".
var cronPart = regexp.MustCompile(`^(?:\*|[0-9]+|[A-Z]{3}|(?:[0-9]+|[A-Z]{3})-(?:[0-9]+|[A-Z]{3}))(?:/[0-9]+)?$`)

// ordinalOfDay is the number in SAT#1.
var ordinalOfDay = regexp.MustCompile(`#[0-9]`)

// ParseCron returns the window that opens whenever the five fields of expr
// (minute, hour, day of month, month, day of week) match the clocks of zone, for
// an elapsed length of whole seconds from a minute to 31 days. It knows @hourly,
// @daily, @weekly and @monthly, 7 for Sunday, ? for * in the two day fields, and of
// Quartz SAT#1 for the first Saturday of a month, SATL for the last, and L for the
// last day of a month. A nil zone is UTC. The error is a *ParseError.
//
// When both day fields are restricted cron opens on a day that matches either;
// Calendar.Check warns of that.
func ParseCron(expr string, length time.Duration, zone *time.Location) (Window, error) {
	if zone == nil {
		zone = time.UTC
	}
	if length < time.Minute || length > maxLength || length%time.Second != 0 {
		return Window{}, &ParseError{Field: "duration", Text: words.Duration(length), Problem: "a window lasts whole seconds, from 1m to 744h"}
	}
	fields, beyond, e := cronFields(expr)
	if e != nil {
		if e.Suggestion != "" {
			if _, err := ParseCron(e.Suggestion, length, zone); err != nil {
				e.Suggestion = "" // what a user copies from a message must work
			}
		}
		return Window{}, e
	}
	for i := range fields {
		// Each field is tried alone, so that the message can point at it.
		alone := [5]string{"*", "*", "*", "*", "*"}
		alone[i] = fields[i].plain
		if _, err := parseSpec(strings.Join(alone[:], " ")); err != nil {
			return Window{}, cronProblem(expr, fields[i].offset, fmt.Sprintf("%s: %v", fieldNames()[i], err), "")
		}
	}
	var texts, plain []string
	for _, f := range fields {
		texts, plain = append(texts, f.text), append(plain, f.plain)
	}
	text := strings.Join(texts, " ")
	spec, err := parseSpec(strings.Join(plain, " "))
	if err != nil {
		return Window{}, cronProblem(expr, 0, err.Error(), "")
	}
	w := Window{text: "cron " + text + " for " + words.Duration(length), zone: zone, cron: datesOf(spec, beyond), length: length, starts: minutesOf(spec)}
	w.runs = runsOf(w.starts, length)
	if !w.opens() {
		return Window{}, cronProblem(expr, 0, "never opens: no date matches", "")
	}
	return w, nil
}

// A cronField is one of the five, normalised, and where it was.
type cronField struct {
	text   string
	plain  string // without what the parser has no words for
	offset int
}

func fieldNames() [5]string {
	return [5]string{"minute", "hour", "day of month", "month", "day of week"}
}

// cronFields splits and normalises an expression: upper case, macros written
// out, ? as *, Sunday as 0. What it returns is of a shape that the parser can be
// trusted with, though not yet valid, and what the parser has no words for.
func cronFields(expr string) (fields [5]cronField, beyond cronDates, e *ParseError) {
	if e := foreign("cron", expr); e != nil {
		return fields, beyond, e
	}
	if i := strings.Index(expr, "TZ="); i >= 0 { // "CRON_TZ=UTC" makes the parser panic
		return fields, beyond, cronProblem(expr, i, "the time zone belongs into its own key, timezone", "")
	}
	source := expr
	if name := strings.TrimSpace(expr); strings.HasPrefix(name, "@") {
		if source = macro(name); source == "" {
			suggestion := map[string]string{"@midnight": "@daily", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *"}[name]
			return fields, beyond, cronProblem(expr, strings.Index(expr, "@"), "only @hourly, @daily, @weekly and @monthly are known", suggestion)
		}
	}
	texts := strings.Fields(source)
	if len(texts) != 5 {
		problem := fmt.Sprintf("has %d fields, not the five of minute, hour, day of month, month and day of week", len(texts))
		return fields, beyond, cronProblem(expr, len(expr), problem, withoutSixth(texts))
	}
	at := 0
	for i, text := range texts {
		at += strings.Index(source[at:], text)
		fields[i] = cronField{text: strings.ToUpper(text), offset: min(at, len(expr))}
		if source != expr {
			fields[i].offset = 0
		}
		at += len(text)
		if e := normaliseField(expr, i, &fields[i], &beyond); e != nil {
			return fields, beyond, e
		}
	}
	return fields, beyond, lateHour(expr, fields)
}

// normaliseField checks the shape of the i-th field and writes it as the parser
// wants it, and takes what that has no words for.
func normaliseField(expr string, i int, f *cronField, beyond *cronDates) *ParseError {
	dayField := i == 2 || i == 4
	if dayField && f.text == "?" {
		f.text = "*"
	}
	f.plain = f.text
	if i == 2 {
		beyond.takeMonthEnd(f)
	}
	if i == 4 {
		if e := beyond.takeMonthly(expr, f); e != nil {
			return e
		}
	}
	at := f.offset
	parts := strings.Split(f.plain, ",")
	for j, part := range parts {
		if !cronPart.MatchString(part) {
			return cronProblem(expr, at, fmt.Sprintf("%s: %q is not *, a value or a range", fieldNames()[i], part), "")
		}
		if i == 4 {
			parts[j] = sundays(part)
		}
		at += len(part) + 1
	}
	if whole := f.plain == f.text; whole {
		f.text = strings.Join(parts, ",")
	}
	f.plain = strings.Join(parts, ",")
	return nil
}

// sundays writes a part of the day-of-week field that ends with Sunday, as 7 or
// as the end of a range, with Sunday as 0.
func sundays(part string) string {
	days, stepText, _ := strings.Cut(part, "/")
	from, to, isRange := strings.Cut(days, "-")
	if !isRange {
		to = from
	}
	if to != "7" && !(isRange && to == "SUN" && from != "SUN") {
		return part
	}
	first, step := weekdayNumber(from), 1
	if stepText != "" {
		step, _ = strconv.Atoi(stepText)
	}
	if first < 0 || step <= 0 {
		return part // the parser reports what is wrong
	}
	var list []string
	for d := first; d <= 7; d += min(step, 7) {
		list = append(list, strconv.Itoa(d%7))
	}
	return strings.Join(list, ",")
}

// weekdayNumber returns 0 to 7, or -1.
func weekdayNumber(name string) int {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(name, d.String()[:3]) {
			return int(d)
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n <= 7 {
		return n
	}
	return -1
}

// macro returns the five fields that a name stands for, or "".
func macro(name string) string {
	switch name {
	case "@hourly":
		return "0 * * * *"
	case "@daily":
		return "0 0 * * *"
	case "@weekly":
		return "0 0 * * 0"
	case "@monthly":
		return "0 0 1 * *"
	}
	return ""
}

// withoutSixth guesses which field of a six-field expression is one too many: the
// seconds of Quartz, or the year of AWS. In both Sunday may be 1, so an
// expression that counts the days of the week is left alone.
func withoutSixth(fields []string) string {
	if len(fields) != 6 {
		return ""
	}
	five := fields[1:]
	if fields[5] == "*" && strings.Contains(strings.Join(fields, ""), "?") {
		five = fields[:5]
	} else if fields[0] != "0" {
		return ""
	}
	// In SAT#1 the number is not that of a day.
	if days := ordinalOfDay.ReplaceAllString(five[4], ""); strings.ContainsAny(days, "0123456789") {
		return ""
	}
	return strings.Join(five, " ")
}

// parseSpec is the guard around a parser that panics on some texts. The error is
// to be read after the name of the field.
func parseSpec(text string) (spec *cron.SpecSchedule, err error) {
	defer func() {
		if recover() != nil {
			spec, err = nil, fmt.Errorf("cannot be read")
		}
	}()
	schedule, err := cron.ParseStandard(text)
	if err != nil {
		if strings.HasPrefix(err.Error(), "failed to parse int") {
			return nil, fmt.Errorf("not a number or a name of three letters")
		}
		return nil, err
	}
	return schedule.(*cron.SpecSchedule), nil // five fields always make one
}

// minutesOf returns the minutes of the day that the minute and hour fields name.
func minutesOf(s *cron.SpecSchedule) []int {
	starts := make([]int, 0, bits.OnesCount64(s.Hour&^starBit)*bits.OnesCount64(s.Minute&^starBit))
	for m := range 24 * 60 {
		if s.Hour&(1<<(m/60)) != 0 && s.Minute&(1<<(m%60)) != 0 {
			starts = append(starts, m)
		}
	}
	return starts
}

// runsOf returns Window.runs.
func runsOf(starts []int, length time.Duration) []int {
	runs := make([]int, len(starts))
	for i := len(starts) - 1; i >= 0; i-- {
		runs[i] = i
		if i+1 < len(starts) && time.Duration(starts[i+1]-starts[i])*time.Minute <= length {
			runs[i] = runs[i+1]
		}
	}
	return runs
}

// opens reports whether any date matches. The calendar repeats after 400 years,
// so that the answer needs no clock: "0 0 31 2 *" never opens, whereas
// "0 0 29 2 *" does.
func (w Window) opens() bool {
	const cycle = 146097 // days in 400 years
	for d := range int64(cycle) {
		if w.on(d) {
			return len(w.starts) > 0
		}
	}
	return false
}

func cronProblem(expr string, offset int, problem, suggestion string) *ParseError {
	return &ParseError{Field: "cron", Text: expr, Offset: offset, Problem: problem, Suggestion: suggestion}
}
