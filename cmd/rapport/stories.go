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
	of    atomic.Pointer[demoWorkspace]
}

// told is the stories file, and the answer made of it.
type told struct {
	Workspace string     `json:"workspace" yaml:"workspace"`
	WriteKey  string     `json:"write_key" yaml:"-"`
	Customers []customer `json:"customers" yaml:"customers"`
}

type customer struct {
	ID            string         `json:"id" yaml:"-"`
	User          string         `json:"user_id,omitempty" yaml:"user"`
	IdentityToken string         `json:"identity_token,omitempty" yaml:"-"`
	Name          candidate.Text `json:"name" yaml:"name"`
	Story         candidate.Text `json:"story" yaml:"story"`
	Enquiries     struct {
		Zh []string `json:"zh" yaml:"zh"`
		En []string `json:"en" yaml:"en"`
	} `json:"enquiries" yaml:"enquiries"`
}

// storyProof is how long a demo customer's proof of identity lasts.
const storyProof = 12 * time.Hour

func (s *stories) load(d demoFile) {
	t, err := readStories()
	if err != nil {
		return // embedded and tested
	}
	if w, ok := d.workspace(t.Workspace); ok {
		s.of.Store(&w)
	}
}

func readStories() (t told, err error) {
	text, err := demo.Files.ReadFile("stories.yaml")
	if err != nil {
		return t, err
	}
	return t, yaml.Unmarshal(text, &t)
}

func (s *stories) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tenant := s.of.Load()
	if tenant == nil {
		http.NotFound(w, r)
		return
	}
	t, err := readStories()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
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
