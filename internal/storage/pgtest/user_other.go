//go:build !unix

package pgtest

import "os/exec"

// ordinary changes nothing where PostgreSQL runs as whoever starts it.
func ordinary(string) (as func(*exec.Cmd), err error) { return func(*exec.Cmd) {}, nil }
