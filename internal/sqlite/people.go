package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/storage/hot"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

// Profiles are folded when somebody asks, not when events come: a commit does
// nothing for them, and a visitor who never asks costs no memory. One that was
// asked for stays hot; the next question folds on with what its keys' chains have
// gained. One that is cold is folded from its checkpoint, if its history is long
// enough to have one, and the chains.

// checkpointEvery bounds how many events of one person a restart has to fold.
const checkpointEvery = 16_384

// checkpoint is a profile on its way to the disk.
type checkpoint struct {
	keys     []byte
	position uint64
	events   int
	body     []byte
}

// holds tells that one of the numbers is among packed keys.
func holds(keys []byte, numbers []uint32) bool {
	for ; len(keys) >= 4; keys = keys[4:] {
		if slices.Contains(numbers, binary.LittleEndian.Uint32(keys)) {
			return true
		}
	}
	return false
}

// chain is a key's chain as one question sees it.
type chain struct {
	number uint32
	last   uint64
}

// chains gives the chains of a scope, sorted by number, and the newest position
// on them.
func (s *Store) chains(scope journal.Scope) (all []chain, newest uint64) {
	s.mu.RLock()
	for _, k := range scope.Keys {
		if n := s.words.number(scope.Workspace, k); n != 0 && int(n) < len(s.heads) && s.heads[n].last != 0 {
			all = append(all, chain{n, s.heads[n].last})
			newest = max(newest, s.heads[n].last)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b chain) int { return int(int64(a.number) - int64(b.number)) })
	return slices.Compact(all), newest
}

// gather collects the events of chains in (after, upTo], in the order of profiles.
func (s *Store) gather(ctx context.Context, chains []chain, after, upTo uint64, without []event.ID) ([]hot.Told, error) {
	var all []hot.Told
	for _, c := range chains {
		err := s.walk(ctx, c.last, func(position uint64, f frame) bool {
			if position <= after {
				return true
			}
			if position <= upTo && f.flags()&flagErased == 0 && !slices.Contains(without, f.id()) {
				e := s.open(f)
				all = append(all, hot.Told{Event: &e, Position: position})
			}
			return f.previous() <= after
		})
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	hot.Sort(all)
	return all, nil
}

// since collects the events of chains up to a position that did not happen before a time.
// Each frame knows the newest time before it on its chain, so the walk ends where all
// that is left is older.
func (s *Store) since(ctx context.Context, chains []chain, upTo uint64, from time.Time) ([]hot.Told, error) {
	if from.IsZero() {
		return s.gather(ctx, chains, 0, upTo, nil)
	}
	var all []hot.Told
	least := from.UnixMilli()
	for _, c := range chains {
		err := s.walk(ctx, c.last, func(position uint64, f frame) bool {
			if position <= upTo && f.time() >= least && f.flags()&flagErased == 0 {
				e := s.open(f)
				all = append(all, hot.Told{Event: &e, Position: position})
			}
			return f.newest() < least
		})
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	hot.Sort(all)
	return all, nil
}

// Profile folds a scope; see engine.Store.
func (s *Store) Profile(ctx context.Context, scope journal.Scope) (*profile.Profile, error) {
	p, err := s.profile(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("profile of %s in %s: %w", scope.Person, scope.Workspace, err)
	}
	return p, nil
}

func (s *Store) profile(ctx context.Context, scope journal.Scope) (*profile.Profile, error) {
	chains, newest := s.chains(scope)
	if scope.UpTo != 0 || len(scope.Without) > 0 || !scope.Until.IsZero() {
		upTo := newest
		if scope.UpTo != 0 {
			upTo = min(upTo, scope.UpTo)
		}
		events, err := s.gather(ctx, chains, 0, upTo, scope.Without)
		if err != nil {
			return nil, err
		}
		return hot.Fold(scope, hot.Until(events, scope.Until)).Snapshot(), nil
	}
	if len(chains) == 0 {
		return profile.New(scope.Person, scope.Keys).Snapshot(), nil
	}
	numbers := make([]byte, 0, 64)
	for _, c := range chains {
		numbers = binary.LittleEndian.AppendUint32(numbers, c.number)
	}
	h := s.people.Find(numbers)
	h.Mu.Lock()
	defer h.Mu.Unlock()
	if h.Profile == nil || h.Position < newest {
		if err := s.foldOn(ctx, h, scope, numbers, chains, newest); err != nil {
			return nil, err
		}
		s.people.Account(h)
	}
	return h.Hand(scope), nil
}

// foldOn brings a hot profile to the newest position.
func (s *Store) foldOn(ctx context.Context, h *hot.Entry, scope journal.Scope, numbers []byte, chains []chain, newest uint64) error {
	if h.Profile == nil {
		s.stats.coldFolds.Add(1)
		if err := s.recall(ctx, h, scope, numbers); err != nil {
			return err
		}
	}
	events, err := s.gather(ctx, chains, h.Position, newest, nil)
	if err != nil {
		return err
	}
	h.Arrive(events)
	if !h.Apply(events) {
		s.stats.refolds.Add(1)
		err := h.Refold(scope, func(from time.Time) ([]hot.Told, error) { return s.since(ctx, chains, newest, from) })
		if err != nil {
			return err
		}
	}
	h.Position = newest
	h.Weigh(events)
	if h.Due(checkpointEvery) {
		s.keep(h, numbers)
	}
	return nil
}

// recall begins with a profile's checkpoint, if there is one.
func (s *Store) recall(ctx context.Context, h *hot.Entry, scope journal.Scope, numbers []byte) error {
	var position uint64
	var body []byte
	err := s.readers.with(ctx, func(r *reader) error {
		return r.byCheckpoint.query(func(row []driver.Value) error {
			position, body = uint64(integer(row[0])), blob(row[1])
			return nil
		}, numbers)
	})
	if err != nil {
		return err
	}
	p := new(profile.Profile)
	if body == nil || p.UnmarshalBinary(body) != nil { // none, or an older build's form: the log still has everything
		h.Begin(profile.New(scope.Person, scope.Keys), 0, 0)
		return nil
	}
	h.Begin(p, position, len(body))
	return nil
}

// keep hands a checkpoint to the writer, unless it has enough of them: then the
// next fold will try again.
func (s *Store) keep(h *hot.Entry, numbers []byte) {
	body, err := h.Profile.MarshalBinary()
	if err != nil {
		return
	}
	select {
	case s.w.behind.checkpoints <- checkpoint{numbers, h.Position, h.Profile.Events, body}:
		h.Kept = h.Profile.Events
	default:
	}
}
