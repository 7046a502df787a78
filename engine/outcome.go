package engine

import (
	"context"
	"slices"

	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/outcome"
)

// Outcomes tell what came of a decision, oldest first: what was shown, opened,
// accepted, dismissed, resolved, and the feedback given. They are read from the
// events of the person it was made for, as far back as their profile keeps them.
func (e *Engine) Outcomes(ctx context.Context, workspace, id string) ([]outcome.Outcome, error) {
	entry, _, err := e.recall(ctx, workspace, id)
	if err != nil {
		return nil, err
	}
	key, ok := identity.ParseKey(entry.Asker)
	if !ok {
		return nil, nil
	}
	s := Scope{Workspace: workspace, Person: identity.PersonOf(workspace, key), Keys: []identity.Key{key}}
	if p, known, err := e.Store.Person(ctx, workspace, key); err != nil {
		return nil, err
	} else if known {
		s.Person, s.Keys = p.ID, p.Keys
	}
	who, err := e.Profile(ctx, s)
	if err != nil {
		return nil, err
	}
	var all []outcome.Outcome
	for _, name := range outcome.Names() {
		for _, ev := range who.History[name] {
			if o, ok := outcome.Attribute(ev); ok && o.Decision == id {
				all = append(all, o)
			}
		}
	}
	slices.SortStableFunc(all, outcome.Compare)
	return all, nil
}
