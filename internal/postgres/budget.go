package postgres

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rapport-cx/rapport/internal/storage/queue"
	"github.com/rapport-cx/rapport/journal"
)

// forever is the until of what is held until it is settled.
const forever = math.MaxInt64

func until(t time.Time) int64 {
	if t.IsZero() {
		return forever
	}
	return t.UnixNano()
}

// spends tells that a group touches budgets.
func spends(group []*queue.Request) bool {
	return slices.ContainsFunc(group, func(r *queue.Request) bool { return len(r.Batch.Reserve)+len(r.Batch.Settle) > 0 })
}

// budgets makes and ends the reservations of a group in the transaction at hand, and
// refuses the requests whose budgets have not enough left, or whose decision is known:
// nothing of these is applied. The rows of the budgets are locked in the order of their
// ids, so that nodes cannot wait for each other.
func (w *writer) budgets(ctx context.Context, c *pgxpool.Conn, group []*queue.Request) error {
	for _, r := range group {
		b := &r.Batch
		if len(b.Reserve)+len(b.Settle) == 0 {
			continue
		}
		if b.Decision != nil {
			// The decision comes first: only who puts it into the ledger holds anything for
			// it or settles anything with it, whoever else sends it at this moment.
			var one pgx.Batch
			enterDecision(&one, r)
			if err := c.SendBatch(ctx, &one).Close(); err != nil {
				return fmt.Errorf("decision %s: %w", b.Decision.ID, err)
			}
			if r.Err != nil {
				continue
			}
		}
		short, err := overdrawn(ctx, c, b)
		if err == nil && len(short) > 0 {
			r.Err = &journal.Exhausted{Budgets: short}
			_, err = c.Exec(ctx, "DELETE FROM decision WHERE id = $1", b.Decision.ID)
		}
		if err != nil {
			return fmt.Errorf("budgets of %s: %w", b.Decision.ID, err)
		}
		if r.Err != nil {
			continue
		}
		if err := hold(ctx, c, b); err != nil {
			return fmt.Errorf("budgets of %s: %w", b.Decision.ID, err)
		}
		for _, s := range b.Settle {
			state := "returned"
			if s.Spent {
				state = "spent"
			}
			if err := end(ctx, c, b.Workspace, state, "decision = $3 AND action = $4 AND until > $5", s.Decision, s.Action, b.At.UnixNano()); err != nil {
				return fmt.Errorf("settle %s of %s: %w", s.Action, s.Decision, err)
			}
		}
	}
	return nil
}

// overdrawn names the budgets that have not enough left for a batch. It locks those
// that the batch asks, and frees what was held of them until now.
func overdrawn(ctx context.Context, c *pgxpool.Conn, b *journal.Batch) (short []string, err error) {
	var ids []string
	for _, x := range b.Reserve {
		if !slices.Contains(ids, x.Budget) {
			ids = append(ids, x.Budget)
		}
	}
	slices.Sort(ids)
	gone := map[string]int64{}
	for _, id := range ids {
		if _, err := c.Exec(ctx, "INSERT INTO budget VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING", b.Workspace, []byte(id)); err != nil {
			return nil, err
		}
		var have int64
		if err := c.QueryRow(ctx, "SELECT spent + held FROM budget WHERE workspace = $1 AND id = $2 FOR UPDATE", b.Workspace, []byte(id)).Scan(&have); err != nil {
			return nil, err
		}
		if err := end(ctx, c, b.Workspace, "expired", "budget = $3 AND until <= $4", []byte(id), b.At.UnixNano()); err != nil {
			return nil, err
		}
		if err := c.QueryRow(ctx, "SELECT spent + held FROM budget WHERE workspace = $1 AND id = $2", b.Workspace, []byte(id)).Scan(&have); err != nil {
			return nil, err
		}
		gone[id] = have
	}
	for _, x := range b.Reserve {
		if gone[x.Budget] += x.Amount; gone[x.Budget] > x.Limit {
			short = append(short, x.Budget)
		}
	}
	return short, nil
}

// hold makes a batch's reservations.
func hold(ctx context.Context, c *pgxpool.Conn, b *journal.Batch) error {
	for _, x := range b.Reserve {
		if _, err := c.Exec(ctx, `INSERT INTO reservation VALUES ($1, $2, $3, $4, $5, $6, 'held')
			ON CONFLICT (workspace, decision, action, budget) DO UPDATE SET amount = reservation.amount + excluded.amount`,
			b.Workspace, b.Decision.ID, x.Action, []byte(x.Budget), x.Amount, until(x.Until)); err != nil {
			return err
		}
		if err := moved(ctx, c, b.Workspace, []byte(x.Budget), 0, x.Amount); err != nil {
			return err
		}
	}
	return nil
}

// end gives the held reservations that meet a condition their last state.
func end(ctx context.Context, c *pgxpool.Conn, workspace, state, condition string, args ...any) error {
	rows, err := c.Query(ctx, "UPDATE reservation SET state = $1 WHERE workspace = $2 AND state = 'held' AND "+condition+" RETURNING budget, amount", append([]any{state, workspace}, args...)...)
	if err != nil {
		return err
	}
	type part struct {
		Budget []byte
		Amount int64
	}
	parts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[part])
	if err != nil {
		return err
	}
	slices.SortFunc(parts, func(a, b part) int { return slices.Compare(a.Budget, b.Budget) })
	for _, p := range parts {
		spent := int64(0)
		if state == "spent" {
			spent = p.Amount
		}
		if err := moved(ctx, c, workspace, p.Budget, spent, -p.Amount); err != nil {
			return err
		}
	}
	return nil
}

func moved(ctx context.Context, c *pgxpool.Conn, workspace string, budget []byte, spent, held int64) error {
	_, err := c.Exec(ctx, "UPDATE budget SET spent = spent + $3, held = held + $4 WHERE workspace = $1 AND id = $2", workspace, budget, spent, held)
	return err
}

// Balances tells what is gone of budgets now; see engine.Store.
func (s *Store) Balances(ctx context.Context, workspace string, budgets []string, now time.Time) ([]journal.Balance, error) {
	query := `SELECT id, spent, held - (SELECT coalesce(sum(amount), 0) FROM reservation AS r
			WHERE r.workspace = budget.workspace AND r.budget = budget.id AND state = 'held' AND until <= $2)::bigint
		FROM budget WHERE workspace = $1`
	args := []any{workspace, now.UnixNano()}
	if budgets != nil {
		ids := make([][]byte, len(budgets))
		for i, id := range budgets {
			ids[i] = []byte(id)
		}
		query, args = query+" AND id = ANY($3)", append(args, ids)
	}
	rows, err := s.pool.Query(ctx, query+" ORDER BY id", args...)
	var there []journal.Balance
	if err == nil {
		there, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (b journal.Balance, err error) {
			var id []byte
			err = row.Scan(&id, &b.Spent, &b.Held)
			b.Budget = string(id)
			return b, err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("budgets of %s: %w", workspace, err)
	}
	if budgets == nil {
		return there, nil
	}
	all := make([]journal.Balance, len(budgets))
	for i, id := range budgets {
		all[i].Budget = id
		if at := slices.IndexFunc(there, func(b journal.Balance) bool { return b.Budget == id }); at >= 0 {
			all[i] = there[at]
		}
	}
	return all, nil
}
