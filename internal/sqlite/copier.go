package sqlite

import (
	"database/sql/driver"
	"sync"
)

// copier moves committed pages from the write-ahead log into the database beside
// the writer, on a connection of its own, so that a commit need not wait for it.
//
// SQLite starts the write-ahead log anew only when all of it has been copied, and
// under steady writing there is always a little more. So once the log is long the
// copier asks the writer, which copies that little itself between two groups,
// after it has answered.
type copier struct {
	c      *conn
	wake   chan struct{}
	finish chan struct{} // to the writer
	ended  sync.WaitGroup
}

const (
	copyBytes    = 512 << 10 // committed since the last copy: then it is time
	longLogPages = 1000      // SQLite's own measure of a log that should start anew
)

func newCopier(path string) (*copier, error) {
	c, err := dial(path)
	if err != nil {
		return nil, err
	}
	k := &copier{c: c, wake: make(chan struct{}, 1), finish: make(chan struct{}, 1)}
	k.ended.Go(k.run)
	return k, nil
}

// committed tells that so many bytes were committed since the last call that
// returned true; it never blocks.
func (k *copier) committed(bytes int) bool {
	if bytes < copyBytes {
		return false
	}
	select {
	case k.wake <- struct{}{}:
	default: // it is at work, and will be told again
	}
	return true
}

func (k *copier) run() {
	for range k.wake {
		if pages := k.c.copyLog(); pages >= longLogPages {
			select {
			case k.finish <- struct{}{}:
			default:
			}
		}
	}
}

// copyLog copies what it can without waiting for anybody and tells how many pages
// the log holds. A fault is not one: the pages stay in the log, and the next copy
// or the next start takes them.
func (d *conn) copyLog() (pages int64) {
	_ = d.once("PRAGMA wal_checkpoint(PASSIVE)", func(row []driver.Value) error {
		pages = integer(row[1])
		return nil
	})
	return pages
}

func (k *copier) close() error {
	close(k.wake)
	k.ended.Wait()
	return k.c.close()
}
