package plan

import "github.com/layerd/layerd/internal/desired"

// Report is what one round found and did, environment by environment: all that a
// person, a pull request or a page is shown of it.
type Report struct {
	Past       string // where the past came from: none or store
	Revision   string // the commit that was read; see gitrepo.Commit
	Repository string // the repository's identity
	Plans      []Plan
	// Problems are those of the repository, warnings included, and keys of
	// the chosen environments that this release does not act on yet.
	Problems []desired.Problem
	// Skipped names chosen environments that were not looked at because they
	// are invalid or use a key that is not supported yet.
	Skipped []string
	// Interrupted is how many records of earlier rounds have no end: whoever made
	// them was killed in between.
	Interrupted int
}

// Document returns the report for other programs.
func (r Report) Document() Document {
	return NewDocument(r.Past, r.Revision, r.Plans, r.Problems)
}

// Steps returns the steps of all environments, in the order of the plans.
func (r Report) Steps() []Step {
	var all []Step
	for _, p := range r.Plans {
		for _, region := range p.Regions {
			all = append(all, region.Steps...)
		}
	}
	return all
}
