package state

// Needs is what a decision still wants to know before it is whole. It is
// asked for only when something is about to change, so that a look at a world
// that needs nothing stays cheap (DESIGN section 7); but for Served, which is
// how a function behind an alias is looked at at all.
type Needs struct {
	Uses     bool              // the sweep of published versions
	Aliases  []string          // functions whose aliases to list, sorted; Provisioned is told of those with a Served
	Policies []LayerVersionARN // versions whose grants to read, sorted
	Probes   []LayerVersionARN // versions to try, sorted
	Served   []Qualified       // what they serve, by function; one GetFunction each
	Signing  bool              // which functions take signed layers only
}

// Empty says that nothing is wanted.
func (n Needs) Empty() bool {
	return !n.Uses && !n.Signing && len(n.Aliases) == 0 && len(n.Policies) == 0 && len(n.Probes) == 0 && len(n.Served) == 0
}
