package api

import (
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/workspace"
)

// Workspace is a tenant with its keys.
type Workspace struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	WriteKey       string    `json:"write_key"`
	SecretKey      string    `json:"secret_key"`
	IdentitySecret string    `json:"identity_secret"`
	Created        time.Time `json:"created"`
	Origins        []string  `json:"origins,omitempty"`
}

// NewWorkspace is what a tenant is made of.
type NewWorkspace struct {
	ID      string   `json:"id" pattern:"^[a-z][a-z0-9_-]{0,62}$" maxLength:"63"`
	Name    string   `json:"name,omitempty" maxLength:"200"`
	Packs   []string `json:"packs,omitempty" maxItems:"50" doc:"Of its first strategy; base when missing."`
	Origins []string `json:"origins,omitempty" maxItems:"100" doc:"Web origins that may use the write key; any when missing."`
}

// mostWorkspaces bounds what one server takes on; each has its own classifier.
const mostWorkspaces = 1000

var workspaceID = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

func (s *server) workspaceRoutes() {
	add(s, route{
		method: "GET", path: "/v1/workspaces", tag: "Workspaces", who: secretKey, summary: "The workspace of the key; with a console session, all.",
	}, func(c *call, _ *none) (Page[Workspace], error) {
		if !c.member.Has(workspace.Owner) {
			return paged([]Workspace{plain(c.workspace)}, 1, func(w Workspace) string { return w.ID }), nil
		}
		all := []Workspace{Workspace(c.workspace)}
		if c.session && c.member.ID == workspace.FirstMember {
			all = all[:0]
			for _, w := range s.Engine.Workspaces() {
				all = append(all, Workspace(w))
			}
		}
		return paged(all, max(len(all), 1), func(w Workspace) string { return w.ID }), nil
	})
	add(s, route{
		method: "POST", path: "/v1/workspaces", tag: "Workspaces", who: secretKey, status: http.StatusCreated, summary: "Make a workspace with its own keys.",
		details: "It takes the role owner, which the first secret key has. The new workspace sees nothing of this one, nor this one of it.",
	}, func(c *call, in *NewWorkspace) (Workspace, error) {
		if err := owner(c); err != nil {
			return Workspace{}, err
		}
		if !workspaceID.MatchString(in.ID) {
			return Workspace{}, faulty("/id", "pattern")
		}
		all := s.Engine.Workspaces()
		if slices.ContainsFunc(all, func(w engine.Workspace) bool { return w.ID == in.ID }) {
			return Workspace{}, &refusal{status: http.StatusConflict, code: "name_taken", faults: []flaw{{pointer: "/id", code: "name_taken"}}}
		}
		if len(all) >= mostWorkspaces {
			return Workspace{}, &refusal{status: http.StatusConflict, code: "too_many"}
		}
		w := engine.Workspace{ID: in.ID, Name: in.Name, Created: s.now(), Origins: in.Origins, WriteKey: s.secret("wk_"), SecretKey: s.secret("sk_"), IdentitySecret: s.secret("is_")}
		if w.Name == "" {
			w.Name = in.ID
		}
		packs := in.Packs
		if len(packs) == 0 {
			packs = []string{"base"}
		}
		w, err := s.Engine.AddWorkspace(c.context(), w, packs)
		if err != nil {
			return Workspace{}, refusedStrategy(err)
		}
		return Workspace(w), nil
	})
}

// secret makes a key: 32 unguessable bytes under a prefix that says what it is.
func (s *server) secret(prefix string) string {
	a, b := s.Random(), s.Random()
	return prefix + idLetters.EncodeToString(append(a[:], b[:]...))
}
