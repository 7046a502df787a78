package sqlite

import (
	"database/sql/driver"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to the newest version, one transaction a step, or one for
// all where there is nothing yet. The version is SQLite's own user_version, which
// commits with the step that sets it.
func migrate(d *conn) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var version int64
	if err := d.once("PRAGMA user_version", func(row []driver.Value) error { version = integer(row[0]); return nil }); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version > int64(len(names)) {
		return fmt.Errorf("the data folder was written by a newer build (schema %d, this build knows %d)", version, len(names))
	}
	pending := slices.Collect(slices.Chunk(names[version:], 1))
	if version == 0 {
		pending = [][]string{names}
	}
	for _, step := range pending {
		sql := "BEGIN IMMEDIATE;\n"
		for _, name := range step {
			text, err := migrations.ReadFile(name)
			if err != nil {
				return err
			}
			version++
			sql += string(text) + "\n"
		}
		if err := d.exec(fmt.Sprintf("%sPRAGMA user_version=%d;\nCOMMIT;", sql, version)); err != nil {
			d.exec("ROLLBACK")
			return fmt.Errorf("migrate with %s: %w", strings.Join(step, ", "), err)
		}
	}
	return nil
}
