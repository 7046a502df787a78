package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/veil"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// Example is a sentence of the workspace's own that somebody has labelled.
type Example struct {
	Text   string       `json:"text"`
	Intent string       `json:"intent"`
	Lang   scene.Locale `json:"lang"`

	Keys []identity.Key `json:"keys,omitempty"` // whose words they are, for their erasure
}

// MostExamples bounds the workspace's own examples.
const MostExamples = 20000

const (
	paperExample = "training-example"
	learnedFile  = "learned.yaml" // of a strategy: the workspace's own examples
)

// Candidates lists the sentences that wait for a label, by id, beginning behind one.
func (e *Engine) Candidates(ctx context.Context, workspaceID, after string, limit int) ([]Candidate, error) {
	return papersOf[Candidate](ctx, e, workspaceID, paperCandidate, after, limit)
}

// Examples lists the workspace's own examples.
func (e *Engine) Examples(ctx context.Context, workspaceID string) ([]Example, error) {
	return papersOf[Example](ctx, e, workspaceID, paperExample, "", MostExamples)
}

func papersOf[T any](ctx context.Context, e *Engine, workspaceID, kind, after string, limit int) ([]T, error) {
	if e.Papers == nil {
		return nil, nil
	}
	papers, err := e.Papers.Papers(ctx, workspaceID, kind, after, limit)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(papers))
	for i, p := range papers {
		if err := json.Unmarshal(p.Body, &all[i]); err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, p.ID, err)
		}
	}
	return all, nil
}

// Judge decides on a candidate: with an intent it becomes an example, without one it
// is thrown away. ErrNotFound when it does not wait any more.
func (e *Engine) Judge(ctx context.Context, workspaceID, id, intent string) error {
	all, err := e.Candidates(ctx, workspaceID, "", MostCandidates)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(c Candidate) bool { return c.ID == id })
	if i < 0 {
		return fmt.Errorf("training candidate %q: %w", id, ErrNotFound)
	}
	if intent != "" {
		if _, err := e.AddExamples(ctx, workspaceID, []Example{{Text: all[i].Text, Intent: intent, Lang: all[i].Lang, Keys: all[i].Keys}}); err != nil {
			return err
		}
	}
	return e.Papers.SavePapers(ctx, workspaceID, []workspace.Paper{{Kind: paperCandidate, ID: id}})
}

// AddExamples keeps labelled sentences, without what looks like a customer's name or
// number. They teach nothing until Teach. The same sentence with another label takes
// the newer one. It says how many there are; ErrState when one's intent is unknown or
// there would be too many.
func (e *Engine) AddExamples(ctx context.Context, workspaceID string, examples []Example) (total int, err error) {
	t, err := e.tenant(workspaceID)
	if err != nil {
		return 0, err
	}
	v := t.current.Load()
	if v == nil || e.Papers == nil {
		return 0, fmt.Errorf("examples of %s: %w", workspaceID, ErrNoStrategy)
	}
	labels := v.Need.Labels()
	papers := make([]workspace.Paper, 0, len(examples))
	for i, x := range examples {
		x.Text = veil.Conceal(x.Text, nil)
		if !slices.Contains(labels, x.Intent) || x.Text == "" {
			return 0, fmt.Errorf("example %d is empty or of intent %q, which the strategy does not know: %w", i+1, x.Intent, ErrState)
		}
		if x.Lang == "" {
			x.Lang, _ = scene.LocaleOf(x.Text)
		}
		if x.Lang != scene.English {
			x.Lang = scene.Chinese
		}
		sum := sha256.Sum256([]byte(strings.ToLower(x.Text)))
		body, err := json.Marshal(x)
		if err != nil {
			return 0, err
		}
		papers = append(papers, workspace.Paper{Kind: paperExample, ID: hex.EncodeToString(sum[:12]), Body: body})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	there, err := e.Examples(ctx, workspaceID)
	if err != nil {
		return 0, err
	}
	if len(there)+len(papers) > MostExamples {
		return len(there), fmt.Errorf("%d examples are kept, %d more are too many: %w", len(there), len(papers), ErrState)
	}
	if err := e.Papers.SavePapers(ctx, workspaceID, papers); err != nil {
		return 0, err
	}
	there, err = e.Examples(ctx, workspaceID)
	return len(there), err
}

// LabelNeed keeps the words of a need of a logged decision as an example of an intent,
// without what names the customer. ErrNotFound when there is no such need with words of
// its own, ErrState as for AddExamples.
func (e *Engine) LabelNeed(ctx context.Context, workspaceID, decision, id, intent string) (total int, err error) {
	_, rec, err := e.recall(ctx, workspaceID, decision)
	if err != nil {
		return 0, err
	}
	var was answered
	if err := json.Unmarshal(rec.Answer, &was); err != nil {
		return 0, fmt.Errorf("decision %s: %w", decision, err)
	}
	i := slices.IndexFunc(was.Needs, func(n need.Need) bool { return n.ID == id && n.Origin == need.Spoken })
	if i < 0 {
		return 0, fmt.Errorf("spoken need %q of decision %s: %w", id, decision, ErrNotFound)
	}
	names, err := e.namesOf(ctx, workspaceID, string(rec.Inputs.Person))
	if err != nil {
		return 0, err
	}
	return e.AddExamples(ctx, workspaceID, []Example{{Text: veil.Conceal(was.Needs[i].Text, names), Intent: intent, Keys: rec.Inputs.Keys}})
}

// Teach trains the classifier on the packs' sentences and the workspace's own, and
// puts it in force as a new version of the strategy, for the next decision. What the
// cases of the packs say must still hold, else nothing changes.
func (e *Engine) Teach(ctx context.Context, workspaceID string, by strategy.Actor) (strategy.Source, error) {
	_, v, err := e.inForce(workspaceID)
	if err != nil {
		return strategy.Source{}, err
	}
	examples, err := e.Examples(ctx, workspaceID)
	if err != nil {
		return strategy.Source{}, err
	}
	if len(examples) == 0 {
		return strategy.Source{}, fmt.Errorf("there are no examples to learn from: %w", ErrState)
	}
	file, err := learned(examples, v.Treatment.Titles)
	if err != nil {
		return strategy.Source{}, err
	}
	s, err := e.Draft(ctx, workspaceID, strategy.Source{Base: v.Number, Files: map[string]string{learnedFile: file}}, by)
	if err != nil {
		return s, err
	}
	return e.Publish(ctx, workspaceID, s.Number, Publication{Note: "learned from " + candidate.Counted(strconv.Itoa(len(examples)), "example|examples"), By: by})
}

// Quality is what five-fold cross-validation says of the sentences behind the
// classifier in force: seconds of work, done one at a time in a workspace.
func (e *Engine) Quality(ctx context.Context, workspaceID string) (q classify.Quality, err error) {
	t, v, err := e.inForce(workspaceID)
	if err != nil {
		return q, err
	}
	s, err := e.source(ctx, workspaceID, v.Number)
	if err != nil {
		return q, err
	}
	t.measuring.Lock()
	defer t.measuring.Unlock()
	return classify.CrossValidate(ctx, e.Compiler.Sentences(s), 5, classify.Options{Seed: 2026})
}

// learned writes examples as a file of a strategy: JSON, which YAML can read.
func learned(examples []Example, titles map[string]candidate.Text) (string, error) {
	type intent struct {
		Intent   string              `json:"intent"`
		Title    candidate.Text      `json:"title"`
		Examples map[string][]string `json:"examples"`
	}
	var all []*intent
	at := map[string]*intent{}
	for _, x := range examples {
		in := at[x.Intent]
		if in == nil {
			in = &intent{x.Intent, titles[x.Intent], map[string][]string{"zh": {}, "en": {}}}
			at[x.Intent], all = in, append(all, in)
		}
		l := "zh"
		if x.Lang == scene.English {
			l = "en"
		}
		in.Examples[l] = append(in.Examples[l], x.Text)
	}
	slices.SortFunc(all, func(a, b *intent) int { return strings.Compare(a.Intent, b.Intent) })
	b, err := json.MarshalIndent(map[string]any{"intents": all}, "", " ")
	return string(b), err
}

// forgetWords throws away the candidates and examples that are an erased person's words.
func (e *Engine) forgetWords(ctx context.Context, workspaceID string, keys []identity.Key) error {
	if e.Papers == nil {
		return nil
	}
	for _, kind := range []string{paperCandidate, paperExample} {
		papers, err := e.Papers.Papers(ctx, workspaceID, kind, "", MostExamples)
		if err != nil {
			return err
		}
		var gone []workspace.Paper
		for _, p := range papers {
			var of struct{ Keys []identity.Key }
			if json.Unmarshal(p.Body, &of) == nil && slices.ContainsFunc(of.Keys, func(k identity.Key) bool { return slices.Contains(keys, k) }) {
				gone = append(gone, workspace.Paper{Kind: kind, ID: p.ID})
			}
		}
		if err := e.Papers.SavePapers(ctx, workspaceID, gone); err != nil {
			return err
		}
	}
	return nil
}
