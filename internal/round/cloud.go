package round

import (
	"context"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/parameters"
	"github.com/layerd/layerd/internal/state"
)

// Cloud is what a round needs of one account, Region and role.
// awslambda.Client is one.
type Cloud interface {
	apply.Cloud
	health.Source
	parameters.Store
	// Check makes sure that the credentials belong to the account; a round begins
	// with it. A *state.WrongAccountError says they do not. Every other method
	// makes sure as well: credentials may be renewed in the middle of a round.
	Check(ctx context.Context) error
	Observe(ctx context.Context, q state.Query) (state.Snapshot, error)
	Look(ctx context.Context, s *state.Snapshot, n state.Needs) error
	Calls() state.Stats
	// While returns the calls that change something, each sent only while check
	// returns nil: it is asked at the last moment before each attempt.
	While(check func() error) apply.Writes
}
