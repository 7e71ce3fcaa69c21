// Package nightly is the one switch between a sample of the tests and all of
// them:
//
//	if !nightly.On() {
//		sets = sets[:10] // singles and pairs
//	}
//
// There are four sizes. What a smaller one leaves out, a larger one has:
//
//	go test -short       what the race detector can do with in minutes
//	go test              a developer's: long tests play a sample
//	CI=true go test      and what plays in real time, once for each change
//	LAYERD_NIGHTLY=1     everything, hours of it: make nightly
//
// LAYERD_CHAOS, LAYERD_WORLDS and LAYERD_SEED go beyond that for one test; they
// are told where they are read.
package nightly

import (
	"os"
	"os/exec"
	"testing"
)

// On reports whether tests are to play everything.
func On() bool { return os.Getenv("LAYERD_NIGHTLY") != "" }

// Only skips a test that is worth its time once a night. why is what takes the
// time.
func Only(t testing.TB, why string) {
	t.Helper()
	if testing.Short() || !On() {
		t.Skipf("LAYERD_NIGHTLY=1 runs it: %s", why)
	}
}

// OrCI skips a test that is worth its time once for each change, and not
// whenever a developer runs the tests.
func OrCI(t testing.TB, why string) {
	t.Helper()
	if testing.Short() || !On() && os.Getenv("CI") == "" {
		t.Skipf("CI=true runs it: %s", why)
	}
}

// Program returns the path of a program that a test wants for a second opinion.
// Where it is missing the test is skipped; at night, which has to prove all, it
// fails. install is how to get it.
func Program(t testing.TB, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case On():
		t.Fatalf("%s is not installed, and LAYERD_NIGHTLY=1 leaves nothing out: %s", name, install)
	}
	t.Skipf("%s is not installed: %s", name, install)
	return ""
}
