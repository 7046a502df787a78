package sqlite

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the folder for this process. The lock ends with the process, however
// it ends; the file stays and means nothing by itself.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped)); err != nil {
		f.Close()
		if err == windows.ERROR_LOCK_VIOLATION {
			return nil, ErrLocked
		}
		return nil, err
	}
	return f, nil
}

// unlock lets the folder go.
func unlock(f *os.File) error { return f.Close() }
