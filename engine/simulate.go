package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/need"
)

// Simulation says what a version would have changed of the logged past. Nothing of
// it is stored, learned or counted.
type Simulation struct {
	Version   int `json:"version"`
	Decisions int `json:"decisions"` // decided again
	Changed   int `json:"changed"`   // of them, with other actions or others first
	Erased    int `json:"erased"`    // could not be looked at any more
	People    int `json:"people"`    // who made them
	// Nobody's need is answered and nothing is offered: before and after.
	NothingBefore int `json:"nothing_before"`
	NothingAfter  int `json:"nothing_after"`

	Value *Value `json:"value"` // what it would have brought

	Actions  []ActionShift   `json:"actions"`  // by action
	Examples []ExampleChange `json:"examples"` // the newest that change
}

// ActionShift is how often an action was chosen, and would have been.
type ActionShift struct {
	Action string          `json:"action"`
	Title  candidate.Text  `json:"title"`
	Nature decision.Nature `json:"nature"`
	Before int             `json:"before"`
	After  int             `json:"after"`
	Gained int             `json:"gained"` // decisions that get it anew
	Lost   int             `json:"lost"`
	// Cost of one, where the version says; times After is what its reach would cost.
	Cost *candidate.Money `json:"cost,omitempty"`
}

// ExampleChange is one decision that would have been another.
type ExampleChange struct {
	Decision string    `json:"decision"`
	Person   string    `json:"person"`
	At       time.Time `json:"at"`
	Enquiry  string    `json:"enquiry,omitempty"`
	Before   []string  `json:"before"`
	After    []string  `json:"after"`
}

// mostExamples bounds the examples of a simulation.
const mostExamples = 20

// Simulate decides the logged past again under a version.
func (e *Engine) Simulate(ctx context.Context, workspace string, number int, p Past) (*Simulation, error) {
	_, v, err := e.versionOf(ctx, workspace, number)
	if err != nil {
		return nil, err
	}
	reward, err := rewardingOf(v, p.Reward)
	if err != nil {
		return nil, err
	}
	w := &weighing{e: e, workspace: workspace, version: number, reward: reward, now: e.now(), known: map[string]*acquaintance{}}
	w.value.Reward, w.value.Title, w.value.Lower = reward.name, reward.title, reward.lower
	s := &simulation{Simulation: Simulation{Version: number, Actions: []ActionShift{}, Examples: []ExampleChange{}}, shifts: map[string]*ActionShift{}, people: map[string]bool{}}
	if s.Erased, err = e.relive(ctx, workspace, number, p, func(r *relived) error {
		s.note(r)
		return w.add(ctx, r)
	}); err != nil {
		return nil, err
	}
	if s.Value, err = w.estimate(); err != nil {
		return nil, err
	}
	s.People = len(s.people)
	for _, id := range slices.Sorted(maps.Keys(s.shifts)) {
		s.Actions = append(s.Actions, *s.shifts[id])
	}
	return &s.Simulation, nil
}

// simulation is one that is under way.
type simulation struct {
	Simulation
	shifts map[string]*ActionShift
	people map[string]bool
}

func (s *simulation) note(r *relived) {
	was, v := r.was.Actions, r.moment.version
	s.Decisions++
	s.people[r.entry.Person] = true
	before, after := make([]string, len(was)), chosenActions(&r.decision)
	for i, a := range was {
		before[i] = a.Action
	}
	if !served(r.was.Needs) && len(before) == 0 {
		s.NothingBefore++
	}
	if !served(r.decision.Needs) && len(after) == 0 {
		s.NothingAfter++
	}
	shift := func(id string, nature decision.Nature, title candidate.Text) *ActionShift {
		x, ok := s.shifts[id]
		if !ok {
			x = &ActionShift{Action: id, Nature: nature, Title: title}
			if i := slices.IndexFunc(v.Decision.Actions, func(a decision.Action) bool { return a.ID == id }); i >= 0 {
				a := &v.Decision.Actions[i]
				x.Title, x.Nature = a.Title, a.Nature
				if a.Cost.Amount > 0 {
					x.Cost = &a.Cost
				}
			}
			s.shifts[id] = x
		}
		return x
	}
	for _, a := range was {
		x := shift(a.Action, a.Nature, candidate.Text{Zh: a.Title, En: a.Title})
		x.Before++
		if !slices.Contains(after, a.Action) {
			x.Lost++
		}
	}
	for _, c := range r.decision.Chosen {
		x := shift(c.Action, c.Nature, c.Title)
		x.After++
		if !slices.Contains(before, c.Action) {
			x.Gained++
		}
	}
	if slices.Equal(before, after) {
		return
	}
	s.Changed++
	if len(s.Examples) < mostExamples {
		s.Examples = append(s.Examples, ExampleChange{Decision: r.entry.ID, Person: r.entry.Person, At: r.entry.At, Enquiry: r.enquiry, Before: before, After: after})
	}
}

// served tells whether any need got an answer.
func served(needs []need.Need) bool {
	return slices.ContainsFunc(needs, func(n need.Need) bool {
		return n.Status == need.Answered || n.Status == need.Partly || n.Status == need.Handover
	})
}
