package engine

import (
	"context"
	"fmt"
	"time"
)

// retryNotice is how soon a notice is tried again that the store or the compiler failed.
const retryNotice = 200 * time.Millisecond

// heed brings this process to what other processes on the same store have made or put
// in force. It ends when the store closes the channel.
func (e *Engine) heed(changed <-chan Notice) {
	pending := map[string]bool{}
	for {
		var again <-chan time.Time
		if len(pending) > 0 {
			again = time.After(retryNotice)
		}
		select {
		case n, open := <-changed:
			if !open {
				return
			}
			pending[n.Workspace] = true
		case <-again:
		}
		for workspace := range pending {
			if e.Refresh(context.Background(), workspace) == nil {
				delete(pending, workspace)
			}
		}
	}
}

// Refresh reads a workspace, or with an empty name all of them, and the strategy in
// force from the store, where another process may have changed them.
func (e *Engine) Refresh(ctx context.Context, workspace string) error {
	all, err := e.Store.Workspaces(ctx)
	if err != nil {
		return fmt.Errorf("workspaces: %w", err)
	}
	for _, w := range all {
		if workspace != "" && w.ID != workspace {
			continue
		}
		if err := e.follow(ctx, e.admit(w)); err != nil {
			return err
		}
	}
	return nil
}

// follow serves the version that the store says is in force. Compiling takes a while,
// in which another may be put in force: then that one.
func (e *Engine) follow(ctx context.Context, t *tenant) error {
	for {
		number, err := e.Store.CurrentStrategy(ctx, t.ID)
		if err != nil {
			return fmt.Errorf("strategy in force of %s: %w", t.ID, err)
		}
		if v := t.current.Load(); number == 0 || v != nil && v.Number == number {
			return nil
		}
		v, err := e.version(ctx, t, number)
		if err != nil {
			return fmt.Errorf("strategy %d of %s: %w", number, t.ID, err)
		}
		t.current.Store(v)
	}
}
