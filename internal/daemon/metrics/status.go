package metrics

import "time"

// Status is how things are with a daemon. What is zero is not known, and not shown.
type Status struct {
	Ready bool
	Store bool // it works
	// GitReadAt is when the branch was last read, CommitAt of when its newest
	// commit is.
	GitReadAt, CommitAt time.Time
	Waiting             int // messages that a target has not taken
	Accounts            []Account
	// Environments are those whose account's lease this daemon has.
	Environments []Environment
	Problems     []Problem
	// Names are all environments in Git; nil = it was not read.
	Names []string
}

// Account is one AWS account, and whether this daemon has its lease.
type Account struct {
	ID    string
	Held  bool
	Epoch int64 // the fencing number of that lease
}

// Environment is one environment as its last round found it.
type Environment struct {
	Name        string
	LastSuccess time.Time // when a round last ended without a failure
	*Figures              // nil = no round was ended since this daemon has the lease
	Open        bool      // a change may start now
	// NextOpen is when that is so again, Turns when it changes either way.
	NextOpen, Turns time.Time
}

// Figures are what is counted in a plan once it was carried out.
type Figures struct {
	Held         map[string]int // steps that wait, by who holds them first
	PendingSince time.Time      // since when the oldest of them but for prunes waits; zero = none does
	Drift        map[string]int // by kind
	Blocked      int            // functions
	Approval     bool           // steps wait for an approval
	Layers       []Layer
	// Functions counts those whose $LATEST has a version of a layer; nil = not known.
	Functions map[LayerVersion]int
}

// LayerVersion is a version of a layer by its name in Git, and as people name it: the
// semantic version, or the number where that is not known.
type LayerVersion struct{ Layer, Version string }

// Layer is what an environment wants of one layer, and what it has.
type Layer struct {
	Name   string
	Status string // synced, out_of_sync
	// Desired is as Git writes it, Live what functions have that are to change,
	// "mixed" where that differs.
	Desired, Live string
}

// Problem is how often something with a code is wrong; no environment means that it
// is of none.
type Problem struct {
	Environment, Code, Severity string
	Count                       int
}
