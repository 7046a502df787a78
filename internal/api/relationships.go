package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/profile"
)

// Relationship is what one person is to another, or to a company. It goes one way.
type Relationship struct {
	Person     string     `json:"person" maxLength:"512" doc:"Who may act: per_…, user:…, anon:… or a bare user id."`
	UpdatedAt  *time.Time `json:"updated_at,omitempty"`
	To         string     `json:"to" minLength:"1" maxLength:"512" doc:"For whom: as person, company:… for one that is no customer, or household:… for the household they are a member of."`
	Type       string     `json:"type" minLength:"1" maxLength:"100" doc:"guardian_of, pays_for, acts_for, member_of, or a name of your own."`
	Role       string     `json:"role,omitempty" maxLength:"100" doc:"In a company: buyer, owner …"`
	Scope      []string   `json:"scope,omitempty" maxItems:"10" enum:"order,asset,case,holding,enrolment,contract,all" doc:"Kinds of record they may ask about; none when missing."`
	Called     []string   `json:"called,omitempty" maxItems:"20" doc:"How they call the other: my son, 儿子."`
	ValidFrom  *time.Time `json:"valid_from,omitempty"`
	ValidUntil *time.Time `json:"valid_until,omitempty" doc:"From this moment on the relation allows nothing."`
}

// PersonRelation is one relation as it is read at a person.
type PersonRelation struct {
	ID        string         `json:"id"`
	Ref       evidence.Ref   `json:"ref"`
	Direction string         `json:"direction" enum:"to,from" doc:"to: the person is it to the other; from: the other is it to them."`
	Type      string         `json:"type"`
	Role      string         `json:"role,omitempty"`
	Other     RelatedPerson  `json:"other"`
	Scope     []string       `json:"scope"`
	Called    []string       `json:"called,omitempty"`
	From      *time.Time     `json:"valid_from,omitempty"`
	Until     *time.Time     `json:"valid_until,omitempty"`
	InForce   bool           `json:"in_force"`
	Evidence  []evidence.Ref `json:"evidence"`
}

// RelatedPerson is the other side; ID is missing for a company that is no customer
// and for somebody of whom nothing is known yet.
type RelatedPerson struct {
	ID  string    `json:"id,omitempty"`
	Key PersonKey `json:"key"`
}

// PersonRelations are all of a person's.
type PersonRelations struct {
	Items []PersonRelation `json:"items"`
}

// towards puts the other side of a relationship as a key that stays theirs.
func (s *server) towards(ctx context.Context, workspace string, body []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	var to string
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(fields["to"], &to) != nil {
		return nil, faulty("/to", "wrong_type", "expected", "string")
	}
	key, ok := identity.ParseKey(to)
	if !ok || key.Kind != "company" && key.Kind != signal.HouseholdKey {
		user, anonymous, err := s.whose(ctx, workspace, to)
		var r *refusal
		if errors.As(err, &r) && r.code == "person_unknown" {
			return nil, faulty("/to", "person_unknown")
		}
		if err != nil {
			return nil, err
		}
		if key = identity.User(user); user == "" {
			key = identity.Anonymous(anonymous)
		}
	}
	quoted, err := json.Marshal(key.String())
	if err != nil {
		return nil, err
	}
	fields["to"] = quoted
	return json.Marshal(fields)
}

// relationsOf lists what a person is to others and others to them.
func (s *server) relationsOf(c *call, who *profile.Profile) ([]PersonRelation, error) {
	out := []PersonRelation{}
	for _, r := range who.RecordsOf(evidence.Relationship) {
		t, ok := profile.ReadTie(r)
		if !ok {
			continue
		}
		other := RelatedPerson{Key: PersonKey(t.To)}
		scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, t.To.String())
		switch {
		case err == nil:
			other.ID = string(scope.Person)
		case !errors.Is(err, engine.ErrNotFound):
			return nil, err
		}
		out = append(out, s.relation(r, t, "to", other))
	}
	if s.Records == nil {
		return out, nil
	}
	for _, key := range who.Keys {
		for _, id := range s.Records.Towards(c.workspace.ID, key) {
			owner, ok := s.Records.Owner(c.workspace.ID, string(evidence.Relationship), id)
			if !ok {
				continue
			}
			scope, err := s.Engine.PersonScope(c.context(), c.workspace.ID, owner.String())
			if errors.Is(err, engine.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			from, err := s.Engine.Profile(c.context(), scope)
			if err != nil {
				return nil, err
			}
			if r := from.Record(evidence.Relationship, id); r != nil {
				if t, ok := profile.ReadTie(r); ok && slices.Contains(who.Keys, t.To) {
					out = append(out, s.relation(r, t, "from", RelatedPerson{string(scope.Person), PersonKey(owner)}))
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b PersonRelation) int {
		if c := -strings.Compare(a.Direction, b.Direction); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, nil
}

func (s *server) relation(r *profile.Record, t profile.Tie, direction string, other RelatedPerson) PersonRelation {
	return PersonRelation{
		ID: t.ID, Ref: r.Ref(), Direction: direction, Type: t.Type, Role: t.Role, Other: other, Scope: listed(t.Scope), Called: t.Called,
		From: moment(t.From), Until: moment(t.Until), InForce: t.InForce(s.now()), Evidence: listed(t.Evidence),
	}
}
