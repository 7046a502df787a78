package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/strategy"
)

// Where a workspace asks for two approvers, a version that changes what bears on an
// action of major impact comes into force only when somebody else than who asked for it
// has approved those very changes. What is approved is the changes, not the number: a
// version that was approved beside an older one in force is asked about anew when it
// would change something else by now. Going back (rollback, stop switches, the end of a
// canary) never waits for anybody.

// Reasons for which nothing is approved.
var (
	ErrSameActor   = errors.New("who asks for approval does not approve it")
	ErrNoApprover  = errors.New("this key has not the role of an approver")
	ErrNoRequest   = errors.New("nobody has asked for approval of it, or it is settled")
	ErrNothingToDo = errors.New("there is nothing that needs approval")
)

// Unapproved says that a version must be approved first.
type Unapproved struct {
	Version int
	Changes []strategy.Change
	// Request is the last request for its approval; nil: nobody has asked.
	Request *strategy.Request
}

// Error implements error.
func (u *Unapproved) Error() string {
	return fmt.Sprintf("version %d changes what is of major impact and needs the approval of somebody else", u.Version)
}

// Approval is how a version stands with those who approve.
type Approval struct {
	Guarded bool              // the workspace asks for two approvers
	Needed  bool              // it cannot come into force without approval as things are
	Against int               // the version in force, with which it is compared
	Changes []strategy.Change // of major impact
	Request *strategy.Request // the last one; nil: none
}

// errNoActs is what an engine without Acts says of approvals.
var errNoActs = errors.New("engine: opened without acts")

// Guarded tells whether a workspace asks for two approvers.
func (e *Engine) Guarded(workspace string) bool { return e.Acts != nil && e.Acts.Guarded(workspace) }

// Approval tells whether a version needs approval, and what became of it.
func (e *Engine) Approval(ctx context.Context, workspace string, number int) (a Approval, err error) {
	if e.Acts == nil {
		return a, errNoActs
	}
	if err := e.CatchUp(ctx, workspace); err != nil {
		return a, err
	}
	a.Guarded = e.Acts.Guarded(workspace)
	if r, ok := e.Acts.Request(workspace, number); ok {
		a.Request = &r
	}
	if number == 0 {
		a.Needed = a.Guarded
		return a, nil
	}
	s, err := e.source(ctx, workspace, number)
	if err != nil {
		return a, err
	}
	if a.Against, err = e.Store.CurrentStrategy(ctx, workspace); err != nil {
		return a, err
	}
	var before strategy.Source
	if a.Against != 0 {
		if before, err = e.source(ctx, workspace, a.Against); err != nil {
			return a, err
		}
	}
	if a.Changes, err = e.Compiler.Changes(before, s); err != nil {
		return a, err
	}
	open := s.State != StatePublished && s.State != StateSuperseded
	a.Needed = a.Guarded && open && len(a.Changes) > 0 && (a.Request == nil || !a.Request.Covers(a.Changes))
	return a, nil
}

// cleared refuses a version that somebody else must approve first.
func (e *Engine) cleared(ctx context.Context, workspace string, number int) error {
	if e.Acts == nil {
		return nil
	}
	if err := e.CatchUp(ctx, workspace); err != nil {
		return err
	}
	if !e.Acts.Guarded(workspace) {
		return nil // nobody asks what it changes, which is much work to find out
	}
	a, err := e.Approval(ctx, workspace, number)
	if err != nil {
		return err
	}
	if a.Needed {
		return &Unapproved{Version: number, Changes: a.Changes, Request: a.Request}
	}
	return nil
}

// inTurn changes what is approved or in force in a workspace, one change at a time over
// all processes on the store. Each begins with all that the others have committed, so
// what it finds approved is approved, and what it finds in force is in force.
func (e *Engine) inTurn(ctx context.Context, workspace string, change func(ctx context.Context, t *tenant) error) error {
	t, err := e.tenant(workspace)
	if err != nil {
		return err
	}
	t.settling.Lock()
	defer t.settling.Unlock()
	if e.Turn == nil {
		return change(ctx, t)
	}
	return e.Turn(ctx, "strategies of "+workspace, func(ctx context.Context) error {
		if err := e.CatchUp(ctx, workspace); err != nil {
			return err
		}
		return change(ctx, t)
	})
}

// request changes how the request for approval of a version stands, given how it stood,
// and returns it as it stands then.
func (e *Engine) request(ctx context.Context, workspace string, number int, change func(ctx context.Context, t *tenant, a Approval) error) (r strategy.Request, err error) {
	err = e.inTurn(ctx, workspace, func(ctx context.Context, t *tenant) error {
		a, err := e.Approval(ctx, workspace, number)
		if err != nil {
			return err
		}
		if err := change(ctx, t, a); err != nil {
			return err
		}
		r, _ = e.Acts.Request(workspace, number)
		return nil
	})
	return r, err
}

// AskApproval asks for somebody else's approval of a version, or with the number 0 of
// the end of asking for two approvers.
func (e *Engine) AskApproval(ctx context.Context, workspace string, number int, by strategy.Actor, note string) (strategy.Request, error) {
	return e.request(ctx, workspace, number, func(ctx context.Context, t *tenant, a Approval) error {
		if number != 0 {
			if err := e.Validate(ctx, workspace, number); err != nil {
				return err // what cannot be published is nobody's to approve
			}
		}
		if !a.Needed {
			return ErrNothingToDo
		}
		if a.Request != nil && a.Request.State == strategy.RequestOpen && a.Request.By.ID != by.ID {
			return fmt.Errorf("approval of version %d is asked for already: %w", number, ErrState)
		}
		return e.did(ctx, t, strategy.Act{Deed: strategy.Requested, Version: number, By: by, Note: note, Against: a.Against, Changes: a.Changes})
	})
}

// Settle approves, rejects or withdraws the open request for a version. Only somebody
// else than who asked approves or rejects it, and only who asked withdraws it.
func (e *Engine) Settle(ctx context.Context, workspace string, number int, deed strategy.Deed, by strategy.Actor, note string) (strategy.Request, error) {
	return e.request(ctx, workspace, number, func(ctx context.Context, t *tenant, a Approval) error {
		switch {
		case a.Request == nil || a.Request.State != strategy.RequestOpen:
			return ErrNoRequest
		case deed == strategy.Withdrawn && by.ID != a.Request.By.ID:
			return fmt.Errorf("the request is %s's: %w", a.Request.By.Name, ErrForbidden)
		case deed != strategy.Withdrawn && !by.Approver:
			return ErrNoApprover
		case deed != strategy.Withdrawn && !by.Apart(&a.Request.By):
			return ErrSameActor
		}
		if err := e.did(ctx, t, strategy.Act{Deed: deed, Version: number, By: by, Note: note}); err != nil {
			return err
		}
		if number == 0 && deed == strategy.Approved {
			return e.did(ctx, t, strategy.Act{Deed: strategy.Unguarded, By: by, Note: note})
		}
		return nil
	})
}

// Guard begins to ask for two approvers. To end it, AskApproval with the number 0.
func (e *Engine) Guard(ctx context.Context, workspace string, by strategy.Actor, note string) error {
	return e.inTurn(ctx, workspace, func(ctx context.Context, t *tenant) error {
		if e.Acts == nil {
			return errNoActs
		}
		if e.Acts.Guarded(workspace) {
			return nil
		}
		return e.did(ctx, t, strategy.Act{Deed: strategy.Guarded, By: by, Note: note})
	})
}

// Requests lists the requests for approval that are open, the oldest first.
func (e *Engine) Requests(workspace string) []strategy.Request {
	if e.Acts == nil {
		return nil
	}
	return e.Acts.Open(workspace)
}

// History lists who did what to a version, or with 0 to any, the newest first.
func (e *Engine) History(workspace string, number int) []strategy.Act {
	if e.Acts == nil {
		return nil
	}
	return e.Acts.Of(workspace, number)
}

// did puts into the log what somebody did. What the house does by itself, as making the
// first version of a workspace, is nobody's act.
func (e *Engine) did(ctx context.Context, t *tenant, x strategy.Act) error {
	if e.Acts == nil || x.By.ID == "" {
		return nil
	}
	body, err := json.Marshal(x)
	if err != nil {
		return err
	}
	now := e.now()
	ev := event.RecordEvent(event.Put{Workspace: t.ID, Name: strategy.ActRecord, ID: event.ID(e.Random()).String(), UpdatedAt: now, Received: now, Body: body})
	if _, err := e.Store.Commit(ctx, Batch{Workspace: t.ID, At: now, Events: []event.Event{ev}}); err != nil {
		return fmt.Errorf("%s of version %d: %w", x.Deed, x.Version, err)
	}
	return nil
}
