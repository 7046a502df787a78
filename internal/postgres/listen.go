package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rapport-cx/rapport/journal"
)

// What nodes tell each other: a letter and a workspace. Nothing rests on it that must
// be right (a question asks the log how far it is, see fresh), only what should be
// soon. Ordinary events are not told: NOTIFY makes the commits of all workspaces wait
// for each other, and the next question or the next look finds them anyway.
const (
	noticeLog      = "l" // records were committed
	noticeStrategy = "s" // a strategy was put in force
	noticeTenant   = "w" // a workspace was made or changed
)

// lookEvery is how often a node looks for what nobody told it.
const lookEvery = time.Second

// Notices tells what changed on any node, this one included; see engine.Store. It is
// closed with the store.
func (s *Store) Notices() <-chan journal.Notice { return s.notices }

func (s *Store) listen(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	if _, err := c.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel}.Sanitize()); err != nil {
		c.Close(ctx)
		return nil, err
	}
	return c, nil
}

// hear passes notices on until ctx ends. After a break in the line anything may have
// been missed, so it says that anything may have changed.
func (s *Store) hear(ctx context.Context, c *pgx.Conn) {
	for c != nil {
		n, err := c.WaitForNotification(ctx)
		if err == nil {
			s.heard(ctx, n.Payload)
			continue
		}
		c.Close(context.Background())
		if c = s.listenAgain(ctx); c != nil {
			s.pass(journal.Notice{})
		}
	}
}

// listenAgain tries until it can listen, nil when ctx ends before.
func (s *Store) listenAgain(ctx context.Context) *pgx.Conn {
	for wait := 50 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 2*time.Second) {
		if c, err := s.listen(ctx); err == nil {
			return c
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

func (s *Store) heard(ctx context.Context, payload string) {
	if workspace, ok := strings.CutPrefix(payload, noticeLog); ok {
		_, _ = s.fresh(ctx, workspace) // whoever asks next will say what is wrong
		return
	}
	if payload != "" {
		s.pass(journal.Notice{Workspace: payload[1:]})
	}
}

func (s *Store) pass(n journal.Notice) {
	select {
	case s.notices <- n:
		return
	default:
	}
	for len(s.notices) > 0 { // nobody has listened for long: one that means everything will do
		select {
		case <-s.notices:
		default:
		}
	}
	s.notices <- journal.Notice{}
}

// keepUp looks from time to time whether other nodes have committed, and saves a
// snapshot when much has come since the last.
func (s *Store) keepUp(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		behind, err := s.grown(ctx)
		if err != nil {
			continue // the database is away; questions tell it
		}
		for _, t := range behind {
			_, _ = s.fresh(ctx, t.id)
		}
		_ = s.saveTurns(ctx) // what is not written down stays for the next look
		if due := s.due(); uint64(s.sinceSave.Load()) >= due {
			_ = s.save(ctx, due/2) // the next look tries again
		}
	}
}
