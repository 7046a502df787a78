package engine

import (
	"context"
	"strconv"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/treatment"
)

// Explanation tells why a stored decision came out as it did. It makes the
// decision again from its inputs, so it is the computation and no story; locale
// "" keeps the language of the answer.
func (e *Engine) Explanation(ctx context.Context, workspace, id string, locale scene.Locale) (*Explanation, error) {
	_, rec, err := e.recall(ctx, workspace, id)
	if err != nil {
		return nil, err
	}
	in := rec.Inputs
	m, err := e.revisit(ctx, workspace, &in, nil)
	if err != nil {
		return nil, err
	}
	w := e.walk(ctx, &in, m)
	if locale != "" {
		in.Scene.Locale = locale
	}
	return e.explain(&in, m, &w, &Answer{ID: id})
}

// explain puts a walk into words and names its evidence as the answer does, going
// on where the answer's table ends.
func (e *Engine) explain(in *Inputs, m moment, w *walked, a *Answer) (*Explanation, error) {
	n := namer{in: in, moment: m}
	n.needs(w.solution.Needs)
	n.blocks(w.solution.Blocks)
	n.actions(w.solution.Actions)
	l := in.Scene.Locale
	x := &Explanation{
		Decision: a.ID, Needs: []ExplainedNeed{}, Chosen: []ExplainedChoice{}, Rejected: []ExplainedRejection{},
		Counterfactuals: []Counterfactual{}, Draw: w.decision.Draw,
		Procedure: treatment.Procedure(treatment.Course{
			Proven: in.Asker.Proven, Personal: in.Personal, Keys: len(in.Keys), Events: m.who.Events,
			Decision: &w.decision, Results: in.Results, Strategy: in.Strategy, Plan: m.version.Treatment,
			Unasked: occasion(in, m), Foreseen: w.likeliest(in, m),
		}, in.Scene),
		Inputs: ExplainedInputs{
			Scene: in.Scene, Placement: in.Placement, Conversation: in.Conversation, Proven: in.Asker.Proven, Personal: in.Personal,
			LogPosition: in.Position, CatalogueVersion: in.Catalogue, StrategyVersion: in.Strategy,
			ModelVersions: modelVersions(in), ProfileDigest: in.Profile, Counsel: in.Counsel, Likes: in.Enquiry.Likes,
		},
	}
	for i := range w.solution.Needs {
		nd := &w.solution.Needs[i]
		chance, parts := w.why(nd.ID, &n)
		x.Needs = append(x.Needs, ExplainedNeed{ID: nd.ID, Title: m.version.Treatment.Title(nd.Intent, nd.Sub(), l), Chance: chance, Parts: parts})
	}
	for _, c := range w.decision.Chosen {
		choice := ExplainedChoice{
			Action: c.Action, Title: c.Title.In(l), Nature: c.Nature, Need: c.Need, Score: c.Score, Propensity: c.Propensity,
			Probability: c.Probability, Position: c.Position,
			Terms: n.terms(c.Terms), Parts: n.terms(c.Parts),
		}
		choice.Reasons = make([]treatment.Reason, len(c.Reasons))
		for j, r := range c.Reasons {
			choice.Reasons[j] = treatment.Reason{Text: r.Text.In(l), Evidence: n.all(r.Evidence)}
		}
		x.Chosen = append(x.Chosen, choice)
	}
	for _, r := range w.decision.Rejected {
		rejection := ExplainedRejection{
			Action: r.Action, Need: r.Need, Group: r.Group, Stage: r.Stage, Rule: r.Rule,
			Reason: r.Reason.In(l), Missing: r.Missing, Evidence: n.all(r.Evidence),
		}
		rejection.Title, rejection.Nature = r.Title.In(l), r.Nature
		if r.Stage == decision.Arbitration {
			score := r.Score
			rejection.Score = &score
		}
		x.Rejected = append(x.Rejected, rejection)
	}
	for _, c := range decision.Counterfactuals(m.version.Decision, w.input, w.decision) {
		x.Counterfactuals = append(x.Counterfactuals, Counterfactual{Change: c.Change.In(l), Outcome: c.Outcome.In(l)})
	}
	x.Evidence = n.table()
	return x, nil
}

func (n *namer) terms(in []candidate.Term) []ExplainedTerm {
	out := make([]ExplainedTerm, len(in))
	for i, t := range in {
		out[i] = ExplainedTerm{Name: t.Name, Value: t.Value, Evidence: n.all(t.Evidence)}
	}
	return out
}

// occasion names the signal that made Rapport speak by itself.
func occasion(in *Inputs, m moment) candidate.Text {
	if in.Unasked == nil || in.Unasked.Need != "" {
		return candidate.Text{}
	}
	if p, ok := m.version.Decision.Signals[in.Unasked.Signal]; ok {
		return p.Title
	}
	return candidate.Text{Zh: in.Unasked.Signal, En: in.Unasked.Signal}
}

// likeliest words the foreseen need that made Rapport speak by itself.
func (w *walked) likeliest(in *Inputs, m moment) (f treatment.Foreseen) {
	if in.Unasked == nil || in.Unasked.Need == "" {
		return f
	}
	f.Need, f.Model = m.version.Treatment.Title(in.Unasked.Need, "", in.Scene.Locale), in.Foresight
	if f.Need == "" {
		f.Need = in.Unasked.Need
	}
	if len(w.foreseen) > 0 {
		f.Chance = w.foreseen[0].Chance
	}
	return f
}

// modelVersions names the models that a decision rested on.
func modelVersions(in *Inputs) map[string]string {
	all := map[string]string{"intents": in.Digest}
	if in.Model > 0 {
		all[propensityModel] = strconv.FormatUint(in.Model, 10)
	}
	if in.Foresight > 0 {
		all[foresightModel] = strconv.FormatUint(in.Foresight, 10)
	}
	if in.Enquiry.Likes != nil {
		all[likenessModel] = in.Enquiry.Likes.Head
	}
	return all
}
