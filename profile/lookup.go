package profile

import (
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile/click"
)

// Event finds an event that the profile keeps by its ref; one that history has
// let go of is in the log only.
func (p *Profile) Event(ref evidence.Ref) (*event.Event, bool) {
	id, ok := event.ParseID(string(ref))
	if !ok {
		return nil, false
	}
	for _, events := range p.History {
		for _, e := range events {
			if e.ID != id {
				continue
			}
			if _, found := click.Behind(e); !found { // its ref opens onto the event that was sent
				return e, true
			}
		}
	}
	return nil, false
}

// Sources are the events that made a derived fact (order, case, trait …), oldest first.
func (p *Profile) Sources(ref evidence.Ref) []evidence.Ref {
	id, _ := ref.ID()
	switch kind := ref.Kind(); kind {
	case evidence.Trait, evidence.Tag:
		if t, ok := p.Traits[id]; ok {
			return []evidence.Ref{t.Evidence}
		}
		if t, ok := p.Traits["tags"]; ok && kind == evidence.Tag {
			return []evidence.Ref{t.Evidence}
		}
	case evidence.Preference:
		return p.Preferences.Evidence
	default:
		if r := p.Record(kind, id); r != nil {
			return r.Evidence
		}
	}
	return nil
}

// Open finds what a derived fact says: a record's fields, a trait's value.
func (p *Profile) Open(ref evidence.Ref) (data map[string]any, at time.Time, ok bool) {
	id, _ := ref.ID()
	switch kind := ref.Kind(); kind {
	case evidence.Trait:
		t, ok := p.Traits[id]
		return map[string]any{"trait": id, "value": t.Value, "verified": t.Verified}, t.At, ok
	case evidence.Tag:
		t, ok := p.Traits["tags"]
		return map[string]any{"tag": id}, t.At, ok
	case evidence.Preference:
		return map[string]any{
			"personalization_off": p.Preferences.PersonalizationOff,
			"blocked_tags":        p.Preferences.BlockedTags,
			"consent":             p.Preferences.Consent,
		}, p.Last, len(p.Preferences.Evidence) > 0
	default:
		if r := p.Record(kind, id); r != nil {
			return r.Fields, r.UpdatedAt, true
		}
	}
	return nil, time.Time{}, false
}
