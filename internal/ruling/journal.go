package ruling

import (
	"context"
	"time"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// Journal is where it is kept, for good, who decided what; history.Log is one.
type Journal interface {
	// RecordDecision returns after the decision is durable, and before it takes
	// effect.
	RecordDecision(ctx context.Context, d Decision) error
}

// What a decision is about.
const (
	DecidedApproval   = "approval"
	DecidedForget     = "forget"
	DecidedQuarantine = "quarantine" // also a rollback by hand
	DecidedRetry      = "retry"      // a quarantine was lifted
)

// Decision is what a journal keeps of a ruling.
type Decision struct {
	Kind        string
	Environment string
	Digest      string // of an approval
	By, Reason  string
	At          time.Time
	Steps       int         // that an approval releases; 0 = nobody had offered the plan
	Quarantine  *Quarantine // what was quarantined, or lifted; nil = another kind
}

// Registry records the rulings of one desired-state repository.
//
// The journal is written first. Whoever is killed in between leaves a line with
// the name of who approved, and no approval: nothing happens, and the person approves
// again. The other way round an approval could release a plan while the journal
// does not know that it was ever given.
type Registry struct {
	store      store.Store
	repository string
	journal    Journal
}

// Open returns the registry of a repository whose rulings s keeps. It reads and
// writes nothing.
func Open(s store.Store, repository string, j Journal) *Registry {
	return &Registry{store: s, repository: repository, journal: j}
}

// longestText bounds what a person wrote; a ruling must always fit.
const longestText = 4 << 10

func truncate(text string) string { return words.Truncate(text, longestText) }
