// Package profile is step 3 of the flow: what we know of a person, each fact with
// the events that prove it.
//
// A [Profile] is a fold of the set of a person's events in the order (event time,
// event id), never of arrival. It is pure: the same events give the same profile,
// byte for byte, whatever store they came from and in whatever order they came.
// Absence is a value: a field that consent or switches hide reads as unknown.
package profile

import (
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/profile/click"
)

// Trait is one stated property of the person (Segment's traits: email,
// household_size, account_type, …) with the event that stated it last.
type Trait struct {
	Value    any // JSON value: string, float64, bool, []any, map[string]any
	At       time.Time
	Evidence evidence.Ref
	Verified bool
	// Implied: nobody stated it, it follows from what the same event says otherwise
	// (household → household_size, the device's time zone → timezone). A stated one
	// takes its place whenever it comes.
	Implied bool
}

// Record is the present state of a business record of the person: an order,
// asset, case, holding, enrolment, contract or promotion. Events that speak of
// one (Order Completed, Repair Reported, Service Case Updated …) make or change
// it as a put of the record does.
type Record struct {
	Kind      evidence.Kind
	ID        string
	Fields    map[string]any // as put; money is {amount, currency} in minor units, times are RFC 3339 text
	CreatedAt time.Time
	UpdatedAt time.Time
	// Evidence are the events that made its present state, oldest first, at most
	// EvidenceLimit: the first one and the newest.
	Evidence []evidence.Ref
	// Verified: no unproven browser has a part in it.
	Verified bool

	told []string     // fields that events stated, sorted; a put that is silent about them leaves them
	put  evidence.Ref // the newest put, "" when events alone made it
}

// EvidenceLimit bounds the evidence of one record or contact.
const EvidenceLimit = 16

// Ref is the record's own ref, which opens onto its events.
func (r *Record) Ref() evidence.Ref { return evidence.Make(r.Kind, r.ID, 0) }

// Text is a field as text, "" when it is missing or no text.
func (r *Record) Text(field string) string { s, _ := r.Fields[field].(string); return s }

// Time is a field as a time; ok is false when it is missing or no RFC 3339 time or date.
func (r *Record) Time(field string) (t time.Time, ok bool) {
	s, _ := r.Fields[field].(string)
	if s == "" {
		return time.Time{}, false // most fields that are asked for; refusing them is what costs
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// Contact is one thing shown to the person, from Decision Shown and its successors.
type Contact struct {
	Decision  string // dec_…
	Action    string // "" when the whole answer was shown
	Shown     time.Time
	Opened    time.Time // zero: not (yet)
	Accepted  time.Time
	Dismissed time.Time
	Resolved  time.Time
	Evidence  []evidence.Ref
}

// Preferences are what the person decided about their data.
type Preferences struct {
	PersonalizationOff bool
	BlockedTags        []string        // sorted
	Consent            map[string]bool // purpose → given; a purpose that is not in it was never asked
	Evidence           []evidence.Ref  // the events that made the present state, oldest first

	parts []preferencePart
}

// HistoryLimit bounds how many events of one name a profile keeps; older ones are
// still in the log, and facts folded from them stay.
const HistoryLimit = 256

// Other bounds of a profile, so that nobody can fill the memory of others: how
// many bytes of event bodies one name keeps, how many names, traits and records
// of a kind there are. What is over a bound is left out, the oldest first; traits
// beyond theirs are not taken up.
const (
	HistoryBytes = 128 << 10
	MaxNames     = 256
	MaxTraits    = 512
	MaxRecords   = 1024
)

// Profile is what is known of one person at one log position. A Profile that has
// been handed out ([Profile.Snapshot]) is never changed; the one who folds keeps
// the original and applies what comes. Only one goroutine may fold a Profile;
// snapshots are read by any number.
type Profile struct {
	Person   identity.PersonID
	Keys     []identity.Key // sorted
	Position uint64         // log position of the newest event in it
	Events   int            // how many events were folded
	First    time.Time      // event time of the first one
	Last     time.Time      // event time of the last one

	Traits  map[string]Trait
	Records map[evidence.Kind]map[string]*Record
	// History is by event name, in (time, id) order, the newest HistoryLimit. What was
	// found in clicks (click.Dead, click.Rage, click.Abandoned) stands in it, too, as
	// events that bear the id of the one they are about; see [Behind].
	History     map[string][]*event.Event
	Contacts    []Contact // in order of Shown, the newest HistoryLimit
	Preferences Preferences
	// Households are those that the person is in, when who reads the profile has looked
	// them up ([Profile.In]): no part of the fold.
	Households []Household `json:"-"`
	// Hidden says what [Profile.Masked] took away and why: field → reason.
	Hidden map[string]Reason

	newest    event.ID          // id of the event at Last
	forgotten map[string]uint32 // by name: how many events History no longer keeps
	dropped   uint32            // how many names History no longer keeps
	watch     click.Watch       // what their last clicks may still come to
	shared    share
	clip      bool     // spare room at the end of slices belongs to somebody else
	frozen    bool     // handed out
	last      *Profile // the newest snapshot, while nothing has changed since
}
