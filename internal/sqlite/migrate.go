package sqlite

import (
	"database/sql/driver"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to the newest version, one transaction a step. The
// version is SQLite's own user_version, which commits with the step that sets it.
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
	for i := int(version); i < len(names); i++ {
		sql, err := migrations.ReadFile(names[i])
		if err != nil {
			return err
		}
		step := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA user_version=%d;\nCOMMIT;", sql, i+1)
		if err := d.exec(step); err != nil {
			d.exec("ROLLBACK")
			return fmt.Errorf("migrate with %s: %w", names[i], err)
		}
	}
	return nil
}
