package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/profile"
)

// Decision reads a decision back as it was answered.
func (e *Engine) Decision(ctx context.Context, workspace, id string) (json.RawMessage, ledger.Entry, error) {
	entry, rec, err := e.recall(ctx, workspace, id)
	return rec.Answer, entry, err
}

// Decisions lists ledger entries, newest first; their Bytes are the answers.
func (e *Engine) Decisions(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) {
	all, err := e.Store.Decisions(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range all {
		var rec struct {
			Answer json.RawMessage `json:"answer"`
		}
		if len(all[i].Bytes) == 0 {
			continue
		}
		if err := json.Unmarshal(all[i].Bytes, &rec); err != nil {
			return nil, fmt.Errorf("ledger entry %s: %w", all[i].ID, err)
		}
		all[i].Bytes = rec.Answer
	}
	return all, nil
}

func (e *Engine) recall(ctx context.Context, workspace, id string) (ledger.Entry, record, error) {
	var rec record
	entry, ok, err := e.Store.Decision(ctx, workspace, id)
	if err != nil {
		return entry, rec, fmt.Errorf("decision %s: %w", id, err)
	}
	if !ok {
		return entry, rec, fmt.Errorf("decision %s: %w", id, ErrNotFound)
	}
	if len(entry.Bytes) == 0 {
		return entry, rec, fmt.Errorf("decision %s: %w", id, ErrGone)
	}
	if err := json.Unmarshal(entry.Bytes, &rec); err != nil {
		return entry, rec, fmt.Errorf("ledger entry %s: %w", id, err)
	}
	return entry, rec, nil
}

// revisit reads again what a stored decision rested on: the log up to its
// position, the shelf at its revision, the version it was made under.
func (e *Engine) revisit(ctx context.Context, workspace string, in *Inputs, without []event.ID) (moment, error) {
	var m moment
	t, err := e.tenant(workspace)
	if err != nil {
		return m, err
	}
	m.sources = t.sources
	if m.version, err = e.version(ctx, t, in.Strategy); err != nil {
		return m, err
	}
	if m.model, err = e.model(ctx, t, in.Model); err != nil {
		return m, err
	}
	if m.foresight, err = e.foresightOf(ctx, t, in.Foresight); err != nil {
		return m, err
	}
	m.who = profile.New(in.Person, in.Keys)
	if len(in.Keys) > 0 {
		s := Scope{Workspace: workspace, Keys: in.Keys, Person: in.Person, UpTo: max(in.Position, 1), Without: without}
		if m.who, err = e.Store.Profile(ctx, s); err != nil {
			return m, fmt.Errorf("profile of %s at %d: %w", in.Person, in.Position, err)
		}
	}
	if m.who, err = e.homeAgain(ctx, workspace, m.version, m.who, in.Members, without); err != nil {
		return m, err
	}
	if b := in.Behalf; b != nil {
		other, err := e.Store.Profile(ctx, Scope{Workspace: workspace, Keys: b.Keys, Person: b.Person, UpTo: max(b.Position, 1), Without: without})
		if err != nil {
			return m, fmt.Errorf("profile of %s at %d: %w", b.Person, b.Position, err)
		}
		m.ask(in.Scene.Time, other)
	}
	if m.catalogue, err = e.Store.Catalogue(ctx, workspace, max(in.Catalogue, 1)); err != nil {
		return m, fmt.Errorf("catalogue at %d: %w", in.Catalogue, err)
	}
	m.catalogue = m.version.Candidate.Attributes.Over(m.catalogue)
	return m, nil
}

// Replay makes a stored decision again, as it was or with something changed.
// Nothing is stored, learned or counted. Without a change it decides from the
// stored results of the sources; with one, the sources are asked again at the
// stored revision, while what other people did stays as it was recorded.
func (e *Engine) Replay(ctx context.Context, workspace, id string, v Variation) (*Replayed, error) {
	_, rec, err := e.recall(ctx, workspace, id)
	if err != nil {
		return nil, err
	}
	in := rec.Inputs
	if v.StrategyVersion != 0 {
		in.Strategy = v.StrategyVersion
	}
	m, err := e.revisit(ctx, workspace, &in, nil)
	if err != nil {
		return nil, err
	}
	if !v.IsZero() {
		out, err := leaveOut(v.Without, m.who)
		if err != nil {
			return nil, err
		}
		if len(out.events) > 0 {
			if m, err = e.revisit(ctx, workspace, &in, out.events); err != nil {
				return nil, err
			}
		}
		if v.Personalization != "" {
			in.Personal = v.Personalization == "on"
		}
		m.catalogue = out.hide(m.catalogue)
		m.sources = candidate.Recorded(m.sources, rec.Inputs.Results, out.refs)
		in.Results = nil
	}
	w := e.walk(ctx, &in, m)
	again, err := encode(assemble(id, &in, m, &w))
	if err != nil {
		return nil, err
	}
	out := &Replayed{Identical: bytes.Equal(again, rec.Answer), Decision: again}
	if out.Identical && v.IsZero() {
		out.Identical = w.decision.Digest() == rec.Decided
	}
	if !out.Identical {
		out.Changed = differences(rec.Answer, again)
		if len(out.Changed) == 0 {
			out.Changed = []string{"/explanation"}
		}
	}
	return out, nil
}

// omission is evidence that a replay leaves out.
type omission struct {
	events []event.ID     // folded away
	refs   []evidence.Ref // hidden from the shelf and the recorded results
}

// leaveOut reads refs. A record of the person (order, case, trait …) is left out
// by leaving out the events that made it.
func leaveOut(refs []string, who *profile.Profile) (omission, error) {
	var o omission
	for _, text := range refs {
		r, _ := Unqualified(evidence.Ref(text))
		switch kind := r.Kind(); {
		case kind == evidence.Event:
			id, ok := event.ParseID(string(r))
			if !ok {
				return o, fmt.Errorf("evidence %q: %w", text, ErrNotFound)
			}
			o.events = append(o.events, id)
		case kind == "":
			return o, fmt.Errorf("evidence %q: %w", text, ErrNotFound)
		case slices.Contains(personal, kind):
			for _, ev := range who.Sources(r) {
				if id, ok := event.ParseID(string(ev)); ok {
					o.events = append(o.events, id)
				}
			}
		default:
			o.refs = append(o.refs, r)
		}
	}
	return o, nil
}

// hide takes items and articles from a shelf.
func (o omission) hide(v candidate.View) candidate.View {
	if len(o.refs) == 0 {
		return v
	}
	return candidate.Without(v, o.refs)
}

// mostDifferences bounds the list of a replay's changed fields.
const mostDifferences = 64

// differences lists the JSON pointers at which two documents differ, outermost
// first, stopping where one side has something the other has not.
func differences(a, b []byte) []string {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return []string{""}
	}
	var out []string
	differ("", x, y, &out)
	return out
}

func differ(at string, x, y any, out *[]string) {
	if len(*out) >= mostDifferences {
		return
	}
	switch x := x.(type) {
	case map[string]any:
		if y, ok := y.(map[string]any); ok {
			for _, k := range keysOf(x, y) {
				differ(at+"/"+k, x[k], y[k], out)
			}
			return
		}
	case []any:
		if y, ok := y.([]any); ok {
			for i := range max(len(x), len(y)) {
				where := fmt.Sprintf("%s/%d", at, i)
				if i >= len(x) || i >= len(y) {
					*out = append(*out, where)
					continue
				}
				differ(where, x[i], y[i], out)
			}
			return
		}
	}
	if !sameJSON(x, y) {
		*out = append(*out, at)
	}
}

func sameJSON(x, y any) bool {
	a, _ := json.Marshal(x)
	b, _ := json.Marshal(y)
	return bytes.Equal(a, b)
}

func keysOf(x, y map[string]any) []string {
	var keys []string
	for k := range x {
		keys = append(keys, k)
	}
	for k := range y {
		if _, ok := x[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
