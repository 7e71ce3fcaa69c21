//go:build !linux

package lease

import "testing"

func waitForZombie(*testing.T, int) {}
