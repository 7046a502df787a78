// Package hot keeps the profiles that were asked for last (step 3) in memory, for the
// stores: a profile is folded when somebody asks, the next question folds on from
// there, and who has not asked for longest is let go when memory runs short.
package hot

import (
	"slices"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

const (
	// CheckpointEvents is how long a history is that a store keeps as a checkpoint; and
	// again each time it has grown by half, so that all checkpoints of a person together
	// stay within a few times the last one.
	CheckpointEvents = 256

	// ProfileBytes and EventBytes are what a profile without its events, and an event
	// without its body and context, take in memory.
	ProfileBytes = 2 << 10
	EventBytes   = 320
)

// Profiles are the hot ones, those asked for last first. It is safe for concurrent use.
type Profiles struct {
	mu    sync.Mutex
	limit int64
	bytes int64
	of    map[string]*Entry
	ring  Entry // its next is the newest, its before the oldest
}

// Entry is one person's profile. Whoever reads or changes the fields below Mu holds it
// while folding: who asks for the same person waits.
type Entry struct {
	name         string
	before, next *Entry
	bytes        int64 // as accounted for

	Mu       sync.Mutex
	Profile  *profile.Profile // nil: it is cold
	Position uint64           // everything up to here is folded
	Size     int64            // in bytes, as reckoned by who folds
	Kept     int              // events in the last checkpoint
	Epoch    uint64           // of erasures, for a store that is told of them later

	rungs   []rung
	weighed int64 // Size when the profile was last weighed whole
}

// rung is the profile of everything that happened up to a time: what is folded now, but
// for what came later. An event that comes late by days is folded from the newest rung
// before it, not from the beginning of a life: so a person with a million events costs
// what a week of theirs does.
type rung = *profile.Profile // a snapshot

// Rungs stand so many events apart at least, wider the older they are.
const (
	rungEvents = 256
	mostRungs  = 10
)

// New makes room for profiles of so many bytes.
func New(limit int64) *Profiles {
	p := &Profiles{limit: limit, of: map[string]*Entry{}}
	p.ring.before, p.ring.next = &p.ring, &p.ring
	return p
}

// Size tells how many profiles are hot, and their bytes.
func (p *Profiles) Size() (n int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.of), p.bytes
}

// Find gives the entry of a set of keys, as the store names it; an empty one when it
// is cold.
func (p *Profiles) Find(name []byte) *Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of[string(name)]
	if e == nil {
		e = &Entry{name: string(name)}
		p.of[e.name] = e
	} else {
		e.before.next, e.next.before = e.next, e.before
	}
	e.before, e.next = &p.ring, p.ring.next
	e.before.next, e.next.before = e, e
	return e
}

// Account notes how large an entry has become and lets the oldest ones go.
func (p *Profiles) Account(e *Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[e.name] != e {
		return // it was let go meanwhile
	}
	p.bytes += e.Size - e.bytes
	e.bytes = e.Size
	for p.bytes > p.limit && p.ring.before != e && p.ring.before != &p.ring {
		p.remove(p.ring.before)
	}
}

func (p *Profiles) remove(e *Entry) {
	e.before.next, e.next.before = e.next, e.before
	delete(p.of, e.name)
	p.bytes -= e.bytes
}

// Forget lets the entries go whose names meet a condition.
func (p *Profiles) Forget(gone func(name []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, e := range p.of {
		if gone([]byte(name)) {
			p.remove(e)
		}
	}
}

// Told is an event of the log with its position.
type Told struct {
	Event    *event.Event
	Position uint64
}

// Sort puts events into the order of profiles.
func Sort(events []Told) {
	slices.SortFunc(events, func(a, b Told) int { return profile.Compare(a.Event, b.Event) })
}

// Until is the part of sorted events that had happened by a time; zero: all of them.
func Until(events []Told, t time.Time) []Told {
	if t.IsZero() {
		return events
	}
	n, _ := slices.BinarySearchFunc(events, t, func(e Told, t time.Time) int {
		if e.Event.Time.After(t) {
			return 1
		}
		return -1
	})
	return events[:n]
}

// Fold is the profile of a scope from sorted events.
func Fold(scope journal.Scope, events []Told) *profile.Profile {
	p := profile.New(scope.Person, scope.Keys)
	for _, t := range events {
		p.Apply(t.Event, t.Position)
	}
	return p
}

// Apply folds sorted events onto what is hot. It is false when one of them is older
// than what is folded and would have changed it: then the fold must be made anew.
func (e *Entry) Apply(events []Told) bool {
	for _, t := range events {
		if !e.Profile.Apply(t.Event, t.Position) {
			return false
		}
	}
	e.climb()
	return true
}

// Arrive prepares for sorted events that came since Position: rungs that lack one of
// them go.
func (e *Entry) Arrive(events []Told) {
	for n := len(e.rungs); n > 0 && len(events) > 0 && !e.rungs[n-1].Last.Before(events[0].Event.Time); n-- {
		e.rungs = e.rungs[:n-1]
	}
}

// Refold folds anew from the newest rung, after Arrive. gather gives all events of the
// person that did not happen before a time, sorted; a zero time means all. What was hot
// before, perhaps with part of the events in it, is given up.
func (e *Entry) Refold(scope journal.Scope, gather func(from time.Time) ([]Told, error)) error {
	var from time.Time
	p := profile.New(scope.Person, scope.Keys)
	if n := len(e.rungs); n > 0 {
		from, p = e.rungs[n-1].Last, e.rungs[n-1].Clone()
	}
	events, err := gather(from)
	if err != nil {
		e.Profile = nil
		return err
	}
	e.Profile = p
	for _, t := range events {
		if !from.IsZero() && !p.Before(t.Event) {
			continue // the rung has it
		}
		p.Apply(t.Event, t.Position)
		e.climb()
	}
	return nil
}

// climb keeps the profile as a rung when it has grown enough since the last one.
func (e *Entry) climb() {
	n := len(e.rungs)
	since := e.Profile.Events
	if n > 0 {
		since -= e.rungs[n-1].Events
	}
	if since < rungEvents {
		return
	}
	e.rungs = append(e.rungs, e.Profile.Snapshot())
	if len(e.rungs) <= mostRungs {
		return
	}
	// The one goes whose loss makes the smallest gap, for its age.
	now, least, at := e.Profile.Events, 0.0, 0
	for i := range len(e.rungs) - 1 {
		before := 0
		if i > 0 {
			before = e.rungs[i-1].Events
		}
		gap := float64(e.rungs[i+1].Events-before) / float64(now-e.rungs[i].Events+1)
		if i == 0 || gap < least {
			least, at = gap, i
		}
	}
	e.rungs = slices.Delete(e.rungs, at, at+1)
}

// Weigh adds events that were folded to the entry's size. The profile keeps only the
// newest of them: when the sum has doubled, what it keeps is weighed.
func (e *Entry) Weigh(events []Told) {
	for _, t := range events {
		e.Size += weight(t.Event)
	}
	if e.Size < 2*e.weighed+256*EventBytes {
		return
	}
	e.Size = ProfileBytes
	for _, list := range e.Profile.History {
		for _, ev := range list {
			e.Size += weight(ev)
		}
	}
	e.Size += e.Size / 2 * int64(min(len(e.rungs), 2)) // older ones share most with newer ones
	e.weighed = e.Size
}

func weight(e *event.Event) int64 { return EventBytes + int64(len(e.Body)+len(e.Context)) }

// Begin makes the entry hot with a profile, or what a checkpoint of so many bytes held.
func (e *Entry) Begin(p *profile.Profile, position uint64, checkpoint int) {
	e.Profile, e.Position, e.Size, e.Kept = p, position, ProfileBytes+2*int64(checkpoint), 0
	e.rungs, e.weighed = nil, 0
	if checkpoint > 0 {
		e.climb()
	}
	if checkpoint > 0 {
		e.Kept = p.Events
	}
}

// Due tells that the profile has grown enough for another checkpoint; most bounds by
// how many events, 0 not at all.
func (e *Entry) Due(most int) bool {
	grown := e.Kept / 2
	if most > 0 {
		grown = min(grown, most)
	}
	return e.Profile.Events >= CheckpointEvents && e.Profile.Events > e.Kept+grown
}

// Hand gives the profile out as a scope names the person and the keys.
func (e *Entry) Hand(scope journal.Scope) *profile.Profile {
	if e.Profile.Person != scope.Person || !sameKeys(e.Profile.Keys, scope.Keys) {
		e.Profile.Belong(scope.Person, scope.Keys)
	}
	return e.Profile.Snapshot()
}

// sameKeys compares a profile's sorted keys with a scope's, which usually are.
func sameKeys(sorted, given []identity.Key) bool {
	if slices.Equal(sorted, given) {
		return true
	}
	return len(sorted) == len(given) && slices.Equal(sorted, slices.SortedFunc(slices.Values(given), identity.Key.Compare))
}
