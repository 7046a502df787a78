package strategy

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/journal"
)

// StopRecord is the kind of record that switches an action off; its subject is the
// action, deleting it switches the action on again.
const StopRecord = "stop"

// Switches know which actions of each workspace are switched off. They follow the
// log, so every node knows, and the log says who switched what, when and why. The
// zero value is ready.
type Switches struct {
	mu sync.RWMutex
	of map[string]map[string]switched
}

type switched struct {
	decision.Stop
	At time.Time `json:"at"`
}

// stopBody is a stop as it stands in the log.
type stopBody struct {
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// Name implements journal.Follower.
func (s *Switches) Name() string { return "switches" }

// Follow implements journal.Follower. An older stop never overwrites a newer one.
func (s *Switches) Follow(c journal.Committed) {
	e := c.Event
	if e.Kind != event.Record || e.Name != StopRecord {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]map[string]switched{}
	}
	all := s.of[c.Workspace]
	if all == nil {
		all = map[string]switched{}
		s.of[c.Workspace] = all
	}
	if before, ok := all[e.Subject]; ok && e.Time.Before(before.At) {
		return
	}
	var b stopBody
	if !e.Deleted && json.Unmarshal(e.Body, &b) != nil {
		return
	}
	// One that was lifted stays, without a reason, so that an older stop that comes late changes nothing.
	all[e.Subject] = switched{At: e.Time, Stop: decision.Stop{Action: e.Subject, Reason: b.Reason, Until: b.Until, Event: evidence.Ref(e.ID.String())}}
}

// Stops lists what is switched off in a workspace at a time, by action; nil when nothing is.
func (s *Switches) Stops(workspace string, at time.Time) (all []decision.Stop) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, x := range s.of[workspace] {
		if x.Reason != "" && (x.Until.IsZero() || at.Before(x.Until)) {
			all = append(all, x.Stop)
		}
	}
	slices.SortFunc(all, func(a, b decision.Stop) int { return strings.Compare(a.Action, b.Action) })
	return all
}

// Join implements journal.Follower; stops are nobody's.
func (s *Switches) Join(string, uint32, uint32) {}

// Save implements journal.Follower.
func (s *Switches) Save() ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return json.Marshal(s.of)
}

// Load implements journal.Follower.
func (s *Switches) Load(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of = nil
	return json.Unmarshal(b, &s.of)
}
