package postgres

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/queue"
	"github.com/rapport-cx/rapport/journal"
)

// Commit appends a batch; see engine.Store. It returns early with ctx's error only
// when nothing of the batch was, or will be, stored.
func (s *Store) Commit(ctx context.Context, b journal.Batch) (journal.Receipt, error) {
	return s.queue.Commit(ctx, b)
}

// writer is the one goroutine of a node that appends to the log.
type writer struct {
	s     *Store
	group []*queue.Request
	ids   [][16]byte // of the group, in the order of its events
	known map[event.ID]bool
	copy  []byte // the group's rows as COPY reads them
	place map[string]*room

	committing bool // the transaction's commit is on its way: whether it arrived may be unknown
}

// room is a workspace while a group is written.
type room struct {
	id     string
	number int32
	base   uint64 // its position before the group
	last   uint64 // and after it
	added  []row
	record bool // a record is among them: other nodes are told at once
}

func newWriter(s *Store) *writer {
	return &writer{s: s, known: map[event.ID]bool{}, place: map[string]*room{}}
}

// run is the writer's life. It ends when the queue is closed and empty.
func (w *writer) run() {
	defer w.s.queue.End()
	for r := range w.s.queue.Waiting() {
		w.group, _ = w.s.queue.Group(w.group[:0], r) // nobody sends jobs
		w.commit()
	}
}

// commit stores the group and answers everybody in it. When the database refuses
// what it holds, or one of them may come too late to act on a firing or after its turn,
// the requests are tried one by one, so that one cannot fail the others.
func (w *writer) commit() {
	group := w.group
	if len(group) == 0 {
		return
	}
	alone := len(group) > 1 && slices.ContainsFunc(group, lonely)
	var err error
	if !alone {
		err = w.try(group)
		alone = len(group) > 1 && refused(err, "22", "23")
	}
	for _, r := range group {
		if alone {
			err = w.try([]*queue.Request{r})
		}
		r.Answer(err)
	}
	clear(group)
}

// lonely tells that a request is to be refused by a transaction of its own, should it be.
func lonely(r *queue.Request) bool { return len(r.Batch.Acts) > 0 || len(turnsOf(r.Context)) > 0 }

// tries is how often a group is begun that met another node's transaction, or a line
// that was cut before anything could have been committed.
const tries = 4

func (w *writer) try(group []*queue.Request) (err error) {
	for range tries {
		w.committing = false
		err = w.store(group)
		switch {
		case err == nil:
			return nil
		case err == group[0].Err: // refused for what it asks
			return err
		case refused(err, "40"): // a deadlock, or a serialization failure
		case !w.committing && (refused(err, "57", "08") || !refused(err, "")):
		default:
			return err
		}
	}
	return err
}

// refused tells that the database answered with an error of one of these classes; see
// appendix A of its manual.
func refused(err error, classes ...string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.ContainsFunc(classes, func(c string) bool { return strings.HasPrefix(e.Code, c) })
}

// store puts requests into one transaction, commits it, and takes what was committed
// into this node's memory.
func (w *writer) store(group []*queue.Request) error {
	ctx := context.Background()
	if err := w.rooms(ctx, group); err != nil {
		return err
	}
	c, err := w.s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	err = w.transact(ctx, c, group)
	if err != nil && !c.Conn().IsClosed() {
		if _, e := c.Exec(ctx, "rollback"); e != nil {
			c.Conn().Close(ctx)
		}
	}
	c.Release()
	if err != nil {
		return err
	}
	for _, m := range w.place {
		w.s.takeOwn(ctx, m)
	}
	// What is not written down now stays in memory for the next try; should this node
	// end before, another finds it again.
	_ = w.s.saveTurns(ctx)
	return nil
}

// rooms makes the workspaces of a group ready, new ones in the database, too.
func (w *writer) rooms(ctx context.Context, group []*queue.Request) error {
	clear(w.place)
	for _, r := range group {
		r.Err, r.Receipt = nil, journal.Receipt{}
		id := r.Batch.Workspace
		if w.place[id] == nil {
			w.place[id] = &room{id: id}
		}
		if len(r.Batch.Events) == 0 || w.s.tenant(id) != nil {
			continue
		}
		if _, err := w.s.pool.Exec(ctx, "INSERT INTO tenant (id) VALUES ($1) ON CONFLICT (id) DO NOTHING", id); err != nil {
			return err
		}
		if err := w.s.meet(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) transact(ctx context.Context, c *pgxpool.Conn, group []*queue.Request) error {
	var writes, asks []string
	var decided []*queue.Request
	money, acts := spends(group), lonely(group[0]) // alone in a group
	if money || acts {
		if _, err := c.Exec(ctx, "begin"); err != nil {
			return err
		}
	}
	for _, t := range turnsOf(group[0].Context) {
		if err := t.hold(ctx, c); err != nil {
			if errors.Is(err, ErrTurnLost) {
				group[0].Err = err
			}
			return err
		}
	}
	if acts {
		if err := act(ctx, c, group[0]); err != nil {
			return err
		}
	}
	if money {
		if err := w.budgets(ctx, c, group); err != nil {
			return err
		}
	}
	w.ids = w.ids[:0]
	for _, r := range group {
		for i := range r.Batch.Events {
			w.ids = append(w.ids, r.Batch.Events[i].ID)
		}
		list := &asks
		if len(r.Batch.Events) > 0 {
			list = &writes
		}
		if !slices.Contains(*list, r.Batch.Workspace) {
			*list = append(*list, r.Batch.Workspace)
		}
		if r.Batch.Decision != nil && r.Err == nil && len(r.Batch.Reserve)+len(r.Batch.Settle) == 0 { // else it is in the ledger
			decided = append(decided, r)
		}
	}
	// One order for all nodes: workspaces by name, then decisions by id.
	slices.SortStableFunc(decided, func(a, b *queue.Request) int { return cmp.Compare(a.Batch.Decision.ID, b.Batch.Decision.ID) })
	var b pgx.Batch
	switch {
	case money || acts:
	case len(writes) > 0:
		b.Queue("begin")
	default:
		w.committing = true // nothing follows: what is sent as one is one transaction
	}
	position := func(rows pgx.Rows) error {
		for rows.Next() {
			var id string
			var number int32
			var at uint64
			if err := rows.Scan(&id, &number, &at); err != nil {
				return err
			}
			m := w.place[id]
			m.number, m.base, m.last = number, at, at
		}
		return rows.Err()
	}
	if len(writes) > 0 {
		b.Queue("SELECT id, number, position FROM tenant WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", writes).Query(position)
	}
	clear(w.known)
	if len(w.ids) > 0 {
		b.Queue("SELECT id FROM log WHERE id = ANY($1)", w.ids).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				w.known[event.ID(rows.RawValues()[0])] = true
			}
			return rows.Err()
		})
	}
	for _, r := range decided {
		enterDecision(&b, r)
	}
	if asks = slices.DeleteFunc(asks, func(id string) bool { return slices.Contains(writes, id) }); len(asks) > 0 {
		b.Queue("SELECT id, number, position FROM tenant WHERE id = ANY($1)", asks).Query(position)
	}
	if err := c.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	if acts && group[0].Err != nil {
		return group[0].Err
	}
	w.append(group)
	if len(writes) == 0 && !money && !acts {
		return nil
	}
	if len(w.copy) > 0 {
		if _, err := c.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(w.copy), "COPY log (workspace, position, at, id, key, event) FROM STDIN BINARY"); err != nil {
			return err
		}
	}
	var end pgx.Batch
	for _, m := range w.place {
		if m.last == m.base {
			continue
		}
		end.Queue("UPDATE tenant SET position = $2 WHERE number = $1", m.number, m.last)
		if m.record {
			end.Queue("SELECT pg_notify($1, $2)", w.s.channel, noticeLog+m.id)
		}
	}
	end.Queue("commit")
	w.committing = true
	return c.SendBatch(ctx, &end).Close()
}

var (
	copyHeader = append([]byte("PGCOPY\n\xff\r\n\x00"), 0, 0, 0, 0, 0, 0, 0, 0)
	copyEnd    = []byte{0xff, 0xff}
)

// append makes the rows of the events that are new.
func (w *writer) append(group []*queue.Request) {
	w.copy = w.copy[:0]
	size := 0
	for _, r := range group {
		for i := range r.Batch.Events {
			e := &r.Batch.Events[i]
			size += 64 + len(e.Name) + len(e.Subject) + len(e.UserID) + len(e.AnonymousID) + len(e.Context) + len(e.Body)
		}
	}
	frames := make([]byte, 0, size) // what followers keep of events stays here
	for _, r := range group {
		m := w.place[r.Batch.Workspace]
		if r.Err == nil && len(r.Batch.Events) > 0 {
			r.Receipt.Duplicates = make([]bool, len(r.Batch.Events))
			for i := range r.Batch.Events {
				e := &r.Batch.Events[i]
				if w.known[e.ID] {
					r.Receipt.Duplicates[i] = true
					continue
				}
				w.known[e.ID] = true
				m.last++
				start := len(frames)
				frames = appendFrame(frames, e)
				x := row{position: m.last, at: e.Time.UnixMilli(), id: e.ID, event: frames[start:len(frames):len(frames)]}
				if k := keyOf(m.id, e); k != (identity.Key{}) {
					x.key, x.mine = markOf(m.id, k), true
				}
				m.record = m.record || e.Kind == event.Record
				m.added = append(m.added, x)
				w.copy = x.appendCopy(w.copy, m.number)
			}
		}
		r.Receipt.Position = m.last
	}
	if len(w.copy) > 0 {
		w.copy = append(w.copy, copyEnd...)
	}
}

// appendCopy writes the row in the binary form of COPY.
func (x *row) appendCopy(b []byte, workspace int32) []byte {
	if len(b) == 0 {
		b = append(b, copyHeader...)
	}
	be := binary.BigEndian
	b = append(b, 0, 6)
	b = be.AppendUint32(be.AppendUint32(b, 4), uint32(workspace))
	b = be.AppendUint64(be.AppendUint32(b, 8), x.position)
	b = be.AppendUint64(be.AppendUint32(b, 8), uint64(x.at))
	b = append(be.AppendUint32(b, 16), x.id[:]...)
	if x.mine {
		b = append(be.AppendUint32(b, 16), x.key[:]...)
	} else {
		b = be.AppendUint32(b, 0xffffffff)
	}
	return append(be.AppendUint32(b, uint32(len(x.event))), x.event...)
}

// enterDecision puts a request's decision into the ledger, or refuses the request when
// it is there.
func enterDecision(b *pgx.Batch, r *queue.Request) {
	e := r.Batch.Decision
	actions := e.Actions
	if actions == nil {
		actions = []string{}
	}
	b.Queue(`INSERT INTO decision (id, workspace, person, at, strategy, arm, placement, asker, actions, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`,
		e.ID, e.Workspace, e.Person, e.At.UnixNano(), e.Strategy, e.Arm, []byte(e.Placement), []byte(e.Asker), actions, e.Bytes).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() == 0 {
			r.Err = fmt.Errorf("decision %s: %w", e.ID, journal.ErrKnownDecision)
		}
		return nil
	})
}
