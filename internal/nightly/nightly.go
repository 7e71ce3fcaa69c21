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
//	go test              a developer's: long tests and long tables play a sample
//	CI=true go test      long tables whole, and what plays in real time, once for each change
//	LAYERD_NIGHTLY=1     everything, hours of it: make nightly
//
// LAYERD_CHAOS, LAYERD_WORLDS and LAYERD_SEED go beyond that for one test; they
// are told where they are read.
package nightly

import (
	"os"
	"os/exec"
	"runtime/debug"
	"testing"
	"time"
)

// Tests have more memory than cores: a collection at twice what is in use took a fifth of
// their time. Who sets GOGC means it.
func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

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

// SampleOrCI returns what of list a test plays: n of it, spread evenly from the first on,
// whenever a developer runs the tests; all of it once for each change.
func SampleOrCI[E any](list []E, n int) []E {
	if !testing.Short() && (On() || os.Getenv("CI") != "") {
		return list
	}
	return spread(list, n)
}

// OrCI skips a test that is worth its time once for each change, and not
// whenever a developer runs the tests.
func OrCI(t testing.TB, why string) {
	t.Helper()
	if testing.Short() || !On() && os.Getenv("CI") == "" {
		t.Skipf("CI=true runs it: %s", why)
	}
}

// NotShort skips a test in which the race detector sees nothing that others do not
// show it, and which therefore is left out of -short. why is what it does instead: it
// compares bytes, say, or it starts a program that is not instrumented.
func NotShort(t testing.TB, why string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("without -short it runs: %s", why)
	}
}

// Sample returns what of list a test plays: with -short n of it, spread evenly from
// the first on, which is enough for the race detector where they differ in their data
// alone; otherwise all.
func Sample[E any](list []E, n int) []E {
	if !testing.Short() {
		return list
	}
	return spread(list, n)
}

func spread[E any](list []E, n int) []E {
	if n >= len(list) {
		return list
	}
	picked := make([]E, n)
	for i := range picked {
		picked[i] = list[i*len(list)/n]
	}
	return picked
}

// Turn returns which of n parts is played on the day of now, where a whole matrix is
// too much even for a night: another one on each of n days.
func Turn(now time.Time, n int) int { return int(now.Unix()/int64(24*time.Hour/time.Second)) % n }

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
