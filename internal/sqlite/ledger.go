package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/ledger"
)

const decisionColumns = "id, workspace, person, at, strategy, arm, placement, asker, actions, body"

func entryOf(row []driver.Value) ledger.Entry {
	e := ledger.Entry{
		ID: text(row[0]), Workspace: text(row[1]), Person: text(row[2]),
		At:       time.Unix(0, integer(row[3])).UTC(),
		Strategy: int(integer(row[4])), Arm: text(row[5]), Placement: text(row[6]), Asker: text(row[7]),
		Bytes: blob(row[9]),
	}
	if actions := strings.Trim(text(row[8]), "\n"); actions != "" {
		e.Actions = strings.Split(actions, "\n")
	}
	return e
}

// Decision reads one entry of the ledger. An erased one has no Bytes.
func (s *Store) Decision(ctx context.Context, workspace, id string) (e ledger.Entry, ok bool, err error) {
	err = s.readers.with(ctx, func(r *reader) error {
		return r.decision.query(func(row []driver.Value) error {
			if text(row[1]) == workspace {
				e, ok = entryOf(row), true
			}
			return nil
		}, id)
	})
	if err != nil {
		return ledger.Entry{}, false, fmt.Errorf("decision %s: %w", id, err)
	}
	return e, ok, nil
}

// DecisionLimit is how many entries a query without a limit gives.
const DecisionLimit = 50

var errNoCursor = errors.New("the cursor names no decision of this workspace")

// Decisions lists entries newest first. By person and by time it walks an index;
// other conditions filter that walk.
func (s *Store) Decisions(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) {
	where := []string{"workspace = ?"}
	args := []driver.Value{q.Workspace}
	add := func(condition string, values ...driver.Value) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if q.Person != "" {
		add("person = ?", q.Person)
	}
	if q.Action != "" {
		add("INSTR(actions, ?) > 0", "\n"+q.Action+"\n")
	}
	if q.Strategy != 0 {
		add("strategy = ?", int64(q.Strategy))
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
	args = append(args, int64(q.Limit))
	sql := "SELECT " + decisionColumns + " FROM decision WHERE " + strings.Join(where, " AND ") + " ORDER BY at DESC, id DESC LIMIT ?"
	var entries []ledger.Entry
	err := s.readers.with(ctx, func(r *reader) error {
		return r.c.once(sql, func(row []driver.Value) error {
			entries = append(entries, entryOf(row))
			return ctx.Err()
		}, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("decisions of %s: %w", q.Workspace, err)
	}
	return entries, nil
}
