package round

import (
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
)

// Result is what one round found and did.
type Result struct {
	Past       string // where the past came from: none or store
	Revision   string // the commit that was read; see gitrepo.Commit
	Repository string // the repository's identity
	Plans      []plan.Plan
	// Problems are those of the repository, warnings included, and keys of
	// the chosen environments that this release does not act on yet.
	Problems []desired.Problem
	// Skipped names chosen environments that were not looked at because they
	// are invalid or use a key that is not supported yet.
	Skipped []string
	// Unfinished are records of earlier rounds that have no end: whoever made
	// them was killed in between.
	Unfinished []history.Entry
}

// Document lays the result out for other programs.
func (r Result) Document() plan.Document {
	return plan.NewDocument(r.Past, r.Revision, r.Plans, r.Problems)
}
