package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to the newest version, one transaction a step. Nodes
// that start together go one by one, under a lock that ends with the transaction.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	for done := false; !done; {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if err := lockFor(ctx, tx, "migrate"); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)"); err != nil {
				return err
			}
			var version int
			if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM schema_version").Scan(&version); err != nil {
				return err
			}
			if version > len(names) {
				return fmt.Errorf("the database was written by a newer build (schema %d, this build knows %d)", version, len(names))
			}
			if done = version == len(names); done {
				return nil
			}
			sql, err := migrations.ReadFile(names[version])
			if err != nil {
				return err
			}
			if _, err := tx.Conn().PgConn().Exec(ctx, string(sql)).ReadAll(); err != nil {
				return fmt.Errorf("migrate with %s: %w", names[version], err)
			}
			_, err = tx.Exec(ctx, "INSERT INTO schema_version VALUES ($1)", version+1)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lockFor takes a lock of a name until the transaction ends. Houses in other
// schemas of the same database have locks of their own.
func lockFor(ctx context.Context, tx pgx.Tx, name string) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock("+lockNumber+")", "rapport "+name)
	return err
}

// lockNumber is the number of a name's lock.
const lockNumber = "hashtextextended(current_schema() || ' ' || $1, 0)"
