//go:build unix

package sqlite

import (
	"fmt"
	"os"
	"syscall"
)

// lock takes the folder for this process. The lock ends with the process, however
// it ends; the file stays and means nothing by itself.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner := make([]byte, 32)
		n, _ := f.ReadAt(owner, 0)
		f.Close()
		if err == syscall.EWOULDBLOCK {
			return nil, fmt.Errorf("%w (process %s)", ErrLocked, owner[:n])
		}
		return nil, err
	}
	f.Truncate(0)
	fmt.Fprintf(f, "%d", os.Getpid())
	return f, nil
}

// unlock lets the folder go. Closing alone would not while a process that was just
// forked, and has not begun its program yet, holds a copy of the file.
func unlock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
