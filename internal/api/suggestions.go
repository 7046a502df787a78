package api

import (
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/identity/link"
	"github.com/rapport-cx/rapport/scene"
)

// PeopleSuggestions are pairs of persons who look like one.
type PeopleSuggestions struct {
	Page[PersonSuggestion]
	ComputedAt time.Time `json:"computed_at"`
	Compared   int       `json:"compared" doc:"How many persons were compared."`
	Complete   bool      `json:"complete" doc:"false: there are more persons than are compared; the newest were."`
	Open       int       `json:"open" doc:"How many suggestions wait for a decision."`
}

// PersonSuggestion says that two persons look like one, and why. Nothing is joined by it.
type PersonSuggestion struct {
	ID          string            `json:"id"`
	People      []SuggestedPerson `json:"people" minItems:"2" maxItems:"2"`
	Score       float64           `json:"score" doc:"log2 of the odds that they are one; the bits of why add up to it."`
	Probability float64           `json:"probability"`
	Why         []Likeness        `json:"why"`
}

// SuggestedPerson is one of the two as they are written down.
type SuggestedPerson struct {
	ID   string            `json:"id"`
	IDs  []PersonKey       `json:"ids"`
	Card map[string]string `json:"card" doc:"What was compared: name, born, phone, email, street, city, postal_code, gender, company."`
}

// Likeness is what one field says about the two.
type Likeness struct {
	Field string  `json:"field" doc:"As on the card; prior: how few of all pairs are one person's."`
	Level string  `json:"level,omitempty" enum:"equal,one_edit,two_edits,close,alike,swapped,different"`
	Bits  float64 `json:"bits"`
	Text  string  `json:"text"`
}

// reviewed is the body of a merge or unmerge that came of a suggestion: beside the
// statement it keeps what it rested on.
type reviewed struct {
	identity.Statement
	Suggestion  string        `json:"suggestion"`
	Probability float64       `json:"probability"`
	Why         []link.Weight `json:"why"`
}

func (s *server) suggestionRoutes() {
	const list = "/v1/people/suggestions"
	add(s, route{method: "GET", path: list, tag: "People", who: secretKey, query: pageQuery, summary: "Persons who look like one, and why; the likeliest first."}, func(c *call, _ *none) (PeopleSuggestions, error) {
		return s.suggestions(c, false)
	})
	add(s, route{method: "POST", path: list, tag: "People", who: secretKey, query: pageQuery, summary: "Search again for persons who look like one."}, func(c *call, _ *none) (PeopleSuggestions, error) {
		return s.suggestions(c, true)
	})
	add(s, route{method: "POST", path: list + "/{id}/accept", tag: "People", who: secretKey, summary: "They are one: merge them."}, func(c *call, _ *none) (Joined, error) {
		return s.review(c, "merge")
	})
	add(s, route{method: "POST", path: list + "/{id}/reject", tag: "People", who: secretKey, summary: "They are two: never suggest them again."}, func(c *call, _ *none) (Joined, error) {
		return s.review(c, "unmerge")
	})
}

func (s *server) suggestions(c *call, anew bool) (PeopleSuggestions, error) {
	limit, after, err := page(c.r)
	if err != nil {
		return PeopleSuggestions{}, err
	}
	score, id, ok := mark(after)
	if !ok {
		return PeopleSuggestions{}, refuse(http.StatusBadRequest, "bad_cursor")
	}
	all, err := s.Engine.Suggestions(c.context(), c.workspace.ID, anew)
	if err != nil {
		return PeopleSuggestions{}, err
	}
	out := PeopleSuggestions{ComputedAt: all.At, Compared: all.Looked, Complete: !all.Unchecked, Open: len(all.Items)}
	l := language(c.r)
	var items []PersonSuggestion
	from := 0
	if id != "" {
		from = sort.Search(len(all.Items), func(i int) bool { return all.Items[i].Score < score })
		if i := slices.IndexFunc(all.Items[:from], func(s engine.Suggestion) bool { return s.ID == id }); i >= 0 {
			from = i + 1
		}
	}
	for _, one := range all.Items[from:min(from+limit+1, len(all.Items))] {
		items = append(items, suggested(one, l))
	}
	out.Page = paged(items, limit, func(p PersonSuggestion) string {
		return strconv.FormatFloat(p.Score, 'g', -1, 64) + " " + p.ID
	})
	return out, nil
}

// mark reads the list's cursor: the score and id of the last suggestion seen. One
// that was decided since does not move the others.
func mark(cursor string) (score float64, id string, ok bool) {
	if cursor == "" {
		return 0, "", true
	}
	text, id, _ := strings.Cut(cursor, " ")
	score, err := strconv.ParseFloat(text, 64)
	return score, id, err == nil && id != ""
}

func suggested(s engine.Suggestion, l scene.Locale) PersonSuggestion {
	out := PersonSuggestion{ID: s.ID, Score: s.Score, Probability: s.Chance}
	for _, p := range s.People {
		out.People = append(out.People, SuggestedPerson{string(p.ID), keysOf(p.Keys), p.Card})
	}
	for _, w := range s.Why {
		code := w.Level
		if w.Field == link.Prior {
			code = link.Prior
		}
		out.Why = append(out.Why, Likeness{w.Field, w.Level, w.Bits, sentence(l, "like_"+code, []string{"field", sentence(l, "card_"+w.Field, nil)})})
	}
	return out
}

// review files what a person decided on a suggestion; the record keeps why it was made.
func (s *server) review(c *call, name string) (Joined, error) {
	id, err := idOf(c.r, "id")
	if err != nil {
		return Joined{}, err
	}
	one, err := s.Engine.Suggestion(c.context(), c.workspace.ID, id)
	if err != nil {
		return Joined{}, err
	}
	keys := make([]string, 2)
	for i := range one.People {
		keys[i] = named(one.People[i].Keys).String()
	}
	return s.state(c, name, reviewed{identity.Statement{Keys: keys}, one.ID, one.Chance, one.Why}, keys)
}

// named is the key that stands for a person in a statement: a user id if there is one.
func named(keys []identity.Key) identity.Key {
	if i := slices.IndexFunc(keys, func(k identity.Key) bool { return k.Kind == "user" }); i >= 0 {
		return keys[i]
	}
	return keys[0]
}
