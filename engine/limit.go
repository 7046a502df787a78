package engine

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/outcome"
	"github.com/rapport-cx/rapport/profile"
)

// balances reads what is gone of the budgets that a decision may draw on.
func (e *Engine) balances(ctx context.Context, workspace string, m moment, in *Inputs, now time.Time) ([]decision.Balance, error) {
	plan := m.version.Decision
	if len(plan.Funds) == 0 {
		return nil, nil
	}
	who := m.who.Masked(profile.Mask{Off: !in.Personal, On: in.Personal, Fields: m.version.Decision.Fields})
	keys := plan.Budgets(&decision.Input{Person: who, Personal: in.Personal, Proven: in.Asker.Proven, Scene: in.Scene, Catalogue: m.catalogue})
	there, err := e.Store.Balances(ctx, workspace, keys, now)
	if err != nil {
		return nil, err
	}
	all := make([]decision.Balance, len(there))
	for i, b := range there {
		all[i] = decision.Balance{Budget: b.Budget, Gone: b.Spent + b.Held}
	}
	return all, nil
}

// exhaust notes budgets that others have used up since they were read; it tells
// whether that was news.
func (in *Inputs) exhaust(budgets []string) (news bool) {
	for _, id := range budgets {
		i := slices.IndexFunc(in.Balances, func(b decision.Balance) bool { return b.Budget == id })
		if i < 0 {
			in.Balances = append(in.Balances, decision.Balance{Budget: id})
			i = len(in.Balances) - 1
		}
		news = news || in.Balances[i].Gone != math.MaxInt64
		in.Balances[i].Gone = math.MaxInt64
	}
	return news
}

func reservations(holds []decision.Hold, now time.Time) (all []journal.Reservation) {
	for _, h := range holds {
		r := journal.Reservation{Budget: h.Budget, Action: h.Action, Amount: h.Amount, Limit: h.Limit}
		if h.For > 0 {
			r.Until = now.Add(h.For)
		}
		all = append(all, r)
	}
	return all
}

// settlements finds among events what customers took and what they turned down.
func settlements(events []event.Event) (all []journal.Settlement) {
	for i := range events {
		o, ok := outcome.Attribute(&events[i])
		if ok && o.Action != "" && (o.Kind == outcome.Accept || o.Kind == outcome.Dismiss) {
			all = append(all, journal.Settlement{Decision: o.Decision, Action: o.Action, Spent: o.Kind == outcome.Accept})
		}
	}
	return all
}

// Budget is one budget of the strategy in force: how much of it there is and what
// is gone.
type Budget struct {
	ID       string         `json:"budget"` // its key: the budget, its period, its part
	Fund     string         `json:"fund"`
	Title    candidate.Text `json:"title"`
	Currency string         `json:"currency,omitempty"` // missing: pieces
	Limit    int64          `json:"limit"`
	Allowed  int64          `json:"allowed"` // by now, when it is paced
	Spent    int64          `json:"spent"`
	Held     int64          `json:"held"` // by offers that are still open
}

// Budgets lists the budgets of the strategy in force for the periods of now: those
// that were touched, and undivided ones that were not yet.
func (e *Engine) Budgets(ctx context.Context, workspace string) ([]Budget, error) {
	_, v, err := e.inForce(workspace)
	if err != nil {
		return nil, err
	}
	now := e.now()
	there, err := e.Store.Balances(ctx, workspace, nil, now)
	if err != nil {
		return nil, err
	}
	all := []Budget{}
	for _, state := range v.Decision.FundStates(now) {
		b := Budget{Fund: state.Fund.ID, Title: state.Fund.Title, Currency: state.Fund.Currency, Limit: state.Fund.Limit, Allowed: state.Allowed}
		touched := false
		for _, x := range there {
			if state.Owns(x.Budget) {
				touched = true
				b.ID, b.Spent, b.Held = x.Budget, x.Spent, x.Held
				all = append(all, b)
			}
		}
		if !touched && state.Fund.By == "" {
			b.ID = state.Key
			all = append(all, b)
		}
	}
	return all, nil
}

// Actions are those of the strategy in force, and what is switched off of them now.
func (e *Engine) Actions(_ context.Context, workspace string) ([]decision.Action, []decision.Stop, error) {
	_, v, err := e.inForce(workspace)
	if err != nil {
		return nil, nil, err
	}
	var stops []decision.Stop
	if e.Switches != nil {
		stops = e.Switches.Stops(workspace, e.now())
	}
	return v.Decision.Actions, stops, nil
}
