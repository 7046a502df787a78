package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/outcome"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

// house is an engine that keeps everything in memory and decides nothing: it
// answers each enquiry with the text it was asked. What it says of events, people
// and records is true.
type house struct {
	mu         sync.Mutex
	tenants    []engine.Workspace
	logs       map[string]*log
	shelves    candidate.Shelves
	strategies map[string][]strategy.Source
	current    map[string]int
	asked      []engine.Request
	desk       *conversation.Desk
	messages   int
	broken     error // what the store says when it fails
}

type log struct {
	events    []event.Event
	known     map[event.ID]bool
	graph     *identity.Graph
	decisions []ledger.Entry
}

func newHouse(tenants ...engine.Workspace) *house {
	return &house{desk: conversation.NewDesk(), tenants: tenants, logs: map[string]*log{}, strategies: map[string][]strategy.Source{}, current: map[string]int{}}
}

func (h *house) Attend(string, string, func(identity.Key) bool) func() { return func() {} }
func (h *house) Letters(string) []outbox.Letter                        { return nil }
func (h *house) Letter(string, string) (outbox.Letter, bool)           { return outbox.Letter{}, false }
func (h *house) SendAgain(context.Context, *outbox.Letter) error       { return nil }

func (h *house) Firings(context.Context, journal.FiringQuery) ([]journal.Firing, error) {
	return nil, nil
}

func (h *house) Greet(context.Context, engine.Request, identity.Key) (*engine.Answer, error) {
	return nil, nil
}

func (h *house) CatchUp(context.Context, string) error { return nil }

func (h *house) log(workspace string) *log {
	l := h.logs[workspace]
	if l == nil {
		l = &log{known: map[event.ID]bool{}, graph: identity.NewGraph(workspace)}
		h.logs[workspace] = l
	}
	return l
}

func (h *house) Observe(_ context.Context, workspace string, events []event.Event) (engine.Receipt, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return engine.Receipt{}, h.broken
	}
	l := h.log(workspace)
	r := engine.Receipt{Duplicates: make([]bool, len(events))}
	for i, e := range events {
		if l.known[e.ID] {
			r.Duplicates[i] = true
			continue
		}
		l.known[e.ID] = true
		l.events = append(l.events, e)
		l.graph.Observe(&e)
		if e.Kind == event.Record && e.UserID == "" && e.AnonymousID == "" {
			h.shelves.Follow(journal.Committed{Workspace: workspace, Position: uint64(len(l.events)), Event: &e})
		}
	}
	r.Position = uint64(len(l.events))
	return r, nil
}

func (h *house) Answer(ctx context.Context, r engine.Request) (*engine.Answer, error) {
	scope, err := h.Who(ctx, r.Workspace, r.Asker)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return nil, h.broken
	}
	h.asked = append(h.asked, r)
	l := h.log(r.Workspace)
	a := &engine.Answer{
		ID: fmt.Sprintf("dec_%s%04d", r.Workspace, len(l.decisions)+1), Person: engine.AnswerPerson{ID: string(scope.Person), Personalized: r.Asker.Proven},
		Locale: r.Scene.Locale, At: r.Scene.Time, Evidence: map[string]evidence.Record{}, Degraded: []candidate.Degraded{{Source: "llm", Reason: "unconfigured"}},
	}
	a.Blocks = append(a.Blocks, block(r.Enquiry.Text))
	body, _ := json.Marshal(a)
	asker := ""
	for _, k := range r.Asker.Keys {
		if r.Asker.Proven || k.Kind == "anon" {
			asker = k.String()
			break
		}
	}
	l.decisions = append(l.decisions, ledger.Entry{ID: a.ID, Workspace: r.Workspace, Person: string(scope.Person), Asker: asker, At: r.Scene.Time, Strategy: 1, Placement: r.Placement, Bytes: body})
	if r.Explain {
		a.Explanation = &engine.Explanation{Decision: a.ID}
	}
	return a, nil
}

func (h *house) Converse(ctx context.Context, r engine.Request, m engine.Message) (*engine.Answer, error) {
	a, err := h.Answer(ctx, r)
	if err != nil {
		return nil, err
	}
	said := func(n byte, name string, b conversation.Body) event.Event {
		b.Conversation = r.Conversation
		body, _ := json.Marshal(b)
		h.messages++
		e := event.Event{ID: event.ID{n, byte(h.messages)}, Kind: event.Track, Name: name, Time: a.At, Received: a.At, Body: body}
		if m.Key.Kind == "user" {
			e.UserID = m.Key.Value
		} else {
			e.AnonymousID = m.Key.Value
		}
		return e
	}
	events := []event.Event{
		said(1, conversation.Sent, conversation.Body{Text: r.Enquiry.Text}),
		said(2, conversation.Received, conversation.Body{Text: r.Enquiry.Text, Decision: a.ID}),
	}
	_, err = h.Observe(ctx, r.Workspace, events)
	for i := range events {
		h.desk.Follow(journal.Committed{Workspace: r.Workspace, Event: &events[i]})
	}
	return a, err
}

func (h *house) Reply(context.Context, string, string, string, engine.Move, event.ID) (engine.Talk, error) {
	return engine.Talk{}, engine.ErrNotFound
}

func (h *house) Accept(context.Context, string, string, engine.Move) (engine.Talk, error) {
	return engine.Talk{}, engine.ErrNotFound
}

func (h *house) HandBack(context.Context, string, string, engine.Move) (engine.Talk, error) {
	return engine.Talk{}, engine.ErrNotFound
}

func (h *house) Queue(context.Context, string, conversation.Phase) ([]engine.Waiting, error) {
	return nil, nil
}

func (h *house) Conversation(context.Context, string, string, []identity.Key, event.ID) (engine.Talk, []engine.Spoken, error) {
	return engine.Talk{}, nil, nil
}

func (h *house) Said(ctx context.Context, workspace string, en conversation.Entry) (engine.Spoken, error) {
	s := engine.Spoken{Entry: en}
	var err error
	if en.Decision != "" {
		s.Answer, _, err = h.Decision(ctx, workspace, en.Decision)
	}
	return s, err
}

func (h *house) Listen(workspace, id string) (<-chan conversation.Entry, func(), bool) {
	return h.desk.Listen(workspace, id)
}

func (h *house) Decision(_ context.Context, workspace, id string) (json.RawMessage, ledger.Entry, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.log(workspace).decisions {
		if e.ID == id {
			if e.Bytes == nil {
				return nil, e, fmt.Errorf("decision %s: %w", id, engine.ErrGone)
			}
			return e.Bytes, e, nil
		}
	}
	return nil, ledger.Entry{}, fmt.Errorf("decision %s: %w", id, engine.ErrNotFound)
}

func (h *house) Decisions(_ context.Context, q ledger.Query) ([]ledger.Entry, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []ledger.Entry
	for _, e := range slices.Backward(h.log(q.Workspace).decisions) {
		if len(all) < q.Limit && (q.Before == "" || e.ID < q.Before) && (q.Person == "" || e.Person == q.Person) {
			all = append(all, e)
		}
	}
	return all, nil
}

func (h *house) Outcomes(ctx context.Context, workspace, id string) ([]outcome.Outcome, error) {
	_, _, err := h.Decision(ctx, workspace, id)
	return nil, err
}

func (h *house) Explanation(_ context.Context, workspace, id string, _ scene.Locale) (*engine.Explanation, error) {
	if _, _, err := h.Decision(context.Background(), workspace, id); err != nil {
		return nil, err
	}
	return &engine.Explanation{
		Decision: id, Procedure: []string{"looked"}, Counterfactuals: []engine.Counterfactual{{Change: "c", Outcome: "o"}},
		Chosen:   []engine.ExplainedChoice{{Action: "a", Score: 0.5}},
		Rejected: []engine.ExplainedRejection{{Action: "b", Rule: "margin_over_20"}},
	}, nil
}

func (h *house) Replay(_ context.Context, workspace, id string, v engine.Variation) (*engine.Replayed, error) {
	answer, _, err := h.Decision(context.Background(), workspace, id)
	if err != nil {
		return nil, err
	}
	return &engine.Replayed{Identical: v.IsZero(), Decision: answer}, nil
}

func (h *house) OpenRef(_ context.Context, workspace, ref string, _ scene.Scene, viewer *engine.Scope) (*engine.Opened, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.log(workspace).events {
		own := viewer == nil || slices.Contains(viewer.Keys, identity.User(e.UserID)) || slices.Contains(viewer.Keys, identity.Anonymous(e.AnonymousID))
		if e.ID.String() == ref && own {
			return &engine.Opened{Record: evidence.Record{Kind: evidence.Event, Ref: evidence.Ref(ref), At: e.Time}, Data: engine.Raw(&e)}, nil
		}
	}
	return nil, engine.ErrNotFound
}

func (h *house) Who(_ context.Context, workspace string, a identity.Asker) (engine.Scope, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := engine.Scope{Workspace: workspace}
	for _, k := range a.Keys {
		if a.Proven {
			p, _, _ := h.log(workspace).graph.Resolve(k)
			s.Person, s.Keys = p.ID, p.Keys
			return s, nil
		}
		if k.Kind == "anon" {
			s.Person, s.Keys = identity.PersonOf(workspace, k), []identity.Key{k}
		}
	}
	return s, nil
}

func (h *house) PersonScope(_ context.Context, workspace, id string) (engine.Scope, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.log(workspace).graph
	var p identity.Person
	var known bool
	if k, ok := identity.ParseKey(id); ok {
		p, _, known = g.Resolve(k)
	} else if p, _, known = g.ByID(identity.PersonID(id)); !known {
		if p, _, known = g.Resolve(identity.User(id)); !known {
			p, _, known = g.Resolve(identity.Anonymous(id))
		}
	}
	if !known {
		return engine.Scope{}, fmt.Errorf("person %q: %w", id, engine.ErrNotFound)
	}
	return engine.Scope{Workspace: workspace, Person: p.ID, Keys: p.Keys}, nil
}

// under are the events of a scope in the order of a profile.
func (h *house) under(s engine.Scope) []engine.Moment {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []engine.Moment
	for i, e := range h.log(s.Workspace).events {
		k := identity.Anonymous(e.AnonymousID)
		if e.UserID != "" {
			k = identity.User(e.UserID)
		}
		if e.Name != "merge" && e.Name != "unmerge" && slices.Contains(s.Keys, k) {
			all = append(all, engine.Moment{Position: uint64(i + 1), Event: e})
		}
	}
	slices.SortStableFunc(all, func(a, b engine.Moment) int {
		return cmp.Or(a.Event.Time.Compare(b.Event.Time), slices.Compare(a.Event.ID[:], b.Event.ID[:]))
	})
	return all
}

func (h *house) Profile(_ context.Context, s engine.Scope) (*profile.Profile, error) {
	p := profile.New(s.Person, s.Keys)
	for _, m := range h.under(s) {
		p.Apply(&m.Event, m.Position)
	}
	return p, nil
}

func (h *house) Timeline(_ context.Context, s engine.Scope, before time.Time, beforeID event.ID, limit int) ([]engine.Moment, error) {
	var all []engine.Moment
	for _, m := range slices.Backward(h.under(s)) {
		older := before.IsZero() || m.Event.Time.Before(before) || m.Event.Time.Equal(before) && slices.Compare(m.Event.ID[:], beforeID[:]) < 0
		if older && len(all) < limit {
			all = append(all, m)
		}
	}
	return all, nil
}

func (h *house) Demand(ctx context.Context, s engine.Scope, at time.Time) (profile.Graph, error) {
	who, err := h.Profile(ctx, s)
	if err != nil {
		return profile.Graph{}, err
	}
	if at.IsZero() {
		at = noon
	}
	return who.Graph(at), nil
}

func (h *house) Tags(_ context.Context, _ string, who *profile.Profile, when time.Time) ([]decision.TagState, error) {
	return decision.Tags(&decision.Plan{}, decision.Input{Person: who, Personal: !who.Preferences.PersonalizationOff, Scene: scene.Scene{Time: when}}), nil
}

func (h *house) Occasion(_, signal string, _ scene.Locale) (string, bool) { return signal, false }

func (h *house) Signals(context.Context, string, *profile.Profile, time.Time) ([]need.SignalState, error) {
	return []need.SignalState{{Signal: "calm", Holds: true}}, nil
}

func (h *house) Erase(_ context.Context, workspace string, keys []identity.Key) (journal.Erasure, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.log(workspace)
	var gone journal.Erasure
	l.events = slices.DeleteFunc(l.events, func(e event.Event) bool {
		if slices.Contains(keys, identity.User(e.UserID)) || slices.Contains(keys, identity.Anonymous(e.AnonymousID)) {
			gone.Events++
			return true
		}
		return false
	})
	for i := range l.decisions {
		if slices.ContainsFunc(keys, func(k identity.Key) bool { return k.String() == l.decisions[i].Asker }) {
			l.decisions[i].Bytes = nil
			gone.Decisions++
		}
	}
	return gone, nil
}

func (h *house) Strategies(_ context.Context, workspace string) ([]strategy.Source, int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.strategies[workspace]), h.current[workspace], nil
}

func (h *house) Actions(context.Context, string) ([]decision.Action, []decision.Stop, error) {
	return nil, nil, nil
}

func (h *house) Budgets(context.Context, string) ([]engine.Budget, error) { return nil, nil }

func (h *house) Draft(_ context.Context, workspace string, s strategy.Source, _ strategy.Actor) (strategy.Source, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Number, s.State = len(h.strategies[workspace])+1, "draft"
	h.strategies[workspace] = append(h.strategies[workspace], s)
	return s, nil
}

func (h *house) Validate(_ context.Context, workspace string, number int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number > len(h.strategies[workspace]) {
		return engine.ErrNotFound
	}
	return nil
}

func (h *house) Publish(_ context.Context, workspace string, number int, p engine.Publication) (strategy.Source, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.strategies[workspace]
	if number > len(all) {
		return strategy.Source{}, engine.ErrNotFound
	}
	if all[number-1].State != "draft" {
		return strategy.Source{}, engine.ErrState
	}
	all[number-1].State, all[number-1].Note, h.current[workspace] = "published", p.Note, number
	return all[number-1], nil
}

func (h *house) Guarded(string) bool { return false }

func (h *house) Guard(context.Context, string, strategy.Actor, string) error {
	return engine.ErrNotFound
}

func (h *house) Approval(context.Context, string, int) (engine.Approval, error) {
	return engine.Approval{}, engine.ErrNotFound
}

func (h *house) AskApproval(context.Context, string, int, strategy.Actor, string) (strategy.Request, error) {
	return strategy.Request{}, engine.ErrNotFound
}

func (h *house) Settle(context.Context, string, int, strategy.Deed, strategy.Actor, string) (strategy.Request, error) {
	return strategy.Request{}, engine.ErrNotFound
}

func (h *house) Requests(string) []strategy.Request { return nil }

func (h *house) History(string, int) []strategy.Act { return nil }

func (h *house) Rollout(string, int) (strategy.Rollout, bool) { return strategy.Rollout{}, false }

func (h *house) Files(context.Context, string, int) (map[string]string, error) { return nil, nil }

func (h *house) Calendars(string) ([]decision.Calendar, error) { return nil, nil }

func (h *house) ReadCalendar(string, string, []string) (decision.Calendar, error) {
	return decision.Calendar{}, engine.ErrNotFound
}

func (h *house) LoadCalendar(context.Context, string, string, string, []string, strategy.Actor) (strategy.Source, bool, error) {
	return strategy.Source{}, false, engine.ErrNotFound
}

func (h *house) Metrics(context.Context, string, int) ([]outcome.Metric, error) { return nil, nil }

func (h *house) Simulate(context.Context, string, int, engine.Past) (*engine.Simulation, error) {
	return nil, engine.ErrNotFound
}

func (h *house) Lint(context.Context, string, int, engine.Past) ([]strategy.Finding, error) {
	return nil, engine.ErrNotFound
}

func (h *house) Coverage(context.Context, string, int, engine.Past) (*engine.Coverage, error) {
	return nil, engine.ErrNotFound
}

func (h *house) Rehearse(context.Context, engine.Request, int, int) (*engine.Rehearsal, error) {
	return nil, engine.ErrNotFound
}

func (h *house) Compare(context.Context, string, int, int) (*engine.Difference, error) {
	return nil, engine.ErrNotFound
}

func (h *house) Rollback(_ context.Context, workspace string, number int, _ strategy.Actor, _ string) (strategy.Source, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number > len(h.strategies[workspace]) || h.strategies[workspace][number-1].State == "draft" {
		return strategy.Source{}, engine.ErrState
	}
	h.current[workspace] = number
	return h.strategies[workspace][number-1], nil
}

func (h *house) Workspaces() []engine.Workspace {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.tenants)
}

func (h *house) AddWorkspace(_ context.Context, w engine.Workspace, _ []string) (engine.Workspace, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tenants = append(h.tenants, w)
	return w, nil
}

func (h *house) Ready() error { return h.broken }

func (h *house) Suggestions(context.Context, string, bool) (engine.Suggestions, error) {
	return engine.Suggestions{}, h.broken
}

func (h *house) Suggestion(_ context.Context, _, id string) (engine.Suggestion, error) {
	return engine.Suggestion{}, fmt.Errorf("%s: %w", id, engine.ErrNotFound)
}

func (h *house) Identifiers(_ context.Context, workspace string) ([]identity.Rule, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log(workspace).graph.Rules(), h.broken
}

func (h *house) Candidates(context.Context, string, string, int) ([]engine.Candidate, error) {
	return nil, nil
}
func (h *house) Judge(context.Context, string, string, string) error { return engine.ErrNotFound }
func (h *house) AddExamples(context.Context, string, []engine.Example) (int, error) {
	return 0, engine.ErrState
}
func (h *house) Teach(context.Context, string, strategy.Actor) (strategy.Source, error) {
	return strategy.Source{}, engine.ErrState
}

func (h *house) Liking(string) (engine.Liking, bool, error) { return engine.Liking{}, false, nil }

func (h *house) LabelNeed(context.Context, string, string, string, string) (int, error) {
	return 0, nil
}

func (h *house) SuggestIntents(context.Context, string, time.Time) (engine.IntentSuggestions, error) {
	return engine.IntentSuggestions{}, nil
}

func (h *house) DraftIntent(context.Context, string, string, time.Time, string, candidate.Text, strategy.Actor) (strategy.Source, error) {
	return strategy.Source{}, nil
}

func (h *house) Quality(context.Context, string) (classify.Quality, error) {
	return classify.Quality{}, engine.ErrState
}
