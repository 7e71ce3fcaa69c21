// Command layerd keeps AWS Lambda layers as a Git repository wants them.
//
//	layerd validate .                                   is the desired state right
//	layerd plan     --repo . --env dev                  what would be done; changes nothing
//	layerd apply    --repo https://github.com/acme/layers.git
//	layerd run                                          the daemon
//	layerd approve  prod 3f2a9c41                       release a plan that waits
//	layerd window   prod --repo .                       may a change start now, and when next
//	layerd history  --env prod                          what was done
//
// This package is flags in and exit code out: one file a command (cmd_*.go), and
// nothing that decides: package round does what is asked, and package present
// writes what is shown. Results go to standard output, everything else to standard
// error.
//
// What it promises: the exit codes of exit.go; output that is plain text
// unless it goes to a terminal; no truncated names; nothing printed twice.
package main
