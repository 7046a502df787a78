package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/fired"
	"github.com/rapport-cx/rapport/internal/storage/queue"
	"github.com/rapport-cx/rapport/journal"
)

// Every node that takes a part of the log in finds the same firings in it, and writes
// them down: the one that committed the events before it acknowledges them, any other
// soon after. So one that dies in between loses none, and a firing's id lets it be
// written once.

const saveFiring = `INSERT INTO firing (id, workspace, person, signal, state, at, found, due, cause, decision, reason, undone, body)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10, $11, $12)` + fired.Upsert

const undoOthers = `UPDATE firing SET state = CASE state WHEN 'handled' THEN 'superseded' ELSE 'withdrawn' END, cause = $5
	WHERE workspace = $1 AND person = ANY($2) AND signal = ANY($3) AND id <> ALL($4) AND cause <= $5 AND state IN ('open', 'past', 'handled')`

// saveTurns writes down what watchers have found on this node.
func (s *Store) saveTurns(ctx context.Context) error {
	if len(s.watchers) == 0 {
		return nil
	}
	s.turning.Lock()
	defer s.turning.Unlock()
	if len(s.gather()) == 0 {
		return nil
	}
	var err error
	for range tries {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			var b pgx.Batch
			for i := range s.turns {
				s.queueTurn(&b, &s.turns[i])
			}
			return tx.SendBatch(ctx, &b).Close()
		})
		if !refused(err, "40") { // two nodes write the same in another order
			break
		}
	}
	if err != nil {
		return fmt.Errorf("write firings: %w", err)
	}
	s.turns = nil
	return nil
}

// gather takes what watchers have found to what is not written down yet. The caller
// holds turning.
func (s *Store) gather() []journal.Turn {
	for _, f := range s.watchers {
		s.turns = append(s.turns, f.Turned()...)
	}
	return s.turns
}

func (s *Store) queueTurn(b *pgx.Batch, t *journal.Turn) {
	now := []string{}
	for i := range t.Fired {
		f := &t.Fired[i]
		now = append(now, f.ID)
		person := f.Person
		if person == "" && f.Member != 0 {
			s.mu.RLock()
			if known := s.tenants[t.Workspace]; known != nil {
				person = identity.PersonOf(t.Workspace, known.graph.KeyAt(known.graph.PersonNumber(f.Member)))
			}
			s.mu.RUnlock()
		}
		body := fired.Body(f)
		if body == nil {
			body = []byte{}
		}
		b.Queue(saveFiring, f.ID, t.Workspace, string(person), f.Signal, string(fired.Begins(f)), fired.Milliseconds(f.At), fired.Milliseconds(f.Found),
			fired.Milliseconds(f.Due), t.Cause, []byte(f.Reason), (*[16]byte)(f.UndoneBy), body)
	}
	if len(t.Whole) > 0 {
		persons := make([]string, len(t.Whole))
		for i, p := range t.Whole {
			persons[i] = string(p)
		}
		b.Queue(undoOthers, t.Workspace, persons, t.Signals, now, t.Cause)
	}
}

// act does what a request does about firings, in the transaction at hand: the rows stay
// locked until it ends, so that of many who act on the same one succeeds.
func act(ctx context.Context, c *pgxpool.Conn, r *queue.Request) error {
	for _, x := range r.Batch.Acts {
		tag, err := c.Exec(ctx, "UPDATE firing SET state = $3, due = $4, decision = $5, reason = $6 WHERE id = $1 AND workspace = $2 AND state = 'open'",
			x.ID, r.Batch.Workspace, string(x.State), fired.Milliseconds(x.Due), x.Decision, []byte(x.Reason))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			r.Err = fmt.Errorf("firing %s: %w", x.ID, journal.ErrActed)
			return r.Err
		}
	}
	return nil
}

// Firings lists what signals have fired; see engine.Store.
func (s *Store) Firings(ctx context.Context, q journal.FiringQuery) ([]journal.Firing, error) {
	if !storable(q.Workspace, q.ID) {
		return nil, nil
	}
	if q.Workspace != "" && len(s.watchers) > 0 {
		// A node that committed events and then died may have left firings to us.
		if _, err := s.fresh(ctx, q.Workspace); err != nil {
			return nil, fmt.Errorf("firings of %s: %w", q.Workspace, err)
		}
		if err := s.saveTurns(ctx); err != nil {
			return nil, err
		}
	}
	var where []string
	var args []any
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.Replace(condition, "?", fmt.Sprint("$", len(args)), 1))
	}
	if q.Workspace != "" {
		add("workspace = ?", q.Workspace)
	}
	if len(q.Persons) > 0 {
		ids := make([]string, len(q.Persons))
		for i, p := range q.Persons {
			if !storable(string(p)) {
				continue
			}
			ids[i] = string(p)
		}
		add("person = ANY(?)", ids)
	}
	if len(q.States) > 0 {
		states := make([]string, len(q.States))
		for i, x := range q.States {
			states[i] = string(x)
		}
		add("state = ANY(?)", states)
	}
	if !q.DueBy.IsZero() {
		add("due <= ?", q.DueBy.UnixMilli())
	}
	if q.ID != "" {
		add("id = ?", q.ID)
	}
	if q.Limit <= 0 {
		q.Limit = fired.Limit
	}
	add("number > ?", q.After)
	rows, err := s.pool.Query(ctx, "SELECT number, id, workspace, person, signal, state, at, found, due, cause, decision, reason, undone, body FROM firing WHERE "+
		strings.Join(where, " AND ")+" ORDER BY number LIMIT "+fmt.Sprint(q.Limit), args...)
	var all []journal.Firing
	if err == nil {
		all, err = pgx.CollectRows(rows, readFiring)
	}
	if err != nil {
		return nil, fmt.Errorf("firings of %s: %w", q.Workspace, err)
	}
	return all, nil
}

func readFiring(row pgx.CollectableRow) (f journal.Firing, err error) {
	var at, found, due int64
	var reason, body []byte
	var undone *[16]byte
	err = row.Scan(&f.Number, &f.ID, &f.Workspace, (*string)(&f.Person), &f.Signal, (*string)(&f.State), &at, &found, &due, &f.Cause, &f.Decision, &reason, &undone, &body)
	if err != nil {
		return f, err
	}
	f.At, f.Found, f.Due, f.Reason = fired.Time(at), fired.Time(found), fired.Time(due), string(reason)
	f.UndoneBy = (*event.ID)(undone)
	return f, fired.Read(&f, body)
}

// Log tells what was committed after a position; see engine.Store.
func (s *Store) Log(ctx context.Context, workspace string, after uint64, each func(c journal.Committed) error) (uint64, error) {
	t, err := s.fresh(ctx, workspace)
	if err != nil || t == nil {
		return after, err
	}
	upTo := s.at(t)
	for told := after; told < upTo; {
		rows, err := s.tail(ctx, t, told)
		if err != nil {
			return told, fmt.Errorf("log of %s after %d: %w", workspace, told, err)
		}
		if len(rows) == 0 {
			return told, fmt.Errorf("log of %s ends at %d, wanted %d: %w", workspace, told, upTo, errDamaged)
		}
		for i := range rows {
			x := &rows[i]
			if x.position > upTo {
				break
			}
			told = x.position
			if x.erased() || x.event[0] == kindErasure {
				continue
			}
			e, err := x.open()
			if err != nil {
				return told, err
			}
			c := journal.Committed{Workspace: workspace, Position: x.position, Event: &e}
			if k := keyOf(workspace, &e); !k.Zero() {
				s.mu.RLock()
				_, c.Person, _ = t.graph.Resolve(k)
				s.mu.RUnlock()
			}
			if err := each(c); err != nil {
				return told, err
			}
		}
	}
	return max(after, upTo), nil
}

// Member is the person that a number stands for; see engine.Store.
func (s *Store) Member(_ context.Context, workspace string, number uint32) (identity.Person, bool, error) {
	t := s.tenant(workspace)
	if t == nil {
		return identity.Person{}, false, nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if number == 0 || int(number) > t.graph.Len() || t.graph.KeyAt(number).Zero() {
		return identity.Person{}, false, nil
	}
	return t.graph.PersonAt(number), true, nil
}
