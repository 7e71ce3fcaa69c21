package state

import "slices"

// Needs is what a decision still wants to know before it is whole. It is
// asked for only when something is about to change, so that a look at a world
// that needs nothing stays cheap (DESIGN section 7); but for Served, which is
// how a function behind an alias is looked at at all.
type Needs struct {
	Uses     bool              // the sweep of published versions
	Aliases  []string          // functions whose aliases to list, sorted; Provisioned is read for those with a Served
	Policies []LayerVersionARN // versions whose grants to read, sorted
	Probes   []LayerVersionARN // versions to try, sorted
	Served   []Qualified       // what they serve, by function; one GetFunction each
	Signing  bool              // which functions take signed layers only
	Tags     bool              // the tags of all functions
	// Numbers are versions of own layers that the list of versions lacks, and that the past
	// has a number of: the list may not have them yet.
	Numbers []LayerVersionARN
	// Artifacts are archives to look into, of which nothing is known.
	Artifacts []Artifact
}

// Without returns what of n is not in asked.
func (n Needs) Without(asked Needs) Needs {
	n.Uses, n.Signing, n.Tags = n.Uses && !asked.Uses, n.Signing && !asked.Signing, n.Tags && !asked.Tags
	n.Aliases = without(n.Aliases, asked.Aliases)
	n.Policies = without(n.Policies, asked.Policies)
	n.Probes = without(n.Probes, asked.Probes)
	n.Served = without(n.Served, asked.Served)
	n.Numbers = without(n.Numbers, asked.Numbers)
	n.Artifacts = without(n.Artifacts, asked.Artifacts)
	return n
}

// And returns what is in either.
func (n Needs) And(o Needs) Needs {
	n.Uses, n.Signing, n.Tags = n.Uses || o.Uses, n.Signing || o.Signing, n.Tags || o.Tags
	n.Aliases = slices.Concat(n.Aliases, o.Aliases)
	n.Policies = slices.Concat(n.Policies, o.Policies)
	n.Probes = slices.Concat(n.Probes, o.Probes)
	n.Served = slices.Concat(n.Served, o.Served)
	n.Numbers = slices.Concat(n.Numbers, o.Numbers)
	n.Artifacts = slices.Concat(n.Artifacts, o.Artifacts)
	return n
}

func without[T comparable](list, known []T) []T {
	if len(known) == 0 {
		return list
	}
	set := make(map[T]bool, len(known))
	for _, x := range known {
		set[x] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return set[x] })
}

// Empty reports whether nothing is wanted.
func (n Needs) Empty() bool {
	return !n.Uses && !n.Signing && !n.Tags && len(n.Aliases) == 0 && len(n.Policies) == 0 && len(n.Probes) == 0 && len(n.Served) == 0 &&
		len(n.Numbers) == 0 && len(n.Artifacts) == 0
}
