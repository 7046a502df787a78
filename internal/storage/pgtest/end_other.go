//go:build !linux

package pgtest

import "os/exec"

// endWithParent does nothing where a program cannot be told that its parent is gone.
func endWithParent(*exec.Cmd) {}
