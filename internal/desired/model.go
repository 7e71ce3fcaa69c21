package desired

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// Tree is everything one commit of a desired-state repository asks for. It is
// sorted and never changed after Load returned it.
type Tree struct {
	// Store is layerd.yaml's store, the default of every command's --store;
	// empty when it has none.
	Store string
	// Environments has one element per valid environment and Region: by name,
	// then in the order the file lists its Regions.
	Environments []Environment
	// Names lists all environments the repository has a file for, valid or
	// not, sorted.
	Names []string
	// Problems has all errors and warnings of the whole tree, by file, line
	// and column.
	Problems []Problem
}

// Zone returns the zone that all chosen environments share, else UTC; no names choose
// all.
func (t Tree) Zone(names []string) *time.Location {
	zone := (*time.Location)(nil)
	for _, e := range t.Environments {
		if len(names) > 0 && !slices.Contains(names, e.Name) {
			continue
		}
		if zone != nil && zone.String() != e.Zone.String() {
			return time.UTC
		}
		zone = e.Zone
	}
	if zone == nil {
		return time.UTC
	}
	return zone
}

// Environment is what one environment wants in one Region, with all defaults
// applied and all variables expanded.
type Environment struct {
	Name       string
	Account    string // 12 digits
	Region     string
	Partition  string
	Role       string // ARN to assume; empty = the caller's own credentials
	ExternalID string
	Observe    bool // mode: observe
	// Zone is where times are shown in; never nil, UTC by default.
	Zone             *time.Location
	ApprovalRequired bool
	Calendar         window.Calendar
	Drift            DriftPolicy
	MaxNew           int  // functions that may get a layer for the first time without being asked
	MaxBlocked       *int // nil = no limit
	// NewFunctionsNow is new_functions: now. A function that gets a layer for the
	// first time, at the number applied here last, need not wait for a window.
	NewFunctionsNow bool
	// OwnerTag is the key of the functions' tag that names their owner; empty = none.
	// It selects nothing, so that a round need not read tags for it.
	OwnerTag string
	// Unmanaged has ARNs or globs of layers that may be attached and are none
	// of our business.
	Unmanaged []string
	Layers    []LayerWish // by name
	// Alias is what functions are served through: a change counts only once
	// the alias serves it. Empty = callers use $LATEST.
	Alias   string
	Rollout Rollout
	File    string // "environments/prod.yaml"
	// Unsupported names keys that are valid and that this release does not act on:
	// plan and apply refuse the environment while there are any.
	Unsupported []Problem
}

// DriftPolicy is what to do when somebody changed a function by hand.
type DriftPolicy struct {
	Report bool          // alert, do not heal
	After  time.Duration // act only on drift seen this long
}

// LayerWish is one layer of one environment in one Region.
type LayerWish struct {
	Name  string         // the key in the environment file
	Layer state.LayerARN // what it is called live
	// Owned is true when this environment owns the layer and may prune it; false
	// for wishes by arn, which have no owner.
	Owned     bool
	Version   Version
	Functions []Selector // any may match
	Except    []Selector // take away
	First     bool       // position: first; a new slot goes to the front
	Pins      []Pin
	Retention Retention
	// ShareWith are those whom every version that is kept is shared with, each once.
	ShareWith []Share
	// Shared reports that share_with is written: then ShareWith is whole, and what
	// layerd has granted to anybody else is taken back.
	Shared bool
	// AllowRuntime permits detaching from OS-only runtimes, whose layers may
	// hold the runtime itself.
	AllowRuntime  bool
	Runtimes      []string // compatible_runtimes; empty = not said
	Architectures []string // compatible_architectures; empty = not said
	Description   string   // layer.yaml's, for people
	// Title is the Description up to ${VERSION}: what that of a live version may have
	// before the version that it is.
	Title string
	// Known maps semantic versions to live numbers in this environment and
	// Region where the live Description does not name the version. Keys are
	// canonical ("1.4.2").
	Known map[string]int64
	// Yanked maps canonical semantic versions that are never attached again to
	// the reason.
	Yanked map[string]string
	// Deprecated maps canonical semantic versions that people should leave to what
	// to do instead.
	Deprecated map[string]string
	// Source is what versions that AWS lacks are published from; nil = layer.yaml names
	// no artifact.
	Source *Source
	// Parameters is true when what is applied and proven is written to SSM parameters,
	// with the tags that Tags returns.
	Parameters bool
	Metadata   map[string]string // layer.yaml's, as far as it can be tags; ${VERSION} is not filled in yet
	At         Position          // where the version stands, for problems found at plan time
}

// Pin keeps some functions at a version other than the layer's.
type Pin struct {
	Functions []Selector
	Version   Version   // exact or number
	Until     time.Time // the first instant after it; zero = no end
	Reason    string
	Owner     string
	At        Position
}

// Retention is the merged rule for pruning one layer. The zero value prunes
// nothing.
type Retention struct {
	Keep             int           // versions_to_keep, at least 2; 0 = prune nothing
	OlderThan        time.Duration // 0 = age does not matter
	Grace            time.Duration // how long a version must be a candidate
	FunctionVersions int           // layerd's own unserved function versions that still protect
}
