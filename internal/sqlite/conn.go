package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	modernc "modernc.org/sqlite"
)

// conn is one connection to the database file, used by one goroutine at a time.
// The driver is spoken to directly: database/sql costs about as much as the
// insert itself.
type conn struct {
	c driver.Conn
}

func dial(path string) (*conn, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath()
	c, err := new(modernc.Driver).Open(dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d := &conn{c}
	for _, pragma := range []string{
		"PRAGMA busy_timeout=10000",
		"PRAGMA journal_mode=WAL",
		"PRAGMA synchronous=FULL",
		"PRAGMA wal_autocheckpoint=8000", // a backstop: the copier is there long before
		"PRAGMA temp_store=MEMORY",
		"PRAGMA secure_delete=ON", // what a person has erased is overwritten
	} {
		if err := d.exec(pragma); err != nil {
			c.Close()
			return nil, fmt.Errorf("open %s: %s: %w", path, strings.ToLower(pragma), err)
		}
	}
	return d, nil
}

// exec runs statements that need no arguments and give no rows.
func (d *conn) exec(sql string) error {
	_, err := d.c.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return err
}

func (d *conn) close() error { return d.c.Close() }

func (d *conn) prepare(sql string) (*stmt, error) {
	s, err := d.c.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", sql, err)
	}
	return &stmt{s: s, ex: s.(driver.StmtExecContext), qu: s.(driver.StmtQueryContext)}, nil
}

// once prepares, queries and closes; for what runs seldom.
func (d *conn) once(sql string, each func(row []driver.Value) error, args ...driver.Value) error {
	s, err := d.prepare(sql)
	if err != nil {
		return err
	}
	defer s.close()
	return s.query(each, args...)
}

// stmt is a prepared statement with room for its arguments.
type stmt struct {
	s    driver.Stmt
	ex   driver.StmtExecContext
	qu   driver.StmtQueryContext
	args []driver.NamedValue
}

func (s *stmt) bind(args []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s.args
}

// exec returns how many rows changed.
func (s *stmt) exec(args ...driver.Value) (int64, error) {
	r, err := s.ex.ExecContext(context.Background(), s.bind(args))
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// errStop ends a query early without being an error.
var errStop = errors.New("stop")

// query calls each for every row. The values are its own; the slice is reused.
func (s *stmt) query(each func(row []driver.Value) error, args ...driver.Value) (err error) {
	rows, err := s.qu.QueryContext(context.Background(), s.bind(args))
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(row); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := each(row); err == errStop {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (s *stmt) close() { s.s.Close() }

// blob reads a column that may be empty (the driver gives nil for it).
func blob(v driver.Value) []byte { b, _ := v.([]byte); return b }

// text reads a text column.
func text(v driver.Value) string { s, _ := v.(string); return s }

// integer reads an integer column.
func integer(v driver.Value) int64 { n, _ := v.(int64); return n }
