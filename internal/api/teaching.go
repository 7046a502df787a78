package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/need/classify"
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
	// LabelNeed makes an example of a need of a logged decision; engine.ErrNotFound, engine.ErrState.
	LabelNeed(ctx context.Context, workspace, decision, need, intent string) (total int, err error)
	// Teach trains on them and puts the classifier in force as a new version.
	Teach(ctx context.Context, workspace string, by strategy.Actor) (strategy.Source, error)
	// Quality cross-validates the sentences of the version in force.
	Quality(ctx context.Context, workspace string) (classify.Quality, error)
	// SuggestIntents groups what was not understood since a time.
	SuggestIntents(ctx context.Context, workspace string, since time.Time) (engine.IntentSuggestions, error)
	// DraftIntent makes a draft with an intent of one group; engine.ErrNotFound, engine.ErrState.
	DraftIntent(ctx context.Context, workspace, id string, since time.Time, label string, title candidate.Text, by strategy.Actor) (strategy.Source, error)
	// Liking tells of the embeddings beside the classifier; ok is false without any.
	Liking(workspace string) (l engine.Liking, ok bool, err error)
}

// ClassifierQuality is what cross-validation says of the sentences in force.
type ClassifierQuality struct {
	Folds          int                `json:"folds"`
	Accuracy       float64            `json:"accuracy" doc:"Share of sentences told right by a model that has not seen them."`
	Intents        []IntentQuality    `json:"intents" doc:"The weakest first; \"-\" is what is no shop's matter."`
	Confused       []ConfusedIntents  `json:"confused" doc:"The most frequent first, at most 100."`
	Duplicates     []RepeatedSentence `json:"duplicates"`
	Contradictions []RepeatedSentence `json:"contradictions" doc:"One sentence under several intents."`
	Doubtful       []DoubtfulSentence `json:"doubtful" doc:"Sentences that look like another intent's, the clearest first, at most 100."`
	Embeddings     *EmbeddingsQuality `json:"embeddings,omitempty" doc:"What embeddings beside the classifier add; missing while there are none."`
}

// EmbeddingsQuality is what embeddings are good for, on sentences held out.
type EmbeddingsQuality struct {
	Model     string  `json:"model"`
	Weight    float64 `json:"weight" doc:"0: they do not help, and are not asked."`
	Sentences int     `json:"sentences"`
	Alone     float64 `json:"alone" doc:"Share that the classifier tells right by itself."`
	Joined    float64 `json:"joined" doc:"The same with the embeddings."`
	Only      float64 `json:"only" doc:"The same by the embeddings alone."`
}

// IntentQuality is one intent's.
type IntentQuality struct {
	Intent    string  `json:"intent"`
	Examples  int     `json:"examples"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// ConfusedIntents are two intents of which one is taken for the other.
type ConfusedIntents struct {
	Meant string   `json:"meant"`
	Taken string   `json:"taken"`
	Count int      `json:"count"`
	Texts []string `json:"texts"`
}

// RepeatedSentence is a sentence that is there several times.
type RepeatedSentence struct {
	Text    string   `json:"text" doc:"In plain form."`
	Times   int      `json:"times"`
	Intents []string `json:"intents"`
}

// DoubtfulSentence is one whose label may be wrong.
type DoubtfulSentence struct {
	Text   string `json:"text"`
	Intent string `json:"intent"`
	Taken  string `json:"taken"`
}

// QualityOf is a report of the classifier as it leaves the house.
func QualityOf(q *classify.Quality) ClassifierQuality {
	out := ClassifierQuality{Folds: q.Folds, Accuracy: q.Accuracy, Intents: []IntentQuality{}, Confused: []ConfusedIntents{}, Doubtful: []DoubtfulSentence{}}
	for _, x := range q.Intents {
		out.Intents = append(out.Intents, IntentQuality(x))
	}
	for _, x := range q.Confused[:min(len(q.Confused), 100)] {
		out.Confused = append(out.Confused, ConfusedIntents(x))
	}
	for _, x := range q.Doubtful[:min(len(q.Doubtful), 100)] {
		out.Doubtful = append(out.Doubtful, DoubtfulSentence{x.Text, x.Intent, x.Taken})
	}
	repeated := func(all []classify.Repeated) []RepeatedSentence {
		r := []RepeatedSentence{}
		for _, x := range all {
			r = append(r, RepeatedSentence{x.Plain, len(x.Examples), x.Intents})
		}
		return r
	}
	out.Duplicates, out.Contradictions = repeated(q.Duplicates), repeated(q.Contradictions)
	return out
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

// NeedLabel says what a need of a decision was.
type NeedLabel struct {
	Need   string `json:"need" minLength:"1" maxLength:"20" doc:"Its id, such as n1."`
	Intent string `json:"intent" minLength:"1" maxLength:"200"`
}

// TrainingCandidate is a sentence that the classifier and the language model took for different things, or of
// which a customer said what they had meant.
type TrainingCandidate struct {
	ID       string `json:"id"`
	Text     string `json:"text" doc:"Without what names the customer."`
	Lang     string `json:"lang"`
	Taken    string `json:"taken" doc:"By the classifier."`
	Proposed string `json:"proposed"`
	By       string `json:"by" enum:"model,customer" doc:"Who proposes it: the language model, or the customer who was asked back."`
	Decision string `json:"decision"`
}

// CandidateVerdict says what a sentence means.
type CandidateVerdict struct {
	Intent string `json:"intent" maxLength:"200" doc:"Empty: nothing is to be learned from it."`
}

// NewIntent names an intent that a suggestion becomes.
type NewIntent struct {
	Intent string         `json:"intent" minLength:"3" maxLength:"100" pattern:"^[a-z][a-z0-9_]*\\.[a-z][a-z0-9_]*$" doc:"Such as service.engraving."`
	Title  candidate.Text `json:"title" doc:"What customers and colleagues read."`
}

// suggestedSince reads how far back what was not understood is looked for.
func (s *server) suggestedSince(r *http.Request) (time.Time, error) {
	text := r.URL.Query().Get("since")
	if text == "" {
		return s.now().AddDate(0, 0, -30), nil
	}
	since, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return since, refuse(http.StatusBadRequest, "bad_timestamp")
	}
	return since, nil
}

func (s *server) teachingRoutes() {
	sinceQuery := []string{"since: RFC 3339; 30 days back when missing"}
	add(s, route{method: "GET", path: "/v1/intent-suggestions", tag: "Learning", who: secretKey, query: sinceQuery, summary: "What customers ask about again and again and no intent is for: rejected and doubtful sentences in groups, without what names anybody."}, func(c *call, _ *none) (engine.IntentSuggestions, error) {
		since, err := s.suggestedSince(c.r)
		if err != nil {
			return engine.IntentSuggestions{}, err
		}
		return s.Engine.SuggestIntents(c.context(), c.workspace.ID, since)
	})
	add(s, route{method: "POST", path: "/v1/intent-suggestions/{id}", tag: "Learning", who: secretKey, status: http.StatusCreated, query: sinceQuery, summary: "Make a draft with a new intent whose examples are the sentences of a suggestion."}, func(c *call, in *NewIntent) (Strategy, error) {
		id, err := idOf(c.r, "id")
		if err != nil {
			return Strategy{}, err
		}
		since, err := s.suggestedSince(c.r)
		if err != nil {
			return Strategy{}, err
		}
		v, err := s.Engine.DraftIntent(c.context(), c.workspace.ID, id, since, in.Intent, in.Title, s.actor(c))
		if err != nil {
			return Strategy{}, err
		}
		return s.versionOf(c, v, 0), nil
	})
	add(s, route{method: "POST", path: "/v1/examples", tag: "Learning", who: secretKey, limit: 4 << 20, summary: "Keep labelled sentences of the workspace's own; they are learned from by POST /v1/classifier."}, func(c *call, in *LabelledSentences) (ExamplesKept, error) {
		all := make([]engine.Example, len(in.Examples))
		for i, x := range in.Examples {
			all[i] = engine.Example{Text: x.Text, Intent: x.Intent, Lang: scene.Locale(x.Lang)}
		}
		n, err := s.Engine.AddExamples(c.context(), c.workspace.ID, all)
		return ExamplesKept{n}, err
	})
	add(s, route{method: "POST", path: "/v1/decisions/{id}/labels", tag: "Learning", who: secretKey, summary: "Say what a need of a decision was: its words become an example of the workspace's own."}, func(c *call, in *NeedLabel) (ExamplesKept, error) {
		n, err := s.Engine.LabelNeed(c.context(), c.workspace.ID, c.r.PathValue("id"), in.Need, in.Intent)
		return ExamplesKept{n}, err
	})
	add(s, route{method: "GET", path: "/v1/training-candidates", tag: "Learning", who: secretKey, query: pageQuery, summary: "Sentences that wait for a label: the language model, or the customer who was asked back, takes them for something."}, func(c *call, _ *none) (Page[TrainingCandidate], error) {
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
			all[i] = TrainingCandidate{x.ID, x.Text, string(x.Lang), x.Taken, x.Proposed, cmp.Or(x.By, "model"), x.Decision}
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
	add(s, route{method: "GET", path: "/v1/classifier", tag: "Learning", who: secretKey, summary: "How well each intent is told from the others, by cross-validation; takes seconds."}, func(c *call, _ *none) (ClassifierQuality, error) {
		q, err := s.Engine.Quality(c.context(), c.workspace.ID)
		if err != nil {
			return ClassifierQuality{}, err
		}
		out := QualityOf(&q)
		l, ok, err := s.Engine.Liking(c.workspace.ID)
		if ok {
			out.Embeddings = &EmbeddingsQuality{l.Model, l.Weight, l.About.Sentences, l.About.Alone, l.About.Joined, l.About.Head}
		}
		return out, err
	})
	add(s, route{method: "POST", path: "/v1/classifier", tag: "Learning", who: secretKey, status: http.StatusCreated, optional: true, summary: "Train on the packs' sentences and the workspace's own, and publish the result as a new version."}, func(c *call, _ *none) (Strategy, error) {
		v, err := s.Engine.Teach(c.context(), c.workspace.ID, s.actor(c))
		if err != nil {
			return Strategy{}, refusedStrategy(err)
		}
		return s.strategy(c, v.Number)
	})
}
