package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/outcome"
)

// RolloutRecord is the kind of record that says how a version comes into force; its
// subject is the version's number.
const RolloutRecord = "rollout"

// Phase is how far a rollout is.
type Phase string

// The phases. A version that is in force for everybody has no rollout.
const (
	Scheduled Phase = "scheduled" // it is published by itself when its time comes
	Canary    Phase = "canary"    // a share of the customers get it
	Ended     Phase = "ended"     // promoted, taken back, or stopped by a guardrail
)

// Rollout is how a version comes into force.
type Rollout struct {
	Version    int         `json:"version"`
	Phase      Phase       `json:"phase"`
	Share      float64     `json:"share,omitempty"` // of the customers, 0 to 1
	Guardrails []Guardrail `json:"guardrails,omitempty"`
	At         time.Time   `json:"at,omitzero"` // when it is to be published
	Note       string      `json:"note,omitempty"`
	By         Actor       `json:"by,omitzero"`
	Since      time.Time   `json:"since"`            // of this phase
	Reason     string      `json:"reason,omitempty"` // why it ended
}

// Guardrail ends a canary that does harm.
type Guardrail struct {
	Metric string   `json:"metric"`        // one of Metrics, or of the version's own
	Max    *float64 `json:"max,omitempty"` // it ends above this
	Min    *float64 `json:"min,omitempty"` // or below this
	After  int      `json:"after"`         // looks are worth nothing before so many
}

// Metrics are what a guardrail can watch beside what the packs declare, all shares of 0 to 1: of what was shown,
// what was accepted and dismissed; of the decisions with an enquiry, those that left
// a need unanswered and those that called a person.
func Metrics() []string {
	return []string{"accept_rate", "dismiss_rate", "handover_rate", "unanswered_rate"}
}

// ErrGuardrail says what is wrong with a guardrail.
var ErrGuardrail = errors.New("guardrail")

// Check refuses a guardrail that could never be judged; own are the metrics that the
// version itself declares.
func (g Guardrail) Check(own []outcome.Metric) error {
	known := Metrics()
	for i := range own {
		known = append(known, own[i].ID)
	}
	switch {
	case !slices.Contains(known, g.Metric):
		return fmt.Errorf("%w: %q is none of %v", ErrGuardrail, g.Metric, known)
	case g.Max == nil && g.Min == nil:
		return fmt.Errorf("%w %s: it needs a max or a min", ErrGuardrail, g.Metric)
	case g.After < 1:
		return fmt.Errorf("%w %s: after must be at least 1", ErrGuardrail, g.Metric)
	}
	return nil
}

// Broken tells whether a rate over so many looks breaks the guardrail.
func (g Guardrail) Broken(rate float64, looks int) bool {
	return looks >= g.After && (g.Max != nil && rate > *g.Max || g.Min != nil && rate < *g.Min)
}

// Has tells whether a customer is among the share. The same customer always is, or
// is not, for the same version; a larger share has everybody of a smaller one.
func (r *Rollout) Has(workspace, person string) bool {
	h := fnv.New64a()
	h.Write([]byte(workspace + "\x00" + strconv.Itoa(r.Version) + "\x00" + person))
	x := h.Sum64() // FNV's upper bits move little at the end of a text: mix them
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11)/(1<<53) < r.Share
}

// Rollouts know the rollouts of each workspace. They follow the log, so every node
// knows, and the log says who wanted what, when and why. The zero value is ready.
type Rollouts struct {
	mu sync.RWMutex
	of map[string][]Rollout // by version
}

// Name implements journal.Follower.
func (r *Rollouts) Name() string { return "rollouts" }

// Follow implements journal.Follower.
func (r *Rollouts) Follow(c journal.Committed) {
	e := c.Event
	if e.Kind != event.Record || e.Name != RolloutRecord {
		return
	}
	number, err := strconv.Atoi(e.Subject)
	x := Rollout{Phase: Ended}
	if err != nil || !e.Deleted && json.Unmarshal(e.Body, &x) != nil {
		return
	}
	x.Version, x.Since = number, e.Time
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string][]Rollout{}
	}
	all := r.of[c.Workspace]
	i, found := slices.BinarySearchFunc(all, number, func(o Rollout, n int) int { return o.Version - n })
	if found && e.Time.Before(all[i].Since) {
		return
	}
	all = slices.Clone(all) // readers hold the old one
	if found {
		all[i] = x
	} else {
		all = slices.Insert(all, i, x)
	}
	r.of[c.Workspace] = all
}

// Of is the rollout of a version; ok is false when there never was one.
func (r *Rollouts) Of(workspace string, number int) (x Rollout, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := r.of[workspace]
	i, ok := slices.BinarySearchFunc(all, number, func(o Rollout, n int) int { return o.Version - n })
	if ok {
		x = all[i]
	}
	return x, ok
}

// Canary is the newest version that a share of the customers get.
func (r *Rollouts) Canary(workspace string) (x Rollout, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := r.of[workspace]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Phase == Canary {
			return all[i], true
		}
	}
	return x, false
}

// Due lists what is to be published by a time, oldest wish first.
func (r *Rollouts) Due(workspace string, now time.Time) (all []Rollout) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, x := range r.of[workspace] {
		if x.Phase == Scheduled && !x.At.After(now) {
			all = append(all, x)
		}
	}
	slices.SortStableFunc(all, func(a, b Rollout) int { return a.At.Compare(b.At) })
	return all
}

// Next is when the next version is to be published; zero when none is.
func (r *Rollouts) Next() (at time.Time) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, all := range r.of {
		for _, x := range all {
			if x.Phase == Scheduled && (at.IsZero() || x.At.Before(at)) {
				at = x.At
			}
		}
	}
	return at
}

// Join implements journal.Follower; rollouts are nobody's.
func (r *Rollouts) Join(string, uint32, uint32) {}

// Save implements journal.Follower.
func (r *Rollouts) Save() ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return json.Marshal(r.of)
}

// Load implements journal.Follower.
func (r *Rollouts) Load(b []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of = nil
	return json.Unmarshal(b, &r.of)
}
