// Package strategy holds a published version of what a company wants: one
// immutable plan for each room, swapped as one. Packs are compiled into it when
// it is published (package pack); serving only walks it.
package strategy

import (
	"errors"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/outcome"
	"github.com/rapport-cx/rapport/treatment"
)

// Version is one compiled strategy of a workspace. It never changes; a new
// publish makes a new one.
type Version struct {
	Number    int
	Packs     []string // the packs it was made of, in order
	Published time.Time
	Note      string
	Digest    string // SHA-256 of the pack sources; two versions with one digest decide alike

	Need       *need.Plan
	Candidate  *candidate.Plan
	Decision   *decision.Plan
	Treatment  *treatment.Plan
	Metrics    []outcome.Metric      // what the packs measure of what came of it
	Attributes []candidate.Attribute // brought by packs; the workspace's own override them
}

// ErrTaken says that a draft's number is another version's: somebody else has drafted
// at the same moment.
var ErrTaken = errors.New("the version's number is taken")

// StateDraft is the state of a version that was never in force.
const StateDraft = "draft"

// Source is what a version is compiled from, as it is stored.
type Source struct {
	Number int               `json:"number"`
	Base   int               `json:"base,omitempty"`
	Packs  []string          `json:"packs"`
	Files  map[string]string `json:"files,omitempty"` // overrides by path
	State  string            `json:"state"`           // draft, published, superseded
	At     time.Time         `json:"at"`
	Note   string            `json:"note,omitempty"`
	Model  []byte            `json:"model,omitempty"` // the trained classifier
}
