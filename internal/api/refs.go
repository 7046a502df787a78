package api

import (
	"github.com/rapport-cx/rapport/engine"
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
		case anonymous != "":
			a.Keys = []identity.Key{identity.Anonymous(anonymous)}
		}
		scope, err := s.Engine.Who(c.context(), c.workspace.ID, a)
		if err != nil {
			return nil, err
		}
		viewer = &scope
	}
	return s.Engine.OpenRef(c.context(), c.workspace.ID, c.r.PathValue("ref"), at, viewer)
}
