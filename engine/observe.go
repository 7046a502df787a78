package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/outcome"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// Observe takes in what happened. When it returns without error every event is on
// stable storage, applied once, and visible to the very next decision.
func (e *Engine) Observe(ctx context.Context, workspace string, events []event.Event) (Receipt, error) {
	if _, err := e.tenant(workspace); err != nil {
		return Receipt{}, err
	}
	events, err := e.whatWasShown(ctx, workspace, events)
	if err != nil {
		return Receipt{}, err
	}
	outcome.Feel(events)
	receipt, err := e.Store.Commit(ctx, Batch{Workspace: workspace, Events: events, At: e.now(), Settle: settlements(events)})
	if err == nil {
		e.nudge()
	}
	return receipt, err
}

// whatWasShown writes into each event that reports a whole answer as shown what that
// answer was asked, so that the person's own log tells it, in whatever channel it was
// shown. What a sender claims about it is not believed.
func (e *Engine) whatWasShown(ctx context.Context, workspace string, events []event.Event) ([]event.Event, error) {
	copied := false
	for i := range events {
		if events[i].Name != shown || events[i].Kind != event.Track {
			continue
		}
		properties := events[i].Properties()
		id, _ := properties["decision_id"].(string)
		action, _ := properties["action"].(string)
		_, claimed := properties["asked"]
		if id == "" || action != "" && !claimed {
			continue
		}
		delete(properties, "asked")
		if action == "" {
			entry, rec, err := e.recall(ctx, workspace, id)
			switch {
			case errors.Is(err, ErrNotFound), errors.Is(err, ErrGone):
			case err != nil:
				return nil, err
			case len(entry.Bytes) > 0:
				own, err := e.decidedFor(ctx, workspace, &events[i], &entry)
				if err != nil {
					return nil, err
				}
				if !own {
					break // who names another's decision learns nothing of it
				}
				var a Answer
				if err := json.Unmarshal(rec.Answer, &a); err != nil {
					return nil, fmt.Errorf("answer %s: %w", id, err)
				}
				properties["asked"] = matters(&a, rec.Inputs.Results, rec.Inputs.Enquiry.Denied)
			}
		}
		body, err := json.Marshal(properties)
		if err != nil {
			return nil, fmt.Errorf("properties of %s: %w", events[i].ID, err)
		}
		if !copied {
			events, copied = slices.Clone(events), true
		}
		events[i].Body = body
	}
	return events, nil
}

// decidedFor tells whether a decision was made for whom an event is about.
func (e *Engine) decidedFor(ctx context.Context, workspace string, ev *event.Event, entry *ledger.Entry) (bool, error) {
	k := identity.KeyOf(ev)
	if k.Zero() {
		return false, nil
	}
	if k.String() == entry.Asker {
		return true, nil
	}
	p, _, err := e.Store.Person(ctx, workspace, k)
	if err != nil {
		return false, fmt.Errorf("person of %s: %w", k, err)
	}
	return ev.Verified && string(p.ID) == entry.Person, nil
}

// Who resolves the ids of a request to a person and the keys whose events may be
// read. An asker who has proven nothing is their anonymous key and nothing more.
func (e *Engine) Who(ctx context.Context, workspace string, a identity.Asker) (Scope, error) {
	s := Scope{Workspace: workspace}
	if !a.Proven {
		for _, k := range a.Keys {
			if k.Kind == "anon" {
				s.Keys, s.Person = []identity.Key{k}, identity.PersonOf(workspace, k)
				return s, nil
			}
		}
		return s, nil // a bare claim: nobody's events
	}
	for i, k := range a.Keys {
		p, _, err := e.Store.Person(ctx, workspace, k)
		if err != nil {
			return s, fmt.Errorf("person of %s: %w", k, err)
		}
		if i == 0 {
			s.Person, s.Keys = p.ID, p.Keys
			continue
		}
		if p.ID != s.Person && !named(p.Keys, "user") {
			s.Keys = append(s.Keys[:len(s.Keys):len(s.Keys)], p.Keys...) // vouched for, not yet linked
		}
	}
	return s, nil
}

func named(keys []identity.Key, kind string) bool {
	for _, k := range keys {
		if k.Kind == kind {
			return true
		}
	}
	return false
}

// PersonScope finds a person by a contract id: per_…, or kind:value, or a bare id,
// which is a user id if there is such a user, else an anonymous id.
func (e *Engine) PersonScope(ctx context.Context, workspace, id string) (Scope, error) {
	p, known, err := e.findPerson(ctx, workspace, id)
	if err != nil {
		return Scope{}, err
	}
	if !known {
		return Scope{}, fmt.Errorf("person %q: %w", id, ErrNotFound)
	}
	return Scope{Workspace: workspace, Person: p.ID, Keys: p.Keys}, nil
}

func (e *Engine) findPerson(ctx context.Context, workspace, id string) (identity.Person, bool, error) {
	if len(id) > 4 && id[:4] == "per_" {
		return e.Store.PersonByID(ctx, workspace, identity.PersonID(id))
	}
	if k, ok := identity.ParseKey(id); ok {
		return e.Store.Person(ctx, workspace, k)
	}
	if p, known, err := e.Store.Person(ctx, workspace, identity.User(id)); known || err != nil {
		return p, known, err
	}
	return e.Store.Person(ctx, workspace, identity.Anonymous(id))
}

// Identifiers are what the workspace said of kinds of ids, by kind.
func (e *Engine) Identifiers(ctx context.Context, workspace string) ([]identity.Rule, error) {
	if _, err := e.tenant(workspace); err != nil {
		return nil, err
	}
	return e.Store.Identifiers(ctx, workspace)
}

// Profile is what is known of a scope now.
func (e *Engine) Profile(ctx context.Context, s Scope) (*profile.Profile, error) {
	if len(s.Keys) == 0 {
		return profile.New(s.Person, nil), nil
	}
	return e.Store.Profile(ctx, s)
}

// Timeline lists a scope's events newest first, before the place named (zero time:
// from the newest).
func (e *Engine) Timeline(ctx context.Context, s Scope, before time.Time, beforeID event.ID, limit int) ([]Moment, error) {
	if len(s.Keys) == 0 {
		return nil, nil
	}
	return e.Store.Timeline(ctx, s, before, beforeID, limit)
}

// Signals are the states of the strategy's signals for a person at a time; zero: now.
func (e *Engine) Signals(ctx context.Context, workspace string, who *profile.Profile, when time.Time) ([]need.SignalState, error) {
	r, err := e.foresee(ctx, workspace, who, when)
	return r.Signals, err
}

// Tags are the groups that a person is in at a time, each with its proof and with what
// the customer may read of it; zero: now. There are none with personalisation off.
func (e *Engine) Tags(ctx context.Context, workspace string, who *profile.Profile, when time.Time) ([]decision.TagState, error) {
	if when.IsZero() {
		when = e.now()
	}
	r, err := e.foresee(ctx, workspace, who, when)
	if err != nil {
		return nil, err
	}
	t, err := e.tenant(workspace)
	if err != nil {
		return nil, err
	}
	v := t.current.Load()
	at := scene.Scene{Time: when}
	if zone, ok := who.Traits["timezone"].Value.(string); ok {
		at.Zone = zone
	}
	return decision.Tags(v.Decision, decision.Input{
		Person: who.Masked(profile.Mask{Fields: v.Decision.Fields}), Personal: !who.Preferences.PersonalizationOff, Scene: at, Signals: r.Signals,
	}), nil
}

// foresee is what can be recognised of a person who has said nothing.
func (e *Engine) foresee(ctx context.Context, workspace string, who *profile.Profile, when time.Time) (r need.Recognition, err error) {
	_, v, err := e.inForce(workspace)
	if err != nil {
		return r, err
	}
	if when.IsZero() {
		when = e.now()
	}
	if who, _, err = e.atHome(ctx, workspace, v, who, when); err != nil {
		return r, err
	}
	at := scene.Scene{Time: when}
	if zone, ok := who.Traits["timezone"].Value.(string); ok {
		at.Zone = zone
	}
	return v.Need.Recognise(need.Enquiry{}, who.Masked(profile.Mask{Fields: v.Decision.Fields}), at, need.NoNames{}), nil
}

// Erase forgets a person for good; the receipt says how much there was.
func (e *Engine) Erase(ctx context.Context, workspace string, keys []identity.Key) (journal.Erasure, error) {
	t, err := e.tenant(workspace)
	if err != nil {
		return journal.Erasure{}, err
	}
	done, err := e.Store.Erase(ctx, workspace, keys)
	t.desk.set(nil) // it may speak of them
	if err == nil {
		err = e.forgetWords(ctx, workspace, keys)
	}
	return done, err
}

// CatchUp brings what this process keeps in memory to what any process on the same
// store has committed.
func (e *Engine) CatchUp(ctx context.Context, workspace string) error {
	if _, err := e.Store.Catalogue(ctx, workspace, 0); err != nil {
		return fmt.Errorf("workspace %s: %w", workspace, err)
	}
	return nil
}
