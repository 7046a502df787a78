package engine

import (
	"context"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/strategy"
)

// Batch is what one request commits, all of it or nothing.
type Batch struct {
	Workspace string
	Events    []event.Event // in the order they were sent
	Decision  *ledger.Entry // nil when nothing was decided
}

// Receipt tells what a commit did.
type Receipt struct {
	// Duplicates has one entry an event: true when it had been accepted before
	// (or stood earlier in the same batch) and changed nothing.
	Duplicates []bool
	// Position is the log position after the commit.
	Position uint64
}

// Scope says whose events a profile is folded from, and up to when.
type Scope struct {
	Workspace string
	Keys      []identity.Key // all of them; the fold is over the union of their events
	Person    identity.PersonID
	UpTo      uint64     // log position, inclusive; 0: everything committed
	Without   []event.ID // these events are left out
}

// Moment is one entry of a person's timeline.
type Moment struct {
	Position uint64
	Event    event.Event
}

// Committed is one new event as followers see it.
type Committed struct {
	Workspace string
	Position  uint64
	Event     *event.Event
	Person    uint32 // dense number of the person's representative key; 0 for catalogue records
}

// Follower keeps something derived from the log in memory: the catalogue, the
// cohort counts. The store calls it from its one writer, in log order, after a
// commit is durable and before it is acknowledged, and again for the tail after a
// restart. It must not block. What Save gives at a checkpoint, Load gets back at
// the next start, followed by everything committed since.
type Follower interface {
	Name() string
	Follow(c Committed)
	// Join says that the person numbered from is now part of the one numbered to.
	Join(workspace string, from, to uint32)
	Save() ([]byte, error)
	Load([]byte) error
}

// Workspace is a tenant with its keys.
type Workspace struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	WriteKey       string    `json:"write_key"`
	SecretKey      string    `json:"secret_key"`
	IdentitySecret string    `json:"identity_secret"`
	Created        time.Time `json:"created"`
	Origins        []string  `json:"origins,omitempty"` // web origins allowed with the write key; empty: any
}

// Store is the durable memory of the house. An implementation is safe for
// concurrent use. A method that finds nothing answers ok=false, never an error;
// an error means that the store itself failed, and the same call may be made again.
type Store interface {
	// Commit appends the batch. When it returns without error everything in it is
	// on stable storage, applied once, and visible to every later call. Events
	// whose id is known are skipped and reported. The caller's slices may be
	// reused once it has returned.
	Commit(ctx context.Context, b Batch) (Receipt, error)

	// Person says who a key belongs to. An unknown key is a person of its own
	// with known=false.
	Person(ctx context.Context, workspace string, key identity.Key) (p identity.Person, known bool, err error)
	// PersonByID follows redirects of merged persons.
	PersonByID(ctx context.Context, workspace string, id identity.PersonID) (p identity.Person, known bool, err error)
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

	Decision(ctx context.Context, workspace, id string) (e ledger.Entry, ok bool, err error)
	Decisions(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)

	// Workspaces are few; the list is complete.
	Workspaces(ctx context.Context) ([]Workspace, error)
	SaveWorkspace(ctx context.Context, w Workspace) error
	// Strategies lists the versions of a workspace, oldest first; SaveStrategy
	// inserts or replaces one by number.
	Strategies(ctx context.Context, workspace string) ([]strategy.Source, error)
	SaveStrategy(ctx context.Context, workspace string, s strategy.Source) error
	// CurrentStrategy is the number in force; SetCurrentStrategy changes it.
	CurrentStrategy(ctx context.Context, workspace string) (int, error)
	SetCurrentStrategy(ctx context.Context, workspace string, number int) error

	Close() error
}

// Compiler makes a published version from its sources. The pack room satisfies it.
type Compiler interface {
	// Compile reports all faults at once as pack.Faults. It trains the classifier
	// unless s.Model holds one that fits, and returns the source with the model in it.
	Compile(ctx context.Context, s strategy.Source) (*strategy.Version, strategy.Source, error)
}
