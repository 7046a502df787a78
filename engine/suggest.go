package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/identity/link"
	"github.com/rapport-cx/rapport/profile"
)

// Suggestion says that two persons look like one, and why. Nothing is joined by it.
type Suggestion struct {
	ID     string
	People [2]Suggested // by id
	Score  float64      // log2 of the odds that they are one
	Chance float64      // the same as a probability
	Why    []link.Weight
}

// Suggested is one of the two as they are written down.
type Suggested struct {
	identity.Person
	Card map[string]string // what was compared, by profile.CardFields
}

// Suggestions are those of a workspace as they were computed.
type Suggestions struct {
	Items     []Suggestion // the likeliest first
	At        time.Time    // when they were computed
	Looked    int          // how many persons were compared
	Unchecked bool         // there are more persons than are compared
}

// Bounds of the search for persons who look like one.
const (
	mostLooked    = 10_000
	mostSuggested = 1000
)

// cardKinds say how the fields of a card are compared, and how often strangers
// state the same, by profile.CardFields.
var cardKinds = map[string]link.Field{
	"name": {Kind: link.Words, Rare: 3e-4}, "born": {Kind: link.Digits, Rare: 1e-4}, "phone": {Kind: link.Digits, Rare: 1e-6}, "email": {Kind: link.Exact, Rare: 1e-6},
	"street": {Kind: link.Words, Rare: 1e-3}, "city": {Kind: link.Words, Rare: 0.1}, "postal_code": {Kind: link.Digits, Rare: 0.01}, "gender": {Kind: link.Choice, Rare: 0.5}, "company": {Kind: link.Words, Rare: 0.01},
}

// desk keeps what was suggested last; a new search takes its place. It is derived
// and rests in memory alone.
type desk struct {
	mu     sync.Mutex // held by the one who searches
	last   *Suggestions
	lastMu sync.Mutex
}

func (d *desk) get() *Suggestions {
	d.lastMu.Lock()
	defer d.lastMu.Unlock()
	return d.last
}

func (d *desk) set(s *Suggestions) {
	d.lastMu.Lock()
	defer d.lastMu.Unlock()
	d.last = s
}

// Suggestions lists pairs of persons who look like one and of whom nobody has said
// yet whether they are. anew searches again; without it the last search serves,
// less what was decided since.
func (e *Engine) Suggestions(ctx context.Context, workspace string, anew bool) (Suggestions, error) {
	t, err := e.tenant(workspace)
	if err != nil {
		return Suggestions{}, err
	}
	found := t.desk.get()
	if found == nil || anew {
		asked := found
		t.desk.mu.Lock()
		defer t.desk.mu.Unlock()
		if found = t.desk.get(); found == nil || found == asked { // else somebody searched while we waited
			if found, err = e.search(ctx, workspace); err != nil {
				return Suggestions{}, fmt.Errorf("persons of %s who look like one: %w", workspace, err)
			}
			t.desk.set(found)
		}
	}
	open := *found
	open.Items = nil
	for _, s := range found.Items {
		undecided, err := e.undecided(ctx, workspace, s.People[0].ID, s.People[1].ID)
		if err != nil {
			return Suggestions{}, err
		}
		if undecided {
			open.Items = append(open.Items, s)
		}
	}
	return open, nil
}

// Suggestion finds one by its id; engine.ErrNotFound when it is not, or no longer, one.
func (e *Engine) Suggestion(ctx context.Context, workspace, id string) (Suggestion, error) {
	all, err := e.Suggestions(ctx, workspace, false)
	if err != nil {
		return Suggestion{}, err
	}
	i := slices.IndexFunc(all.Items, func(s Suggestion) bool { return s.ID == id })
	if i < 0 {
		return Suggestion{}, fmt.Errorf("suggestion %q: %w", id, ErrNotFound)
	}
	return all.Items[i], nil
}

func (e *Engine) undecided(ctx context.Context, workspace string, a, b identity.PersonID) (bool, error) {
	p, there, err := e.Store.PersonByID(ctx, workspace, a)
	if !there || err != nil {
		return false, err
	}
	q, there, err := e.Store.PersonByID(ctx, workspace, b)
	if !there || err != nil || p.ID == q.ID {
		return false, err
	}
	apart, err := e.Store.Apart(ctx, workspace, p.ID, q.ID)
	return !apart, err
}

// search compares the cards of the persons of a workspace, the newest ones where
// there are too many.
func (e *Engine) search(ctx context.Context, workspace string) (*Suggestions, error) {
	s := &Suggestions{At: e.now()}
	var people []identity.Person
	var records []link.Record
	for from := uint32(0); ; {
		some, next, err := e.Store.People(ctx, workspace, from, 1000)
		if err != nil {
			return nil, err
		}
		for _, p := range some {
			if len(records) == mostLooked {
				s.Unchecked, next = true, 0
				break
			}
			who, err := e.Store.Profile(ctx, Scope{Workspace: workspace, Person: p.ID, Keys: p.Keys})
			if err != nil {
				return nil, err
			}
			card := who.Masked(profile.Mask{}).Card()
			if slices.ContainsFunc(card, func(v string) bool { return v != "" }) {
				people = append(people, p)
				records = append(records, link.Record{ID: string(p.ID), Values: card})
			}
		}
		if from = next; next == 0 {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	s.Looked = len(records)
	if len(records) < 2 {
		return s, nil
	}
	fields := make([]link.Field, len(profile.CardFields))
	for i, name := range profile.CardFields {
		fields[i] = cardKinds[name]
		fields[i].Name = name
	}
	m, err := link.Fit(fields, records, link.Options{Seed: uint64(len(records))})
	if err != nil {
		return nil, err
	}
	for _, pair := range m.Pairs(0) {
		if len(s.Items) == mostSuggested {
			break
		}
		one := suggestion(pair, people, records)
		if undecided, err := e.undecided(ctx, workspace, one.People[0].ID, one.People[1].ID); err != nil {
			return nil, err
		} else if undecided {
			s.Items = append(s.Items, one)
		}
	}
	return s, nil
}

func suggestion(pair link.Pair, people []identity.Person, records []link.Record) Suggestion {
	s := Suggestion{Score: pair.Score, Chance: pair.Chance(), Why: pair.Weights}
	for i, at := range [2]int{pair.A, pair.B} {
		card := map[string]string{}
		for f, v := range records[at].Values {
			if v != "" {
				card[profile.CardFields[f]] = v
			}
		}
		s.People[i] = Suggested{people[at], card}
	}
	if s.People[0].ID > s.People[1].ID {
		s.People[0], s.People[1] = s.People[1], s.People[0]
	}
	bare := func(id identity.PersonID) string { return strings.TrimPrefix(string(id), "per_") }
	s.ID = "sug_" + bare(s.People[0].ID) + "_" + bare(s.People[1].ID)
	return s
}
