package health

import (
	"context"
	"time"
)

// Source is where health is looked up: CloudWatch, and the functions
// themselves. All errors carry a state.Kind.
type Source interface {
	// Invoke calls a function and waits for its answer. An answer that is a
	// FunctionError is no error.
	Invoke(ctx context.Context, c Call) (Answer, error)
	// Alarms returns the alarms of these names, metric and composite; a name
	// that does not exist is missing from the result.
	Alarms(ctx context.Context, names []string) (map[string]Alarm, error)
	// Sums adds up each series over a span. A series without any data point,
	// or with incomplete data, says so.
	Sums(ctx context.Context, series []Series, from, to time.Time) ([]Sum, error)
}

// Call is one invocation.
type Call struct {
	Function, Qualifier string // an empty Qualifier is $LATEST
	Payload             []byte // JSON
}

// Answer is what an invocation gave.
type Answer struct {
	Status          int    // HTTP; 200 also when the function failed
	FunctionError   string // "Handled", "Unhandled"; empty = none
	Payload         []byte
	Log             string // its last 4 KiB, decoded; may hold secrets
	ExecutedVersion string
}

// Alarm is the state of one alarm.
type Alarm struct {
	Name   string
	State  string // "OK", "ALARM", "INSUFFICIENT_DATA"
	Reason string // CloudWatch's words
	Since  time.Time
}

// Series is one metric of one function, or of one alias or version of it.
type Series struct {
	Function, Qualifier string
	Metric              string // "Invocations", "Errors", "Throttles"
}

// Sum is what a series adds up to.
type Sum struct {
	Series
	Value float64
	// Known is false when there was no data point, or not all of them came.
	Known bool
	// Partial is true when not all of them came. Without it, a function that was
	// never called would look like one whose metrics could not be read.
	Partial bool
}

// Measure is a Series with how its points are made.
type Measure struct {
	Series
	// Executed is the version that ran, of an alias that shares out its calls between
	// two; empty = whichever.
	Executed string
	// Statistic is "Sum", "p99" and so on. Only sums add up: of any other the highest
	// point is the Value.
	Statistic string
}
