package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
)

// ErrTurnLost says that the connection that held the lock of a job or a change broke:
// another node may be at it. What was begun under the lock is not written any more.
var ErrTurnLost = errors.New("the lock was lost with its connection, and the turn may be another node's")

// turn is one node's turn at something. Its number is the fence: the next one's is
// greater, and nothing is written for a turn that is not the newest of its name. So a
// node that has lost its lock, and does not know it yet, cannot write over what the next
// one does (Kleppmann, "How to do distributed locking", 2016).
type turn struct {
	name   string
	number int64
}

// turnsKey finds in a context the turns that what is done belongs to.
type turnsKey struct{}

func turnsOf(ctx context.Context) []turn {
	all, _ := ctx.Value(turnsKey{}).([]turn)
	return all
}

// Alone runs a job while no node runs another of this name; who comes later waits.
// The lock ends with the node that holds it, however it ends. The job's context ends
// when the lock is lost, and with it everything that the job would still write: the
// error is then ErrTurnLost.
func (s *Store) Alone(ctx context.Context, name string, job func(ctx context.Context) error) error {
	one, _ := s.jobs.LoadOrStore(name, new(sync.Mutex))
	one.(*sync.Mutex).Lock()
	defer one.(*sync.Mutex).Unlock()
	return s.inTurn(ctx, "job "+name, job)
}

// Turn makes a change after those of the same name on any node, which it waits for. As
// with Alone, the change's context ends with the lock.
func (s *Store) Turn(ctx context.Context, name string, change func(ctx context.Context) error) error {
	return s.inTurn(ctx, "turn "+name, change)
}

// inTurn does something while it holds the lock of a name, on a connection of its own
// and none of the pool's: what is done may ask the store anything, and never waits for
// others to give theirs back.
func (s *Store) inTurn(ctx context.Context, name string, do func(ctx context.Context) error) error {
	c, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer c.Close(context.WithoutCancel(ctx)) // and with it the lock ends
	t, err := take(ctx, c, name)
	if err != nil {
		return fmt.Errorf("lock of %s: %w", name, err)
	}
	inside, lose := context.WithCancelCause(context.WithValue(ctx, turnsKey{}, append(slices.Clone(turnsOf(ctx)), t)))
	defer lose(nil)
	looking, stop := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() {
		for looking.Err() == nil {
			// Nobody notifies: it returns when the connection breaks, or when it is no more needed.
			if _, err := c.WaitForNotification(looking); err != nil && looking.Err() == nil {
				lose(ErrTurnLost)
				return
			}
		}
	})
	err = do(inside)
	stop()
	watch.Wait()
	if err != nil && errors.Is(context.Cause(inside), ErrTurnLost) && !errors.Is(err, ErrTurnLost) {
		return fmt.Errorf("%s: %w: %w", name, ErrTurnLost, err)
	}
	return err
}

// take waits for the lock of a name, which the connection then holds until it ends, and
// gives the turn its number. Whoever writes for an earlier one is waited for.
func take(ctx context.Context, c *pgx.Conn, name string) (t turn, err error) {
	if _, err := c.Exec(ctx, "SET lock_timeout = 0"); err != nil {
		return t, err
	}
	if _, err := c.Exec(ctx, "SELECT pg_advisory_lock("+lockNumber+")", "rapport "+name); err != nil {
		return t, err
	}
	t.name = name
	err = c.QueryRow(ctx, "INSERT INTO turn AS t VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET number = t.number + 1 RETURNING number", name).Scan(&t.number)
	return t, err
}

// hold sees to it, in a transaction, that the turns are still the newest when it
// commits: who takes the next one waits for it.
func (t turn) hold(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) error {
	var there bool
	err := db.QueryRow(ctx, "SELECT true FROM turn WHERE name = $1 AND number = $2 FOR SHARE", t.name, t.number).Scan(&there)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s: %w", t.name, ErrTurnLost)
	}
	return err
}

// inTransaction writes something in one transaction, as far as the turn that it belongs
// to is still this node's.
func (s *Store) inTransaction(ctx context.Context, write func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, t := range turnsOf(ctx) {
			if err := t.hold(ctx, tx); err != nil {
				return err
			}
		}
		return write(tx)
	})
}
