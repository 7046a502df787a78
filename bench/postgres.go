package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/postgres"
	"github.com/rapport-cx/rapport/internal/storage/pgtest"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/profile/click"
	"github.com/rapport-cx/rapport/profile/topic"
)

const (
	copyGroup   = 500 // events a batch of ours, and rows a bare COPY
	copySenders = 4
	copyRounds  = 3
)

// postgres measures commits of batches of 500, identity, catalogue and followers in the
// path, beside a bare COPY of the very rows they made into the same table with the same
// indexes. Each round has empty houses on one durable server; the best round counts.
func (b *bench) postgres(r *report) error {
	ctx := context.Background()
	server, err := pgtest.Start(ctx, pgtest.Options{Durable: true})
	if errors.Is(err, pgtest.ErrNotInstalled) {
		r.line("PostgreSQL batches of 500", "not measured: "+err.Error(), "", nil)
		return nil
	}
	if err != nil {
		return err
	}
	defer server.Stop()
	events := 30_000 * max(1, int(b.length.Seconds())/2)
	best, ours, bare := 0.0, 0.0, 0.0
	var here, there, bareThere time.Duration
	for round := range copyRounds {
		address, err := server.Schema(ctx, fmt.Sprint("ours", round))
		if err != nil {
			return err
		}
		rows, mine, cpu, serverCPU, err := commitAll(ctx, server, address, events)
		if err != nil {
			return err
		}
		if address, err = server.Schema(ctx, fmt.Sprint("bare", round)); err != nil {
			return err
		}
		copied, copyCPU, err := copyAll(ctx, server, address, rows)
		if err != nil {
			return err
		}
		here, there, bareThere = here+cpu, there+serverCPU, bareThere+copyCPU
		if mine/copied > best {
			best, ours, bare = mine/copied, mine, copied
		}
	}
	each := func(d time.Duration) float64 { return micros(d / time.Duration(events*copyRounds)) }
	r.line("bare PostgreSQL COPY of 500, same rows and indexes", fmt.Sprintf("%.1f µs server CPU, %.0f/s", each(bareThere), bare), "", nil)
	r.line("PostgreSQL batches of 500, 4 senders (best of 3)", fmt.Sprintf("%.1f µs node + %.1f µs server CPU, %.0f/s, %.0f %% of bare (%.0f %% by CPU)", each(here), each(there), ours, best*100, 100*bareThere.Seconds()/max((here+there).Seconds(), 1e-9)), ">= 40 % of bare", verdict(best >= .4))
	return nil
}

// commitAll commits events of many people through a store, and reads back the rows that
// they made, each in the binary form of COPY.
func commitAll(ctx context.Context, server *pgtest.Server, address string, events int) (rows [][]byte, perSecond float64, cpu, serverCPU time.Duration, err error) {
	s, err := postgres.Open(ctx, postgres.Options{URL: address, Shelf: new(candidate.Shelves),
		Followers: []journal.Follower{&profile.Registry{}, candidate.NewCohorts(), &click.Heat{}, &topic.Topics{}}})
	if err != nil {
		return nil, 0, 0, 0, err
	}
	defer s.Close()
	batches := make([][]event.Event, events/copyGroup)
	for i := range batches {
		batches[i] = make([]event.Event, copyGroup)
		for n := range batches[i] {
			batches[i][n] = plainEvent(i*copyGroup + n)
		}
	}
	if _, err := s.Commit(ctx, journal.Batch{Workspace: "bench", Events: []event.Event{plainEvent(-1)}}); err != nil {
		return nil, 0, 0, 0, err
	}
	before, serverBefore, begun := ownCPU(), server.CPU(), time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, copySenders)
	for range copySenders {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(batches) {
					return
				}
				if _, err := s.Commit(ctx, journal.Batch{Workspace: "bench", Events: batches[i]}); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begun)
	cpu, serverCPU = ownCPU()-before, server.CPU()-serverBefore
	select {
	case err := <-failed:
		return nil, 0, 0, 0, err
	default:
	}
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, 0, 0, 0, err
	}
	defer c.Close(ctx)
	var out bytes.Buffer
	if _, err := c.PgConn().CopyTo(ctx, &out, "COPY (SELECT * FROM log ORDER BY position) TO STDOUT BINARY"); err != nil {
		return nil, 0, 0, 0, err
	}
	return tuples(out.Bytes()), float64(events) / took.Seconds(), cpu, serverCPU, nil
}

// copySignature begins a binary COPY: eleven bytes, flags, and the length of what follows.
var copySignature = append([]byte("PGCOPY\n\xff\r\n\x00"), 0, 0, 0, 0, 0, 0, 0, 0)

// tuples cuts a binary COPY into its rows.
func tuples(b []byte) (rows [][]byte) {
	b = b[len(copySignature):]
	for len(b) >= 2 && binary.BigEndian.Uint16(b) != 0xffff {
		n, at := int(binary.BigEndian.Uint16(b)), 2
		for range n {
			size := int32(binary.BigEndian.Uint32(b[at:]))
			at += 4 + int(max(size, 0))
		}
		rows, b = append(rows, b[:at:at]), b[at:]
	}
	return rows
}

// copyAll copies rows into an empty house, 500 a transaction.
func copyAll(ctx context.Context, server *pgtest.Server, address string, rows [][]byte) (perSecond float64, serverCPU time.Duration, err error) {
	s, err := postgres.Open(ctx, postgres.Options{URL: address}) // makes the tables
	if err != nil {
		return 0, 0, err
	}
	if err := s.Close(); err != nil {
		return 0, 0, err
	}
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close(ctx)
	var groups [][]byte
	for i := 0; i < len(rows); i += copyGroup {
		group := bytes.Clone(copySignature)
		for _, row := range rows[i:min(i+copyGroup, len(rows))] {
			group = append(group, row...)
		}
		groups = append(groups, append(group, 0xff, 0xff))
	}
	before, begun := server.CPU(), time.Now()
	for _, g := range groups {
		if _, err := c.PgConn().CopyFrom(ctx, bytes.NewReader(g), "COPY log FROM STDIN BINARY"); err != nil {
			return 0, 0, err
		}
	}
	return float64(len(rows)) / time.Since(begun).Seconds(), server.CPU() - before, nil
}

// plainEvent is an event as oneEvent sends it, decoded.
func plainEvent(n int) event.Event {
	e := event.Event{
		Kind: event.Track, Name: names[(n+len(names))%len(names)], UserID: fmt.Sprint("user-", n*7919%persons),
		Time: time.Now().UTC().Truncate(time.Millisecond), Verified: true,
		Body:    fmt.Appendf(nil, `{"product_id":"p-%d","price":%d.5,"currency":"CNY","path":"/shop/item/%d","title":"Featherlight 14, silver","symptom":"overheat","category":"laptop"}`, n%997, n%500, n%997),
		Context: []byte(`{"locale":"zh-CN","userAgent":"Mozilla/5.0 (X11; Linux x86_64)"}`),
	}
	e.Received = e.Time
	rand.Read(e.ID[:])
	return e
}
