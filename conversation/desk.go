package conversation

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// Bounds of a desk, so that talk without end cannot fill the memory.
const (
	mostIdle      = 4096 // conversations of a workspace with nobody waiting that are remembered
	mostSpeakers  = 16
	mostListeners = 10_000
	keepWaits     = 32 // waits from which the next one is estimated
)

// Held is a conversation as the desk knows it.
type Held struct {
	ID       string         `json:"id"`
	Speakers []identity.Key `json:"speakers"` // whose events it consists of, the first speaker first
	Phase    Phase          `json:"phase"`
	Since    time.Time      `json:"since,omitzero"`
	Request  string         `json:"request,omitempty"` // the event of the newest request for a person
	Agent    Who            `json:"agent,omitzero"`
	Last     time.Time      `json:"last"`

	People []uint32 `json:"people,omitempty"` // their numbers in the identity graph, for erasure
}

// Desk follows the log and keeps what concerns more than one person: who waits for
// a person of the company, whose conversation an id is, and who listens. It holds
// no words; those are in the log. It is safe for concurrent use.
type Desk struct {
	mu        sync.Mutex
	at        map[string]*counter
	listeners map[place]map[chan Entry]struct{}
	listening int
}

// counter is a workspace's part of the desk.
type counter struct {
	held  map[string]*Held
	waits []time.Duration // the newest, oldest first
}

type place struct{ workspace, conversation string }

// NewDesk is an empty desk.
func NewDesk() *Desk {
	return &Desk{at: map[string]*counter{}, listeners: map[place]map[chan Entry]struct{}{}}
}

// Name is the follower's.
func (d *Desk) Name() string { return "desk" }

// Follow notes what an event of a conversation changes and tells who listens.
func (d *Desk) Follow(c journal.Committed) {
	if !ours(c.Event.Name) {
		return
	}
	en, ok := ReadEvent(c.Event) // decoding copies what it keeps
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counter(c.Workspace).note(&en, c.Person)
	for ch := range d.listeners[place{c.Workspace, en.Conversation}] {
		select {
		case ch <- en:
		default: // who does not keep up reads it from the log when they come again
		}
	}
}

func (d *Desk) counter(workspace string) *counter {
	at := d.at[workspace]
	if at == nil {
		at = &counter{held: map[string]*Held{}}
		d.at[workspace] = at
	}
	return at
}

func (at *counter) note(en *Entry, person uint32) {
	h := at.held[en.Conversation]
	if h == nil {
		at.tidy()
		h = &Held{ID: en.Conversation, Phase: WithAdviser}
		at.held[en.Conversation] = h
	}
	if key, ok := parse(en.Key); ok && !slices.Contains(h.Speakers, key) && len(h.Speakers) < mostSpeakers {
		h.Speakers = append(h.Speakers, key)
	}
	if person != 0 && !slices.Contains(h.People, person) && len(h.People) < mostSpeakers {
		h.People = append(h.People, person)
	}
	if en.At.After(h.Last) {
		h.Last = en.At
	}
	was := State{Phase: h.Phase, Since: h.Since, Agent: h.Agent}
	now := was.after(en)
	if was.Phase == Waiting && now.Phase == WithPerson && !en.At.Before(was.Since) {
		if at.waits = append(at.waits, en.At.Sub(was.Since)); len(at.waits) > keepWaits {
			at.waits = slices.Clone(at.waits[len(at.waits)-keepWaits:])
		}
	}
	if en.Name == Requested && now.Phase == Waiting && was.Phase != Waiting {
		h.Request = en.Event.String()
	}
	h.Phase, h.Since, h.Agent = now.Phase, now.Since, now.Agent
}

func parse(key string) (identity.Key, bool) {
	switch {
	case len(key) > 5 && key[:5] == "user:":
		return identity.User(key[5:]), true
	case len(key) > 5 && key[:5] == "anon:":
		return identity.Anonymous(key[5:]), true
	}
	return identity.Key{}, false
}

// tidy forgets the conversations that have been silent longest when there are too
// many; those with somebody waiting or talking to a person stay.
func (at *counter) tidy() {
	if len(at.held) < mostIdle {
		return
	}
	idle := make([]*Held, 0, len(at.held))
	for _, h := range at.held {
		if h.Phase == WithAdviser {
			idle = append(idle, h)
		}
	}
	if len(idle) < mostIdle {
		return
	}
	slices.SortFunc(idle, func(a, b *Held) int { return a.Last.Compare(b.Last) })
	for _, h := range idle[:mostIdle/8] {
		delete(at.held, h.ID)
	}
}

// Find gives a conversation; what it gives is a copy.
func (d *Desk) Find(workspace, id string) (Held, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.at[workspace]
	if at == nil || at.held[id] == nil {
		return Held{}, false
	}
	return at.held[id].copy(), true
}

func (h *Held) copy() Held {
	c := *h
	c.Speakers, c.People = slices.Clone(h.Speakers), slices.Clone(h.People)
	return c
}

// Queue lists the conversations in a phase, the longest there first.
func (d *Desk) Queue(workspace string, phase Phase) []Held {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []Held{}
	if at := d.at[workspace]; at != nil {
		for _, h := range at.held {
			if h.Phase == phase {
				all = append(all, h.copy())
			}
		}
	}
	slices.SortFunc(all, func(a, b Held) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return all
}

// Ahead is how many wait before a conversation, or before one that would join now,
// and how long such a wait has taken lately (the median), 0 when that is not known.
func (d *Desk) Ahead(workspace, id string) (ahead int, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.at[workspace]
	if at == nil {
		return 0, 0
	}
	self := at.held[id]
	for _, h := range at.held {
		if h.Phase == Waiting && h != self && (self == nil || self.Phase != Waiting || h.Since.Before(self.Since) || h.Since.Equal(self.Since) && h.ID < self.ID) {
			ahead++
		}
	}
	if len(at.waits) == 0 {
		return ahead, 0
	}
	sorted := slices.Sorted(slices.Values(at.waits))
	return ahead, sorted[len(sorted)/2]
}

// Listen tells of every new entry of a conversation until leave is called. A
// listener who does not keep up misses entries. ok is false when too many listen.
func (d *Desk) Listen(workspace, id string) (entries <-chan Entry, leave func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listening >= mostListeners {
		return nil, nil, false
	}
	at, ch := place{workspace, id}, make(chan Entry, 64)
	if d.listeners[at] == nil {
		d.listeners[at] = map[chan Entry]struct{}{}
	}
	d.listeners[at][ch] = struct{}{}
	d.listening++
	return ch, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if _, there := d.listeners[at][ch]; !there {
			return
		}
		delete(d.listeners[at], ch)
		if len(d.listeners[at]) == 0 {
			delete(d.listeners, at)
		}
		d.listening--
	}, true
}

// Join renumbers a person.
func (d *Desk) Join(workspace string, from, to uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.at[workspace]
	if at == nil {
		return
	}
	for _, h := range at.held {
		if i := slices.Index(h.People, from); i >= 0 {
			if slices.Contains(h.People, to) {
				h.People = slices.Delete(h.People, i, i+1)
			} else {
				h.People[i] = to
			}
		}
	}
}

// Forget drops the conversations of somebody who is erased.
func (d *Desk) Forget(workspace string, person uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at := d.at[workspace]; at != nil {
		for id, h := range at.held {
			if slices.Contains(h.People, person) {
				delete(at.held, id)
			}
		}
	}
}

// saved is a workspace's part of the desk as Save writes it.
type saved struct {
	Workspace string          `json:"workspace"`
	Held      []Held          `json:"held"`
	Waits     []time.Duration `json:"waits,omitempty"`
}

// Save writes the desk for the next start.
func (d *Desk) Save() ([]byte, error) { return d.Snapshot()() }

// Snapshot copies the desk; what it gives writes the copy.
func (d *Desk) Snapshot() func() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]saved, 0, len(d.at))
	for workspace, at := range d.at {
		s := saved{Workspace: workspace, Waits: slices.Clone(at.waits), Held: make([]Held, 0, len(at.held))}
		for _, h := range at.held {
			s.Held = append(s.Held, h.copy())
		}
		all = append(all, s)
	}
	return func() ([]byte, error) {
		for _, s := range all {
			slices.SortFunc(s.Held, func(a, b Held) int { return cmp.Compare(a.ID, b.ID) })
		}
		slices.SortFunc(all, func(a, b saved) int { return cmp.Compare(a.Workspace, b.Workspace) })
		return json.Marshal(all)
	}
}

// Load reads what Save wrote; after an error the desk is empty.
func (d *Desk) Load(data []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = map[string]*counter{}
	var all []saved
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for _, s := range all {
		at := d.counter(s.Workspace)
		at.waits = s.Waits
		for i := range s.Held {
			at.held[s.Held[i].ID] = &s.Held[i]
		}
	}
	return nil
}
