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
	id, revision := r.ID()
	notFound := fmt.Errorf("ref %q: %w", ref, ErrNotFound)
	f := treatment.Fact{Kind: r.Kind(), Ref: r, Name: id}
	o := &Opened{}
	switch kind := r.Kind(); {
	case kind == evidence.Event:
		eid, ok := event.ParseID(string(r))
		if !ok {
			return nil, notFound
		}
		m, keys, ok, err := e.Store.Event(ctx, workspace, eid)
		if err != nil {
			return nil, err
		}
		if ok && !mayRead(viewer, keys) {
			if ok, err = e.mayAsk(ctx, workspace, viewer, keys, profile.Subject(&m.Event)); err != nil {
				return nil, err
			}
		}
		if !ok {
			return nil, notFound
		}
		f.At, f.Name, f.Fields = m.Event.Time, m.Event.Name, m.Event.Properties()
		if f.Name == "" {
			f.Name = m.Event.Kind.String()
		}
		o.Data = Raw(&m.Event)
	case kind == evidence.Decision:
		answer, entry, err := e.Decision(ctx, workspace, string(r))
		if err != nil {
			return nil, err
		}
		if viewer != nil && entry.Person != string(viewer.Person) {
			return nil, notFound
		}
		f.At, o.Data = entry.At, answer
	case slices.Contains(personal, kind):
		if person == "" && viewer != nil {
			person = string(viewer.Person)
		}
		s, err := e.PersonScope(ctx, workspace, person)
		if err != nil {
			return nil, notFound
		}
		if viewer != nil && viewer.Person != s.Person {
			if may, err := e.mayAsk(ctx, workspace, viewer, s.Keys, kind); err != nil || !may {
				return nil, notFound
			}
		}
		who, err := e.Profile(ctx, s)
		if err != nil {
			return nil, err
		}
		data, when, ok := who.Open(r)
		if !ok {
			return nil, notFound
		}
		o.Data, f.At, o.Events, f.Fields = data, when, who.Sources(r), data
		r = Qualified(r, string(s.Person))
	case kind == evidence.Model && (id == propensityModel || id == foresightModel):
		told, when, ok, err := e.openModel(ctx, workspace, r)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, notFound
		}
		o.Data, f.At = told, when
	case kind == evidence.Rule || kind == evidence.Model:
		data, ok := openRule(t.current.Load(), kind, id)
		if !ok {
			return nil, notFound
		}
		o.Data = data
	case kind == evidence.Cohort:
		if e.Counts == nil {
			return nil, notFound
		}
		data, ok := e.Counts(workspace, id)
		if !ok {
			return nil, notFound
		}
		o.Data = data
	default:
		view, err := e.Store.Catalogue(ctx, workspace, revision)
		if err != nil {
			return nil, err
		}
		data, title, when, ok := view.Open(r)
		if !ok {
			return nil, notFound
		}
		o.Data, f.Title, f.At = data, title, when
	}
	o.Record = evidence.Record{Kind: r.Kind(), Ref: r, At: f.At, Summary: treatment.Summarise(f, at)}
	return o, nil
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
