package health

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/state"
)

// minute is what one function did in one minute.
type minute struct{ calls, errors, throttled float64 }

// cloud is CloudWatch and the functions, in memory. It refuses what the real
// ones would: more than 100 alarm names, spans that are not whole minutes,
// a call without JSON.
type cloud struct {
	t       testing.TB
	invoke  func(context.Context, Call) (Answer, error)
	alarms  map[string]Alarm
	metrics map[Watched]map[time.Time]minute
	partial map[Series]bool // of which a part never comes
	err     error           // what alarms and metrics answer
	asked   int             // calls of Alarms and Sums
	series  int             // asked for
}

func (c *cloud) Invoke(ctx context.Context, call Call) (Answer, error) {
	if len(call.Payload) == 0 {
		c.t.Error("a call without a payload")
	}
	return c.invoke(ctx, call)
}

func (c *cloud) Alarms(_ context.Context, names []string) (map[string]Alarm, error) {
	c.asked++
	if len(names) > 100 || len(names) == 0 {
		c.t.Errorf("%d names at once", len(names))
	}
	found := map[string]Alarm{}
	for _, name := range names {
		if a, ok := c.alarms[name]; ok {
			found[name] = a
		}
	}
	return found, c.err
}

func (c *cloud) Sums(_ context.Context, series []Series, from, to time.Time) ([]Sum, error) {
	c.asked++
	c.series += len(series)
	if !from.Equal(from.Truncate(time.Minute)) || !to.Equal(to.Truncate(time.Minute)) || !from.Before(to) {
		c.t.Errorf("asked from %v to %v", from, to)
	}
	var sums []Sum
	for _, s := range series {
		sum := Sum{Series: s}
		for at, m := range c.metrics[Watched{s.Function, s.Qualifier}] {
			if at.Before(from) || !at.Before(to) {
				continue
			}
			sum.Known = true
			switch s.Metric {
			case "Invocations":
				sum.Value += m.calls
			case "Errors":
				sum.Value += m.errors
			case "Throttles":
				sum.Value += m.throttled
			default:
				c.t.Errorf("asked for %s", s.Metric)
			}
		}
		if c.partial[s] {
			sum.Known, sum.Partial = false, true
		}
		sums = append(sums, sum)
	}
	return sums, c.err
}

func failed(kind state.Kind, cause error) error {
	return fmt.Errorf("ask: %w", &state.Error{Op: "Invoke", Resource: "f", Kind: kind, Code: "Code", Message: "password=hunter2", Err: cause})
}

var errPlain = errors.New("something else")
