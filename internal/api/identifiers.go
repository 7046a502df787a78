package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

// IdentifierKind is what a workspace says of a kind of id. Events state ids of added
// kinds as context.externalIds [{"type","id","app"}], identify calls and person records
// also as external_ids.
type IdentifierKind struct {
	UpdatedAt *time.Time `json:"updated_at,omitempty" doc:"An older one never overwrites a newer. Now when missing."`
	Joins     bool       `json:"joins,omitempty" doc:"It names somebody across apps and devices, as a user id does (unionid). Others (openid) belong to the person they were seen with and join nothing. Cannot be changed."`
	PerApp    bool       `json:"per_app,omitempty" doc:"The same text is different people's in different apps; an id without its app counts as not seen."`
	Claimed   bool       `json:"claimed,omitempty" doc:"Ids that an unproven browser states count, too. Cannot be changed."`
	Shared    bool       `json:"shared,omitempty" doc:"One id may be many people's: it belongs to nobody by inference."`
	Limit     int        `json:"limit,omitempty" minimum:"0" maximum:"100000" doc:"How many ids of the kind one user id may have; one seen with more attracts none. 10 when not given, 1,000 for anon, email and phone."`
	Blocked   []string   `json:"blocked,omitempty" maxItems:"10000" doc:"Values that name nobody: a hotline's number, a test account."`
}

// Identifier is a kind as it stands.
type Identifier struct {
	Kind    string   `json:"kind"`
	Joins   bool     `json:"joins"`
	PerApp  bool     `json:"per_app"`
	Claimed bool     `json:"claimed"`
	Shared  bool     `json:"shared"`
	Limit   int      `json:"limit" doc:"0: the usual."`
	Blocked []string `json:"blocked"`
}

// Identifiers are all kinds on which the workspace has said something.
type Identifiers struct {
	Items []Identifier `json:"items"`
}

func (s *server) identifierRoutes() {
	const one = "/v1/identifiers/{kind}"
	add(s, route{method: "PUT", path: one, tag: "People", who: secretKey, limit: longestRecord, summary: "Add a kind of id, or say more of one; ids are taken from what arrives afterwards."}, func(c *call, in *IdentifierKind) (Identifier, error) {
		return s.identify(c, in)
	})
	add(s, route{method: "GET", path: one, tag: "People", who: secretKey, summary: "What was said of a kind of id."}, func(c *call, _ *none) (Identifier, error) {
		rule, known, err := s.identifier(c)
		if err == nil && !known {
			err = refuse(http.StatusNotFound, "not_found")
		}
		return identifierOf(rule), err
	})
	add(s, route{method: "GET", path: "/v1/identifiers", tag: "People", who: secretKey, summary: "The kinds of ids on which something was said."}, func(c *call, _ *none) (Identifiers, error) {
		rules, err := s.Engine.Identifiers(c.context(), c.workspace.ID)
		out := Identifiers{Items: []Identifier{}}
		for _, r := range rules {
			out.Items = append(out.Items, identifierOf(r))
		}
		return out, err
	})
}

func identifierOf(r identity.Rule) Identifier {
	return Identifier{r.Kind, r.Joins, r.PerApp, r.Claimed, r.Shared, r.Limit, listed(r.Blocked)}
}

func (s *server) identifier(c *call) (rule identity.Rule, known bool, err error) {
	rules, err := s.Engine.Identifiers(c.context(), c.workspace.ID)
	i := slices.IndexFunc(rules, func(r identity.Rule) bool { return r.Kind == c.r.PathValue("kind") })
	if i < 0 || err != nil {
		return rule, false, err
	}
	return rules[i], true, nil
}

// builtInKinds are the kinds that every workspace has: their ids are stated in their
// own places, and what they join does not change.
var builtInKinds = []string{"user", "anon", "email", "phone"}

func (s *server) identify(c *call, in *IdentifierKind) (Identifier, error) {
	kind := c.r.PathValue("kind")
	body := without(c.raw, "updated_at")
	rule, ok := identity.ReadRule(kind, body)
	if !ok || kind == "per" || kind == "company" {
		return Identifier{}, faulty("", "bad_identifier")
	}
	was, known, err := s.identifier(c)
	switch {
	case err != nil:
		return Identifier{}, err
	case slices.Contains(builtInKinds, kind) && (in.Joins || in.Claimed || in.PerApp):
		return Identifier{}, faulty("", "identifier_fixed")
	case known && was.Joins != in.Joins:
		return Identifier{}, &refusal{status: http.StatusConflict, code: "identifier_fixed", faults: []flaw{{pointer: "/joins", code: "identifier_fixed"}}}
	case known && was.Claimed != in.Claimed:
		return Identifier{}, &refusal{status: http.StatusConflict, code: "identifier_fixed", faults: []flaw{{pointer: "/claimed", code: "identifier_fixed"}}}
	}
	if !known {
		all, err := s.Engine.Identifiers(c.context(), c.workspace.ID)
		if err != nil {
			return Identifier{}, err
		}
		if len(all) >= identity.MaxKinds-len(builtInKinds) {
			return Identifier{}, faulty("", "too_many")
		}
	}
	stated, err := json.Marshal(rule)
	if err != nil {
		return Identifier{}, err
	}
	p := event.Put{Name: "identifier", ID: kind, UpdatedAt: s.now(), Body: stated}
	if in.UpdatedAt != nil {
		p.UpdatedAt = in.UpdatedAt.UTC()
	}
	if _, err := s.put(c, p); err != nil {
		return Identifier{}, err
	}
	now, _, err := s.identifier(c)
	return identifierOf(now), err
}
