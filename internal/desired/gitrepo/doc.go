// Package gitrepo follows one branch of a Git repository: it answers which
// commit the branch is at, and hands out the files of that commit.
//
//	repo, err := gitrepo.New(gitrepo.Options{URL: "https://github.com/acme/layers.git"})
//	commit, changed, err := repo.Pull(ctx, lastHash)
//	switch {
//	case errors.Is(err, gitrepo.KindUnreachable): // try again later; what was read stays good
//	case err != nil:                              // a person has to look: err says at what
//	case changed:                                 // commit.Files is an fs.FS rooted at Options.Path
//	}
//
// The repository is reached over HTTPS (token), SSH (key and known_hosts),
// plain HTTP (no token but on loopback) or as a path on this machine. Dir reads
// a folder as it lies on disk instead. No git binary is needed anywhere, and
// nothing is written to disk.
//
// # How it works
//
// A look that finds nothing new costs 65 bytes over HTTP: protocol 2's ls-refs
// for one branch. A server that does not speak it sends all its refs.
// A new commit is fetched at depth 1 into memory from scratch: with go-git 5 a
// second shallow fetch into the same store downloads the whole tree again and
// keeps the old one, so there is nothing to gain from keeping it, and a force
// push needs no special care.
//
// Options.Read are the files that will be read. Where the server can filter, the
// commit comes with its trees and without a single file, and a second request
// brings those; where it cannot, all come and the others are dropped. Trees are
// walked only where one of those files may lie: what is elsewhere, be it large,
// broken or a submodule, never matters.
//
// The protocol is spoken here (talk, server, packets, unpacker), since go-git 5
// knows no protocol 2 and no filter and keeps multi_ack from servers that insist on
// it. Repositories on this machine are read with go-git's object store, but their
// configuration and their refs by what is needed of them only.
//
// # What is promised
//
//   - Every call returns within Options.Timeout, also when the remote accepts
//     the connection and then says nothing.
//   - At most Options.MaxBytes are received, and at most that much is unpacked:
//     the limit holds before memory is spent, not after.
//   - Credentials go to the host they are meant for and nowhere else: not to
//     the target of a redirect, not over plain HTTP to another machine, and not
//     into any error.
//   - Symbolic links are listed and never followed; see package treefs.
//   - A Commit is immutable and safe for concurrent use. (Of one made by Dir
//     that holds for what is on disk, not for what may be written there.)
//
// # What is not
//
// A submodule, and a file that Git LFS keeps elsewhere, is listed but cannot be
// read. Repositories with SHA-256 names or reftable are refused, and so are packs
// with an index of version 1. ~/.ssh/config is not read: a daemon should not depend on it.
package gitrepo
