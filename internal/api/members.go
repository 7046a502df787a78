package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// Member is a person or program that works on the workspace with a key of its own.
type Member struct {
	ID    string           `json:"id" doc:"\"first\" is the workspace's first secret key, and the console's first login."`
	Name  string           `json:"name"`
	Roles []workspace.Role `json:"roles" enum:"owner,approver" doc:"What it may do beside what every secret key may: owner makes keys and changes settings, approver approves what others ask for."`
	Made  *time.Time       `json:"made,omitempty"`
	By    string           `json:"by,omitempty" doc:"Id of the member who made it."`
	Key   string           `json:"key,omitempty" doc:"Told once, when it is made."`
}

// NewMember is what a member is made of.
type NewMember struct {
	Name  string           `json:"name" minLength:"1" maxLength:"100"`
	Roles []workspace.Role `json:"roles,omitempty" maxItems:"2" enum:"owner,approver"`
}

// Login is a link that opens the console as a member, once and for a day.
type Login struct {
	URL string `json:"url" doc:"Path and query; put the server's address before it."`
}

// mostMembers bounds the keys of a workspace.
const mostMembers = 500

// actor is the caller as strategies know them.
func (s *server) actor(c *call) strategy.Actor {
	a := strategy.Actor{ID: c.member.ID, Name: c.member.Name, Approver: c.member.Has(workspace.Approver)}
	if s.Members != nil {
		a.From = s.Members.From(c.workspace.ID, a.ID)
	}
	return a
}

// owner refuses who may not make keys or change settings.
func owner(c *call) error {
	if !c.member.Has(workspace.Owner) {
		return refuse(http.StatusForbidden, "owner_needed")
	}
	return nil
}

func memberOf(m workspace.Member) Member {
	out := Member{ID: m.ID, Name: m.Name, Roles: m.Roles, By: m.By}
	if !m.Made.IsZero() {
		out.Made = &m.Made
	}
	if out.Roles == nil {
		out.Roles = []workspace.Role{}
	}
	return out
}

func (s *server) memberRoutes() {
	if s.Members == nil {
		return
	}
	const tag = "Workspaces"
	add(s, route{method: "GET", path: "/v1/keys", tag: tag, who: secretKey, summary: "List who works on the workspace with a secret key of their own."}, func(c *call, _ *none) (Page[Member], error) {
		var all []Member
		for _, m := range s.Members.Of(c.workspace.ID) {
			all = append(all, memberOf(m))
		}
		return paged(all, max(len(all), 1), func(m Member) string { return m.ID }), nil
	})
	add(s, route{
		method: "POST", path: "/v1/keys", tag: tag, who: secretKey, status: http.StatusCreated, summary: "Make a secret key for a person or a program.",
		details: "The key is told once. It may do what the workspace's first secret key may, but for making keys and changing settings (role owner) and approving (role approver). While the workspace asks for two approvers, a new key counts as its maker's own: it approves nothing that they ask for.",
	}, func(c *call, in *NewMember) (Member, error) {
		if err := owner(c); err != nil {
			return Member{}, err
		}
		if len(s.Members.Of(c.workspace.ID)) >= mostMembers {
			return Member{}, refuse(http.StatusConflict, "too_many")
		}
		key := s.secret("sk_")
		m := workspace.Member{ID: "key_" + event.ID(s.Random()).String()[4:], Name: in.Name, Roles: slices.Compact(slices.Sorted(slices.Values(in.Roles))),
			Made: s.now(), By: c.member.ID, Guarded: s.Engine.Guarded(c.workspace.ID), Hash: workspace.KeyHash(key)}
		body, err := json.Marshal(m)
		if err != nil {
			return Member{}, err
		}
		if _, err := s.put(c, event.Put{Name: workspace.MemberRecord, ID: m.ID, UpdatedAt: s.now(), Body: body}); err != nil {
			return Member{}, err
		}
		out := memberOf(m)
		out.Key = key
		return out, nil
	})
	add(s, route{method: "DELETE", path: "/v1/keys/{id}", tag: tag, who: secretKey, summary: "Take a key away, on every node."}, func(c *call, _ *none) (Member, error) {
		if err := owner(c); err != nil {
			return Member{}, err
		}
		m, ok := s.Members.Member(c.workspace.ID, c.r.PathValue("id"))
		if !ok || m.ID == workspace.FirstMember {
			return Member{}, refuse(http.StatusNotFound, "not_found")
		}
		_, err := s.put(c, event.Put{Name: workspace.MemberRecord, ID: m.ID, UpdatedAt: s.now(), Deleted: true})
		return memberOf(m), err
	})
	if s.Logins == nil {
		return
	}
	add(s, route{method: "POST", path: "/v1/keys/{id}/login", tag: tag, who: secretKey, status: http.StatusCreated, optional: true, summary: "Make a one-time link that opens the console as a member.",
		details: "Each key makes links for itself; the role owner, for every key that counts as nobody else's.",
	}, func(c *call, _ *none) (Login, error) {
		m, ok := s.Members.Member(c.workspace.ID, c.r.PathValue("id"))
		if !ok {
			return Login{}, refuse(http.StatusNotFound, "not_found")
		}
		if m.ID != c.member.ID {
			// Who opens the console as somebody else could approve in their name.
			return Login{}, refuse(http.StatusForbidden, "own_login_only")
		}
		return Login{URL: "/console/login?token=" + s.Logins.TokenFor(c.workspace.ID, m.ID, s.now())}, nil
	})
}

// memberKey is the caller behind a member's key.
func (s *server) memberKey(key string) (c caller, ok bool) {
	if s.Members == nil {
		return c, false
	}
	id, m, ok := s.Members.Find(key)
	if !ok {
		return c, false
	}
	for _, w := range s.Engine.Workspaces() {
		if w.ID == id {
			return caller{workspace: w, secret: true, member: m}, true
		}
	}
	return c, false
}

// Settings are what a workspace has settled for itself.
type Settings struct {
	TwoApprovers bool              `json:"two_approvers" doc:"What changes rules of major impact is published only when another key or person has approved it."`
	Request      *strategy.Request `json:"request,omitempty" doc:"Open: to ask for two approvers no longer."`
	You          Member            `json:"you" doc:"Who asks."`
}

// SettingsChange changes what is given of them.
type SettingsChange struct {
	TwoApprovers *bool  `json:"two_approvers,omitempty"`
	Note         string `json:"note,omitempty" maxLength:"2000"`
}

func (s *server) settingsRoutes() {
	const tag = "Workspaces"
	add(s, route{method: "GET", path: "/v1/settings", tag: tag, who: secretKey, summary: "Read the workspace's settings, and who one is."}, func(c *call, _ *none) (Settings, error) {
		return s.settings(c), nil
	})
	add(s, route{
		method: "PUT", path: "/v1/settings", tag: tag, who: secretKey, summary: "Change the workspace's settings.",
		details: "It takes two who may approve to begin asking for two approvers. To end it is a change of major impact itself: another approver confirms it with POST /v1/settings/approve.",
	}, func(c *call, in *SettingsChange) (Settings, error) {
		if in.TwoApprovers == nil || *in.TwoApprovers == s.Engine.Guarded(c.workspace.ID) {
			return s.settings(c), nil
		}
		if err := owner(c); err != nil {
			return Settings{}, err
		}
		if !*in.TwoApprovers {
			if _, err := s.Engine.AskApproval(c.context(), c.workspace.ID, 0, s.actor(c), in.Note); err != nil {
				return Settings{}, s.refusedApproval(c, err)
			}
			return s.settings(c), nil
		}
		if s.approvers(c.workspace.ID) < 2 {
			return Settings{}, refuse(http.StatusConflict, "approvers_missing")
		}
		if err := s.Engine.Guard(c.context(), c.workspace.ID, s.actor(c), in.Note); err != nil {
			return Settings{}, err
		}
		return s.settings(c), nil
	})
	for path, deed := range map[string]strategy.Deed{"/v1/settings/approve": strategy.Approved, "/v1/settings/reject": strategy.Rejected} {
		summary := map[strategy.Deed]string{strategy.Approved: "Agree to ask for two approvers no longer.", strategy.Rejected: "Insist on two approvers."}[deed]
		add(s, route{method: "POST", path: path, tag: tag, who: secretKey, optional: true, summary: summary}, func(c *call, in *ApprovalNote) (Settings, error) {
			if _, err := s.Engine.Settle(c.context(), c.workspace.ID, 0, deed, s.actor(c), in.Note); err != nil {
				return Settings{}, s.refusedApproval(c, err)
			}
			return s.settings(c), nil
		})
	}
}

func (s *server) settings(c *call) Settings {
	out := Settings{TwoApprovers: s.Engine.Guarded(c.workspace.ID), You: memberOf(c.member)}
	for _, r := range s.Engine.Requests(c.workspace.ID) {
		if r.Version == 0 && out.TwoApprovers {
			out.Request = &r
		}
	}
	return out
}

// approvers counts who may approve.
func (s *server) approvers(id string) (n int) {
	if s.Members == nil {
		return 1
	}
	for _, m := range s.Members.Of(id) {
		if m.Has(workspace.Approver) {
			n++
		}
	}
	return n
}

// plain is a workspace without what its owner alone may know.
func plain(w engine.Workspace) Workspace {
	w.SecretKey, w.IdentitySecret = "", ""
	return Workspace(w)
}
