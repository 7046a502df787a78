// Package outcome is step 8 of the flow: what came of it. Shown, opened,
// accepted, dismissed and resolved come back as events; this room attributes them
// to the decision they belong to and counts them. They return to the profile as
// events, never by import.
package outcome

import (
	"time"

	"github.com/rapport-cx/rapport/event"
)

// Kind is what a customer did with what was shown.
type Kind string

const (
	Shown     Kind = "impression"
	Opened    Kind = "open"
	Accepted  Kind = "accept"
	Dismissed Kind = "dismiss"
	Resolved  Kind = "resolve"
	Feedback  Kind = "feedback"
)

var names = map[string]Kind{
	"Decision Shown": Shown, "Opened": Opened, "Accepted": Accepted,
	"Dismissed": Dismissed, "Resolved": Resolved, "Feedback Given": Feedback,
}

// Outcome is one thing that came of one decision.
type Outcome struct {
	Kind     Kind
	Decision string
	Action   string // "" when it concerns the whole answer
	Rating   *float64
	Text     string
	At       time.Time
	Event    event.ID
}

// Attribute reads an outcome from an event; ok is false when it is none.
func Attribute(e *event.Event) (o Outcome, ok bool) {
	kind, ok := names[e.Name]
	if !ok || e.Kind != event.Track {
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
