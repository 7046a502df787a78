package pgtest

import (
	"os/exec"
	"syscall"
)

// endWithParent lets the server end by itself when the test binary is killed.
func endWithParent(c *exec.Cmd) {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Pdeathsig = syscall.SIGINT
}
