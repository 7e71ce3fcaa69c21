//go:build unix

package toolchain

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a tool into a process group of its own, all of which is killed with it:
// what a script has started would go on, and write into folders that are gone.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
