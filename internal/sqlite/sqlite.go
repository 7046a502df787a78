// Package sqlite is the embedded memory of the house: one folder, one process, no
// server. It keeps the log (steps 1 to 3 stand on it), the ledger of decisions,
// workspaces and strategies, and satisfies engine's Store by its shape.
//
// One goroutine writes. It takes whatever waits, up to 4,096 events, removes what
// is known, appends the rest as one row of the log (or a few), commits with one
// fsync, tells the followers, and only then answers: nobody waits for a window to
// fill, and a group grows by itself when the disk is slow. No secondary index
// stands in the way of a commit; the person index is a chain inside the log
// (frame.go), the set of known ids is in memory (seen.go), and what restarts need
// is written behind in small slices (behind.go).
//
// What it promises, and its tests hold it to:
//
//	A. What was acknowledged is on stable storage, applied once, and seen by every
//	   later call, whenever the process is killed.
//	B. Everything but the log, the ledger, workspaces and strategies is derived
//	   and can be dropped: Rebuild makes it again, Verify compares.
//	C. When a commit fails, nothing more is acknowledged; reading goes on.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/internal/storage/hot"
	"github.com/rapport-cx/rapport/internal/storage/queue"
	"github.com/rapport-cx/rapport/journal"
)

var (
	// ErrLocked says that another process has the data folder open.
	ErrLocked = errors.New("the data folder is in use by another process")
	// ErrFailed says that an earlier commit failed, so that the store takes nothing
	// more until it is opened anew.
	ErrFailed = errors.New("the store takes no more writes after a failed commit; restart to recover")
)

// Shelf is the catalogue as the store keeps it supplied: every record that belongs
// to no person, from the first one on at each start, then each new one after its
// commit and before its acknowledgement. Follow is called by one goroutine and
// must not block; View is called by many.
type Shelf interface {
	Follow(c journal.Committed)
	// View is a workspace's shelf at a revision (a log position); 0 means now.
	View(workspace string, revision uint64) (candidate.View, error)
}

// Options of a store. Only Dir must be given.
type Options struct {
	// Dir is the data folder; it is made when it is missing.
	Dir string
	// Clock gives the time at which old ids are forgotten; nil: the machine's.
	Clock func() time.Time
	// Followers are kept up to date and saved with the store; what a journal.Watcher
	// among them finds is written down.
	Followers []journal.Follower
	// Shelf keeps the catalogue; nil: there is none, and Catalogue is an error.
	Shelf Shelf
	// ProfileBytes bounds the profiles kept in memory. Larger is better where more
	// people than fit are active at once: a person that is not in memory costs some
	// milliseconds. 0: 64 MB.
	ProfileBytes int64
	// RowBytes bounds the log rows kept in memory, newest first. 0: 16 MB.
	RowBytes int64
	// RetainIDs is how long the id of an event is kept in memory for deduplication,
	// 35 bytes each; at least that, in steps of ten days, and never less than thirty
	// days. Longer where senders retry after more than a month. Older events still
	// open by their refs, from the disk. 0: thirty days.
	RetainIDs time.Duration

	// testOnlyEvery makes the store write behind after so few events.
	testOnlyEvery int
}

const (
	defaultProfileBytes = 64 << 20
	defaultRowBytes     = 16 << 20
	leastRetainIDs      = 30 * 24 * time.Hour
)

// Store is an open data folder. It is safe for concurrent use.
type Store struct {
	options Options
	path    string
	clock   func() time.Time
	lock    *os.File

	queue  *queue.Queue
	failed atomic.Pointer[error]

	w *writer

	// mu guards what the writer changes and others read.
	mu       sync.RWMutex
	words    *words
	ids      *seen
	aged     []int64 // generations of ids that are on the disk alone
	heads    []head  // by key number
	position uint64  // of the newest committed event

	watchers []journal.Watcher  // of Options.Followers, told before a commit
	told     []journal.Follower // the others, told after it

	rows    *rowCache
	readers *readers
	people  *hot.Profiles
	stats   counters
}

// head is the newest end of a key's chain.
type head struct {
	last   uint64 // position; 0: no event
	newest int64  // newest event time, milliseconds; never when there is none
}

// Open opens the folder, makes what is missing, and reads what the last process
// left behind, the tail of its log included.
func Open(ctx context.Context, o Options) (*Store, error) { return open(ctx, o, false) }

// Rebuild drops everything derived and makes it again from the log. The folder
// must not be open.
func Rebuild(ctx context.Context, o Options) error {
	s, err := open(ctx, o, true)
	if err != nil {
		return err
	}
	return s.Close()
}

func open(ctx context.Context, o Options, rebuild bool) (_ *Store, err error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.ProfileBytes == 0 {
		o.ProfileBytes = defaultProfileBytes
	}
	if o.RowBytes == 0 {
		o.RowBytes = defaultRowBytes
	}
	o.RetainIDs = max(o.RetainIDs, leastRetainIDs)
	defer func() {
		if err != nil {
			err = fmt.Errorf("open data folder %s: %w", o.Dir, err)
		}
	}()
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Store{
		options: o, path: filepath.Join(dir, "rapport.db"), clock: o.Clock,
		queue: queue.New(),
		words: newWords(), ids: &seen{}, heads: make([]head, 1),
		rows: newRowCache(o.RowBytes),
	}
	s.people = hot.New(o.ProfileBytes)
	for _, f := range o.Followers {
		if watcher, ok := f.(journal.Watcher); ok {
			s.watchers = append(s.watchers, watcher)
		} else {
			s.told = append(s.told, f)
		}
	}
	if s.lock, err = lock(filepath.Join(dir, "rapport.lock")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unlock(s.lock)
		}
	}()
	c, err := dial(s.path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := migrate(c); err != nil {
		return nil, err
	}
	s.readers = newReaders(s.path)
	if s.w, err = newWriter(s, c); err != nil {
		return nil, err
	}
	if s.w.copier, err = newCopier(s.path); err != nil {
		s.readers.close()
		return nil, err
	}
	if err := s.load(ctx, rebuild); err != nil {
		s.w.copier.close()
		s.readers.close()
		return nil, err
	}
	go s.w.run()
	return s, nil
}

// Close answers what waits, writes what restarts need, and lets the folder go.
func (s *Store) Close() error {
	if !s.queue.Close() {
		return nil
	}
	s.readers.close()
	err := s.w.close()
	if e := unlock(s.lock); err == nil {
		err = e
	}
	return err
}

// Position is the log position of the newest committed event.
func (s *Store) Position() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.position
}
