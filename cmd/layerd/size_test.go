package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/layerd/layerd/internal/nightly"
)

// maxRelease is what the program of a release may have, stripped. Who needs more writes
// into the commit what was bought for it.
const maxRelease = 57 << 20 // bytes

// The flags are those of the Makefile's build and of the image.
func TestReleaseIsSmall(t *testing.T) {
	nightly.OrCI(t, "it compiles everything once more")
	out := filepath.Join(t.TempDir(), "layerd")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", info.Size())
	if info.Size() > maxRelease {
		t.Errorf("the program has %d bytes, more than %d", info.Size(), maxRelease)
	}
}
