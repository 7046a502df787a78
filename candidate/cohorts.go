package candidate

import (
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
type Counts struct {
	mu      sync.RWMutex
	number  map[string]uint32 // item → its number
	names   []string
	seen    []*roaring.Bitmap // by item: who looked at it or bought it
	bought  []*roaring.Bitmap
	changed []uint64 // by item: how often seen or bought changed
	homes   []uint8  // by person: with how many they live, 0 unknown
	moved   uint64   // how often homes changed
	people  map[uint32]*shopper
	orders  map[uint64]*purchase // by hash of the order's id
	held    map[uint64]uint32    // person<<32 | item → how many orders hold it
	becomes map[uint32]uint32    // joined person → who they are now

	counted sync.Map // items of a choice → *choice
	kept    atomic.Int32
}

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

type shopper struct {
	seen   []uint32
	homeAt int64 // Unix milliseconds of the event that said so
}

// purchase is one order: what it holds, and what of it was cancelled or returned.
type purchase struct {
	person    uint32
	items     []uint32
	undone    []uint32
	cancelled bool
	at        int64
}

func newCounts() *Counts {
	return &Counts{
		number: map[string]uint32{}, people: map[uint32]*shopper{},
		orders: map[uint64]*purchase{}, held: map[uint64]uint32{}, becomes: map[uint32]uint32{},
	}
}

func (c *Counts) who(person uint32) uint32 {
	for {
		to, joined := c.becomes[person]
		if !joined {
			return person
		}
		person = to
	}
}

func (c *Counts) shopper(person uint32) *shopper {
	s := c.people[person]
	if s == nil {
		s = &shopper{}
		c.people[person] = s
	}
	return s
}

func (c *Counts) item(name string) uint32 {
	n, ok := c.number[name]
	if !ok {
		n = uint32(len(c.names))
		c.number[name] = n
		c.names = append(c.names, name)
		c.seen, c.bought = append(c.seen, roaring.New()), append(c.bought, roaring.New())
		c.changed = append(c.changed, 0)
	}
	return n
}

func (c *Counts) look(person, item uint32) {
	if c.seen[item].CheckedAdd(person) {
		c.changed[item]++
		s := c.shopper(person)
		s.seen = append(s.seen, item)
	}
}

func (c *Counts) hold(person, item uint32) {
	c.look(person, item)
	key := uint64(person)<<32 | uint64(item)
	if c.held[key]++; c.held[key] == 1 {
		c.bought[item].Add(person)
		c.changed[item]++
	}
}

func (c *Counts) release(person, item uint32) {
	key := uint64(person)<<32 | uint64(item)
	switch c.held[key] {
	case 0:
	case 1:
		delete(c.held, key)
		c.bought[item].Remove(person)
		c.changed[item]++
	default:
		c.held[key]--
	}
}

// goods is what an event of a product or an order says.
type goods struct {
	order  string
	status string
	items  []string
}

func read(e *event.Event) (g goods) {
	if e.Kind == event.Record {
		g.order = e.Subject
	}
	for name, value := range event.Members(e.Body) {
		switch name {
		case "order_id":
			if g.order == "" {
				g.order = scalar(value)
			}
		case "status":
			g.status = scalar(value)
		case "product_id", "variant":
			g.items = appendNew(g.items, scalar(value))
		case "products", "lines":
			r := reading{src: value}
			n, ok := r.read()
			if !ok || n.kind != list {
				continue
			}
			for i := range n.kids {
				for _, field := range [...]string{"product_id", "variant"} {
					if id := n.kids[i].field(field); id != nil {
						g.items = appendNew(g.items, scalar(id.raw))
					}
				}
			}
		}
	}
	return g
}

// scalar is a JSON text or number as text.
func scalar(raw []byte) string {
	if len(raw) > 1 && raw[0] == '"' {
		return unquote(raw)
	}
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		return string(raw)
	}
	return ""
}

func appendNew(all []string, s string) []string {
	if s == "" || len(s) > longestName || len(all) >= mostParts || slices.Contains(all, s) {
		return all
	}
	return append(all, s)
}

func (c *Counts) follow(e *event.Event, person uint32) {
	g := read(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	person = c.who(person)
	switch e.Name {
	case "Product Viewed", "Product Added":
		for _, id := range g.items {
			c.look(person, c.item(id))
		}
	case "Order Completed":
		if g.order == "" {
			for _, id := range g.items {
				c.hold(person, c.item(id))
			}
			return
		}
		c.change(g.order, person, func(p *purchase) { p.items = c.numbers(p.items, g.items) })
	case "Order Cancelled", "Order Refunded":
		if g.order == "" {
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
			p.cancelled = e.Deleted || undone(g.status)
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

func (c *Counts) numbers(into []uint32, items []string) []uint32 {
	for _, id := range items {
		if n := c.item(id); !slices.Contains(into, n) {
			into = append(into, n)
		}
	}
	return into
}

// change counts an order anew after what happened to it.
func (c *Counts) change(order string, person uint32, with func(*purchase)) {
	key := hashed(order)
	p := c.orders[key]
	if p == nil {
		p = &purchase{person: person}
		c.orders[key] = p
	}
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
func hashed(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func (c *Counts) identify(e *event.Event, person uint32) {
	size, said := 0, false
	for name, value := range event.Members(e.Body) {
		if name == "household_size" {
			said = true
			if n, ok := whole(scalar(value)); ok && n > 0 && n < 100 {
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
	c.house(person, size)
}

func (c *Counts) house(person uint32, size uint8) {
	if c.home(person) == size {
		return
	}
	for int(person) >= len(c.homes) {
		c.homes = append(c.homes, make([]uint8, int(person)+1-len(c.homes))...)
	}
	c.homes[person] = size
	c.moved++
}

func (c *Counts) home(person uint32) uint8 {
	if int(person) >= len(c.homes) {
		return 0
	}
	return c.homes[person]
}

func (c *Counts) join(from, to uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, to = c.who(from), c.who(to)
	if from == to {
		return
	}
	c.becomes[from] = to
	s := c.people[from]
	if s == nil {
		return
	}
	for _, item := range s.seen {
		c.seen[item].Remove(from)
		c.changed[item]++
		c.look(to, item)
		key := uint64(from)<<32 | uint64(item)
		if n := c.held[key]; n > 0 {
			delete(c.held, key)
			c.bought[item].Remove(from)
			c.bought[item].Add(to)
			c.held[uint64(to)<<32|uint64(item)] += n
		}
	}
	if home := c.home(from); home != 0 {
		c.house(from, 0)
		c.live(to, home, s.homeAt)
	}
	delete(c.people, from)
}

func (c *Counts) part(from uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.becomes, from)
}

func (c *Counts) forget(person uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	person = c.who(person)
	s := c.people[person]
	if s == nil {
		return
	}
	for _, item := range s.seen {
		c.seen[item].Remove(person)
		c.bought[item].Remove(person)
		c.changed[item]++
		delete(c.held, uint64(person)<<32|uint64(item))
	}
	c.house(person, 0)
	delete(c.people, person)
	for key, p := range c.orders {
		if c.who(p.person) == person {
			delete(c.orders, key)
		}
	}
}

// Choice is the count of [Similar].
func (c *Counts) Choice(items []string, household int) (compared int, chose []int) {
	chose = make([]int, len(items))
	if c == nil || len(items) == 0 {
		return 0, chose
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	var buffer [mostCompared]uint32
	numbers, changed := buffer[:0], uint64(0)
	for _, id := range items {
		n, ok := c.number[id]
		if !ok || c.seen[n].GetCardinality() < Fewest {
			return 0, chose
		}
		numbers = append(numbers, n)
		changed += c.changed[n]
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

// choice counts a question for every size of household at once, or finds it
// counted. The caller holds the lock for reading.
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
	group := c.seen[items[0]]
	if len(items) > 1 {
		group = roaring.And(group, c.seen[items[1]])
		for _, n := range items[2:] {
			group.And(c.seen[n])
		}
	}
	c.bySize(group, &q.compared)
	for i, n := range items {
		c.bySize(roaring.And(group, c.bought[n]), &q.chose[i])
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
	if n, ok := c.number[item]; ok {
		if count := int(c.bought[n].GetCardinality()); count >= Fewest {
			return count
		}
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
