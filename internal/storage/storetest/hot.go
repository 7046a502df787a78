package storetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/profile/click"
)

// HotPerson gives one person a very long life, a twentieth of it late by up to a week,
// asks for them after every batch, and holds the last part of it to what the first part
// cost, in bytes allocated for an event and for a question and in bytes of memory held.
// It runs alone: it looks at the process as a whole. RAPPORT_PROVE makes it a million
// events. cpu gives the processor time of the process so far.
func HotPerson(t *testing.T, h Home, cpu func() time.Duration) {
	events, batch := 12_000, 200
	if os.Getenv("RAPPORT_PROVE") != "" {
		events = 1_000_000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	s := h.Open(t, newShelf(), &profile.Registry{}, candidate.NewCohorts(), &click.Heat{})
	names := []string{"Product Viewed", "Page Viewed", "Order Completed", "Repair Reported", "Element Clicked"}
	make1 := func(i int) event.Event {
		minute := 10 * i // a week is a thousand events
		if r.IntN(20) == 0 {
			minute = max(0, minute-r.IntN(7*24*60))
		}
		e := track("hot", "", names[r.IntN(len(names))], minute, fmt.Sprintf(`{"n":%d,"product_id":"kettle-%d","order_id":"o-%d","case_id":"c-%d","path":"/p/%d","selector":"#buy"}`, i, i%50, i%400, i%100, i%20))
		return e
	}
	k := identity.User("hot")
	type cost struct {
		commit, ask time.Duration
		allocated   uint64
		events      int
		held        uint64
	}
	measure := func(from, upTo int) (c cost) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := from; i < upTo; i += batch {
			var all []event.Event
			for n := range batch {
				all = append(all, make1(i+n))
			}
			began := cpu()
			commit(t, s, all...)
			between := cpu()
			p := profileOf(t, s, scope(t, s, k))
			c.commit, c.ask = c.commit+between-began, c.ask+cpu()-between
			if p.Events != i+batch {
				t.Fatalf("seed %d: after %d events the profile holds %d", seed, i+batch, p.Events)
			}
			c.events += batch
		}
		runtime.ReadMemStats(&after)
		c.allocated = (after.TotalAlloc - before.TotalAlloc) / uint64(c.events)
		runtime.GC()
		runtime.ReadMemStats(&after)
		c.held = after.HeapAlloc
		return c
	}
	part := 2400
	measure(0, part) // two weeks: the lateness of one fits into what there is
	first := measure(part, 2*part)
	measure(2*part, events-part)
	last := measure(events-part, events)
	tell := func(name string, c cost) {
		n := float64(c.events)
		t.Logf("%s: %.1f µs CPU a commit an event, %.0f µs a question after %d new events, %d bytes allocated an event, %.1f MB held",
			name, float64(c.commit.Microseconds())/n, float64(c.ask.Microseconds())/n*float64(batch), batch, c.allocated, float64(c.held)/1e6)
	}
	tell(fmt.Sprintf("events %d to %d", part, 2*part), first)
	tell(fmt.Sprintf("events %d to %d", events-part, events), last)
	if last.allocated > 2*first.allocated {
		t.Errorf("seed %d: an event costs %d bytes at last, %d at first", seed, last.allocated, first.allocated)
	}
	// Known ids (35 bytes an event) and chains are all that may grow.
	if grown := int64(last.held) - int64(first.held); grown > int64(events)*60+16<<20 {
		t.Errorf("seed %d: memory has grown by %d bytes over %d events", seed, grown, events)
	}
	if events > 100_000 {
		return
	}
	var told []event.Event
	sc := scope(t, s, k)
	for before, id := (time.Time{}), (event.ID{}); ; {
		page := must[[]journal.Moment](t)(s.Timeline(ctx, sc, before, id, 5000))
		for _, m := range page {
			told = append(told, m.Event)
		}
		if len(page) < 5000 {
			break
		}
		before, id = page[4999].Event.Time, page[4999].Event.ID
	}
	wantProfile(t, s, sc, told)
}
