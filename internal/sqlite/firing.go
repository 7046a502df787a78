package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/fired"
	"github.com/rapport-cx/rapport/journal"
)

// Watchers are told of events before their commit, so that what they find is a row
// of it. Should the commit fail, the store takes no more writes, and the next start
// makes their state anew.

// watchedAtOnce is how many events watchers are told of at once.
const watchedAtOnce = 64

// watch keeps an event of the group for watchers, and tells them of some at a time.
func (w *writer) watch(c journal.Committed, joined []identity.Join) {
	w.watched = append(w.watched, c)
	for _, j := range joined {
		w.parts = append(w.parts, joinAt{len(w.watched) - 1, j})
	}
	if len(w.watched) >= watchedAtOnce {
		w.tellWatchers()
	}
}

func (w *writer) tellWatchers() {
	for _, f := range w.s.watchers {
		if x, ok := f.(journal.Expecter); ok {
			x.Expect(w.watched)
		}
		parts := w.parts
		for i, c := range w.watched {
			for ; len(parts) > 0 && parts[0].event == i; parts = parts[1:] {
				journal.TellJoin(f, c.Workspace, parts[0].Join)
			}
			f.Follow(c)
		}
	}
	clear(w.watched)
	w.watched, w.parts = w.watched[:0], w.parts[:0]
}

// storeTurns writes down what watchers have found.
func (w *writer) storeTurns() error {
	w.tellWatchers()
	for _, f := range w.s.watchers {
		for _, t := range f.Turned() {
			if err := w.storeTurn(&t); err != nil {
				return err
			}
		}
	}
	return nil
}

const undoFirings = `UPDATE firing SET state = CASE state WHEN 'handled' THEN 'superseded' ELSE 'withdrawn' END, cause = ?
	WHERE id = ? AND state IN ('open', 'past', 'handled')`

func (w *writer) storeTurn(t *journal.Turn) error {
	now := map[string]bool{}
	for i := range t.Fired {
		f := &t.Fired[i]
		now[f.ID] = true
		person := f.Person
		if known := w.s.words.byID[t.Workspace]; person == "" && f.Member != 0 && known != nil {
			person = identity.PersonOf(t.Workspace, known.graph.KeyAt(known.graph.PersonNumber(f.Member)))
		}
		var undone []byte
		if f.UndoneBy != nil {
			undone = f.UndoneBy[:]
		}
		body := fired.Body(f)
		if body == nil {
			body = []byte{}
		}
		_, err := w.saveFiring.exec(f.ID, t.Workspace, string(person), f.Signal, string(fired.Begins(f)), fired.Milliseconds(f.At), fired.Milliseconds(f.Found),
			fired.Milliseconds(f.Due), int64(t.Cause), "", f.Reason, undone, body)
		if err != nil {
			return fmt.Errorf("firing %s: %w", f.ID, err)
		}
	}
	for _, person := range t.Whole {
		var gone []string
		err := w.personFirings.query(func(row []driver.Value) error {
			if id := text(row[0]); !now[id] && slices.Contains(t.Signals, text(row[1])) {
				gone = append(gone, id)
			}
			return nil
		}, t.Workspace, string(person), int64(t.Cause))
		if err != nil {
			return fmt.Errorf("firings of %s: %w", person, err)
		}
		for _, id := range gone {
			if _, err := w.undoFiring.exec(int64(t.Cause), id); err != nil {
				return fmt.Errorf("firing %s: %w", id, err)
			}
		}
	}
	return nil
}

// actable is journal.ErrActed when a firing that a batch acts on is not open.
func (w *writer) actable(b *journal.Batch) error {
	for _, x := range b.Acts {
		open := false
		err := w.firingState.query(func(row []driver.Value) error {
			open = text(row[0]) == string(journal.FiringOpen)
			return nil
		}, x.ID, b.Workspace)
		if err != nil {
			return err
		}
		if !open {
			return fmt.Errorf("firing %s: %w", x.ID, journal.ErrActed)
		}
	}
	return nil
}

func (w *writer) act(b *journal.Batch) error {
	for _, x := range b.Acts {
		if _, err := w.actOnFiring.exec(string(x.State), fired.Milliseconds(x.Due), x.Decision, x.Reason, x.ID); err != nil {
			return fmt.Errorf("firing %s: %w", x.ID, err)
		}
	}
	return nil
}

// Firings lists what signals have fired; see engine.Store.
func (s *Store) Firings(ctx context.Context, q journal.FiringQuery) (all []journal.Firing, err error) {
	var where []string
	var args []driver.Value
	add := func(condition string, values ...driver.Value) {
		where = append(where, condition)
		args = append(args, values...)
	}
	one := func(column string, values []driver.Value) {
		if len(values) > 0 {
			add(column+" IN ("+strings.TrimSuffix(strings.Repeat("?,", len(values)), ",")+")", values...)
		}
	}
	if q.Workspace != "" {
		add("workspace = ?", q.Workspace)
	}
	var values []driver.Value
	for _, p := range q.Persons {
		values = append(values, string(p))
	}
	one("person", values)
	values = nil
	for _, x := range q.States {
		values = append(values, string(x))
	}
	one("state", values)
	if !q.DueBy.IsZero() {
		add("due <= ?", q.DueBy.UnixMilli())
	}
	if q.ID != "" {
		add("id = ?", q.ID)
	}
	if q.Limit <= 0 {
		q.Limit = fired.Limit
	}
	add("number > ?", int64(q.After))
	args = append(args, int64(q.Limit))
	sql := "SELECT number, id, workspace, person, signal, state, at, found, due, cause, decision, reason, undone, body FROM firing WHERE " +
		strings.Join(where, " AND ") + " ORDER BY number LIMIT ?"
	err = s.readers.with(ctx, func(r *reader) error {
		return r.c.once(sql, func(row []driver.Value) error {
			f := journal.Firing{
				Number: uint64(integer(row[0])), ID: text(row[1]), Workspace: text(row[2]), Person: identity.PersonID(text(row[3])), Signal: text(row[4]),
				State: journal.FiringState(text(row[5])), At: fired.Time(integer(row[6])), Found: fired.Time(integer(row[7])), Due: fired.Time(integer(row[8])),
				Cause: uint64(integer(row[9])), Decision: text(row[10]), Reason: text(row[11]),
			}
			if undone := blob(row[12]); len(undone) == len(event.ID{}) {
				f.UndoneBy = (*event.ID)(slices.Clone(undone))
			}
			err := fired.Read(&f, blob(row[13]))
			all = append(all, f)
			return err
		}, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("firings of %s: %w", q.Workspace, err)
	}
	return all, nil
}

// logRows is how many rows of the log are read at once for Log: between two reads the
// connection is free for others.
const logRows = 16

// Log tells what was committed after a position; see engine.Store.
func (s *Store) Log(ctx context.Context, workspace string, after uint64, each func(c journal.Committed) error) (uint64, error) {
	s.mu.RLock()
	upTo := s.position
	t := s.words.byID[workspace]
	s.mu.RUnlock()
	if t == nil || upTo <= after {
		return max(after, upTo), nil
	}
	seq, _ := splitPosition(after)
	last, _ := splitPosition(upTo)
	told := after
	for next := seq; next <= last; {
		type numbered struct {
			seq  int64
			body []byte
		}
		var rows []numbered
		err := s.readers.with(ctx, func(r *reader) error {
			return r.log.query(func(row []driver.Value) error {
				rows = append(rows, numbered{integer(row[0]), blob(row[1])})
				return nil
			}, next, last, int64(logRows))
		})
		if err != nil {
			return told, fmt.Errorf("log after %d: %w", told, err)
		}
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			if err := s.logRow(t, row.seq, row.body, after, upTo, each); err != nil {
				return told, err
			}
			told, next = makePosition(row.seq, rowEvents), row.seq+1
		}
	}
	return upTo, nil
}

func (s *Store) logRow(t *tenant, seq int64, body []byte, after, upTo uint64, each func(c journal.Committed) error) error {
	frames, err := openRow(seq, body, nil)
	for i := 0; err == nil && len(frames) > 0; i++ {
		var f frame
		if f, frames, err = next(frames); err != nil {
			break
		}
		position := makePosition(seq, i)
		if f.workspace() != t.number || f.flags()&flagErased != 0 || position <= after || position > upTo {
			continue
		}
		s.mu.RLock()
		e := f.peek(s.words, s.words.key(f.key()), s.words.key(f.beside()))
		c := journal.Committed{Workspace: t.id, Position: position, Event: &e}
		if key := f.key(); key != 0 {
			c.Person = t.graph.PersonNumber(s.words.keys[key].number)
		}
		s.mu.RUnlock()
		if err := each(c); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("log row %d: %w", seq, err)
	}
	return nil
}

// Member is the person that a number stands for; see engine.Store.
func (s *Store) Member(_ context.Context, workspace string, number uint32) (identity.Person, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.words.byID[workspace]
	if t == nil || number == 0 || int(number) > t.graph.Len() || t.graph.KeyAt(number).Zero() {
		return identity.Person{}, false, nil
	}
	return t.graph.PersonAt(number), true, nil
}
