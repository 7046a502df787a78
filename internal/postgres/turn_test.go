package postgres

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

// cut ends the connection that holds the lock of a name, as a failover or an operator does.
func cut(t *testing.T, s *Store, name string) {
	t.Helper()
	var n int
	err := s.pool.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_locks, (SELECT `+lockNumber+` AS number) AS wanted
		WHERE locktype = 'advisory' AND granted AND objsubid = 1
		AND classid::bigint = (number >> 32) & 4294967295 AND objid::bigint = number & 4294967295`, "rapport "+name).Scan(&n)
	if err != nil || n != 1 {
		t.Fatalf("%d connections hold the lock of %s: %v", n, name, err)
	}
}

// writes are all the ways in which something may be changed in a turn.
func writes() map[string]func(ctx context.Context, s *Store) error {
	now := spring
	return map[string]func(ctx context.Context, s *Store) error{
		"a record": func(ctx context.Context, s *Store) error {
			_, err := s.Commit(ctx, journal.Batch{Workspace: shop, Events: []event.Event{put("act", "late", 1, `{}`)}})
			return err
		},
		"a decision": func(ctx context.Context, s *Store) error {
			_, err := s.Commit(ctx, journal.Batch{Workspace: shop, At: now, Decision: &ledger.Entry{ID: "late", Workspace: shop, At: now, Bytes: []byte("{}")}})
			return err
		},
		"a version": func(ctx context.Context, s *Store) error {
			return s.SaveStrategy(ctx, shop, strategy.Source{Number: 1, State: "published", Note: "late"})
		},
		"the version in force": func(ctx context.Context, s *Store) error { return s.SetCurrentStrategy(ctx, shop, 1) },
		"a paper": func(ctx context.Context, s *Store) error {
			return s.SavePapers(ctx, shop, []workspace.Paper{{Kind: "model", ID: "newest", Body: []byte("late")}})
		},
	}
}

// What one node has begun in its turn does not overwrite what another does in the next,
// although the first goes on without knowing.
func TestAHolderWhoseLineIsCutWritesNothingOverTheNext(t *testing.T) {
	t.Parallel()
	all := nodes(t, 2)
	first, second := all[0], all[1]
	if err := first.SaveStrategy(ctx, shop, strategy.Source{Number: 1, State: strategy.StateDraft}); err != nil {
		t.Fatal(err)
	}
	err := first.Turn(ctx, "strategies", func(inside context.Context) error {
		for name, write := range writes() {
			if name != "a record" && name != "a decision" { // they are written once
				if err := write(inside, first); err != nil {
					t.Errorf("%s is not written in its turn: %v", name, err)
				}
			}
		}
		cut(t, first, "turn strategies")
		<-inside.Done() // the holder learns of it
		if !errors.Is(context.Cause(inside), ErrTurnLost) {
			t.Errorf("the turn ended because of %v", context.Cause(inside))
		}
		err := second.Turn(ctx, "strategies", func(inside context.Context) error {
			if err := second.SetCurrentStrategy(inside, shop, 2); err != nil {
				return err
			}
			if err := second.SavePapers(inside, shop, []workspace.Paper{{Kind: "model", ID: "newest", Body: []byte("second's")}}); err != nil {
				return err
			}
			return second.SaveStrategy(inside, shop, strategy.Source{Number: 1, State: "published", Note: "second's"})
		})
		if err != nil {
			t.Error(err)
		}
		deaf := context.WithoutCancel(inside) // a holder that does not look, or whose writes are on their way
		for name, write := range writes() {
			if err := write(deaf, first); !errors.Is(err, ErrTurnLost) {
				t.Errorf("%s, written late: %v", name, err)
			}
			if err := write(inside, first); err == nil {
				t.Errorf("%s was written by who knows that the lock is lost", name)
			}
		}
		return context.Cause(inside)
	})
	if !errors.Is(err, ErrTurnLost) {
		t.Errorf("the change that was cut off: %v", err)
	}
	if n, err := second.CurrentStrategy(ctx, shop); n != 2 || err != nil {
		t.Errorf("version %d is in force, %v", n, err)
	}
	if p, _, err := second.Paper(ctx, shop, "model", "newest"); string(p.Body) != "second's" || err != nil {
		t.Errorf("the paper reads %q, %v", p.Body, err)
	}
	if v, err := second.Strategies(ctx, shop); err != nil || len(v) != 1 || v[0].Note != "second's" {
		t.Errorf("the versions are %+v, %v", v, err)
	}
	if _, there, err := second.Decision(ctx, shop, "late"); there || err != nil {
		t.Errorf("the late decision is in the ledger, %v", err)
	}
	// The node is well and has its next turn.
	for name, write := range writes() {
		if err := first.Alone(ctx, "strategies", func(inside context.Context) error { return write(inside, first) }); err != nil {
			t.Errorf("%s in the next turn: %v", name, err)
		}
	}
}

// A turn that is lost while others write at the same moment costs only what was written for it.
func TestALostTurnCostsNobodyElse(t *testing.T) {
	t.Parallel()
	s := nodes(t, 1)[0]
	_ = s.Turn(ctx, "one", func(inside context.Context) error {
		cut(t, s, "turn one")
		<-inside.Done()
		if err := s.Turn(ctx, "one", func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
		deaf := context.WithoutCancel(inside)
		var work sync.WaitGroup
		for i := range 40 {
			work.Go(func() {
				if i%4 == 0 {
					if _, err := s.Commit(deaf, journal.Batch{Workspace: shop, Events: []event.Event{put("act", "x", i, `{}`)}}); !errors.Is(err, ErrTurnLost) {
						t.Errorf("a late commit: %v", err)
					}
					return
				}
				if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Events: []event.Event{visit("u", "", "Product Viewed", i, `{}`)}}); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		return nil
	})
	if p := profileOf(t, s, personOf(t, s, identity.User("u"))); p.Events != 30 {
		t.Errorf("%d of 30 events were kept", p.Events)
	}
}
