package history

import (
	"context"
	"fmt"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// Standing is what the store knows of one environment in a Region, for saying what is
// applied and proven there without asking AWS.
type Standing struct {
	Past        plan.Past
	Rollout     *rollout.Rollout // under way, or the last there was; nil = there never was one
	Quarantines []ruling.Quarantine
	region      string
}

// Of returns what stands as to a layer.
func (s Standing) Of(layer state.LayerARN) plan.Standing {
	return s.Past.StandingOf(s.region, layer, s.Rollout, s.Quarantines)
}

// Standing reads what an environment stands for in a Region.
func (l *Log) Standing(ctx context.Context, environment, region string) (s Standing, err error) {
	s.region = region
	if s.Past, err = l.Past(ctx, environment, region); err != nil {
		return s, fmt.Errorf("read the past of %s in %s: %w", environment, region, err)
	}
	if s.Rollout, err = l.Rollout(ctx, environment, region); err != nil {
		return s, err
	}
	s.Quarantines, err = ruling.LoadQuarantines(ctx, l.store, l.repository, environment)
	return s, err
}
