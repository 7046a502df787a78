// Package engine is the corridor of the house: Answer walks one enquiry through
// every room in order, Observe takes in what happened. It holds the order, the
// deadlines and the one commit, and nothing else: what a room knows stays there.
//
// Time, randomness and ids come in as values, so that every decision can be made
// again.
package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// Options are the parts an engine is made of. Store and Compiler must be given;
// for everything else the default is right for who runs one server.
type Options struct {
	Store    Store
	Compiler Compiler
	// Sources gives the answering sources of a workspace, in the order in which
	// their answers are read. nil: no source, every need stays unanswered.
	Sources func(workspace string) []candidate.Source
	// Counts opens a cohort ref onto its counts; nil: cohorts do not open.
	Counts func(workspace, id string) (data any, ok bool)
	// Desk knows the conversations and who waits for a person; it should follow the
	// store's log. nil: one that nobody tells anything, so nobody is seen waiting.
	Desk *conversation.Desk
	// Switches tells which actions are switched off; nil: none can be.
	Switches *strategy.Switches
	// Rollouts tells which versions are canaries or scheduled; nil: a version comes
	// into force for everybody at once.
	Rollouts *strategy.Rollouts
	// Acts tells who did what to the strategies, and what is approved; nil: nobody knows,
	// and nothing needs approval.
	Acts *strategy.Acts
	// Turn makes a change of a name after all others of that name, whichever process on
	// the same store makes them. The context that the change is given ends when the turn
	// is lost, and nothing is written with it then. nil: no other process is there.
	Turn func(ctx context.Context, name string, change func(ctx context.Context) error) error
	// Box keeps the letters that Rapport sends by itself; it should follow the store's
	// log. nil: one that nobody tells anything, so nothing is sent.
	Box *outbox.Box
	// Courier carries letters to the workspaces' own systems; nil: none does.
	Courier Courier
	// Report is told what went wrong in work that nobody waits for; nil: nobody is.
	Report func(error)
	// Watch makes firings of what the store tells it, as one of its followers; nil:
	// signals hold for answers, and nothing fires.
	Watch *Watch
	// Lookout tells to whom something happened, so that what is foreseen of them is
	// looked at, as one of the store's followers; it needs Watch. nil: no foreseen need
	// makes Rapport speak by itself.
	Lookout *Lookout
	// Models keeps what was learned; nil: nothing is learned, and decisions rest on the
	// packs' own propensities.
	Models Shelf
	// Reader is a second opinion on unclear words and on wording; nil: there is none,
	// and nothing is asked of anybody. CounselBudget is how long it may take for one
	// answer; 0: 800 ms.
	Reader        Reader
	CounselBudget time.Duration
	// Embedder gives embeddings, by which unclear words are compared with examples; nil:
	// the classifier is alone. It shares the budget of Reader.
	Embedder Embedder
	// Papers keep the workspaces' examples and what waits to become one; nil: none are kept.
	Papers Papers
	// Deadline is how long a source may take. 0: 800 ms, for those that ask the network.
	Deadline time.Duration
	// Clock tells the time; nil: the machine's. A test or a replay brings its own.
	Clock func() time.Time
	// Random gives 16 fresh random bytes for ids and seeds; nil: the machine's.
	Random func() [16]byte
	// Build names the code that decides; a replay by another build says so.
	Build string
}

// Engine answers and observes for all workspaces. It is safe for concurrent use.
type Engine struct {
	Options
	mu      sync.Mutex // guards changes of tenants
	tenants atomic.Pointer[map[string]*tenant]

	nudged   chan struct{} // something was committed that signals may have fired on
	arrived  chan struct{} // somebody has opened a conversation
	present  sync.Mutex    // guards attended
	attended map[string]map[*attendance]struct{}
}

// tenant is one workspace at work: its keys and the version in force.
type tenant struct {
	Workspace
	sources []candidate.Source
	current atomic.Pointer[strategy.Version]
	desk    desk

	learning  keeper[propensity.Model, Learned]
	foresight foresight
	liking    liking

	measuring sync.Mutex // one report on the classifier at a time
	settling  sync.Mutex // one change of what is approved or in force at a time

	mu       sync.Mutex
	compiled map[int]*strategy.Version // for replays; bounded by keepCompiled
	order    []int
}

// keepCompiled bounds how many old versions stay compiled for replays.
const keepCompiled = 8

// Open makes an engine over a store and compiles the version in force of every workspace.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Random == nil {
		o.Random = randomBytes
	}
	if o.Deadline == 0 {
		o.Deadline = 800 * time.Millisecond
	}
	if o.Desk == nil {
		o.Desk = conversation.NewDesk()
	}
	if o.Box == nil {
		o.Box = outbox.NewBox()
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
	e := &Engine{Options: o, nudged: make(chan struct{}, 1), arrived: make(chan struct{}, 1), attended: map[string]map[*attendance]struct{}{}}
	e.tenants.Store(&map[string]*tenant{})
	all, err := o.Store.Workspaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("workspaces: %w", err)
	}
	for _, w := range all {
		t := e.admit(w)
		if err := e.follow(ctx, t); err != nil {
			return nil, err
		}
		if err := t.learning.catchUp(ctx, &propensities, e.Models, t.ID); err != nil {
			return nil, fmt.Errorf("what %s has learned: %w", w.ID, err)
		}
		if err := t.foresight.catchUp(ctx, &foresights, e.Models, t.ID); err != nil {
			return nil, fmt.Errorf("what %s foresees: %w", w.ID, err)
		}
	}
	if changed := o.Store.Notices(); changed != nil {
		go e.heed(changed)
	}
	if o.Watch != nil {
		o.Watch.ended.Go(e.watchOver)
	}
	return e, nil
}

// Ready is nil when every workspace has a strategy in force whose classifier answers.
func (e *Engine) Ready() error {
	for id, t := range *e.tenants.Load() {
		if t.current.Load() == nil {
			return fmt.Errorf("workspace %s: %w", id, ErrNoStrategy)
		}
	}
	return nil
}

// Workspaces lists the tenants by id.
func (e *Engine) Workspaces() []Workspace {
	m := *e.tenants.Load()
	all := make([]Workspace, 0, len(m))
	for _, t := range m {
		all = append(all, t.Workspace)
	}
	slices.SortFunc(all, func(a, b Workspace) int { return compare(a.ID, b.ID) })
	return all
}

// AddWorkspace makes a tenant and publishes its first strategy from the packs
// named. A workspace that is there already keeps its keys and its strategy.
func (e *Engine) AddWorkspace(ctx context.Context, w Workspace, packs []string) (Workspace, error) {
	if there, known, err := e.known(ctx, w.ID); known || err != nil {
		return there, err
	}
	// Packs that do not compile make no workspace: it could never answer.
	if _, _, err := e.Compiler.Compile(ctx, strategy.Source{Number: 1, Packs: packs}); err != nil {
		return w, err
	}
	if w.Created.IsZero() {
		w.Created = e.now()
	}
	err := e.Store.SaveWorkspace(ctx, w)
	if errors.Is(err, workspace.ErrTaken) { // in the moment since
		there, _, err := e.known(ctx, w.ID)
		return there, err
	}
	if err != nil {
		return w, fmt.Errorf("workspace %s: %w", w.ID, err)
	}
	e.admit(w)
	s, err := e.Draft(ctx, w.ID, strategy.Source{Packs: packs}, strategy.Actor{})
	if err != nil {
		return w, err
	}
	_, err = e.Publish(ctx, w.ID, s.Number, Publication{Note: "first version"})
	return w, err
}

// known finds a workspace that is there already; another process may have made it just now.
func (e *Engine) known(ctx context.Context, id string) (w Workspace, known bool, err error) {
	if t, err := e.tenant(id); err == nil {
		return t.Workspace, true, nil
	}
	if err := e.Refresh(ctx, id); err != nil {
		return w, false, err
	}
	t, err := e.tenant(id)
	if err != nil {
		return w, false, nil
	}
	return t.Workspace, true, nil
}

// admit puts a tenant on the list of those served.
func (e *Engine) admit(w Workspace) *tenant {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := *e.tenants.Load()
	if t, ok := old[w.ID]; ok {
		return t
	}
	t := &tenant{Workspace: w, compiled: map[int]*strategy.Version{}}
	if e.Sources != nil {
		t.sources = e.Sources(w.ID)
	}
	next := make(map[string]*tenant, len(old)+1)
	for id, other := range old {
		next[id] = other
	}
	next[w.ID] = t
	e.tenants.Store(&next)
	return t
}

func (e *Engine) tenant(id string) (*tenant, error) {
	t, ok := (*e.tenants.Load())[id]
	if !ok {
		return nil, fmt.Errorf("workspace %q: %w", id, ErrNoWorkspace)
	}
	return t, nil
}

// inForce is a workspace and its version in force; ErrNoStrategy when it has none.
func (e *Engine) inForce(id string) (*tenant, *strategy.Version, error) {
	t, err := e.tenant(id)
	if err != nil {
		return nil, nil, err
	}
	v := t.current.Load()
	if v == nil {
		return nil, nil, fmt.Errorf("workspace %s: %w", id, ErrNoStrategy)
	}
	return t, v, nil
}

func (e *Engine) now() time.Time { return e.Clock().UTC().Truncate(time.Millisecond) }
