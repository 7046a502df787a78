package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/treatment"
)

// Opened is what a ref opens onto: the raw record, and the events that made it
// when it is a derived one.
type Opened struct {
	evidence.Record
	Data   any            `json:"data"`
	Events []evidence.Ref `json:"events,omitempty"`
}

// RawEvent is an event as it is shown to who may see it.
type RawEvent struct {
	ID          evidence.Ref    `json:"id"`
	Type        string          `json:"type"`
	Event       string          `json:"event"`
	Subject     string          `json:"subject,omitempty"`
	UserID      string          `json:"user_id,omitempty"`
	AnonymousID string          `json:"anonymous_id,omitempty"`
	Timestamp   time.Time       `json:"timestamp"`
	ReceivedAt  time.Time       `json:"received_at"`
	Verified    bool            `json:"verified"`
	Deleted     bool            `json:"deleted,omitempty"`
	Properties  json.RawMessage `json:"properties,omitempty"`
	Context     json.RawMessage `json:"context,omitempty"`
}

// Raw shows an event.
func Raw(ev *event.Event) RawEvent {
	return RawEvent{
		ID: evidence.Ref(ev.ID.String()), Type: ev.Kind.String(), Event: ev.Name, Subject: ev.Subject,
		UserID: ev.UserID, AnonymousID: ev.AnonymousID, Timestamp: ev.Time, ReceivedAt: ev.Received,
		Verified: ev.Verified, Deleted: ev.Deleted, Properties: ev.Body, Context: ev.Context,
	}
}

// OpenRef opens a ref. viewer nil may see everything of the workspace; else only
// what belongs to the viewer's own keys, and public records.
func (e *Engine) OpenRef(ctx context.Context, workspace, ref string, at scene.Scene, viewer *Scope) (*Opened, error) {
	t, err := e.tenant(workspace)
	if err != nil {
		return nil, err
	}
	r, person := Unqualified(evidence.Ref(ref))
	id, _ := r.ID()
	x := opening{Engine: e, t: t, viewer: viewer, ref: r, id: id, fact: treatment.Fact{Kind: r.Kind(), Ref: r, Name: id}}
	var found bool
	switch kind := r.Kind(); {
	case kind == evidence.Event:
		found, err = x.event(ctx)
	case kind == evidence.Decision:
		found, err = x.decision(ctx)
	case slices.Contains(personal, kind):
		found, err = x.personal(ctx, person)
	case kind == evidence.Model && (id == propensityModel || id == foresightModel):
		x.out.Data, x.fact.At, found, err = e.openModel(ctx, workspace, r)
	case kind == evidence.Rule || kind == evidence.Model:
		x.out.Data, found = openRule(t.current.Load(), kind, id)
	case kind == evidence.Cohort:
		if e.Counts != nil {
			x.out.Data, found = e.Counts(workspace, id)
		}
	default:
		found, err = x.shelved(ctx)
	}
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("ref %q: %w", ref, ErrNotFound)
	}
	x.out.Record = evidence.Record{Kind: x.ref.Kind(), Ref: x.ref, At: x.fact.At, Summary: treatment.Summarise(x.fact, at)}
	return &x.out, nil
}

// opening is one ref while it is opened: for whom, and what is known of it so far. Its
// methods tell whether there is such a record that the viewer may see.
type opening struct {
	*Engine
	t      *tenant
	viewer *Scope // nil: sees everything
	ref    evidence.Ref
	id     string
	fact   treatment.Fact
	out    Opened
}

func (x *opening) event(ctx context.Context) (found bool, err error) {
	id, ok := event.ParseID(string(x.ref))
	if !ok {
		return false, nil
	}
	m, keys, found, err := x.Store.Event(ctx, x.t.ID, id)
	if err != nil {
		return false, err
	}
	if found && !mayRead(x.viewer, keys) {
		found, err = x.mayAsk(ctx, x.t.ID, x.viewer, keys, profile.Subject(&m.Event))
	}
	if err != nil || !found {
		return false, err
	}
	x.fact.At, x.fact.Name, x.fact.Fields = m.Event.Time, m.Event.Name, m.Event.Properties()
	if x.fact.Name == "" {
		x.fact.Name = m.Event.Kind.String()
	}
	x.out.Data = Raw(&m.Event)
	return true, nil
}

func (x *opening) decision(ctx context.Context) (found bool, err error) {
	answer, entry, err := x.Decision(ctx, x.t.ID, string(x.ref))
	if err != nil || x.viewer != nil && entry.Person != string(x.viewer.Person) {
		return false, err
	}
	x.fact.At, x.out.Data = entry.At, answer
	return true, nil
}

// personal opens what belongs to a person: the one whom the ref names, else the viewer.
func (x *opening) personal(ctx context.Context, person string) (found bool, err error) {
	if person == "" && x.viewer != nil {
		person = string(x.viewer.Person)
	}
	s, err := x.PersonScope(ctx, x.t.ID, person)
	if err != nil {
		return false, nil
	}
	if x.viewer != nil && x.viewer.Person != s.Person {
		if may, err := x.mayAsk(ctx, x.t.ID, x.viewer, s.Keys, x.ref.Kind()); err != nil || !may {
			return false, nil
		}
	}
	who, err := x.Profile(ctx, s)
	if err != nil {
		return false, err
	}
	data, when, found := who.Open(x.ref)
	if !found {
		return false, nil
	}
	x.out.Data, x.out.Events, x.fact.At, x.fact.Fields = data, who.Sources(x.ref), when, data
	x.ref = Qualified(x.ref, string(s.Person))
	return true, nil
}

// shelved opens a record of the catalogue, at the revision that the ref names.
func (x *opening) shelved(ctx context.Context) (found bool, err error) {
	_, revision := x.ref.ID()
	view, err := x.Store.Catalogue(ctx, x.t.ID, revision)
	if err != nil {
		return false, err
	}
	x.out.Data, x.fact.Title, x.fact.At, found = view.Open(x.ref)
	return found, nil
}

func mayRead(viewer *Scope, keys []identity.Key) bool {
	if viewer == nil || len(keys) == 0 {
		return true
	}
	return slices.ContainsFunc(keys, func(k identity.Key) bool { return slices.Contains(viewer.Keys, k) })
}

// OpenedRule is a rule of the strategy in force, as written.
type OpenedRule struct {
	Strategy int    `json:"strategy"`
	Action   string `json:"action"`
	Stage    string `json:"stage"`
	Rule     string `json:"rule"`
	Source   string `json:"source"`
}

// openRule finds "action/policy" in a version; a model opens onto the version it was trained in.
func openRule(v *strategy.Version, kind evidence.Kind, id string) (any, bool) {
	if v == nil {
		return nil, false
	}
	if kind == evidence.Model {
		return map[string]any{"model": id, "strategy": v.Number, "digest": v.Digest}, true
	}
	for _, a := range v.Decision.Actions {
		if a.ID == id {
			return OpenedRule{Strategy: v.Number, Action: a.ID, Stage: "action", Rule: a.ID}, true
		}
		for _, p := range a.Policies {
			if a.ID+"/"+p.ID == id {
				return OpenedRule{v.Number, a.ID, string(p.Stage), p.ID, p.Rule.Source()}, true
			}
		}
	}
	return nil, false
}
