// Package outcome is step 8 of the flow: what came of it. Shown, opened,
// accepted, dismissed and resolved come back as events; this room attributes them
// to the decision they belong to. They return to the profile as events, never by
// import.
package outcome

import (
	"bytes"
	"cmp"
	"time"

	"github.com/rapport-cx/rapport/event"
)

// Kind is what a customer did with what was shown.
type Kind string

// The kinds, a closed list that is only ever appended to.
const (
	Impression Kind = "impression"
	Open       Kind = "open"
	Accept     Kind = "accept"
	Dismiss    Kind = "dismiss"
	Resolve    Kind = "resolve"
	Feedback   Kind = "feedback"
)

// reported are the events that report an outcome, in the order in which they
// usually come.
var reported = []struct {
	name string
	kind Kind
}{
	{"Decision Shown", Impression}, {"Opened", Open}, {"Accepted", Accept},
	{"Dismissed", Dismiss}, {"Resolved", Resolve}, {"Feedback Given", Feedback},
}

// Names are the names of the events that report an outcome.
func Names() []string {
	names := make([]string, len(reported))
	for i, r := range reported {
		names[i] = r.name
	}
	return names
}

// Outcome is one thing that came of one decision.
type Outcome struct {
	Kind     Kind
	Decision string
	Action   string   // "" when it concerns the whole answer
	Rating   *float64 // as the customer gave it; nil: none
	Text     string
	At       time.Time
	Event    event.ID
}

// Compare orders outcomes by time, then by event.
func Compare(a, b Outcome) int {
	return cmp.Or(a.At.Compare(b.At), bytes.Compare(a.Event[:], b.Event[:]))
}

// Attribute reads an outcome from an event; ok is false when it reports none, or
// of no decision.
func Attribute(e *event.Event) (o Outcome, ok bool) {
	kind := Kind("")
	for _, r := range reported {
		if r.name == e.Name && e.Kind == event.Track {
			kind = r.kind
		}
	}
	if kind == "" {
		return Outcome{}, false
	}
	p := e.Properties()
	o = Outcome{Kind: kind, At: e.Time, Event: e.ID}
	o.Decision, _ = p["decision_id"].(string)
	o.Action, _ = p["action"].(string)
	o.Text, _ = p["text"].(string)
	if r, ok := p["rating"].(float64); ok {
		o.Rating = &r
	}
	return o, o.Decision != ""
}
