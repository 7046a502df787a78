package engine

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
)

// demandDecisions bounds how many decisions the demand graph reads, the newest first.
const demandDecisions = 200

// Demand is a person's demand graph at a time, past or present; zero: now. It is made
// of what had happened by then: the events, the needs of the decisions that were made,
// and what the strategy now in force would have foreseen from them.
func (e *Engine) Demand(ctx context.Context, s Scope, at time.Time) (profile.Graph, error) {
	now := e.now()
	if at.IsZero() {
		at = now
	}
	if at.Before(now) {
		s.Until = at
	}
	who, err := e.Profile(ctx, s)
	if err != nil {
		return profile.Graph{}, err
	}
	var wishes []profile.Wish
	if s.Person != "" && len(s.Keys) > 0 {
		entries, err := e.Decisions(ctx, ledger.Query{Workspace: s.Workspace, Person: string(s.Person), To: at.Add(time.Millisecond), Limit: demandDecisions})
		if err != nil {
			return profile.Graph{}, err
		}
		for _, entry := range slices.Backward(entries) {
			wishes = append(wishes, told(&entry)...)
		}
	}
	seen, err := e.foresee(ctx, s.Workspace, who, at)
	if err != nil {
		return profile.Graph{}, err
	}
	for i := range seen.Needs {
		if n := &seen.Needs[i]; n.Origin == need.Predicted {
			wishes = append(wishes, foreseen(n, who)...)
		}
	}
	return who.Graph(at, wishes...), nil
}

// told are the needs of a stored answer. One that was erased says nothing.
func told(entry *ledger.Entry) (all []profile.Wish) {
	var a struct {
		Needs    []AnswerNeed               `json:"needs"`
		Evidence map[string]evidence.Record `json:"evidence"`
	}
	if len(entry.Bytes) == 0 || json.Unmarshal(entry.Bytes, &a) != nil {
		return nil
	}
	for i := range a.Needs {
		n := &a.Needs[i]
		if n.Intent == "" || n.Outside || n.Negated {
			continue
		}
		w := profile.Wish{Name: wishName(n), Predicted: n.Origin == need.Predicted, At: entry.At, From: []evidence.Ref{evidence.Ref(entry.ID)}}
		for _, id := range n.Evidence {
			if r, ok := a.Evidence[string(id)]; ok && r.Kind == evidence.Event {
				w.From = append(w.From, r.Ref)
			}
		}
		all = append(all, w)
	}
	return all
}

// foreseen is a predicted need, once for each event it is read from, at that event's time.
func foreseen(n *need.Need, who *profile.Profile) (all []profile.Wish) {
	for _, ref := range n.Evidence {
		if ev, ok := who.Event(ref); ok {
			all = append(all, profile.Wish{Name: wishName(n), Predicted: true, At: ev.Time, From: []evidence.Ref{ref}})
		}
	}
	return all
}

func wishName(n *need.Need) string {
	if sub := n.Sub(); sub != "" {
		return n.Intent + "." + sub
	}
	return n.Intent
}
