package plan

import (
	"time"

	"github.com/layerd/layerd/internal/state"
)

// What the examples of this package are made of.
var (
	noon   = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	common = state.NewLayerARN("aws", "ap-northeast-1", "123456789012", "common")
	live   = state.Qualified{Function: "f", Qualifier: "live"}
)
