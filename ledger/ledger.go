// Package ledger keeps what was decided: every decision is an [Entry], durable
// before its answer leaves, and enough to make the decision again bit for bit.
// It is a leaf: an entry is its keys and canonical bytes, nothing of ours.
package ledger

import "time"

// Entry is one decision. Bytes hold everything else (inputs, stages, answer) in
// the canonical form of the engine that wrote it.
type Entry struct {
	ID        string // dec_…
	Workspace string
	Person    string // per_…
	Asker     string // the key that asked (kind:value); only it may read the decision back with a write key
	At        time.Time
	Strategy  int
	Arm       string
	Placement string
	Actions   []string // ids of the chosen actions
	Bytes     []byte
}

// Query selects entries of one workspace, newest first. Empty fields match all.
type Query struct {
	Workspace string
	Person    string
	Action    string
	Strategy  int
	Arm       string
	From, To  time.Time // half-open; zero: unbounded
	Before    string    // cursor: entries older than this id
	Limit     int
}
