package ruling

import (
	"time"

	"github.com/layerd/layerd/internal/state"
)

// Quarantine is the word that a version must not come (back) to functions.
type Quarantine struct {
	Environment, Region  string
	Layer                state.LayerARN
	Name                 string
	Number               int64
	Semver               string
	Functions            string
	Back                 int64
	Hand                 bool
	By, Reason           string
	At                   time.Time
	Rollout              string
	Ended                time.Time
	EndedBy, EndedReason string
}
