package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

// Profiles are folded when somebody asks, not when events come: a commit does
// nothing for them, and a visitor who never asks costs no memory. One that was
// asked for stays hot; the next question folds on with what its keys' chains have
// gained. One that is cold is folded from its checkpoint, if its history is long
// enough to have one, and the chains.
const (
	// A history this long is kept as a checkpoint, and again each time it has grown
	// by half: so that all checkpoints of a person together stay within a few times
	// the last one.
	checkpointEvents = 256

	hotBytes   = 2 << 10 // of a profile without its events
	eventBytes = 320     // of an event without its body and context
)

// people are the hot profiles, those asked for last first.
type people struct {
	mu    sync.Mutex
	limit int64
	bytes int64
	of    map[string]*hot
	ring  hot // its next is the newest, its before the oldest
}

// hot is one person's profile.
type hot struct {
	keys         string // the numbers of the keys, sorted, four bytes each
	before, next *hot
	bytes        int64 // as accounted for in people

	mu       sync.Mutex // held while folding: who asks for the same person waits
	profile  *profile.Profile
	position uint64 // everything up to here is folded
	size     int64
	kept     int // events in the last checkpoint
}

// checkpoint is a profile on its way to the disk.
type checkpoint struct {
	keys     []byte
	position uint64
	events   int
	body     []byte
}

func newPeople(limit int64) *people {
	p := &people{limit: limit, of: map[string]*hot{}}
	p.ring.before, p.ring.next = &p.ring, &p.ring
	return p
}

func (p *people) size() (n int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.of), p.bytes
}

// find gives the entry of a set of keys, an empty one when it is cold.
func (p *people) find(keys []byte) *hot {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.of[string(keys)]
	if h == nil {
		h = &hot{keys: string(keys)}
		p.of[h.keys] = h
	} else {
		h.before.next, h.next.before = h.next, h.before
	}
	h.before, h.next = &p.ring, p.ring.next
	h.before.next, h.next.before = h, h
	return h
}

// account notes how large an entry has become and lets the oldest ones go.
func (p *people) account(h *hot, size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[h.keys] != h {
		return // it was let go meanwhile
	}
	p.bytes += size - h.bytes
	h.bytes = size
	for p.bytes > p.limit && p.ring.before != h && p.ring.before != &p.ring {
		p.remove(p.ring.before)
	}
}

func (p *people) remove(h *hot) {
	h.before.next, h.next.before = h.next, h.before
	delete(p.of, h.keys)
	p.bytes -= h.bytes
}

// forget lets the entries go that hold one of these keys.
func (p *people) forget(numbers []uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.of {
		if holds([]byte(h.keys), numbers) {
			p.remove(h)
		}
	}
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

// told is an event with its position.
type told struct {
	event    *event.Event
	position uint64
}

// gather collects the events of chains in (after, upTo], in the order of profiles.
func (s *Store) gather(ctx context.Context, chains []chain, after, upTo uint64, without []event.ID) ([]told, error) {
	var all []told
	for _, c := range chains {
		err := s.walk(ctx, c.last, func(position uint64, f frame) bool {
			if position <= after {
				return true
			}
			if position <= upTo && f.flags()&flagErased == 0 && !slices.Contains(without, f.id()) {
				e := s.open(f)
				all = append(all, told{&e, position})
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
	slices.SortFunc(all, func(a, b told) int { return profile.Compare(a.event, b.event) })
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
	if scope.UpTo != 0 || len(scope.Without) > 0 {
		upTo := newest
		if scope.UpTo != 0 {
			upTo = min(upTo, scope.UpTo)
		}
		events, err := s.gather(ctx, chains, 0, upTo, scope.Without)
		if err != nil {
			return nil, err
		}
		return fold(scope, events).Snapshot(), nil
	}
	if len(chains) == 0 {
		return profile.New(scope.Person, scope.Keys).Snapshot(), nil
	}
	numbers := make([]byte, 0, 64)
	for _, c := range chains {
		numbers = binary.LittleEndian.AppendUint32(numbers, c.number)
	}
	h := s.people.find(numbers)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.profile == nil || h.position < newest {
		if err := s.foldOn(ctx, h, scope, chains, newest); err != nil {
			return nil, err
		}
		s.people.account(h, h.size)
	}
	if h.profile.Person != scope.Person || !sameKeys(h.profile.Keys, scope.Keys) {
		h.profile.Belong(scope.Person, scope.Keys)
	}
	return h.profile.Snapshot(), nil
}

// sameKeys compares a profile's sorted keys with a scope's, which usually are.
func sameKeys(sorted, given []identity.Key) bool {
	if slices.Equal(sorted, given) {
		return true
	}
	return len(sorted) == len(given) && slices.Equal(sorted, slices.SortedFunc(slices.Values(given), identity.Key.Compare))
}

func fold(scope journal.Scope, events []told) *profile.Profile {
	p := profile.New(scope.Person, scope.Keys)
	for _, t := range events {
		p.Apply(t.event, t.position)
	}
	return p
}

// foldOn brings a hot profile to the newest position.
func (s *Store) foldOn(ctx context.Context, h *hot, scope journal.Scope, chains []chain, newest uint64) error {
	if h.profile == nil {
		s.stats.coldFolds.Add(1)
		if err := s.recall(ctx, h); err != nil {
			return err
		}
		if h.profile == nil {
			h.profile, h.size = profile.New(scope.Person, scope.Keys), hotBytes
		}
	}
	events, err := s.gather(ctx, chains, h.position, newest, nil)
	if err != nil {
		return err
	}
	for _, t := range events {
		if !h.profile.Apply(t.event, t.position) {
			s.stats.refolds.Add(1)
			if events, err = s.gather(ctx, chains, 0, newest, nil); err != nil {
				h.profile = nil // part of the events are in it
				return err
			}
			h.profile, h.size = fold(scope, events), hotBytes
			break
		}
	}
	for _, t := range events {
		h.size += eventBytes + int64(len(t.event.Body)+len(t.event.Context))
	}
	h.position = newest
	if n := h.profile.Events; n >= checkpointEvents && n > h.kept+h.kept/2 {
		s.keep(h)
	}
	return nil
}

// recall reads a profile's checkpoint, if there is one.
func (s *Store) recall(ctx context.Context, h *hot) error {
	var position uint64
	var body []byte
	err := s.readers.with(ctx, func(r *reader) error {
		return r.byCheckpoint.query(func(row []driver.Value) error {
			position, body = uint64(integer(row[0])), blob(row[1])
			return nil
		}, []byte(h.keys))
	})
	if err != nil {
		return err
	}
	p := new(profile.Profile)
	if body == nil || p.UnmarshalBinary(body) != nil {
		return nil // an older build's form: the log still has everything
	}
	h.profile, h.position, h.kept, h.size = p, position, p.Events, hotBytes+2*int64(len(body))
	return nil
}

// keep hands a checkpoint to the writer, unless it has enough of them: then the
// next fold will try again.
func (s *Store) keep(h *hot) {
	body, err := h.profile.MarshalBinary()
	if err != nil {
		return
	}
	select {
	case s.w.behind.checkpoints <- checkpoint{[]byte(h.keys), h.position, h.profile.Events, body}:
		h.kept = h.profile.Events
	default:
	}
}
