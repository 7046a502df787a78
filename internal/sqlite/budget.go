package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"time"

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

// reserve makes a batch's reservations in the transaction at hand, all or none; the
// error is a *journal.Exhausted when a budget has not enough left.
func (w *writer) reserve(b *journal.Batch) error {
	var known bool
	if err := w.c.once("SELECT 1 FROM decision WHERE id = ?", func([]driver.Value) error { known = true; return nil }, b.Decision.ID); err != nil || known {
		return err // the ledger refuses it, and nothing is held for it
	}
	var short []string
	asked := map[string]int64{}
	for _, r := range b.Reserve {
		if _, seen := asked[r.Budget]; !seen {
			if err := w.expire(b.Workspace, r.Budget, b.At); err != nil {
				return err
			}
		}
		gone := asked[r.Budget]
		if err := w.c.once("SELECT spent + held FROM budget WHERE workspace = ? AND id = ?", func(row []driver.Value) error {
			gone += integer(row[0])
			return nil
		}, b.Workspace, r.Budget); err != nil {
			return err
		}
		asked[r.Budget] += r.Amount
		if gone > r.Limit-r.Amount {
			short = append(short, r.Budget)
		}
	}
	if len(short) > 0 {
		return &journal.Exhausted{Budgets: short}
	}
	for _, r := range b.Reserve {
		if _, err := w.put(`INSERT INTO reservation (workspace, decision, action, budget, amount, until, state) VALUES (?, ?, ?, ?, ?, ?, 'held')
			ON CONFLICT (workspace, decision, action, budget) DO UPDATE SET amount = amount + excluded.amount`,
			b.Workspace, b.Decision.ID, r.Action, r.Budget, r.Amount, until(r.Until)); err != nil {
			return err
		}
		if err := w.moved(b.Workspace, r.Budget, 0, r.Amount); err != nil {
			return err
		}
	}
	return nil
}

// expire frees what was held of a budget until now.
func (w *writer) expire(workspace, budget string, now time.Time) error {
	return w.end(workspace, "expired", "budget = ? AND until <= ?", budget, now.UnixNano())
}

// settle ends what is held for actions of decisions.
func (w *writer) settle(b *journal.Batch) error {
	for _, s := range b.Settle {
		state := "returned"
		if s.Spent {
			state = "spent"
		}
		if err := w.end(b.Workspace, state, "decision = ? AND action = ? AND until > ?", s.Decision, s.Action, b.At.UnixNano()); err != nil {
			return fmt.Errorf("settle %s of %s: %w", s.Action, s.Decision, err)
		}
	}
	return nil
}

// end gives the held reservations that meet a condition their last state.
func (w *writer) end(workspace, state, condition string, args ...driver.Value) error {
	amounts := map[string]int64{}
	err := w.c.once("UPDATE reservation SET state = ? WHERE workspace = ? AND state = 'held' AND "+condition+" RETURNING budget, amount", func(row []driver.Value) error {
		amounts[text(row[0])] += integer(row[1])
		return nil
	}, append([]driver.Value{state, workspace}, args...)...)
	if err != nil {
		return err
	}
	for budget, amount := range amounts {
		spent := int64(0)
		if state == "spent" {
			spent = amount
		}
		if err := w.moved(workspace, budget, spent, -amount); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) moved(workspace, budget string, spent, held int64) error {
	_, err := w.put(`INSERT INTO budget (workspace, id, spent, held) VALUES (?, ?, ?, ?)
		ON CONFLICT (workspace, id) DO UPDATE SET spent = spent + excluded.spent, held = held + excluded.held`, workspace, budget, spent, held)
	return err
}

// put runs a statement that is needed seldom.
func (w *writer) put(sql string, args ...driver.Value) (int64, error) {
	s, err := w.c.prepare(sql)
	if err != nil {
		return 0, err
	}
	defer s.close()
	return s.exec(args...)
}

// Balances tells what is gone of budgets now; see engine.Store.
func (s *Store) Balances(ctx context.Context, workspace string, budgets []string, now time.Time) ([]journal.Balance, error) {
	const query = `SELECT id, spent, held - (SELECT COALESCE(SUM(amount), 0) FROM reservation
			WHERE reservation.workspace = budget.workspace AND budget = id AND state = 'held' AND until <= ?)
		FROM budget WHERE workspace = ?`
	var all []journal.Balance
	each := func(row []driver.Value) error {
		all = append(all, journal.Balance{Budget: text(row[0]), Spent: integer(row[1]), Held: integer(row[2])})
		return ctx.Err()
	}
	err := s.readers.with(ctx, func(r *reader) error {
		if budgets == nil {
			return r.c.once(query+" ORDER BY id", each, now.UnixNano(), workspace)
		}
		for _, id := range budgets {
			there := len(all)
			if err := r.c.once(query+" AND id = ?", each, now.UnixNano(), workspace, id); err != nil {
				return err
			}
			if len(all) == there {
				all = append(all, journal.Balance{Budget: id})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("budgets of %s: %w", workspace, err)
	}
	return all, nil
}

// overdrawn tells a refusal from a failure of the store.
func overdrawn(err error) bool {
	var e *journal.Exhausted
	return errors.As(err, &e)
}
