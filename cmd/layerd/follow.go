package main

import (
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/present"
)

// following returns the listener to which ApplyThrough reports what it waits for, and
// until when.
func (a *app) following() func(plan.Plan, time.Time) {
	return func(planned plan.Plan, until time.Time) {
		if text := present.Waiting(planned); text != "" {
			a.shown.wait(text, until)
		}
	}
}
