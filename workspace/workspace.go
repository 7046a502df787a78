// Package workspace names the tenants of the house. Every event, person, decision
// and strategy belongs to one workspace, and none sees anything of another; the
// corridor asks it first, before step 1, whose enquiry this is.
package workspace

import (
	"errors"
	"time"
)

// ErrTaken says that a workspace of this id was made by somebody else.
var ErrTaken = errors.New("the workspace's id is taken")

// Workspace is a tenant with its keys.
type Workspace struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	WriteKey       string    `json:"write_key"`
	SecretKey      string    `json:"secret_key"`
	IdentitySecret string    `json:"identity_secret"`
	Created        time.Time `json:"created"`
	Origins        []string  `json:"origins,omitempty"` // web origins allowed with the write key; empty: any
}

// Paper is one small document that a workspace keeps beside its log: a source's
// definition, a dead letter. It may be changed and thrown away, which a record of
// the log never is; whoever writes papers bounds how many there are.
type Paper struct {
	Kind string // who keeps it and what for; papers of a kind are listed by id
	ID   string
	Body []byte // nil, when saved, throws the paper away
}
