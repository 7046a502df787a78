//go:build linux

package postgres

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/pgtest"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/profile/click"
)

// spent is processor time: of this process, and of the server with its connections.
type spent struct{ here, server time.Duration }

func (s spent) sum() time.Duration { return s.here + s.server }

func (s spent) since(o spent) spent { return spent{s.here - o.here, s.server - o.server} }

func used(server *pgtest.Server) (s spent) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		s.here = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	s.server = server.CPU()
	return s
}

// crowd are n events of many people, in batches.
func crowd(n, batch int) (all [][]event.Event) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := 0; i < n; i += batch {
		var b []event.Event
		for k := range batch {
			person := r.IntN(n / 10)
			e := visit("", fmt.Sprint("anonymous-", person), []string{"Product Viewed", "Product Added", "Page Viewed"}[k%3], i+k,
				fmt.Sprintf(`{"product_id":"kettle-%d","price":129.5,"currency":"CNY","list":"spring offers","position":%d,"note":"a line of text as shops send it with their events, neither short nor long"}`, k%50, k%7))
			if person%3 == 0 {
				e.UserID = fmt.Sprint("customer-", person)
			}
			e.Context = []byte(`{"page":{"path":"/kettles","title":"Kettles"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64)","locale":"zh-CN"}`)
			b = append(b, e)
		}
		all = append(all, b)
	}
	return all
}

// BenchmarkBesideBareCopy commits batches of 100 from 16 senders, and copies the same
// bytes into the same table with the same indexes in groups of 500, each on a durable
// server and an empty house. cpu-ratio and wall-ratio are bare ÷ ours: 1 is as cheap
// as bare.
func BenchmarkBesideBareCopy(b *testing.B) {
	const events, batch, group, senders = 60_000, 100, 500, 16
	server, err := pgtest.Start(ctx, pgtest.Options{Durable: true})
	if err != nil {
		b.Skip(err)
	}
	defer server.Stop()
	house := func(name string) string {
		address, err := server.Schema(ctx, name)
		if err != nil {
			b.Fatal(err)
		}
		return address
	}
	batches := crowd(events, batch)
	var ours, bare spent
	var oursWall, bareWall time.Duration
	for i := range b.N {
		s := open(b, Options{URL: house(fmt.Sprint("ours", i)), Shelf: new(candidate.Shelves),
			Followers: []journal.Follower{&profile.Registry{}, candidate.NewCohorts(), &click.Heat{}}})
		commit(b, s)
		from, began := used(server), time.Now()
		send(b, s, batches, senders)
		oursWall += time.Since(began)
		t := used(server).since(from)
		ours.here, ours.server = ours.here+t.here, ours.server+t.server

		s.Close()
		other := open(b, Options{URL: house(fmt.Sprint("bare", i))})
		groups := copies(batches, group)
		c, err := other.pool.Acquire(ctx)
		if err != nil {
			b.Fatal(err)
		}
		from, began = used(server), time.Now()
		for _, g := range groups {
			if _, err := c.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(g), "COPY log (workspace, position, at, id, key, event) FROM STDIN BINARY"); err != nil {
				b.Fatal(err)
			}
		}
		bareWall += time.Since(began)
		t = used(server).since(from)
		bare.here, bare.server = bare.here+t.here, bare.server+t.server
		c.Release()
		other.Close()
	}
	n := float64(events * b.N)
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / n }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(each(ours.here), "node-µs/event")
	b.ReportMetric(each(ours.server), "server-µs/event")
	b.ReportMetric(each(bare.sum()), "bare-µs/event")
	b.ReportMetric(float64(bare.sum())/float64(ours.sum()), "cpu-ratio")
	b.ReportMetric(float64(bareWall)/float64(oursWall), "wall-ratio")
	b.ReportMetric(n/oursWall.Seconds(), "events/s")
}

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
				if _, err := s.Commit(context.Background(), journal.Batch{Workspace: shop, Events: batches[i]}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// copies are the rows of all batches, ready to be copied, in groups.
func copies(batches [][]event.Event, group int) (all [][]byte) {
	var b []byte
	position := uint64(0)
	for _, batch := range batches {
		for i := range batch {
			position++
			e := &batch[i]
			x := row{position: position, at: e.Time.UnixMilli(), id: e.ID, key: markOf(shop, identity.KeyOf(e)), mine: true, event: appendFrame(nil, e)}
			b = x.appendCopy(b, 1)
			if position%uint64(group) == 0 {
				all, b = append(all, append(b, copyEnd...)), nil
			}
		}
	}
	return all
}
