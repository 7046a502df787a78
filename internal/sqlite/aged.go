package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/event"
)

// Ids that are too old for deduplication leave the memory: their generation is
// written sorted, shard by shard, and from then on an old event is found by one
// keyed read a generation. Reasons cite events for as long as there is a log.

// agedSlots is how many slots a row of aged ids holds: about a page.
const agedSlots = 180

func agedMark(generation int64) string { return "aged/" + strconv.FormatInt(generation, 10) }

// age plans the way of a generation to the disk. Done again after an interruption
// it writes the same rows again.
func (b *behind) age(w *writer, g *generation) {
	for i := range g.shards {
		b.ageing = append(b.ageing, func(w *writer) error { return writeAged(w, g.number, &g.shards[i]) })
	}
	b.ageing = append(b.ageing, func(w *writer) error {
		if _, err := w.setMark.exec(agedMark(g.number), int64(1)); err != nil {
			return err
		}
		if _, err := w.deletePieces.exec(seenPiece(g.number)); err != nil {
			return err
		}
		s := w.s
		s.mu.Lock()
		s.ids.drop(g.number)
		s.aged = append(s.aged, g.number)
		s.mu.Unlock()
		return nil
	})
}

func writeAged(w *writer, generation int64, h *shard) error {
	var all []slot
	for _, s := range h.slots {
		if s.position() != 0 {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b slot) int { return bytes.Compare(a[:16], b[:16]) })
	for part := range slices.Chunk(all, agedSlots) {
		body := make([]byte, 0, len(part)*slotSize)
		for i := range part {
			body = append(body, part[i][:]...)
		}
		if _, err := w.insertAged.exec(generation, slices.Clone(part[0][:16]), body); err != nil {
			return fmt.Errorf("aged ids: %w", err)
		}
	}
	return nil
}

// readAged lists the generations that have left the memory.
func (s *Store) readAged(marks map[string]uint64) {
	for name := range marks {
		if number, ok := strings.CutPrefix(name, "aged/"); ok {
			if n, err := strconv.ParseInt(number, 10, 64); err == nil {
				s.aged = append(s.aged, n)
			}
		}
	}
}

// findAged looks an id up on the disk, newest generation first; 0: it is not there.
func (s *Store) findAged(ctx context.Context, id event.ID) (position uint64, err error) {
	s.mu.RLock()
	generations := slices.Clone(s.aged)
	s.mu.RUnlock()
	if len(generations) == 0 {
		return 0, nil
	}
	slices.Sort(generations)
	slices.Reverse(generations)
	err = s.readers.with(ctx, func(r *reader) error {
		for _, g := range generations {
			err := r.aged.query(func(row []driver.Value) error {
				body := blob(row[0])
				for ; len(body) >= slotSize; body = body[slotSize:] {
					if sl := (*slot)(body); event.ID(sl[:16]) == id {
						position = sl.position()
					}
				}
				return nil
			}, g, id[:])
			if err != nil || position != 0 {
				return err
			}
		}
		return nil
	})
	return position, err
}
