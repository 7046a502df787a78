// Package journal is the log, which is the truth of the house: what one request
// commits, what the commit did, and how the rest of the house reads it back or
// follows it. It stands between step 1 (event) and everything that is derived:
// profiles, the catalogue, cohorts and signals can all be rebuilt from it.
//
// It holds nouns only. The adapters (internal/sqlite …) keep the log, engine
// declares what it needs of them.
//
// A position names one event of the log. Positions grow with every commit and
// never repeat; two stores may number the same events differently, so nothing
// that must be the same everywhere may be made from one.
package journal

import (
	"errors"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/ledger"
)

// Batch is what one request commits, all of it or nothing.
type Batch struct {
	Workspace string
	Events    []event.Event // in the order they were sent
	Decision  *ledger.Entry // nil when nothing was decided
	// At is when it is committed, by the engine's clock: what was held until earlier is free.
	At      time.Time
	Reserve []Reservation // of budgets, for Decision
	Settle  []Settlement
	Acts    []Act // firings that this batch acts on
}

// ErrKnownDecision says that the ledger has a decision of this id. No event of the
// batch is stored.
var ErrKnownDecision = errors.New("a decision of this id is already in the ledger")

// Receipt tells what a commit did.
type Receipt struct {
	// Duplicates has one entry an event: true when it had been accepted before
	// (or stood earlier in the same batch) and changed nothing.
	Duplicates []bool
	// Position is the log position after the commit.
	Position uint64
}

// Scope says whose events a profile is folded from, and up to when.
type Scope struct {
	Workspace string
	Keys      []identity.Key // all of them; the fold is over the union of their events
	Person    identity.PersonID
	UpTo      uint64     // log position, inclusive; 0: everything committed
	Without   []event.ID // these events are left out
	Until     time.Time  // events that happened later are left out; zero: none
}

// Moment is one entry of a person's timeline.
type Moment struct {
	Position uint64
	Event    event.Event
}

// Committed is one new event as followers see it.
type Committed struct {
	Workspace string
	Position  uint64
	// Event is good until Follow returns: a follower copies what it keeps of its
	// body and context, and changes nothing.
	Event *event.Event
	// Person is the number of the person's representative key in the workspace's
	// identity graph; 0 for events that are nobody's, as records of the catalogue.
	Person uint32
}

// Follower keeps something derived from the log in memory: the catalogue, the
// cohort counts. The store calls it from its one writer, in log order, after a
// commit is durable and before it is acknowledged, and again for the tail after a
// restart. It must not block. What Save gives at a checkpoint, Load gets back at
// the next start, followed by everything committed since. A Load that gives an
// error must leave the follower empty: it is then fed from the first event on.
type Follower interface {
	Name() string
	Follow(c Committed)
	// Join says that the person numbered from is now part of the one numbered to.
	Join(workspace string, from, to uint32)
	Save() ([]byte, error)
	Load([]byte) error
}

// Expecter is a [Follower] that is quicker when it knows what it is told next: a store
// may show it the events of a group ahead. Whose an event is may have changed when it is
// told of it.
type Expecter interface {
	Expect(next []Committed)
}

// Parter is a [Follower] that wants to know when an unmerge took the person
// numbered from out of the person numbered to. A Join with the same from may follow.
type Parter interface {
	Part(workspace string, from, to uint32)
}

// TellJoin tells a follower of a change of the identity graph, as far as it asks for it.
func TellJoin(f Follower, workspace string, j identity.Join) {
	if !j.Parted {
		f.Join(workspace, j.From, j.To)
	} else if p, ok := f.(Parter); ok {
		p.Part(workspace, j.From, j.To)
	}
}

// Snapshotter is a [Follower] that can be saved while it goes on: Snapshot takes
// what it holds now, at once, and the function that it gives does what Save does,
// called once, on any goroutine, whatever the follower is told meanwhile.
type Snapshotter interface {
	Snapshot() (save func() ([]byte, error))
}

// Forgetter is a [Follower] that keeps something of single persons: it is told
// the number of each one that is erased, and its state is saved anew.
type Forgetter interface {
	Forget(workspace string, person uint32)
}

// KeyForgetter is a [Follower] that keeps something by the keys of persons: it is told
// the keys that are erased, and its state is saved anew.
type KeyForgetter interface {
	ForgetKeys(workspace string, keys []identity.Key)
}

// Forgets tells that a follower keeps something of single persons.
func Forgets(f Follower) bool {
	_, persons := f.(Forgetter)
	_, keys := f.(KeyForgetter)
	return persons || keys
}

// TellErased lets a follower forget an erased person, under every number they had.
func TellErased(f Follower, workspace string, persons []uint32, keys []identity.Key) {
	if f, ok := f.(Forgetter); ok {
		for _, p := range persons {
			f.Forget(workspace, p)
		}
	}
	if f, ok := f.(KeyForgetter); ok {
		f.ForgetKeys(workspace, keys)
	}
}

// Erasure is the receipt of a person erased.
type Erasure struct {
	Events    int
	Decisions int
}

// Notice says that what the store keeps of a workspace beside its log (itself, its
// strategies, the number in force) may have been changed by another process. An empty
// workspace means any.
type Notice struct {
	Workspace string
}
