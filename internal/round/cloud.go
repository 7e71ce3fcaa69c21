package round

import (
	"context"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/state"
)

// Cloud is what a round needs of one account, Region and role.
// awslambda.Client is one.
type Cloud interface {
	apply.Cloud
	health.Source
	// Check makes sure that the credentials belong to the account; a round begins
	// with it. A *state.WrongAccountError says they do not. Every other method
	// makes sure as well: credentials may be renewed in the middle of a round.
	Check(ctx context.Context) error
	Observe(ctx context.Context, q state.Query) (state.Snapshot, error)
	Look(ctx context.Context, s *state.Snapshot, n state.Needs) error
	Calls() state.Stats
	// While returns the calls that change something, each sent only while check
	// returns nil: it is asked at the last moment before each attempt.
	While(check func() error) Writes
}

// Writes are the calls that change something; see apply.Cloud.
type Writes interface {
	SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (requestID string, err error)
	DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (requestID string, err error)
	Publish(ctx context.Context, q state.Qualified, code, revision string) (version, requestID string, err error)
	MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (requestID string, err error)
}
