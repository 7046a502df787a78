package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/cluster"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/need/veil"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

// IntentSuggestions are intents that customers seem to miss.
type IntentSuggestions struct {
	Decisions int                `json:"decisions"` // that were looked at
	Sentences int                `json:"sentences"` // of them that are still not understood, or asked back about
	Items     []IntentSuggestion `json:"items"`     // those of the most people first
}

// IntentSuggestion is one: sentences of several people that speak of the same thing, and that no
// intent was found for. Nothing in it names a customer.
type IntentSuggestion struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"` // of its words
	Words    []string          `json:"words"`
	Examples []SuggestedPhrase `json:"examples"` // the most typical first
	Count    int               `json:"count"`    // sentences
	People   int               `json:"people"`
	First    time.Time         `json:"first"`
	Last     time.Time         `json:"last"`
	Near     []NearIntent      `json:"near"` // what it was taken for when it was asked back about, most first

	texts []SuggestedPhrase // each different one, for a draft
}

// SuggestedPhrase is a sentence of a suggestion, and a decision in which it was said.
type SuggestedPhrase struct {
	Text     string       `json:"text"`
	Lang     scene.Locale `json:"lang"`
	Decision string       `json:"decision"`
}

// NearIntent is an intent and how often it stood first among the readings.
type NearIntent struct {
	Intent string `json:"intent"`
	Times  int    `json:"times"`
}

const (
	mostShown       = 8 // examples of a suggestion
	mostSuggestions = 50
	mostOfOne       = 400 // sentences of a suggestion that go into a draft
)

// missed is a stretch of an enquiry that was not understood.
type missed struct {
	phrase SuggestedPhrase
	who    string
	at     time.Time
	taken  string
}

// SuggestIntents looks for what customers ask about again and again and no intent is for: it reads
// the newest decisions since a time (at most [MostPast]), keeps what was rejected or asked back
// about and is still not understood, and groups it. Nothing is kept of it, so erased words are in
// none. It takes seconds and is done one at a time in a workspace.
func (e *Engine) SuggestIntents(ctx context.Context, workspaceID string, since time.Time) (s IntentSuggestions, err error) {
	s.Items = []IntentSuggestion{}
	t, err := e.tenant(workspaceID)
	if err != nil {
		return s, err
	}
	v := t.current.Load()
	if v == nil {
		return s, fmt.Errorf("workspace %s: %w", workspaceID, ErrNoStrategy)
	}
	source, err := e.source(ctx, workspaceID, v.Number)
	if err != nil {
		return s, err
	}
	t.measuring.Lock()
	defer t.measuring.Unlock()
	all, seen, err := e.missed(ctx, workspaceID, since, v.Need)
	if err != nil {
		return s, err
	}
	s.Decisions, s.Sentences = seen, len(all)
	sentences := make([]cluster.Sentence, len(all))
	for i, m := range all {
		sentences[i] = cluster.Sentence{Text: m.phrase.Text, Who: m.who}
	}
	var known []string
	for _, x := range e.Compiler.Sentences(source) {
		known = append(known, x.Text)
	}
	for _, c := range cluster.Group(sentences, known, cluster.Options{}) {
		if len(s.Items) == mostSuggestions {
			break
		}
		s.Items = append(s.Items, intentSuggestion(c, all))
	}
	return s, nil
}

func intentSuggestion(c cluster.Cluster, all []missed) IntentSuggestion {
	sum := sha256.Sum256([]byte(strings.Join(c.Words, "\x00") + "\x00" + text.Plain(all[c.Members[0]].phrase.Text)))
	s := IntentSuggestion{ID: "si_" + hex.EncodeToString(sum[:8]), Name: strings.Join(c.Words, " · "), Words: c.Words, Count: len(c.Members), People: c.People, Near: []NearIntent{}}
	said, near := map[string]bool{}, map[string]int{}
	for _, i := range c.Members {
		m := &all[i]
		if s.First.IsZero() || m.at.Before(s.First) {
			s.First = m.at
		}
		if m.at.After(s.Last) {
			s.Last = m.at
		}
		if m.taken != "" {
			near[m.taken]++
		}
		if plain := text.Plain(m.phrase.Text); !said[plain] && len(s.texts) < mostOfOne {
			said[plain] = true
			s.texts = append(s.texts, m.phrase)
		}
	}
	s.Examples = s.texts[:min(len(s.texts), mostShown)]
	for intent, times := range near {
		s.Near = append(s.Near, NearIntent{intent, times})
	}
	slices.SortFunc(s.Near, func(a, b NearIntent) int {
		return cmp.Or(b.Times-a.Times, cmp.Compare(a.Intent, b.Intent))
	})
	return s
}

// missed gathers from the ledger what was not understood, the newest first, each sentence of a
// person once, and says at how many decisions it has looked.
func (e *Engine) missed(ctx context.Context, workspaceID string, since time.Time, plan *need.Plan) (all []missed, looked int, err error) {
	type saidBy struct{ who, plain string }
	said := map[saidBy]bool{}
	understood := map[string]bool{} // by now, by plain text
	private := map[string][]string{}
	q := ledger.Query{Workspace: workspaceID, From: since, Limit: pastPage}
	for looked < MostPast && len(all) < 2*cluster.Most {
		page, err := e.Store.Decisions(ctx, q)
		if err != nil {
			return nil, looked, err
		}
		for i := range page {
			entry := &page[i]
			looked++
			var rec struct {
				Answer answered `json:"answer"`
			}
			if len(entry.Bytes) == 0 || json.Unmarshal(entry.Bytes, &rec) != nil {
				continue // erased, or of a time before this form
			}
			for k := range rec.Answer.Needs {
				n := &rec.Answer.Needs[k]
				if n.Origin != need.Spoken || n.Negated || len(n.Attachments) > 0 || n.Intent != "" && len(n.Readings) == 0 || utf8.RuneCountInString(strings.TrimSpace(n.Text)) < 2 {
					continue
				}
				names, ok := private[entry.Person]
				if !ok {
					if names, err = e.namesOf(ctx, workspaceID, entry.Person); err != nil {
						return nil, looked, err
					}
					private[entry.Person] = names
				}
				m := missed{phrase: SuggestedPhrase{Text: veil.Conceal(n.Text, names), Decision: entry.ID}, who: entry.Person, at: entry.At}
				plain := text.Plain(m.phrase.Text)
				if by := (saidBy{m.who, plain}); said[by] || plain == "" {
					continue
				} else {
					said[by] = true
				}
				clear, ok := understood[plain]
				if !ok {
					clear = understands(plan, n.Text, entry.At)
					understood[plain] = clear
				}
				if clear {
					continue
				}
				if len(n.Readings) > 0 {
					m.taken = n.Readings[0].Intent
				}
				m.phrase.Lang = scene.Chinese
				if l, ok := scene.LocaleOf(m.phrase.Text); ok {
					m.phrase.Lang = l
				}
				all = append(all, m)
			}
		}
		if len(page) < q.Limit {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	return all, looked, nil
}

// understands tells whether a sentence that was not understood is by now.
func understands(plan *need.Plan, words string, at time.Time) bool {
	r := plan.Recognise(need.Enquiry{Text: words}, profile.New("", nil), scene.Scene{Time: at}, need.NoNames{})
	if len(r.Needs) == 0 {
		return true // a courtesy
	}
	return !slices.ContainsFunc(r.Needs, func(n need.Need) bool { return n.Origin == need.Spoken && (n.Intent == "" || len(n.Readings) > 0) })
}

// namesOf lists what names a person, whose decision is logged.
func (e *Engine) namesOf(ctx context.Context, workspaceID, person string) ([]string, error) {
	p, known, err := e.Store.PersonByID(ctx, workspaceID, identity.PersonID(person))
	if err != nil || !known {
		return nil, err
	}
	who, err := e.Profile(ctx, Scope{Workspace: workspaceID, Person: p.ID, Keys: p.Keys})
	if err != nil {
		return nil, fmt.Errorf("profile of %s: %w", p.ID, err)
	}
	return private(p.Keys, who), nil
}

// DraftIntent makes a draft of the strategy in force with a new intent in it, whose examples are the
// sentences of a suggestion. ErrNotFound when it is not suggested any more, ErrState when the label is
// taken.
func (e *Engine) DraftIntent(ctx context.Context, workspaceID, id string, since time.Time, label string, title candidate.Text, by strategy.Actor) (strategy.Source, error) {
	t, err := e.tenant(workspaceID)
	if err != nil {
		return strategy.Source{}, err
	}
	all, err := e.SuggestIntents(ctx, workspaceID, since)
	if err != nil {
		return strategy.Source{}, err
	}
	i := slices.IndexFunc(all.Items, func(s IntentSuggestion) bool { return s.ID == id })
	if i < 0 {
		return strategy.Source{}, fmt.Errorf("suggested intent %q: %w", id, ErrNotFound)
	}
	v := t.current.Load()
	if slices.Contains(v.Need.Labels(), label) {
		return strategy.Source{}, fmt.Errorf("there is an intent %q already: %w", label, ErrState)
	}
	var examples []Example
	for _, x := range all.Items[i].texts {
		examples = append(examples, Example{Text: x.Text, Intent: label, Lang: x.Lang})
	}
	file, err := learned(examples, map[string]candidate.Text{label: title})
	if err != nil {
		return strategy.Source{}, err
	}
	return e.Draft(ctx, workspaceID, strategy.Source{
		Base: v.Number, Files: map[string]string{"suggested." + label + ".yaml": file}, Note: fmt.Sprintf("%s, from %d sentences of %d people", label, len(examples), all.Items[i].People),
	}, by)
}
