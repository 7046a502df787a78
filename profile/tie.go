package profile

import (
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
)

// Tie is a relation of the person to another one, or to a company, as a record of
// the kind relationship states it: guardian_of, pays_for, acts_for, member_of or a
// name of the company's own. It goes one way; what the other may do of this person
// is a record of theirs.
type Tie struct {
	ID       string
	Type     string
	Role     string       // in a company: buyer, owner …
	To       identity.Key // one key of the other; company:… where it is none of the persons
	Scope    []string     // kinds of record that may be asked about; "all" is every kind
	Called   []string     // how the person calls the other
	From     time.Time    // zero: from ever
	Until    time.Time    // zero: without end; the tie is in force before it
	Evidence []evidence.Ref
}

// InForce tells that the tie holds at a time.
func (t *Tie) InForce(at time.Time) bool {
	return !at.Before(t.From) && (t.Until.IsZero() || at.Before(t.Until))
}

// Covers tells that records of a kind may be asked about.
func (t *Tie) Covers(kind evidence.Kind) bool {
	return matters[kind] && (slices.Contains(t.Scope, "all") || slices.Contains(t.Scope, string(kind)))
}

// matters are the kinds of record that one may ask about for another.
var matters = map[evidence.Kind]bool{
	evidence.Order: true, evidence.Asset: true, evidence.Case: true, evidence.Holding: true, evidence.Enrolment: true, evidence.Contract: true,
}

// ReadTie reads a record of the kind relationship; ok is false when it cannot be
// relied on: it is of no sender with a secret key, names nobody, or its times are none.
func ReadTie(r *Record) (t Tie, ok bool) {
	f := fields(r.Fields)
	t = Tie{ID: r.ID, Type: f.id("type"), Role: f.id("role"), Scope: texts(f["scope"]), Called: texts(f["called"]), Evidence: r.Evidence}
	if t.To, ok = identity.ParseKey(f.id("to")); !ok || t.Type == "" || !r.Verified {
		return t, false
	}
	for name, at := range map[string]*time.Time{"valid_from": &t.From, "valid_until": &t.Until} {
		if v, stated := f.value(name); stated {
			if *at, ok = r.Time(name); !ok || v == "" {
				return t, false
			}
		}
	}
	return t, true
}

// Household is one household, with what its members did while they were members: by
// event name, in (time, id) order.
type Household struct {
	ID      string
	History map[string][]*event.Event
}

// In is the profile beside what the households did that the person is in.
func (p *Profile) In(households []Household) *Profile {
	s := *p.Snapshot()
	s.Households = households
	return &s
}

func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok && strings.TrimSpace(s) != "" {
			out = append(out, strings.TrimSpace(s))
		}
	}
	return out
}

// Ties are the relations in force at a time, by id.
func (p *Profile) Ties(at time.Time) []Tie {
	var out []Tie
	for _, r := range p.RecordsOf(evidence.Relationship) {
		if t, ok := ReadTie(r); ok && t.InForce(at) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Tie) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// TiesTo are those of them that lead to a person, who is known by some keys.
func TiesTo(ties []Tie, keys []identity.Key) []Tie {
	return slices.DeleteFunc(slices.Clone(ties), func(t Tie) bool { return !slices.Contains(keys, t.To) })
}

// Covered tells that one of the ties covers a kind.
func Covered(ties []Tie, kind evidence.Kind) bool {
	return slices.ContainsFunc(ties, func(t Tie) bool { return t.Covers(kind) })
}

// Subject is the kind of record that an event of service is about, "" when it is about none.
func Subject(e *event.Event) evidence.Kind {
	if e.Kind == event.Record {
		if matters[evidence.Kind(e.Name)] {
			return evidence.Kind(e.Name)
		}
		return ""
	}
	first, _, _ := strings.Cut(e.Name, " ")
	switch first {
	case "Order", "Delivery":
		return evidence.Order
	case "Repair", "Service", "Return", "Refund", "Exchange", "Complaint", "Dispute", "Claim":
		return evidence.Case
	case "Warranty":
		return evidence.Asset
	case "Lesson", "Quiz", "Task":
		return evidence.Enrolment
	case "Balance":
		return evidence.Holding
	}
	return ""
}

// OnBehalf is the profile with which the person asks for another one. What is known
// of matters (orders, devices, cases …) is the other's, as far as the ties cover
// them, and of nobody else; who asks, how to speak to them, what they were shown
// and their ties stay the asker's own. Of the other nothing else is in it: no
// trait, no tag, no browsing.
func (p *Profile) OnBehalf(other *Profile, ties []Tie) *Profile {
	s := *p.Snapshot()
	s.Households = nil
	s.Records = map[evidence.Kind]map[string]*Record{}
	for kind, all := range p.Records {
		if !matters[kind] {
			s.Records[kind] = all
		}
	}
	for kind, all := range other.Records {
		if Covered(ties, kind) {
			s.Records[kind] = all
		}
	}
	s.History = make(map[string][]*event.Event, len(p.History))
	s.forgotten = nil
	for name, list := range p.History {
		if !service(name) && (len(list) == 0 || Subject(list[0]) == "") || name == string(evidence.Relationship) {
			s.History[name] = list
		}
	}
	for name, list := range other.History {
		if len(list) > 0 {
			if kind := Subject(list[0]); kind != "" && Covered(ties, kind) {
				s.History[name] = list
			}
		}
	}
	return &s
}
