package api

import (
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// Firing is one turn of a signal of one person from not holding to holding, and what
// was done about it.
type Firing struct {
	ID       string            `json:"id"`
	Signal   string            `json:"signal" doc:"Or foreseen:INTENT when a need was foreseen."`
	Title    string            `json:"title" doc:"What that is, in the caller's language."`
	Group    map[string]string `json:"group,omitempty"`
	Person   string            `json:"person"`
	Strategy int               `json:"strategy_version"`
	At       time.Time         `json:"at" doc:"When it turned, by the events' own time."`
	Found    time.Time         `json:"found_at"`
	State    string            `json:"state" enum:"open,handled,withdrawn,superseded,past"`
	Due      *time.Time        `json:"due_at,omitempty" doc:"Not to be acted on before."`
	Decision string            `json:"decision_id,omitempty"`
	Reason   string            `json:"reason,omitempty" doc:"Why it was settled without a message, or put off."`
	UndoneBy string            `json:"undone_by,omitempty"`
	Events   []evidence.Ref    `json:"events" doc:"Exactly those that made it."`
}

// occasion names a signal, or a need that was foreseen, in the caller's language.
func (s *server) occasion(c *call, signal string) string {
	l := language(c.r)
	title, foreseen := s.Engine.Occasion(c.workspace.ID, signal, l)
	if foreseen {
		return sentence(l, "foreseen", []string{"need", title})
	}
	return title
}

func (s *server) firingRoutes() {
	add(s, route{
		method: "GET", path: "/v1/firings", tag: "Decisions", who: secretKey, summary: "What signals have fired, and what was done about it; the first found first.",
		details: "A firing that foretells a need becomes a decision of its own, with the placement proactive.",
		query:   append([]string{"person: whose", "state: open, handled, withdrawn, superseded or past"}, pageQuery...),
	}, func(c *call, _ *none) (Page[Firing], error) {
		limit, after, err := page(c.r)
		if err != nil {
			return Page[Firing]{}, err
		}
		q := journal.FiringQuery{Workspace: c.workspace.ID, Limit: limit + 1}
		if after != "" {
			if q.After, err = strconv.ParseUint(after, 10, 64); err != nil {
				return Page[Firing]{}, faulty("/cursor", "bad_cursor")
			}
		}
		if state := c.r.URL.Query().Get("state"); state != "" {
			q.States = []journal.FiringState{journal.FiringState(state)}
		}
		if id := c.r.URL.Query().Get("person"); id != "" {
			who, err := s.Engine.PersonScope(c.context(), c.workspace.ID, id)
			if err != nil {
				return Page[Firing]{}, err
			}
			q.Persons = append(q.Persons, who.Person)
			for _, k := range who.Keys {
				q.Persons = append(q.Persons, identity.PersonOf(c.workspace.ID, k))
			}
		}
		all, err := s.Engine.Firings(c.context(), q)
		if err != nil {
			return Page[Firing]{}, unavailable(err)
		}
		items := make([]Firing, len(all))
		numbers := make(map[string]uint64, len(all))
		for i := range all {
			f := &all[i]
			numbers[f.ID] = f.Number
			items[i] = Firing{
				ID: f.ID, Signal: f.Signal, Title: s.occasion(c, f.Signal), Group: f.Group, Person: string(f.Person), Strategy: f.Strategy, At: f.At, Found: f.Found,
				State: string(f.State), Decision: f.Decision, Reason: f.Reason, Events: []evidence.Ref{},
			}
			if !f.Due.IsZero() {
				items[i].Due = &f.Due
			}
			if f.UndoneBy != nil {
				items[i].UndoneBy = f.UndoneBy.String()
			}
			for _, e := range f.Events {
				items[i].Events = append(items[i].Events, evidence.Ref(e.String()))
			}
		}
		return paged(items, limit, func(f Firing) string { return strconv.FormatUint(numbers[f.ID], 10) }), nil
	})
}
