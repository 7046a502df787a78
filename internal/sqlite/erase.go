package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// Erase removes a person for good; see engine.Store. Rows of the log are written
// anew without what the person's events said: the frames stay as empty places, so
// that positions, chains and the ids of deduplication hold.
func (s *Store) Erase(ctx context.Context, workspace string, keys []identity.Key) (receipt journal.Erasure, err error) {
	err = s.do(ctx, func(w *writer) (func(), error) {
		e := erasure{w: w, t: s.words.byID[workspace], receipt: &receipt}
		return e.run(workspace, keys)
	})
	if err != nil {
		return journal.Erasure{}, fmt.Errorf("erase a person of %s: %w", workspace, err)
	}
	return receipt, nil
}

type erasure struct {
	w       *writer
	t       *tenant
	receipt *journal.Erasure
	numbers []uint32 // of the keys in the log
	graph   []uint32 // of the keys in the identity graph
	persons []uint32 // that these keys were
	rows    []int64
}

// run works in the writer, in a transaction of its own.
func (e *erasure) run(workspace string, keys []identity.Key) (after func(), err error) {
	w, s := e.w, e.w.s
	if err := e.decisions(workspace, keys); err != nil {
		return nil, err
	}
	if e.t == nil {
		return nil, nil
	}
	for _, k := range keys {
		if n := e.t.graph.Number(k); n != 0 {
			e.graph = append(e.graph, n)
		}
		if n := s.words.number(workspace, k); n != 0 {
			e.numbers = append(e.numbers, n)
		}
	}
	if err := e.log(); err != nil {
		return nil, err
	}
	if err := e.checkpoints(); err != nil {
		return nil, err
	}
	if err := e.followers(); err != nil {
		return nil, err
	}
	// From here on memory changes. Should the commit fail, the store takes no more
	// writes, and the next start reads what the disk then holds.
	s.mu.Lock()
	for _, n := range e.graph {
		if p := e.t.graph.PersonNumber(n); p != 0 && !slices.Contains(e.persons, p) {
			e.persons = append(e.persons, p)
		}
	}
	e.t.graph.Forget(e.graph)
	for _, n := range e.numbers {
		if g := s.words.keys[n].number; g != 0 {
			e.t.mine[g] = 0
		}
		s.words.keys[n].number = 0
		delete(s.words.strays, n)
	}
	s.mu.Unlock()
	if w.behind.flushed > 0 {
		if _, err := w.deletePieces.exec("keys"); err != nil {
			return nil, w.fail(err)
		}
		w.behind.keys = 1
		w.behind.parts["keys"] = 0
		if err := w.behind.writeIdentity(w, e.t); err != nil {
			return nil, w.fail(err)
		}
		if err := w.behind.writeIndex(w); err != nil {
			return nil, w.fail(err)
		}
	}
	return func() {
		s.rows.drop(e.rows)
		s.people.Forget(func(name []byte) bool { return holds(name, e.numbers) })
		e.tell(workspace, keys)
		w.behind.truncate = true
		w.behind.truncateLog(w)
	}, nil
}

// tell lets the followers forget the person, and has their state written again.
// What they had saved is gone with the erasure's own commit: should the process
// end before the new state is written, they are fed from the log anew.
func (e *erasure) tell(workspace string, keys []identity.Key) {
	b := &e.w.behind
	for i, f := range e.w.s.options.Followers {
		if !journal.Forgets(f) {
			continue
		}
		journal.TellErased(f, workspace, e.persons, keys)
		b.saves[i] = saving{share: b.saves[i].share, turn: b.saves[i].turn + 1}
	}
	b.begin(e.w, false) // anew: what was planned may hold a state of before
}

// followers drops what followers that know persons have saved.
func (e *erasure) followers() error {
	for _, f := range e.w.s.options.Followers {
		if !journal.Forgets(f) {
			continue
		}
		if _, err := e.w.deleteMark.exec(followerMark(f.Name())); err != nil {
			return err
		}
		if _, err := e.w.deleteSaves.exec("follower/"+f.Name()+"@", ""); err != nil {
			return err
		}
	}
	return nil
}

func (e *erasure) decisions(workspace string, keys []identity.Key) error {
	ids := map[identity.PersonID]bool{}
	for _, k := range keys {
		ids[identity.PersonOf(workspace, k)] = true
		if e.t != nil {
			if p, _, known := e.t.graph.Resolve(k); known && !slices.ContainsFunc(p.Keys, func(k identity.Key) bool { return !slices.Contains(keys, k) }) {
				ids[p.ID] = true
			}
		}
	}
	update, err := e.w.c.prepare("UPDATE decision SET body = NULL, asker = '' WHERE workspace = ? AND person = ? AND body IS NOT NULL")
	if err != nil {
		return err
	}
	defer update.close()
	forget, err := e.w.c.prepare("DELETE FROM firing WHERE workspace = ? AND person = ?")
	if err != nil {
		return err
	}
	defer forget.close()
	for id := range ids {
		if _, err := forget.exec(workspace, string(id)); err != nil {
			return fmt.Errorf("firings of %s: %w", id, err)
		}
		n, err := update.exec(workspace, string(id))
		if err != nil {
			return fmt.Errorf("decisions of %s: %w", id, err)
		}
		e.receipt.Decisions += int(n)
	}
	return nil
}

// log empties the person's frames and the definitions of their keys.
func (e *erasure) log() error {
	s := e.w.s
	touched := map[int64]bool{}
	for _, n := range e.numbers {
		err := s.walk(context.Background(), s.heads[n].last, func(position uint64, f frame) bool {
			seq, _ := splitPosition(position)
			touched[seq] = true
			return false
		})
		if err != nil {
			return err
		}
	}
	defined := map[uint32]bool{}
	for seq := range touched {
		if err := e.row(seq, defined); err != nil {
			return err
		}
		e.rows = append(e.rows, seq)
	}
	// A key that stood beside somebody else's first is defined in that one's row.
	if len(defined) < len(e.numbers) {
		return e.search(defined)
	}
	return nil
}

func (e *erasure) row(seq int64, defined map[uint32]bool) error {
	var body []byte
	err := e.w.c.once("SELECT body FROM log WHERE seq = ?", func(row []driver.Value) error { body = blob(row[0]); return nil }, seq)
	if err != nil {
		return err
	}
	var r rowBuilder
	frames, err := openRow(seq, body, func(x definition) error {
		value := string(x.value)
		if x.kind == defineKey && slices.Contains(e.numbers, x.number) {
			value = ""
			defined[x.number] = true
		}
		r.definitions = appendDefinition(r.definitions, x.kind, x.number, x.workspace, string(x.keyKind), value)
		return nil
	})
	if err != nil {
		return err
	}
	for len(frames) > 0 {
		var f frame
		if f, frames, err = next(frames); err != nil {
			return fmt.Errorf("log row %d: %w", seq, err)
		}
		if slices.Contains(e.numbers, f.key()) {
			if f.flags()&flagErased == 0 {
				e.receipt.Events++
			}
			f = f.empty()
		}
		r.frames = append(r.frames, f...)
	}
	update, err := e.w.c.prepare("UPDATE log SET body = ? WHERE seq = ?")
	if err != nil {
		return err
	}
	defer update.close()
	_, err = update.exec(r.body(), seq)
	return err
}

// search goes through the log for the definitions that are missing.
func (e *erasure) search(defined map[uint32]bool) error {
	var found []int64
	err := e.w.c.once("SELECT seq, body FROM log ORDER BY seq", func(row []driver.Value) error {
		here := false
		_, err := openRow(integer(row[0]), blob(row[1]), func(x definition) error {
			if x.kind == defineKey && slices.Contains(e.numbers, x.number) && !defined[x.number] {
				here = true
				defined[x.number] = true
			}
			return nil
		})
		if here {
			found = append(found, integer(row[0]))
		}
		if err == nil && len(defined) == len(e.numbers) {
			return errStop
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, seq := range found {
		if err := e.row(seq, defined); err != nil {
			return err
		}
		e.rows = append(e.rows, seq)
	}
	return nil
}

// checkpoints drops the kept profiles that hold one of the keys.
func (e *erasure) checkpoints() error {
	var gone [][]byte
	err := e.w.c.once("SELECT keys FROM checkpoint", func(row []driver.Value) error {
		if holds(blob(row[0]), e.numbers) {
			gone = append(gone, blob(row[0]))
		}
		return nil
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	remove, err := e.w.c.prepare("DELETE FROM checkpoint WHERE keys = ?")
	if err != nil {
		return err
	}
	defer remove.close()
	for _, keys := range gone {
		if _, err := remove.exec(keys); err != nil {
			return err
		}
	}
	return nil
}
