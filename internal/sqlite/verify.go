package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"hash"
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
	v := verifier{s: s, heads: make([]head, 1), records: sha256.New()}
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
	records, kept := 0, sha256.New()
	err := s.readers.with(ctx, func(r *reader) error {
		return r.c.once("SELECT body FROM record WHERE position <= ? ORDER BY position", func(row []driver.Value) error {
			records++
			kept.Write(blob(row[0]))
			return nil
		}, int64(v.upTo))
	})
	if err == nil && records != v.found.Records {
		err = fmt.Errorf("%d records stand by themselves, the log has %d: %w", records, v.found.Records, errDamaged)
	}
	if err == nil && !bytes.Equal(kept.Sum(nil), v.records.Sum(nil)) {
		err = fmt.Errorf("the records that stand by themselves are not those of the log: %w", errDamaged)
	}
	if err != nil {
		return v.found, fmt.Errorf("verify: %w", err)
	}
	return v.found, nil
}

// Check is Verify for a witness.
func (s *Store) Check(ctx context.Context) error {
	_, err := s.Verify(ctx)
	return err
}

// Each gives every event of the log that was not erased, oldest first; see witness.Log.
func (s *Store) Each(ctx context.Context, take func(workspace string, position uint64, e *event.Event) error) (erased int, err error) {
	last, _ := splitPosition(s.Position())
	seq := int64(0)
	row := func(body []byte) error {
		frames, err := openRow(seq, body, nil)
		for i := 0; err == nil && len(frames) > 0; i++ {
			var f frame
			if f, frames, err = next(frames); err != nil {
				break
			}
			if f.flags()&flagErased != 0 {
				erased++
				continue
			}
			s.mu.RLock()
			e := f.peek(s.words, s.words.key(f.key()), s.words.key(f.beside()))
			workspace := s.words.tenants[f.workspace()].id
			s.mu.RUnlock()
			err = take(workspace, makePosition(seq, i), &e)
		}
		return err
	}
	for seq < last {
		if err := ctx.Err(); err != nil {
			return erased, err
		}
		before := seq
		err := s.readers.with(ctx, func(r *reader) error {
			return r.c.once("SELECT seq, body FROM log WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT 256", func(cells []driver.Value) error {
				seq = integer(cells[0])
				return row(blob(cells[1]))
			}, seq, last)
		})
		if err != nil {
			return erased, err
		}
		if seq == before {
			return erased, fmt.Errorf("the log ends at row %d, wanted %d: %w", seq, last, errDamaged)
		}
	}
	return erased, nil
}

// Identities are the persons of each workspace, as they are saved.
func (s *Store) Identities() map[string][]byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := map[string][]byte{}
	for _, t := range s.words.tenants[1:] {
		all[t.id] = t.graph.Save()
	}
	return all
}

// Checkpoints gives every profile that is kept on the disk.
func (s *Store) Checkpoints(ctx context.Context, each func(workspace string, body []byte) error) error {
	after := []byte{}
	for {
		var keys, body []byte
		err := s.readers.with(ctx, func(r *reader) error {
			return r.c.once("SELECT keys, body FROM checkpoint WHERE keys > ? ORDER BY keys LIMIT 1", func(row []driver.Value) error {
				keys, body = blob(row[0]), blob(row[1])
				return nil
			}, after)
		})
		if err != nil || keys == nil {
			return err
		}
		after = keys
		n := binary.LittleEndian.Uint32(keys)
		s.mu.RLock()
		workspace := ""
		if int(n) < len(s.words.keys) {
			workspace = s.words.tenants[s.words.keys[n].workspace].id
		}
		s.mu.RUnlock()
		if err := each(workspace, body); err != nil {
			return err
		}
	}
}

type verifier struct {
	s     *Store
	upTo  uint64
	seq   int64
	heads []head
	keys  int // highest key number defined so far
	found Verified
	twins []twin
	// Of the bytes of all records that belong to nobody.
	records hash.Hash
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
			v.records.Write(f)
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
