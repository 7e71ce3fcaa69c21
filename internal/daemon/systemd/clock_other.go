//go:build !unix

package systemd

import "errors"

// monotonic is asked only by a service manager, which is not there.
func monotonic() (int64, error) { return 0, errors.ErrUnsupported }
