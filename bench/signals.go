package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

// fiftySignals is a file of a workspace with 50 signals of every form over the events
// of a shop, with rules and groups as packs write them.
func fiftySignals() string {
	var b strings.Builder
	b.WriteString("signals:\n")
	names := []string{"Page Viewed", "Product Viewed", "Product Added", "Cart Viewed", "Checkout Started", "Order Completed", "Article Viewed", "Search Performed", "Element Clicked", "Balance Viewed"}
	n := 0
	put := func(form, event, rest string) {
		n++
		fmt.Fprintf(&b, "  - {id: s%d, title: {zh: 第%d, en: no %d}, counts: {zh: 次, en: times}, form: %s, event: %s, %s}\n", n, n, n, form, event, rest)
	}
	for i := range 20 {
		rest := fmt.Sprintf("at_least: %d, within: %dd", 2+i%4, 3+i)
		if i%3 == 0 {
			rest += fmt.Sprintf(", where: \"event.properties.topic == 'topic-%d'\"", i%7)
		}
		if i%4 == 1 {
			rest += ", undone_by: [Return Requested], since_first: true"
		}
		if i%10 == 7 {
			rest += ", by: [product_id]"
		}
		put("count", names[i%10], rest)
	}
	for i := range 6 {
		put("streak", names[(3*i)%10], fmt.Sprintf("at_least: 3, per: %s", []string{"day", "week", "month"}[i%3]))
	}
	for i := range 6 {
		put("absent", names[5], fmt.Sprintf("after: {event: %s}, within: %dd", names[2+i%3], 2+i))
	}
	for i := range 8 {
		rest := fmt.Sprintf("within: %dd, then: [{event: %s}]", 2+i, names[(i+3)%10])
		if i%2 == 0 {
			rest += ", unless: {event: Order Completed, within: 1d}"
		}
		put("sequence", names[i], rest)
	}
	for i := range 4 {
		put("trend", names[1+i], "value: price, at_least: 3, within: 30d, direction: "+[]string{"rising", "falling"}[i%2])
	}
	for i := range 3 {
		put("periodic", names[4+i], fmt.Sprintf("at_least: 3, every: %dd", 7*(1+i)))
	}
	for i := range 3 {
		put("ratio", names[3+i], fmt.Sprintf("compared_to: {event: %s}, at_least_times: 2, at_least: 4, within: 30d", names[7+i]))
	}
	return b.String()
}

// signals measures the fold of 50 signals: processor time an event in one goroutine,
// and what is remembered of a person.
func (b *bench) signals(r *report) error {
	compiler := &pack.Compiler{FS: packs.Files}
	v, _, err := compiler.Compile(context.Background(), strategy.Source{Number: 1, Packs: []string{"base"}, Files: map[string]string{"own/signals.yaml": fiftySignals()}})
	if err != nil {
		return err
	}
	rules := v.Need.Rules()
	active := 0
	for _, d := range rules.Definitions() {
		if strings.HasPrefix(d.ID, "s") {
			active++
		}
	}
	persons := b.persons
	if persons == 0 {
		persons = int(min(1_000_000, freeBytes()*2/3/9000)) // some 8 kB each, and what is collected late
	}
	defer debug.SetGCPercent(debug.SetGCPercent(40)) // for room
	lives := make([]signal.Life, persons)
	base := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"Page Viewed", "Product Viewed", "Page Viewed", "Product Viewed", "Element Clicked", "Search Performed", "Product Added", "Cart Viewed", "Article Viewed", "Checkout Started", "Order Completed", "Balance Viewed", "Widget Opened", "Email Opened", "Repair Reported", "Return Requested"}
	var bodies [512][]byte
	for i := range bodies {
		bodies[i] = fmt.Appendf(nil, `{"product_id":"p-%d","price":%d.5,"currency":"CNY","path":"/shop/item/%d","topic":"topic-%d","title":"Featherlight 14, silver","category":"laptop"}`, i%40, 10+random.IntN(90), i, i%7)
	}
	// Events come in the order of time, from people at random.
	var fired []signal.Fired
	total, count, late := 0, uint64(0), 0
	e := event.Event{Kind: event.Track}
	step := 40 * 24 * time.Hour / time.Duration(persons*30)
	// They come in groups, as batches bring them, and are made ahead of the clock.
	const together = 50
	ahead := make([]event.Event, 10*together)
	of := make([]int, len(ahead))
	var next [together]signal.Next
	feed := func(n int) (spent time.Duration) {
		for ; n > 0; n -= len(ahead) {
			for i := range ahead {
				count++
				of[i] = random.IntN(persons)
				e := &ahead[i]
				e.Kind, e.Name, e.Body = event.Track, names[random.IntN(len(names))], bodies[random.IntN(len(bodies))]
				e.Time = base.Add(time.Duration(count) * step)
				binary.LittleEndian.PutUint64(e.ID[:], random.Uint64())
			}
			began := ownCPU()
			for from := 0; from < len(ahead); from += together {
				group, of := ahead[from:from+together], of[from:from+together]
				for i := range group {
					next[i] = signal.Next{Life: lives[of[i]], Name: group[i].Name}
				}
				rules.Fetch(next[:])
				for i, who := range of {
					var ok bool
					if lives[who], ok = rules.Fold(lives[who], &group[i], &fired); !ok {
						late++
					}
				}
				total += len(fired)
				fired = fired[:0]
			}
			spent += ownCPU() - began
		}
		return spent
	}
	feed(persons * 20) // everybody has about what they will ever have
	runtime.GC()
	measured := max(1_000_000, persons*4)
	each := feed(measured) / time.Duration(measured)
	bytes, records := 0, 0
	for _, l := range lives {
		bytes += cap(l)
		records += l.Records()
	}
	perSecond := float64(time.Second) / float64(max(each, 1))
	r.line(fmt.Sprintf("fold of %d signals, %d persons", active, persons), fmt.Sprintf("%d ns CPU, %.0f/s a core", each.Nanoseconds(), perSecond), ">= 500,000/s", verdict(perSecond >= 500_000))
	perState := float64(bytes) / float64(max(records, 1))
	r.line("  bytes a person and active signal", fmt.Sprintf("%.0f (%.1f kB a person, %d records)", perState, float64(bytes)/float64(persons)/1000, records/persons), "<= 200", verdict(perState <= 200))
	r.line("  firings", fmt.Sprintf("%d of %d events, %d came late", total, count, late), "", nil)

	// One person with a million events.
	var one signal.Life
	before := count
	sizes := [2]int{}
	var times [2]time.Duration
	for half := range 2 {
		began := ownCPU()
		for range 500_000 {
			count++
			e.Name, e.Body = names[random.IntN(len(names))], bodies[random.IntN(len(bodies))]
			e.Time = base.Add(time.Duration(count-before) * time.Second)
			binary.LittleEndian.PutUint64(e.ID[:], random.Uint64())
			one, _ = rules.Fold(one, &e, &fired)
			fired = fired[:0]
		}
		sizes[half], times[half] = len(one), (ownCPU()-began)/500_000
	}
	flat := sizes[1] <= sizes[0]*11/10
	r.line("  one person's 500,000th and millionth event", fmt.Sprintf("%d B, %d ns; %d B, %d ns", sizes[0], times[0].Nanoseconds(), sizes[1], times[1].Nanoseconds()), "as large", verdict(flat))
	lives = nil
	debug.FreeOSMemory()
	return nil
}

// freeBytes is the memory that is free on this machine; two gigabytes where nobody says.
func freeBytes() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 2 << 30
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			if kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	return 2 << 30
}
