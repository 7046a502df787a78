// Package need is step 4 of the flow: what the customer needs. It turns a text,
// its dialogue and a profile into an ordered list of needs: spoken ones with
// their place in the text, implied ones, and predicted ones from signals.
//
// It is deterministic and pure: the same enquiry, profile, scene, lexicon and
// plan give the same needs. A [Plan] is compiled and its classifier trained when
// a strategy is published; serving only walks it.
package need

import (
	"slices"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need/signal"
)

// Origin tells where a need comes from.
type Origin string

const (
	Spoken    Origin = "spoken"    // it has its own words
	Implied   Origin = "implied"   // it follows from the wording or the dialogue
	Predicted Origin = "predicted" // it follows from history
)

// Status tells what became of a need in this answer.
type Status string

const (
	Answered   Status = "answered"
	Partly     Status = "partly"
	Unanswered Status = "unanswered"
	Clarify    Status = "clarify"
	Handover   Status = "handover"
)

// Span is a half-open range of runes of the enquiry's text as it was received.
type Span [2]int

// Entity is something named in the text: a product, order, attribute, person,
// scene, budget, money, order_id, date, duration, place, count, symptom, color …
type Entity struct {
	Type  string `json:"type"`
	ID    string `json:"id,omitempty"` // catalogue or record id when it is a known one
	Text  string `json:"text"`
	Span  Span   `json:"span"`
	Value any    `json:"value,omitempty"` // what a grammar read: number, {amount,currency}, {count,…}; JSON value
	// Meant is the name as the catalogue writes it, when the text has it otherwise
	// (a slip, another character of the same sound): a guess that the customer is told.
	Meant string `json:"meant,omitempty"`
}

// Condition is another need's result on which this one depends ("没货的话就退款").
type Condition struct {
	Need string `json:"need"` // id of the other need, "" when it is none of this enquiry's
	Text string `json:"text"` // the customer's own words
	// Failing: this need counts when the other one cannot be met ("没货的话就退款").
	Failing bool `json:"failing,omitempty"`
}

// Need is one sub-need.
type Need struct {
	ID          string         `json:"id"` // n1, n2 … in the order of the text
	Origin      Origin         `json:"origin"`
	Intent      string         `json:"intent"`
	Subintent   *string        `json:"subintent"`
	Title       string         `json:"title,omitempty"` // what it is called, in the answer's language; set when it is shown
	Text        string         `json:"text"`
	Span        *Span          `json:"span,omitempty"` // nil when it has no words of its own
	Entities    []Entity       `json:"entities"`
	RefersTo    []string       `json:"refers_to"`             // entity or record ids it points back to ("它", "that one")
	Constraints []string       `json:"constraints,omitempty"` // the customer's own words
	Condition   *Condition     `json:"condition"`
	Negated     bool           `json:"negated"`
	Danger      bool           `json:"danger,omitempty"` // a symptom that can hurt somebody: safety comes before anything else
	Confidence  float64        `json:"confidence"`
	Status      Status         `json:"status"`
	Evidence    []evidence.Ref `json:"evidence"`
	// Matter is set on a predicted need that the customer left open.
	Matter *Matter `json:"matter,omitempty"`
	// Outside: this is small talk or another matter that is not the shop's.
	Outside bool `json:"outside,omitempty"`
	// Unowned: it names a kind of thing, and what the customer has of ours is of other
	// kinds: nothing that is known of those answers it.
	Unowned bool `json:"unowned,omitempty"`
	// Repeated is how often this was asked before and answered as it would be now; its
	// evidence holds the earlier answers. Set by who knows what was said.
	Repeated int `json:"repeated,omitempty"`
	// Said are the earlier words that this goes back to when its own say nothing of the
	// matter ("it still doesn't work").
	Said string `json:"said,omitempty"`
	// Attachments came with the enquiry and are this need: nobody has read them yet.
	Attachments []Attachment `json:"attachments,omitempty"`
	// Readings are the two likeliest intents when Confidence is too low to act on.
	Readings []Reading `json:"readings,omitempty"`
}

// Sub is the subintent or "".
func (n *Need) Sub() string {
	if n.Subintent == nil {
		return ""
	}
	return *n.Subintent
}

// Reading is one possible meaning, offered as a button when we ask back.
type Reading struct {
	Intent     string  `json:"intent"`
	Subintent  string  `json:"subintent,omitempty"`
	Confidence float64 `json:"confidence"`
}

// Turn is one earlier message of the conversation.
type Turn struct {
	Role string `json:"role"` // user, agent
	Text string `json:"text"`
	// Author is who of several people said it, or to whom it was answered.
	Author string `json:"author,omitempty"`
}

// Attachment is a photo, voice message or file that came with an enquiry.
type Attachment struct {
	Kind string `json:"kind"`
	URL  string `json:"url,omitempty"`
	Name string `json:"name,omitempty"`
}

// Enquiry is what the customer wrote, with the turns before it.
type Enquiry struct {
	Text        string       `json:"text"`
	Messages    []Turn       `json:"messages,omitempty"`
	Attachments []Attachment `json:"attachments,omitempty"`
	// About are the earlier words that this text answers a question about ("which do
	// you mean?", "is that right?"): the needs are read from them. Chosen is the
	// reading that was picked, Excluded are those that were turned down.
	About    string    `json:"about,omitempty"`
	Chosen   *Reading  `json:"chosen,omitempty"`
	Excluded []Reading `json:"excluded,omitempty"`
	// Author is who of several people asks; what is left unsaid is taken from their own
	// turns first.
	Author string `json:"author,omitempty"`
	// Denied are traits that were assumed and that the customer says are wrong.
	Denied []string `json:"denied,omitempty"`
	// Likes is what embeddings say of it; nil: nobody was asked.
	Likes *Likes `json:"likes,omitempty"`
}

// read is the text that holds the needs.
func (e *Enquiry) read() string {
	if e.About != "" {
		return e.About
	}
	return e.Text
}

// backward are the earlier turns, the newest first: those with the author who asks
// before those with others.
func (e *Enquiry) backward() []Turn {
	turns := slices.Clone(e.Messages)
	slices.Reverse(turns)
	if e.Author != "" {
		slices.SortStableFunc(turns, func(a, b Turn) int {
			own, other := a.Author == e.Author, b.Author == e.Author
			switch {
			case own == other:
				return 0
			case own:
				return -1
			}
			return 1
		})
	}
	return turns
}

// Lexicon finds the names of the catalogue in a text. The candidate room's
// catalogue satisfies it; a plan without a catalogue uses NoNames.
type Lexicon interface {
	// Find returns the entities named in the text, longest match first at each
	// place, not overlapping, in the order of the text. The runes are normalised
	// (lower case, half width, simplified); spans count those runes.
	Find(text []rune) []Entity
}

// NoNames is the lexicon of an empty catalogue.
type NoNames struct{}

// Find finds nothing.
func (NoNames) Find([]rune) []Entity { return nil }

// SignalState is one signal of a person at one time, for one group. A signal that
// nearly holds is kept with its Fault, so that an explanation can name the rule
// that failed.
type SignalState = signal.State
