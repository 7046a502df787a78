package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// Person says who a key belongs to; see engine.Store.
func (s *Store) Person(ctx context.Context, workspace string, key identity.Key) (p identity.Person, known bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.words.byID[workspace]; t != nil {
		p, _, known = t.graph.Resolve(key)
		return p, known, nil
	}
	p, _, _ = identity.NewGraph(workspace).Resolve(key)
	return p, false, nil
}

// PersonByID finds a person by their id, or by one they had before a merge.
func (s *Store) PersonByID(ctx context.Context, workspace string, id identity.PersonID) (p identity.Person, known bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.words.byID[workspace]; t != nil {
		p, _, known = t.graph.ByID(id)
	}
	return p, known, nil
}

// People lists persons who have a user id, the newest first.
func (s *Store) People(ctx context.Context, workspace string, before uint32, limit int) (people []identity.Person, next uint32, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.words.byID[workspace]; t != nil {
		people, next = t.graph.People(before, limit)
	}
	return people, next, nil
}

// Apart tells that an unmerge in force keeps two persons apart.
func (s *Store) Apart(ctx context.Context, workspace string, a, b identity.PersonID) (apart bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.words.byID[workspace]; t != nil {
		_, x, _ := t.graph.ByID(a)
		_, y, _ := t.graph.ByID(b)
		apart = t.graph.Apart(x, y)
	}
	return apart, nil
}

// Identifiers are what a workspace said of kinds of ids.
func (s *Store) Identifiers(ctx context.Context, workspace string) (rules []identity.Rule, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.words.byID[workspace]; t != nil {
		rules = t.graph.Rules()
	}
	return rules, nil
}

var errNoShelf = errors.New("the store was opened without a shelf")

// Catalogue is a workspace's shelf at a revision; 0 means now.
func (s *Store) Catalogue(ctx context.Context, workspace string, revision uint64) (candidate.View, error) {
	if s.options.Shelf == nil {
		return nil, fmt.Errorf("catalogue of %s: %w", workspace, errNoShelf)
	}
	return s.options.Shelf.View(workspace, revision)
}

// Workspaces lists all tenants by id.
func (s *Store) Workspaces(ctx context.Context) ([]workspace.Workspace, error) {
	var all []workspace.Workspace
	err := s.readers.with(ctx, func(r *reader) error {
		return r.c.once("SELECT body FROM workspace ORDER BY id", func(row []driver.Value) error {
			var w workspace.Workspace
			if err := json.Unmarshal(blob(row[0]), &w); err != nil {
				return err
			}
			all = append(all, w)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("workspaces: %w", err)
	}
	return all, nil
}

// SaveWorkspace inserts or changes a tenant; see engine.Store.
func (s *Store) SaveWorkspace(ctx context.Context, w workspace.Workspace) error {
	body, err := json.Marshal(w)
	if err == nil {
		var saved int64
		saved, err = s.put(ctx, `INSERT INTO workspace (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body
			WHERE json_extract(CAST(workspace.body AS TEXT), '$.created') = json_extract(CAST(excluded.body AS TEXT), '$.created')`, w.ID, body)
		if err == nil && saved == 0 {
			err = workspace.ErrTaken
		}
	}
	if err != nil {
		return fmt.Errorf("save workspace %s: %w", w.ID, err)
	}
	return nil
}

// put runs one statement in the writer and tells how many rows it changed.
func (s *Store) put(ctx context.Context, sql string, args ...driver.Value) (changed int64, err error) {
	err = s.do(ctx, func(w *writer) (func(), error) {
		st, err := w.c.prepare(sql)
		if err != nil {
			return nil, err
		}
		defer st.close()
		changed, err = st.exec(args...)
		return nil, err
	})
	return changed, err
}

// Strategies lists a workspace's versions, oldest first.
func (s *Store) Strategies(ctx context.Context, workspace string) ([]strategy.Source, error) {
	var all []strategy.Source
	err := s.readers.with(ctx, func(r *reader) error {
		return r.c.once("SELECT body, model FROM strategy WHERE workspace = ? ORDER BY number", func(row []driver.Value) error {
			var v strategy.Source
			if err := json.Unmarshal(blob(row[0]), &v); err != nil {
				return err
			}
			v.Model = blob(row[1])
			all = append(all, v)
			return nil
		}, workspace)
	})
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
		verb := "INSERT OR REPLACE"
		if v.State == strategy.StateDraft {
			verb = "INSERT OR IGNORE"
		}
		var saved int64
		saved, err = s.put(ctx, verb+" INTO strategy (workspace, number, body, model) VALUES (?, ?, ?, ?)", workspace, int64(v.Number), body, model)
		if err == nil && saved == 0 {
			err = strategy.ErrTaken
		}
	}
	if err != nil {
		return fmt.Errorf("save strategy %d of %s: %w", v.Number, workspace, err)
	}
	return nil
}

// CurrentStrategy is the number in force, 0 when none is.
func (s *Store) CurrentStrategy(ctx context.Context, workspace string) (number int, err error) {
	err = s.readers.with(ctx, func(r *reader) error {
		return r.c.once("SELECT number FROM current_strategy WHERE workspace = ?", func(row []driver.Value) error {
			number = int(integer(row[0]))
			return nil
		}, workspace)
	})
	if err != nil {
		return 0, fmt.Errorf("current strategy of %s: %w", workspace, err)
	}
	return number, nil
}

// Notices is nil: the folder is this process's alone; see engine.Store.
func (s *Store) Notices() <-chan journal.Notice { return nil }

// SetCurrentStrategy puts a version in force.
func (s *Store) SetCurrentStrategy(ctx context.Context, workspace string, number int) error {
	if _, err := s.put(ctx, "INSERT OR REPLACE INTO current_strategy (workspace, number) VALUES (?, ?)", workspace, int64(number)); err != nil {
		return fmt.Errorf("put strategy %d of %s in force: %w", number, workspace, err)
	}
	return nil
}
