package candidate

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/journal"
)

// Fewest is the smallest group of people of whom anything is told.
const Fewest = 5

// Similar counts what other customers did. Every count below [Fewest] reads as 0,
// so that nobody is recognised in it.
type Similar interface {
	// Choice tells how many people looked at all of the items, and how many of those
	// bought each. household counts only people who live with as many others, one
	// more or one fewer; 0 counts everyone.
	Choice(items []string, household int) (compared int, chose []int)
	// Bought tells how many people bought an item.
	Bought(item string) int
}

// Cohorts follows the log and counts, by workspace and item, who looked at it and
// who bought it, and who lives with how many. It keeps numbers of people, never
// who they are.
type Cohorts struct {
	mu sync.RWMutex
	of map[string]*Counts
}

// NewCohorts has counted nothing yet.
func NewCohorts() *Cohorts { return &Cohorts{of: map[string]*Counts{}} }

// Name is "cohorts".
func (c *Cohorts) Name() string { return "cohorts" }

// Of gives the counts of a workspace.
func (c *Cohorts) Of(workspace string) *Counts {
	c.mu.RLock()
	w := c.of[workspace]
	c.mu.RUnlock()
	if w != nil {
		return w
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if w = c.of[workspace]; w == nil {
		w = newCounts()
		c.of[workspace] = w
	}
	return w
}

// Follow counts one event of the log.
func (c *Cohorts) Follow(e journal.Committed) {
	if e.Person == 0 || e.Event == nil {
		return
	}
	switch e.Event.Kind {
	case event.Track:
		switch e.Event.Name {
		case "Product Viewed", "Product Added", "Order Completed", "Order Cancelled", "Order Refunded":
			c.Of(e.Workspace).follow(e.Event, e.Person)
		}
	case event.Identify:
		c.Of(e.Workspace).identify(e.Event, e.Person)
	case event.Record:
		switch e.Event.Name {
		case "order":
			c.Of(e.Workspace).follow(e.Event, e.Person)
		case "person":
			c.Of(e.Workspace).identify(e.Event, e.Person)
		}
	}
}

// Join counts two people as one from now on.
func (c *Cohorts) Join(workspace string, from, to uint32) { c.Of(workspace).join(from, to) }

// Part counts two people apart from now on. What they did while they were one
// stays with the one they were; a rebuild from the log counts that apart too.
func (c *Cohorts) Part(workspace string, from, _ uint32) { c.Of(workspace).part(from) }

// Forget takes a person out of every count.
func (c *Cohorts) Forget(workspace string, person uint32) { c.Of(workspace).forget(person) }

// Counts are the counts of one workspace. It is safe for concurrent use.
//
// What each person looked at and bought stands with the person; by item there are
// bitmaps of people, for questions alone. An event changes the person and notes at
// the item that a bit turned over, and the bitmap is brought up to date many bits
// at once: when enough have gathered, or when somebody asks.
type Counts struct {
	mu     sync.RWMutex
	number map[string]uint32 // item → its number
	wares  []*ware
	people []*crowd          // by person / crowdSize
	moved  uint64            // how often a home changed
	orders map[uint64]uint32 // by hash of the order's id: which of the bills
	bills  []*sheaf          // in order of arrival, sheafSize at a time
	billed uint32            // how many of them there are

	// A snapshot that is being written shares crowds and sheaves: one that is of an
	// earlier age is copied before it is changed.
	age     uint32 // how many snapshots were taken
	writing int    // how many are being written

	counted sync.Map // items of a choice → *choice
	kept    atomic.Int32
}

// ware is one item.
type ware struct {
	name    string
	seen    group // who looked at it or bought it
	bought  group
	changed uint64 // how often either changed
}

// group is a set of people.
type group struct {
	bits   *roaring.Bitmap // nil: none
	turned []uint32        // whose bit is to be turned over, in any order; twice is not at all
	size   int             // with those
}

const (
	crowdSize = 128
	sheafSize = 128
	// A bitmap is brought up to date after so many changes, or after a 16th of its
	// size, so that copying its containers costs a change no more than some bytes.
	fewestTurned = 512
)

type crowd struct {
	all [crowdSize]shopper
	age uint32
}

type sheaf struct {
	all [sheafSize]purchase
	age uint32
}

type shopper struct {
	goods   []handled // by item
	homeAt  int64     // Unix milliseconds of the event that said so
	becomes uint32    // who they are since they were joined; 0: themself
	home    uint8     // with how many they live; 0: unknown
}

// handled is an item that somebody looked at, and how many of their orders hold it.
type handled struct{ item, orders uint32 }

// choice is the count of one question by size of household, with the state of the
// counts that it was made from: each number only ever grows, so their sum tells
// whether any of them changed.
type choice struct {
	changed  uint64
	moved    uint64
	compared [largestHome + 1]int
	chose    [][largestHome + 1]int
}

const (
	largestHome = 16   // larger households count as this large
	mostChoices = 4096 // questions kept; beyond that all are counted anew
)

// purchase is one order: what it holds, and what of it was cancelled or returned.
type purchase struct {
	key       uint64 // hash of its id
	at        int64
	items     []uint32
	undone    []uint32
	person    uint32 // 0: erased
	cancelled bool
}

func newCounts() *Counts {
	return &Counts{number: map[string]uint32{}, orders: map[uint64]uint32{}}
}

// turn changes whether a person is in the group; by says in which direction.
func (g *group) turn(person uint32, by int) {
	g.size += by
	if g.turned = append(g.turned, person); len(g.turned) >= fewestTurned && len(g.turned) >= g.size/16 {
		g.settle()
	}
}

// settle brings the bitmap up to date.
func (g *group) settle() {
	if g.bits == nil {
		g.bits = roaring.New()
	}
	if len(g.turned) == 0 {
		return
	}
	slices.Sort(g.turned)
	odd := g.turned[:0]
	for _, person := range g.turned {
		if n := len(odd); n > 0 && odd[n-1] == person {
			odd = odd[:n-1]
		} else {
			odd = append(odd, person)
		}
	}
	if g.bits.IsEmpty() {
		g.bits.AddMany(odd)
	} else {
		g.bits.Xor(roaring.BitmapOf(odd...))
	}
	if g.turned = odd[:0]; cap(odd) > 4*fewestTurned {
		g.turned = nil
	}
}

func (g *group) settled() bool { return g.bits != nil && len(g.turned) == 0 }

// known is a person of whom something is kept, to be read, or nil.
func (c *Counts) known(person uint32) *shopper {
	if i := person / crowdSize; int(i) < len(c.people) && c.people[i] != nil {
		return &c.people[i].all[person%crowdSize]
	}
	return nil
}

// shopper is a person, to be changed.
func (c *Counts) shopper(person uint32) *shopper {
	i := int(person / crowdSize)
	if i >= len(c.people) {
		c.people = append(c.people, make([]*crowd, i+1-len(c.people))...)
	}
	switch some := c.people[i]; {
	case some == nil:
		c.people[i] = &crowd{age: c.age}
	case c.writing > 0 && some.age < c.age:
		c.people[i] = some.copy(c.age)
	}
	return &c.people[i].all[person%crowdSize]
}

// copy gives a crowd whose goods are its own.
func (o *crowd) copy(age uint32) *crowd {
	n := 0
	for i := range o.all {
		n += len(o.all[i].goods)
	}
	some, goods := &crowd{o.all, age}, make([]handled, 0, n)
	for i := range some.all {
		s, from := &some.all[i], len(goods)
		goods = append(goods, s.goods...)
		s.goods = goods[from:len(goods):len(goods)]
	}
	return some
}

func (c *Counts) who(person uint32) uint32 {
	for {
		s := c.known(person)
		if s == nil || s.becomes == 0 {
			return person
		}
		person = s.becomes
	}
}

func (c *Counts) item(name []byte) uint32 {
	n, ok := c.number[string(name)]
	if !ok {
		n = uint32(len(c.wares))
		w := &ware{name: string(name)}
		c.number[w.name] = n
		c.wares = append(c.wares, w)
	}
	return n
}

// find is where an item stands among somebody's goods, or should.
func (s *shopper) find(item uint32) (at int, found bool) {
	if n := len(s.goods); n > 16 {
		return slices.BinarySearchFunc(s.goods, item, func(g handled, item uint32) int { return cmp.Compare(g.item, item) })
	}
	for i := range s.goods {
		if s.goods[i].item >= item {
			return i, s.goods[i].item == item
		}
	}
	return len(s.goods), false
}

func (c *Counts) look(person, item uint32) *handled {
	s := c.shopper(person)
	at, found := s.find(item)
	if !found {
		s.goods = slices.Insert(s.goods, at, handled{item: item})
		w := c.wares[item]
		w.seen.turn(person, 1)
		w.changed++
	}
	return &s.goods[at]
}

func (c *Counts) hold(person, item uint32) {
	g := c.look(person, item)
	if g.orders++; g.orders == 1 {
		w := c.wares[item]
		w.bought.turn(person, 1)
		w.changed++
	}
}

func (c *Counts) release(person, item uint32) {
	s := c.shopper(person)
	at, found := s.find(item)
	if !found || s.goods[at].orders == 0 {
		return
	}
	if s.goods[at].orders--; s.goods[at].orders == 0 {
		w := c.wares[item]
		w.bought.turn(person, -1)
		w.changed++
	}
}

// goods is what an event of a product or an order says. It shares the event's memory.
type goods struct {
	order  []byte
	status []byte
	items  [][]byte
}

func (g *goods) read(e *event.Event) {
	if e.Kind == event.Record {
		g.order = []byte(e.Subject)
	}
	m := members(e.Body)
	for m.next() {
		switch string(m.name) {
		case "order_id":
			if len(g.order) == 0 {
				g.order = scalar(m.value)
			}
		case "status":
			g.status = scalar(m.value)
		case "product_id", "variant":
			g.add(m.value)
		case "products", "lines":
			lines := elements(m.value)
			for lines.next() {
				line := members(lines.value)
				for line.next() {
					if n := string(line.name); n == "product_id" || n == "variant" {
						g.add(line.value)
					}
				}
			}
		}
	}
}

func (g *goods) add(value []byte) {
	id := scalar(value)
	if len(id) == 0 || len(id) > longestName || len(g.items) >= mostParts {
		return
	}
	for _, other := range g.items {
		if bytes.Equal(other, id) {
			return
		}
	}
	g.items = append(g.items, id)
}

// scalar is a JSON text or number as text.
func scalar(raw []byte) []byte {
	switch {
	case len(raw) > 1 && raw[0] == '"':
		if bytes.IndexByte(raw, '\\') >= 0 {
			return []byte(unquote(raw))
		}
		return raw[1 : len(raw)-1]
	case len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'):
		return raw
	}
	return nil
}

func (c *Counts) follow(e *event.Event, person uint32) {
	var some [8][]byte
	g := goods{items: some[:0]}
	g.read(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	person = c.who(person)
	switch e.Name {
	case "Product Viewed", "Product Added":
		for _, id := range g.items {
			c.look(person, c.item(id))
		}
	case "Order Completed":
		if len(g.order) == 0 {
			for _, id := range g.items {
				c.hold(person, c.item(id))
			}
			return
		}
		c.change(g.order, person, func(p *purchase) { p.items = c.numbers(p.items, g.items) })
	case "Order Cancelled", "Order Refunded":
		if len(g.order) == 0 {
			return
		}
		c.change(g.order, person, func(p *purchase) {
			if p.undone = c.numbers(p.undone, g.items); len(g.items) == 0 {
				p.cancelled = true
			}
		})
	case "order":
		at := e.Time.UnixMilli()
		c.change(g.order, person, func(p *purchase) {
			if at < p.at {
				return
			}
			p.at = at
			p.cancelled = e.Deleted || undone(string(g.status))
			if !e.Deleted && len(g.items) > 0 {
				p.items = c.numbers(nil, g.items)
			}
		})
	}
}

func undone(status string) bool {
	switch strings.ToLower(status) {
	case "cancelled", "canceled", "refunded", "returned", "已取消", "已退款", "已退货":
		return true
	}
	return false
}

func (c *Counts) numbers(into []uint32, items [][]byte) []uint32 {
	for _, id := range items {
		if n := c.item(id); !slices.Contains(into, n) {
			into = append(into, n)
		}
	}
	return into
}

// bill is the order of a hash, to be changed; it is begun when there is none.
func (c *Counts) bill(key uint64, person uint32) *purchase {
	n, ok := c.orders[key]
	if ok {
		return c.billAt(n)
	}
	n = c.billed
	if n%sheafSize == 0 {
		c.bills = append(c.bills, &sheaf{age: c.age})
	}
	c.orders[key] = n
	c.billed++
	p := c.billAt(n)
	p.key, p.person = key, person
	return p
}

// billAt is a bill to be changed. What its lists hold is never changed, only added
// to, so that a copy may share it.
func (c *Counts) billAt(n uint32) *purchase {
	some := c.bills[n/sheafSize]
	if c.writing > 0 && some.age < c.age {
		some = &sheaf{some.all, c.age}
		c.bills[n/sheafSize] = some
	}
	return &some.all[n%sheafSize]
}

// change counts an order anew after what happened to it.
func (c *Counts) change(order []byte, person uint32, with func(*purchase)) {
	p := c.bill(hashed(order), person)
	was := p.kept()
	with(p)
	now := p.kept()
	owner := c.who(p.person)
	for _, item := range was {
		if !slices.Contains(now, item) {
			c.release(owner, item)
		}
	}
	for _, item := range now {
		if !slices.Contains(was, item) {
			c.hold(owner, item)
		}
	}
	for _, item := range p.items {
		c.look(owner, item)
	}
}

func (p *purchase) kept() []uint32 {
	if p.cancelled {
		return nil
	}
	if len(p.undone) == 0 {
		return p.items
	}
	var all []uint32
	for _, item := range p.items {
		if !slices.Contains(p.undone, item) {
			all = append(all, item)
		}
	}
	return all
}

// hashed is FNV-1a of an id.
func hashed(s []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range s {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

func (c *Counts) identify(e *event.Event, person uint32) {
	size, said := 0, false
	m := members(e.Body)
	for m.next() {
		if string(m.name) == "household_size" {
			said = true
			if n, ok := whole(string(scalar(m.value))); ok && n > 0 && n < 100 {
				size = int(n)
			}
		}
	}
	if !said {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live(c.who(person), uint8(size), e.Time.UnixMilli())
}

// live says with how many a person lives; the newest word counts.
func (c *Counts) live(person uint32, size uint8, at int64) {
	s := c.shopper(person)
	if at < s.homeAt {
		return
	}
	s.homeAt = at
	c.house(s, size)
}

func (c *Counts) house(s *shopper, size uint8) {
	if s.home != size {
		s.home = size
		c.moved++
	}
}

func (c *Counts) home(person uint32) uint8 {
	if s := c.known(person); s != nil {
		return s.home
	}
	return 0
}

func (c *Counts) join(from, to uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, to = c.who(from), c.who(to)
	if from == to {
		return
	}
	s := c.shopper(from)
	s.becomes = to
	for _, g := range c.leave(from) {
		mine := c.look(to, g.item)
		if g.orders > 0 && mine.orders == 0 {
			c.wares[g.item].bought.turn(to, 1)
		}
		mine.orders += g.orders
	}
	if home := s.home; home != 0 {
		c.house(s, 0)
		c.live(to, home, s.homeAt)
	}
	s.homeAt = 0
}

// leave takes a person out of the groups of all items and gives what they had.
func (c *Counts) leave(person uint32) []handled {
	s := c.shopper(person)
	all := s.goods
	s.goods = nil
	for _, g := range all {
		w := c.wares[g.item]
		w.seen.turn(person, -1)
		if g.orders > 0 {
			w.bought.turn(person, -1)
		}
		w.changed++
	}
	return all
}

func (c *Counts) part(from uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.known(from); s != nil && s.becomes != 0 {
		c.shopper(from).becomes = 0
	}
}

func (c *Counts) forget(person uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	person = c.who(person)
	if c.known(person) != nil {
		c.leave(person)
		s := c.shopper(person)
		c.house(s, 0)
		s.homeAt = 0
	}
	for n := range c.billed {
		if p := &c.bills[n/sheafSize].all[n%sheafSize]; p.person != 0 && c.who(p.person) == person {
			delete(c.orders, p.key)
			*c.billAt(n) = purchase{}
		}
	}
}

// Choice is the count of [Similar].
func (c *Counts) Choice(items []string, household int) (compared int, chose []int) {
	chose = make([]int, len(items))
	if c == nil || len(items) == 0 {
		return 0, chose
	}
	var buffer [mostCompared]uint32
	c.mu.RLock()
	numbers, changed, settled := c.wanted(buffer[:0], items)
	if settled {
		defer c.mu.RUnlock()
	} else {
		c.mu.RUnlock()
		c.mu.Lock()
		defer c.mu.Unlock()
		numbers, changed, _ = c.wanted(buffer[:0], items)
		for _, n := range numbers {
			c.wares[n].seen.settle()
			c.wares[n].bought.settle()
		}
	}
	if numbers == nil {
		return 0, chose
	}
	q := c.choice(numbers, changed)
	low, high := 0, largestHome
	if household > 0 {
		low, high = max(1, household-1), min(largestHome, household+1)
	}
	for size := low; size <= high; size++ {
		compared += q.compared[size]
		for i := range chose {
			chose[i] += q.chose[i][size]
		}
	}
	if compared < Fewest {
		return 0, make([]int, len(items))
	}
	return compared, chose
}

// wanted are the numbers of items, nil when too few people looked at one of them,
// and whether their bitmaps are up to date.
func (c *Counts) wanted(into []uint32, items []string) (numbers []uint32, changed uint64, settled bool) {
	settled = true
	for _, id := range items {
		n, ok := c.number[id]
		if !ok || c.wares[n].seen.size < Fewest {
			return nil, 0, true
		}
		w := c.wares[n]
		into = append(into, n)
		changed += w.changed
		settled = settled && w.seen.settled() && w.bought.settled()
	}
	return into, changed, settled
}

// choice counts a question for every size of household at once, or finds it
// counted. The caller holds the lock; the bitmaps are up to date.
func (c *Counts) choice(items []uint32, changed uint64) *choice {
	key := [mostCompared]uint32{}
	for i, n := range items {
		if i < len(key) {
			key[i] = n + 1
		}
	}
	if q, ok := c.counted.Load(key); ok && len(items) <= len(key) {
		if q := q.(*choice); q.changed == changed && q.moved == c.moved {
			return q
		}
	}
	q := &choice{changed: changed, moved: c.moved, chose: make([][largestHome + 1]int, len(items))}
	all := c.wares[items[0]].seen.bits
	if len(items) > 1 {
		all = roaring.And(all, c.wares[items[1]].seen.bits)
		for _, n := range items[2:] {
			all.And(c.wares[n].seen.bits)
		}
	}
	c.bySize(all, &q.compared)
	for i, n := range items {
		c.bySize(roaring.And(all, c.wares[n].bought.bits), &q.chose[i])
	}
	if len(items) <= len(key) {
		if c.kept.Add(1) > mostChoices {
			c.counted.Clear()
			c.kept.Store(1)
		}
		c.counted.Store(key, q)
	}
	return q
}

func (c *Counts) bySize(people *roaring.Bitmap, into *[largestHome + 1]int) {
	var some [256]uint32
	for it := people.ManyIterator(); ; {
		n := it.NextMany(some[:])
		if n == 0 {
			return
		}
		for _, person := range some[:n] {
			into[min(c.home(person), largestHome)]++
		}
	}
}

// Bought is the count of [Similar].
func (c *Counts) Bought(item string) int {
	if c == nil {
		return 0
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if n, ok := c.number[item]; ok && c.wares[n].bought.size >= Fewest {
		return c.wares[n].bought.size
	}
	return 0
}

// Question is what a cohort ref asks: its id can be counted again at any time, and
// carries what was counted when it was made.
type Question struct {
	Kind      string   `json:"kind"` // choice, bought
	Household int      `json:"household,omitempty"`
	Items     []string `json:"items"`
	Compared  int      `json:"compared"` // of choice: people who looked at all of the items
	Counts    []int    `json:"counts"`   // people who bought each item, in the order of Items
}

// Ref is the question as evidence.
func (q Question) Ref() evidence.Ref {
	var b strings.Builder
	b.WriteString(q.Kind)
	b.WriteByte('.')
	b.WriteString(strconv.Itoa(q.Household))
	b.WriteByte('.')
	b.WriteString(strconv.Itoa(q.Compared))
	for i, item := range q.Items {
		b.WriteByte('.')
		b.WriteString(strconv.Itoa(q.Counts[i]))
		b.WriteByte('.')
		b.WriteString(strconv.Itoa(len(item)))
		b.WriteByte('.')
		b.WriteString(item)
	}
	return evidence.Make(evidence.Cohort, b.String(), 0)
}

// ParseQuestion reads the id of a cohort ref.
func ParseQuestion(id string) (q Question, ok bool) {
	number := func() int {
		digits, rest, _ := strings.Cut(id, ".")
		n, err := strconv.Atoi(digits)
		ok = ok && err == nil && n >= 0 && n < 1<<31
		id = rest
		return n
	}
	kind, rest, found := strings.Cut(id, ".")
	q.Kind, id, ok = kind, rest, found && (kind == "choice" || kind == "bought")
	q.Household, q.Compared = number(), number()
	for ok && id != "" {
		count, length := number(), number()
		if !ok || length > len(id) || length < len(id) && id[length] != '.' {
			return q, false
		}
		q.Items, q.Counts = append(q.Items, id[:length]), append(q.Counts, count)
		id = strings.TrimPrefix(id[length:], ".")
	}
	return q, ok && len(q.Items) > 0
}

// Opened is what a cohort ref opens onto: the counts then and now, never people.
type Opened struct {
	Then Question  `json:"then"`
	Now  *Question `json:"now,omitempty"` // absent when fewer than five are left
}

// Open counts the question of a cohort ref again.
func (c *Counts) Open(id string) (o Opened, ok bool) {
	q, ok := ParseQuestion(id)
	if !ok {
		return o, false
	}
	o.Then = q
	now := Question{Kind: q.Kind, Household: q.Household, Items: q.Items}
	if q.Kind == "choice" {
		if now.Compared, now.Counts = c.Choice(q.Items, q.Household); now.Compared == 0 {
			return o, true
		}
	} else {
		for _, item := range q.Items {
			now.Counts = append(now.Counts, c.Bought(item))
		}
	}
	o.Now = &now
	return o, true
}

// Opens fits the engine's hook for cohort refs.
func (c *Cohorts) Opens(workspace, id string) (data any, ok bool) {
	o, ok := c.Of(workspace).Open(id)
	return o, ok
}

// recorded are the counts that a decision was made with.
type recorded []Question

func (r recorded) Choice(items []string, household int) (compared int, chose []int) {
	for _, q := range r {
		if q.Kind == "choice" && q.Household == household && slices.Equal(q.Items, items) {
			return q.Compared, slices.Clone(q.Counts)
		}
	}
	return 0, make([]int, len(items))
}

func (r recorded) Bought(item string) int {
	for _, q := range r {
		if q.Kind != "bought" {
			continue
		}
		if i := slices.Index(q.Items, item); i >= 0 {
			return q.Counts[i]
		}
	}
	return 0
}
