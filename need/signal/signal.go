// Package signal is the memory of need, step 4 of the flow: it tells which
// patterns hold in what a person did, at one time, and by which events.
//
//	states := signal.Evaluate(definitions, signal.Moment{Person: p, At: now, Zone: zone})
//
// A signal holds at time t when its condition is true of the events in (t−d, t].
// Evaluation is pure and looks at nothing but the profile's history and records:
// the same profile and time give the same states in the same order. What holds
// carries exactly the events that make it hold; what nearly holds carries those
// that did count and the condition that failed.
package signal

import (
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// Form is the shape of a pattern, a closed list.
type Form string

const (
	// Count holds when at least AtLeast events of a group lie in the window.
	Count Form = "count"
	// Streak holds when at least AtLeast calendar periods in a row, in the
	// customer's time zone, have an event each; the running period may still be
	// empty.
	Streak Form = "streak"
	// Absent holds when Within has passed since the newest After of a group and
	// no Event came since.
	Absent Form = "absent"
	// Sequence holds when Event and then every step of Then happened in this
	// order within the window. With Unless it holds when For has passed since the
	// newest such sequence was complete and no Unless came since.
	Sequence Form = "sequence"
	// Trend holds when each of the newest AtLeast values is larger (Rising) or
	// smaller than the one before it.
	Trend Form = "trend"
	// Periodic holds when the newest AtLeast events came at distances of about
	// Every, and the next one is not overdue.
	Periodic Form = "periodic"
	// Ratio holds when, among the newest AtLeast events that are Event or Other, there
	// are at least Share times as many of Event as of Other.
	Ratio Form = "ratio"
)

// Period is the calendar unit of a streak.
type Period string

const (
	Day   Period = "day"
	Week  Period = "week" // from Monday, ISO 8601
	Month Period = "month"
)

// Filter says whether an event counts. A pack compiles it; it must be pure and
// may read the person's records as they are now.
type Filter interface {
	Match(e *event.Event, p *profile.Profile) bool
}

// Step is one further event of a pattern.
type Step struct {
	Event string
	Where Filter // nil: every one
}

// Implication is the need that a holding signal foretells; an empty Intent
// foretells none and leaves the signal to the rules of the decision.
type Implication struct {
	Intent    string
	Subintent string
	// Asks is the question that is foretold, by language, as the customer would put
	// it: sources look their answers up by it. "" in a language: none.
	Asks map[string]string
	// Unasked: it is foretold only to who asked nothing (a placement, a message that
	// is sent by itself), and does not come up beside the answer to something else.
	Unasked bool
}

// Definition is one signal as a pack declares it.
type Definition struct {
	ID      string
	Form    Form
	Event   string        // name of the event that counts
	Where   Filter        // nil: every one
	AtLeast int           // how many events (count) or periods (streak); at least 1
	Within  time.Duration // length of the window; of a streak it is not read
	Per     Period        // of a streak
	// Household: it counts what all members of a household did while they were members
	// ([HouseholdsAt]), and holds or fires for the household. Such a signal reads no
	// records.
	Household bool
	// By are the group keys: every group is evaluated alone. "device" is the
	// unit (asset_id) or, where none is named, the product_id; what the event leaves
	// out of a device is read from the case it names and the units the person has.
	// "symptom" is the normalised symptom; any other is a property of the event
	// (product_id and asset_id also of each of its products). An event that lacks a
	// key belongs to no group.
	By []string
	// Distinct is a property whose events count once a value: of two reports of one
	// case the first counts, unless DistinctValues others counted since. "" counts
	// every event, as does an event without it.
	Distinct string
	// Without names events that undo the signal: any of the same group in the
	// window or, with SinceFirst, after the first event that counts. An event
	// that lacks a group key undoes every group.
	Without    []string
	SinceFirst bool
	After      Step   // of an absence: what it is counted from
	Then       []Step // of a sequence: what must follow, in order; at most MostSteps
	Unless     Step   // of a sequence: what must not come within For of its end
	For        time.Duration
	Value      string // of a trend: the property that is a number; an event without it does not count
	Falling    bool   // of a trend
	Other      Step   // of a ratio: what Event is compared with
	Share      float64
	Every      time.Duration // of a period
	Tolerance  float64       // of a period: how far a distance may be from Every, as a share of it
	Grace      int           // of a streak: so many empty periods in a row do not break it
	// Cooldown is how long after a firing the same group does not fire again.
	Cooldown time.Duration
	Implies  Implication
}

// Bounds of what the memory of one person holds of one signal.
const (
	MostSteps  = 3  // of a sequence, after its first event
	MostNeeded = 64 // AtLeast
	MostGroups = 64 // the one silent longest is forgotten for a new one
	// DistinctValues is how many values Distinct remembers, the newest that counted.
	DistinctValues = 16
)

// ReadsRecords is a Filter that looks at more than the event: what passes may change
// with the person's records, so its signal is gone through anew when they do.
type ReadsRecords interface {
	Filter
	ReadsRecords() bool
}

// Quick is a Filter that needs nothing but a few properties of the event, and can be
// asked without decoding it: values are the raw JSON of Fields, in their order, nil
// for one that is missing. It must say what Match says.
type Quick interface {
	Filter
	Fields() []string
	Pass(values [][]byte) bool
}

// State is one signal of a person at one time, for one group (for example one
// device and symptom).
type State struct {
	Signal string `json:"signal"`
	// Group is by name: the keys of the definition and, for "device", what is
	// known of asset_id and product_id; of a household's signal also HouseholdKey.
	Group  map[string]string `json:"group,omitempty"`
	Holds  bool              `json:"holds"`
	Count  int               `json:"count"`            // events, or periods of a streak, that count
	Needed int               `json:"needed,omitempty"` // how many it takes
	Events []evidence.Ref    `json:"events"`           // exactly those that make it hold, or that did count; oldest first
	Times  []time.Time       `json:"times"`            // their event times, same order
	// Fault names the condition that failed, "" when it holds: "count" (too few),
	// "within" (the others are too old), "where" (the others were filtered out),
	// "same:KEY" (the others differ in that group key), "without:EVENT" (undone by
	// that event), "gap:PERIOD" (the period of a streak that is empty), "order"
	// (what must follow has not), "early" (the absence is not long enough yet), "trend"
	// (a value is out of line), "period" (a distance is), "late" (the next one is
	// overdue), "ratio" (too few beside the others).
	Fault string `json:"fault,omitempty"`
}

// Moment is what signals are evaluated on.
type Moment struct {
	Person *profile.Profile
	At     time.Time
	Zone   *time.Location // the customer's; nil is UTC
	// Symptom gives the normalised symptom of an event, "" when it names none;
	// nil reads the event's own symptom property as it stands.
	Symptom func(*event.Event) string
}
