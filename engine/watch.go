package engine

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/strategy"
)

// NewsFor is how long after its turn a firing is still worth acting on. One that is
// found later (in an import, by a signal that is new) is kept as past.
const NewsFor = 72 * time.Hour

// Watch keeps the signals of every workspace up to date with what people do, and
// hands what fires to the store as rows of the events' own commit ([journal.Watcher]).
//
// An event in its order costs one fold of a flat state. Whoever's events must be gone
// through anew (one came late, persons were merged or parted, a signal reads records
// that changed) is noted, and a worker does so from the log right after the commit; the
// person's firings are then replaced as a whole. A strategy with other signals is fed
// the log from its first event on while the old one goes on; when it has caught up it
// takes over.
type Watch struct {
	mu    sync.Mutex
	rooms map[string]*watchpost
	turns []journal.Turn
	fresh int // so many of turns, the first ones, are due with the next commit
	// fetched is of no use but that nobody may leave out the reading that it sums up.
	fetched byte
	wake    chan struct{}
	stop    chan struct{}
	once    sync.Once
	ended   sync.WaitGroup

	working sync.Mutex // one goes through what is due at a time
}

// NewWatch is a watch that knows no workspace yet.
func NewWatch() *Watch {
	return &Watch{rooms: map[string]*watchpost{}, wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// watchpost is one workspace: the signals in force, and those that are catching up.
type watchpost struct {
	now, next *vigil
}

// vigil is one set of signals with what it remembers of everybody.
type vigil struct {
	workspace string
	version   int
	rules     *signal.Rules
	lives     []signal.Life
	stale     map[uint32]uint32 // who must be gone through anew, and how often that was said
	// calls counts, up to 255, the events of each person that a signal which reads
	// records counts: below need none of them can hold, and nobody is gone through.
	calls   []uint8
	need    int
	none    map[uint32]bool // of whom it is written down that nothing fires
	due     alarms
	homes   *signal.Homes // nil: no signal is a household's
	began   time.Time     // to catch up
	upTo    uint64        // everything up to this position is in
	live    bool
	waiting bool        // events are kept in tail until the log was read
	tail    []overheard // copies
}

type overheard struct {
	c journal.Committed
	e event.Event
}

// alarm is when time alone may turn something of a person. whole: of a signal that
// reads records, so that the person is gone through anew.
type alarm struct {
	at     int64
	person uint32
	whole  bool
}

type alarms []alarm

func (d alarms) Len() int           { return len(d) }
func (d alarms) Less(i, j int) bool { return d[i].at < d[j].at }
func (d alarms) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *alarms) Push(x any)        { *d = append(*d, x.(alarm)) }
func (d *alarms) Pop() any {
	n := len(*d) - 1
	x := (*d)[n]
	*d = (*d)[:n]
	return x
}

// Name implements journal.Follower.
func (w *Watch) Name() string { return "firings" }

// Save implements journal.Follower: what signals remember is made from the log at each
// start, beside everything else.
func (w *Watch) Save() ([]byte, error) { return []byte{}, nil }

// Load implements journal.Follower.
func (w *Watch) Load([]byte) error { return nil }

// Follow implements journal.Follower.
func (w *Watch) Follow(c journal.Committed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rooms[c.Workspace]
	if r == nil {
		return
	}
	for _, m := range [2]*vigil{r.now, r.next} {
		if m == nil {
			continue
		}
		if m.waiting {
			if flat, live := m.rules.Concerns(c.Event); flat || live || m.homes != nil {
				m.tail = append(m.tail, overhear(c))
			}
			continue
		}
		if m.live {
			w.take(m, c)
		}
	}
}

// Expect implements journal.Expecter: lives that are far from the processor are fetched
// together.
func (w *Watch) Expect(next []journal.Committed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lives [64]signal.Next
	for len(next) > 0 {
		group := next[:min(len(next), len(lives))]
		next = next[len(group):]
		r := w.rooms[group[0].Workspace]
		if r == nil || r.now == nil || !r.now.live {
			continue
		}
		m, n := r.now, 0
		for _, c := range group {
			if c.Workspace == m.workspace && int(c.Person) < len(m.lives) && c.Person != 0 {
				lives[n] = signal.Next{Life: m.lives[c.Person], Name: c.Event.Name}
				n++
			}
		}
		w.fetched += m.rules.Fetch(lives[:n])
	}
}

func overhear(c journal.Committed) overheard {
	k := overheard{c: c, e: *c.Event}
	k.e.Body, k.e.Context = slices.Clone(k.e.Body), slices.Clone(k.e.Context)
	return k
}

// take folds an event into a vigil.
func (w *Watch) take(m *vigil, c journal.Committed) {
	if c.Position <= m.upTo {
		return
	}
	m.upTo = c.Position
	if c.Person == 0 {
		return
	}
	w.takeHome(m, c)
	flat, live := m.rules.Concerns(c.Event)
	if live = live && m.mayHold(c.Person, c.Event.Name); !flat && !live {
		return
	}
	if n, stale := m.stale[c.Person]; stale || live {
		m.stale[c.Person] = n + 1
		w.hurry()
		if stale {
			return
		}
	}
	if !flat {
		return
	}
	life := m.life(c.Person)
	before := life.Due()
	var fired []signal.Fired
	after, ok := m.rules.Fold(life, c.Event, &fired)
	m.lives[c.Person] = after
	if !ok {
		m.stale[c.Person]++
		w.hurry()
		return
	}
	if d := after.Due(); d < before {
		heap.Push(&m.due, alarm{at: d, person: c.Person})
	}
	if len(fired) > 0 {
		found := c.Event.Received
		if !m.live {
			found = m.began
		}
		w.turned(m, c.Person, c.Position, found, fired)
	}
}

// takeHome folds an event into the households of its person.
func (w *Watch) takeHome(m *vigil, c journal.Committed) {
	if m.homes == nil {
		return
	}
	said := m.homes.Said()
	fired := m.homes.Take(c.Person, c.Event)
	if m.homes.Said() != said {
		w.hurry()
	}
	found := c.Event.Received
	if !m.live {
		found = m.began
	}
	if len(fired) > 0 {
		w.note(m, journal.Turn{Workspace: m.workspace, Cause: c.Position, Fired: m.homeFirings(fired, found, nil)})
	}
}

// homeFirings are turns of households' signals for the store; who tells the persons of
// their numbers, nil leaves that to the store.
func (m *vigil) homeFirings(fired []signal.HomeFired, found time.Time, who map[uint32]identity.PersonID) (all []journal.Firing) {
	for i := range fired {
		x := &fired[i]
		f := m.firing(&x.Fired, found)
		// One who is in two households does for each what makes it fire.
		f.ID = journal.FiringID(m.workspace, f.Signal+"\x00"+x.Household, x.Print)
		f.Group = maps.Clone(f.Group)
		if f.Group == nil {
			f.Group = map[string]string{}
		}
		f.Group[signal.HouseholdKey] = x.Household
		if who != nil {
			f.Person = who[x.Person]
		} else if f.UndoneBy == nil {
			f.Member = x.Person
		}
		all = append(all, f)
	}
	return all
}

// mayHold counts an event and tells whether a signal that reads records can hold for
// its person by now.
func (m *vigil) mayHold(person uint32, name string) bool {
	if m.need == 0 {
		return true
	}
	n := m.called(person)
	if m.rules.Counts(name) && *n < 255 {
		*n++
	}
	return int(*n) >= m.need
}

func (m *vigil) called(person uint32) *uint8 {
	if int(person) >= len(m.calls) {
		m.calls = append(m.calls, make([]uint8, int(person)+1-len(m.calls)+len(m.calls)/4)...)
	}
	return &m.calls[person]
}

func (m *vigil) life(person uint32) signal.Life {
	if int(person) >= len(m.lives) {
		m.lives = append(m.lives, make([]signal.Life, int(person)+1-len(m.lives)+len(m.lives)/4)...)
	}
	return m.lives[person]
}

// turned notes firings for the store.
func (w *Watch) turned(m *vigil, person uint32, cause uint64, found time.Time, fired []signal.Fired) {
	delete(m.none, person)
	t := journal.Turn{Workspace: m.workspace, Cause: cause}
	for i := range fired {
		f := m.firing(&fired[i], found)
		f.Member = person
		t.Fired = append(t.Fired, f)
	}
	w.note(m, t)
}

func (w *Watch) note(m *vigil, t journal.Turn) {
	w.turns = append(w.turns, t)
	if m.live {
		w.fresh = len(w.turns)
	}
	w.hurry()
}

func (m *vigil) firing(x *signal.Fired, found time.Time) journal.Firing {
	d := m.rules.Definitions()[x.Rule]
	f := journal.Firing{
		ID: journal.FiringID(m.workspace, d.ID, x.Print), Workspace: m.workspace, Signal: d.ID, Strategy: m.version,
		At: x.At, Found: found, Events: x.Events, UndoneBy: x.UndoneBy, State: journal.FiringOpen, Group: x.Named,
	}
	if found.Sub(x.At) > NewsFor {
		f.State = journal.FiringPast
	}
	if f.Group == nil && len(d.By) > 0 {
		f.Group = make(map[string]string, len(d.By))
		for i, by := range d.By {
			f.Group[by] = x.Group[i]
		}
	}
	return f
}

// hurry wakes the worker.
func (w *Watch) hurry() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Join implements journal.Follower: two persons became one.
func (w *Watch) Join(workspace string, from, to uint32) {
	w.each(workspace, func(m *vigil) {
		if m.homes != nil {
			m.homes.Join(from, to)
		}
		m.life(max(from, to))
		delete(m.none, to)
		m.called(max(from, to))
		m.calls[to] = uint8(min(int(m.calls[from])+int(m.calls[to]), 255))
		gone, stays := m.lives[from], m.lives[to]
		_, stale := m.stale[from]
		m.lives[from] = nil
		delete(m.stale, from)
		switch {
		case len(gone) == 0 && !stale && m.live && !m.rules.Live():
		case len(stays) == 0 && !stale && m.live && !m.rules.Live():
			if _, stale := m.stale[to]; stale {
				return
			}
			m.lives[to] = gone // nothing of this kind has happened to the other
			if gone.Due() != signal.Life(nil).Due() {
				heap.Push(&m.due, alarm{at: gone.Due(), person: to})
			}
		default:
			m.stale[to]++
		}
	})
}

// Part implements journal.Parter: an unmerge took a person out of another.
func (w *Watch) Part(workspace string, from, to uint32) {
	w.each(workspace, func(m *vigil) {
		if m.homes != nil {
			m.homes.Part(from, to)
		}
		m.stale[from]++
		m.stale[to]++
		m.called(max(from, to))
		m.calls[from], m.calls[to] = 255, 255 // whose they were is not kept
		delete(m.none, from)
		delete(m.none, to)
	})
}

// Forget implements journal.Forgetter.
func (w *Watch) Forget(workspace string, person uint32) {
	w.each(workspace, func(m *vigil) {
		if m.homes != nil {
			m.homes.Forget(person)
		}
		m.life(person)
		m.lives[person] = nil
		*m.called(person) = 0
		delete(m.stale, person)
		delete(m.none, person)
	})
}

func (w *Watch) each(workspace string, do func(m *vigil)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.rooms[workspace]; r != nil {
		for _, m := range [2]*vigil{r.now, r.next} {
			if m != nil {
				do(m)
			}
		}
	}
	w.hurry()
}

// turnsAtOnce bounds what one commit writes down of what was found in the past; what its
// own events have turned goes with it whatever it is.
const turnsAtOnce = 256

// Turned implements journal.Watcher.
func (w *Watch) Turned() []journal.Turn {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := max(min(len(w.turns), turnsAtOnce), w.fresh)
	w.fresh = 0
	out := w.turns[:n:n]
	if w.turns = w.turns[n:]; len(w.turns) == 0 {
		w.turns = nil
	} else {
		w.hurry()
	}
	return out
}

// passEvery is how often the worker looks for what nobody told it: time.
const passEvery = 200 * time.Millisecond

// watchOver is the worker's life. Its errors are the store's: what it could not do now is
// tried again.
func (e *Engine) watchOver() {
	w := e.Options.Watch
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-w.stop
		cancel()
	}()
	tick := time.NewTicker(passEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-w.wake:
			pause(ctx, breath) // many are noted under load; one pass serves them all
		case <-tick.C:
		}
		if err := e.WatchOnce(ctx); err != nil && ctx.Err() == nil {
			e.Report(err)
			pause(ctx, time.Second)
		}
	}
}

// Stop ends the worker. The store may be closed then.
func (w *Watch) Stop() {
	w.once.Do(func() { close(w.stop) })
	w.ended.Wait()
}

// WatchOnce brings the signals up to date: those of a version newly in force, what
// time has turned, and whoever must be gone through anew. When it returns without
// error everything that has fired by now can be read.
func (e *Engine) WatchOnce(ctx context.Context) error {
	w := e.Options.Watch
	if w == nil {
		return nil
	}
	w.working.Lock()
	defer w.working.Unlock()
	var all []error
	for id, t := range *e.tenants.Load() {
		if v := t.current.Load(); v != nil {
			if err := e.watchWorkspace(ctx, id, v); err != nil {
				all = append(all, fmt.Errorf("signals of %s: %w", id, err))
			}
		}
	}
	return errors.Join(all...)
}

func (e *Engine) watchWorkspace(ctx context.Context, id string, v *strategy.Version) error {
	w := e.Options.Watch
	w.mu.Lock()
	r := w.rooms[id]
	if r == nil {
		r = &watchpost{}
		w.rooms[id] = r
	}
	m := r.now
	w.mu.Unlock()
	if m == nil || m.version != v.Number {
		if err := e.catchUpSignals(ctx, r, id, v.Number, v.Need.Rules()); err != nil {
			return err
		}
		w.mu.Lock()
		m = r.now
		w.mu.Unlock()
	}
	w.pass(m, e.now())
	if err := e.foldAnew(ctx, m); err != nil {
		return err
	}
	return e.flushTurns(ctx, id)
}

// flushTurns has the store write down what was found: an empty commit takes it along.
func (e *Engine) flushTurns(ctx context.Context, workspace string) error {
	w := e.Options.Watch
	for {
		w.mu.Lock()
		left := len(w.turns)
		w.mu.Unlock()
		if left == 0 {
			return nil
		}
		if _, err := e.Store.Commit(ctx, Batch{Workspace: workspace}); err != nil {
			return err
		}
		e.nudge()
	}
}

// pass lets time pass for everybody who waits for it.
func (w *Watch) pass(m *vigil, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.homes != nil {
		m.homes.Pass(now)
	}
	t := now.UnixMilli()
	var again []alarm
	for len(m.due) > 0 && m.due[0].at <= t {
		d := heap.Pop(&m.due).(alarm)
		if d.whole {
			m.stale[d.person]++
			continue
		}
		life := m.life(d.person)
		if _, stale := m.stale[d.person]; stale {
			continue // the fold anew sets it
		}
		var fired []signal.Fired
		life = m.rules.Advance(life, now, &fired)
		m.lives[d.person] = life
		if at := life.Due(); at != signal.Life(nil).Due() {
			again = append(again, alarm{at: at, person: d.person})
		}
		if len(fired) > 0 {
			w.turned(m, d.person, m.upTo, now, fired)
		}
	}
	for _, d := range again {
		heap.Push(&m.due, d)
	}
}

// catchUpSignals feeds the log to the signals of a version and puts them to work.
func (e *Engine) catchUpSignals(ctx context.Context, r *watchpost, workspace string, version int, rules *signal.Rules) error {
	w := e.Options.Watch
	m := &vigil{workspace: workspace, version: version, rules: rules, began: e.now(), stale: map[uint32]uint32{}, need: rules.Least(), none: map[uint32]bool{}, homes: rules.NewHomes()}
	w.mu.Lock()
	if old := r.now; old != nil && old.rules.Same(rules) {
		old.version, old.rules = version, rules // other rules of the strategy have changed
		w.mu.Unlock()
		return nil
	}
	r.next = m
	w.mu.Unlock()
	given := false
	defer func() {
		if !given {
			w.mu.Lock()
			r.next = nil
			w.mu.Unlock()
		}
	}()
	read := func() error {
		for {
			before := m.upTo
			upTo, err := e.Store.Log(ctx, workspace, before, func(c journal.Committed) error {
				w.mu.Lock()
				w.take(m, c)
				full := len(w.turns) > 4*turnsAtOnce
				w.mu.Unlock()
				if full {
					return e.flushTurns(ctx, workspace)
				}
				return ctx.Err()
			})
			if err != nil {
				return err
			}
			w.mu.Lock()
			m.upTo = max(m.upTo, upTo)
			w.mu.Unlock()
			if upTo <= before {
				return nil
			}
		}
	}
	if err := read(); err != nil {
		return err
	}
	w.mu.Lock()
	m.waiting = true
	w.mu.Unlock()
	// What was told before is committed when this is.
	if _, err := e.Store.Commit(ctx, Batch{Workspace: workspace}); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	w.mu.Lock()
	m.waiting, m.live = false, true
	for i := range m.tail {
		m.tail[i].c.Event = &m.tail[i].e
		w.take(m, m.tail[i].c)
	}
	m.tail = nil
	r.now, r.next = m, nil
	given = true
	w.mu.Unlock()
	return nil
}

// foldAnew goes through the events of those who need it.
func (e *Engine) foldAnew(ctx context.Context, m *vigil) error {
	w := e.Options.Watch
	for {
		w.mu.Lock()
		said := make(map[uint32]uint32, len(m.stale))
		for p, n := range m.stale {
			said[p] = n
		}
		w.mu.Unlock()
		var families []signal.Family
		if m.homes != nil {
			w.mu.Lock()
			families = m.homes.Stale()
			w.mu.Unlock()
		}
		if len(said) == 0 && len(families) == 0 {
			return nil
		}
		// What made them stale may be in a commit under way; it is done when this is.
		if _, err := e.Store.Commit(ctx, Batch{Workspace: m.workspace}); err != nil {
			return err
		}
		for p, n := range said {
			if err := e.goThrough(ctx, m, p, n); err != nil {
				return err
			}
		}
		for i := range families {
			if err := e.goThroughHomes(ctx, m, &families[i]); err != nil {
				return err
			}
		}
	}
}

// goThroughHomes folds households anew from what their members did.
func (e *Engine) goThroughHomes(ctx context.Context, m *vigil, f *signal.Family) error {
	w := e.Options.Watch
	now := e.now()
	w.mu.Lock()
	turn := journal.Turn{Workspace: m.workspace, Cause: m.upTo}
	w.mu.Unlock()
	stories, who := map[uint32][]*event.Event{}, map[uint32]identity.PersonID{}
	for _, number := range f.Members {
		p, known, err := e.Store.Member(ctx, m.workspace, number)
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		who[number] = p.ID
		if stories[number], err = e.wholeStory(ctx, Scope{Workspace: m.workspace, Person: p.ID, Keys: p.Keys}); err != nil {
			return err
		}
		turn.Whole = append(turn.Whole, p.ID)
		for _, k := range p.Keys {
			if id := identity.PersonOf(m.workspace, k); id != p.ID {
				turn.Whole = append(turn.Whole, id)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	fired, ok := m.homes.Renew(*f, stories, now)
	if !ok {
		return nil // something more came meanwhile
	}
	at := map[string]int{}
	for _, x := range m.homeFirings(fired, now, who) {
		if n, known := at[x.ID]; known {
			turn.Fired[n].UndoneBy = x.UndoneBy // what undoes a firing comes after it
			continue
		}
		at[x.ID] = len(turn.Fired)
		turn.Fired = append(turn.Fired, x)
	}
	turn.Signals = m.signals(true)
	w.turns = append(w.turns, turn)
	return nil
}

// signals are the ids of those of households, or of the others.
func (m *vigil) signals(household bool) (ids []string) {
	for _, d := range m.rules.Definitions() {
		if d.Household == household {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// storyAtOnce is how many events are read at once of whom is gone through.
const storyAtOnce = 1000

func (e *Engine) goThrough(ctx context.Context, m *vigil, number, said uint32) error {
	w := e.Options.Watch
	now := e.now()
	w.mu.Lock()
	cause := m.upTo
	w.mu.Unlock()
	who, known, err := e.Store.Member(ctx, m.workspace, number)
	if err != nil {
		return err
	}
	var life signal.Life
	var fired []signal.Fired
	var later time.Time
	var more bool
	turn := journal.Turn{Workspace: m.workspace, Cause: cause}
	if known {
		events, err := e.wholeStory(ctx, Scope{Workspace: m.workspace, Person: who.ID, Keys: who.Keys})
		if err != nil {
			return err
		}
		life, fired = m.rules.Whole(events, now)
		later, more = m.rules.LiveDue(events, now)
		turn.Whole = []identity.PersonID{who.ID}
		for _, k := range who.Keys {
			if id := identity.PersonOf(m.workspace, k); id != who.ID {
				turn.Whole = append(turn.Whole, id)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.stale[number] != said {
		return nil // something more came meanwhile
	}
	delete(m.stale, number)
	m.life(number)
	m.lives[number] = life
	if !known {
		return nil
	}
	if at := life.Due(); at != signal.Life(nil).Due() {
		heap.Push(&m.due, alarm{at: at, person: number})
	}
	if more {
		heap.Push(&m.due, alarm{at: later.UnixMilli(), person: number, whole: true})
	}
	at := map[string]int{}
	for i := range fired {
		f := m.firing(&fired[i], now)
		f.Person = who.ID
		if n, known := at[f.ID]; known {
			turn.Fired[n].UndoneBy = f.UndoneBy // what undoes a firing comes after it
			continue
		}
		at[f.ID] = len(turn.Fired)
		turn.Fired = append(turn.Fired, f)
	}
	if len(fired) == 0 && m.none[number] {
		return nil
	}
	if len(fired) == 0 {
		m.none[number] = true
	} else {
		delete(m.none, number)
	}
	turn.Signals = m.signals(false)
	w.turns = append(w.turns, turn)
	return nil
}

// wholeStory reads all events of a person, in the order of profiles.
func (e *Engine) wholeStory(ctx context.Context, s Scope) ([]*event.Event, error) {
	var all []*event.Event
	var before time.Time
	var id event.ID
	for {
		page, err := e.Store.Timeline(ctx, s, before, id, storyAtOnce)
		if err != nil {
			return nil, err
		}
		for i := range page {
			all = append(all, &page[i].Event)
		}
		if len(page) < storyAtOnce {
			slices.Reverse(all)
			return all, nil
		}
		last := &page[len(page)-1].Event
		before, id = last.Time, last.ID
	}
}
