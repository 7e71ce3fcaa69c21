//go:build !unix

package toolchain

import "os/exec"

// ownGroup does nothing where there are no process groups: only the tool is killed.
func ownGroup(*exec.Cmd) {}
