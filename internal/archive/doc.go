// Package archive makes the zip of a Lambda layer and looks inside of one: the same
// bytes on every machine, and what AWS accepts without a word and what then fails at
// the first import.
//
//	files, problems := archive.Collect("layers/common", layer)    // what is in the folder
//	packed, err := archive.Pack(out, files)                       // size and SHA-256
//	contents, err := archive.Open(r, size)                        // of any layer's zip
//	problems = contents.Check(layer)                              // ELF, glibc, folders, sizes
//
// # What is promised
//
//   - The same files make the same bytes: names are sorted, all have one time
//     and one of two modes, and the compression is klauspost/compress's deflate at
//     level 9, whose version is pinned. What Go's own library writes changes with
//     its release. A file's owner, group, time and umask are not in the archive.
//   - Nothing that is not below the folder gets into the archive, whatever links and
//     names it holds, and nothing is written outside the output.
//   - An archive of others is read with bounds: how many files, how long a name,
//     how large what is looked into. A bomb is a problem and fills no memory.
//   - What is wrong is a list of problems, each with a place, a stable code and a
//     suggestion, and never the first one alone.
//
// What holds of runtimes (their folders, their libc, their Python) is AWS.md sections
// 2.3, 2.10 and 2.11. What pip, uv, npm and strip do is in archive/toolchain.
package archive
