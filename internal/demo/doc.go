// Package demo plays layerd's main job on a simulated AWS and a Git repository
// inside the process, as a story that a newcomer can follow and that fails
// when any step of it does not come true.
//
//	err := demo.Run(ctx, demo.Options{Out: os.Stdout, Width: 80})
//
// Everything in it but AWS is the real thing: the repository of
// examples/repo is served over HTTP and pulled with go-git, AWS is asked with
// the real SDK, plans are decided, approved, applied and recorded by the same
// code as everywhere. The clock is the story's own: it stands still and is
// moved from Tuesday to the change window on Saturday.
//
// NewWorld gives the simulated fleet alone, for experiments with other tools.
//
// Nothing leaves the machine: the Git server listens on loopback and stops
// with Run.
package demo
