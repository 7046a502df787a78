package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/profile"
)

// Behalf says for whom somebody asks, and from where in the log that person's
// matters were read. By which ties follows from the asker's own records.
type Behalf struct {
	Person   identity.PersonID `json:"person"`
	Keys     []identity.Key    `json:"keys"`
	Position uint64            `json:"position"`
	Profile  string            `json:"profile"` // digest of the fold
}

// mostWards bounds for how many persons a text is searched for one who is meant.
const mostWards = 16

// behalfOf finds for whom a request asks: for whom it says it does, else for the one
// related person whom the enquiry's words mean; nil: for oneself. Whoever may not
// ask for somebody learns nothing of them, not even whether they exist: ErrNoRelation.
func (e *Engine) behalfOf(ctx context.Context, r *Request, m *moment) (*Behalf, error) {
	if r.Behalf == "" && (r.Enquiry.Text == "" || !r.Asker.Proven || len(m.who.Records[evidence.Relationship]) == 0) {
		return nil, nil
	}
	refused := fmt.Errorf("%s for %q: %w", m.who.Person, r.Behalf, ErrNoRelation)
	if !r.Asker.Proven {
		return nil, refused
	}
	ties := m.who.Ties(r.Scene.Time)
	if r.Behalf == "" {
		return e.meant(ctx, r, m, ties)
	}
	s, err := e.PersonScope(ctx, r.Workspace, r.Behalf)
	if errors.Is(err, ErrNotFound) {
		return nil, refused
	}
	if err != nil {
		return nil, err
	}
	if s.Person == m.who.Person {
		return nil, nil
	}
	if len(profile.TiesTo(ties, s.Keys)) == 0 {
		return nil, refused
	}
	who, err := e.Profile(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("profile of %s: %w", s.Person, err)
	}
	return m.ask(r.Scene.Time, who), nil
}

// meant finds the one related person whom a text means: by a word that the asker has
// for them, their first name, or the number of a record of theirs that may be asked about.
func (e *Engine) meant(ctx context.Context, r *Request, m *moment, ties []profile.Tie) (*Behalf, error) {
	var found *profile.Profile
	seen := map[identity.PersonID]bool{}
	for _, t := range ties {
		if len(t.Scope) == 0 || len(seen) == mostWards {
			continue
		}
		p, known, err := e.Store.Person(ctx, r.Workspace, t.To)
		if err != nil {
			return nil, fmt.Errorf("person of %s: %w", t.To, err)
		}
		if !known || seen[p.ID] || p.ID == m.who.Person {
			continue
		}
		seen[p.ID] = true
		who, err := e.Profile(ctx, Scope{Workspace: r.Workspace, Person: p.ID, Keys: p.Keys})
		if err != nil {
			return nil, fmt.Errorf("profile of %s: %w", p.ID, err)
		}
		if !means(r.Enquiry.Text, who, profile.TiesTo(ties, p.Keys), m.who) {
			continue
		}
		if found != nil {
			return nil, nil // two of them: it is not for us to say which
		}
		found = who
	}
	if found == nil {
		return nil, nil
	}
	return m.ask(r.Scene.Time, found), nil
}

func means(said string, who *profile.Profile, ties []profile.Tie, asker *profile.Profile) bool {
	said = strings.ToLower(said)
	names := []string{who.Text("first_name"), who.Text("name")}
	for _, t := range ties {
		names = append(names, t.Called...)
	}
	for _, n := range names {
		if utf8.RuneCountInString(n) >= 2 && text.Stands(said, strings.ToLower(n)) {
			return true
		}
	}
	for kind, all := range who.Records {
		if !profile.Covered(ties, kind) {
			continue
		}
		for id := range all {
			if len(id) >= 4 && asker.Records[kind][id] == nil && text.Stands(said, strings.ToLower(id)) {
				return true
			}
		}
	}
	return false
}

// ask makes the moment one in which somebody asks for another.
func (m *moment) ask(at time.Time, other *profile.Profile) *Behalf {
	ties := profile.TiesTo(m.who.Ties(at), other.Keys)
	b := &Behalf{Person: other.Person, Keys: other.Keys, Position: other.Position, Profile: other.Digest()}
	m.behalf = tied(ties)
	m.who = m.who.OnBehalf(other.Masked(profile.Mask{Fields: m.version.Decision.Fields}), ties)
	return b
}

// tied is what rules may know of the ties by which somebody asks for another.
func tied(ties []profile.Tie) *decision.Behalf {
	b := &decision.Behalf{}
	for i, t := range ties {
		if i == 0 {
			b.Type, b.Role, b.Until = t.Type, t.Role, t.Until
		}
		b.Scope = append(b.Scope, t.Scope...)
		b.Evidence = append(b.Evidence, t.Evidence...)
	}
	return b
}

// owner is whose a record of a kind is in a decision: of the asker, or of the one
// they asked for.
func (in *Inputs) owner(kind evidence.Kind) string {
	if in.Behalf != nil {
		switch kind {
		case evidence.Order, evidence.Asset, evidence.Case, evidence.Holding, evidence.Enrolment, evidence.Contract:
			return string(in.Behalf.Person)
		}
	}
	return string(in.Person)
}

// mayAsk tells that a viewer may see a matter of somebody else: a tie in force covers it.
func (e *Engine) mayAsk(ctx context.Context, workspace string, viewer *Scope, keys []identity.Key, kind evidence.Kind) (bool, error) {
	if viewer == nil || len(viewer.Keys) == 0 || kind == "" {
		return false, nil
	}
	who, err := e.Profile(ctx, *viewer)
	if err != nil || len(who.Records[evidence.Relationship]) == 0 {
		return false, err
	}
	return profile.Covered(profile.TiesTo(who.Ties(e.now()), keys), kind), nil
}
