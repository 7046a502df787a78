package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/storage/hot"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

// Profiles are folded when somebody asks. One that was asked for stays hot on this
// node; the next question reads what its keys have gained since, on whichever node,
// and folds on. One that is cold is folded from its checkpoint and what came after.

// checkpointEvery bounds how many events a node that is cold has to read.
const checkpointEvery = 4096

// nameOf is what a person's hot profile is found by.
func nameOf(marks []mark) []byte {
	name := make([]byte, 0, 64)
	for _, m := range marks {
		name = append(name, m[:]...)
	}
	return name
}

const gatherSQL = "SELECT " + rowColumns + " FROM log WHERE key = ANY($1) AND position > $2"

// collect reads rows of events in the order of profiles.
func collect(rows pgx.Rows, without []event.ID) (all []hot.Told, err error) {
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
		all = append(all, hot.Told{Event: &e, Position: x.position})
	}
	hot.Sort(all)
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
	if scope.UpTo != 0 || len(scope.Without) > 0 || !scope.Until.IsZero() {
		events, err := s.past(ctx, scope, marks)
		if err != nil {
			return nil, err
		}
		return hot.Fold(scope, hot.Until(events, scope.Until)).Snapshot(), nil
	}
	h := s.people.Find(nameOf(marks))
	h.Mu.Lock()
	defer h.Mu.Unlock()
	if err := s.foldOn(ctx, h, scope, marks); err != nil {
		return nil, err
	}
	s.people.Account(h)
	return h.Hand(scope), nil
}

func (s *Store) past(ctx context.Context, scope journal.Scope, marks []mark) ([]hot.Told, error) {
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

// foldOn brings a hot profile to what is committed now.
func (s *Store) foldOn(ctx context.Context, h *hot.Entry, scope journal.Scope, marks []mark) error {
	if h.Profile == nil {
		if err := s.recallProfile(ctx, h, scope, marks); err != nil {
			return err
		}
	}
	events, erased, err := s.gained(ctx, scope.Workspace, marks, h.Position)
	if err != nil {
		return err
	}
	last := h.Position
	for _, t := range events {
		last = max(last, t.Position)
	}
	h.Arrive(events)
	switch {
	case erased != h.Epoch: // somebody was erased since, perhaps under one of these keys
		if events, h.Epoch, err = s.gained(ctx, scope.Workspace, marks, 0); err != nil {
			h.Profile = nil
			return err
		}
		h.Begin(hot.Fold(scope, events), 0, 0)
		for _, t := range events {
			last = max(last, t.Position)
		}
	case !h.Apply(events): // one came late
		err := h.Refold(scope, func(from time.Time) ([]hot.Told, error) { return s.since(ctx, marks, last, from) })
		if err != nil {
			return err
		}
	}
	h.Position = last
	h.Weigh(events)
	if h.Due(checkpointEvery) {
		return s.keep(ctx, h, scope.Workspace, marks)
	}
	return nil
}

// since reads the events of keys up to a position that did not happen before a time.
func (s *Store) since(ctx context.Context, marks []mark, upTo uint64, from time.Time) ([]hot.Told, error) {
	least := int64(math.MinInt64)
	if !from.IsZero() {
		least = from.UnixMilli()
	}
	rows, err := s.pool.Query(ctx, "SELECT "+rowColumns+" FROM log WHERE key = ANY($1) AND at >= $2 AND position <= $3", marks, least, upTo)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return collect(rows, nil)
}

// gained reads what keys have gained after a position, and the workspace's newest
// erasure, which is read first: one that comes in between is noticed next time.
func (s *Store) gained(ctx context.Context, workspace string, marks []mark, after uint64) (events []hot.Told, erased uint64, err error) {
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
func (s *Store) recallProfile(ctx context.Context, h *hot.Entry, scope journal.Scope, marks []mark) error {
	var erased, position uint64
	var body []byte
	err := s.pool.QueryRow(ctx, `SELECT t.erased, coalesce(c.position, 0), c.body FROM tenant t LEFT JOIN checkpoint c ON c.workspace = t.number AND c.keys = $2
		WHERE t.id = $1`, scope.Workspace, marks).Scan(&erased, &position, &body)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("checkpoint: %w", err)
	}
	h.Epoch = erased
	p := new(profile.Profile)
	if body == nil || p.UnmarshalBinary(body) != nil { // none, or an older build's form: the log still has everything
		h.Begin(profile.New(scope.Person, scope.Keys), 0, 0)
		return nil
	}
	h.Begin(p, position, len(body))
	return nil
}

// keep writes a checkpoint, unless somebody was erased meanwhile or there is a newer.
func (s *Store) keep(ctx context.Context, h *hot.Entry, workspace string, marks []mark) error {
	body, err := h.Profile.MarshalBinary()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	_, err = s.pool.Exec(ctx, `INSERT INTO checkpoint (workspace, keys, position, body)
		SELECT number, $3, $4, $5 FROM tenant WHERE id = $1 AND erased = $2 FOR SHARE
		ON CONFLICT (workspace, keys) DO UPDATE SET position = excluded.position, body = excluded.body WHERE checkpoint.position < excluded.position`,
		workspace, h.Epoch, marks, h.Position, body)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	h.Kept = h.Profile.Events
	return nil
}
