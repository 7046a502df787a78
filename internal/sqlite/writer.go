package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/fired"
	"github.com/rapport-cx/rapport/internal/storage/queue"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
)

// Commit appends a batch; see engine.Store. It returns early with ctx's error only
// when nothing of the batch was, or will be, stored.
func (s *Store) Commit(ctx context.Context, b journal.Batch) (journal.Receipt, error) {
	return s.queue.Commit(ctx, b)
}

// do runs a job in the writer, in a transaction of its own. What the job returns
// is called after the commit, still in the writer.
func (s *Store) do(ctx context.Context, job func(w *writer) (after func(), err error)) error {
	return s.queue.Do(ctx, func() (func(), error) { return job(s.w) })
}

// writer is the one goroutine that changes anything. Its fields are its own.
type writer struct {
	s *Store
	c *conn

	begin, commit, rollback                            *stmt
	insertRow, insertRecord, insertDecision            *stmt
	insertPiece, deletePieces, deleteSaves, deleteMark *stmt
	insertAged, setMark, saveCheckpoint                *stmt
	saveFiring, undoFiring, actOnFiring                *stmt
	firingState, personFirings                         *stmt

	row    rowBuilder
	seq    int64 // of the row in work
	group  []*queue.Request
	out    []outRow // the rows of the group
	touch  []touched
	staged []int32 // by key number: index in touch + 1 while the group is in work
	// What followers are told after the commit, by the group's events.
	persons []uint32
	joins   []joinAt
	// What watchers were not told of yet, and who was joined, by the event among these.
	watched []journal.Committed
	parts   []joinAt

	behind behind

	copier   *copier
	uncopied int // bytes committed since the copier was told
}

// joinAt says that the group's event of this index joined two persons.
type joinAt struct {
	event int
	identity.Join
}

type outRow struct {
	seq  int64
	n    int
	body []byte
}

type touched struct {
	key  uint32
	head head
}

func newWriter(s *Store, c *conn) (*writer, error) {
	w := &writer{s: s, c: c}
	for _, p := range []struct {
		to  **stmt
		sql string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.insertRow, "INSERT INTO log (seq, n, body) VALUES (?, ?, ?)"},
		{&w.insertRecord, "INSERT OR REPLACE INTO record (position, workspace, kind, id, deleted, body) VALUES (?, ?, ?, ?, ?, ?)"},
		{&w.insertDecision, "INSERT INTO decision (id, workspace, person, at, strategy, arm, placement, asker, actions, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"},
		{&w.insertPiece, "INSERT OR REPLACE INTO piece (name, part, body) VALUES (?, ?, ?)"},
		{&w.deletePieces, "DELETE FROM piece WHERE name = ?"},
		{&w.deleteSaves, "DELETE FROM piece WHERE SUBSTR(name, 1, LENGTH(?1)) = ?1 AND name <> ?2"},
		{&w.deleteMark, "DELETE FROM mark WHERE name = ?"},
		{&w.insertAged, "INSERT OR REPLACE INTO aged (generation, first, body) VALUES (?, ?, ?)"},
		{&w.setMark, "INSERT OR REPLACE INTO mark (name, position) VALUES (?, ?)"},
		{&w.saveCheckpoint, "INSERT OR REPLACE INTO checkpoint (keys, position, events, body) VALUES (?, ?, ?, ?)"},
		{&w.saveFiring, "INSERT INTO firing (id, workspace, person, signal, state, at, found, due, cause, decision, reason, undone, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" + fired.Upsert},
		{&w.undoFiring, undoFirings},
		{&w.actOnFiring, "UPDATE firing SET state = ?, due = ?, decision = ?, reason = ? WHERE id = ?"},
		{&w.firingState, "SELECT state FROM firing WHERE id = ? AND workspace = ?"},
		{&w.personFirings, "SELECT id, signal FROM firing WHERE workspace = ? AND person = ? AND cause <= ? AND state IN ('open', 'past', 'handled')"},
	} {
		var err error
		if *p.to, err = c.prepare(p.sql); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// run is the writer's life. It ends when the queue is closed and empty.
func (w *writer) run() {
	defer w.s.queue.End()
	tick := time.NewTicker(restEvery)
	defer tick.Stop()
	for {
		var r *queue.Request
		var ok bool
		select {
		case <-tick.C:
			w.behind.rest(w)
		case x := <-w.behind.states:
			w.behind.arrived(w, x)
		default:
		}
		select {
		case r, ok = <-w.s.queue.Waiting():
		default:
			// Nobody waits: a good moment for what is written behind.
			if w.behind.busy() && w.failure() == nil {
				w.slice()
				continue
			}
			select {
			case r, ok = <-w.s.queue.Waiting():
			case <-tick.C:
				w.behind.rest(w)
				continue
			case x := <-w.behind.states:
				w.behind.arrived(w, x)
				continue
			}
		}
		if !ok {
			w.behind.finish(w)
			return
		}
		w.take(r)
	}
}

// take collects a group behind its first request and commits it.
func (w *writer) take(r *queue.Request) {
	var job *queue.Request
	w.group, job = w.s.queue.Group(w.group[:0], r)
	w.commitGroup()
	if job != nil {
		w.work(job)
	}
}

func (w *writer) failure() error {
	if p := w.s.failed.Load(); p != nil {
		return fmt.Errorf("%w: %w", ErrFailed, *p)
	}
	return nil
}

// fail closes the store to writes. Positions and numbers given to the lost group
// must not be given again, so nothing short of reading the log anew will do.
func (w *writer) fail(err error) error {
	w.rollback.exec()
	w.s.failed.CompareAndSwap(nil, &err)
	return w.failure()
}

func (w *writer) work(r *queue.Request) {
	if err := w.failure(); err != nil {
		r.Answer(err)
		return
	}
	if _, err := w.begin.exec(); err != nil {
		r.Answer(w.fail(err))
		return
	}
	after, err := r.Job()
	if err != nil {
		w.rollback.exec()
		r.Answer(err)
		return
	}
	if _, err := w.commit.exec(); err != nil {
		r.Answer(w.fail(err))
		return
	}
	if after != nil {
		after()
	}
	r.Answer(nil)
}

func (w *writer) commitGroup() {
	if len(w.group) == 0 {
		return
	}
	started := time.Now()
	err := w.failure()
	if err == nil {
		if err = w.store(); err != nil {
			err = w.fail(err)
		}
	}
	if err != nil {
		for _, r := range w.group {
			r.Answer(err)
		}
		return
	}
	w.publish()
	w.s.stats.group(len(w.group), w.touchedEvents(), time.Since(started))
	for _, r := range w.group {
		if d := r.Batch.Decision; d != nil {
			w.uncopied += len(d.Bytes) + decisionPages
		}
		r.Answer(nil)
	}
	clear(w.group)
	for _, o := range w.out {
		w.uncopied += len(o.body)
	}
	if w.copier.committed(w.uncopied) {
		w.uncopied = 0
	}
	select {
	case <-w.copier.finish:
		w.c.copyLog()
	default:
	}
}

// decisionPages are about the bytes of the index pages that one decision touches.
const decisionPages = 12 << 10

func (w *writer) touchedEvents() (n int) {
	for _, o := range w.out {
		n += o.n
	}
	return n
}

// store puts the group into one transaction and commits it.
func (w *writer) store() error {
	w.out, w.touch = w.out[:0], w.touch[:0]
	w.persons, w.joins = w.persons[:0], w.joins[:0]
	if _, err := w.begin.exec(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, r := range w.group {
		if err := w.storeRequest(r); err != nil {
			return err
		}
	}
	if err := w.cutRow(); err != nil {
		return err
	}
	if err := w.storeTurns(); err != nil {
		return err
	}
	if err := w.behind.ride(w); err != nil {
		return fmt.Errorf("write behind: %w", err)
	}
	if _, err := w.commit.exec(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

var errFull = errors.New("the log has used up its positions")

func (w *writer) storeRequest(r *queue.Request) error {
	b := &r.Batch
	if err := w.actable(b); err != nil {
		if errors.Is(err, journal.ErrActed) {
			r.Err = err
			return nil
		}
		return err
	}
	if len(b.Reserve) > 0 {
		if err := w.reserve(b); overdrawn(err) {
			r.Err = err
			return nil
		} else if err != nil {
			return fmt.Errorf("budgets of %s: %w", b.Decision.ID, err)
		}
	}
	if b.Decision != nil {
		known, err := w.storeDecision(b.Workspace, b.Decision)
		if err != nil {
			return fmt.Errorf("decision %s: %w", b.Decision.ID, err)
		}
		if known {
			r.Err = fmt.Errorf("decision %s: %w", b.Decision.ID, journal.ErrKnownDecision)
			return nil
		}
	}
	if err := w.settle(b); err != nil {
		return err
	}
	if err := w.act(b); err != nil {
		return err
	}
	if len(b.Events) > 0 {
		r.Receipt.Duplicates = make([]bool, len(b.Events))
		t := w.tenant(b.Workspace)
		for i := range b.Events {
			known, err := w.append(t, &b.Events[i])
			if err != nil {
				return err
			}
			r.Receipt.Duplicates[i] = known
		}
	}
	r.Receipt.Position = w.last()
	return nil
}

// last is the position of the newest event, committed or in work.
func (w *writer) last() uint64 {
	if w.row.n > 0 {
		return makePosition(w.seq, w.row.n-1)
	}
	if n := len(w.out); n > 0 {
		return makePosition(w.out[n-1].seq, w.out[n-1].n-1)
	}
	return w.s.position
}

// append adds an event to the row in work, unless its id is known.
//
// The indexes in memory take it in at once, under the lock, although it is not
// committed yet: should the commit fail, the store takes no more writes, and who
// reads early can make nothing durable that this group is not part of.
func (w *writer) append(t *tenant, e *event.Event) (known bool, err error) {
	if w.row.n > 0 && (w.row.n >= rowEvents || len(w.row.frames)+frameSize(e) > rowBytes) {
		if err := w.cutRow(); err != nil {
			return false, err
		}
	}
	position := makePosition(w.seq, w.row.n)
	if position > maxPosition {
		return false, errFull
	}
	entry := makeSlot(e.ID, position)
	l := link{workspace: t.number, newest: never}

	s := w.s
	s.mu.Lock()
	if s.ids.lookup(&e.ID) != 0 {
		s.mu.Unlock()
		return true, nil
	}
	s.ids.put(&entry, w.behind.generation)
	number, joined := t.graph.Observe(e)
	l.key = w.key(t, number)
	w.who(t, e, &l)
	l.name = w.name(e.Name)
	person := t.graph.PersonNumber(number)
	s.mu.Unlock()

	w.behind.remember(&entry)
	if l.key != 0 {
		h := w.stage(l.key)
		l.previous, l.newest = h.last, h.newest
		h.last, h.newest = position, max(h.newest, e.Time.UnixMilli())
	}
	for _, j := range joined {
		w.joins = append(w.joins, joinAt{len(w.persons), j})
	}
	w.persons = append(w.persons, person)
	if len(s.watchers) > 0 {
		w.watch(journal.Committed{Workspace: t.id, Position: position, Event: e, Person: person}, joined)
	}
	start := len(w.row.frames)
	w.row.frames = appendFrame(w.row.frames, e, l)
	w.row.n++
	if l.key == 0 && e.Kind == event.Record {
		return false, w.storeRecord(position, t.id, e.Name, e.Subject, e.Deleted, w.row.frames[start:])
	}
	return false, nil
}

// stage gives the head of a key as the group in work sees it.
func (w *writer) stage(key uint32) *head {
	for int(key) >= len(w.staged) {
		w.staged = append(w.staged, make([]int32, len(w.staged)/2+1024)...)
	}
	if i := w.staged[key]; i != 0 {
		return &w.touch[i-1].head
	}
	h := head{newest: never}
	if int(key) < len(w.s.heads) {
		h = w.s.heads[key]
	}
	w.touch = append(w.touch, touched{key, h})
	w.staged[key] = int32(len(w.touch))
	return &w.touch[len(w.touch)-1].head
}

func (w *writer) storeRecord(position uint64, workspace, kind, id string, deleted bool, f frame) error {
	gone := int64(0)
	if deleted {
		gone = 1
	}
	if _, err := w.insertRecord.exec(int64(position), workspace, kind, id, gone, []byte(f)); err != nil {
		return fmt.Errorf("record %s %s: %w", kind, id, err)
	}
	return nil
}

// cutRow inserts the row in work and begins the next.
func (w *writer) cutRow() error {
	if w.row.n == 0 {
		return nil
	}
	body := w.row.body()
	if _, err := w.insertRow.exec(w.seq, int64(w.row.n), body); err != nil {
		return fmt.Errorf("log row %d: %w", w.seq, err)
	}
	w.out = append(w.out, outRow{w.seq, w.row.n, body})
	w.seq++
	w.row.reset()
	return nil
}

func (w *writer) storeDecision(workspace string, e *ledger.Entry) (known bool, err error) {
	n, err := w.insertDecision.exec(e.ID, workspace, e.Person, e.At.UnixNano(), int64(e.Strategy), e.Arm, e.Placement, e.Asker,
		"\n"+strings.Join(e.Actions, "\n")+"\n", e.Bytes)
	return n == 0, err
}

// publish makes a committed group visible, first to readers, then to followers.
func (w *writer) publish() {
	s := w.s
	position := w.last()
	for _, o := range w.out {
		s.rows.put(o.seq, o.body, s.rows.drops) // the writer alone drops
	}
	s.mu.Lock()
	s.growHeads(len(s.words.keys))
	for _, t := range w.touch {
		s.heads[t.key] = t.head
		w.staged[t.key] = 0
		w.behind.dirty(t.key)
	}
	s.position = position
	s.mu.Unlock()
	if len(s.told) > 0 || s.options.Shelf != nil {
		w.tell()
	}
}

func (w *writer) close() error {
	err := w.copier.close()
	if e := w.c.close(); err == nil {
		err = e
	}
	return err
}
