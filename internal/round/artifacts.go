package round

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// Artifacts reads the archives that Git names, with the rights of an environment.
type Artifacts interface {
	// Look returns what an archive is. What is wrong with the archive, one that is not
	// there or that may not be read included, is in the Content; an error means that
	// nobody knows, since what has it is out of reach.
	Look(ctx context.Context, env desired.Environment, a state.Artifact) (state.Content, error)
	// Open returns an archive for publishing. It is an error if it is not what it was
	// found to be any more.
	Open(ctx context.Context, env desired.Environment, a state.Artifact, found state.Content) (apply.Source, error)
}

// codeArtifact is of a Region whose decision needs an archive that is out of reach.
const codeArtifact = "artifact_unreachable"

// lookInto adds to one Region's snapshot what the archives are that its decision asks
// for. Other environments of the same place do not get it from there: each looks with
// its own rights, at its own commit. When one is out of reach the Region counts as not
// read, as with AWS: what would be published, and attached after it, is half known.
func (p *Run) lookInto(ctx context.Context, r *reconcile.Region, wanted []state.Artifact) error {
	if len(wanted) == 0 || r.Have == nil {
		return nil
	}
	if p.Artifacts == nil {
		return errors.New("archives of layers are not read here")
	}
	snap := *r.Have
	snap.Contents = maps.Clone(snap.Contents)
	if snap.Contents == nil {
		snap.Contents = map[state.Artifact]state.Content{}
	}
	for _, a := range wanted {
		found, err := p.Artifacts.Look(ctx, r.Want, a)
		if err != nil {
			err = fmt.Errorf("read %s of %s %s: %w", a.Location, a.Layer, a.Version, err)
			if r.Have, r.Unread = nil, artifactFailure(ctx, err); ctx.Err() != nil {
				return nil // it was not refused, and is not noted beside the failure
			}
			return err
		}
		snap.Contents[a] = found
	}
	r.Have = &snap
	return nil
}

// artifactFailure is why a Region was left alone whose decision needs an archive that
// could not be read.
func artifactFailure(ctx context.Context, err error) *plan.Failure {
	if cut := interrupted(ctx); cut != nil {
		return cut
	}
	if elsewhere := state.Elsewhere(err); elsewhere != nil {
		return &plan.Failure{Code: plan.CodeWrongAccount, Message: elsewhere.Error()}
	}
	return &plan.Failure{Code: codeArtifact, Message: err.Error(), Retryable: true}
}

// opener returns what opens the archives that an environment publishes; nil = nothing
// can be published.
func (p *Run) opener(e desired.Environment) func(context.Context, plan.Publishing) (apply.Source, error) {
	if p.Artifacts == nil {
		return nil
	}
	return func(ctx context.Context, pub plan.Publishing) (apply.Source, error) {
		return p.Artifacts.Open(ctx, e, pub.Artifact, pub.Content)
	}
}
