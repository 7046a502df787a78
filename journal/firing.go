package journal

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

// FiringState is what became of a firing, a closed list.
type FiringState string

const (
	// FiringOpen: nobody has acted on it yet.
	FiringOpen FiringState = "open"
	// FiringHandled: somebody has, once; Firing.Decision or Firing.Reason tells how.
	FiringHandled FiringState = "handled"
	// FiringWithdrawn: an event undid it before anybody acted.
	FiringWithdrawn FiringState = "withdrawn"
	// FiringSuperseded: an event undid it after somebody had acted.
	FiringSuperseded FiringState = "superseded"
	// FiringPast: it turned too long before it was found to act on it: found in an
	// import, or by publishing a new signal.
	FiringPast FiringState = "past"
)

// Firing is one turn of a signal of one person from not holding to holding: a row
// of the commit that holds the event which turned it.
type Firing struct {
	// ID follows from the signal, the group, the moment and the events (FiringID), so
	// that the same turn is the same firing on every node, after a restart, a rebuild
	// or a merge.
	ID        string
	Number    uint64 // grows as a store takes firings in; no two stores agree on it
	Workspace string
	Person    identity.PersonID // whose it is; of a merged person the id redirects
	Member    uint32            // in a Turn, in place of Person: the number that Committed gave
	Signal    string
	Strategy  int               // the version whose definition it is
	Group     map[string]string // see signal.State
	At        time.Time         // event time of the turn; when time alone turned it, the moment it was due
	Found     time.Time         // when the house noticed
	Events    []event.ID        // exactly those that made it, oldest first
	UndoneBy  *event.ID         // the event that undid it
	State     FiringState
	Due       time.Time // not to be acted on before; zero: at once
	Cause     uint64    // log position as of which this was known
	Decision  string    // the decision that acted on it
	Reason    string    // why it was settled without one, or put off
}

var firingEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// FiringID makes the id of a firing, "fir_…". print is a digest of its group, moment
// and events.
func FiringID(workspace, signal string, print [16]byte) string {
	h := sha256.New()
	var length [8]byte
	for _, s := range []string{workspace, signal} {
		binary.LittleEndian.PutUint64(length[:], uint64(len(s)))
		h.Write(length[:])
		h.Write([]byte(s))
	}
	h.Write(print[:])
	return "fir_" + firingEncoding.EncodeToString(h.Sum(nil)[:16])
}

// Turn is what a [Watcher] found: firings to be written down.
//
// A firing that is not known is inserted with its State (open, past, or withdrawn
// when it has UndoneBy). One that is known changes only when the turn is as new as
// what is known (Cause): with UndoneBy, open and past become withdrawn and handled
// becomes superseded; without it, withdrawn becomes open and superseded handled again.
type Turn struct {
	Workspace string
	Cause     uint64
	Fired     []Firing
	// Whole says that Fired is all that ever fired of these signals for the person
	// who has, or had, these ids: their other firings of them are undone. It comes
	// when a person's events were gone through anew: after a late event, a merge or an
	// unmerge, and for a new signal.
	Whole   []identity.PersonID
	Signals []string
}

// Watcher is a [Follower] that makes firings of what it is told. A store asks for
// Turned after it has told a group of events: the embedded one before the commit, so
// that event and firing are one transaction (Follow and Join come before it, too, and
// a commit that fails ends the store); a shared one after it and before the
// acknowledgement, on whichever node takes the events in, so that a node that dies in
// between leaves the firing to the next. A Watcher finds the same whatever the node.
type Watcher interface {
	Follower
	// Turned takes out what was found since it was last asked.
	Turned() []Turn
}

// Act is what is done about a firing, in the commit that holds it. Of many
// who act on the same open firing one succeeds; the commits of all others fail whole
// with ErrActed.
type Act struct {
	ID string
	// State is FiringHandled, or FiringOpen to put it off until Due.
	State    FiringState
	Due      time.Time
	Decision string
	Reason   string
}

// ErrActed says that a firing is not open: handled by another, or undone.
var ErrActed = errors.New("the firing is not open any more")

// FiringQuery lists firings, the first found first.
type FiringQuery struct {
	Workspace string              // "" means all
	Persons   []identity.PersonID // empty means all; a person has had every id that one of their keys gives alone
	States    []FiringState       // empty means all
	DueBy     time.Time           // leaves out what is put off beyond it; zero means nothing is left out
	ID        string              // this one alone; "" means all
	After     uint64              // firings of a larger Number; pages one list, and is no bookmark for later: a shared store may show a smaller number later
	Limit     int                 // 0 means 50
}
