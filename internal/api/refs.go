package api

import (
	"net/http"
	"slices"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/scene"
)

func (s *server) refRoutes() {
	add(s, route{
		method: "GET", path: "/v1/refs/{ref...}", tag: "Evidence", who: writeKey, summary: "Open a piece of evidence.", query: []string{"anonymous_id: who asks, with a write key and no identity token"},
		details: "Secret key: anything of the workspace. Write key: what is public, and one's own records when the identity is proven or the anonymous id is named.",
	}, s.openRef)
}

func (s *server) openRef(c *call, _ *none) (*engine.Opened, error) {
	at := scene.Scene{Locale: c.locale, Time: s.now()}
	if at.Locale == "" {
		at.Locale = scene.English
	}
	var viewer *engine.Scope
	if !c.secret {
		a := identity.Asker{}
		anonymous := c.r.Header.Get("X-Anonymous-Id")
		if anonymous == "" {
			anonymous = c.r.URL.Query().Get("anonymous_id")
		}
		switch {
		case c.subject != "":
			a = identity.Asker{Keys: []identity.Key{identity.User(c.subject)}, Proven: true}
		case !identity.Blocked(anonymous):
			a.Keys = []identity.Key{identity.Anonymous(anonymous)}
		}
		scope, err := s.Engine.Who(c.context(), c.workspace.ID, a)
		if err != nil {
			return nil, err
		}
		viewer = &scope
	}
	ref := c.r.PathValue("ref")
	if viewer == nil {
		return s.Engine.OpenRef(c.context(), c.workspace.ID, ref, at, nil)
	}
	// What the company alone may see: its rules and models, and decisions that
	// somebody else asked for.
	switch bare, _ := engine.Unqualified(evidence.Ref(ref)); bare.Kind() {
	case evidence.Rule, evidence.Model:
		return nil, refuse(http.StatusNotFound, "not_found")
	case evidence.Decision:
		if _, _, err := s.ownDecision(c, string(bare), ""); err != nil {
			return nil, err
		}
	}
	o, err := s.Engine.OpenRef(c.context(), c.workspace.ID, ref, at, viewer)
	if err != nil {
		return nil, err
	}
	if raw, ok := o.Data.(engine.RawEvent); ok && raw.UserID == "" && raw.AnonymousID == "" && !slices.Contains(publicRecords, raw.Event) {
		return nil, refuse(http.StatusNotFound, "not_found")
	}
	return o, nil
}

// publicRecords are the kinds of record that belong to nobody and that anyone may read.
var publicRecords = []string{"item", "relation", "attribute", "article", "promotion"}
