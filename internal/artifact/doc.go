// Package artifact finds out what an archive is that Git names, and whether it may be
// published: an object in S3, or a zip or a folder in the repository.
//
//	r := artifact.New(artifact.Options{Objects: connect, Files: repo, Store: s, Repository: id})
//	found, err := r.Look(ctx, env, a)        // what it is; found.Code says why not
//	src, err := r.Open(ctx, env, a, found)   // for publishing it
//
// # What is promised
//
//   - Everything that is wrong with an archive is in the state.Content, with one of the
//     codes below, a sentence and a suggestion. An error means that nobody knows: S3 or
//     Git is out of reach, or has answered something that does not last.
//   - Of what lies in the repository one archive is in memory at a time, from when it is
//     read until it was sent: see Done of what Open returns.
//   - An object is read once, as a stream to a temporary file that is gone when it was
//     read, one object of an environment at a time, and never larger than a layer may be:
//     memory does not grow with it, and what its size forbids is not read at all. One that
//     stalls takes the time of no other environment.
//   - An object's version is pinned when it is first found to be good, for a layer's
//     version and a location: what is written under its key since is not what was looked
//     at, reviewed or approved. Where a version is gone from the bucket, or Git names
//     another SHA-256, the newest one counts.
//   - What is known of something that cannot change is not read again: a good object in
//     this process and, by the store, in each that comes after; a bad one in this
//     process. A pinned version costs one HEAD for each account, Region and role in a
//     process, which shows who may not read it; an object without a version costs one
//     HEAD for each look. Losing the store only means reading again.
//   - A folder becomes the same zip on every machine. It is packed as it lies there, but
//     for what no layer needs (archive.Clean); what asks for pip, npm, strip or a
//     command of its own is refused: nothing of a repository is run.
//
// # Codes
//
// They are problems of an environment that are found when its wish is resolved:
//
//	artifact_changed         other content than the SHA-256 in Git
//	artifact_denied          S3 does not let it be read
//	artifact_invalid         no zip, or one that is no good layer
//	artifact_missing         there is nothing of this name
//	artifact_needs_build     a folder that needs a tool
//	artifact_region          the bucket is in another Region
//	artifact_too_large       more than Lambda takes
//	artifact_wrong_folder    nothing in it is where the runtimes look
//	artifact_wrong_platform  compiled for another architecture, C library or Python
//
// Pure it is not: it reads, and writes a temporary file and what it remembers.
package artifact
