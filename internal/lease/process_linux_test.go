package lease

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// waitForZombie returns once the process has ended, and leaves it to be waited for.
func waitForZombie(t *testing.T, pid int) {
	t.Helper()
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}
