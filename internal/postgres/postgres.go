// Package postgres is the shared memory of the house, for several nodes on one
// PostgreSQL (15 or newer): the log (steps 1 to 3 stand on it), the ledger of
// decisions, workspaces and strategies. It satisfies engine's Store by its shape, as
// the embedded store does, and one conformance suite holds both.
//
// A node keeps nothing that it cannot read again. What it has in memory (identity
// graph, shelf, followers, hot profiles) it makes from the log, and before it answers
// from them it asks the database how far the log has come: one keyed read.
//
// On each node one goroutine writes. It takes whatever waits, up to 4,096 events, into
// one transaction: lock the workspace's row, see which ids are known, COPY the rest,
// commit. The lock is held from before the first look at the log until the commit, so
// a workspace's positions have no gaps and their order is the order of commits; "what
// came after p" never misses a row, which it would if positions came from a sequence.
//
// What it promises, and its tests hold it to:
//
//	A. What was acknowledged is on stable storage, applied once, and seen by every
//	   later call on every node.
//	B. Every node sees a workspace's events in the same order, hence the same persons
//	   under the same ids.
//	C. Everything but log, ledger, workspaces and strategies is derived and can be
//	   dropped.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/internal/storage/hot"
	"github.com/rapport-cx/rapport/internal/storage/queue"
	"github.com/rapport-cx/rapport/journal"
)

// Shelf is the catalogue as the store keeps it supplied: every record that belongs
// to no person, each once, in the order of the log. Follow is called by one goroutine
// at a time and must not block; View is called by many.
type Shelf interface {
	Follow(c journal.Committed)
	// View is a workspace's shelf at a revision (a log position); 0 means now.
	View(workspace string, revision uint64) (candidate.View, error)
}

// Options of a store. Only URL must be given.
type Options struct {
	// URL is the database's address, "postgres://user@host/database". Houses with
	// different search_path parameters share a database without seeing each other.
	URL string
	// Followers are kept up to date with what any node commits; what a journal.Watcher
	// among them finds is written down.
	Followers []journal.Follower
	// Shelf keeps the catalogue; nil: there is none, and Catalogue is an error.
	Shelf Shelf
	// ProfileBytes bounds the profiles kept in memory. 0: 64 MB.
	ProfileBytes int64
}

const (
	defaultProfileBytes = 64 << 20
	leastConnections    = 8

	// A node that hangs with a workspace's lock is let go after so long.
	lockTimeout = "30s"
	idleTimeout = "60s"
)

// Store is one node's open database. It is safe for concurrent use.
type Store struct {
	options Options
	pool    *pgxpool.Pool
	channel string // of notices

	queue *queue.Queue
	w     *writer

	stop    context.CancelFunc // ends what runs beside
	beside  sync.WaitGroup
	notices chan journal.Notice

	feed sync.Mutex // held while the log is taken into memory: the order of followers
	// mu guards tenants and what is in them against readers; it is changed under feed.
	mu      sync.RWMutex
	tenants map[string]*tenant

	sinceSave atomic.Int64 // events taken in since a snapshot was last seen or written
	saving    sync.Mutex
	erasing   sync.Mutex
	jobs      sync.Map // of the *sync.Mutex of each job's name: who waits on this node holds no connection

	people *hot.Profiles

	watchers []journal.Watcher // of Options.Followers
	turning  sync.Mutex        // guards turns: what watchers found and is not written down yet
	turns    []journal.Turn
}

// Open connects, brings the schema up to date, and reads what this node must know.
func Open(ctx context.Context, o Options) (*Store, error) { return openHouse(ctx, o, false) }

// Rebuild drops what is derived and kept in the database, and makes it again from the
// log. Other nodes may be at work meanwhile: they have theirs in memory.
func Rebuild(ctx context.Context, o Options) error {
	s, err := openHouse(ctx, o, true)
	if err != nil {
		return err
	}
	return s.Close()
}

func openHouse(ctx context.Context, o Options, rebuild bool) (_ *Store, err error) {
	if o.ProfileBytes == 0 {
		o.ProfileBytes = defaultProfileBytes
	}
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("address of the database: %w", err) // pgx leaves the password out
	}
	at := fmt.Sprintf("%s on %s", config.ConnConfig.Database, config.ConnConfig.Host)
	defer func() {
		if err != nil {
			err = fmt.Errorf("open database %s: %w", at, err)
		}
	}()
	config.MaxConns = max(config.MaxConns, leastConnections)
	config.AfterConnect = prepare
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &Store{
		options: o, pool: pool, queue: queue.New(),
		notices: make(chan journal.Notice, 64), tenants: map[string]*tenant{}, people: hot.New(o.ProfileBytes),
	}
	for _, f := range o.Followers {
		if watcher, ok := f.(journal.Watcher); ok {
			s.watchers = append(s.watchers, watcher)
		}
	}
	s.w = newWriter(s)
	defer func() {
		if err != nil {
			pool.Close()
		}
	}()
	var version int
	var schema *string
	if err := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int, current_schema()").Scan(&version, &schema); err != nil {
		return nil, err
	}
	if version < 150000 {
		return nil, fmt.Errorf("PostgreSQL 15 or newer is needed, this is %d", version/10000)
	}
	if schema == nil {
		return nil, errors.New("no schema of the search_path exists")
	}
	s.channel = "rapport " + *schema
	if err := migrate(ctx, pool); err != nil {
		return nil, err
	}
	if rebuild {
		if _, err := pool.Exec(ctx, "WITH gone AS (DELETE FROM snapshot) DELETE FROM checkpoint"); err != nil {
			return nil, fmt.Errorf("drop what is derived: %w", err)
		}
	}
	beside, stop := context.WithCancel(context.Background())
	s.stop = stop
	// Listening comes first: what changes while the log is read must not be missed.
	listening, err := s.listen(ctx)
	if err != nil {
		stop()
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		stop()
		listening.Close(context.Background())
		return nil, err
	}
	s.beside.Go(func() { s.hear(beside, listening) })
	s.beside.Go(func() { s.keepUp(beside) })
	go s.w.run()
	return s, nil
}

// prepare makes a new connection safe to wait on.
func prepare(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `SELECT set_config('lock_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $2, false),
		CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END`, lockTimeout, idleTimeout)
	return err
}

// Close answers what waits, saves what a next start would have to read again, and
// lets the database go.
func (s *Store) Close() error {
	if !s.queue.Close() {
		return nil
	}
	s.stop()
	s.beside.Wait()
	close(s.notices)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := s.save(ctx, 1)
	s.pool.Close()
	return err
}
