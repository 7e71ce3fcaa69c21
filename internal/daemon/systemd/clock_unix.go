//go:build unix

package systemd

import "golang.org/x/sys/unix"

// monotonic is the clock that the manager compares with, in microseconds. Go's
// own monotonic time has another zero.
func monotonic() (int64, error) {
	var now unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano() / 1000, err
}
