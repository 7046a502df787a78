//go:build unix

package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/profile/click"
)

// cpu is the processor time of this process so far. Wall time on a shared machine
// is noise; compare this, with the bare loop of the same run.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func report(b *testing.B, events int, spent, wall time.Duration) {
	b.ReportMetric(float64(spent.Microseconds())/float64(events), "cpu-µs/event")
	b.ReportMetric(float64(events)/wall.Seconds(), "events/s")
	b.ReportMetric(0, "ns/op")
}

// benchEvents is how many events one round of a benchmark stores.
const benchEvents = 200_000

// send commits batches from many senders at once.
func send(b *testing.B, s *Store, batches [][]event.Event, senders int) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(batches) {
					return
				}
				if _, err := s.Commit(context.Background(), journal.Batch{Workspace: "shop", Events: batches[i]}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// followers are those of the product.
func followers() []journal.Follower {
	return []journal.Follower{&profile.Registry{}, candidate.NewCohorts(), &click.Heat{}}
}

func benchCommit(b *testing.B, n, batch, senders int) {
	var spent, wall time.Duration
	events := 0
	for i := range b.N {
		batches := crowd(uint64(i+1), uint64(n), 100_000, batch)
		s := openAt(b, Options{Dir: b.TempDir(), Shelf: new(candidate.Shelves), Followers: followers()})
		began, from := time.Now(), cpu()
		send(b, s, batches, senders)
		spent, wall = spent+cpu()-from, wall+time.Since(began)
		events += n
		st := s.Stats()
		b.ReportMetric(float64(st.Events)/float64(st.Commits), "events/commit")
		s.Close()
	}
	report(b, events, spent, wall)
}

func BenchmarkBatchesOf100(b *testing.B) { benchCommit(b, benchEvents, 100, 16) }
func BenchmarkSingles(b *testing.B)      { benchCommit(b, benchEvents/10, 1, 64) }

// benchBare is the bare loop: one row an event in groups of 100, through database/sql.
func benchBare(b *testing.B, index bool, n, batch int) {
	var spent, wall time.Duration
	events := 0
	for i := range b.N {
		batches := crowd(uint64(i+1), uint64(n), 100_000, batch)
		db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
		if err != nil {
			b.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		if _, err := db.Exec("CREATE TABLE e (id INTEGER PRIMARY KEY, person TEXT, at INTEGER, body BLOB)"); err != nil {
			b.Fatal(err)
		}
		if index {
			if _, err := db.Exec("CREATE INDEX e_person ON e (person, at)"); err != nil {
				b.Fatal(err)
			}
		}
		began, from := time.Now(), cpu()
		for _, events := range batches {
			tx, err := db.Begin()
			if err != nil {
				b.Fatal(err)
			}
			insert, err := tx.Prepare("INSERT INTO e (person, at, body) VALUES (?, ?, ?)")
			if err != nil {
				b.Fatal(err)
			}
			for k := range events {
				e := &events[k]
				if _, err := insert.Exec(identity.KeyOf(e).Value, e.Time.UnixMilli(), []byte(e.Body)); err != nil {
					b.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				b.Fatal(err)
			}
		}
		spent, wall = spent+cpu()-from, wall+time.Since(began)
		events += n
		db.Close()
	}
	report(b, events, spent, wall)
}

func BenchmarkBareIndexedBatchesOf100(b *testing.B) { benchBare(b, true, benchEvents, 100) }
func BenchmarkBareBatchesOf100(b *testing.B)        { benchBare(b, false, benchEvents, 100) }
func BenchmarkBareSingles(b *testing.B)             { benchBare(b, false, benchEvents/50, 1) }

// BenchmarkRestart opens a folder of a million events: after a clean end, and with
// nothing but the log (a full rebuild).
func BenchmarkRestart(b *testing.B) {
	const n = 1_000_000
	dir := b.TempDir()
	s := openAt(b, Options{Dir: dir, Shelf: new(candidate.Shelves), Followers: followers()})
	for seed := range uint64(10) {
		send(b, s, crowd(seed+1, n/10, 100_000, 1000), 4)
	}
	killed := b.TempDir()
	err := s.do(context.Background(), func(*writer) (func(), error) { // nobody writes meanwhile
		for _, name := range []string{"rapport.db", "rapport.db-wal"} { // as a kill would leave them
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(killed, name), data, 0o600)
			}
			if err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	s.Close()
	b.Run("killed", func(b *testing.B) {
		if b.N > 1 {
			b.Skip("the first start ends it; run with -benchtime 1x")
		}
		benchOpen(b, killed, n, Open)
	})
	b.Run("clean", func(b *testing.B) { benchOpen(b, dir, n, Open) })
	b.Run("rebuild", func(b *testing.B) {
		benchOpen(b, dir, n, func(ctx context.Context, o Options) (*Store, error) { return open(ctx, o, true) })
	})
}

func benchOpen(b *testing.B, dir string, n int, open func(context.Context, Options) (*Store, error)) {
	var spent, wall time.Duration
	for range b.N {
		began, from := time.Now(), cpu()
		s, err := open(context.Background(), Options{Dir: dir, Shelf: new(candidate.Shelves), Followers: followers()})
		if err != nil {
			b.Fatal(err)
		}
		spent, wall = spent+cpu()-from, wall+time.Since(began)
		if st := s.Stats(); st.KnownIDs != n {
			b.Fatalf("%d events, %d known", n, st.KnownIDs)
		}
		s.Close()
	}
	b.ReportMetric(wall.Seconds()*1000/float64(b.N), "ms")
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N*n), "cpu-µs/event")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkOpenEmpty is a start on an empty folder.
func BenchmarkOpenEmpty(b *testing.B) {
	for range b.N {
		s, err := Open(context.Background(), Options{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

// BenchmarkColdProfile folds people who are not in memory, 30 events each.
func BenchmarkColdProfile(b *testing.B) {
	s := openAt(b, Options{Dir: b.TempDir(), ProfileBytes: 1, RowBytes: 1})
	send(b, s, crowd(1, 90_000, 3000, 100), 4)
	b.ResetTimer()
	from := cpu()
	for i := range b.N {
		k := []identity.Key{identity.User(numbered("u", i%3000)), identity.Anonymous(numbered("a", i%3000))}
		p, err := s.Profile(context.Background(), journal.Scope{Workspace: "shop", Keys: k})
		if err != nil || p.Events == 0 {
			b.Fatal(err, p)
		}
	}
	b.ReportMetric(float64((cpu()-from).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkHotProfile asks for people who are in memory.
func BenchmarkHotProfile(b *testing.B) {
	s := openAt(b, Options{Dir: b.TempDir()})
	send(b, s, crowd(1, 9_000, 300, 100), 4)
	b.ReportAllocs()
	for i := range b.N {
		k := []identity.Key{identity.User(numbered("u", i%300)), identity.Anonymous(numbered("a", i%300))}
		if _, err := s.Profile(context.Background(), journal.Scope{Workspace: "shop", Keys: k}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecisions commits ledger entries of 4 kB from 8 senders.
func BenchmarkDecisions(b *testing.B) {
	s := openAt(b, Options{Dir: b.TempDir()})
	body := make([]byte, 4096)
	began, from := time.Now(), cpu()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				n := int(next.Add(1))
				if n > b.N {
					return
				}
				e := ledger.Entry{ID: idOf(uint64(n)).String(), Person: numbered("per_", n%5000), At: day0.Add(time.Duration(n) * time.Millisecond), Actions: []string{"explain"}, Bytes: body}
				if _, err := s.Commit(context.Background(), journal.Batch{Workspace: "shop", Decision: &e}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	report(b, b.N, cpu()-from, time.Since(began))
	b.ReportMetric(float64(b.N)/float64(s.Stats().Commits), "decisions/commit")
}

// BenchmarkBareFsync appends 4 kB to a file and syncs it: what a disk costs.
func BenchmarkBareFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	body := make([]byte, 4096)
	began, from := time.Now(), cpu()
	for range b.N {
		if _, err := f.Write(body); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	report(b, b.N, cpu()-from, time.Since(began))
}
