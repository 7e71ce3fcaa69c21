// Package demo plays layerd's main job on a simulated AWS and a Git repository
// inside the process.
//
//	err := demo.Run(ctx, demo.Options{Out: os.Stdout, Width: 80})
//	err := demo.Play(ctx, demo.PlayOptions{Options: …})
//
// Run plays a story that a newcomer can follow and that fails when any step of
// it does not come true. Its clock is the story's own: it stands still and is
// moved, from Tuesday, when a developer changes a file of the layer, to the change
// window on Saturday, and through the minutes for which a wave is watched. In return the simulated AWS takes ten times as
// many requests a second as the real one.
//
// Play keeps the daemon running, by the real clock, until its context ends. It
// prints where AWS, Git and the store are and commands to try, each of which
// works as it stands, and then what Slack would show.
//
// Everything in both but AWS is the real thing: the repository of
// examples/repo, in Play without the minutes for which waves are watched, is
// served over HTTP and pulled with go-git, AWS is asked with the real SDK, plans
// are decided, approved, applied and recorded by the same code as everywhere.
//
// makoto-common is built from examples/repo by the code of layerd build, put into the
// simulated S3, and published from there. The code of all functions is played as well:
// it imports makoto-common, of which 1.5.0 was zipped by hand without its package.
//
// NewWorld returns the simulated fleet alone, for experiments with other tools.
//
// Nothing leaves the machine: all servers listen on loopback, unless the caller
// hands Play another listener for the daemon's health, and stop with Run and
// Play. The store of Play is in a temporary folder, which goes with it.
package demo
