// Package conversation is the dialogue that every step of the flow stands in: who
// said what, who has the word (the adviser, or a person of the company), and who
// waits for a person. It is made of events of the log and of nothing else, so a
// restart, another node or a replay sees the same conversation.
//
// [Read] puts the events of one conversation in order, [StateOf] says who has the
// word after them, and [Desk] follows the log and keeps the queue. What it never
// changes: a customer is with a person only after a person has accepted.
package conversation

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
)

// The events a conversation consists of; the first two have Segment's names, seen
// from the customer.
const (
	Sent      = "Live Chat Message Sent"     // the customer's words
	Received  = "Live Chat Message Received" // the adviser's or a person's
	Requested = "Handover Requested"         // a person is looked for
	Accepted  = "Handover Accepted"          // a person has taken it
	Returned  = "Handover Returned"          // the person has handed it back
)

// Names are the events of a conversation.
var Names = []string{Sent, Received, Requested, Accepted, Returned}

// ours tells whether an event belongs to a conversation, by its name.
func ours(name string) bool {
	switch {
	case len(name) < len(Returned):
		return false
	case name[0] == 'L':
		return name == Sent || name == Received
	}
	return name[0] == 'H' && (name == Requested || name == Accepted || name == Returned)
}

// Phase is who has the word.
type Phase string

// The phases. While a person is looked for, the adviser goes on helping.
const (
	WithAdviser Phase = "adviser"
	Waiting     Phase = "waiting"
	WithPerson  Phase = "person"
)

// Who is somebody who speaks: a customer's own name for one of several authors, or
// a person of the company.
type Who struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Entry is one event of a conversation.
type Entry struct {
	Event event.ID
	Name  string // Sent, Received …
	At    time.Time
	Key   string // whose event it is: "user:u1"
	Body
}

// Body is what the properties of a conversation's event say.
type Body struct {
	Conversation string          `json:"conversation_id"`
	Text         string          `json:"message_body,omitempty"`
	By           string          `json:"by,omitempty"`    // of Received: "person", else the adviser
	Author       Who             `json:"author,omitzero"` // of Sent: which of several people
	Agent        Who             `json:"agent,omitzero"`  // the person of the company
	Decision     string          `json:"decision_id,omitempty"`
	Locale       string          `json:"locale,omitempty"`
	Attachments  json.RawMessage `json:"attachments,omitempty"`
	About        string          `json:"about,omitempty"`   // of Received: the earlier words that it answers again
	Asked        []Matter        `json:"asked,omitempty"`   // of Received: the needs it answers
	Offered      bool            `json:"offered,omitempty"` // of Received: something in it waits for the customer's yes
	Brief        json.RawMessage `json:"brief,omitempty"`   // of Requested: what the person must know
	Reason       string          `json:"reason,omitempty"`  // of Requested: the action that asked for a person
	Ahead        int             `json:"ahead,omitempty"`   // of Requested: how many waited before
	Minutes      int             `json:"minutes,omitempty"` // of Requested: how long a wait took then; 0: not known
	Note         string          `json:"note,omitempty"`    // of Returned, and of Accepted
	Solved       bool            `json:"solved,omitempty"`  // of Returned
}

// Matter is one need as it was answered: what it was about and what was said to it.
// Kept in the event of the answer, it lets a later one not say the same again.
type Matter struct {
	Intent    string    `json:"intent"` // "" when it was not understood
	Subintent string    `json:"subintent,omitempty"`
	About     []string  `json:"about,omitempty"` // items and records, sorted
	Text      string    `json:"text,omitempty"`  // the customer's words
	Status    string    `json:"status,omitempty"`
	State     string    `json:"state,omitempty"`    // of the record that was told: while it is unchanged the answer is the same one
	Articles  []string  `json:"articles,omitempty"` // that were told
	Actions   []string  `json:"actions,omitempty"`  // that were offered
	Titles    []string  `json:"titles,omitempty"`   // of what was shown, for who takes over
	Readings  []Reading `json:"readings,omitempty"` // that were asked back
	Assumed   *Assumed  `json:"assumed,omitempty"`  // what was taken for granted and asked
}

// Reading is one meaning that was offered as a button.
type Reading struct {
	Intent    string `json:"intent"`
	Subintent string `json:"subintent,omitempty"`
	Label     string `json:"label"` // as it was shown
}

// Assumed is a trait that was inferred and shown to the customer to confirm.
type Assumed struct {
	Trait string `json:"trait"`
	Value any    `json:"value"`
}

// ReadEvent reads one event; ok is false when it is of no conversation.
func ReadEvent(e *event.Event) (en Entry, ok bool) {
	if !ours(e.Name) || json.Unmarshal(e.Body, &en.Body) != nil || en.Conversation == "" {
		return en, false
	}
	en.Event, en.Name, en.At = e.ID, e.Name, e.Time
	switch {
	case e.UserID != "":
		en.Key = "user:" + e.UserID
	case e.AnonymousID != "":
		en.Key = "anon:" + e.AnonymousID
	}
	return en, true
}

// ReadShown reads an event that reports an answer as seen somewhere else: what it
// was asked stands in it as in an answer's own.
func ReadShown(e *event.Event) (en Entry, ok bool) {
	if json.Unmarshal(e.Body, &en.Body) != nil || len(en.Asked) == 0 {
		return en, false
	}
	en.Event, en.Name, en.At = e.ID, e.Name, e.Time
	return en, true
}

// Read puts the events of one conversation in order: by time, at one instant what
// the customer said before what was answered, and an acceptance before the words of who accepts. lists are events by name, of one
// person or of several; others' conversations in them are passed over.
func Read(id string, lists ...[]*event.Event) []Entry {
	said := []byte(id)
	var all []Entry
	for _, list := range lists {
		for _, e := range list {
			if !bytes.Contains(e.Body, said) {
				continue
			}
			if en, ok := ReadEvent(e); ok && en.Conversation == id {
				all = append(all, en)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		if c := a.turn() - b.turn(); c != 0 {
			return c
		}
		return strings.Compare(a.Event.String(), b.Event.String())
	})
	return slices.CompactFunc(all, func(a, b Entry) bool { return a.Event == b.Event })
}

// turn is whose turn it is among entries of one instant: the customer's, the answer's, a
// change of hands, and then the words of the person who took the conversation by them.
func (en *Entry) turn() int {
	if en.Name == Received && en.By == "person" {
		return len(Names)
	}
	return slices.Index(Names, en.Name)
}

// State is who has the word after some entries.
type State struct {
	Phase Phase     `json:"phase"`
	Since time.Time `json:"since,omitzero"`
	Agent Who       `json:"agent,omitzero"` // who has it, in WithPerson
}

// StateOf folds entries. Only an acceptance brings a person in; a request while a
// person is there changes nothing.
func StateOf(entries []Entry) State {
	s := State{Phase: WithAdviser}
	for i := range entries {
		s = s.after(&entries[i])
	}
	return s
}

func (s State) after(en *Entry) State {
	switch en.Name {
	case Requested:
		if s.Phase == WithAdviser {
			return State{Phase: Waiting, Since: en.At}
		}
	case Accepted:
		return State{Phase: WithPerson, Since: en.At, Agent: en.Agent}
	case Returned:
		return State{Phase: WithAdviser, Since: en.At}
	}
	return s
}

// Failures counts the answers at the end of the entries that only asked back, one
// after the other, while the adviser had the word.
func Failures(entries []Entry) (n int) {
	for _, en := range slices.Backward(entries) {
		switch en.Name {
		case Returned, Accepted:
			return n
		case Received:
			if en.By == "person" || !onlyAsksBack(en.Asked) {
				return n
			}
			n++
		}
	}
	return n
}

// onlyAsksBack tells whether nothing was understood of what was asked. Who was asked
// which product is meant was understood.
func onlyAsksBack(asked []Matter) bool {
	return len(asked) > 0 && !slices.ContainsFunc(asked, func(m Matter) bool {
		return (m.Status != "clarify" || len(m.Readings) == 0) && m.Intent != ""
	})
}
