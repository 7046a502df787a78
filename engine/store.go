package engine

import (
	"context"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// The nouns of the log and the tenants have rooms of their own, so that adapters
// need not know the corridor; here they go by their short names.
type (
	Batch     = journal.Batch
	Receipt   = journal.Receipt
	Scope     = journal.Scope
	Moment    = journal.Moment
	Committed = journal.Committed
	Follower  = journal.Follower
	Notice    = journal.Notice
	Workspace = workspace.Workspace
)

// Store is the durable memory of the house. An implementation is safe for
// concurrent use. A method that finds nothing answers ok=false, never an error;
// an error means that the store itself failed, and the same call may be made again.
type Store interface {
	// Commit appends the batch. When it returns without error everything in it is
	// on stable storage, applied once, and visible to every later call. Events
	// whose id is known are skipped and reported. The caller's slices may be
	// reused once it has returned. A batch whose reservations would overdraw a budget
	// is refused whole: *journal.Exhausted.
	Commit(ctx context.Context, b Batch) (Receipt, error)

	// Person says who a key belongs to. An unknown key is a person of its own
	// with known=false.
	Person(ctx context.Context, workspace string, key identity.Key) (p identity.Person, known bool, err error)
	// PersonByID follows redirects of merged persons.
	PersonByID(ctx context.Context, workspace string, id identity.PersonID) (p identity.Person, known bool, err error)
	// People lists persons who have a user id, the newest
	// first: from before on (0: the newest). next is where to go on, 0 at the end.
	People(ctx context.Context, workspace string, before uint32, limit int) (people []identity.Person, next uint32, err error)
	// Apart tells that somebody said of two persons that they are not one, and that
	// this is still in force.
	Apart(ctx context.Context, workspace string, a, b identity.PersonID) (bool, error)
	// Identifiers are what the workspace said of kinds of ids, by kind.
	Identifiers(ctx context.Context, workspace string) ([]identity.Rule, error)
	// Profile folds a scope. Without UpTo and Without it is answered from memory
	// when the person is hot. The profile must not be changed.
	Profile(ctx context.Context, s Scope) (*profile.Profile, error)
	// Timeline lists a scope's events newest first (event time, then id), before
	// the cursor (zero time: from the newest).
	Timeline(ctx context.Context, s Scope, before time.Time, beforeID event.ID, limit int) ([]Moment, error)
	// Event opens one event.
	Event(ctx context.Context, workspace string, id event.ID) (m Moment, keys []identity.Key, ok bool, err error)

	// Catalogue is the shelf at a revision; 0 means now.
	Catalogue(ctx context.Context, workspace string, revision uint64) (candidate.View, error)

	// Log tells what was committed in a workspace after a position, in the order of
	// the log, with the persons as they are now; erased events are left out. It ends
	// when each gives an error (which it returns) or at what is committed now, and says
	// up to where it told. Nobody is kept waiting meanwhile.
	Log(ctx context.Context, workspace string, after uint64, each func(c Committed) error) (upTo uint64, err error)
	// Member is the person that a number of Committed stands for now; ok is false when
	// it stands for nobody.
	Member(ctx context.Context, workspace string, number uint32) (p identity.Person, ok bool, err error)
	// Firings lists what signals have fired; see journal.FiringQuery.
	Firings(ctx context.Context, q journal.FiringQuery) ([]journal.Firing, error)

	Decision(ctx context.Context, workspace, id string) (e ledger.Entry, ok bool, err error)
	Decisions(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)

	// Balances tells what is spent and held of budgets at a time, one entry each in
	// the order asked; nil: of all budgets that were ever touched, by their ids.
	Balances(ctx context.Context, workspace string, budgets []string, now time.Time) ([]journal.Balance, error)

	// Workspaces are few; the list is complete.
	Workspaces(ctx context.Context) ([]Workspace, error)
	// SaveWorkspace inserts a workspace or changes it; one that was made at another
	// moment (Created) under the same id is another's: workspace.ErrTaken.
	SaveWorkspace(ctx context.Context, w Workspace) error
	// Strategies lists the versions of a workspace, oldest first; SaveStrategy
	// inserts or replaces one by number, but a draft replaces nothing: when its number
	// is taken, by another process perhaps, the error is strategy.ErrTaken.
	Strategies(ctx context.Context, workspace string) ([]strategy.Source, error)
	SaveStrategy(ctx context.Context, workspace string, s strategy.Source) error
	// CurrentStrategy is the number in force; SetCurrentStrategy changes it.
	CurrentStrategy(ctx context.Context, workspace string) (int, error)
	SetCurrentStrategy(ctx context.Context, workspace string, number int) error

	// Erase removes a person for good: the bodies of the events under the keys are
	// overwritten in the log, their postings, profile, links and decisions' bytes are
	// gone when it returns. The ids stay known, so that a retry cannot bring an event back.
	Erase(ctx context.Context, workspace string, keys []identity.Key) (journal.Erasure, error)

	// Notices tells what any process has changed of workspaces and of strategies in
	// force, soon after the change (and may tell what is known already). The channel
	// is closed when the store is; it is nil when no other process can be there.
	Notices() <-chan Notice

	Close() error
}

// Compiler makes a published version from its sources. The pack room satisfies it.
type Compiler interface {
	// Compile reports all faults at once as pack.Faults. It trains the classifier
	// unless s.Model holds one that fits, and returns the source with the model in it.
	Compile(ctx context.Context, s strategy.Source) (*strategy.Version, strategy.Source, error)
	// Lint looks for what compiles and is probably wrong; its error is Compile's.
	Lint(ctx context.Context, s strategy.Source) ([]strategy.Finding, error)
	// Files are the files that a source is compiled from, those of its packs
	// included, by path.
	Files(s strategy.Source) map[string]string
	// Changes lists what differs between two sources that bears on an action of major
	// impact; before is the zero Source where nothing is in force. Its error is Compile's.
	Changes(before, after strategy.Source) ([]strategy.Change, error)
	// Calendar turns an iCalendar text into the file of a pack; entries whose summary
	// holds one of the words are make-up workdays.
	Calendar(id, ics string, words []string) (file string, err error)
	// ReadCalendar is what that file will hold, its faults the same.
	ReadCalendar(id, ics string, words []string) (decision.Calendar, error)
	// Sentences lists what the classifier of a source learns from.
	Sentences(s strategy.Source) []classify.Example
}
