package state

// Needs is what a decision still wants to know before it is whole. It is
// asked for only when something is about to change, so that a look at a world
// that needs nothing stays cheap (DESIGN section 7).
type Needs struct {
	Uses     bool              // the sweep of published versions
	Aliases  []string          // functions whose aliases to list, sorted
	Policies []LayerVersionARN // versions whose grants to read, sorted
	Probes   []LayerVersionARN // versions of others to try, sorted
}

// Empty says that nothing is wanted.
func (n Needs) Empty() bool {
	return !n.Uses && len(n.Aliases) == 0 && len(n.Policies) == 0 && len(n.Probes) == 0
}
