package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/ledger"
)

const decisionColumns = "id, workspace, person, at, strategy, arm, placement, asker, actions, body"

func readEntry(row pgx.CollectableRow) (e ledger.Entry, err error) {
	var at int64
	var placement, asker []byte
	err = row.Scan(&e.ID, &e.Workspace, &e.Person, &at, &e.Strategy, &e.Arm, &placement, &asker, &e.Actions, &e.Bytes)
	e.At, e.Placement, e.Asker = time.Unix(0, at).UTC(), string(placement), string(asker)
	if len(e.Actions) == 0 {
		e.Actions = nil
	}
	return e, err
}

// storable tells that PostgreSQL's text can hold these; what it cannot hold is not there.
func storable(texts ...string) bool {
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			return false
		}
	}
	return true
}

// Decision reads one entry of the ledger. An erased one has no Bytes.
func (s *Store) Decision(ctx context.Context, workspace, id string) (e ledger.Entry, ok bool, err error) {
	if !storable(workspace, id) {
		return e, false, nil
	}
	rows, err := s.pool.Query(ctx, "SELECT "+decisionColumns+" FROM decision WHERE id = $1 AND workspace = $2", id, workspace)
	if err == nil {
		e, err = pgx.CollectExactlyOneRow(rows, readEntry)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ledger.Entry{}, false, nil
	case err != nil:
		return ledger.Entry{}, false, fmt.Errorf("decision %s: %w", id, err)
	}
	return e, true, nil
}

// DecisionLimit is how many entries a query without a limit gives.
const DecisionLimit = 50

var errNoCursor = errors.New("the cursor names no decision of this workspace")

// Decisions lists entries newest first. By person and by time it walks an index;
// other conditions filter that walk.
func (s *Store) Decisions(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) {
	if !storable(q.Workspace, q.Person, q.Action, q.Arm) {
		return nil, nil
	}
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprint("$", len(args)), 1)
		}
		where = append(where, condition)
	}
	add("workspace = ?", q.Workspace)
	if q.Person != "" {
		add("person = ?", q.Person)
	}
	if q.Action != "" {
		add("? = ANY(actions)", q.Action)
	}
	if q.Strategy != 0 {
		add("strategy = ?", q.Strategy)
	}
	if q.Arm != "" {
		add("arm = ?", q.Arm)
	}
	if !q.From.IsZero() {
		add("at >= ?", q.From.UnixNano())
	}
	if !q.To.IsZero() {
		add("at < ?", q.To.UnixNano())
	}
	if q.Before != "" {
		last, ok, err := s.Decision(ctx, q.Workspace, q.Before)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("decisions before %s: %w", q.Before, errNoCursor)
		}
		add("(at, id) < (?, ?)", last.At.UnixNano(), q.Before)
	}
	if q.Limit <= 0 {
		q.Limit = DecisionLimit
	}
	sql := "SELECT " + decisionColumns + " FROM decision WHERE " + strings.Join(where, " AND ") + " ORDER BY at DESC, id DESC LIMIT " + fmt.Sprint(q.Limit)
	rows, err := s.pool.Query(ctx, sql, args...)
	var entries []ledger.Entry
	if err == nil {
		entries, err = pgx.CollectRows(rows, readEntry)
	}
	if err != nil {
		return nil, fmt.Errorf("decisions of %s: %w", q.Workspace, err)
	}
	return entries, nil
}
