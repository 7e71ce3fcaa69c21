package health

import (
	"context"
	"slices"
	"time"

	wording "github.com/layerd/layerd/internal/words"
)

// alarmsAtOnce is how many names one DescribeAlarms takes.
const alarmsAtOnce = 100

// Alarms looks at alarms, metric and composite, and returns one finding for each
// name, in the order given; a name that comes twice is looked at once. ALARM is
// bad, and so is a name that does not exist: a gate that was never closed is open.
// OK is good. INSUFFICIENT_DATA is unknown, and so are all names of a call that
// AWS did not answer or refused. Times are worded in zone; nil = UTC.
func Alarms(ctx context.Context, src Source, names []string, zone *time.Location) []Finding {
	var unique []string
	for _, name := range names {
		if !slices.Contains(unique, name) {
			unique = append(unique, name)
		}
	}
	var findings []Finding
	for chunk := range slices.Chunk(unique, alarmsAtOnce) {
		alarms, err := src.Alarms(ctx, chunk)
		for _, name := range chunk {
			f := Finding{About: "alarm " + name, Code: CodeAlarm, Status: Unknown}
			if err != nil {
				f.Sentence, f.Unread = f.About+" is not known: "+words(err.Error()), true
			} else {
				a, exists := alarms[name]
				f.Status, f.Sentence = judgeAlarm(f.About, a, exists, zone)
			}
			findings = append(findings, f)
		}
	}
	return findings
}

func judgeAlarm(about string, a Alarm, exists bool, zone *time.Location) (Status, string) {
	if !exists {
		return Bad, about + " does not exist"
	}
	says := about + " is " + a.State
	if !a.Since.IsZero() {
		says += " since " + wording.Moment(a.Since, zone)
	}
	if a.State == "OK" {
		return Good, says
	}
	if a.Reason != "" {
		says += ": " + words(a.Reason)
	}
	if a.State == "ALARM" {
		return Bad, says
	}
	return Unknown, says
}
