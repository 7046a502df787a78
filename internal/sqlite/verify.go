package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

// Verified is what Verify has read.
type Verified struct {
	Rows, Events, Erased, Records int
}

// Verify reads the whole log, checksums included, and compares everything derived
// from it that is in memory: numbers, chains, known ids, the records of the shelf.
// It may run beside commits and looks at what was committed when it began. The
// error names the first place where the two differ.
func (s *Store) Verify(ctx context.Context) (Verified, error) {
	v := verifier{s: s, heads: make([]head, 1)}
	s.mu.RLock()
	v.upTo = s.position
	want := slices.Clone(s.heads)
	s.mu.RUnlock()
	last, _ := splitPosition(v.upTo)
	for v.seq < last {
		if err := ctx.Err(); err != nil {
			return v.found, err
		}
		before := v.seq
		err := s.readers.with(ctx, func(r *reader) error {
			return r.c.once("SELECT seq, body FROM log WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT 256", func(row []driver.Value) error {
				v.seq = integer(row[0])
				return v.row(blob(row[1]))
			}, v.seq, last)
		})
		if err != nil {
			return v.found, fmt.Errorf("verify: %w", err)
		}
		if v.seq == before {
			return v.found, fmt.Errorf("verify: the log ends at row %d, wanted %d: %w", v.seq, last, errDamaged)
		}
	}
	for _, t := range v.twins {
		// An event that was sent again after its id had been let go stands twice.
		f, err := s.frameAt(ctx, t.known)
		if err != nil {
			return v.found, fmt.Errorf("verify: %w", err)
		}
		if f == nil || f.id() != t.id {
			return v.found, fmt.Errorf("verify: event %s is known at position %d, not at %d: %w", t.id, t.known, t.position, errDamaged)
		}
	}
	for n := 1; n < len(want); n++ {
		if n >= len(v.heads) && want[n].last == 0 {
			continue
		}
		if n >= len(v.heads) || v.heads[n] != want[n] {
			return v.found, fmt.Errorf("verify: the chain of key %d ends elsewhere in memory than in the log: %w", n, errDamaged)
		}
	}
	var records int64
	err := s.readers.with(ctx, func(r *reader) error {
		return r.c.once("SELECT COUNT(*) FROM record WHERE position <= ?", func(row []driver.Value) error { records = integer(row[0]); return nil }, int64(v.upTo))
	})
	if err == nil && int(records) != v.found.Records {
		err = fmt.Errorf("%d records stand by themselves, the log has %d: %w", records, v.found.Records, errDamaged)
	}
	if err != nil {
		return v.found, fmt.Errorf("verify: %w", err)
	}
	return v.found, nil
}

type verifier struct {
	s     *Store
	upTo  uint64
	seq   int64
	heads []head
	keys  int // highest key number defined so far
	found Verified
	twins []twin
}

// twin is an event that is known at another position than its frame's.
type twin struct {
	id              event.ID
	position, known uint64
}

func (v *verifier) row(body []byte) error {
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	frames, err := openRow(v.seq, body, v.define)
	if err != nil {
		return err
	}
	v.found.Rows++
	for i := 0; len(frames) > 0; i++ {
		var f frame
		if f, frames, err = next(frames); err == nil {
			err = v.frame(f, makePosition(v.seq, i))
		}
		if err != nil {
			return fmt.Errorf("log row %d, event %d: %w", v.seq, i, err)
		}
	}
	return nil
}

func (v *verifier) define(x definition) error {
	d, n, value := v.s.words, int(x.number), string(x.value)
	ok := false
	switch x.kind {
	case defineWorkspace:
		ok = n < len(d.tenants) && d.tenants[n].id == value
	case defineName:
		ok = n < len(d.nameOf) && d.nameOf[n] == value
	case defineKey:
		v.keys++
		ok = n == v.keys && n < len(d.keys) && (value == "" && d.key(x.number) == identity.Key{} || d.key(x.number) == identity.Key{Kind: string(x.keyKind), Value: value})
	}
	if !ok {
		return fmt.Errorf("number %d means something else in memory: %w", n, errDamaged)
	}
	return nil
}

func (v *verifier) frame(f frame, position uint64) error {
	s := v.s
	v.found.Events++
	if f.flags()&flagErased != 0 {
		v.found.Erased++
	}
	id := f.id()
	switch at := s.ids.lookup(&id); {
	case at == position:
	case at == 0 && generationAt(time.UnixMilli(f.received())) < generationAt(s.clock().Add(-s.options.RetainIDs)):
		// deduplication has let it go
	default:
		v.twins = append(v.twins, twin{id, position, at})
	}
	key := f.key()
	if key == 0 {
		if f.kind() == event.Record && f.flags()&flagErased == 0 {
			v.found.Records++
		}
		return nil
	}
	for int(key) >= len(v.heads) {
		v.heads = append(v.heads, head{newest: never})
	}
	h := &v.heads[key]
	if f.previous() != h.last || f.newest() != h.newest {
		return fmt.Errorf("the chain of key %d is broken: %w", key, errDamaged)
	}
	h.last, h.newest = position, max(h.newest, f.time())
	return nil
}
