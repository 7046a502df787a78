package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// timelineSQL takes the newest of each key along its index, then the newest of all.
const timelineSQL = `SELECT l.position, l.at, l.id, l.key, l.event FROM unnest($1::uuid[]) AS k (key) CROSS JOIN LATERAL (
	SELECT * FROM log WHERE log.key = k.key AND (log.at, log.id) < ($2, $3) AND log.position <= $4 AND log.id <> ALL ($5)
	ORDER BY log.at DESC, log.id DESC LIMIT $6) l
	ORDER BY l.at DESC, l.id DESC LIMIT $6`

// Timeline lists a scope's events newest first by event time and id; see engine.Store.
func (s *Store) Timeline(ctx context.Context, scope journal.Scope, before time.Time, beforeID event.ID, limit int) ([]journal.Moment, error) {
	if limit <= 0 || len(scope.Keys) == 0 {
		return nil, nil
	}
	at, upTo := int64(math.MaxInt64), int64(math.MaxInt64)
	if !before.IsZero() {
		at = before.UnixMilli()
	}
	if scope.UpTo != 0 {
		upTo = int64(scope.UpTo)
	}
	without := make([][16]byte, len(scope.Without))
	for i, id := range scope.Without {
		without[i] = id
	}
	rows, err := s.pool.Query(ctx, timelineSQL, marksOf(scope.Workspace, scope.Keys), at, [16]byte(beforeID), upTo, without, limit)
	if err != nil {
		return nil, fmt.Errorf("timeline of %s in %s: %w", scope.Person, scope.Workspace, err)
	}
	moments, err := pgx.CollectRows(rows, func(pgx.CollectableRow) (journal.Moment, error) {
		x, err := readRow(rows)
		if err != nil {
			return journal.Moment{}, err
		}
		e, err := x.open()
		return journal.Moment{Position: x.position, Event: e}, err
	})
	if err != nil {
		return nil, fmt.Errorf("timeline of %s in %s: %w", scope.Person, scope.Workspace, err)
	}
	return moments, nil
}

// Event opens one event by its id; see engine.Store. An erased event is not found.
func (s *Store) Event(ctx context.Context, workspace string, id event.ID) (m journal.Moment, keys []identity.Key, ok bool, err error) {
	rows, err := s.pool.Query(ctx, `SELECT l.position, l.at, l.id, l.key, l.event FROM log l JOIN tenant t ON t.number = l.workspace
		WHERE l.id = $1 AND t.id = $2`, [16]byte(id), workspace)
	if err != nil {
		return m, nil, false, fmt.Errorf("event %s: %w", id, err)
	}
	x, err := pgx.CollectExactlyOneRow(rows, func(pgx.CollectableRow) (row, error) { return readRow(rows) })
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return m, nil, false, nil
	case err != nil:
		return m, nil, false, fmt.Errorf("event %s: %w", id, err)
	}
	if x.erased() || x.event[0] == kindErasure {
		return m, nil, false, nil
	}
	e, err := x.open()
	if err != nil {
		return m, nil, false, err
	}
	key := keyOf(workspace, &e)
	if key != (identity.Key{}) {
		keys = append(keys, key)
	}
	if beside := identity.Anonymous(e.AnonymousID); beside != key && !identity.Blocked(e.AnonymousID) {
		keys = append(keys, beside)
	}
	return journal.Moment{Position: x.position, Event: e}, keys, true, nil
}
