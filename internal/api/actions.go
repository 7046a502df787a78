package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/strategy"
)

// Action is one action of the strategy in force, and whether it is offered at all.
type Action struct {
	ID      string          `json:"action"`
	Title   candidate.Text  `json:"title"`
	Nature  decision.Nature `json:"nature" enum:"right,service,goodwill,sale"`
	Impact  string          `json:"impact" enum:"minor,major" doc:"Where the workspace asks for two approvers, what changes a rule of major impact needs somebody else's approval."`
	From    *time.Time      `json:"from,omitempty" doc:"Not offered before."`
	Until   *time.Time      `json:"until,omitempty" doc:"Nor from then on."`
	Stopped *decision.Stop  `json:"stopped,omitempty" doc:"Missing when it is not switched off."`
}

// ActionStop switches an action off.
type ActionStop struct {
	Reason string     `json:"reason" minLength:"1" maxLength:"1000" doc:"Stands in the explanation of every decision that it changes, and in the log."`
	Until  *time.Time `json:"until,omitempty" doc:"Until it is lifted when missing."`
}

func (s *server) actionRoutes() {
	const tag = "Strategies"
	add(s, route{method: "GET", path: "/v1/actions", tag: tag, who: secretKey, summary: "List the actions of the strategy in force."}, func(c *call, _ *none) (Page[Action], error) {
		all, err := s.actions(c)
		if err != nil {
			return Page[Action]{}, err
		}
		return paged(all, max(len(all), 1), func(a Action) string { return a.ID }), nil
	})
	add(s, route{method: "POST", path: "/v1/actions/{action}/stop", tag: tag, who: secretKey, summary: "Switch an action off, in force on every node at once."}, func(c *call, in *ActionStop) (Action, error) {
		body := map[string]any{"reason": in.Reason}
		if in.Until != nil {
			body["until"] = in.Until.UTC()
		}
		return s.switchAction(c, body)
	})
	add(s, route{method: "POST", path: "/v1/actions/{action}/resume", tag: tag, who: secretKey, optional: true, summary: "Switch an action on again."}, func(c *call, _ *none) (Action, error) {
		return s.switchAction(c, nil)
	})
	add(s, route{method: "GET", path: "/v1/budgets", tag: tag, who: secretKey, summary: "Tell how the budgets of the strategy in force stand."}, func(c *call, _ *none) (Page[engine.Budget], error) {
		all, err := s.Engine.Budgets(c.context(), c.workspace.ID)
		if err != nil {
			return Page[engine.Budget]{}, err
		}
		return paged(all, max(len(all), 1), func(b engine.Budget) string { return b.ID }), nil
	})
}

// switchAction puts the record that switches an action off; body nil: on again.
func (s *server) switchAction(c *call, body map[string]any) (Action, error) {
	id := c.r.PathValue("action")
	if _, err := s.action(c, id); err != nil {
		return Action{}, err
	}
	p := event.Put{Name: strategy.StopRecord, ID: id, UpdatedAt: s.now(), Deleted: body == nil}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return Action{}, err
		}
		p.Body = b
	}
	if _, err := s.put(c, p); err != nil {
		return Action{}, err
	}
	return s.action(c, id)
}

func (s *server) action(c *call, id string) (Action, error) {
	all, err := s.actions(c)
	if err != nil {
		return Action{}, err
	}
	for _, a := range all {
		if a.ID == id {
			return a, nil
		}
	}
	return Action{}, refuse(http.StatusNotFound, "not_found")
}

func (s *server) actions(c *call) ([]Action, error) {
	plan, stops, err := s.Engine.Actions(c.context(), c.workspace.ID)
	if err != nil {
		return nil, err
	}
	all := make([]Action, len(plan))
	for i := range plan {
		a := &plan[i]
		all[i] = Action{ID: a.ID, Title: a.Title, Nature: a.Nature, Impact: "minor"}
		if a.Major {
			all[i].Impact = "major"
		}
		if !a.From.IsZero() {
			all[i].From = &a.From
		}
		if !a.Until.IsZero() {
			all[i].Until = &a.Until
		}
		for k := range stops {
			if stops[k].Action == a.ID {
				all[i].Stopped = &stops[k]
			}
		}
	}
	return all, nil
}
