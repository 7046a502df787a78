package signal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
)

// Life is the flat state of one person: what a set of rules remembers of the events
// so far. Its size does not grow with their number. It is good only with the rules
// that made it.
//
//	nextDue 8 | last word on the zone 24 | zone 2 | flags 1 | - 1 | records 2 | - 2
//	directory: for each record its rule's slot 2 and its place 2, in units of 8 bytes
//	behind the directory; by slot and then in the order in which they came
//	records: size 2 | group's length 2 | flags 1 | entries 1 | - 2 | last step 24 |
//	  ring | … | group
//
// What stands behind the ring is only there for rules that ask for it: a sequence that
// waits, remembered values, the last firing (its time 8, its evidence's hash 16), and
// until when the rule is blocked, or the last period (8). A step is its time in milliseconds and its event's id.
type Life []byte

const (
	lifeHeader   = 40
	recordHeader = 32
	refBytes     = 24
	never        = math.MaxInt64

	zoneStated = 1 // in the life's flags

	held     = 1 // in a record's flags: it held after the last step
	waiting  = 2 // an absence has begun, or a sequence waits for its For
	pattern  = 4 // its group lacks keys: it only remembers what undid
	distinct = 8 // place of the next remembered value is in the byte behind
)

var le = binary.LittleEndian

// Fired is one turn that a fold found.
type Fired struct {
	Rule     int
	Group    []string          // by Definition.By
	Named    map[string]string // the group by name, when more is known of it
	At       time.Time
	Events   []event.ID
	UndoneBy *event.ID
	Print    [16]byte // of the firing: what undoes one names the one it undoes
}

// Due is when time alone may next turn something, in milliseconds since 1970.
func (l Life) Due() int64 {
	if len(l) == 0 {
		return never
	}
	return int64(le.Uint64(l))
}

func (l Life) count() int { return int(le.Uint16(l[36:])) }

// area is where the records begin: the directory grows by 16 at a time, so that they
// need not move with each.
func area(count int) int { return lifeHeader + (count+15)/16*64 }

func (l Life) at(i, base int) record {
	d := l[lifeHeader+4*i:]
	b := l[base+8*int(le.Uint16(d[2:])):]
	return record(b[:le.Uint16(b)])
}

func (l Life) ruleAt(i int) uint16 { return le.Uint16(l[lifeHeader+4*i:]) }

func newLife() Life {
	l := make(Life, lifeHeader)
	le.PutUint64(l, never)
	le.PutUint64(l[8:], 1<<63) // no time is before
	return l
}

// add puts a new record at a place of the directory.
func (l Life) add(i int, r *rule, group []byte) (Life, record) {
	n := l.count()
	from, to := area(n), area(n+1)
	size := (r.size + len(group) + 7) &^ 7
	need := to + len(l) - from + size
	var out Life
	switch {
	case from != to:
		out = l.grown(to, need)
	case len(l)+size <= cap(l):
		out = l[:len(l)+size]
		clear(out[len(l):])
	default:
		out = append(make(Life, 0, roomy(n+1, to, need)), l...)[:len(l)+size]
	}
	at := need - to - size
	copy(out[lifeHeader+4*i+4:], out[lifeHeader+4*i:lifeHeader+4*n])
	le.PutUint16(out[36:], uint16(n+1))
	le.PutUint16(out[lifeHeader+4*i:], r.slot)
	le.PutUint16(out[lifeHeader+4*i+2:], uint16(at/8))
	b := record(out[to+at : to+at+size])
	le.PutUint16(b, uint16(size))
	le.PutUint16(b[2:], uint16(len(group)))
	copy(b[r.size:], group)
	b.setLast(math.MinInt64, event.ID{})
	b.setBlock(r, math.MinInt64)
	if r.firing > 0 {
		le.PutUint64(b[r.firing:], 1<<63)
	}
	return out, b
}

// grown is the life with more room, also for the directory, its records in the order of
// that: what one event touches then stands together. Moving all of a life for each new
// record would cost more than it saves, so those that come in between stand behind.
func (l Life) grown(to, need int) Life {
	n := l.count()
	from, out := area(n), make(Life, need, roomy(n+1, to, need))
	copy(out, l[:lifeHeader+4*n])
	place := to
	for j := range n {
		b := l.at(j, from)
		le.PutUint16(out[lifeHeader+4*j+2:], uint16((place-to)/8))
		place += copy(out[place:], b)
	}
	return out
}

// roomy is how much room a life of so many records gets: what it needs, and what
// further ones like them take until the directory is full, when all of it moves anyway;
// at most half as much again.
func roomy(records, base, need int) int {
	left := (16 - records%16) % 16
	return need + min((need-base)*left/records, need/2)
}

// drop takes a record out.
func (l Life) drop(i int) Life {
	n := l.count()
	from, to := area(n), area(n-1)
	place := int(le.Uint16(l[lifeHeader+4*i+2:]))
	size := len(l.at(i, from))
	out := make(Life, to+len(l)-from-size)
	copy(out, l[:lifeHeader+4*i])
	copy(out[lifeHeader+4*i:], l[lifeHeader+4*i+4:lifeHeader+4*n])
	copy(out[to:], l[from:from+8*place])
	copy(out[to+8*place:], l[from+8*place+size:])
	le.PutUint16(out[36:], uint16(n-1))
	for j := range n - 1 {
		if p := le.Uint16(out[lifeHeader+4*j+2:]); int(p) > place {
			le.PutUint16(out[lifeHeader+4*j+2:], p-uint16(size/8))
		}
	}
	return out
}

// record is the state of one group of one rule.
type record []byte

func (b record) group(r *rule) []byte     { return b[r.size : r.size+int(le.Uint16(b[2:]))] }
func (b record) is(flag byte) bool        { return b[4]&flag != 0 }
func (b record) n() int                   { return int(b[5]) }
func (b record) lastTime() int64          { return int64(le.Uint64(b[8:])) }
func (b record) time(at int) int64        { return int64(le.Uint64(b[at:])) }
func (b record) id(at int) event.ID       { return event.ID(b[at+8 : at+24]) }
func (b record) entry(r *rule, i int) int { return recordHeader + i*r.entry }

// firedAt is when a group fired last, math.MinInt64 when it never did.
func (b record) firedAt(r *rule) int64 { return int64(le.Uint64(b[r.firing:])) }

func (b record) block(r *rule) int64 {
	if r.block == 0 {
		return math.MinInt64
	}
	return int64(le.Uint64(b[r.block:]))
}

func (b record) setBlock(r *rule, t int64) {
	if r.block > 0 {
		le.PutUint64(b[r.block:], uint64(t))
	}
}

func (b record) set(flag byte, on bool) {
	if on {
		b[4] |= flag
	} else {
		b[4] &^= flag
	}
}

func (b record) setLast(t int64, id event.ID) {
	le.PutUint64(b[8:], uint64(t))
	copy(b[16:32], id[:])
}

func (b record) ref(at int, t int64, id *event.ID) {
	le.PutUint64(b[at:], uint64(t))
	copy(b[at+8:at+24], id[:])
}

// push appends an entry; a full ring loses its oldest.
func (b record) push(r *rule, t int64, id *event.ID) (at int) {
	n := b.n()
	if n == r.keep {
		copy(b[recordHeader:], b[recordHeader+r.entry:recordHeader+n*r.entry])
		n--
	}
	b[5] = byte(n + 1)
	at = b.entry(r, n)
	b.ref(at, t, id)
	return at
}

// chain is where the best sequence of so many steps more than one stands.
func chain(step int) int { return recordHeader + step*(step+1)/2*refBytes }

// holds tells whether a group holds at a time, with the events as they are. Of a
// streak it is not asked: that depends on the zone.
func (r *rule) holds(b record, t int64) bool {
	switch r.Form {
	case Absent:
		return b.is(waiting) && t-b.time(recordHeader) >= r.hold
	case Sequence:
		if r.pending > 0 {
			return b.is(waiting) && t-b.time(r.pending+len(r.Then)*refBytes) >= r.hold
		}
		last := len(r.Then)
		return b[5]&(1<<last) != 0 && b.time(chain(last)) > t-r.within && t >= b.block(r)
	}
	if b.n() < r.keep {
		return false
	}
	switch r.Form {
	case Count:
		return b.time(recordHeader) > t-r.within && t >= b.block(r)
	case Ratio:
		return (r.within == 0 || b.time(recordHeader)>>1 > t-r.within) && t >= b.block(r) && r.share(b)
	case Periodic:
		if t-b.time(b.entry(r, r.keep-1)) > r.high {
			return false
		}
		for i := 1; i < r.keep; i++ {
			if d := b.time(b.entry(r, i)) - b.time(b.entry(r, i-1)); d < r.low || d > r.high {
				return false
			}
		}
		return true
	}
	if r.within > 0 && b.time(recordHeader) <= t-r.within || t < b.block(r) {
		return false
	}
	for i := 1; i < r.keep; i++ { // a trend
		a := math.Float64frombits(le.Uint64(b[b.entry(r, i-1)+refBytes:]))
		c := math.Float64frombits(le.Uint64(b[b.entry(r, i)+refBytes:]))
		if r.Falling && c >= a || !r.Falling && c <= a {
			return false
		}
	}
	return true
}

// share tells whether the events of a ratio are in it. The lowest bit of an entry's
// time (which is doubled) says whether it is one of Other.
func (r *rule) share(b record) bool {
	of, other := 0, 0
	for i := range r.keep {
		if b[recordHeader+i*r.entry]&1 == 0 {
			of++
		} else {
			other++
		}
	}
	return float64(of) >= r.Share*float64(other)
}

// due is when time alone turns the rule, never if it does not.
func (r *rule) due(b record) int64 {
	if b.is(held) || b.is(pattern) {
		return never
	}
	switch {
	case r.Form == Absent:
		if b.is(waiting) {
			return b.time(recordHeader) + r.hold
		}
	case r.pending > 0:
		if b.is(waiting) {
			return b.time(r.pending+len(r.Then)*refBytes) + r.hold
		}
	case r.blocks:
		if t := b.block(r); t > b.lastTime() && r.holds(b, t) {
			return t
		}
	}
	return never
}

// Fold takes the next event in. It is false when the event is older than one that
// the rule it concerns has seen: then the person's events must be folded anew, and
// what was appended to fired is of no use.
func (s *Rules) Fold(l Life, e *event.Event, fired *[]Fired) (_ Life, ok bool) {
	p := s.plans[e.Name]
	if s.zoned && e.Kind == event.Identify {
		if l, ok = s.move(l, e); !ok {
			return l, false
		}
	}
	if p == nil {
		return l, true
	}
	f, _ := foldings.Get().(*folding)
	if f == nil {
		f = new(folding)
	}
	f.s, f.p, f.e, f.t, f.fired, f.life = s, p, e, ms(e.Time), fired, l
	f.passed = [16]int8{}
	if cap(f.values) < len(p.fields) {
		f.values = make([][]byte, len(p.fields), len(p.fields)+8)
	}
	f.values = f.values[:len(p.fields)]
	scan(e.Body, p.fields, f.values)
	f.locate()
	ok = true
	for i := range f.found {
		if ok = f.hook(&f.found[i]); !ok {
			break
		}
	}
	l = f.life
	f.e, f.fired, f.life = nil, nil, nil
	clear(f.values)
	foldings.Put(f)
	return l, ok
}

// Next is an event that will be folded soon: its name, and the life it concerns as it
// is now.
type Next struct {
	Life Life
	Name string
}

// Fetch reads what the folds of some events will touch, and changes nothing. Of a
// million lives hardly one is in the processor's cache, and a fold alone waits for
// memory four times over, each time for where to look next. Here the reads of many
// events wait together: first where to look is made out for all, then it is read with
// nothing in between that the processor could guess wrongly. Some dozens of events at a
// time are best: what is fetched must still be near when it is folded.
func (s *Rules) Fetch(next []Next) (read byte) {
	var at [1024]struct{ of, byte uint32 }
	n := 0
	flush := func() {
		for _, x := range at[:n] {
			read += next[x.of].Life[x.byte]
		}
		n = 0
	}
	note := func(of, from, size, most int) {
		for size = min(size, most-from); size > 0; size -= line {
			if n == len(at) {
				flush()
			}
			at[n].of, at[n].byte = uint32(of), uint32(from)
			n++
			from += line
		}
	}
	for i := range next {
		note(i, 0, 4*line, len(next[i].Life)) // its head and directory
	}
	flush()
	for i := range next {
		l := next[i].Life
		p := s.plans[next[i].Name]
		if p == nil || len(l) == 0 {
			continue
		}
		records := l.count()
		base, place := area(records), 0
		directory := l[lifeHeader : lifeHeader+4*records]
		for k := range p.hooks {
			r := p.hooks[k].rule
			for 4*place+4 <= len(directory) && le.Uint16(directory[4*place:]) < r.slot {
				place++
			}
			if 4*place+4 <= len(directory) && le.Uint16(directory[4*place:]) == r.slot {
				note(i, base+8*int(le.Uint16(directory[4*place+2:])), r.size, len(l))
			}
		}
	}
	flush()
	return read
}

// line is how many bytes come from memory at once.
const line = 64

// foldings are used again: clearing one for each event would cost as much as the fold.
var foldings sync.Pool

// folding is one event on its way through the rules that it concerns.
type folding struct {
	s      *Rules
	p      *plan
	e      *event.Event
	t      int64
	fired  *[]Fired
	life   Life
	found  []located
	known  int      // how many records there were when they were located
	moved  int      // how many more now stand before those of the rule in work: rules come in their order
	values [][]byte // of the plan's fields
	sum    byte
	passed [16]int8 // by filter: 1 yes, -1 no
	key    [96]byte
	ask    [8][]byte
}

func (f *folding) passes(i int) bool {
	if i < 0 {
		return true
	}
	if i < len(f.passed) && f.passed[i] != 0 {
		return f.passed[i] > 0
	}
	x := &f.p.filters[i]
	var ok bool
	if x.quick != nil {
		ask := f.ask[:0]
		for _, n := range x.fields {
			ask = append(ask, f.values[n])
		}
		ok = x.quick.Pass(ask)
	} else {
		ok = x.Match(f.e, nil)
	}
	if i < len(f.passed) {
		f.passed[i] = -1
		if ok {
			f.passed[i] = 1
		}
	}
	return ok
}

// located is a hook that the event passes, and where its rule's records are.
type located struct {
	*hook
	mask  int // of acts that pass
	place int // in the directory, when f.known records were in it
}

// locate finds the records that the event concerns. It reads a byte of every line of
// them: a life is seldom in the processor's cache, and reads that do not wait for each
// other are waited for once. That made the fold of a million lives a third faster.
func (f *folding) locate() {
	f.found, f.known = f.found[:0], 0
	var directory []byte
	base, place := 0, 0
	if len(f.life) > 0 {
		f.known = f.life.count()
		base = area(f.known)
		directory = f.life[lifeHeader : lifeHeader+4*f.known]
	}
	for i := range f.p.hooks {
		h := &f.p.hooks[i]
		mask := 0
		for i := range h.acts {
			if f.passes(h.acts[i].filter) {
				mask |= 1 << i
			}
		}
		if mask == 0 {
			continue
		}
		slot := h.rule.slot
		for 4*place+4 <= len(directory) && le.Uint16(directory[4*place:]) < slot {
			place++
		}
		if 4*place+4 <= len(directory) && le.Uint16(directory[4*place:]) == slot {
			b := f.life[base+8*int(le.Uint16(directory[4*place+2:])):]
			for at := 0; at < h.rule.size && at < len(b); at += line {
				f.sum += b[at]
			}
		}
		f.found = append(f.found, located{h, mask, place})
	}
}

// hook takes the event to one rule, in each of its groups.
func (f *folding) hook(h *located) bool {
	mask := h.mask
	f.moved = f.life.Records() - f.known
	if len(h.by) == 0 {
		return f.step(h, mask, nil, true)
	}
	if h.products && f.of(h, "product_id") == nil && f.of(h, "asset_id") == nil {
		var groups [][]byte
		for _, m := range keysOf(f.e, h.rule.By, &Moment{Symptom: f.s.symptom}, nil) {
			var key []byte
			for i, k := range m.keys {
				if i > 0 {
					key = append(key, 0)
				}
				key = append(key, k...)
			}
			if slices.ContainsFunc(groups, func(o []byte) bool { return bytes.Equal(o, key) }) {
				continue
			}
			groups = append(groups, key)
			if !f.step(h, mask, key, !slices.Contains(m.keys, "")) {
				return false
			}
		}
		return true
	}
	key, full := f.key[:0], true
	for i, n := range h.by {
		if i > 0 {
			key = append(key, 0)
		}
		before := len(key)
		if n < 0 {
			key = append(key, f.s.symptom(f.e)...)
		} else {
			key = appendPlain(key, f.values[n])
		}
		full = full && len(key) > before
	}
	return f.step(h, mask, key, full)
}

// of is a field of By when the event has it.
func (f *folding) of(h *located, name string) []byte {
	if i := slices.Index(h.rule.By, name); i >= 0 {
		if v := f.values[h.by[i]]; len(appendPlain(nil, v)) > 0 {
			return v
		}
	}
	return nil
}

// step takes the event to the group of a key. One that lacks keys can only undo, and
// undoes every group that it may belong to.
func (f *folding) step(h *located, mask int, key []byte, full bool) bool {
	r := h.rule
	if !full {
		for i := range h.acts {
			if h.acts[i].role != undoes && h.acts[i].role != ends {
				mask &^= 1 << i
			}
		}
		if mask == 0 {
			return true
		}
	}
	if len(f.life) == 0 {
		f.life = newLife()
	}
	n := f.life.count()
	base, first := area(n), h.place+f.moved
	found := false
	i := first
	for ; i < n && f.life.ruleAt(i) == r.slot; i++ {
		b := f.life.at(i, base)
		mine := bytes.Equal(b.group(r), key)
		found = found || mine
		if mine || !full && !b.is(pattern) && belongs(b.group(r), key) {
			if !f.apply(h.hook, b, mask) {
				return false
			}
		}
		if mine && full {
			return true
		}
	}
	if found {
		return true
	}
	if i-first >= MostGroups {
		f.forget(first, i, base)
		i--
	}
	life, b := f.life.add(i, r, key)
	f.life = life
	b.set(pattern, !full)
	if full && len(r.By) > 0 { // what undid every group before this one came
		base = area(life.count())
		for j := first; j < i; j++ {
			o := life.at(j, base)
			if o.is(pattern) && belongs(key, o.group(r)) && compareStep(o, b) > 0 {
				copy(b[8:32], o[8:32])
				b.setBlock(r, max(b.block(r), o.block(r)))
			}
		}
	}
	return f.apply(h.hook, b, mask)
}

func compareStep(a, b record) int {
	if x, y := a.lastTime(), b.lastTime(); x != y {
		if x < y {
			return -1
		}
		return 1
	}
	return bytes.Compare(a[16:32], b[16:32])
}

// forget drops the group that was silent longest, of a rule's records in [from, to).
func (f *folding) forget(from, to, base int) {
	oldest := from
	for i := from + 1; i < to; i++ {
		if compareStep(f.life.at(i, base), f.life.at(oldest, base)) < 0 {
			oldest = i
		}
	}
	f.life = f.life.drop(oldest)
}

// belongs tells whether a full key fits one that lacks parts.
func belongs(full, part []byte) bool {
	for {
		a, moreA := cut(full)
		b, moreB := cut(part)
		if len(b) > 0 && !bytes.Equal(a, b) {
			return false
		}
		if moreA == nil || moreB == nil {
			return moreA == nil && moreB == nil
		}
		full, part = moreA, moreB
	}
}

// cut gives the first part of a key, and the rest; nil when there is none.
func cut(key []byte) (part, rest []byte) {
	i := bytes.IndexByte(key, 0)
	if i < 0 {
		return key, nil
	}
	return key[:i], key[i+1:]
}

// apply is one step of one group.
func (f *folding) apply(h *hook, b record, mask int) bool {
	r, t := h.rule, f.t
	last := b.lastTime()
	if isAfter(b[8:32], t, &f.e.ID) || r.Form == Streak && isAfter(f.life[8:32], t, &f.e.ID) {
		return false
	}
	if r.timed && r.due(b) < t {
		r.tick(f.s, b, t-1, f.fired)
	}
	holds := b.is(held)
	if holds && t > last {
		holds = f.holdsAt(r, b, t-1)
	}
	undone, counted := false, false
	for i := range h.acts {
		if mask&(1<<i) == 0 {
			continue
		}
		switch a := &h.acts[i]; a.role {
		case undoes:
			undone = true
			r.undo(b, t)
		case ends:
			undone = undone || b.is(waiting)
			b.set(waiting, false)
		case starts:
			b.ref(recordHeader, t, &f.e.ID)
			b.set(waiting, true)
			undone = false
		case others:
			if !counted {
				f.count(h, b, 1)
			}
		case observes:
			counted = true
			if r.Form == Sequence {
				r.extend(b, a.step, t, &f.e.ID)
			} else {
				f.count(h, b, 0)
			}
		}
	}
	b.setLast(t, f.e.ID)
	now := f.holdsAt(r, b, t)
	switch {
	case now && !holds:
		r.turn(b, t, f.fired)
	case holds && !now && undone && b.firedAt(r) != math.MinInt64 && [16]byte(b[r.firing+8:]) != zero:
		id := f.e.ID
		*f.fired = append(*f.fired, Fired{Rule: int(r.index), Group: names(b.group(r), len(r.By)), At: time.UnixMilli(b.firedAt(r)).UTC(), UndoneBy: &id, Print: [16]byte(b[r.firing+8:])})
	}
	b.set(held, now)
	if r.timed {
		if d := r.due(b); d < f.life.Due() {
			le.PutUint64(f.life, uint64(d))
		}
	}
	return true
}

var (
	zero   [16]byte
	lastID = event.ID(bytes.Repeat([]byte{0xff}, 16)) // behind every event of its moment
)

// undo is what an event of Without does.
func (r *rule) undo(b record, t int64) {
	if r.Form == Streak && !r.SinceFirst {
		b[5] = 0 // the periods so far go on, but what holds must have begun since
		return
	}
	b[5] = 0
	b.set(waiting, false)
	switch {
	case r.Form == Streak:
		b.setBlock(r, math.MinInt64)
	case r.blocks:
		b.setBlock(r, t+r.within)
	}
}

// count takes an event into the ring.
func (f *folding) count(h *hook, b record, other int64) {
	r, t := h.rule, f.t
	if r.distinct > 0 {
		if v := appendPlain(nil, f.values[h.distinct]); len(v) > 0 && !b.fresh(r, v) {
			return
		}
	}
	switch r.Form {
	case Trend:
		v, ok := number(f.values[h.value])
		if !ok {
			return
		}
		at := b.push(r, t, &f.e.ID)
		le.PutUint64(b[at+refBytes:], math.Float64bits(v))
	case Ratio:
		at := b.push(r, t, &f.e.ID)
		le.PutUint64(b[at:], uint64(t<<1|other))
	case Streak:
		p, was := int64(period(f.e.Time.In(f.life.zone()), r.Per)), b.block(r)
		if was != math.MinInt64 && p <= was {
			return
		}
		if was != math.MinInt64 && p-was-1 > int64(r.Grace) {
			b[5] = 0
		}
		b.setBlock(r, p)
		b.push(r, t, &f.e.ID)
	default:
		b.push(r, t, &f.e.ID)
	}
}

// fresh notes a value, unless it is one of those remembered.
func (b record) fresh(r *rule, value []byte) bool {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for _, c := range value {
		h = (h ^ uint64(c)) * prime
	}
	h |= 1 // 0 is no value
	for i := range DistinctValues {
		if le.Uint64(b[r.distinct+8*i:]) == h {
			return false
		}
	}
	copy(b[r.distinct:], b[r.distinct+8:r.distinct+8*DistinctValues])
	le.PutUint64(b[r.distinct+8*(DistinctValues-1):], h)
	return true
}

// extend is a further step of a sequence: of all sequences up to a step the one that
// began last is kept.
func (r *rule) extend(b record, step int, t int64, id *event.ID) {
	at := chain(step)
	if step > 0 {
		from := chain(step - 1)
		if b[5]&(1<<(step-1)) == 0 || b.time(from) <= t-r.within {
			return
		}
		copy(b[at:], b[from:from+step*refBytes])
	}
	b.ref(at+step*refBytes, t, id)
	b[5] |= 1 << step
	if r.pending > 0 && step == len(r.Then) && t >= b.block(r) {
		copy(b[r.pending:], b[at:at+(step+1)*refBytes])
		b.set(waiting, true)
	}
}

func (f *folding) holdsAt(r *rule, b record, t int64) bool {
	if b.is(pattern) {
		return false
	}
	if r.Form == Streak {
		return b.n() == r.keep && int64(period(time.UnixMilli(t).In(f.life.zone()), r.Per))-b.block(r) <= int64(1+r.Grace)
	}
	return r.holds(b, t)
}

// tick lets time pass for a group, up to and with a moment.
func (r *rule) tick(s *Rules, b record, upTo int64, fired *[]Fired) {
	due := r.due(b)
	if due > upTo {
		return
	}
	b.setLast(due, lastID)
	b.set(held, true)
	r.turn(b, due, fired)
}

// turn notes that a group has begun to hold.
func (r *rule) turn(b record, t int64, fired *[]Fired) {
	if r.cool > 0 {
		if at := b.firedAt(r); at != math.MinInt64 && t < at+r.cool {
			copy(b[r.firing+8:], zero[:]) // this holding has no firing
			return
		}
	}
	x := Fired{Rule: int(r.index), Group: names(b.group(r), len(r.By)), At: time.UnixMilli(t).UTC()}
	at, n := recordHeader, r.keep
	switch {
	case r.pending > 0:
		at, n = r.pending, 1+len(r.Then)
	case r.Form == Sequence:
		at, n = chain(len(r.Then)), 1+len(r.Then)
	}
	x.Events = make([]event.ID, n)
	for i := range x.Events {
		x.Events[i] = b.id(at + i*r.entry)
	}
	x.Print = print(x.Group, t, x.Events)
	if r.firing > 0 {
		le.PutUint64(b[r.firing:], uint64(t))
		copy(b[r.firing+8:], x.Print[:])
	}
	*fired = append(*fired, x)
}

// names are the parts of a group's key.
func names(key []byte, n int) []string {
	if n == 0 {
		return nil
	}
	all := make([]string, 0, n)
	for len(all) < n {
		part, rest := cut(key)
		all = append(all, string(part))
		key = rest
	}
	return all
}

// Advance lets time pass up to a moment and with it, when no more events of the
// person are to come that are as old.
func (s *Rules) Advance(l Life, now time.Time, fired *[]Fired) Life {
	t := ms(now)
	if l.Due() > t {
		return l
	}
	base, next := area(l.count()), int64(never)
	for i := range l.count() {
		r := &s.rules[l.ruleAt(i)]
		if !r.timed {
			continue
		}
		b := l.at(i, base)
		r.tick(s, b, t, fired)
		next = min(next, r.due(b))
	}
	le.PutUint64(l, uint64(next))
	return l
}

// The zone of a person is, at each step, the one that was stated last, else the one
// of the device they signed in with last.

var zones struct {
	sync.RWMutex
	number map[string]uint16
	of     []*time.Location
}

func zoneNumber(name string) (uint16, bool) {
	zones.RLock()
	n, known := zones.number[name]
	zones.RUnlock()
	if known {
		return n, n > 0
	}
	at, err := time.LoadLocation(name)
	zones.Lock()
	defer zones.Unlock()
	if zones.number == nil {
		zones.number, zones.of = map[string]uint16{}, []*time.Location{time.UTC}
	}
	if n, known := zones.number[name]; known {
		return n, n > 0
	}
	if err != nil || name == "" || name == "Local" || len(zones.of) == math.MaxUint16 {
		return 0, false
	}
	zones.of = append(zones.of, at)
	zones.number[name] = uint16(len(zones.of) - 1)
	return zones.number[name], true
}

func (l Life) zone() *time.Location {
	if len(l) == 0 {
		return time.UTC
	}
	n := le.Uint16(l[32:])
	if n == 0 {
		return time.UTC
	}
	zones.RLock()
	defer zones.RUnlock()
	return zones.of[n]
}

// move reads the zone that an identify call states or implies.
func (s *Rules) move(l Life, e *event.Event) (Life, bool) {
	name, stated := plain(field(e.Body, "timezone")), true
	n, ok := zoneNumber(name)
	if name == "" || !ok {
		if n, ok = zoneNumber(plain(field(e.Context, "timezone"))); !ok {
			return l, true
		}
		stated = false
	}
	if len(l) == 0 {
		l = newLife()
	}
	t := ms(e.Time)
	base := area(l.count())
	for i := range l.count() {
		if s.rules[l.ruleAt(i)].Form == Streak && isAfter(l.at(i, base)[8:32], t, &e.ID) {
			return l, false
		}
	}
	if isAfter(l[8:32], t, &e.ID) {
		return l, false // a later word about the zone is known
	}
	record(l).ref(8, t, &e.ID)
	if !stated && l[34]&zoneStated != 0 {
		return l, true
	}
	le.PutUint16(l[32:], n)
	if stated {
		l[34] |= zoneStated
	}
	return l, true
}

// isAfter tells whether a step lies after an event.
func isAfter(step []byte, t int64, id *event.ID) bool {
	at := int64(le.Uint64(step))
	return at > t || at == t && bytes.Compare(step[8:24], id[:]) > 0
}

// scan finds fields of a compact JSON object in one pass.
func scan(object []byte, fields []string, values [][]byte) {
	clear(values)
	if len(fields) == 0 {
		return
	}
	left := len(fields)
	i := skipBlank(object, 0)
	if i >= len(object) || object[i] != '{' {
		return
	}
	for i++; i < len(object); {
		i = skipBlank(object, i)
		if i >= len(object) || object[i] != '"' {
			return
		}
		end := skipText(object, i+1)
		if end-1 <= i {
			return
		}
		name := object[i+1 : end-1]
		i = skipBlank(object, end)
		if i >= len(object) || object[i] != ':' {
			return
		}
		i = skipBlank(object, i+1)
		end = skipValue(object, i)
		for n, f := range fields {
			if len(f) == len(name) && values[n] == nil && string(name) == f {
				values[n] = object[i:end]
				if left--; left == 0 {
					return
				}
			}
		}
		i = skipBlank(object, end)
		if i < len(object) && object[i] == ',' {
			i++
		}
	}
}

// appendPlain appends what plain gives.
func appendPlain(to, raw []byte) []byte {
	if len(raw) == 0 {
		return to
	}
	switch raw[0] {
	case '"':
		if bytes.IndexByte(raw, '\\') < 0 {
			return append(to, raw[1:len(raw)-1]...)
		}
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return to
		}
		return append(to, s...)
	case 'n', '{', '[':
		return to
	}
	return append(to, raw...)
}

// number reads a raw JSON number.
func number(raw []byte) (float64, bool) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	return v, err == nil
}

// Records is how many groups of signals a life remembers something of.
func (l Life) Records() int {
	if len(l) == 0 {
		return 0
	}
	return l.count()
}
