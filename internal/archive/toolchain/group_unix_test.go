//go:build unix

package toolchain_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/layerd/layerd/internal/archive/toolchain"
)

// onWrite calls itself with what is written to it.
type onWrite func(text string)

func (f onWrite) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

// TestStopEndsWhatToolsHaveStarted: whoever holds the pipe's other end keeps it open, so
// that its end tells that all of them have ended.
func TestStopEndsWhatToolsHaveStarted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PIPE", pipe)
	o := wants(t, "python3.12")
	o.Run = `exec 3>"$PIPE"; (sleep 8; echo "it goes on" >&3) & echo begun; sleep 300`
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Log = onWrite(func(text string) {
		if strings.Contains(text, "begun") {
			cancel()
		}
	})
	ended := make(chan error)
	go func() {
		_, err := toolchain.Build(ctx, o)
		ended <- err
	}()
	f, err := os.Open(pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	said, err := io.ReadAll(f)
	if err != nil || len(said) > 0 {
		t.Errorf("%q, %v", said, err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
