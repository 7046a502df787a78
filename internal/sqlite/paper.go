package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/rapport-cx/rapport/workspace"
)

// SavePapers writes papers, all or none, replacing those of the same kind and id;
// one without a body is thrown away. It returns when they are on stable storage.
func (s *Store) SavePapers(ctx context.Context, of string, papers []workspace.Paper) error {
	if len(papers) == 0 {
		return nil
	}
	err := s.do(ctx, func(w *writer) (func(), error) {
		save, err := w.c.prepare("INSERT OR REPLACE INTO paper (workspace, kind, id, body) VALUES (?, ?, ?, ?)")
		if err != nil {
			return nil, err
		}
		defer save.close()
		drop, err := w.c.prepare("DELETE FROM paper WHERE workspace = ? AND kind = ? AND id = ?")
		if err != nil {
			return nil, err
		}
		defer drop.close()
		for _, p := range papers {
			if p.Body == nil {
				_, err = drop.exec(of, p.Kind, p.ID)
			} else {
				_, err = save.exec(of, p.Kind, p.ID, p.Body)
			}
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", p.Kind, p.ID, err)
			}
		}
		return nil, nil
	})
	if err != nil {
		return fmt.Errorf("papers of %s: %w", of, err)
	}
	return nil
}

// Papers lists up to limit papers of a kind by id, beginning behind after.
func (s *Store) Papers(ctx context.Context, of, kind, after string, limit int) ([]workspace.Paper, error) {
	var all []workspace.Paper
	err := s.readers.with(ctx, func(r *reader) error {
		return r.c.once("SELECT id, body FROM paper WHERE workspace = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?", func(row []driver.Value) error {
			all = append(all, workspace.Paper{Kind: kind, ID: text(row[0]), Body: append([]byte{}, blob(row[1])...)})
			return nil
		}, of, kind, after, int64(limit))
	})
	if err != nil {
		return nil, fmt.Errorf("papers %s of %s: %w", kind, of, err)
	}
	return all, nil
}

// Paper reads one; ok is false when there is none.
func (s *Store) Paper(ctx context.Context, of, kind, id string) (p workspace.Paper, ok bool, err error) {
	err = s.readers.with(ctx, func(r *reader) error {
		return r.c.once("SELECT body FROM paper WHERE workspace = ? AND kind = ? AND id = ?", func(row []driver.Value) error {
			p, ok = workspace.Paper{Kind: kind, ID: id, Body: append([]byte{}, blob(row[0])...)}, true
			return nil
		}, of, kind, id)
	})
	if err != nil {
		return p, false, fmt.Errorf("paper %s %s of %s: %w", kind, id, of, err)
	}
	return p, ok, nil
}

// CountPapers says how many papers of a kind there are, and their bytes.
func (s *Store) CountPapers(ctx context.Context, of, kind string) (n int, bytes int64, err error) {
	err = s.readers.with(ctx, func(r *reader) error {
		return r.c.once("SELECT count(*), coalesce(sum(length(body)), 0) FROM paper WHERE workspace = ? AND kind = ?", func(row []driver.Value) error {
			n, bytes = int(integer(row[0])), integer(row[1])
			return nil
		}, of, kind)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("papers %s of %s: %w", kind, of, err)
	}
	return n, bytes, nil
}
