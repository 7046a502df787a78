package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// Erase removes a person for good; see engine.Store. The rows stay as empty places
// that belong to nobody, so that positions and the ids of deduplication hold. A row of
// the log tells the other nodes, at its place among all other rows. What PostgreSQL
// keeps of old rows goes with its next vacuum.
func (s *Store) Erase(ctx context.Context, workspace string, keys []identity.Key) (journal.Erasure, error) {
	s.erasing.Lock() // an erasure needs two connections: many at once would wait for each other's
	defer s.erasing.Unlock()
	receipt, err := s.erase(ctx, workspace, keys)
	if err != nil {
		return journal.Erasure{}, fmt.Errorf("erase a person of %s: %w", workspace, err)
	}
	return receipt, nil
}

func (s *Store) erase(ctx context.Context, workspace string, keys []identity.Key) (receipt journal.Erasure, err error) {
	var t *tenant
	var position uint64
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var number int32
		err := tx.QueryRow(ctx, "SELECT number, position FROM tenant WHERE id = $1 FOR NO KEY UPDATE", workspace).Scan(&number, &position)
		known := !errors.Is(err, pgx.ErrNoRows)
		if err != nil && known {
			return err
		}
		if known {
			// Nobody commits here while the row is locked: what this node reads now is all.
			if t, err = s.fresh(ctx, workspace); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, "UPDATE decision SET body = NULL, asker = '' WHERE workspace = $1 AND person = ANY($2) AND body IS NOT NULL", workspace, s.persons(t, workspace, keys))
		if err != nil {
			return err
		}
		receipt.Decisions = int(tag.RowsAffected())
		if _, err := tx.Exec(ctx, "DELETE FROM firing WHERE workspace = $1 AND person = ANY($2)", workspace, s.persons(t, workspace, keys)); err != nil {
			return err
		}
		if !known {
			return nil
		}
		gone := marksOf(workspace, keys)
		if tag, err = tx.Exec(ctx, "UPDATE log SET key = NULL, event = '' WHERE key = ANY($1)", gone); err != nil {
			return err
		}
		receipt.Events = int(tag.RowsAffected())
		position++
		body := []byte{kindErasure}
		for _, m := range gone {
			body = append(body, m[:]...)
		}
		var id event.ID
		rand.Read(id[:])
		for _, q := range []struct {
			sql  string
			args []any
		}{
			{"INSERT INTO log (workspace, position, at, id, key, event) VALUES ($1, $2, 0, $3, NULL, $4)", []any{number, position, [16]byte(id), body}},
			{"UPDATE tenant SET position = $2, erased = $2 WHERE number = $1", []any{number, position}},
			{"DELETE FROM checkpoint WHERE workspace = $1 AND keys && $2", []any{number, gone}},
			{"DELETE FROM snapshot", nil},
			{"SELECT pg_notify($1, $2)", []any{s.channel, noticeLog + workspace}},
		} {
			if _, err := tx.Exec(ctx, q.sql, q.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || t == nil {
		return receipt, err
	}
	if err := s.catchUp(ctx, t, position); err != nil {
		return receipt, err
	}
	return receipt, s.save(ctx, 1)
}

// persons are the ids that decisions about these keys may bear.
func (s *Store) persons(t *tenant, workspace string, keys []identity.Key) (ids []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range keys {
		ids = append(ids, string(identity.PersonOf(workspace, k)))
		if t == nil {
			continue
		}
		if p, _, known := t.graph.Resolve(k); known && !slices.ContainsFunc(p.Keys, func(k identity.Key) bool { return !slices.Contains(keys, k) }) {
			ids = append(ids, string(p.ID))
		}
	}
	return ids
}

// forget takes an erasure of the log into this node's memory.
func (s *Store) forget(t *tenant, x *row) {
	gone := map[mark]bool{}
	for b := x.event[1:]; len(b) >= 16; b = b[16:] {
		gone[mark(b[:16])] = true
	}
	s.mu.Lock()
	var numbers, persons []uint32
	var keys []identity.Key
	for n := uint32(1); n <= uint32(t.graph.Len()); n++ {
		if k := t.graph.KeyAt(n); k.Value != "" && gone[markOf(t.id, k)] {
			numbers, keys = append(numbers, n), append(keys, k)
			if p := t.graph.PersonNumber(n); !slices.Contains(persons, p) {
				persons = append(persons, p)
			}
		}
	}
	t.graph.Forget(numbers)
	s.mu.Unlock()
	s.people.Forget(func(name []byte) bool {
		for ; len(name) > 0; name = name[16:] {
			if gone[mark(name[:16])] {
				return true
			}
		}
		return false
	})
	for _, f := range s.options.Followers {
		journal.TellErased(f, t.id, persons, keys)
	}
	s.reach(t, x.position)
}
