package strategy

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
)

// ActRecord is the kind of record that says who did what to a strategy; its subject is
// the act's own id.
const ActRecord = "strategy_act"

// Actor is who does something to a strategy: the holder of a key, program or person.
type Actor struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Approver tells that they may approve what others ask for.
	Approver bool `json:"-"`
	// From are the ids of those by whom this key was made, one by the other, since two
	// approvers were asked for: it counts as theirs.
	From []string `json:"-"`
}

// House is who did what nobody asked for at that moment: a guardrail, the clock.
var House = Actor{ID: "house", Name: "house"}

// Apart tells whether an actor is somebody else than another: neither them, nor a key
// that one of the two has made for themselves.
func (a *Actor) Apart(other *Actor) bool {
	return a.ID != other.ID && !slices.Contains(a.From, other.ID) && !slices.Contains(other.From, a.ID)
}

// Deed is what was done to a strategy.
type Deed string

// The deeds, a closed list that is only ever appended to.
const (
	Drafted    Deed = "drafted"
	Requested  Deed = "requested" // that somebody else approves it
	Approved   Deed = "approved"
	Rejected   Deed = "rejected"
	Withdrawn  Deed = "withdrawn" // the request was taken back
	Dated      Deed = "scheduled"
	Tried      Deed = "canary"
	Published  Deed = "published"
	RolledBack Deed = "rolled_back"
	TakenBack  Deed = "taken_back" // a canary or a schedule ended without it
	Guarded    Deed = "two_approvers_on"
	Unguarded  Deed = "two_approvers_off"
)

// Act is one deed: who, what, when, and why. Acts are records of the log, so that they
// stay, and every node knows them.
type Act struct {
	ID      string    `json:"id"`
	Deed    Deed      `json:"act"`
	Version int       `json:"version,omitempty"` // 0: it concerns the setting that asks for two approvers
	By      Actor     `json:"by"`
	At      time.Time `json:"at"`
	Note    string    `json:"note,omitempty"`
	// Of a request: the version that was in force then, and what would change of major
	// impact.
	Against int      `json:"against,omitempty"`
	Changes []Change `json:"changes,omitempty"`
}

// Part is what of a strategy a change is about.
type Part string

// The parts that can bear on an action.
const (
	PartAction   Part = "action"
	PartBudget   Part = "budget"
	PartSignal   Part = "signal"
	PartTag      Part = "tag"
	PartCalendar Part = "calendar"
	PartTrait    Part = "trait"    // its class and purpose
	PartContact  Part = "contact"  // what may be sent unasked, and when
	PartDraw     Part = "draw"     // how goodwill and sales are drawn
	PartProblems Part = "problems" // in front of which nothing is sold
	PartTimezone Part = "timezone"
)

// How is in which way a part changes.
type How string

// The ways.
const (
	Added   How = "added"
	Changed How = "changed"
	Removed How = "removed"
)

// Change is one difference between two versions that bears on an action of major
// impact.
type Change struct {
	Part  Part           `json:"part"`
	ID    string         `json:"id,omitempty"`
	Title candidate.Text `json:"title,omitzero"`
	How   How            `json:"how"`
	// Actions of major impact that it bears on, by id.
	Actions []string `json:"actions"`
	// Before and After are digests of what is written; "": it is not there.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Same tells whether two changes are one: whoever agreed to one has agreed to the other.
func (c *Change) Same(o *Change) bool {
	return c.Part == o.Part && c.ID == o.ID && c.Before == o.Before && c.After == o.After
}

// RequestState is what became of a request for approval.
type RequestState string

// The states of a request.
const (
	RequestOpen      RequestState = "open"
	RequestApproved  RequestState = "approved"
	RequestRejected  RequestState = "rejected"
	RequestWithdrawn RequestState = "withdrawn"
)

// Request is the wish that somebody else approves a version.
type Request struct {
	Version int          `json:"version"` // 0: to ask for two approvers no longer
	State   RequestState `json:"state"`
	By      Actor        `json:"by"`
	At      time.Time    `json:"at"`
	Note    string       `json:"note,omitempty"`
	Against int          `json:"against,omitempty"`
	Changes []Change     `json:"changes,omitempty"`
	Settled *Settled     `json:"settled,omitempty"` // nil while it is open
}

// Settled says who settled a request, when and why.
type Settled struct {
	By   Actor     `json:"by"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// Covers tells whether what was approved holds all these changes.
func (r *Request) Covers(changes []Change) bool {
	return r.State == RequestApproved && !slices.ContainsFunc(changes, func(c Change) bool {
		return !slices.ContainsFunc(r.Changes, func(o Change) bool { return c.Same(&o) })
	})
}

// mostActs bounds how many acts of a workspace are kept in memory, the newest; the log
// has them all.
const mostActs = 5000

// Acts know who did what to the strategies of each workspace, and what is approved.
// They follow the log. The zero value is ready.
type Acts struct {
	mu sync.RWMutex
	of map[string]*acts
}

type acts struct {
	All      []Act            `json:"all"` // in the order of the log
	Requests map[int]*Request `json:"requests,omitempty"`
	Guarded  bool             `json:"guarded,omitempty"`
}

// Name implements journal.Follower.
func (a *Acts) Name() string { return "strategy acts" }

// Follow implements journal.Follower.
func (a *Acts) Follow(c journal.Committed) {
	e := c.Event
	if e.Kind != event.Record || e.Name != ActRecord || e.Deleted {
		return
	}
	var x Act
	if json.Unmarshal(e.Body, &x) != nil {
		return
	}
	x.ID, x.At = e.Subject, e.Time
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = map[string]*acts{}
	}
	w := a.of[c.Workspace]
	if w == nil {
		w = &acts{Requests: map[int]*Request{}}
		a.of[c.Workspace] = w
	}
	w.follow(x)
}

func (w *acts) follow(x Act) {
	settle := func(s RequestState) {
		if r := w.Requests[x.Version]; r != nil && r.State == RequestOpen {
			next := *r // readers hold the old one
			next.State, next.Settled = s, &Settled{x.By, x.At, x.Note}
			w.Requests[x.Version] = &next
		}
	}
	switch x.Deed {
	case Requested:
		w.Requests[x.Version] = &Request{Version: x.Version, State: RequestOpen, By: x.By, At: x.At, Note: x.Note, Against: x.Against, Changes: x.Changes}
	case Approved:
		settle(RequestApproved)
	case Rejected:
		settle(RequestRejected)
	case Withdrawn:
		settle(RequestWithdrawn)
	case Guarded:
		w.Guarded = true
	case Unguarded:
		w.Guarded = false
	}
	if w.All = append(w.All, x); len(w.All) > mostActs {
		w.All = slices.Clone(w.All[len(w.All)-mostActs:])
	}
}

// Guarded tells whether a workspace asks for two approvers.
func (a *Acts) Guarded(workspace string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	w := a.of[workspace]
	return w != nil && w.Guarded
}

// Request is the last request for approval of a version; ok is false when there was none.
func (a *Acts) Request(workspace string, number int) (r Request, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if w := a.of[workspace]; w != nil && w.Requests[number] != nil {
		return *w.Requests[number], true
	}
	return r, false
}

// Open lists the requests that nobody has settled, the oldest first.
func (a *Acts) Open(workspace string) (all []Request) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	w := a.of[workspace]
	if w == nil {
		return nil
	}
	for _, r := range w.Requests {
		if r.State == RequestOpen {
			all = append(all, *r)
		}
	}
	slices.SortFunc(all, func(x, y Request) int {
		if c := x.At.Compare(y.At); c != 0 {
			return c
		}
		return x.Version - y.Version
	})
	return all
}

// Of lists the acts on a version, or with 0 those on all of them, the newest first.
func (a *Acts) Of(workspace string, number int) (all []Act) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	w := a.of[workspace]
	if w == nil {
		return nil
	}
	for _, x := range slices.Backward(w.All) {
		if number == 0 || x.Version == number {
			all = append(all, x)
		}
	}
	return all
}

// Join implements journal.Follower; acts are nobody's.
func (a *Acts) Join(string, uint32, uint32) {}

// Save implements journal.Follower.
func (a *Acts) Save() ([]byte, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return json.Marshal(a.of)
}

// Load implements journal.Follower.
func (a *Acts) Load(b []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of = nil
	if err := json.Unmarshal(b, &a.of); err != nil {
		return err
	}
	for _, w := range a.of {
		if w.Requests == nil {
			w.Requests = map[int]*Request{}
		}
	}
	return nil
}
