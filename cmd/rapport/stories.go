package main

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	demo "github.com/rapport-cx/rapport/examples/demo"
)

// stories serves the customers one can be on the demo page, each with a fresh
// proof of identity. A server without a demo has none.
type stories struct {
	clock func() time.Time
	of    atomic.Pointer[demoFile]
}

// told is the stories file, and the answer made of it.
type told struct {
	Workspace string     `json:"workspace" yaml:"workspace"`
	Others    []string   `json:"workspaces" yaml:"-"` // that have stories
	WriteKey  string     `json:"write_key" yaml:"-"`
	Customers []customer `json:"customers" yaml:"customers"`
}

type customer struct {
	ID            string         `json:"id" yaml:"-"`
	User          string         `json:"user_id,omitempty" yaml:"user"`
	IdentityToken string         `json:"identity_token,omitempty" yaml:"-"`
	Name          candidate.Text `json:"name" yaml:"name"`
	Story         candidate.Text `json:"story" yaml:"story"`
	Prefer        map[string]any `json:"-" yaml:"prefer"` // preferences, as they are put
	Enquiries     struct {
		Zh []string `json:"zh" yaml:"zh"`
		En []string `json:"en" yaml:"en"`
	} `json:"enquiries" yaml:"enquiries"`
}

// storyProof is how long a demo customer's proof of identity lasts.
const storyProof = 12 * time.Hour

// usualStories is the workspace whose customers one can be unless another is named.
const usualStories = "electronics"

func (s *stories) load(d demoFile) { s.of.Store(&d) }

// readStories reads a workspace's; fs.ErrNotExist when it has none.
func readStories(workspace string) (t told, err error) {
	name := "stories.yaml"
	if workspace != usualStories {
		name = "stories-" + workspace + ".yaml"
	}
	text, err := demo.Files.ReadFile(name)
	if err != nil {
		return t, err
	}
	return t, yaml.Unmarshal(text, &t)
}

func (s *stories) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := s.of.Load()
	if d == nil {
		http.NotFound(w, r)
		return
	}
	named := orElse(r.URL.Query().Get("workspace"), usualStories)
	tenant, there := d.workspace(named)
	t, err := readStories(named)
	if !there || err != nil {
		http.NotFound(w, r)
		return
	}
	for _, other := range d.Workspaces {
		if _, err := readStories(other.ID); err == nil {
			t.Others = append(t.Others, other.ID)
		}
	}
	t.WriteKey = tenant.WriteKey
	for i := range t.Customers {
		c := &t.Customers[i]
		c.ID = orElse(c.User, "visitor")
		if c.User == "" {
			continue
		}
		c.IdentityToken, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": c.User, "exp": s.clock().Add(storyProof).Unix(),
		}).SignedString([]byte(tenant.IdentitySecret))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(t)
}
