package notify

import (
	"context"
	"errors"
	"time"
)

// Target is somewhere that messages go. Package notifytest has its contract.
type Target interface {
	// Name tells it from the other targets, also after a restart.
	Name() string
	// Send delivers one message. Its error is a *SendError, or the context's
	// when that ended. No part of a secret may be in it. A message may arrive
	// although an error is returned.
	Send(ctx context.Context, m Message) error
}

// Verdict is what to do about a message that was not delivered.
type Verdict string

// The verdicts.
const (
	// Later: the target or the way there does not work now.
	Later Verdict = "later"
	// Broken: the target refuses everything until a person mends it (a revoked
	// webhook, an archived channel). The message is kept and tried again.
	Broken Verdict = "broken"
	// Never: the target refuses this very message, and always will.
	Never Verdict = "never"
)

// SendError is why a message was not delivered.
type SendError struct {
	Verdict Verdict
	Reason  string // for a person; without secrets
	// RetryAfter is how long the target asked to be left alone; 0 = it did not
	// say.
	RetryAfter time.Duration
}

func (e *SendError) Error() string { return e.Reason }

// sendError returns the error of a Send as a target sorted it; one that it did not
// sort is tried again.
func sendError(err error) *SendError {
	if e, ok := errors.AsType[*SendError](err); ok {
		return e
	}
	return &SendError{Verdict: Later, Reason: err.Error()}
}
