package api

import (
	"context"
	"net/http"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

// teacher learns from the workspace's own sentences.
type teacher interface {
	// Candidates lists sentences that wait for a label, by id, beginning behind one.
	Candidates(ctx context.Context, workspace, after string, limit int) ([]engine.Candidate, error)
	// Judge makes an example of one, or with intent "" throws it away; engine.ErrNotFound.
	Judge(ctx context.Context, workspace, id, intent string) error
	// AddExamples keeps labelled sentences; engine.ErrState when one cannot be.
	AddExamples(ctx context.Context, workspace string, all []engine.Example) (total int, err error)
	// Teach trains on them and puts the classifier in force as a new version.
	Teach(ctx context.Context, workspace string) (strategy.Source, error)
}

// LabelledSentences are sentences of the workspace's own.
type LabelledSentences struct {
	Examples []LabelledSentence `json:"examples" minItems:"1" maxItems:"2000"`
}

// LabelledSentence is one sentence and what it expresses.
type LabelledSentence struct {
	Text   string `json:"text" minLength:"1" maxLength:"1000"`
	Intent string `json:"intent" minLength:"1" maxLength:"200"`
	Lang   string `json:"lang,omitempty" enum:"zh-CN,en" doc:"The text's own when missing."`
}

// ExamplesKept says how many of its own examples a workspace has.
type ExamplesKept struct {
	Examples int `json:"examples"`
}

// TrainingCandidate is a sentence that the classifier and the language model took for different things.
type TrainingCandidate struct {
	ID       string `json:"id"`
	Text     string `json:"text" doc:"Without what names the customer."`
	Lang     string `json:"lang"`
	Taken    string `json:"taken" doc:"By the classifier."`
	Proposed string `json:"proposed" doc:"By the language model."`
	Decision string `json:"decision"`
}

// CandidateVerdict says what a sentence means.
type CandidateVerdict struct {
	Intent string `json:"intent" maxLength:"200" doc:"Empty: nothing is to be learned from it."`
}

func (s *server) teachingRoutes() {
	add(s, route{method: "POST", path: "/v1/examples", tag: "Learning", who: secretKey, limit: 4 << 20, summary: "Keep labelled sentences of the workspace's own; they are learned from by POST /v1/classifier."}, func(c *call, in *LabelledSentences) (ExamplesKept, error) {
		all := make([]engine.Example, len(in.Examples))
		for i, x := range in.Examples {
			all[i] = engine.Example{Text: x.Text, Intent: x.Intent, Lang: scene.Locale(x.Lang)}
		}
		n, err := s.Engine.AddExamples(c.context(), c.workspace.ID, all)
		return ExamplesKept{n}, err
	})
	add(s, route{method: "GET", path: "/v1/training-candidates", tag: "Learning", who: secretKey, query: pageQuery, summary: "Sentences that the classifier and the language model took for different things."}, func(c *call, _ *none) (Page[TrainingCandidate], error) {
		limit, after, err := page(c.r)
		if err != nil {
			return Page[TrainingCandidate]{}, err
		}
		found, err := s.Engine.Candidates(c.context(), c.workspace.ID, after, limit+1)
		if err != nil {
			return Page[TrainingCandidate]{}, err
		}
		all := make([]TrainingCandidate, len(found))
		for i, x := range found {
			all[i] = TrainingCandidate{x.ID, x.Text, string(x.Lang), x.Taken, x.Proposed, x.Decision}
		}
		return paged(all, limit, func(x TrainingCandidate) string { return x.ID }), nil
	})
	add(s, route{method: "POST", path: "/v1/training-candidates/{id}", tag: "Learning", who: secretKey, summary: "Say what a sentence means, or that nothing is to be learned from it."}, func(c *call, in *CandidateVerdict) (struct{}, error) {
		id, err := idOf(c.r, "id")
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.Engine.Judge(c.context(), c.workspace.ID, id, in.Intent)
	})
	add(s, route{method: "POST", path: "/v1/classifier", tag: "Learning", who: secretKey, status: http.StatusCreated, optional: true, summary: "Train on the packs' sentences and the workspace's own, and publish the result as a new version."}, func(c *call, _ *none) (Strategy, error) {
		v, err := s.Engine.Teach(c.context(), c.workspace.ID)
		if err != nil {
			return Strategy{}, err
		}
		return s.strategy(c, v.Number)
	})
}
