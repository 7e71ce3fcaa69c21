// Package treefs shows a folder of files as an fs.FS that never follows a
// symbolic link.
//
// There are two of them, and they look the same from outside, so that a
// desired-state repository means the same thing whether it came over the
// network or lies on disk:
//
//	tree, err := treefs.Build(files, when)  // what a Git commit holds; immutable
//	disk, err := treefs.OpenDisk(dir, max)  // a folder as it lies on disk right now
//
// What both promise:
//
//   - A symbolic link is listed with fs.ModeSymlink and can be opened, so that
//     a reader can report it, but reading it fails with ErrLink. A path that
//     leads through a link fails with ErrLink too. Nothing outside the folder
//     can be read through them, and nothing inside is read under two names.
//   - ReadDir is sorted by name, and both pass testing/fstest.TestFS.
//   - A .git entry is never shown: it is not part of what a commit holds.
//
// What they do not promise: Disk is not a snapshot. A file that changes between
// two reads is read as it is each time.
package treefs
