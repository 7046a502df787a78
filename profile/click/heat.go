package click

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// The grid of a page and the bounds of what is kept of a workspace. Paths, selectors
// and segments come from outside: what is over a bound is counted under [Other].
const (
	Columns = 20
	Rows    = 50

	mostPages    = 2048
	mostElements = 256 // of a page
	mostSegments = 64
	mostStated   = 1 << 20 // keys whose segment is known
	mostWatched  = 1 << 16 // people who clicked of late
	mostCounters = 1 << 20 // some 100 MB; beyond it the oldest eighth goes

	// Counts are kept by the hour for a week, by the day for 400 days.
	hourlyFor = 7 * 24
	dailyFor  = 400 * 24
)

// Other stands for the pages, elements and segments beyond a bound.
const Other = "(other)"

// Counter is what was counted at one place.
type Counter struct {
	Clicks    uint32 `json:"clicks"`
	Dead      uint32 `json:"dead"`
	Rage      uint32 `json:"rage"`
	Abandoned uint32 `json:"abandoned"`
}

func (c *Counter) add(o Counter) {
	c.Clicks += o.Clicks
	c.Dead += o.Dead
	c.Rage += o.Rage
	c.Abandoned += o.Abandoned
}

// Heat counts clicks of all workspaces by page, device class, segment and time. It
// follows the log: what it holds is what a recount of the log gives, byte for byte.
// Each click counts in the hour it happened, under the segment that was known of its
// key when it came; who switched personalisation off counts under none. Counts name
// nobody: they stay when a person is erased, while what is known of keys goes.
// It is safe for concurrent use; the zero value is ready.
type Heat struct {
	mu  sync.RWMutex
	all map[string]*house
}

// house is what is counted of one workspace.
type house struct {
	newest   int64 // hour of the newest event that was received
	pages    []string
	page     map[string]uint16
	elements []map[string]uint16 // of each page
	names    [][]string
	segments []string
	segment  map[string]uint16
	cells    map[bucket]map[place]*Counter
	counters int               // in all cells
	stated   map[uint64]uint16 // segment by key
	watched  map[uint64]*watched
	queue    []turn // who was watched, in the order of their last event
}

// bucket is one page seen by one kind of visitor in one stretch of time.
type bucket struct {
	hour    int32 // since 1970; a day is its first hour
	page    uint16
	segment uint16
	device  uint8
	daily   bool
}

// place is a cell of the grid, or an element (elementBase and its number).
type place uint16

const (
	elementBase place = 1 << 12
	nowhere     place = elementBase - 1 // a click without coordinates
)

type watched struct {
	Watch
	at    int64 // received, milliseconds
	where place // of the last click
}

type turn struct {
	key uint64
	at  int64
}

var devices = []string{"", "desktop", "mobile", "tablet"}

const noSegment, offSegment = 0, 1<<16 - 1

// Name is the follower's.
func (h *Heat) Name() string { return "heat" }

// Join changes nothing: what was counted was somebody's click, whoever they are.
func (h *Heat) Join(string, uint32, uint32) {}

func keyHash(k identity.Key) uint64 { return target(k.Kind, k.Value) }

// Follow counts an event of a page and notes who is of which segment.
func (h *Heat) Follow(c journal.Committed) {
	e := c.Event
	k := identity.KeyOf(e)
	if k == (identity.Key{}) {
		return
	}
	states := e.Kind == event.Identify || e.Kind == event.Record && (e.Name == "person" || e.Name == "preference")
	seen := e.Kind == event.Track || e.Kind == event.Page || e.Kind == event.Screen
	if !states && !seen {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.all[c.Workspace]
	if w == nil {
		if !Watched(e.Name) && !states {
			return
		}
		w = newHouse()
		if h.all == nil {
			h.all = map[string]*house{}
		}
		h.all[c.Workspace] = w
	}
	w.turn(e.Received)
	if states {
		w.state(e, keyHash(k))
		return
	}
	w.see(e, keyHash(k))
}

func newHouse() *house {
	return &house{page: map[string]uint16{}, segment: map[string]uint16{"": noSegment}, segments: []string{""},
		cells: map[bucket]map[place]*Counter{}, stated: map[uint64]uint16{}, watched: map[uint64]*watched{}}
}

// turn lets time pass: hours that have become old are added up to days, days that have
// become old go.
func (w *house) turn(received time.Time) {
	hour := received.Unix() / 3600
	if hour <= w.newest {
		return
	}
	day := hour/24 != w.newest/24
	w.newest = hour
	if !day {
		return
	}
	for b, cells := range w.cells {
		into := w.bucket(b, int64(b.hour))
		switch {
		case int64(b.hour) < hour-dailyFor:
			w.drop(b)
		case into != b:
			w.drop(b)
			for at, n := range cells {
				w.at(into, at).add(*n)
			}
		}
	}
}

func (w *house) drop(b bucket) {
	w.counters -= len(w.cells[b])
	delete(w.cells, b)
}

// dropOldest makes room.
func (w *house) dropOldest() {
	for _, b := range w.buckets() {
		if w.counters <= mostCounters/8*7 {
			return
		}
		w.drop(b)
	}
}

// buckets are all of them, the oldest first.
func (w *house) buckets() []bucket {
	return slices.SortedFunc(maps.Keys(w.cells), func(a, b bucket) int {
		return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(a.page, b.page), cmp.Compare(a.segment, b.segment), cmp.Compare(a.device, b.device))
	})
}

// bucket is the stretch of time that an hour belongs to now.
func (w *house) bucket(b bucket, hour int64) bucket {
	b.daily = hour/24 < (w.newest-hourlyFor)/24
	if b.daily {
		hour -= hour % 24
	}
	b.hour = int32(hour)
	return b
}

func (w *house) at(b bucket, at place) *Counter {
	cells := w.cells[b]
	if cells == nil {
		cells = map[place]*Counter{}
		w.cells[b] = cells
	}
	n := cells[at]
	if n == nil {
		n = &Counter{}
		cells[at] = n
		w.counters++
	}
	return n
}

func (w *house) state(e *event.Event, key uint64) {
	f := e.Properties()
	if e.Kind == event.Record && e.Name == "preference" {
		switch v := f["personalization"]; {
		case e.Deleted, v == "on", v == true:
			if w.stated[key] == offSegment {
				delete(w.stated, key)
			}
		case v == "off", v == false:
			w.note(key, offSegment)
		}
		return
	}
	name, ok := f["segment"].(string)
	if !ok || w.stated[key] == offSegment {
		return
	}
	name = shorten(name)
	n, known := w.segment[name]
	if !known {
		if len(w.segments) > mostSegments {
			name = Other
		}
		if n, known = w.segment[name]; !known {
			n = uint16(len(w.segments))
			w.segment[name] = n
			w.segments = append(w.segments, name)
		}
	}
	w.note(key, n)
}

func (w *house) note(key uint64, segment uint16) {
	if _, known := w.stated[key]; known || len(w.stated) < mostStated {
		w.stated[key] = segment
	}
}

func (w *house) see(e *event.Event, key uint64) {
	p := w.watched[key]
	counts := Watched(e.Name)
	if p == nil {
		if !counts {
			return
		}
		p = w.watch(key)
	}
	if p.at < w.silent() || p.Idle() {
		*p = watched{where: nowhere} // as if it had been let go: it may have been
	}
	p.at = max(p.at, e.Received.UnixMilli())
	w.queue = append(w.queue, turn{key, p.at})
	c := Click{}
	if e.Name == Clicked {
		c = Read(e)
	}
	where := nowhere
	if c.X >= 0 {
		where = place(min(int(c.Y*Rows), Rows-1)*Columns + min(int(c.X*Columns), Columns-1))
	}
	before := p.where
	found := p.See(e)
	if e.Name == Clicked {
		w.count(e, key, &c, where, Counter{Clicks: 1})
		p.where = where
	}
	for i := range found {
		f := &found[i]
		at := Click{Path: f.Path, Selector: f.Selector}
		switch f.Name {
		case Dead:
			spot := before
			if f.ID == e.ID {
				spot = where
			}
			w.count(e, key, &at, spot, Counter{Dead: 1})
		case Rage:
			w.count(e, key, &at, where, Counter{Rage: 1})
		case Abandoned:
			w.count(e, key, &at, nowhere, Counter{Abandoned: 1})
		}
	}
}

// watch begins to follow somebody, and lets go who was silent for long, or longest.
func (w *house) watch(key uint64) *watched {
	w.forgetSilent(mostWatched)
	p := &watched{where: nowhere}
	w.watched[key] = p
	return p
}

// silent is when somebody must have been seen last to be let go.
func (w *house) silent() int64 { return (w.newest-1)*3_600_000 - fieldWithin.Milliseconds() }

func (w *house) forgetSilent(most int) {
	old := w.silent()
	n := 0
	for ; n < len(w.queue) && (w.queue[n].at < old || len(w.watched) >= most || len(w.queue)-n > 4*most); n++ {
		t := w.queue[n]
		if p := w.watched[t.key]; p != nil && p.at <= t.at {
			delete(w.watched, t.key)
		}
	}
	w.queue = w.queue[n:] // what is before it goes with the next growth
}

// count adds to a cell, to the element, and nothing else.
func (w *house) count(e *event.Event, key uint64, c *Click, where place, n Counter) {
	at := e.Time
	if e.Received.Before(at) {
		at = e.Received // nobody clicks in the future
	}
	hour := at.Unix() / 3600
	if hour < w.newest-dailyFor {
		return
	}
	segment := w.stated[key]
	if segment == offSegment {
		segment = noSegment
	}
	if w.counters >= mostCounters {
		w.dropOldest()
	}
	number := w.pageOf(c.Path)
	b := w.bucket(bucket{page: number, segment: segment, device: uint8(max(0, slices.Index(devices, Device(e))))}, hour)
	w.at(b, where).add(n)
	if c.Selector != "" {
		w.at(b, elementBase+place(w.element(number, c.Selector))).add(n)
	}
}

func (w *house) pageOf(path string) uint16 {
	n, known := w.page[path]
	if known {
		return n
	}
	if len(w.pages) >= mostPages {
		if path = Other; len(w.pages) > mostPages {
			return w.page[Other]
		}
	}
	n = uint16(len(w.pages))
	w.page[path] = n
	w.pages = append(w.pages, path)
	w.elements = append(w.elements, map[string]uint16{})
	w.names = append(w.names, nil)
	return n
}

func (w *house) element(page uint16, selector string) uint16 {
	of := w.elements[page]
	n, known := of[selector]
	if known {
		return n
	}
	if len(of) >= mostElements {
		if selector = Other; len(of) > mostElements {
			return of[Other]
		}
	}
	n = uint16(len(of))
	of[selector] = n
	w.names[page] = append(w.names[page], selector)
	return n
}

// ForgetKeys lets go what is known of erased keys.
func (h *Heat) ForgetKeys(workspace string, keys []identity.Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.all[workspace]
	if w == nil {
		return
	}
	for _, k := range keys {
		delete(w.stated, keyHash(k))
		delete(w.watched, keyHash(k))
	}
}

// Question asks for one page, or, with Path "", which pages there are.
type Question struct {
	Path string
	// From and To bound the time, half-open, in whole hours (whole days where only days
	// are kept any more); zero: open.
	From, To time.Time
	// Device is desktop, mobile or tablet, Segment a segment; "": all of them.
	Device, Segment string
}

// Cell is one field of the grid, counted from the upper left corner.
type Cell struct {
	Column int `json:"column"`
	Row    int `json:"row"`
	Counter
}

// Element is what was clicked, by its selector.
type Element struct {
	Selector string `json:"selector"`
	Counter
}

// Visited is a page, a device class or a segment with what was counted of it.
type Visited struct {
	Name string `json:"name"`
	Counter
}

// Picture answers a question.
type Picture struct {
	Path     string    `json:"path,omitempty"`
	Columns  int       `json:"columns"`
	Rows     int       `json:"rows"`
	Total    Counter   `json:"total"`
	Cells    []Cell    `json:"cells"`    // only those where something happened, row by row
	Elements []Element `json:"elements"` // the most clicked first
	Pages    []Visited `json:"pages"`    // the most clicked first; when no page is asked for
	Devices  []Visited `json:"devices"`
	Segments []Visited `json:"segments"`
}

// Ask answers from what is counted.
func (h *Heat) Ask(workspace string, q Question) Picture {
	h.mu.RLock()
	defer h.mu.RUnlock()
	out := Picture{Path: page(q.Path), Columns: Columns, Rows: Rows, Cells: []Cell{}, Elements: []Element{}}
	w := h.all[workspace]
	if w == nil {
		w = newHouse()
	}
	cells, elements := map[place]Counter{}, map[place]Counter{}
	pages, kinds, segments := map[string]Counter{}, map[string]Counter{}, map[string]Counter{}
	for b, at := range w.cells {
		path := w.pages[b.page]
		from := time.Unix(int64(b.hour)*3600, 0)
		switch {
		case q.Path != "" && path != out.Path,
			q.Device != "" && devices[b.device] != q.Device,
			q.Segment != "" && w.segments[b.segment] != q.Segment,
			!q.To.IsZero() && !from.Before(q.To),
			!q.From.IsZero() && from.Before(q.From.Truncate(b.length())):
			continue
		}
		for i, n := range at {
			if i >= elementBase {
				sum(elements, i, *n)
				continue
			}
			sum(cells, i, *n)
			out.Total.add(*n)
			sum(pages, path, *n)
			sum(kinds, devices[b.device], *n)
			sum(segments, w.segments[b.segment], *n)
		}
	}
	out.Devices, out.Segments = visited(kinds), visited(segments)
	if q.Path == "" {
		out.Pages = visited(pages)
		return out
	}
	out.Pages = []Visited{}
	for _, i := range slices.Sorted(maps.Keys(cells)) {
		if i != nowhere {
			out.Cells = append(out.Cells, Cell{int(i) % Columns, int(i) / Columns, cells[i]})
		}
	}
	if number, known := w.page[out.Path]; known {
		for i, n := range elements {
			out.Elements = append(out.Elements, Element{w.names[number][i-elementBase], n})
		}
	}
	slices.SortFunc(out.Elements, func(a, b Element) int {
		return cmp.Or(cmp.Compare(b.Clicks, a.Clicks), cmp.Compare(b.Dead+b.Rage+b.Abandoned, a.Dead+a.Rage+a.Abandoned), cmp.Compare(a.Selector, b.Selector))
	})
	return out
}

func (b *bucket) length() time.Duration {
	if b.daily {
		return 24 * time.Hour
	}
	return time.Hour
}

func sum[K comparable](m map[K]Counter, k K, n Counter) {
	c := m[k]
	c.add(n)
	m[k] = c
}

func visited(m map[string]Counter) []Visited {
	out := make([]Visited, 0, len(m))
	for name, n := range m {
		out = append(out, Visited{name, n})
	}
	slices.SortFunc(out, func(a, b Visited) int { return cmp.Or(cmp.Compare(b.Clicks, a.Clicks), cmp.Compare(a.Name, b.Name)) })
	return out
}

// heatFormat is the first byte of what Save writes.
const heatFormat = 1

// Save writes everything: the same log gives the same bytes.
func (h *Heat) Save() ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []byte{heatFormat}
	for _, workspace := range slices.Sorted(maps.Keys(h.all)) {
		out = appendText(out, workspace)
		out = h.all[workspace].save(out)
	}
	return out, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (w *house) save(b []byte) []byte {
	uvarint := func(n uint64) { b = binary.AppendUvarint(b, n) }
	uvarint(uint64(w.newest))
	uvarint(uint64(len(w.segments)))
	for _, s := range w.segments {
		b = appendText(b, s)
	}
	uvarint(uint64(len(w.pages)))
	for i, p := range w.pages {
		b = appendText(b, p)
		uvarint(uint64(len(w.names[i])))
		for _, s := range w.names[i] {
			b = appendText(b, s)
		}
	}
	buckets := w.buckets()
	uvarint(uint64(len(buckets)))
	for _, k := range buckets {
		length := byte(0)
		if k.daily {
			length = 1
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(k.hour))
		b = binary.LittleEndian.AppendUint16(b, k.page)
		b = binary.LittleEndian.AppendUint16(b, k.segment)
		b = append(b, k.device, length)
		cells := w.cells[k]
		uvarint(uint64(len(cells)))
		for _, at := range slices.Sorted(maps.Keys(cells)) {
			n := cells[at]
			for _, x := range [...]uint32{uint32(at), n.Clicks, n.Dead, n.Rage, n.Abandoned} {
				uvarint(uint64(x))
			}
		}
	}
	uvarint(uint64(len(w.stated)))
	for _, key := range slices.Sorted(maps.Keys(w.stated)) {
		b = binary.LittleEndian.AppendUint64(b, key)
		b = binary.LittleEndian.AppendUint16(b, w.stated[key])
	}
	// Of who was watched only those matter who may still click again.
	w.forgetSilent(2 * mostWatched)
	kept := map[uint64]bool{}
	var queue []turn
	for _, t := range slices.Backward(w.queue) { // the last turn of each
		if p := w.watched[t.key]; p != nil && !kept[t.key] && !p.Idle() && p.at >= w.silent() {
			kept[t.key] = true
			queue = append(queue, t)
		}
	}
	slices.Reverse(queue)
	uvarint(uint64(len(queue)))
	for _, t := range queue {
		p := w.watched[t.key]
		b = binary.LittleEndian.AppendUint64(b, t.key)
		uvarint(uint64(t.at))
		uvarint(uint64(p.at))
		uvarint(uint64(p.where))
		b = p.Append(b)
	}
	return b
}

// Append writes a watch in the form that ReadWatch reads.
func (w *Watch) Append(b []byte) []byte {
	for _, t := range [...]*Touch{&w.Clicks[0], &w.Clicks[1], &w.Field} {
		if t.Target == 0 {
			b = append(b, 0)
			continue
		}
		b = append(append(b, 1), t.ID[:]...)
		b = binary.AppendVarint(b, t.At)
		b = binary.LittleEndian.AppendUint64(b, t.Target)
		b = appendText(appendText(b, t.Path), t.Selector)
	}
	if w.Raged {
		return append(b, 1)
	}
	return append(b, 0)
}

// ReadWatch reads what Append wrote and gives the rest; ok is false when it is damaged.
func ReadWatch(b []byte) (w Watch, rest []byte, ok bool) {
	r := reader{b: b}
	w = r.watch()
	return w, r.b, !r.bad
}

var errDamaged = errors.New("heat map: what was saved is damaged")

// Load reads what Save wrote.
func (h *Heat) Load(saved []byte) error {
	if len(saved) == 0 || saved[0] != heatFormat {
		return fmt.Errorf("heat map: saved in a format that is not ours")
	}
	r := reader{b: saved[1:]}
	all := map[string]*house{}
	for len(r.b) > 0 && !r.bad {
		name := r.text()
		all[name] = r.house()
	}
	if r.bad {
		return errDamaged
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = all
	return nil
}

// reader walks bytes that may be damaged: after the first fault it gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return make([]byte, max(0, min(n, 64)))
	}
	t := r.b[:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads how many things of at least size bytes follow.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.b, r.bad = nil, true
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.count(1)
	return string(r.take(n))
}

func (r *reader) watch() (w Watch) {
	for _, t := range [...]*Touch{&w.Clicks[0], &w.Clicks[1], &w.Field} {
		if r.take(1)[0] == 0 {
			continue
		}
		copy(t.ID[:], r.take(16))
		at, n := binary.Varint(r.b)
		if n <= 0 {
			r.b, r.bad = nil, true
			return w
		}
		r.b = r.b[n:]
		t.At = at
		t.Target = binary.LittleEndian.Uint64(r.take(8))
		t.Path, t.Selector = r.text(), r.text()
	}
	w.Raged = r.take(1)[0] == 1
	return w
}

func (r *reader) house() *house {
	w := newHouse()
	w.newest = int64(r.uvarint())
	w.segments, w.segment = nil, map[string]uint16{}
	for n := r.count(1); n > 0; n-- {
		s := r.text()
		w.segment[s] = uint16(len(w.segments))
		w.segments = append(w.segments, s)
	}
	for n := r.count(2); n > 0; n-- {
		page := w.pageOf(r.text())
		for m := r.count(1); m > 0; m-- {
			w.element(page, r.text())
		}
	}
	for n := r.count(11); n > 0 && !r.bad; n-- {
		k := r.take(10)
		b := bucket{hour: int32(binary.LittleEndian.Uint32(k)), page: binary.LittleEndian.Uint16(k[4:]), segment: binary.LittleEndian.Uint16(k[6:]), device: k[8], daily: k[9] == 1}
		if int(b.page) >= len(w.pages) || int(b.segment) >= len(w.segments) || int(b.device) >= len(devices) {
			r.bad = true
			return w
		}
		for m := r.count(5); m > 0; m-- {
			at := place(r.uvarint())
			n := w.at(b, at)
			for _, x := range [...]*uint32{&n.Clicks, &n.Dead, &n.Rage, &n.Abandoned} {
				*x = uint32(r.uvarint())
			}
			if at >= elementBase && int(at-elementBase) >= len(w.names[b.page]) {
				r.bad = true
				return w
			}
		}
	}
	for n := r.count(10); n > 0; n-- {
		key := binary.LittleEndian.Uint64(r.take(8))
		w.stated[key] = binary.LittleEndian.Uint16(r.take(2))
	}
	for n := r.count(12); n > 0 && !r.bad; n-- {
		key := binary.LittleEndian.Uint64(r.take(8))
		t := turn{key, int64(r.uvarint())}
		p := &watched{at: int64(r.uvarint()), where: place(r.uvarint())}
		p.Watch = r.watch()
		w.watched[key] = p
		w.queue = append(w.queue, t)
	}
	return w
}
