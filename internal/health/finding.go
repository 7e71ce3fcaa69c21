package health

import "slices"

// Status is what a look, or all of them together, came to.
type Status string

// The statuses.
const (
	Good Status = "good"
	Bad  Status = "bad"
	// Unknown: it could not be looked at, or there was nothing to see. It is
	// never good by itself.
	Unknown Status = "unknown"
)

// Codes of findings, for machines. They stay the same within a format version.
const (
	CodeSmoke     = "smoke_test"
	CodeAlarm     = "alarm"
	CodeErrorRate = "error_rate"
	CodeThrottles = "throttles"
)

// Finding is one thing that was looked at and what it came to.
type Finding struct {
	About    string // what was looked at: a function with its qualifier, an alarm; "all functions"
	Status   Status
	Code     string
	Sentence string // for a person, in one line; without secrets
	Unread   bool   // AWS did not answer or refused: nothing was looked at; the Status is Unknown
	// Decides reports that no other finding makes up for an Unknown: what was to be
	// looked at is not what was set.
	Decides bool
	Detail  string // the end of a function's log, in lines, without secrets; mostly empty
}

// Verdict is what all findings come to.
type Verdict struct {
	Status Status
	// Findings are those that led to Status, first, then what else there is to
	// tell: what is unknown although the rest is good.
	Findings []Finding
}

// Judge is the rule: one bad finding is bad; when nothing is good and
// something is unknown, the whole is unknown, and that is for on_unknown; one good
// finding carries those that are unknown, which are reported, but for one that
// decides. Nothing looked at is
// good, since nothing was asked for.
func Judge(findings []Finding) Verdict {
	v := Verdict{Status: Good, Findings: slices.Clone(findings)}
	has := func(s Status) bool {
		return slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == s })
	}
	switch {
	case has(Bad):
		v.Status = Bad
	case len(findings) > 0 && !has(Good), slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == Unknown && f.Decides }):
		v.Status = Unknown
	}
	first := func(f Finding) int {
		if f.Status == v.Status {
			return 0
		}
		if f.Status == Good {
			return 2
		}
		return 1
	}
	slices.SortStableFunc(v.Findings, func(a, b Finding) int { return first(a) - first(b) })
	return v
}

// Sentences are those a person must see: all that are not good, and when there
// are none, the good ones.
func (v Verdict) Sentences() []string {
	var told, good []string
	for _, f := range v.Findings {
		if f.Status == Good {
			good = append(good, f.Sentence)
		} else {
			told = append(told, f.Sentence)
		}
	}
	if len(told) == 0 {
		return good
	}
	return told
}
