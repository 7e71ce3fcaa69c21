package round

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
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
	// Inside returns which packages an archive has that was found good, by its SHA-256, as
	// far as that is remembered. It reads no archive.
	Inside(ctx context.Context, sha256 string) (inspect.Contents, bool)
}

// lookInto adds to one Region's snapshot what the archives are that its decision asks
// for. Other environments of the same place do not get it from there: each looks with
// its own rights, at its own commit.
//
// One that is out of reach is content that is not known, and a problem of this
// environment's wish alone: nothing new starts there, and what does not need the archive
// goes on, drift that is healed and a rollback that a person asks for among it. It is
// left for a while then, and longer each time: an object that stalls takes all the time
// that a look has, of each round.
func (p *Run) lookInto(ctx context.Context, r *reconcile.Region, wanted []state.Artifact) {
	if len(wanted) == 0 || r.Have == nil {
		return
	}
	snap := *r.Have
	snap.Contents = maps.Clone(snap.Contents)
	if snap.Contents == nil {
		snap.Contents = map[state.Artifact]state.Content{}
	}
	within, cancel := context.WithTimeout(ctx, archivePatience)
	defer cancel()
	for _, a := range wanted {
		found, err := p.lookIntoOne(ctx, within, r.Want, a)
		if cut := interrupted(ctx); cut != nil {
			r.Have, r.Unread = nil, cut
			return
		}
		if elsewhere := state.Elsewhere(err); elsewhere != nil {
			r.Have, r.Unread = nil, awsFailure(ctx, err)
			return
		}
		if err != nil {
			found = state.Content{
				Code: desired.CodeArtifactUnread, Message: fmt.Sprintf("%s is out of reach: %s", a.Location, err), Suggestion: "it is read again by itself, and at once after a retry; nothing is published until then",
			}
		}
		snap.Contents[a] = found
	}
	r.Have = &snap
}

// archivePatience is how long the archives of one Region are waited for in one look. A
// rollout that is to be judged or taken back waits as long, and so do the other
// environments of the account: an object that stalls must not hold them. 250 MB come in
// it at 5 MB a second.
const archivePatience = time.Minute

// lookIntoOne looks into one archive, within what is left of archivePatience, unless it was
// out of reach a short while ago.
func (p *Run) lookIntoOne(ctx, within context.Context, env desired.Environment, a state.Artifact) (state.Content, error) {
	if p.Artifacts == nil {
		return state.Content{}, errors.New("archives of layers are not read here")
	}
	key := keyOfArtifact(env, a)
	if f, ok := p.failedLately(ctx, env, key); ok {
		// In the same words as when it was found: it is one problem, told once, for as long
		// as it lasts.
		return state.Content{}, errors.New(f.why.Error)
	}
	if within.Err() != nil {
		return state.Content{}, errors.New("other archives took all the time of this look; it is the turn of this one with the next")
	}
	found, err := p.Artifacts.Look(within, env, a)
	switch {
	case err == nil:
		p.Cache.forgetFailed(key)
	case ctx.Err() == nil && state.Elsewhere(err) == nil:
		p.Log.Warn("archive not read", "env", env.Name, "region", env.Region, "location", a.Location, "err", err)
		retry, _ := p.retriedAt(ctx, env)
		p.Cache.noteFailed(key, "", plan.Result{Error: err.Error()}, retry, p.Now())
	}
	return found, err
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
