package postgres

import (
	"fmt"
	"testing"

	"github.com/rapport-cx/rapport/event"
)

// TestKnowingAnEventByItsID measures what deduplication adds to an event in the database:
// its id in the row and the unique index over all ids. Unlike SQLite's, it is above 40
// bytes: an index page that random ids split is a third empty. The bound here keeps it
// from growing unseen; sorted blocks of ids would be the way below it.
func TestKnowingAnEventByItsID(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: database(t)})
	const events = 30_000
	for i := 0; i < events; i += 1000 {
		var b []event.Event
		for n := range 1000 {
			b = append(b, visit("", fmt.Sprint("a-", n%700), "Page Viewed", i+n, `{"path":"/"}`))
		}
		commit(t, s, b...)
	}
	var index int64
	if err := s.pool.QueryRow(ctx, "SELECT pg_relation_size('log_id')").Scan(&index); err != nil {
		t.Fatal(err)
	}
	each := float64(index)/events + 16
	t.Logf("%.1f bytes an event", each)
	if each > 62 {
		t.Errorf("knowing an event costs %.1f bytes", each)
	}
}
