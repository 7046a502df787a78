package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// tenant is a workspace as this node knows it: everything up to a position. Every
// node takes the same rows in the same order, hence has the same graph.
type tenant struct {
	id     string
	number int32
	graph  *identity.Graph

	position uint64 // under Store.mu, changed under Store.feed

	catching sync.Mutex // one question reads the tail, the others wait for it
}

// row is one row of the log.
type row struct {
	position uint64
	at       int64
	id       event.ID
	key      mark
	mine     bool // there is a key
	event    []byte
}

const rowColumns = "position, at, id, key, event"

// readRow takes a row of rowColumns, with memory of its own.
func readRow(rows pgx.Rows) (x row, err error) {
	var key *[16]byte
	if err := rows.Scan(&x.position, &x.at, (*[16]byte)(&x.id), &key, &x.event); err != nil {
		return x, err
	}
	if key != nil {
		x.key, x.mine = *key, true
	}
	return x, nil
}

func (x *row) erased() bool { return len(x.event) == 0 }

func (x *row) open() (event.Event, error) {
	e, err := openFrame(x.id, x.at, x.event)
	if err != nil {
		return e, fmt.Errorf("event %s: %w", x.id, err)
	}
	return e, nil
}

func (s *Store) tenant(id string) *tenant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tenants[id]
}

func (s *Store) at(t *tenant) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return t.position
}

// meet takes the workspaces that this node does not know yet onto its list, and gives
// those whose log has grown.
func (s *Store) meet(ctx context.Context) error {
	_, err := s.grown(ctx)
	return err
}

func (s *Store) grown(ctx context.Context) (behind []*tenant, err error) {
	rows, err := s.pool.Query(ctx, "SELECT id, number, position FROM tenant")
	if err != nil {
		return nil, fmt.Errorf("workspaces of the log: %w", err)
	}
	var id string
	var number int32
	var position uint64
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = pgx.ForEachRow(rows, []any{&id, &number, &position}, func() error {
		t := s.tenants[id]
		if t == nil {
			t = &tenant{id: id, number: number, graph: identity.NewGraph(id)}
			s.tenants[id] = t
		}
		if t.position < position {
			behind = append(behind, t)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("workspaces of the log: %w", err)
	}
	return behind, nil
}

// fresh brings this node to what is committed in a workspace now, by whichever node,
// and gives its tenant; nil when nothing was ever committed there.
func (s *Store) fresh(ctx context.Context, workspace string) (*tenant, error) {
	var position uint64
	err := s.pool.QueryRow(ctx, "SELECT position FROM tenant WHERE id = $1", workspace).Scan(&position)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t := s.tenant(workspace)
	if t == nil {
		if err := s.meet(ctx); err != nil {
			return nil, err
		}
		if t = s.tenant(workspace); t == nil {
			return nil, fmt.Errorf("workspace %s: %w", workspace, errDamaged)
		}
	}
	if s.at(t) >= position {
		return t, nil
	}
	return t, s.catchUp(ctx, t, position)
}

// A tail is read in pieces, so that a node far behind needs no memory for all of it.
const tailRows = 10_000

// catchUp reads the tail of a workspace's log, at least up to a position.
func (s *Store) catchUp(ctx context.Context, t *tenant, upTo uint64) error {
	t.catching.Lock()
	defer t.catching.Unlock()
	for from := s.at(t); from < upTo; from = s.at(t) {
		tail, err := s.tail(ctx, t, from)
		if err != nil {
			return fmt.Errorf("log of %s after %d: %w", t.id, from, err)
		}
		if len(tail) == 0 {
			return fmt.Errorf("log of %s ends at %d, wanted %d: %w", t.id, from, upTo, errDamaged)
		}
		if err := s.takeIn(t, tail); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) tail(ctx context.Context, t *tenant, after uint64) ([]row, error) {
	rows, err := s.pool.Query(ctx, "SELECT "+rowColumns+" FROM log WHERE workspace = $1 AND position > $2 ORDER BY position LIMIT $3", t.number, after, tailRows)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) { return readRow(rows) })
}

// takeOwn takes what this node's writer has committed into memory. Rows of other
// nodes may have to come first; then all are read. An error is not the committer's:
// what is committed is committed, and whoever asks next reads it.
func (s *Store) takeOwn(ctx context.Context, m *room) {
	if len(m.added) == 0 {
		return
	}
	t := s.tenant(m.id)
	if s.at(t) < m.base {
		_ = s.catchUp(ctx, t, m.last)
		return
	}
	_ = s.takeIn(t, m.added)
}

// takeIn takes rows of the log into memory, those that are not there yet, and tells
// the followers.
func (s *Store) takeIn(t *tenant, rows []row) error {
	s.feed.Lock()
	defer s.feed.Unlock()
	for i := range rows {
		x := &rows[i]
		switch position := s.at(t); {
		case x.position <= position:
			continue
		case x.position > position+1:
			return fmt.Errorf("log of %s: position %d follows %d: %w", t.id, x.position, position, errDamaged)
		}
		if err := s.absorb(t, x, nil); err != nil {
			return err
		}
	}
	s.sinceSave.Add(int64(len(rows)))
	return nil
}

// absorb takes one row in. While the node starts, heard says up to which position
// each follower knows the log already.
func (s *Store) absorb(t *tenant, x *row, heard []uint64) error {
	known := x.position <= t.position
	if x.erased() {
		s.reach(t, x.position)
		return nil
	}
	if x.event[0] == kindErasure {
		if !known {
			s.forget(t, x)
		}
		return nil
	}
	e, err := x.open()
	if err != nil {
		return err
	}
	s.mu.Lock()
	number, joined := t.graph.Observe(&e) // what is known already changes nothing
	c := journal.Committed{Workspace: t.id, Position: x.position, Event: &e, Person: t.graph.PersonNumber(number)}
	s.mu.Unlock()
	if s.options.Shelf != nil && !known && isShelf(x, &e) {
		s.options.Shelf.Follow(c)
	}
	for i, f := range s.options.Followers {
		if heard != nil && x.position <= heard[i] {
			continue
		}
		for _, j := range joined {
			journal.TellJoin(f, t.id, j)
		}
		f.Follow(c)
	}
	s.reach(t, x.position)
	return nil
}

// reach notes that everything up to a position is in memory, after the followers
// have it: who sees the position sees all of it.
func (s *Store) reach(t *tenant, position uint64) {
	s.mu.Lock()
	t.position = max(t.position, position)
	s.mu.Unlock()
}

func isShelf(x *row, e *event.Event) bool { return !x.mine && e.Kind == event.Record }

// load reads the newest snapshot and what was committed since.
func (s *Store) load(ctx context.Context) error {
	if err := s.meet(ctx); err != nil {
		return err
	}
	heard, err := s.recall(ctx)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	behind, err := s.grown(ctx)
	if err != nil {
		return err
	}
	for id, t := range s.tenants {
		if err := s.fillShelf(ctx, t); err != nil {
			return fmt.Errorf("shelf of %s: %w", id, err)
		}
		from := t.position
		marks := make([]uint64, len(s.options.Followers))
		for i := range marks {
			marks[i] = heard[i][id]
			from = min(from, marks[i])
		}
		// A follower that the snapshot does not know hears the log from the beginning.
		for at := t.position; from < at; {
			rows, err := s.tail(ctx, t, from)
			if err != nil {
				return fmt.Errorf("log of %s after %d: %w", id, from, err)
			}
			for i := range rows {
				if rows[i].position > at {
					break
				}
				if err := s.absorb(t, &rows[i], marks); err != nil {
					return err
				}
			}
			if len(rows) == 0 {
				return fmt.Errorf("log of %s ends at %d, wanted %d: %w", id, from, at, errDamaged)
			}
			from = rows[len(rows)-1].position
			s.sinceSave.Add(int64(len(rows)))
		}
	}
	for _, t := range behind {
		var position uint64
		if err := s.pool.QueryRow(ctx, "SELECT position FROM tenant WHERE number = $1", t.number).Scan(&position); err != nil {
			return err
		}
		if err := s.catchUp(ctx, t, position); err != nil {
			return err
		}
	}
	return nil
}

// fillShelf gives the shelf the records of the catalogue up to where the snapshot
// stands; what came later reaches it with the tail.
func (s *Store) fillShelf(ctx context.Context, t *tenant) error {
	if s.options.Shelf == nil || t.position == 0 {
		return nil
	}
	rows, err := s.pool.Query(ctx, "SELECT "+rowColumns+" FROM log WHERE workspace = $1 AND position <= $2 AND key IS NULL ORDER BY position", t.number, t.position)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		x, err := readRow(rows)
		if err != nil {
			return err
		}
		if x.erased() || x.event[0] == kindErasure {
			continue
		}
		e, err := x.open()
		if err != nil {
			return err
		}
		if isShelf(&x, &e) {
			s.options.Shelf.Follow(journal.Committed{Workspace: t.id, Position: x.position, Event: &e})
		}
	}
	return rows.Err()
}

// A snapshot is written whole, when a node closes and when so many events came since
// the last one that a start would take a second longer; where there are many keys, less
// often, for then it is large.
const (
	saveEvery   = 100_000
	saveEachKey = 4 // a key in a snapshot costs as much as reading a quarter of an event
	pieceBytes  = 1 << 20
)

// due is how many events a node lets pass between snapshots.
func (s *Store) due() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	keys := 0
	for _, t := range s.tenants {
		keys += t.graph.Len()
	}
	return saveEvery + uint64(keys)/saveEachKey
}

// marks is the piece of a snapshot that says what it holds.
type marks struct {
	Positions map[string]uint64 `json:"positions"`
	Followers []string          `json:"followers"`
}

func identityPiece(t *tenant) string   { return fmt.Sprint("identity/", t.number) }
func followerPiece(name string) string { return "follower/" + name }
func total(m map[string]uint64) (n uint64) {
	for _, p := range m {
		n += p
	}
	return n
}

// save writes a snapshot, unless there is one that lacks less than so many events.
func (s *Store) save(ctx context.Context, least uint64) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	if s.sinceSave.Load() == 0 {
		return nil
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := lockFor(ctx, tx, "snapshot"); err != nil {
			return err
		}
		stored, err := storedMarks(ctx, tx)
		if err != nil {
			return err
		}
		if total(stored.Positions)+least > s.taken() && len(stored.Followers) >= len(s.options.Followers) {
			s.sinceSave.Store(0)
			return nil
		}
		m, pieces, err := s.snapshot()
		if err != nil {
			return err
		}
		// Somebody erased since this was taken must not come back with it.
		rows, err := tx.Query(ctx, "SELECT id, erased FROM tenant FOR SHARE")
		if err != nil {
			return err
		}
		var id string
		var erased uint64
		stale := false
		if _, err := pgx.ForEachRow(rows, []any{&id, &erased}, func() error { stale = stale || erased > m.Positions[id]; return nil }); err != nil || stale {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM snapshot"); err != nil {
			return err
		}
		var b pgx.Batch
		for name, body := range pieces {
			for part := 0; part == 0 || len(body) > 0; part++ {
				n := min(len(body), pieceBytes)
				b.Queue("INSERT INTO snapshot (name, part, body) VALUES ($1, $2, $3)", name, part, body[:n])
				body = body[n:]
			}
		}
		// A watcher that is taken up from here does not find again what it has found.
		s.turning.Lock()
		turns := slices.Clone(s.gather())
		s.turning.Unlock()
		for i := range turns {
			s.queueTurn(&b, &turns[i])
		}
		return tx.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return fmt.Errorf("write the snapshot: %w", err)
	}
	return nil
}

// taken is how many events this node has taken in.
func (s *Store) taken() (n uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.tenants {
		n += t.position
	}
	return n
}

// snapshot takes everything as of one moment.
func (s *Store) snapshot() (m marks, pieces map[string][]byte, err error) {
	s.feed.Lock()
	defer s.feed.Unlock()
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.sinceSave.Store(0)
	m.Positions, pieces = map[string]uint64{}, map[string][]byte{}
	for id, t := range s.tenants {
		m.Positions[id] = t.position
		pieces[identityPiece(t)] = t.graph.Save()
	}
	for _, f := range s.options.Followers {
		state, err := f.Save()
		if err != nil {
			continue // the next start reads the log for it
		}
		m.Followers = append(m.Followers, f.Name())
		pieces[followerPiece(f.Name())] = state
	}
	pieces["marks"], err = json.Marshal(m)
	return m, pieces, err
}

func storedMarks(ctx context.Context, tx pgx.Tx) (m marks, err error) {
	body, err := readPiece(ctx, tx, "marks")
	if err != nil || body == nil {
		return m, err
	}
	return m, json.Unmarshal(body, &m)
}

func readPiece(ctx context.Context, tx pgx.Tx, name string) (body []byte, err error) {
	rows, err := tx.Query(ctx, "SELECT body FROM snapshot WHERE name = $1 ORDER BY part", name)
	if err != nil {
		return nil, err
	}
	var part []byte
	_, err = pgx.ForEachRow(rows, []any{&part}, func() error { body = append(body, part...); return nil })
	return body, err
}

// recall reads the snapshot. It tells for each follower up to where it knows which
// workspace's log.
func (s *Store) recall(ctx context.Context) (heard []map[string]uint64, err error) {
	heard = make([]map[string]uint64, len(s.options.Followers))
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		m, err := storedMarks(ctx, tx)
		if err != nil {
			return err
		}
		for id, position := range m.Positions {
			t := s.tenants[id]
			if t == nil { // made by another node just now
				if err := s.meet(ctx); err != nil {
					return err
				}
				if t = s.tenants[id]; t == nil {
					return fmt.Errorf("workspace %s: %w", id, errDamaged)
				}
			}
			body, err := readPiece(ctx, tx, identityPiece(t))
			if err != nil {
				return err
			}
			g := identity.NewGraph(id)
			if len(body) > 0 && g.Load(body) != nil {
				return nil // an older build's form: the log still has everything
			}
			t.graph, t.position = g, position
		}
		for i, f := range s.options.Followers {
			body, err := readPiece(ctx, tx, followerPiece(f.Name()))
			if err != nil {
				return err
			}
			if body != nil && f.Load(body) == nil {
				heard[i] = m.Positions
			}
		}
		return nil
	})
	return heard, err
}
