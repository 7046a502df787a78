package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// load brings the memory of the store to the end of the log.
func (s *Store) load(ctx context.Context, rebuild bool) error {
	w := s.w
	w.behind = newBehind(&s.options)
	w.behind.generation = generationAt(s.clock())
	marks, err := readMarks(w.c)
	if err != nil {
		return err
	}
	if _, broken := marks[markRebuild]; rebuild || broken {
		rebuild, marks = true, map[string]uint64{}
		if err := s.dropDerived(); err != nil {
			return fmt.Errorf("drop what is derived: %w", err)
		}
	}
	s.readAged(marks)
	l := loading{s: s, rebuild: rebuild, index: marks[markIndex], heads: marks[markHeads], defined: map[uint32]keyName{}}
	if l.index > 0 {
		if err := l.readIndex(); err != nil {
			return fmt.Errorf("read the index: %w", err)
		}
	}
	if err := l.readHeads(); err != nil {
		return fmt.Errorf("read the heads: %w", err)
	}
	for _, f := range s.options.Followers {
		at, err := s.loadFollower(f, marks[followerMark(f.Name())])
		if err != nil {
			return err
		}
		l.followers = append(l.followers, at)
	}
	if err := l.readTail(ctx); err != nil {
		return err
	}
	if err := s.fillShelf(); err != nil {
		return fmt.Errorf("fill the shelf: %w", err)
	}
	w.behind.flushed, w.behind.rounded = l.index, l.heads
	for i, from := range l.followers {
		share := time.Duration(saveShare)
		if _, ok := s.options.Followers[i].(journal.Snapshotter); ok {
			share = besideShare
		}
		w.behind.saves = append(w.behind.saves, saving{position: from, share: share})
	}
	if rebuild {
		w.behind.finish(w)
		w.alone(func(w *writer) error { return w.c.exec("DELETE FROM mark WHERE name = '" + markRebuild + "'") })
		return w.failure()
	}
	return nil
}

func readMarks(c *conn) (map[string]uint64, error) {
	marks := map[string]uint64{}
	err := c.once("SELECT name, position FROM mark", func(row []driver.Value) error {
		marks[text(row[0])] = uint64(integer(row[1]))
		return nil
	})
	return marks, err
}

func (s *Store) dropDerived() error {
	return s.w.c.exec("BEGIN IMMEDIATE; DELETE FROM piece; DELETE FROM mark; DELETE FROM aged; DELETE FROM checkpoint; DELETE FROM record; INSERT INTO mark VALUES ('" + markRebuild + "', 1); COMMIT")
}

// keyName is a key as a row defines it.
type keyName struct {
	workspace uint32
	key       identity.Key
}

// loading is the way from the pieces to the end of the log.
type loading struct {
	s            *Store
	rebuild      bool
	index, heads uint64             // marks
	followers    []uint64           // marks, in the order of Options.Followers
	defined      map[uint32]keyName // by the row in work
	highest      uint32             // of them
	event        event.Event        // reused
}

func (l *loading) readIndex() error {
	s, c, b := l.s, l.s.w.c, &l.s.w.behind
	count := map[string]int64{}
	err := c.once("SELECT name, COUNT(*), MAX(part), SUM(LENGTH(body)) FROM piece WHERE name <> 'heads' AND name NOT LIKE 'follower/%' GROUP BY name", func(row []driver.Value) error {
		name := text(row[0])
		b.parts[name] = int(integer(row[1]))
		b.part = max(b.part, integer(row[2]))
		count[name] = integer(row[3])
		return nil
	})
	if err != nil {
		return err
	}
	each, err := c.prepare("SELECT body FROM piece WHERE name = ? ORDER BY part")
	if err != nil {
		return err
	}
	defer each.close()
	err = each.query(func(row []driver.Value) error {
		_, err := definitions(append(blob(row[0]), defineEnd), s.words.define)
		return err
	}, "words")
	if err != nil {
		return fmt.Errorf("words: %w", err)
	}
	for _, t := range s.words.tenants[1:] {
		var parts [][]byte
		err := each.query(func(row []driver.Value) error { parts = append(parts, blob(row[0])); return nil }, identityPiece(t.number))
		if err != nil {
			return err
		}
		if err := t.graph.Load(parts...); err != nil {
			return err
		}
	}
	err = each.query(func(row []driver.Value) error {
		for body := blob(row[0]); len(body) >= 8; body = body[8:] {
			p := keyPlace{binary.LittleEndian.Uint32(body), binary.LittleEndian.Uint32(body[4:])}
			if int(p.workspace) >= len(s.words.tenants) {
				return errDamaged
			}
			if p.number != 0 {
				s.words.tenants[p.workspace].setMine(p.number, uint32(len(s.words.keys)))
			}
			s.words.keys = append(s.words.keys, p)
		}
		return nil
	}, "keys")
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	b.keys = len(s.words.keys)
	for name, bytes := range count {
		var number int64
		if _, err := fmt.Sscanf(name, "seen/%d", &number); err != nil {
			continue
		}
		s.ids.reserve(number, int(bytes/slotSize))
		err := each.query(func(row []driver.Value) error {
			for body := blob(row[0]); len(body) >= slotSize; body = body[slotSize:] {
				s.ids.put((*slot)(body), number)
			}
			return nil
		}, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (l *loading) readHeads() error {
	s := l.s
	if l.heads == 0 {
		return nil
	}
	return s.w.c.once("SELECT part, body FROM piece WHERE name = 'heads' ORDER BY part", func(row []driver.Value) error {
		first := int(integer(row[0])) * pageKeys
		body := blob(row[1])
		s.growHeads(first + len(body)/headBytes)
		for i := 0; i < len(body)/headBytes; i++ {
			s.heads[first+i] = head{binary.LittleEndian.Uint64(body[i*headBytes:]), int64(binary.LittleEndian.Uint64(body[i*headBytes+8:]))}
		}
		return nil
	})
}

func (s *Store) growHeads(n int) {
	for len(s.heads) < n {
		s.heads = append(s.heads, head{newest: never})
	}
}

// loadFollower gives a follower its last state and tells from where on it must be
// fed. One that is new, or does not know its state any more, is fed from the
// beginning.
func (s *Store) loadFollower(f journal.Follower, mark uint64) (uint64, error) {
	if mark == 0 {
		return 0, nil
	}
	var state []byte
	err := s.w.c.once("SELECT body FROM piece WHERE name = ? ORDER BY part", func(row []driver.Value) error {
		state = append(state, blob(row[0])...)
		return nil
	}, followerPiece(f.Name(), mark))
	if err != nil {
		return 0, fmt.Errorf("read the state of %s: %w", f.Name(), err)
	}
	if f.Load(state) != nil {
		return 0, nil
	}
	return mark, nil
}

// readTail reads the log from the oldest mark on.
func (l *loading) readTail(ctx context.Context) error {
	s, w := l.s, l.s.w
	var last, lastN int64
	err := w.c.once("SELECT seq, n FROM log ORDER BY seq DESC LIMIT 1", func(row []driver.Value) error {
		last, lastN = integer(row[0]), integer(row[1])
		return nil
	})
	if err != nil {
		return err
	}
	w.seq = last + 1
	if last > 0 {
		s.position = makePosition(last, int(lastN)-1)
	}
	from := min(l.index, l.heads)
	for _, mark := range l.followers {
		from = min(from, mark)
	}
	seq, _ := splitPosition(from) // a mark is always the end of a row
	rows, err := w.c.prepare("SELECT seq, body FROM log WHERE seq > ? ORDER BY seq LIMIT 64")
	if err != nil {
		return err
	}
	defer rows.close()
	for seq < last {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.rebuild {
			if _, err := w.begin.exec(); err != nil {
				return err
			}
		}
		before := seq
		err := rows.query(func(row []driver.Value) error {
			seq = integer(row[0])
			return l.row(seq, blob(row[1]))
		}, seq)
		if err != nil {
			return err
		}
		if l.rebuild {
			if _, err := w.commit.exec(); err != nil {
				return err
			}
		}
		if seq == before {
			return fmt.Errorf("the log ends at row %d, wanted %d: %w", seq, last, errDamaged)
		}
	}
	s.growHeads(len(s.words.keys))
	return nil
}

// row takes in one row. Everything in it may be known already to some of the
// pieces: each looks at its own mark.
func (l *loading) row(seq int64, body []byte) error {
	s, w := l.s, l.s.w
	clear(l.defined)
	l.highest = 0
	frames, err := openRow(seq, body, func(x definition) error {
		if x.kind == defineKey {
			l.defined[x.number] = keyName{x.workspace, identity.Key{Kind: string(x.keyKind), Value: string(x.value)}}
			l.highest = max(l.highest, x.number)
			return nil
		}
		known := len(s.words.tenants) + len(s.words.nameOf)
		if err := s.words.define(x); err != nil {
			return err
		}
		if len(s.words.tenants)+len(s.words.nameOf) > known {
			w.behind.words = appendDefinition(w.behind.words, x.kind, x.number, 0, "", string(x.value))
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.rows.put(seq, body, 0)
	for i := 0; len(frames) > 0; i++ {
		var f frame
		if f, frames, err = next(frames); err != nil {
			return fmt.Errorf("log row %d, event %d: %w", seq, i, err)
		}
		if err := l.frame(f, makePosition(seq, i)); err != nil {
			return fmt.Errorf("log row %d, event %d: %w", seq, i, err)
		}
	}
	return l.place(l.highest, 0) // those that only erased events used
}

func (l *loading) text(n uint32) identity.Key {
	if int(n) < len(l.s.words.keys) {
		return l.s.words.key(n)
	}
	return l.defined[n].key
}

func (l *loading) frame(f frame, position uint64) error {
	s, w := l.s, l.s.w
	if int(f.workspace()) >= len(s.words.tenants) || int(f.name()) >= len(s.words.nameOf) {
		return errDamaged
	}
	t := s.words.tenants[f.workspace()]
	key := f.key()
	erased := f.flags()&flagErased != 0
	e := &l.event
	*e = f.peek(s.words, l.text(key), l.text(f.beside()))
	var joined []identity.Join
	if position > l.index {
		id := f.id()
		if s.ids.lookup(&id) == 0 {
			entry := makeSlot(id, position)
			generation := min(w.behind.generation, generationAt(time.UnixMilli(f.received())))
			s.ids.put(&entry, generation)
			w.behind.remember(&entry)
		}
		if !erased {
			_, joined = t.graph.Observe(e)
		}
		if err := l.place(key, f.beside()); err != nil {
			return err
		}
	}
	if key != 0 && position > l.heads {
		s.growHeads(int(key) + 1)
		h := &s.heads[key]
		if h.last < position {
			h.last = position
		}
		h.newest = max(h.newest, f.time())
		w.behind.dirty(key)
	}
	if erased {
		return nil
	}
	if l.rebuild && key == 0 && e.Kind == event.Record {
		if err := w.storeRecord(position, t.id, e.Name, e.Subject, e.Deleted, f); err != nil {
			return err
		}
	}
	person := uint32(0)
	if key != 0 {
		person = t.graph.PersonNumber(s.words.keys[key].number)
	}
	for i, follower := range s.options.Followers {
		if position <= l.followers[i] {
			continue
		}
		for _, j := range joined {
			journal.TellJoin(follower, t.id, j)
		}
		follower.Follow(journal.Committed{Workspace: t.id, Position: position, Event: e, Person: person})
	}
	return nil
}

// place gives the keys that a frame uses, and those defined before them, their
// places in the graph.
func (l *loading) place(key, beside uint32) error {
	d := l.s.words
	for n := uint32(len(d.keys)); n <= max(key, beside); n++ {
		k, defined := l.defined[n]
		if !defined || int(k.workspace) >= len(d.tenants) {
			return fmt.Errorf("key %d has no definition: %w", n, errDamaged)
		}
		d.keys = append(d.keys, keyPlace{workspace: k.workspace})
		if k.key.Value != "" {
			d.strays[n] = k.key
		}
	}
	if len(d.strays) > 0 {
		for _, n := range [2]uint32{key, beside} {
			if k, stray := d.strays[n]; stray {
				t := d.tenants[d.keys[n].workspace]
				if g := t.graph.Number(k); g != 0 {
					d.keys[n].number = g
					t.setMine(g, n)
					delete(d.strays, n)
				}
			}
		}
	}
	return nil
}

// fillShelf gives the shelf every record of the catalogue, oldest first.
func (s *Store) fillShelf() error {
	if s.options.Shelf == nil {
		return nil
	}
	return s.w.c.once("SELECT position, body FROM record ORDER BY position", func(row []driver.Value) error {
		body := blob(row[1])
		f, rest, err := next(body)
		if err != nil || len(rest) > 0 || int(f.name()) >= len(s.words.nameOf) || int(f.workspace()) >= len(s.words.tenants) {
			return fmt.Errorf("record at %d: %w", integer(row[0]), errDamaged)
		}
		e := f.peek(s.words, identity.Key{}, identity.Key{})
		s.options.Shelf.Follow(journal.Committed{Workspace: s.words.tenants[f.workspace()].id, Position: uint64(integer(row[0])), Event: &e})
		return nil
	})
}

// tell gives a committed group to the shelf and the followers, in log order.
func (w *writer) tell() {
	s := w.s
	n, join := 0, 0
	var e event.Event
	for _, o := range w.out {
		frames, err := openRow(o.seq, o.body, nil)
		for i := 0; err == nil && len(frames) > 0; i++ {
			var f frame
			if f, frames, err = next(frames); err != nil {
				break
			}
			t := s.words.tenants[f.workspace()]
			e = f.peek(s.words, s.words.key(f.key()), s.words.key(f.beside()))
			c := journal.Committed{Workspace: t.id, Position: makePosition(o.seq, i), Event: &e, Person: w.persons[n]}
			joins := join
			for join < len(w.joins) && w.joins[join].event == n {
				join++
			}
			n++
			for _, follower := range s.told {
				for _, j := range w.joins[joins:join] {
					journal.TellJoin(follower, t.id, j.Join)
				}
				follower.Follow(c)
			}
			if s.options.Shelf != nil && f.key() == 0 && e.Kind == event.Record {
				kept := e
				own(&kept)
				c.Event = &kept
				s.options.Shelf.Follow(c)
			}
		}
	}
}
