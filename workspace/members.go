package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
)

// MemberRecord is the kind of record that says who works on a workspace; its subject is
// the member's id, and deleting it takes the key away.
const MemberRecord = "workspace_member"

// FirstMember is the id under which the workspace's first secret key does things.
const FirstMember = "first"

// Role is something that a member may do beside what every secret key may.
type Role string

// The roles. The first key has them all.
const (
	Owner    Role = "owner"    // makes and takes away keys, and changes settings
	Approver Role = "approver" // approves what another member asks for
)

// Member is a person or program that works on a workspace with a key of its own.
type Member struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Roles []Role    `json:"roles"`
	Made  time.Time `json:"made"`
	By    string    `json:"by,omitempty"` // the member who made it
	// Guarded tells that it was made while the workspace asked for two approvers: then
	// it counts as its maker's own when something is to be approved.
	Guarded bool   `json:"guarded,omitempty"`
	Hash    string `json:"hash,omitempty"` // SHA-256 of the key, in hexadecimal
	Gone    bool   `json:"gone,omitempty"` // the key was taken away
}

// Has tells whether a member has a role.
func (m *Member) Has(r Role) bool { return slices.Contains(m.Roles, r) }

// First is the member that the workspace's first secret key is.
func First() Member {
	return Member{ID: FirstMember, Name: FirstMember, Roles: []Role{Owner, Approver}}
}

// KeyHash is how a member's key is kept.
func KeyHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Members know who works on each workspace. They follow the log, so every node knows
// a new key, and forgets one that was taken away. The zero value is ready.
type Members struct {
	mu     sync.RWMutex
	of     map[string][]Member // by workspace, in the order in which they came
	byHash map[string]memberAt
}

type memberAt struct {
	workspace string
	id        string
}

// Name implements journal.Follower.
func (m *Members) Name() string { return "members" }

// Follow implements journal.Follower.
func (m *Members) Follow(c journal.Committed) {
	e := c.Event
	if e.Kind != event.Record || e.Name != MemberRecord {
		return
	}
	x := Member{}
	if !e.Deleted && json.Unmarshal(e.Body, &x) != nil {
		return
	}
	x.ID = e.Subject
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(c.Workspace, x, e.Deleted)
}

func (m *Members) put(workspace string, x Member, gone bool) {
	if m.of == nil {
		m.of, m.byHash = map[string][]Member{}, map[string]memberAt{}
	}
	all := slices.Clone(m.of[workspace]) // readers hold the old one
	i := slices.IndexFunc(all, func(o Member) bool { return o.ID == x.ID })
	switch {
	case gone && i < 0:
		return
	case gone:
		delete(m.byHash, all[i].Hash)
		all[i].Gone, all[i].Hash = true, ""
	case i >= 0:
		delete(m.byHash, all[i].Hash)
		all[i] = x
	default:
		all = append(all, x)
	}
	m.of[workspace] = all
	if !gone && !x.Gone && x.Hash != "" {
		m.byHash[x.Hash] = memberAt{workspace, x.ID}
	}
}

// Find is the member whose key this is.
func (m *Members) Find(key string) (workspace string, x Member, ok bool) {
	if !strings.HasPrefix(key, "sk_") {
		return "", x, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, ok := m.byHash[KeyHash(key)]
	if !ok {
		return "", x, false
	}
	x, ok = m.member(at.workspace, at.id)
	return at.workspace, x, ok
}

// Member finds one who still has a key, the first included.
func (m *Members) Member(workspace, id string) (x Member, ok bool) {
	if id == FirstMember {
		return First(), true
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.member(workspace, id)
}

func (m *Members) member(workspace, id string) (x Member, ok bool) {
	for _, x := range m.of[workspace] {
		if x.ID == id {
			return x, !x.Gone
		}
	}
	return x, false
}

// Of lists the members of a workspace, the first included; those whose key was taken
// away are left out.
func (m *Members) Of(workspace string) []Member {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := []Member{First()}
	for _, x := range m.of[workspace] {
		if !x.Gone {
			all = append(all, x)
		}
	}
	return all
}

// From lists by whom a member's key was made, one by the other, as long as it counts as
// its maker's own; makers whose key was taken away included.
func (m *Members) From(workspace, id string) (all []string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for range 64 { // a chain longer than that was made by nobody
		i := slices.IndexFunc(m.of[workspace], func(o Member) bool { return o.ID == id })
		if i < 0 || !m.of[workspace][i].Guarded {
			break
		}
		id = m.of[workspace][i].By
		all = append(all, id)
	}
	return all
}

// Join implements journal.Follower; members are no customers.
func (m *Members) Join(string, uint32, uint32) {}

// Save implements journal.Follower.
func (m *Members) Save() ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return json.Marshal(m.of)
}

// Load implements journal.Follower.
func (m *Members) Load(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var of map[string][]Member
	if err := json.Unmarshal(b, &of); err != nil {
		return err
	}
	m.of, m.byHash = nil, nil
	for workspace, all := range of {
		for _, x := range all {
			m.put(workspace, x, false)
		}
	}
	return nil
}
