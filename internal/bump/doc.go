// Package bump names the next version of a layer, from the commits since the last one.
//
//	d := bump.Next(bump.Input{Released: released, Commits: commits, Taken: taken})
//	if d.Version != nil {
//		file, err := bump.Replace(data, place, d.Version.String())
//	}
//
// Commits are read as Conventional Commits 1.0.0 has them (commit.go): a breaking
// change makes a major version, feat a minor one, and everything else, whatever it is
// called, a patch. What was reverted before it was released decides nothing.
//
// There is no rule of its own for 0.x: a breaking change of 0.9.0 makes 1.0.0. One rule
// for all versions is what people remember, and it is the one by which two versions of
// one major number are compatible. Without any version before, the first is 1.0.0.
//
// Promised, and checked over generated histories: the version is higher than the last
// one and than each that is taken, it is never a prerelease, the order in which the
// versions come in does not matter, and without a change there is none.
//
// Replace (replace.go) writes a version into a file of a desired-state repository by
// replacing the bytes of the value and no others.
//
// The package is pure: it reads no clock, no file and no repository.
package bump
