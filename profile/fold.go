package profile

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/profile/click"
)

// share marks parts of a profile that a snapshot reads, too: whoever changes one
// copies it first.
type share uint8

const (
	sharedTraits share = 1 << iota
	sharedRecords
	sharedHistory
	sharedContacts
	sharedPreferences
	sharedAll = 1<<iota - 1
)

// New is the profile of somebody of whom nothing is known.
func New(person identity.PersonID, keys []identity.Key) *Profile {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, identity.Key.Compare)
	return &Profile{Person: person, Keys: keys}
}

// Compare is the order in which events are folded: by event time in whole
// milliseconds, then by id.
func Compare(a, b *event.Event) int { return compare(a.Time, a.ID, b.Time, b.ID) }

func compare(at time.Time, id event.ID, bt time.Time, bid event.ID) int {
	a, b := at.UnixMilli(), bt.UnixMilli()
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return bytes.Compare(id[:], bid[:])
}

// Fold is the profile that a set of events gives. Events may repeat; when they
// are not in the order of Compare they are put into it. position is the log
// position of the newest.
func Fold(person identity.PersonID, keys []identity.Key, events []*event.Event, position uint64) *Profile {
	if !slices.IsSortedFunc(events, Compare) {
		events = slices.Clone(events)
		slices.SortStableFunc(events, Compare)
	}
	p := New(person, keys)
	for _, e := range events {
		p.Apply(e, position)
	}
	p.Position = position
	return p
}

// Apply folds one more event into the profile. It is false, and the profile
// unchanged, when the event is older than one that is already in it and would
// have changed what came after: then the fold must be made anew. An event that is
// in it already changes nothing. The profile keeps e, which must not change any more.
func (p *Profile) Apply(e *event.Event, position uint64) (ok bool) {
	if p.frozen {
		panic("profile: Apply on a snapshot; Clone it first")
	}
	if p.Events > 0 {
		switch c := compare(e.Time, e.ID, p.Last, p.newest); {
		case c == 0:
			p.Position = max(p.Position, position)
			return true
		case c < 0:
			return p.insert(e, position)
		}
	}
	p.last = nil
	p.Position = max(p.Position, position)
	if p.Events == 0 {
		p.First = milliseconds(e.Time)
	}
	p.Events++
	p.Last, p.newest = milliseconds(e.Time), e.ID
	p.remember(e)
	for _, f := range p.watch.See(e) {
		p.remember(f.Event(e))
	}
	p.learn(e)
	return true
}

// Before tells that an event comes after everything that is folded.
func (p *Profile) Before(e *event.Event) bool {
	return p.Events == 0 || compare(p.Last, p.newest, e.Time, e.ID) < 0
}

func milliseconds(t time.Time) time.Time {
	if t.Nanosecond()%1e6 == 0 && t.Location() == time.UTC {
		return t
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// insert takes an older event into its place where that commutes with everything
// folded since: no fact follows from its name and no bound was reached.
func (p *Profile) insert(e *event.Event, position uint64) bool {
	name := historyName(e)
	if name == "" {
		return false
	}
	list := p.History[name]
	at, found := slices.BinarySearchFunc(list, e, Compare)
	if found {
		p.last = nil
		p.Position = max(p.Position, position)
		return true
	}
	if teaches(e) || p.watches(e) || p.dropped > 0 || p.forgotten[name] > 0 || len(list) >= HistoryLimit || len(e.Body) > smallBody {
		return false
	}
	if list == nil && len(p.History) >= MaxNames {
		return false
	}
	for _, o := range list[at:] { // a large one after it may have to push it out
		if len(o.Body) > smallBody {
			return false
		}
	}
	p.last = nil
	p.ownHistory()
	grown := make([]*event.Event, 0, len(list)+2)
	p.History[name] = append(append(append(grown, list[:at]...), e), list[at:]...)
	p.Events++
	if t := milliseconds(e.Time); t.Before(p.First) {
		p.First = t
	}
	p.Position = max(p.Position, position)
	return true
}

// watches tells that the place of the event among the others may change what is found
// in clicks.
func (p *Profile) watches(e *event.Event) bool {
	if e.Kind == event.Record {
		return false
	}
	if click.Watched(e.Name) {
		return true
	}
	for name := range click.Touching {
		if len(p.History[name]) > 0 {
			return true
		}
	}
	return false
}

// historyName is the name under which an event stays in History, "" for calls
// that state something about the person and are no event of theirs.
func historyName(e *event.Event) string {
	switch e.Kind {
	case event.Track, event.Page, event.Screen:
		return e.Name
	case event.Record:
		if businessKinds[e.Name] {
			return e.Name
		}
	}
	return ""
}

// smallBody is a body so small that HistoryLimit of them stay within HistoryBytes.
const smallBody = HistoryBytes / HistoryLimit

func (p *Profile) remember(e *event.Event) {
	name := historyName(e)
	if name == "" {
		return
	}
	p.ownHistory()
	list, known := p.History[name]
	if !known && len(p.History) >= MaxNames {
		p.dropName()
	}
	list = append(list, e)
	over := max(0, len(list)-HistoryLimit)
	if len(e.Body) > smallBody {
		size := 0
		for i := len(list) - 1; i >= over; i-- {
			if size += len(list[i].Body); size > HistoryBytes && i < len(list)-1 {
				over = i + 1
			}
		}
	}
	if over > 0 {
		if p.forgotten == nil {
			p.forgotten = map[string]uint32{}
		}
		p.forgotten[name] += uint32(over)
		list = list[over:]
	}
	p.History[name] = list
}

// dropName makes room for a new name: the free name that was silent longest goes.
// The names that facts or rights rest on stay.
func (p *Profile) dropName() {
	var oldest string
	for name, list := range p.History {
		if standing(name) {
			continue
		}
		if oldest == "" || Compare(list[len(list)-1], p.History[oldest][len(p.History[oldest])-1]) < 0 {
			oldest = name
		}
	}
	if oldest == "" {
		return
	}
	delete(p.History, oldest)
	delete(p.forgotten, oldest)
	p.dropped++
}

func (p *Profile) ownHistory() {
	switch {
	case p.History == nil:
		p.History = map[string][]*event.Event{}
	case p.shared&sharedHistory != 0:
		p.History = maps.Clone(p.History)
		p.forgotten = maps.Clone(p.forgotten)
		if p.clip {
			for name, list := range p.History {
				p.History[name] = slices.Clip(list)
			}
			p.clip = false
		}
	}
	p.shared &^= sharedHistory
}

func (p *Profile) ownTraits() {
	switch {
	case p.Traits == nil:
		p.Traits = map[string]Trait{}
	case p.shared&sharedTraits != 0:
		p.Traits = maps.Clone(p.Traits)
	}
	p.shared &^= sharedTraits
}

// Snapshot is the profile as it is now, to be handed out: it never changes. As
// long as nothing is applied it is the same one again.
func (p *Profile) Snapshot() *Profile {
	if p.frozen {
		return p
	}
	if p.last == nil {
		p.shared = sharedAll
		s := *p
		s.frozen, s.clip = true, true
		p.last = &s
	}
	return p.last
}

// Clone is a copy that can be folded on by itself.
func (p *Profile) Clone() *Profile {
	if !p.frozen {
		p.shared = sharedAll
	}
	c := *p
	c.frozen, c.clip, c.last, c.shared = false, true, nil, sharedAll
	return &c
}

// Belong says whose profile it is, after keys without events of their own have
// joined or left the person.
func (p *Profile) Belong(person identity.PersonID, keys []identity.Key) {
	if p.frozen {
		panic("profile: Belong on a snapshot; Clone it first")
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, identity.Key.Compare)
	p.Person, p.Keys, p.last = person, keys, nil
}

// Within lists the events of a name in (after, upTo], oldest first. The slice is
// the profile's own.
func (p *Profile) Within(name string, after, upTo time.Time) []*event.Event {
	list := p.History[name]
	from, _ := slices.BinarySearchFunc(list, after, func(e *event.Event, t time.Time) int {
		if e.Time.After(t) {
			return 1
		}
		return -1
	})
	to, _ := slices.BinarySearchFunc(list, upTo, func(e *event.Event, t time.Time) int {
		if e.Time.After(t) {
			return 1
		}
		return -1
	})
	return list[from:max(from, to)]
}

// Total is how many events of a name were folded, also those that History no
// longer keeps.
func (p *Profile) Total(name string) int { return len(p.History[name]) + int(p.forgotten[name]) }

// Record finds one record, nil when there is none.
func (p *Profile) Record(kind evidence.Kind, id string) *Record { return p.Records[kind][id] }

// RecordsOf lists the records of a kind, the oldest first.
func (p *Profile) RecordsOf(kind evidence.Kind) []*Record {
	list := slices.Collect(maps.Values(p.Records[kind]))
	slices.SortFunc(list, func(a, b *Record) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return list
}
