package sqlite

import (
	"database/sql/driver"
	"os"
	"path/filepath"
	"testing"
)

// TestKnowingAnEventCostsFewBytes measures what deduplication adds to an event on the
// disk: its id in the log, and the known ids that a restart reads, or, when they are
// older than a month, the sorted ones by which an old event still opens. Pages of the
// two tables are counted whole, with what is free in them.
func TestKnowingAnEventCostsFewBytes(t *testing.T) {
	t.Parallel()
	const events = 60_000
	dir := t.TempDir()
	s := openAt(t, Options{Dir: dir})
	for _, b := range crowd(1, events, 2000, 500) {
		commit(t, s, "shop", b...)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "rapport.db")
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	c, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	// The folder without the known ids, and with them.
	count := 0
	if err := c.once("SELECT COUNT(*) FROM piece WHERE name LIKE 'seen/%'", func(row []driver.Value) error { count = int(integer(row[0])); return nil }); err != nil || count == 0 {
		t.Fatalf("%d pieces of known ids: %v", count, err)
	}
	for _, sql := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if err := c.once(sql, func([]driver.Value) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	with := size()
	for _, sql := range []string{"DELETE FROM piece WHERE name LIKE 'seen/%'", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if err := c.once(sql, func([]driver.Value) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	each := float64(with-size())/events + 16 // the id in the event's frame
	t.Logf("%.1f bytes an event", each)
	if each > 40 {
		t.Errorf("deduplication costs %.1f bytes an event, wanted 40 at most", each)
	}
}
