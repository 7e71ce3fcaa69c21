package present

import (
	"time"

	"github.com/layerd/layerd/internal/plan"
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
	// All is how to see what a list leaves out, "all with -v"; empty = nothing does.
	All string
	// Advice returns what to do about an environment that could not be done, or "".
	Advice func(plan.Failure) string
}

func (c Commands) advice(f plan.Failure) string {
	if c.Advice == nil {
		return ""
	}
	return c.Advice(f)
}
