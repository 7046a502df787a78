package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/outcome"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

var _ Engine = (*engine.Engine)(nil)

type workspaceNoun = engine.Workspace

// Engine is the corridor as this edge walks it; *engine.Engine is one. It stands
// here in small parts, each beside what is asked of it.
type Engine interface {
	observer
	adviser
	talker
	sender
	watcher
	recaller
	knower
	matcher
	strategist
	approver
	teacher
	landlord
}

// observer takes in what happened. When it returns without error every event is
// durable, applied once and visible to the very next decision; the slice may be
// used again. An error means that nothing was taken.
type observer interface {
	Observe(ctx context.Context, workspace string, events []event.Event) (engine.Receipt, error)
}

// adviser answers one enquiry; the decision is durable before it returns.
type adviser interface {
	Answer(ctx context.Context, r engine.Request) (*engine.Answer, error)
}

// talker holds conversations. What it has said, it tells who listens.
type talker interface {
	// Converse answers a message; message, answer and decision become durable together.
	Converse(ctx context.Context, r engine.Request, m engine.Message) (*engine.Answer, error)
	// Greet says the first words when there is something to say; nil when there is not.
	Greet(ctx context.Context, r engine.Request, key identity.Key) (*engine.Answer, error)
	// Reply is a person's answer; Accept gives a person the word, HandBack takes it
	// back. engine.ErrHeld when another person has it, engine.ErrNotFound when nobody
	// has said anything there yet.
	Reply(ctx context.Context, workspace, id, text string, m engine.Move, message event.ID) (engine.Talk, error)
	Accept(ctx context.Context, workspace, id string, m engine.Move) (engine.Talk, error)
	HandBack(ctx context.Context, workspace, id string, m engine.Move) (engine.Talk, error)
	// Queue lists the conversations in a phase, the longest there first.
	Queue(ctx context.Context, workspace string, phase conversation.Phase) ([]engine.Waiting, error)
	// Conversation reads one back, after an entry or (zero) from the beginning.
	Conversation(ctx context.Context, workspace, id string, keys []identity.Key, after event.ID) (engine.Talk, []engine.Spoken, error)
	// Said opens an entry that Listen told of.
	Said(ctx context.Context, workspace string, en conversation.Entry) (engine.Spoken, error)
	Listen(workspace, id string) (entries <-chan conversation.Entry, leave func(), ok bool)
	// Attend tells that a conversation is open before its customer; belongs, whether it
	// was opened under a key.
	Attend(workspace, id string, belongs func(identity.Key) bool) (leave func())
}

// sender knows what was sent to customers who did not ask.
type sender interface {
	// Letters lists those of a workspace that are under way or ended lately, the oldest first.
	Letters(workspace string) []outbox.Letter
	Letter(workspace, decision string) (outbox.Letter, bool)
	// SendAgain tries a letter again that was given up.
	SendAgain(ctx context.Context, l *outbox.Letter) error
}

// watcher tells what signals have fired.
type watcher interface {
	// Firings lists them, the first found first.
	Firings(ctx context.Context, q journal.FiringQuery) ([]journal.Firing, error)
}

// recaller reads decisions back, tells why, and makes them again. What is not
// there is engine.ErrNotFound, what was erased engine.ErrGone.
type recaller interface {
	Decision(ctx context.Context, workspace, id string) (answer json.RawMessage, entry ledger.Entry, err error)
	// Decisions gives entries newest first; their Bytes are the answers.
	Decisions(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	// Outcomes tell what came of a decision, oldest first.
	Outcomes(ctx context.Context, workspace, id string) ([]outcome.Outcome, error)
	Explanation(ctx context.Context, workspace, id string, locale scene.Locale) (*engine.Explanation, error)
	Replay(ctx context.Context, workspace, id string, v engine.Variation) (*engine.Replayed, error)
	// OpenRef opens a ref; viewer nil may see everything of the workspace, else what
	// belongs to the viewer's keys and what is public. What may not be seen is not there.
	OpenRef(ctx context.Context, workspace, ref string, at scene.Scene, viewer *engine.Scope) (*engine.Opened, error)
}

// knower says who somebody is and what is known of them.
type knower interface {
	// CatchUp brings this process to what any process on the same store has committed.
	CatchUp(ctx context.Context, workspace string) error
	// Who resolves the ids of a request. Who has proven nothing is their anonymous
	// key and nothing more.
	Who(ctx context.Context, workspace string, a identity.Asker) (engine.Scope, error)
	// PersonScope finds a person by per_…, kind:value or a bare id; engine.ErrNotFound
	// when nobody is known by it.
	PersonScope(ctx context.Context, workspace, id string) (engine.Scope, error)
	// Identifiers are the kinds of ids on which the workspace has said something.
	Identifiers(ctx context.Context, workspace string) ([]identity.Rule, error)
	Profile(ctx context.Context, s engine.Scope) (*profile.Profile, error)
	// Timeline lists events newest first, before the place named (zero: from the newest).
	Timeline(ctx context.Context, s engine.Scope, before time.Time, beforeID event.ID, limit int) ([]engine.Moment, error)
	// Signals are the states of the strategy's signals for a profile at a time; zero: now.
	Signals(ctx context.Context, workspace string, who *profile.Profile, when time.Time) ([]need.SignalState, error)
	Occasion(workspace, signal string, l scene.Locale) (title string, foreseen bool)
	// Tags are the groups that a person is in at a time; zero: now.
	Tags(ctx context.Context, workspace string, who *profile.Profile, when time.Time) ([]decision.TagState, error)
	// Demand is a person's demand graph at a time; zero: now.
	Demand(ctx context.Context, s engine.Scope, at time.Time) (profile.Graph, error)
	// Erase forgets a person for good.
	Erase(ctx context.Context, workspace string, keys []identity.Key) (journal.Erasure, error)
}

// matcher finds persons who look like one. It joins nobody.
type matcher interface {
	// Suggestions lists pairs nobody has decided on; anew searches again.
	Suggestions(ctx context.Context, workspace string, anew bool) (engine.Suggestions, error)
	// Suggestion finds an open one by its id, else engine.ErrNotFound.
	Suggestion(ctx context.Context, workspace, id string) (engine.Suggestion, error)
}

// strategist keeps the versions of a workspace's strategy.
type strategist interface {
	Strategies(ctx context.Context, workspace string) (all []strategy.Source, current int, err error)
	Actions(ctx context.Context, workspace string) ([]decision.Action, []decision.Stop, error)
	Budgets(ctx context.Context, workspace string) ([]engine.Budget, error)
	Draft(ctx context.Context, workspace string, s strategy.Source, by strategy.Actor) (strategy.Source, error)
	// Files are all files that a version is compiled from, by path.
	Files(ctx context.Context, workspace string, number int) (map[string]string, error)
	Validate(ctx context.Context, workspace string, number int) error
	Publish(ctx context.Context, workspace string, number int, p engine.Publication) (strategy.Source, error)
	Rollback(ctx context.Context, workspace string, number int, by strategy.Actor, note string) (strategy.Source, error)
	Rollout(workspace string, number int) (strategy.Rollout, bool)
	// Calendars are those in force; ReadCalendar reads one, LoadCalendar brings it into force.
	Calendars(workspace string) ([]decision.Calendar, error)
	ReadCalendar(id, ics string, words []string) (decision.Calendar, error)
	LoadCalendar(ctx context.Context, workspace, id, ics string, words []string, by strategy.Actor) (s strategy.Source, changed bool, err error)
	// Metrics are what the packs of a version declare.
	Metrics(ctx context.Context, workspace string, number int) ([]outcome.Metric, error)
	Simulate(ctx context.Context, workspace string, number int, p engine.Past) (*engine.Simulation, error)
	Lint(ctx context.Context, workspace string, number int, p engine.Past) ([]strategy.Finding, error)
	Coverage(ctx context.Context, workspace string, number int, p engine.Past) (*engine.Coverage, error)
	Rehearse(ctx context.Context, r engine.Request, number, days int) (*engine.Rehearsal, error)
	Compare(ctx context.Context, workspace string, number, against int) (*engine.Difference, error)
}

// approver keeps two persons behind what is of major impact. The version 0 stands for
// the setting that asks for them.
type approver interface {
	// Guarded tells whether a workspace asks for two approvers; Guard makes it so.
	Guarded(workspace string) bool
	Guard(ctx context.Context, workspace string, by strategy.Actor, note string) error
	Approval(ctx context.Context, workspace string, number int) (engine.Approval, error)
	AskApproval(ctx context.Context, workspace string, number int, by strategy.Actor, note string) (strategy.Request, error)
	// Settle approves, rejects or withdraws what was asked for.
	Settle(ctx context.Context, workspace string, number int, deed strategy.Deed, by strategy.Actor, note string) (strategy.Request, error)
	// Requests lists those that are open, the oldest first.
	Requests(workspace string) []strategy.Request
	// History lists who did what to a version (0: to any), the newest first.
	History(workspace string, number int) []strategy.Act
}

// landlord keeps the tenants.
type landlord interface {
	// Workspaces lists all, by id.
	Workspaces() []engine.Workspace
	// AddWorkspace makes one and publishes its first strategy.
	AddWorkspace(ctx context.Context, w engine.Workspace, packs []string) (engine.Workspace, error)
	// Ready is nil when every workspace can answer.
	Ready() error
}
