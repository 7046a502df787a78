package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// Person says who a key belongs to; see engine.Store.
func (s *Store) Person(ctx context.Context, workspace string, key identity.Key) (p identity.Person, known bool, err error) {
	t, err := s.fresh(ctx, workspace)
	if err != nil {
		return p, false, fmt.Errorf("person of %s in %s: %w", key, workspace, err)
	}
	if t == nil {
		p, _, _ = identity.NewGraph(workspace).Resolve(key)
		return p, false, nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, _, known = t.graph.Resolve(key)
	return p, known, nil
}

// PersonByID finds a person by their id, or by one they had before a merge.
func (s *Store) PersonByID(ctx context.Context, workspace string, id identity.PersonID) (p identity.Person, known bool, err error) {
	t, err := s.fresh(ctx, workspace)
	if err != nil {
		return p, false, fmt.Errorf("person %s in %s: %w", id, workspace, err)
	}
	if t == nil {
		return p, false, nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, _, known = t.graph.ByID(id)
	return p, known, nil
}

// People lists persons who have a user id, the newest first.
func (s *Store) People(ctx context.Context, workspace string, before uint32, limit int) (people []identity.Person, next uint32, err error) {
	t, err := s.fresh(ctx, workspace)
	if t == nil || err != nil {
		return nil, 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	people, next = t.graph.People(before, limit)
	return people, next, nil
}

// Apart tells that an unmerge in force keeps two persons apart.
func (s *Store) Apart(ctx context.Context, workspace string, a, b identity.PersonID) (apart bool, err error) {
	t, err := s.fresh(ctx, workspace)
	if t == nil || err != nil {
		return false, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, x, _ := t.graph.ByID(a)
	_, y, _ := t.graph.ByID(b)
	return t.graph.Apart(x, y), nil
}

// Identifiers are what a workspace said of kinds of ids.
func (s *Store) Identifiers(ctx context.Context, workspace string) (rules []identity.Rule, err error) {
	t, err := s.fresh(ctx, workspace)
	if t == nil || err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return t.graph.Rules(), nil
}

var errNoShelf = errors.New("the store was opened without a shelf")

// Catalogue is a workspace's shelf at a revision; 0 means now. It is never older than
// a put that was acknowledged on any node.
func (s *Store) Catalogue(ctx context.Context, workspace string, revision uint64) (candidate.View, error) {
	if s.options.Shelf == nil {
		return nil, fmt.Errorf("catalogue of %s: %w", workspace, errNoShelf)
	}
	if _, err := s.fresh(ctx, workspace); err != nil {
		return nil, fmt.Errorf("catalogue of %s: %w", workspace, err)
	}
	return s.options.Shelf.View(workspace, revision)
}

// Workspaces lists all tenants by id.
func (s *Store) Workspaces(ctx context.Context) ([]workspace.Workspace, error) {
	rows, err := s.pool.Query(ctx, "SELECT body FROM workspace ORDER BY id")
	var all []workspace.Workspace
	if err == nil {
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (w workspace.Workspace, err error) {
			var body []byte
			if err := row.Scan(&body); err != nil {
				return w, err
			}
			return w, json.Unmarshal(body, &w)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("workspaces: %w", err)
	}
	return all, nil
}

// announce runs one statement and tells all nodes, in one transaction. The statement
// changes one row, or the error is the one given.
func (s *Store) announce(ctx context.Context, notice string, none error, sql string, args ...any) error {
	return s.inTransaction(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return none
		}
		_, err = tx.Exec(ctx, "SELECT pg_notify($1, $2)", s.channel, notice)
		return err
	})
}

// SaveWorkspace inserts or changes a tenant; see engine.Store.
func (s *Store) SaveWorkspace(ctx context.Context, w workspace.Workspace) error {
	body, err := json.Marshal(w)
	if err == nil {
		err = s.announce(ctx, noticeTenant+w.ID, workspace.ErrTaken, `INSERT INTO workspace (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body
			WHERE convert_from(workspace.body, 'UTF8')::json ->> 'created' = convert_from(excluded.body, 'UTF8')::json ->> 'created'`, w.ID, body)
	}
	if err != nil {
		return fmt.Errorf("save workspace %s: %w", w.ID, err)
	}
	return nil
}

// Strategies lists a workspace's versions, oldest first.
func (s *Store) Strategies(ctx context.Context, workspace string) ([]strategy.Source, error) {
	rows, err := s.pool.Query(ctx, "SELECT body, model FROM strategy WHERE workspace = $1 ORDER BY number", workspace)
	var all []strategy.Source
	if err == nil {
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (v strategy.Source, err error) {
			var body, model []byte
			if err := row.Scan(&body, &model); err != nil {
				return v, err
			}
			err = json.Unmarshal(body, &v)
			v.Model = model
			return v, err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("strategies of %s: %w", workspace, err)
	}
	return all, nil
}

// SaveStrategy inserts or replaces a version by its number; see engine.Store.
func (s *Store) SaveStrategy(ctx context.Context, workspace string, v strategy.Source) error {
	model := v.Model
	v.Model = nil // megabytes: beside the JSON, not in it
	body, err := json.Marshal(v)
	if err == nil {
		conflict := "DO UPDATE SET body = excluded.body, model = excluded.model"
		if v.State == strategy.StateDraft {
			conflict = "DO NOTHING"
		}
		err = s.inTransaction(ctx, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, "INSERT INTO strategy (workspace, number, body, model) VALUES ($1, $2, $3, $4) ON CONFLICT (workspace, number) "+conflict,
				workspace, v.Number, body, model)
			if err == nil && tag.RowsAffected() == 0 {
				err = strategy.ErrTaken
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("save strategy %d of %s: %w", v.Number, workspace, err)
	}
	return nil
}

// CurrentStrategy is the number in force, 0 when none is.
func (s *Store) CurrentStrategy(ctx context.Context, workspace string) (number int, err error) {
	err = s.pool.QueryRow(ctx, "SELECT number FROM current_strategy WHERE workspace = $1", workspace).Scan(&number)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("current strategy of %s: %w", workspace, err)
	}
	return number, nil
}

// SetCurrentStrategy puts a version in force and tells the other nodes.
func (s *Store) SetCurrentStrategy(ctx context.Context, workspace string, number int) error {
	err := s.announce(ctx, noticeStrategy+workspace, nil, "INSERT INTO current_strategy (workspace, number) VALUES ($1, $2) ON CONFLICT (workspace) DO UPDATE SET number = excluded.number", workspace, number)
	if err != nil {
		return fmt.Errorf("put strategy %d of %s in force: %w", number, workspace, err)
	}
	return nil
}
