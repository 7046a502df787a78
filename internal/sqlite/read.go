package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/queue"
	"github.com/rapport-cx/rapport/journal"
)

// readerCount bounds how many connections read at once; two cores gain nothing
// from more, and each keeps a page cache of its own.
const readerCount = 4

// readers are connections that only read, opened when first needed.
type readers struct {
	path   string
	free   chan *reader // nil: may still be opened
	closed chan struct{}
}

type reader struct {
	c            *conn
	row          *stmt
	decision     *stmt
	byCheckpoint *stmt
	aged         *stmt
	log          *stmt
}

func newReaders(path string) *readers {
	r := &readers{path: path, free: make(chan *reader, readerCount), closed: make(chan struct{})}
	for range readerCount {
		r.free <- nil
	}
	return r
}

// with lends a reader to f.
func (p *readers) with(ctx context.Context, f func(r *reader) error) (err error) {
	var r *reader
	select {
	case r = <-p.free:
	case <-p.closed:
		return queue.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { p.free <- r }()
	if r == nil {
		if r, err = openReader(p.path); err != nil {
			return err
		}
	}
	return f(r)
}

func openReader(path string) (*reader, error) {
	c, err := dial(path)
	if err != nil {
		return nil, err
	}
	r := &reader{c: c}
	for _, p := range []struct {
		to  **stmt
		sql string
	}{
		{&r.row, "SELECT body FROM log WHERE seq = ?"},
		{&r.decision, "SELECT " + decisionColumns + " FROM decision WHERE id = ?"},
		{&r.aged, "SELECT body FROM aged WHERE generation = ? AND first <= ? ORDER BY first DESC LIMIT 1"},
		{&r.log, "SELECT seq, body FROM log WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"},
		{&r.byCheckpoint, "SELECT position, body FROM checkpoint WHERE keys = ?"},
	} {
		if *p.to, err = c.prepare(p.sql); err != nil {
			c.close()
			return nil, err
		}
	}
	return r, nil
}

// close waits for the readers that are lent.
func (p *readers) close() {
	close(p.closed)
	for range readerCount {
		if r := <-p.free; r != nil {
			r.c.close()
		}
	}
}

// rowCache keeps the newest rows, and those read of late, in memory. A row never
// changes, but for an erasure.
type rowCache struct {
	mu    sync.Mutex
	limit int64
	bytes int64
	rows  map[int64][]byte
	order []int64 // oldest first, from start on
	start int
	drops int // how many erasures there were
}

func newRowCache(limit int64) *rowCache { return &rowCache{limit: limit, rows: map[int64][]byte{}} }

// find gives a row, and how many erasures there were, for put.
func (c *rowCache) find(seq int64) (body []byte, drops int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rows[seq], c.drops
}

// put keeps a row that was read after so many erasures. One that was read before
// the last erasure may hold what must be gone.
func (c *rowCache) put(seq int64, body []byte, drops int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.rows[seq]; known || drops != c.drops {
		return
	}
	c.rows[seq] = body
	c.order = append(c.order, seq)
	c.bytes += int64(len(body))
	for c.bytes > c.limit && c.start < len(c.order)-1 {
		old := c.order[c.start]
		c.start++
		c.bytes -= int64(len(c.rows[old]))
		delete(c.rows, old)
	}
	if c.start > 4096 && c.start > len(c.order)/2 {
		c.order = append(c.order[:0:0], c.order[c.start:]...)
		c.start = 0
	}
}

func (c *rowCache) drop(seqs []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	for _, seq := range seqs {
		if body, ok := c.rows[seq]; ok {
			c.bytes -= int64(len(body))
			delete(c.rows, seq)
		}
	}
}

// row gives a committed row, nil when there is none of this number.
func (s *Store) row(ctx context.Context, seq int64) ([]byte, error) {
	body, drops := s.rows.find(seq)
	if body != nil {
		return body, nil
	}
	err := s.readers.with(ctx, func(r *reader) error {
		return r.row.query(func(row []driver.Value) error { body = blob(row[0]); return nil }, seq)
	})
	if err != nil {
		return nil, fmt.Errorf("log row %d: %w", seq, err)
	}
	if body != nil {
		if _, err := openRow(seq, body, nil); err != nil {
			return nil, err
		}
		s.rows.put(seq, body, drops)
	}
	return body, nil
}

// frameAt gives the frame at a position, nil when there is none.
func (s *Store) frameAt(ctx context.Context, position uint64) (frame, error) {
	seq, index := splitPosition(position)
	if index < 0 {
		return nil, nil
	}
	body, err := s.row(ctx, seq)
	if body == nil || err != nil {
		return nil, err
	}
	// The checksum held when the row entered the cache.
	frames, err := definitions(body[rowHeader:], func(definition) error { return nil })
	for i := 0; err == nil && len(frames) > 0; i++ {
		var f frame
		if f, frames, err = next(frames); err == nil && i == index {
			return f, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("log row %d: %w", seq, err)
	}
	return nil, nil
}

// open makes the event of a frame, with memory of its own.
func (s *Store) open(f frame) event.Event {
	s.mu.RLock()
	e := f.peek(s.words, s.words.key(f.key()), s.words.key(f.beside()))
	s.mu.RUnlock()
	own(&e)
	return e
}

// head gives the newest end of a key's chain; position 0: no event.
func (s *Store) head(workspace string, k identity.Key) (number uint32, h head) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	number = s.words.number(workspace, k)
	if number == 0 || int(number) >= len(s.heads) {
		return 0, head{newest: never}
	}
	return number, s.heads[number]
}

// walk goes back along a key's chain, newest position first, until each says stop.
func (s *Store) walk(ctx context.Context, from uint64, each func(position uint64, f frame) (stop bool)) error {
	for position := from; position != 0; {
		f, err := s.frameAt(ctx, position)
		if err != nil {
			return err
		}
		if f == nil {
			return fmt.Errorf("position %d stands in a chain and not in the log: %w", position, errDamaged)
		}
		if each(position, f) {
			return nil
		}
		if f.previous() >= position {
			return fmt.Errorf("the chain at position %d does not go back: %w", position, errDamaged)
		}
		position = f.previous()
	}
	return nil
}

// Event opens one event by its id; see engine.Store. An erased event is not found.
func (s *Store) Event(ctx context.Context, workspace string, id event.ID) (m journal.Moment, keys []identity.Key, ok bool, err error) {
	s.mu.RLock()
	position := s.ids.lookup(&id)
	newest := s.position
	s.mu.RUnlock()
	if position == 0 {
		if position, err = s.findAged(ctx, id); err != nil {
			return m, nil, false, fmt.Errorf("event %s: %w", id, err)
		}
	}
	if position == 0 || position > newest {
		return m, nil, false, nil
	}
	f, err := s.frameAt(ctx, position)
	if err != nil {
		return m, nil, false, fmt.Errorf("event %s: %w", id, err)
	}
	if f == nil || f.id() != id {
		return m, nil, false, fmt.Errorf("event %s does not stand at position %d: %w", id, position, errDamaged)
	}
	if f.flags()&flagErased != 0 {
		return m, nil, false, nil
	}
	s.mu.RLock()
	t := s.words.tenants[f.workspace()]
	for _, n := range [2]uint32{f.key(), f.beside()} {
		if k := s.words.key(n); k != (identity.Key{}) {
			keys = append(keys, k)
		}
	}
	s.mu.RUnlock()
	if t.id != workspace {
		return m, nil, false, nil
	}
	return journal.Moment{Position: position, Event: s.open(f)}, keys, true, nil
}
