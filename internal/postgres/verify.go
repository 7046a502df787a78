package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

// Check compares what PostgreSQL keeps beside an event with the event: that positions
// have no gaps, that each workspace's position is its newest event's, and that the key
// in the index is the one under which the event stays. See witness.Log.
func (s *Store) Check(ctx context.Context) error {
	for _, t := range s.everybody() {
		var rows, newest, position uint64
		err := s.pool.QueryRow(ctx, `SELECT count(*), coalesce(max(l.position), 0), max(t.position)
			FROM tenant t LEFT JOIN log l ON l.workspace = t.number WHERE t.number = $1`, t.number).Scan(&rows, &newest, &position)
		if err != nil {
			return fmt.Errorf("check the log of %s: %w", t.id, err)
		}
		if rows != newest && !(newest == 0 && rows <= 1) || newest != position {
			return fmt.Errorf("the log of %s has %d rows, its newest is %d, its position is %d: %w", t.id, rows, newest, position, errDamaged)
		}
		err = s.walk(ctx, t, func(x *row) error {
			if x.erased() || x.event[0] == kindErasure {
				return nil
			}
			e, err := x.open()
			if err != nil {
				return err
			}
			k := keyOf(t.id, &e)
			if mine := k != (identity.Key{}); mine != x.mine || mine && markOf(t.id, k) != x.key {
				return fmt.Errorf("event %s of %s stands under another key than %s: %w", x.id, t.id, k, errDamaged)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) everybody() (all []*tenant) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.tenants {
		all = append(all, t)
	}
	return all
}

// walk gives the rows of a workspace's log in order, up to what this node knows.
func (s *Store) walk(ctx context.Context, t *tenant, each func(x *row) error) error {
	for from, upTo := uint64(0), s.at(t); from < upTo; {
		rows, err := s.tail(ctx, t, from)
		if err != nil {
			return fmt.Errorf("log of %s after %d: %w", t.id, from, err)
		}
		if len(rows) == 0 {
			return fmt.Errorf("log of %s ends at %d, wanted %d: %w", t.id, from, upTo, errDamaged)
		}
		for i := range rows {
			if from = rows[i].position; from > upTo {
				return nil
			}
			if err := each(&rows[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Each gives every event of the log that was not erased, oldest first, one workspace
// after the other; see witness.Log.
func (s *Store) Each(ctx context.Context, take func(workspace string, position uint64, e *event.Event) error) (erased int, err error) {
	for _, t := range s.everybody() {
		err := s.walk(ctx, t, func(x *row) error {
			switch {
			case x.erased():
				erased++
				return nil
			case x.event[0] == kindErasure:
				return nil
			}
			e, err := x.open()
			if err != nil {
				return err
			}
			return take(t.id, x.position, &e)
		})
		if err != nil {
			return erased, err
		}
	}
	return erased, nil
}

// Identities are the persons of each workspace, as they are saved.
func (s *Store) Identities() map[string][]byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := map[string][]byte{}
	for id, t := range s.tenants {
		all[id] = t.graph.Save()
	}
	return all
}

// Checkpoints gives every profile that is kept in the database.
func (s *Store) Checkpoints(ctx context.Context, each func(workspace string, body []byte) error) error {
	for _, t := range s.everybody() {
		after := [][16]byte{}
		for {
			var keys [][16]byte
			var body []byte
			err := s.pool.QueryRow(ctx, "SELECT keys, body FROM checkpoint WHERE workspace = $1 AND keys > $2 ORDER BY keys LIMIT 1", t.number, after).Scan(&keys, &body)
			if errors.Is(err, pgx.ErrNoRows) {
				break
			}
			if err != nil {
				return err
			}
			after = keys
			if err := each(t.id, body); err != nil {
				return err
			}
		}
	}
	return nil
}
