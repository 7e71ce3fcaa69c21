package plan

import (
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// RolloutStatus is how the rollouts of one Region stand when a round is over, which
// is what people are told of them.
type RolloutStatus struct {
	Last *rollout.Rollout // under way, or the last there was; nil = there never was one
	// Changed is what Last, and those it took over from, did, by function;
	// empty also where nobody asked what one that ended long ago did.
	Changed []rollout.Changed
	// LeftAlone names functions that Last did not return when it went back,
	// since somebody else had changed them, and that still have a version in
	// quarantine; sorted.
	LeftAlone   []string
	Quarantines []ruling.Quarantine // those that hold here
	// Semvers are those of what is live; see Semver.
	Semvers map[state.LayerVersionARN]string
	// Functions counts the functions of the account whose $LATEST has each version of
	// the environment's layers, as the round left them; those that none has are not in it.
	Functions map[state.LayerVersionARN]int
}

// Semver returns the semantic version of a number of a layer; empty = unknown.
func (s *RolloutStatus) Semver(layer state.LayerARN, n int64) string {
	if s == nil || n == 0 {
		return ""
	}
	return s.Semvers[layer.Version(n)]
}
