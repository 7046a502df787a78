// Package storetest holds every store to what the house relies on: one suite of
// behaviours that each adapter of the log (step 1 of the flow and everything that
// is derived from it) runs over itself, so that the embedded store and a shared
// one cannot come to differ.
package storetest

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// Store is what the suite asks of a store; the contract stands at engine.Store.
type Store interface {
	Commit(ctx context.Context, b journal.Batch) (journal.Receipt, error)
	Person(ctx context.Context, workspace string, key identity.Key) (identity.Person, bool, error)
	PersonByID(ctx context.Context, workspace string, id identity.PersonID) (identity.Person, bool, error)
	People(ctx context.Context, workspace string, before uint32, limit int) ([]identity.Person, uint32, error)
	Identifiers(ctx context.Context, workspace string) ([]identity.Rule, error)
	Apart(ctx context.Context, workspace string, a, b identity.PersonID) (bool, error)
	Profile(ctx context.Context, s journal.Scope) (*profile.Profile, error)
	Timeline(ctx context.Context, s journal.Scope, before time.Time, beforeID event.ID, limit int) ([]journal.Moment, error)
	Event(ctx context.Context, workspace string, id event.ID) (journal.Moment, []identity.Key, bool, error)
	Catalogue(ctx context.Context, workspace string, revision uint64) (candidate.View, error)
	Log(ctx context.Context, workspace string, after uint64, each func(c journal.Committed) error) (uint64, error)
	Member(ctx context.Context, workspace string, number uint32) (identity.Person, bool, error)
	Firings(ctx context.Context, q journal.FiringQuery) ([]journal.Firing, error)
	Decision(ctx context.Context, workspace, id string) (ledger.Entry, bool, error)
	Decisions(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	Workspaces(ctx context.Context) ([]workspace.Workspace, error)
	SaveWorkspace(ctx context.Context, w workspace.Workspace) error
	Strategies(ctx context.Context, workspace string) ([]strategy.Source, error)
	SaveStrategy(ctx context.Context, workspace string, s strategy.Source) error
	CurrentStrategy(ctx context.Context, workspace string) (int, error)
	SetCurrentStrategy(ctx context.Context, workspace string, number int) error
	Erase(ctx context.Context, workspace string, keys []identity.Key) (journal.Erasure, error)
	SavePapers(ctx context.Context, workspace string, papers []workspace.Paper) error
	Papers(ctx context.Context, workspace, kind, after string, limit int) ([]workspace.Paper, error)
	Paper(ctx context.Context, workspace, kind, id string) (p workspace.Paper, ok bool, err error)
	CountPapers(ctx context.Context, workspace, kind string) (n int, bytes int64, err error)
	Balances(ctx context.Context, workspace string, budgets []string, now time.Time) ([]journal.Balance, error)
	Close() error
}

// Shelf is the catalogue that a store keeps supplied.
type Shelf interface {
	Follow(c journal.Committed)
	View(workspace string, revision uint64) (candidate.View, error)
}

// Home is where one test's data lives. Open may be called again after Close, and
// then finds everything.
type Home interface {
	Open(t testing.TB, shelf Shelf, followers ...journal.Follower) Store
	// Doomed is the program of the test again, not started yet, to run Doom with a
	// store over the same data.
	Doomed() *exec.Cmd
}

// Run runs the whole suite; home makes an empty place for each test.
func Run(t *testing.T, home func(t testing.TB) Home) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, h Home)
	}{
		{"an accepted event is there at once and opens as it was sent", acceptedEventOpens},
		{"an event sent again changes nothing", retriesAreDuplicates},
		{"of many who send the same event at once one is accepted", oneOfManyIsAccepted},
		{"what was acknowledged is there after a restart", restartKeepsEverything},
		{"a profile does not depend on the order of arrival", profileKnowsNoOrder},
		{"a profile follows every commit", profileFollows},
		{"a long history folds the same after a restart", longHistory},
		{"a replay folds the past without what it leaves out", replayFoldsThePast},
		{"a timeline goes by event time and turns its pages exactly", timelineIsExact},
		{"a visitor who signs in becomes one person", visitorSignsIn},
		{"a merge can be undone", mergeIsUndone},
		{"persons are listed, and who was parted stays apart", peopleAreListed},
		{"a kind of id that the workspace added names persons, after a restart, too", addedKindsName},
		{"placeholders name nobody", placeholdersNameNobody},
		{"one workspace sees nothing of another", workspacesAreApart},
		{"a decision is in the ledger before it is answered", ledgerKeepsDecisions},
		{"decisions are listed newest first by any of their keys", ledgerLists},
		{"a budget is never overdrawn, however many draw on it at once", budgetsHold},
		{"what is held of a budget is spent, returned or expires, once", reservationsEnd},
		{"a batch that is refused settles nothing and holds nothing", refusedBatchesSettleNothing},
		{"of many who commit the same decision at once one is heard, whole", oneDecisionIsHeard},
		{"tenants and strategies are kept", tenantsAndStrategies},
		{"papers are kept, listed and thrown away", papersAreKept},
		{"a follower sees every event once, in order, over restarts", followersSeeEverything},
		{"a new follower is told the whole log", newFollowerIsTold},
		{"the shelf is as it was at every revision", shelfKeepsRevisions},
		{"an erased person is gone, and a retry brings nothing back", erasedIsGone},
		{"followers forget who is erased", followersForget},
		{"a batch is all or nothing", batchIsWhole},
		{"a caller who gives up leaves no half", givingUp},
		{"what is stored is what the log gives", storedIsWhatTheLogGives},
		{"late, repeated and disordered events end in the bytes of the clean order", func(t *testing.T, h Home) { cleanOrderAndAnyOther(t, h, home(t)) }},
		{"a firing stands in the commit of its event, once, over restarts", firingStandsInTheCommit},
		{"killed between an event and its firing, a house has both or neither, and each once", killedInBetween},
		{"of many who act on a firing one succeeds", oneActs},
		{"what is undone is withdrawn, or superseded when it was delivered", firingIsUndone},
		{"the firings of a person gone through anew replace the old ones", firingsAreCountedAnew},
		{"the log is told from any position on", logIsTold},
		{"firings of an erased person are gone", erasedFiringsAreGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, home(t))
		})
	}
}
