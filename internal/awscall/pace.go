package awscall

import (
	"context"

	"golang.org/x/time/rate"
)

// Turn waits for a turn at l. It fails as a context does: with DeadlineExceeded at
// once where the deadline would pass before the turn comes.
func Turn(ctx context.Context, l *rate.Limiter) error {
	err := l.Wait(ctx)
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return context.DeadlineExceeded
}
