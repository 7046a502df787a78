package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

// Profiles are folded when somebody asks. One that was asked for stays hot on this
// node; the next question reads what its keys have gained since, on whichever node,
// and folds on. One that is cold is folded from its checkpoint and what came after.
const (
	// A history this long is kept as a checkpoint, and again each time it has grown
	// by half, or by so many events that a cold node would wait for them.
	checkpointEvents = 256
	checkpointEvery  = 4096

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
	marks        string // of the keys, sorted
	before, next *hot
	bytes        int64 // as accounted for in people

	mu       sync.Mutex // held while folding: who asks for the same person waits
	profile  *profile.Profile
	position uint64 // everything up to here is folded
	erased   uint64 // the workspace's newest erasure when it was folded
	size     int64
	kept     int // events in the last checkpoint
}

func newPeople(limit int64) *people {
	p := &people{limit: limit, of: map[string]*hot{}}
	p.ring.before, p.ring.next = &p.ring, &p.ring
	return p
}

// find gives the entry of a set of keys, an empty one when it is cold.
func (p *people) find(marks []mark) *hot {
	name := make([]byte, 0, 64)
	for _, m := range marks {
		name = append(name, m[:]...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.of[string(name)]
	if h == nil {
		h = &hot{marks: string(name)}
		p.of[h.marks] = h
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
	if p.of[h.marks] != h {
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
	delete(p.of, h.marks)
	p.bytes -= h.bytes
}

// forget lets the entries go that hold one of these keys.
func (p *people) forget(gone map[mark]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.of {
		for b := []byte(h.marks); len(b) > 0; b = b[16:] {
			if gone[mark(b[:16])] {
				p.remove(h)
				break
			}
		}
	}
}

// told is an event with its position.
type told struct {
	event    *event.Event
	position uint64
}

const gatherSQL = "SELECT " + rowColumns + " FROM log WHERE key = ANY($1) AND position > $2"

// collect reads rows of events in the order of profiles.
func collect(rows pgx.Rows, without []event.ID) (all []told, err error) {
	for rows.Next() {
		x, err := readRow(rows)
		if err != nil {
			return nil, err
		}
		if x.erased() || slices.Contains(without, x.id) {
			continue
		}
		e, err := x.open()
		if err != nil {
			return nil, err
		}
		all = append(all, told{&e, x.position})
	}
	slices.SortFunc(all, func(a, b told) int { return profile.Compare(a.event, b.event) })
	return all, rows.Err()
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
	marks := marksOf(scope.Workspace, scope.Keys)
	if len(marks) == 0 {
		return profile.New(scope.Person, scope.Keys).Snapshot(), nil
	}
	if scope.UpTo != 0 || len(scope.Without) > 0 {
		events, err := s.past(ctx, scope, marks)
		if err != nil {
			return nil, err
		}
		return fold(scope, events).Snapshot(), nil
	}
	h := s.people.find(marks)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := s.foldOn(ctx, h, scope, marks); err != nil {
		h.profile = nil // part of the events may be in it
		return nil, err
	}
	s.people.account(h, h.size)
	if h.profile.Person != scope.Person || !sameKeys(h.profile.Keys, scope.Keys) {
		h.profile.Belong(scope.Person, scope.Keys)
	}
	return h.profile.Snapshot(), nil
}

func (s *Store) past(ctx context.Context, scope journal.Scope, marks []mark) ([]told, error) {
	sql, args := gatherSQL, []any{marks, 0}
	if scope.UpTo != 0 {
		sql, args = sql+" AND position <= $3", append(args, scope.UpTo)
	}
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return collect(rows, scope.Without)
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

// foldOn brings a hot profile to what is committed now.
func (s *Store) foldOn(ctx context.Context, h *hot, scope journal.Scope, marks []mark) error {
	if h.profile == nil {
		if err := s.recallProfile(ctx, h, scope, marks); err != nil {
			return err
		}
	}
	events, erased, err := s.gained(ctx, scope.Workspace, marks, h.position)
	if err != nil {
		return err
	}
	anew := erased != h.erased // somebody was erased since, perhaps under one of these keys
	if !anew {
		for _, t := range events {
			if anew = !h.profile.Apply(t.event, t.position); anew {
				break
			}
		}
	}
	if anew {
		if events, h.erased, err = s.gained(ctx, scope.Workspace, marks, 0); err != nil {
			return err
		}
		h.profile, h.size, h.position, h.kept = fold(scope, events), hotBytes, 0, 0
	}
	for _, t := range events {
		h.size += eventBytes + int64(len(t.event.Body)+len(t.event.Context))
		h.position = max(h.position, t.position)
	}
	if n := h.profile.Events; n >= checkpointEvents && n > h.kept+min(h.kept/2, checkpointEvery) {
		return s.keep(ctx, h, scope.Workspace, marks)
	}
	return nil
}

// gained reads what keys have gained after a position, and the workspace's newest
// erasure, which is read first: one that comes in between is noticed next time.
func (s *Store) gained(ctx context.Context, workspace string, marks []mark, after uint64) (events []told, erased uint64, err error) {
	var b pgx.Batch
	b.Queue("SELECT erased FROM tenant WHERE id = $1", workspace).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&erased)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	b.Queue(gatherSQL, marks, after).Query(func(rows pgx.Rows) (err error) {
		events, err = collect(rows, nil)
		return err
	})
	err = s.pool.SendBatch(ctx, &b).Close()
	return events, erased, err
}

// recallProfile begins with a profile's checkpoint, if there is one.
func (s *Store) recallProfile(ctx context.Context, h *hot, scope journal.Scope, marks []mark) error {
	h.profile, h.size, h.position, h.kept = profile.New(scope.Person, scope.Keys), hotBytes, 0, 0
	var position uint64
	var body []byte
	h.erased = 0
	err := s.pool.QueryRow(ctx, `SELECT t.erased, coalesce(c.position, 0), c.body FROM tenant t LEFT JOIN checkpoint c ON c.workspace = t.number AND c.keys = $2
		WHERE t.id = $1`, scope.Workspace, marks).Scan(&h.erased, &position, &body)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("checkpoint: %w", err)
	}
	p := new(profile.Profile)
	if body == nil || p.UnmarshalBinary(bytes.Clone(body)) != nil {
		return nil // none, or an older build's form: the log still has everything
	}
	h.profile, h.position, h.kept, h.size = p, position, p.Events, hotBytes+2*int64(len(body))
	return nil
}

// keep writes a checkpoint, unless somebody was erased meanwhile or there is a newer.
func (s *Store) keep(ctx context.Context, h *hot, workspace string, marks []mark) error {
	body, err := h.profile.MarshalBinary()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	_, err = s.pool.Exec(ctx, `INSERT INTO checkpoint (workspace, keys, position, body)
		SELECT number, $3, $4, $5 FROM tenant WHERE id = $1 AND erased = $2 FOR SHARE
		ON CONFLICT (workspace, keys) DO UPDATE SET position = excluded.position, body = excluded.body WHERE checkpoint.position < excluded.position`,
		workspace, h.erased, marks, h.position, body)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	h.kept = h.profile.Events
	return nil
}
