package decision

import (
	"slices"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// Tag is a group of customers (student, company, price-minded …), told from facts of
// the person and never from the moment. Rules read it as tag.ID and as a member of
// person.tags, beside the tags that the company itself states.
//
// A tag holds when its rule does, when records prove it, and for as long as they are
// new enough; one that the customer blocked reads as unknown, and so do all of them
// when personalisation is off.
type Tag struct {
	ID    string
	Title candidate.Text // what operators call it
	// Sentence is what one would say to the customer's face: what it rests on and what
	// it changes. It may use {placeholders}.
	Sentence candidate.Text
	Rule     Rule
	Cites    []string      // names of facts that prove it; empty: those that the rule read
	Valid    time.Duration // how long after its newest proof it holds; 0: as long as the rule does
}

// TagState is a tag that a person has.
type TagState struct {
	Tag      string
	Title    candidate.Text // empty: the company states it and no pack knows it
	Sentence candidate.Text // placeholders filled
	Stated   bool           // it is one of the person's own tags trait
	Evidence []evidence.Ref
	Since    time.Time // of its newest proof
	Until    time.Time // it is no longer true from then on; zero: open
}

// Tags are the tags that a person has now, by name: those that are stated and those
// that the plan's rules find. Only Person, Personal, Scene and Signals of the input
// are read.
func Tags(plan *Plan, in Input) []TagState { return slices.Clone(newMoment(plan, &in).tags()) }

// tags finds them once for all candidates of a decision.
func (m *moment) tags() []TagState {
	if m.tagsFound {
		return m.tagged
	}
	m.tagsFound = true
	if !m.in.Personal {
		return nil
	}
	desk := m.desk // what a tag's rule reads while not all tags are known is not kept
	m.desk = nil
	defer func() { m.desk = desk }()
	t := m.person.Traits["tags"]
	for _, name := range m.person.Tags() {
		s := TagState{Tag: name, Stated: true, Evidence: []evidence.Ref{}, Since: t.At}
		if t.Evidence != "" {
			s.Evidence = []evidence.Ref{t.Evidence}
		}
		m.tagged = append(m.tagged, s)
	}
	for i := range m.plan.Tags {
		g := &m.plan.Tags[i]
		if slices.Contains(m.person.Preferences.BlockedTags, g.ID) {
			continue
		}
		k := slices.IndexFunc(m.tagged, func(s TagState) bool { return s.Tag == g.ID })
		if k >= 0 {
			m.tagged[k].Title = g.Title
			continue // the company says so itself
		}
		if s, ok := m.grouped(g); ok {
			m.tagged = append(m.tagged, s)
		}
	}
	slices.SortFunc(m.tagged, func(a, b TagState) int {
		if a.Tag < b.Tag {
			return -1
		}
		return 1
	})
	return m.tagged
}

// grouped tells whether one tag holds, with its proof.
func (m *moment) grouped(g *Tag) (s TagState, ok bool) {
	b := binding{moment: m}
	if !g.Rule.Eval(&b).Holds {
		return s, false
	}
	cited := g.Cites
	if len(cited) == 0 {
		cited = slices.Clone(b.read)
	}
	s = TagState{Tag: g.ID, Title: g.Title, Evidence: b.citeAll(cited), Since: b.newest(cited)}
	if len(s.Evidence) == 0 {
		return s, false // by evidence, and never by guess alone
	}
	if g.Valid > 0 {
		if s.Since.IsZero() {
			return s, false
		}
		if s.Until = s.Since.Add(g.Valid); !m.now.Before(s.Until) {
			return s, false
		}
	}
	if s.Sentence, ok = b.fill(g.Sentence); !ok {
		return s, false // what cannot be said to them is not used
	}
	return s, true
}

// newest is when the newest record behind some facts was made; zero: nobody knows.
func (b *binding) newest(facts []string) (at time.Time) {
	later := func(t time.Time) {
		if t.After(at) {
			at = t
		}
	}
	for _, name := range facts {
		for _, ref := range b.cite(name) {
			later(b.told(ref))
		}
	}
	return at
}

// told is when what a ref opens onto came to be.
func (b *binding) told(ref evidence.Ref) time.Time {
	if kind := ref.Kind(); kind != evidence.Event {
		id, _ := ref.ID()
		if r := b.person.Record(kind, id); r != nil {
			if kind == evidence.Order && !r.CreatedAt.IsZero() {
				return r.CreatedAt // what is bought is bought then, whatever becomes of the parcel
			}
			return r.UpdatedAt
		}
		return time.Time{}
	}
	for k := range b.in.Signals {
		s := &b.in.Signals[k]
		if i := slices.Index(s.Events, ref); i >= 0 && i < len(s.Times) {
			return s.Times[i]
		}
	}
	for _, t := range b.person.Traits {
		if t.Evidence == ref {
			return t.At
		}
	}
	for _, r := range b.person.Records[evidence.Relationship] {
		if slices.Contains(r.Evidence, ref) {
			return r.UpdatedAt
		}
	}
	if e, ok := b.person.Event(ref); ok {
		return e.Time
	}
	return time.Time{}
}

// tagFact tells whether the person is in a group; unknown with personalisation off,
// and when they blocked it.
func (b *binding) tagFact(id string) (any, bool) {
	if !b.in.Personal || slices.Contains(b.person.Preferences.BlockedTags, id) {
		return nil, false
	}
	return slices.ContainsFunc(b.tags(), func(s TagState) bool { return s.Tag == id }), true
}

func (b *binding) tagNames() (any, bool) {
	if !b.in.Personal {
		return nil, false
	}
	names := []string{}
	for _, s := range b.tags() {
		names = append(names, s.Tag)
	}
	return names, true
}

// citeTags are the records behind one tag, or all of them ("").
func (b *binding) citeTags(id string) []evidence.Ref {
	var refs []evidence.Ref
	for _, s := range b.tags() {
		if id == "" || s.Tag == id {
			refs = join(refs, s.Evidence)
		}
	}
	return refs
}

// withheld is why tags are kept from us, "" when they are not.
func (m *moment) withheld(fact string) profile.Reason {
	switch {
	case !m.in.Personal:
		return profile.PersonalizationOff
	case len(fact) > len("tag.") && slices.Contains(m.person.Preferences.BlockedTags, fact[len("tag."):]):
		return profile.BlockedTag
	}
	return ""
}
