package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/workspace"
)

// SavePapers writes papers, all or none, replacing those of the same kind and id;
// one without a body is thrown away. It returns when they are on stable storage.
func (s *Store) SavePapers(ctx context.Context, of string, papers []workspace.Paper) error {
	if len(papers) == 0 {
		return nil
	}
	err := s.inTransaction(ctx, func(tx pgx.Tx) error {
		var all pgx.Batch
		for _, p := range papers {
			if p.Body == nil {
				all.Queue("DELETE FROM paper WHERE workspace = $1 AND kind = $2 AND id = $3", of, p.Kind, p.ID)
			} else {
				all.Queue(`INSERT INTO paper (workspace, kind, id, body) VALUES ($1, $2, $3, $4)
					ON CONFLICT (workspace, kind, id) DO UPDATE SET body = excluded.body`, of, p.Kind, p.ID, p.Body)
			}
		}
		return tx.SendBatch(ctx, &all).Close()
	})
	if err != nil {
		return fmt.Errorf("papers of %s: %w", of, err)
	}
	return nil
}

// Papers lists up to limit papers of a kind by id, beginning behind after.
func (s *Store) Papers(ctx context.Context, of, kind, after string, limit int) ([]workspace.Paper, error) {
	if !storable(of, kind, after) {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, "SELECT id, body FROM paper WHERE workspace = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4", of, kind, after, limit)
	var all []workspace.Paper
	if err == nil {
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (workspace.Paper, error) {
			p := workspace.Paper{Kind: kind}
			return p, row.Scan(&p.ID, &p.Body)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("papers %s of %s: %w", kind, of, err)
	}
	return all, nil
}

// Paper reads one; ok is false when there is none.
func (s *Store) Paper(ctx context.Context, of, kind, id string) (p workspace.Paper, ok bool, err error) {
	p = workspace.Paper{Kind: kind, ID: id}
	if !storable(of, kind, id) {
		return p, false, nil
	}
	err = s.pool.QueryRow(ctx, "SELECT body FROM paper WHERE workspace = $1 AND kind = $2 AND id = $3", of, kind, id).Scan(&p.Body)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return p, false, nil
	case err != nil:
		return p, false, fmt.Errorf("paper %s %s of %s: %w", kind, id, of, err)
	}
	return p, true, nil
}

// CountPapers says how many papers of a kind there are, and their bytes.
func (s *Store) CountPapers(ctx context.Context, of, kind string) (n int, bytes int64, err error) {
	err = s.pool.QueryRow(ctx, "SELECT count(*), coalesce(sum(length(body)), 0)::bigint FROM paper WHERE workspace = $1 AND kind = $2", of, kind).Scan(&n, &bytes)
	if err != nil {
		return 0, 0, fmt.Errorf("papers %s of %s: %w", kind, of, err)
	}
	return n, bytes, nil
}
