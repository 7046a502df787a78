package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/rapport-cx/rapport/strategy"
)

// States of a strategy version.
const (
	StateDraft      = strategy.StateDraft
	StateScheduled  = "scheduled"
	StateCanary     = "canary"
	StatePublished  = "published"
	StateSuperseded = "superseded"
)

// Strategies lists the versions of a workspace, oldest first, and the number in force.
func (e *Engine) Strategies(ctx context.Context, workspace string) (all []strategy.Source, current int, err error) {
	if _, err := e.tenant(workspace); err != nil {
		return nil, 0, err
	}
	if all, err = e.Store.Strategies(ctx, workspace); err != nil {
		return nil, 0, err
	}
	for i := range all {
		e.unschedule(workspace, &all[i])
	}
	current, err = e.Store.CurrentStrategy(ctx, workspace)
	return all, current, err
}

// unschedule makes a draft again of a version whose schedule has ended without it.
func (e *Engine) unschedule(workspace string, s *strategy.Source) {
	if s.State != StateScheduled || e.Rollouts == nil {
		return
	}
	if x, ok := e.Rollouts.Of(workspace, s.Number); ok && x.Phase == strategy.Ended {
		s.State = StateDraft
	}
}

// Draft keeps a new version. Packs and files that s leaves out come from its base. by is
// whose work it is; the zero Actor: the house's own.
func (e *Engine) Draft(ctx context.Context, workspace string, s strategy.Source, by strategy.Actor) (strategy.Source, error) {
	t, err := e.tenant(workspace)
	if err != nil {
		return s, err
	}
	if s, err = e.draft(ctx, t, s); err != nil {
		return s, err
	}
	return s, e.did(ctx, t, strategy.Act{Deed: strategy.Drafted, Version: s.Number, By: by, Note: s.Note})
}

func (e *Engine) draft(ctx context.Context, t *tenant, s strategy.Source) (strategy.Source, error) {
	workspace := t.ID
	t.mu.Lock() // numbers are given one by one
	defer t.mu.Unlock()
	for {
		all, err := e.Store.Strategies(ctx, workspace)
		if err != nil {
			return s, err
		}
		next := s
		next.Number = 1
		for _, other := range all {
			next.Number = max(next.Number, other.Number+1)
			if s.Base == other.Number {
				inherit(&next, other)
			}
		}
		next.State, next.At = StateDraft, e.now()
		err = e.Store.SaveStrategy(ctx, workspace, next)
		if !errors.Is(err, strategy.ErrTaken) { // else another process has drafted meanwhile
			return next, err
		}
	}
}

func inherit(s *strategy.Source, base strategy.Source) {
	if len(s.Packs) == 0 {
		s.Packs = base.Packs
	}
	files := make(map[string]string, len(base.Files)+len(s.Files))
	for path, text := range base.Files {
		files[path] = text
	}
	for path, text := range s.Files {
		files[path] = text
	}
	s.Files = files
}

// Files are all files that a version is compiled from, those of its packs included.
func (e *Engine) Files(ctx context.Context, workspace string, number int) (map[string]string, error) {
	if _, err := e.tenant(workspace); err != nil {
		return nil, err
	}
	s, err := e.source(ctx, workspace, number)
	if err != nil {
		return nil, err
	}
	return e.Compiler.Files(s), nil
}

// Validate compiles a version without putting it in force; its error lists all faults.
func (e *Engine) Validate(ctx context.Context, workspace string, number int) error {
	_, _, err := e.compile(ctx, workspace, number)
	return err
}

func (e *Engine) compile(ctx context.Context, workspace string, number int) (*strategy.Version, strategy.Source, error) {
	s, err := e.source(ctx, workspace, number)
	if err != nil {
		return nil, s, err
	}
	return e.Compiler.Compile(ctx, s)
}

// Publish compiles a version and puts it in force for the next decision, for all
// customers or for a share of them, now or later. Publishing a canary for all
// promotes it. Where two approvers are asked for, one that changes what is of major
// impact is refused until it is approved: *Unapproved.
func (e *Engine) Publish(ctx context.Context, workspace string, number int, p Publication) (strategy.Source, error) {
	return e.restate(ctx, workspace, number, func(ctx context.Context, t *tenant, s strategy.Source) (strategy.Source, error) {
		if s.State == StatePublished || s.State == StateSuperseded {
			return s, fmt.Errorf("publish of version %d, which is %s: %w", number, s.State, ErrState)
		}
		v, s, err := e.Compiler.Compile(ctx, s)
		if err != nil {
			return s, err
		}
		if err := e.cleared(ctx, workspace, number); err != nil {
			return s, err
		}
		if p.Canary > 0 || p.At.After(e.now()) {
			return e.rollOut(ctx, t, s, p)
		}
		s.State, s.At, s.Note = StatePublished, e.now(), p.Note
		if err := e.Store.SaveStrategy(ctx, workspace, s); err != nil {
			return s, err
		}
		if err := e.endRollout(ctx, t, number, "published"); err != nil {
			return s, err
		}
		if err := e.enforce(ctx, t, s, v); err != nil {
			return s, err
		}
		return s, e.did(ctx, t, strategy.Act{Deed: strategy.Published, Version: number, By: p.By, Note: p.Note})
	})
}

// Rollback puts an older published version in force again, and ends whatever canary
// runs beside the one in force. It waits for nobody's approval: what it brings back was
// in force before.
func (e *Engine) Rollback(ctx context.Context, workspace string, number int, by strategy.Actor, note string) (strategy.Source, error) {
	return e.restate(ctx, workspace, number, func(ctx context.Context, t *tenant, s strategy.Source) (strategy.Source, error) {
		if s.State != StatePublished && s.State != StateSuperseded {
			return s, fmt.Errorf("rollback to version %d, which was never published: %w", number, ErrState)
		}
		if e.Rollouts != nil {
			if x, ok := e.Rollouts.Canary(workspace); ok {
				if err := e.takeBack(ctx, t, x.Version, fmt.Sprintf("rolled back to version %d", number)); err != nil {
					return s, err
				}
			}
		}
		v, err := e.version(ctx, t, number)
		if err != nil {
			return s, err
		}
		if err := e.enforce(ctx, t, s, v); err != nil {
			return s, err
		}
		return s, e.did(ctx, t, strategy.Act{Deed: strategy.RolledBack, Version: number, By: by, Note: note})
	})
}

// restate changes, in turn, how a version stands, and returns it as it stands then.
func (e *Engine) restate(ctx context.Context, workspace string, number int, change func(context.Context, *tenant, strategy.Source) (strategy.Source, error)) (s strategy.Source, err error) {
	err = e.inTurn(ctx, workspace, func(ctx context.Context, t *tenant) error {
		if s, err = e.source(ctx, workspace, number); err != nil {
			return err
		}
		s, err = change(ctx, t, s)
		return err
	})
	return s, err
}

// enforce swaps the version served, in the store first.
func (e *Engine) enforce(ctx context.Context, t *tenant, s strategy.Source, v *strategy.Version) error {
	before, err := e.Store.CurrentStrategy(ctx, t.ID)
	if err != nil {
		return err
	}
	if err := e.Store.SetCurrentStrategy(ctx, t.ID, s.Number); err != nil {
		return err
	}
	t.keep(s.Number, v)
	t.current.Store(v)
	if before != 0 && before != s.Number {
		old, err := e.source(ctx, t.ID, before)
		if err != nil {
			return err
		}
		old.State = StateSuperseded
		if err := e.Store.SaveStrategy(ctx, t.ID, old); err != nil {
			return err
		}
	}
	if s.State != StatePublished {
		s.State = StatePublished
		return e.Store.SaveStrategy(ctx, t.ID, s)
	}
	return nil
}

func (e *Engine) source(ctx context.Context, workspace string, number int) (strategy.Source, error) {
	all, err := e.Store.Strategies(ctx, workspace)
	if err != nil {
		return strategy.Source{}, err
	}
	for _, s := range all {
		if s.Number == number {
			e.unschedule(workspace, &s)
			return s, nil
		}
	}
	return strategy.Source{}, fmt.Errorf("strategy version %d: %w", number, ErrNotFound)
}

// version is a compiled version by number, from memory or compiled anew.
func (e *Engine) version(ctx context.Context, t *tenant, number int) (*strategy.Version, error) {
	if v := t.current.Load(); v != nil && v.Number == number {
		return v, nil
	}
	t.mu.Lock()
	v, ok := t.compiled[number]
	t.mu.Unlock()
	if ok {
		return v, nil
	}
	s, err := e.source(ctx, t.ID, number)
	if err != nil {
		return nil, err
	}
	v, trained, err := e.Compiler.Compile(ctx, s)
	if err != nil {
		return nil, err
	}
	if len(s.Model) == 0 && len(trained.Model) > 0 && s.State != StateDraft {
		if err := e.Store.SaveStrategy(ctx, t.ID, trained); err != nil {
			return nil, err
		}
	}
	t.keep(number, v)
	return v, nil
}

// versionOf is a workspace and a compiled version of it by number.
func (e *Engine) versionOf(ctx context.Context, workspace string, number int) (*tenant, *strategy.Version, error) {
	t, err := e.tenant(workspace)
	if err != nil {
		return nil, nil, err
	}
	v, err := e.version(ctx, t, number)
	return t, v, err
}

// keep remembers a compiled version, forgetting the one unused for longest.
func (t *tenant) keep(number int, v *strategy.Version) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.compiled[number]; !ok {
		t.order = append(t.order, number)
	}
	t.compiled[number] = v
	if len(t.order) > keepCompiled {
		delete(t.compiled, t.order[0])
		t.order = t.order[1:]
	}
}
