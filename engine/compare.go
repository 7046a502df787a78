package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/strategy"
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

// Past says which logged decisions to look at.
type Past struct {
	Since  time.Time
	People []string // ids of persons; none: everybody
	Limit  int      // most decisions, the newest; 0: 1,000
}

// Bounds of a simulation.
const (
	usualPast    = 1000
	MostPast     = 20_000
	mostExamples = 20
	pastPage     = 200
)

// Simulate decides the logged past again under a version.
func (e *Engine) Simulate(ctx context.Context, workspace string, number int, p Past) (*Simulation, error) {
	t, err := e.tenant(workspace)
	if err != nil {
		return nil, err
	}
	if _, err := e.version(ctx, t, number); err != nil {
		return nil, err
	}
	if p.Limit <= 0 {
		p.Limit = usualPast
	}
	p.Limit = min(p.Limit, MostPast)
	s := &simulation{Simulation: Simulation{Version: number, Actions: []ActionShift{}, Examples: []ExampleChange{}}, shifts: map[string]*ActionShift{}, people: map[string]bool{}}
	persons := p.People
	if len(persons) == 0 {
		persons = []string{""}
	}
	for _, person := range persons {
		q := ledger.Query{Workspace: workspace, Person: person, From: p.Since, Limit: pastPage}
		for s.Decisions+s.Erased < p.Limit {
			page, err := e.Store.Decisions(ctx, q)
			if err != nil {
				return nil, err
			}
			for i := range page {
				if s.Decisions+s.Erased >= p.Limit {
					break
				}
				if err := e.again(ctx, workspace, &page[i], number, s); err != nil {
					return nil, err
				}
			}
			if len(page) < q.Limit {
				break
			}
			q.Before = page[len(page)-1].ID
		}
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

// again decides one logged decision under a version and notes the difference.
func (e *Engine) again(ctx context.Context, workspace string, entry *ledger.Entry, number int, s *simulation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var rec record
	if len(entry.Bytes) == 0 || json.Unmarshal(entry.Bytes, &rec) != nil {
		s.Erased++
		return nil
	}
	in := rec.Inputs
	in.Strategy = number
	m, err := e.revisit(ctx, workspace, &in, nil)
	if errors.Is(err, ErrGone) {
		s.Erased++
		return nil
	}
	if err != nil {
		return fmt.Errorf("decision %s: %w", entry.ID, err)
	}
	m.sources = candidate.Recorded(m.sources, rec.Inputs.Results, nil)
	in.Results = nil
	w := e.walk(ctx, &in, m)
	var was struct {
		Needs   []need.Need   `json:"needs"`
		Actions []actionBrief `json:"actions"`
	}
	if err := json.Unmarshal(rec.Answer, &was); err != nil {
		return fmt.Errorf("ledger entry %s: %w", entry.ID, err)
	}
	s.note(entry, in.Enquiry.Text, was.Actions, was.Needs, m.version, &w)
	return nil
}

// actionBrief is an action as an answer names it.
type actionBrief struct {
	Action string          `json:"action"`
	Nature decision.Nature `json:"nature"`
	Title  string          `json:"title"`
}

func (s *simulation) note(entry *ledger.Entry, enquiry string, was []actionBrief, needs []need.Need, v *strategy.Version, w *walked) {
	s.Decisions++
	s.people[entry.Person] = true
	before, after := make([]string, len(was)), chosenActions(&w.decision)
	for i, a := range was {
		before[i] = a.Action
	}
	if !served(needs) && len(before) == 0 {
		s.NothingBefore++
	}
	if !served(w.decision.Needs) && len(after) == 0 {
		s.NothingAfter++
	}
	shift := func(id string, nature decision.Nature, title candidate.Text) *ActionShift {
		x, ok := s.shifts[id]
		if !ok {
			x = &ActionShift{Action: id, Nature: nature, Title: title}
			if i := slices.IndexFunc(v.Decision.Actions, func(a decision.Action) bool { return a.ID == id }); i >= 0 {
				x.Title, x.Nature = v.Decision.Actions[i].Title, v.Decision.Actions[i].Nature
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
	for _, c := range w.decision.Chosen {
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
		s.Examples = append(s.Examples, ExampleChange{Decision: entry.ID, Person: entry.Person, At: entry.At, Enquiry: enquiry, Before: before, After: after})
	}
}

// served tells whether any need got an answer.
func served(needs []need.Need) bool {
	return slices.ContainsFunc(needs, func(n need.Need) bool {
		return n.Status == need.Answered || n.Status == need.Partly || n.Status == need.Handover
	})
}

// Difference is what two versions differ in.
type Difference struct {
	Version int
	Against int
	Files   []FileDifference
	Added   []string // actions
	Removed []string
}

// FileDifference is a file of the packs that is not the same in both.
type FileDifference struct {
	Path   string
	Before string // "" when it is new
	After  string // "" when it is gone
}

// Compare gives the difference between two versions, files of the packs included.
func (e *Engine) Compare(ctx context.Context, workspace string, number, against int) (*Difference, error) {
	a, err := e.source(ctx, workspace, against)
	if err != nil {
		return nil, err
	}
	b, err := e.source(ctx, workspace, number)
	if err != nil {
		return nil, err
	}
	d := &Difference{Version: number, Against: against, Files: []FileDifference{}}
	d.Added, d.Removed = []string{}, []string{}
	before, after := e.Compiler.Files(a), e.Compiler.Files(b)
	for path, text := range before {
		if after[path] != text {
			d.Files = append(d.Files, FileDifference{path, text, after[path]})
		}
	}
	for path, text := range after {
		if _, ok := before[path]; !ok {
			d.Files = append(d.Files, FileDifference{Path: path, After: text})
		}
	}
	slices.SortFunc(d.Files, func(x, y FileDifference) int { return cmp.Compare(x.Path, y.Path) })
	t, err := e.tenant(workspace)
	if err != nil {
		return nil, err
	}
	old, errOld := e.version(ctx, t, against)
	now, errNow := e.version(ctx, t, number)
	if errOld != nil || errNow != nil {
		return d, nil // one that does not compile has no actions to compare
	}
	ids := func(v *strategy.Version) (all []string) {
		for i := range v.Decision.Actions {
			all = append(all, v.Decision.Actions[i].ID)
		}
		return all
	}
	was, is := ids(old), ids(now)
	for _, id := range is {
		if !slices.Contains(was, id) {
			d.Added = append(d.Added, id)
		}
	}
	for _, id := range was {
		if !slices.Contains(is, id) {
			d.Removed = append(d.Removed, id)
		}
	}
	return d, nil
}
