package main

import (
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/present"
)

// following returns the listener to which ApplyThrough reports what it waits for: on a
// terminal the status line, elsewhere a line for each thing that is waited for.
func (a *app) following() func(plan.Plan, time.Time) {
	said := ""
	return func(planned plan.Plan, _ time.Time) {
		text := present.Waiting(planned)
		switch {
		case text == "":
		case a.progress != nil:
			a.progress.note(text)
		case text != said:
			a.say("%s", text)
			said = text
		}
	}
}
