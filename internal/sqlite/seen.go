package sqlite

import (
	"encoding/binary"
	"slices"

	"github.com/rapport-cx/rapport/event"
)

// seen is the exact set of the ids of accepted events, each with its log position:
// it makes a retry a duplicate and opens an event by its ref.
//
// Open addressing by the id itself (which is a cryptographic hash already), 22
// bytes a slot without pointers, in 256 shards that grow one by one, so that no
// growth stalls the writer for long. Ids live in generations of some days; the
// oldest is dropped as a whole.
//
// The writer changes it under the store's lock, anyone else finds under it.
type seen struct {
	generations []*generation // newest first
}

type generation struct {
	number int64 // days since 1970 divided by generationDays
	n      int
	shards [256]shard
}

type shard struct {
	slots []slot
	n     int
}

// slot holds an id and its position in 6 bytes, little endian; position 0 is empty.
type slot [slotSize]byte

const (
	slotSize    = 22
	maxPosition = 1<<48 - 1
)

func makeSlot(id event.ID, position uint64) (s slot) {
	copy(s[:16], id[:])
	binary.LittleEndian.PutUint32(s[16:], uint32(position))
	binary.LittleEndian.PutUint16(s[20:], uint16(position>>32))
	return s
}

func (s *slot) position() uint64 {
	return uint64(binary.LittleEndian.Uint32(s[16:])) | uint64(binary.LittleEndian.Uint16(s[20:]))<<32
}

// place is where the search for an id begins among n slots.
func place(id *event.ID, n int) int {
	return int(uint64(binary.LittleEndian.Uint32(id[1:5])) * uint64(n) >> 32)
}

func (h *shard) find(id *event.ID) uint64 {
	if h.n == 0 {
		return 0
	}
	for i := place(id, len(h.slots)); ; {
		s := &h.slots[i]
		p := s.position()
		if p == 0 || event.ID(s[:16]) == *id {
			return p
		}
		if i++; i == len(h.slots) {
			i = 0
		}
	}
}

// put stores a slot whose id is not there.
func (h *shard) put(s *slot) {
	if (h.n+1)*4 > len(h.slots)*3 {
		old := h.slots
		h.slots = make([]slot, len(old)*3/2+32)
		for i := range old {
			if old[i].position() != 0 {
				h.set(&old[i])
			}
		}
	}
	h.set(s)
	h.n++
}

func (h *shard) set(s *slot) {
	id := event.ID(s[:16])
	i := place(&id, len(h.slots))
	for h.slots[i].position() != 0 {
		if i++; i == len(h.slots) {
			i = 0
		}
	}
	h.slots[i] = *s
}

// lookup gives the position of an id, 0 when it is not known.
func (s *seen) lookup(id *event.ID) uint64 {
	for _, g := range s.generations {
		if p := g.shards[id[0]].find(id); p != 0 {
			return p
		}
	}
	return 0
}

// put stores an id that lookup did not find.
func (s *seen) put(entry *slot, number int64) {
	g := s.generation(number)
	g.shards[entry[0]].put(entry)
	g.n++
}

func (s *seen) generation(number int64) *generation {
	at := 0
	for ; at < len(s.generations); at++ {
		if g := s.generations[at]; g.number == number {
			return g
		} else if g.number < number {
			break
		}
	}
	g := &generation{number: number}
	s.generations = append(s.generations, nil)
	copy(s.generations[at+1:], s.generations[at:])
	s.generations[at] = g
	return g
}

// drop forgets a generation.
func (s *seen) drop(number int64) {
	s.generations = slices.DeleteFunc(s.generations, func(g *generation) bool { return g.number == number })
}

func (s *seen) size() (n int, bytes int64) {
	for _, g := range s.generations {
		n += g.n
		for i := range g.shards {
			bytes += int64(len(g.shards[i].slots)) * slotSize
		}
	}
	return n, bytes
}

// reserve makes room for n more ids of a generation, so that reading them back
// need not grow the shards step by step.
func (s *seen) reserve(number int64, n int) {
	g := s.generation(number)
	each := n/len(g.shards)*3/2 + 64
	for i := range g.shards {
		if g.shards[i].n == 0 {
			g.shards[i].slots = make([]slot, each)
		}
	}
}
