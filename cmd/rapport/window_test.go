package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need/signal"
)

// TestSignalsAgreeWithWindowQueries asks PostgreSQL the same questions in SQL: how
// many within a window, days in a row in a time zone, and nothing for so long after.
func TestSignalsAgreeWithWindowQueries(t *testing.T) {
	t.Parallel()
	address := sharedDatabases(t)().database
	db, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	const people, hour = 800, int64(time.Hour / time.Millisecond)
	from := time.Date(2026, 2, 20, 0, 0, 0, 0, time.UTC).UnixMilli() // over the change of the clock in New York
	now := from + 60*24*hour
	type row struct {
		person int
		at     int64
		name   string
	}
	var rows []row
	lives := make([][]*event.Event, people)
	for person := range people {
		times := map[int64]bool{}
		for range 5 + r.IntN(40) {
			at := from + int64(r.IntN(40*24))*hour/int64(1+person%3)
			if times[at] {
				continue
			}
			times[at] = true
			name := []string{"A", "A", "B"}[r.IntN(3)]
			rows = append(rows, row{person, at, name})
			e := &event.Event{Kind: event.Track, Name: name, Time: time.UnixMilli(at).UTC(), Body: []byte(`{}`)}
			binary.BigEndian.PutUint64(e.ID[:], uint64(len(rows)))
			lives[person] = append(lives[person], e)
		}
		slices.SortFunc(lives[person], func(a, b *event.Event) int { return a.Time.Compare(b.Time) })
		zone := &event.Event{Kind: event.Identify, Time: time.UnixMilli(from - hour).UTC(), Body: []byte(`{"timezone":"America/New_York"}`)}
		lives[person] = slices.Insert(lives[person], 0, zone)
	}
	if _, err := db.Exec(t.Context(), "CREATE TEMPORARY TABLE e (person int, at bigint, name text)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.CopyFrom(t.Context(), pgx.Identifier{"e"}, []string{"person", "at", "name"}, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		return []any{rows[i].person, rows[i].at, rows[i].name}, nil
	})); err != nil {
		t.Fatal(err)
	}
	const k, days = 3, 4
	d := days * 24 * hour
	for _, c := range []struct {
		name       string
		definition signal.Definition
		sql        string
	}{
		{"count", signal.Definition{Form: signal.Count, Event: "A", AtLeast: k, Within: days * 24 * time.Hour},
			fmt.Sprintf(`SELECT person, at FROM (SELECT person, at,
				count(*) OVER (PARTITION BY person ORDER BY at RANGE BETWEEN %d PRECEDING AND CURRENT ROW) AS n,
				count(*) OVER (PARTITION BY person ORDER BY at RANGE BETWEEN %d PRECEDING AND 1 PRECEDING) AS before
				FROM e WHERE name = 'A') w WHERE n >= %d AND before < %d`, d-1, d, k, k)},
		{"streak", signal.Definition{Form: signal.Streak, Event: "A", AtLeast: k, Per: signal.Day},
			fmt.Sprintf(`WITH day AS (SELECT person, (to_timestamp(at / 1000.0) AT TIME ZONE 'America/New_York')::date AS d, min(at) AS at FROM e WHERE name = 'A' GROUP BY 1, 2),
				island AS (SELECT person, at, d - (row_number() OVER (PARTITION BY person ORDER BY d))::int AS i FROM day),
				place AS (SELECT person, at, row_number() OVER (PARTITION BY person, i ORDER BY at) AS n FROM island)
				SELECT person, at FROM place WHERE n = %d`, k)},
		{"absent", signal.Definition{Form: signal.Absent, Event: "B", After: signal.Step{Event: "A"}, Within: days * 24 * time.Hour},
			fmt.Sprintf(`SELECT person, at + %d FROM (SELECT person, at, name, lead(at) OVER (PARTITION BY person ORDER BY at) AS next FROM e) w
				WHERE name = 'A' AND (next IS NULL OR next > at + %d) AND at + %d <= %d`, d, d, d, now)},
	} {
		asked, err := db.Query(t.Context(), c.sql)
		if err != nil {
			t.Fatal(c.name, err)
		}
		want, err := pgx.CollectRows(asked, func(row pgx.CollectableRow) (s string, err error) {
			var person int
			var at int64
			err = row.Scan(&person, &at)
			return fmt.Sprint(person, " at ", at), err
		})
		if err != nil {
			t.Fatal(c.name, err)
		}
		c.definition.ID = c.name
		rules := signal.NewRules([]signal.Definition{c.definition}, nil)
		var got []string
		for person, life := range lives {
			_, fired := rules.Whole(life, time.UnixMilli(now))
			for _, f := range fired {
				if f.UndoneBy == nil {
					got = append(got, fmt.Sprint(person, " at ", f.At.UnixMilli()))
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d firings, SQL finds %d; the first that differ: %v", c.name, len(got), len(want), firstDifference(got, want))
		}
		if len(want) < people/4 {
			t.Errorf("%s: %d firings prove little", c.name, len(want))
		}
		t.Logf("%s: %d firings of %d people", c.name, len(got), people)
	}
}

func firstDifference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return a[i] + " and " + b[i]
		}
	}
	return "the end"
}
