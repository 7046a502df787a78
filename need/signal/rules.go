package signal

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
)

// Rules are definitions made ready to be folded over events as they come, one at a
// time, with a flat state ([Life]) for each person.
//
//	life, ok := rules.Fold(life, e, &fired) // in the order of profiles
//	life = rules.Advance(life, now, &fired) // what time alone turns
//
// Firing, exactly: the events that belong to a group are steps in the order (time,
// id); between two steps time goes on in milliseconds. A group fires at a step, or at
// a moment in between, at which it holds and did not hold one step or one
// millisecond before; not within Cooldown of its last firing. The evidence is the
// newest AtLeast events that count (the sequence, the beginning of the absence). A
// firing is undone by the event of Without (of an absence: Event, of a sequence:
// Unless) that ends the same holding.
type Rules struct {
	definitions []Definition
	rules       []rule // by slot
	plans       map[string]*plan
	liveNames   map[string]bool
	symptom     func(*event.Event) string
	timed       bool
	zoned       bool
	household   *Rules // those of households, nil when there are none
}

// rule is one definition with the layout of its state.
type rule struct {
	*Definition
	index     uint16 // of the definition
	slot      uint16 // its place among the rules of a life
	live      bool   // reads records: folded with the whole profile
	timed     bool   // time alone may turn it
	blocks    bool   // one of Without keeps it from holding for a whole window
	keep      int    // entries of the ring
	entry     int    // bytes of an entry
	size      int    // bytes of a record without its group's name
	distinct  int    // offset of remembered values
	firing    int    // offset of the last firing, 0: nothing ever asks for it
	block     int    // offset of the block or period, 0: it has none
	pending   int    // of a sequence: offset of the one that waits for its For
	within    int64
	hold      int64 // For, in milliseconds; of an absence Within
	cool      int64
	low, high int64 // of a period
}

// role is what an event is to a rule.
type role uint8

const (
	observes role = iota // it counts; of a sequence: step 0 and up
	undoes               // one of Without
	starts               // After
	others               // Other
	ends                 // of an absence: Event; of a sequence: Unless
)

// hook is one rule that an event of a name concerns.
type hook struct {
	rule *rule
	acts []act
	by   []int // fields of By, -1: the symptom
	// products: By names products, of which one event may have several
	products        bool
	distinct, value int // fields, -1: none
}

type act struct {
	role   role
	step   int
	filter int // in plan.filters, -1: none
}

// plan is what is done with events of one name.
type plan struct {
	fields  []string
	filters []planFilter
	hooks   []hook
}

type planFilter struct {
	Filter
	quick  Quick
	fields []int
}

// NewRules makes definitions ready. symptom gives the normalised symptom of an
// event; nil reads its property as it stands.
func NewRules(definitions []Definition, symptom func(*event.Event) string) *Rules {
	s := newRules(definitions, symptom, false)
	if slices.ContainsFunc(definitions, func(d Definition) bool { return d.Household }) {
		s.household = newRules(definitions, symptom, true)
	}
	return s
}

// Household are the rules of households: they fold what their members do, one life a
// household. nil when no definition asks for one.
func (s *Rules) Household() *Rules { return s.household }

func newRules(definitions []Definition, symptom func(*event.Event) string, household bool) *Rules {
	s := &Rules{definitions: definitions, plans: map[string]*plan{}, liveNames: map[string]bool{}, symptom: symptom}
	for i := range definitions {
		if definitions[i].Household == household {
			s.rules = append(s.rules, layout(&definitions[i], uint16(i)))
		}
	}
	// What one event concerns stands together in memory.
	slices.SortStableFunc(s.rules, func(a, b rule) int { return strings.Compare(a.mostly(), b.mostly()) })
	for i := range s.rules {
		r := &s.rules[i]
		r.slot = uint16(i)
		if r.live {
			for _, name := range r.names() {
				s.liveNames[name] = true
			}
			continue
		}
		s.timed = s.timed || r.timed
		s.zoned = s.zoned || r.Form == Streak
		s.hook(r)
	}
	return s
}

// Definitions are those that the rules were made of, in their order.
func (s *Rules) Definitions() []Definition { return s.definitions }

// Concerns tells whether an event may change anything; live, that it may change a
// signal that reads records, so that the person is to be gone through anew.
func (s *Rules) Concerns(e *event.Event) (flat, live bool) {
	flat = s.plans[e.Name] != nil || s.zoned && e.Kind == event.Identify
	if len(s.liveNames) > 0 {
		live = s.liveNames[e.Name] || readsCases[e.Name]
	}
	return flat, live
}

// Counts tells whether an event of a name counts for a signal that reads records.
func (s *Rules) Counts(name string) bool {
	for i := range s.rules {
		if r := &s.rules[i]; r.live && r.Event == name {
			return true
		}
	}
	return false
}

// Least is how many events that count a person must have had for a signal that reads
// records to hold; 0 when that cannot be said by counting.
func (s *Rules) Least() int {
	least := 0
	for i := range s.rules {
		r := &s.rules[i]
		if !r.live {
			continue
		}
		if r.Form != Count && r.Form != "" {
			return 0
		}
		if n := max(r.AtLeast, 1); least == 0 || n < least {
			least = n
		}
	}
	return least
}

// readsCases are the events that change a person's cases and units.
var readsCases = map[string]bool{
	"case": true, "asset": true, "Repair Reported": true, "Repair Completed": true, "Service Case Updated": true, "Order Completed": true,
}

func readsRecords(f Filter) bool {
	r, can := f.(ReadsRecords)
	return can && r.ReadsRecords()
}

// ReadsRecords tells that what counts may change with the person's records.
func (d *Definition) ReadsRecords() bool {
	return slices.Contains(d.By, "device") || readsRecords(d.Where) || readsRecords(d.After.Where) || readsRecords(d.Unless.Where) || readsRecords(d.Other.Where) ||
		slices.ContainsFunc(d.Then, func(s Step) bool { return readsRecords(s.Where) })
}

func (d *Definition) names() []string {
	all := append([]string{d.Event, d.After.Event, d.Other.Event, d.Unless.Event}, d.Without...)
	for _, s := range d.Then {
		all = append(all, s.Event)
	}
	return slices.DeleteFunc(all, func(n string) bool { return n == "" })
}

// mostly is the event that most often concerns it.
func (d *Definition) mostly() string {
	if d.Form == Absent {
		return d.After.Event
	}
	return d.Event
}

func layout(d *Definition, index uint16) rule {
	r := rule{Definition: d, index: index, keep: max(d.AtLeast, 1), entry: refBytes, within: d.Within.Milliseconds(), hold: d.For.Milliseconds(), cool: d.Cooldown.Milliseconds()}
	r.live = d.ReadsRecords() && !d.Household
	r.blocks = len(d.Without) > 0 && !d.SinceFirst && r.within > 0
	switch d.Form {
	case Trend:
		r.entry = refBytes + 8
	case Periodic:
		r.blocks, r.within = false, 0
		slack := int64(float64(d.Every.Milliseconds()) * d.Tolerance)
		r.low, r.high = d.Every.Milliseconds()-slack, d.Every.Milliseconds()+slack
	case Streak:
		r.blocks, r.within = false, 0
	case Absent:
		r.keep, r.blocks, r.hold = 1, false, r.within
	case Sequence:
		steps := 1 + min(len(d.Then), MostSteps)
		r.keep = steps * (steps + 1) / 2
	}
	r.timed = r.blocks || d.Form == Absent || d.Form == Sequence && d.Unless.Event != ""
	r.size = recordHeader + r.keep*r.entry
	if d.Form == Sequence && d.Unless.Event != "" {
		r.pending = r.size
		r.size += (1 + len(d.Then)) * refBytes
	}
	if d.Distinct != "" {
		r.distinct = r.size
		r.size += DistinctValues * 8
	}
	if r.cool > 0 || len(d.Without) > 0 || d.Form == Absent || r.pending > 0 { // it may be undone
		r.firing = r.size
		r.size += 24
	}
	if r.blocks || d.Form == Streak {
		r.block = r.size
		r.size += 8
	}
	return r
}

// hook puts a rule on the plans of the events that concern it.
func (s *Rules) hook(r *rule) {
	put := func(name string, where Filter, a act) {
		if name == "" {
			return
		}
		p := s.plans[name]
		if p == nil {
			p = &plan{}
			s.plans[name] = p
		}
		a.filter = p.filter(where)
		if n := len(p.hooks); n > 0 && p.hooks[n-1].rule == r {
			p.hooks[n-1].acts = append(p.hooks[n-1].acts, a)
			return
		}
		h := hook{rule: r, acts: []act{a}, distinct: -1, value: -1}
		for _, name := range r.By {
			if name == "symptom" && s.symptom != nil {
				h.by = append(h.by, -1)
				continue
			}
			h.by = append(h.by, p.field(name))
			h.products = h.products || name == "product_id" || name == "asset_id"
		}
		if r.Distinct != "" {
			h.distinct = p.field(r.Distinct)
		}
		if r.Form == Trend {
			h.value = p.field(r.Value)
		}
		p.hooks = append(p.hooks, h)
	}
	// What undoes comes before what counts: an event that does both counts anew.
	for _, name := range r.Without {
		put(name, nil, act{role: undoes})
	}
	switch r.Form {
	case Absent:
		put(r.Event, r.Where, act{role: ends})
		put(r.After.Event, r.After.Where, act{role: starts})
	case Sequence:
		put(r.Unless.Event, r.Unless.Where, act{role: ends})
		for i := len(r.Then); i > 0; i-- { // the last step first: an event is no two steps of one sequence
			put(r.Then[i-1].Event, r.Then[i-1].Where, act{role: observes, step: i})
		}
		put(r.Event, r.Where, act{role: observes})
	default:
		put(r.Event, r.Where, act{role: observes})
		put(r.Other.Event, r.Other.Where, act{role: others}) // what is both counts as Event
	}
}

func (p *plan) field(name string) int {
	if i := slices.Index(p.fields, name); i >= 0 {
		return i
	}
	p.fields = append(p.fields, name)
	return len(p.fields) - 1
}

func (p *plan) filter(f Filter) int {
	if f == nil {
		return -1
	}
	for i := range p.filters {
		if same(p.filters[i].Filter, f) {
			return i
		}
	}
	x := planFilter{Filter: f}
	if q, ok := f.(Quick); ok {
		x.quick = q
		for _, name := range q.Fields() {
			x.fields = append(x.fields, p.field(name))
		}
	}
	p.filters = append(p.filters, x)
	return len(p.filters) - 1
}

// same compares filters; those that cannot be compared differ.
func same(a, b Filter) (equal bool) {
	defer func() { _ = recover() }()
	return a == b
}

// ms is a time in whole milliseconds, in which all of this reckons.
func ms(t time.Time) int64 { return t.UnixMilli() }

// print tells firings of one signal apart.
func print(group []string, at int64, events []event.ID) [16]byte {
	var room [512]byte
	b := room[:0]
	for _, g := range group {
		b = append(append(b, g...), 0)
	}
	b = le.AppendUint64(b, uint64(at))
	for i := range events {
		b = append(b, events[i][:]...)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:])
}

// Live tells whether a signal reads records.
func (s *Rules) Live() bool { return len(s.liveNames) > 0 }

// Same tells whether rules were made of the same definitions, so that what one set
// remembers is good for the other. Filters are the same when they were written alike.
func (s *Rules) Same(o *Rules) bool {
	if len(s.definitions) != len(o.definitions) {
		return false
	}
	for i := range s.definitions {
		if wording(&s.definitions[i]) != wording(&o.definitions[i]) {
			return false
		}
	}
	return true
}

// wording is a definition as text; a filter that has no text is like no other.
func wording(d *Definition) string {
	filter := func(f Filter) string {
		switch f := f.(type) {
		case nil:
			return ""
		case fmt.Stringer:
			return f.String()
		}
		return fmt.Sprintf("%T at %p", f, d)
	}
	text := fmt.Sprintf("%t %q %q %q %d %d %q %q %q %q %t", d.Household, d.ID, d.Form, d.Event, d.AtLeast, d.Within, d.Per, d.By, d.Distinct, d.Without, d.SinceFirst)
	text += fmt.Sprintf(" %q %d %q %t %g %d %g %d %d", d.Unless.Event, d.For, d.Value, d.Falling, d.Share, d.Every, d.Tolerance, d.Grace, d.Cooldown)
	for _, s := range append([]Step{{d.Event, d.Where}, d.After, d.Other, d.Unless}, d.Then...) {
		text += fmt.Sprintf(" %q where %q", s.Event, filter(s.Where))
	}
	return text
}
