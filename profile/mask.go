package profile

import (
	"maps"
	"slices"

	"github.com/rapport-cx/rapport/event"
)

// Reason says why a field reads as unknown.
type Reason string

// The reasons, a closed list that is only ever appended to. A missing consent is
// written "no_consent:PURPOSE".
const (
	PersonalizationOff Reason = "personalization_off"
	NoConsent          Reason = "no_consent"
	BlockedTag         Reason = "blocked_tag"
)

// needed are the traits without which nobody can be served: who it is, how to
// reach and address them. They stay when personalisation is off.
var needed = map[string]bool{
	"id": true, "name": true, "first_name": true, "last_name": true, "title": true, "username": true, "email": true, "phone": true,
	"address": true, "adcode": true, "locale": true, "language": true, "timezone": true, "created_at": true,
}

// Mask says what may be read of a profile.
type Mask struct {
	// Off switches personalisation off whatever the person's own preference is (a replay asks for it).
	Off bool
	// On reads the profile as if personalisation were on (a replay asks for it).
	On bool
	// Fields are what a pack says of traits, beside Fields or in their place.
	Fields map[string]Field
}

// Masked is the profile as a decision may read it. Traits whose [Field] needs a
// consent that was not given, what is said of children without their guardian's, and tags that the person blocked, read as unknown. With
// personalisation off everything reads as unknown that tells how a person is or
// behaves: tags, traits, browsing, promotions, and what they opened or accepted.
// What a person has a matter in stays: orders, devices, cases, holdings,
// enrolments, contracts and the events of service, for rights rest on them; so
// do the times at which something was shown or dismissed, for contact policies
// protect the person. Hidden lists what was taken away. Masked is a snapshot and
// shares what it does not hide.
func (p *Profile) Masked(m Mask) *Profile {
	s := *p.Snapshot()
	s.Hidden = maps.Clone(s.Hidden)
	hide := func(field string, why Reason) {
		if s.Hidden == nil {
			s.Hidden = map[string]Reason{}
		}
		s.Hidden[field] = why
	}
	off := m.Off || p.Preferences.PersonalizationOff && !m.On
	traits := make(map[string]Trait, len(s.Traits))
	minor := p.minor()
	for name, t := range s.Traits {
		field := m.field(name)
		if minor && field.Class == Ordinary && !needed[name] {
			field = Field{Minor, PurposeMinors} // what is known of a child is a child's, whatever it is
		}
		switch {
		case off && !needed[name]:
			hide(name, PersonalizationOff)
		case field.Purpose != "" && !p.Preferences.Consent[field.Purpose]:
			hide(name, NoConsent+":"+Reason(field.Purpose))
		case name == "household" && !p.Preferences.Consent[PurposeMinors]:
			var some bool
			if t.Value, some = withoutChildren(t.Value); some {
				hide("household of minors", NoConsent+":"+PurposeMinors)
			}
			traits[name] = t
		default:
			traits[name] = t
		}
	}
	s.Traits = traits
	if len(p.Preferences.BlockedTags) > 0 {
		if t, ok := traits["tags"]; ok {
			tags := p.Tags()
			visible := make([]any, len(tags))
			for i, tag := range tags {
				visible[i] = tag
			}
			t.Value = visible
			traits["tags"] = t
		}
		for _, tag := range p.Preferences.BlockedTags {
			hide("tag "+tag, BlockedTag)
		}
	}
	if !off {
		return &s
	}
	s.Preferences.PersonalizationOff = true
	s.Households = nil
	s.History = make(map[string][]*event.Event, len(p.History))
	s.forgotten = nil
	s.Events = 0
	for name, list := range p.History {
		if !service(name) && !contactName(name) && !protects(name) || name == "promotion" {
			hide("history", PersonalizationOff)
			continue
		}
		if contactName(name) && !protects(name) {
			hide("contacts", PersonalizationOff)
			continue
		}
		s.History[name] = list
		s.Events += len(list)
	}
	if _, has := s.Records["promotion"]; has {
		s.Records = maps.Clone(s.Records)
		delete(s.Records, "promotion")
		hide("promotion", PersonalizationOff)
	}
	s.Contacts = slices.Clone(p.Contacts)
	for i := range s.Contacts {
		c := &s.Contacts[i]
		if !c.Opened.IsZero() || !c.Accepted.IsZero() || !c.Resolved.IsZero() {
			hide("contacts", PersonalizationOff)
		}
		*c = Contact{Decision: c.Decision, Action: c.Action, Shown: c.Shown, Dismissed: c.Dismissed, Evidence: c.Evidence}
	}
	return &s
}

func contactName(name string) bool {
	_, bare := contactSteps[name]
	if len(name) > len("Decision ") && name[:len("Decision ")] == "Decision " {
		_, bare = contactSteps[name[len("Decision "):]]
	}
	return bare
}
