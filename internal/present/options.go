package present

import (
	"cmp"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
)

// Options are how a result is shown. The zero value shows it without colour, and
// suggests no command.
type Options struct {
	Palette
	Width   int  // in columns; 0 = lines are not broken
	Verbose bool // names and every reason
	Applied bool // the result of apply, not of plan
	Now     time.Time
	Rate    float64 // requests per second, as the plan's cost was reckoned
	// Store is which past was looked at, for people.
	Store    string
	Commands Commands
}

// Commands are what a reader can do about what is shown, in the words of where
// they read it: a command line has flags, a page has buttons.
type Commands struct {
	// Approve returns the command that approves a plan; nil = there is none.
	Approve func(environment, digest string) string
	// Retry returns the command that lets what is held come again; nil = there is none.
	Retry func(environment string) string
	// Plan is the command that shows what is left out; empty = layerd plan.
	Plan string
	// All is how to see what a list leaves out, "all with -v"; empty = nothing does.
	All string
	// Advice returns what to do about an environment that could not be done, or "".
	Advice func(plan.Failure) string
}

// plan returns the command that shows what is left out.
func (c Commands) plan() foreign.Marked { return foreign.Code(cmp.Or(c.Plan, "layerd plan")) }

// retried reports whether something of a plan waits for a retry, and there is a command
// for it.
func (c Commands) retried(p plan.Plan) bool {
	return c.Retry != nil && slices.ContainsFunc(p.Regions, func(r plan.Region) bool {
		return r.Rollout != nil && r.Rollout.Stage == rollout.StageHalted || slices.ContainsFunc(r.Steps, func(s plan.Step) bool { return s.HeldBy(plan.ByQuarantine) })
	})
}

func (c Commands) advice(f plan.Failure) string {
	if c.Advice == nil {
		return ""
	}
	return c.Advice(f)
}
