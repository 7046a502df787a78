package candidate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
)

// ledgerOfPeople counts as a clerk would: it knows what each person looked at and
// which orders they have, and goes through all of them for every question.
type ledgerOfPeople struct {
	becomes map[uint32]uint32
	looked  map[uint32]map[string]bool
	holds   map[uint32]map[string]int
	home    map[uint32]int
	said    map[uint32]uint64 // when they last told of their home
	orders  map[string]*paper
}

type paper struct {
	person        uint32
	items, undone map[string]bool
	cancelled     bool
}

func newLedgerOfPeople() *ledgerOfPeople {
	return &ledgerOfPeople{map[uint32]uint32{}, map[uint32]map[string]bool{}, map[uint32]map[string]int{}, map[uint32]int{}, map[uint32]uint64{}, map[string]*paper{}}
}

func (l *ledgerOfPeople) who(p uint32) uint32 {
	for l.becomes[p] != 0 {
		p = l.becomes[p]
	}
	return p
}

func (l *ledgerOfPeople) look(p uint32, item string) {
	if l.looked[p] == nil {
		l.looked[p], l.holds[p] = map[string]bool{}, map[string]int{}
	}
	l.looked[p][item] = true
}

func (l *ledgerOfPeople) hold(p uint32, item string, by int) {
	if by > 0 {
		l.look(p, item)
	}
	if l.holds[p] != nil {
		l.holds[p][item] = max(0, l.holds[p][item]+by)
	}
}

func (o *paper) keeps(item string) bool { return o.items[item] && !o.cancelled && !o.undone[item] }

func (l *ledgerOfPeople) order(p uint32, id string, with func(o *paper)) {
	o := l.orders[id]
	if o == nil {
		o = &paper{p, map[string]bool{}, map[string]bool{}, false}
		l.orders[id] = o
	}
	was := paper{0, maps.Clone(o.items), maps.Clone(o.undone), o.cancelled}
	with(o)
	p = l.who(o.person)
	for item := range o.items {
		l.look(p, item)
		switch {
		case o.keeps(item) && !was.keeps(item):
			l.hold(p, item, 1)
		case !o.keeps(item) && was.keeps(item):
			l.hold(p, item, -1)
		}
	}
}

func (l *ledgerOfPeople) join(from, to uint32) {
	if from, to = l.who(from), l.who(to); from == to {
		return
	}
	l.becomes[from] = to
	for item := range l.looked[from] {
		l.look(to, item)
		l.hold(to, item, l.holds[from][item])
	}
	if l.home[from] != 0 && l.said[from] >= l.said[to] {
		l.home[to], l.said[to] = l.home[from], l.said[from]
	}
	delete(l.looked, from)
	delete(l.holds, from)
	delete(l.home, from)
	delete(l.said, from)
}

func (l *ledgerOfPeople) forget(p uint32) {
	p = l.who(p)
	delete(l.looked, p)
	delete(l.holds, p)
	delete(l.home, p)
	delete(l.said, p)
	for id, o := range l.orders {
		if l.who(o.person) == p {
			delete(l.orders, id)
		}
	}
}

func (l *ledgerOfPeople) choice(items []string, household int) (compared int, chose []int) {
	chose = make([]int, len(items))
	for p, looked := range l.looked {
		if slices.ContainsFunc(items, func(item string) bool { return !looked[item] }) {
			continue
		}
		if household > 0 && (l.home[p] == 0 || l.home[p] < household-1 || l.home[p] > household+1) {
			continue
		}
		compared++
		for i, item := range items {
			if l.holds[p][item] > 0 {
				chose[i]++
			}
		}
	}
	if compared < candidate.Fewest {
		return 0, make([]int, len(items))
	}
	return compared, chose
}

func (l *ledgerOfPeople) bought(item string) (n int) {
	for _, holds := range l.holds {
		if holds[item] > 0 {
			n++
		}
	}
	if n < candidate.Fewest {
		return 0
	}
	return n
}

// history tells the counts and the clerk the same things.
type history struct {
	r       *rand.Rand
	counts  *candidate.Cohorts
	clerk   *ledgerOfPeople
	n       uint64
	people  int
	goods   int
	lastly  time.Time
	ordered int
}

func (h *history) item() string { return fmt.Sprint("sku-", h.r.IntN(h.goods)) }

func (h *history) tell(p uint32, kind event.Kind, name, body string) {
	h.n++
	h.lastly = h.lastly.Add(time.Second)
	h.counts.Follow(journal.Committed{Workspace: "w", Position: h.n, Person: p, Event: &event.Event{Kind: kind, Name: name, Time: h.lastly, Body: json.RawMessage(body)}})
}

func (h *history) step() {
	p := uint32(1 + h.r.IntN(h.people))
	me := h.clerk.who(p)
	switch n := h.r.IntN(100); {
	case n < 50:
		item := h.item()
		h.tell(p, event.Track, "Product Viewed", fmt.Sprintf(`{"name":"a \"kettle\" {[","seen":[{"product_id":"elsewhere"}],"product_id":%q,"price":1.5e1}`, item))
		h.clerk.look(me, item)
	case n < 55:
		item := h.item()
		h.tell(p, event.Track, "Order Completed", fmt.Sprintf(`{"product_id":%q}`, item))
		h.clerk.hold(me, item, 1)
	case n < 75:
		id, a, b := fmt.Sprint("o", h.ordered), h.item(), h.item()
		h.ordered++
		h.tell(p, event.Track, "Order Completed", fmt.Sprintf(`{"order_id":%q,"products":[{"product_id":%q,"quantity":2},{"quantity":1,"variant":%q}]}`, id, a, b))
		h.clerk.order(me, id, func(o *paper) { o.items[a], o.items[b] = true, true })
	case n < 80 && h.ordered > 0:
		id := fmt.Sprint("o", h.r.IntN(h.ordered))
		h.tell(p, event.Track, "Order Cancelled", fmt.Sprintf(`{"order_id":%q}`, id))
		h.clerk.order(me, id, func(o *paper) { o.cancelled = true })
	case n < 85 && h.ordered > 0:
		id, item := fmt.Sprint("o", h.r.IntN(h.ordered)), h.item()
		h.tell(p, event.Track, "Order Refunded", fmt.Sprintf(`{"order_id":%q,"products":[{"product_id":%q}]}`, id, item))
		h.clerk.order(me, id, func(o *paper) { o.undone[item] = true })
	case n < 93:
		size := 1 + h.r.IntN(6)
		h.tell(p, event.Identify, "", fmt.Sprintf(`{"household_size":%d}`, size))
		h.clerk.home[me], h.clerk.said[me] = size, h.n
	case n < 97:
		to := uint32(1 + h.r.IntN(h.people))
		h.counts.Join("w", p, to)
		h.clerk.join(p, to)
	case n < 99:
		h.counts.Part("w", p, 0)
		delete(h.clerk.becomes, p)
	default:
		h.counts.Forget("w", p)
		h.clerk.forget(p)
	}
}

// ask compares the answers to some questions.
func (h *history) ask(t *testing.T, counts *candidate.Cohorts) {
	t.Helper()
	c := counts.Of("w")
	for range 4 {
		items, household := []string{h.item(), h.item()}[:1+h.r.IntN(2)], h.r.IntN(7)
		n, chose := c.Choice(items, household)
		m, chosen := h.clerk.choice(items, household)
		if n != m || !slices.Equal(chose, chosen) {
			t.Fatalf("of %v for %d: %d %v, the clerk counts %d %v", items, household, n, chose, m, chosen)
		}
		if a, b := c.Bought(items[0]), h.clerk.bought(items[0]); a != b {
			t.Fatalf("%s was bought by %d, the clerk counts %d", items[0], a, b)
		}
	}
}

func TestCountsAreThoseOfAClerk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			h := &history{r: rand.New(rand.NewPCG(seed, 7)), counts: candidate.NewCohorts(), clerk: newLedgerOfPeople(), people: 40 << (seed % 6), goods: 3 << (seed % 4), lastly: opening}
			for n := range 6000 {
				h.step()
				if n%(97<<(seed%5)) == 0 {
					h.ask(t, h.counts)
				}
				if n%1700 != 1699 {
					continue
				}
				saved, err := h.counts.Save()
				if err != nil {
					t.Fatal(err)
				}
				again := candidate.NewCohorts()
				if err := again.Load(saved); err != nil {
					t.Fatal(err)
				}
				if twice, _ := again.Save(); string(twice) != string(saved) {
					t.Fatal("saved counts differ from those they were loaded from")
				}
				h.counts = again // the rest of the history comes after a restart
				h.ask(t, again)
			}
			h.ask(t, h.counts)
		})
	}
}

func TestTheNewestWordOnAHouseholdCounts(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	for i := range uint32(6) {
		log.at(2*i + 1).identify(2).viewed("A")
		log.at(2*i + 2).identify(4)
		log.Join("w", 2*i+2, 2*i+1)
	}
	if n, _ := log.Of("w").Choice([]string{"A"}, 5); n != 6 {
		t.Errorf("%d of six live with four since they were joined with what they said later", n)
	}
	for i := range uint32(6) {
		log.at(2*i + 1).viewed("A")
		log.Join("w", 2*i+1, 100+i)
	}
	if n, _ := log.Of("w").Choice([]string{"A"}, 4); n != 6 {
		t.Errorf("%d of six live with four since they were joined with somebody silent", n)
	}
}

// An item that very many looked at, and then fewer: its bitmap is changed in bulk.
func TestMillionsOfLooks(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	for i := range uint32(9000) {
		log.at(i + 1).viewed("A")
		if i%3 == 0 {
			log.bought("A")
		}
		if i%1000 == 999 {
			if n, chose := log.Of("w").Choice([]string{"A"}, 0); n != int(i+1) || chose[0] != int(i/3+1) {
				t.Fatalf("after %d: %d looked, %v bought", i+1, n, chose)
			}
		}
	}
	for i := range uint32(4000) {
		log.Join("w", 9000-i, 1)
	}
	if n, chose := log.Of("w").Choice([]string{"A"}, 0); n != 5000 || chose[0] != 1667 {
		t.Errorf("after four thousand were found to be one: %d looked, %v bought", n, chose)
	}
}

// What a body says may be written in any way that JSON allows.
func TestAnItemHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	for i, body := range []string{
		`{"product_id":"mug"}`, ` { "product_id" : "mug" } `, `{"product\u005fid":"m\u0075g"}`,
		`{"a":"\\","b":"\"","c":{"d":["}","]"]},"product_id":"mug"}`,
		`{"products":[null,1,"x",[],{"product_id":null},{"a":{"product_id":"cup"},"product_id":"mug"}]}`,
		"{\n\t\"variant\":\"mug\"\n}", `{"a":true,"b":-1.5e3,"c":null,"product_id":"mug","d":{}}`,
		`{"a":{"product_id":"cup"},"list":[{"product_id":"cup"}],"variant":"mug"}`,
	} {
		log.at(uint32(i+1)).track("Product Viewed", body)
	}
	if n, _ := log.Of("w").Choice([]string{"mug"}, 0); n != 8 {
		t.Errorf("%d of eight looked at the mug", n)
	}
	for i, body := range []string{``, `null`, `[]`, `{`, `{"`, `{"product_id`, `{"product_id"`, `{"product_id":`, `{"product_id":"`, `{"product_id":"\`, `{"product_id":{"`, `{"product_id":[`, `{,}`, `{"a":}`, `{"products":[{`, `{"products":[`, `"x"`, strings.Repeat("[", 1000), `{x:1}`, `{"a":]}`} {
		log.at(uint32(100+i)).track("Product Viewed", body).track("Order Completed", body).event(event.Identify, "", body)
	}
}

func TestASnapshotIsOfItsMoment(t *testing.T) {
	t.Parallel()
	h := &history{r: rand.New(rand.NewPCG(99, 7)), counts: candidate.NewCohorts(), clerk: newLedgerOfPeople(), people: 700, goods: 9, lastly: opening}
	for range 20 {
		for range 300 {
			h.step()
		}
		then, err := h.counts.Save()
		if err != nil {
			t.Fatal(err)
		}
		older, newer := h.counts.Snapshot(), h.counts.Snapshot()
		written := make(chan []byte)
		go func() {
			b, _ := newer()
			written <- b
		}()
		for range 300 {
			h.step()
		}
		h.ask(t, h.counts)
		b, _ := older()
		if a := <-written; string(a) != string(then) || string(b) != string(then) {
			t.Fatal("what came after a snapshot was taken shows in it")
		}
	}
}

func TestCountsMayBeAskedWhileTheyGrow(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	c := log.Of("w")
	var asking sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		asking.Go(func() {
			for last := 0; ; {
				n, chose := c.Choice([]string{"A", "B"}, 0)
				if n < last || chose[0] > n || c.Bought("B") > 3000 {
					t.Errorf("%d after %d, %v of them bought", n, last, chose)
					return
				}
				last = n
				if _, err := log.Save(); err != nil {
					t.Error(err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range uint32(3000) {
		log.at(i + 1).viewed("A").viewed("B")
		if i%2 == 0 {
			log.bought("B")
		}
	}
	close(done)
	asking.Wait()
	if n, chose := c.Choice([]string{"A", "B"}, 0); n != 3000 || chose[1] != 1500 {
		t.Errorf("at last %d, %v", n, chose)
	}
}

// trade is a history of two hundred thousand people, as a store would tell it.
func trade(b *testing.B) *candidate.Cohorts {
	log := newLog(b)
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 1_000_000 {
		log.at(uint32(1 + r.IntN(200_000)))
		item := fmt.Sprint("sku-", r.IntN(1000))
		if n%8 == 0 {
			log.order(fmt.Sprint("o", n), item)
		} else {
			log.viewed(item)
		}
	}
	return log.Cohorts
}

func BenchmarkSaveAMillionEvents(b *testing.B) {
	c := trade(b)
	size := 0
	for b.Loop() {
		saved, err := c.Save()
		if err != nil {
			b.Fatal(err)
		}
		size = len(saved)
	}
	b.ReportMetric(float64(size)/1e6, "MB")
}

func BenchmarkLoadAMillionEvents(b *testing.B) {
	saved, err := trade(b).Save()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := candidate.NewCohorts().Load(saved); err != nil {
			b.Fatal(err)
		}
	}
}
