package candidate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// cohortsFormat is the first byte of what Save writes; a Load of another one
// fails, and the counts are then made from the log again.
const cohortsFormat = 2

// mostPeopleSaved bounds what a damaged file can make us allocate.
const mostPeopleSaved = 1 << 28

// Save writes the counts: the same history gives the same bytes.
func (c *Cohorts) Save() ([]byte, error) { return c.Snapshot()() }

// Snapshot takes the counts as they are now, without copying them. The function
// writes them out, on any goroutine and while counting goes on; it must be called,
// once, for until then what changes is copied first.
func (c *Cohorts) Snapshot() (write func() ([]byte, error)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	names := slices.Sorted(maps.Keys(c.of))
	all := make([]frozen, len(names))
	for i, workspace := range names {
		all[i] = c.of[workspace].freeze()
	}
	return func() ([]byte, error) {
		room := 1
		for i := range all {
			room += all[i].room()
		}
		out := append(make([]byte, 0, room), cohortsFormat)
		for i, workspace := range names {
			out = appendText(out, workspace)
			out = all[i].save(out)
			all[i].of.thaw()
		}
		return out, nil
	}
}

// frozen are the counts of a workspace at one moment.
type frozen struct {
	of     *Counts
	wares  []*ware // their names
	people []*crowd
	bills  []*sheaf
	billed int // those that are not erased
}

func (c *Counts) freeze() frozen {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.age++
	c.writing++
	return frozen{c, slices.Clone(c.wares), slices.Clone(c.people), slices.Clone(c.bills), len(c.orders)}
}

func (c *Counts) thaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing--
}

// room is about how many bytes save writes.
func (f *frozen) room() int {
	n := 24*len(f.wares) + 24*f.billed
	for _, some := range f.people {
		for i := 0; some != nil && i < len(some.all); i++ {
			n += 3 + 2*len(some.all[i].goods)
		}
	}
	return n
}

func (f *frozen) save(out []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(f.wares)))
	for _, w := range f.wares {
		out = appendText(out, w.name)
	}
	before := uint32(0)
	for i, some := range f.people {
		for k := 0; some != nil && k < len(some.all); k++ {
			s := &some.all[k]
			if len(s.goods) == 0 && s.homeAt == 0 && s.home == 0 && s.becomes == 0 {
				continue
			}
			person := uint32(i)*crowdSize + uint32(k)
			out = binary.AppendUvarint(out, uint64(person-before))
			before = person
			out = s.save(out)
		}
	}
	out = append(out, 0) // nobody comes after themself
	out = binary.AppendUvarint(out, uint64(f.billed))
	for _, some := range f.bills {
		for i := range some.all {
			if some.all[i].person != 0 {
				out = some.all[i].save(out)
			}
		}
	}
	return out
}

// save writes one person. Most have no home told and were never joined: one byte
// says so.
func (s *shopper) save(out []byte) []byte {
	said := byte(0)
	if s.home != 0 || s.homeAt != 0 {
		said |= saidHome
	}
	if s.becomes != 0 {
		said |= saidJoined
	}
	out = append(out, said)
	if said&saidHome != 0 {
		out = append(out, s.home)
		out = binary.AppendVarint(out, s.homeAt)
	}
	if said&saidJoined != 0 {
		out = binary.AppendUvarint(out, uint64(s.becomes))
	}
	out = binary.AppendUvarint(out, uint64(len(s.goods)))
	before := uint32(0)
	for _, g := range s.goods {
		bought := uint64(min(g.orders, 1))
		out = binary.AppendUvarint(out, uint64(g.item-before)<<1|bought)
		if before = g.item; bought > 0 {
			out = binary.AppendUvarint(out, uint64(g.orders))
		}
	}
	return out
}

const (
	saidHome   = 1 << 0
	saidJoined = 1 << 1
)

func (p *purchase) save(out []byte) []byte {
	out = binary.LittleEndian.AppendUint64(out, p.key)
	out = binary.AppendUvarint(out, uint64(p.person))
	out = binary.AppendVarint(out, p.at)
	cancelled := byte(0)
	if p.cancelled {
		cancelled = 1
	}
	out = append(out, cancelled)
	out = appendNumbers(out, p.items)
	return appendNumbers(out, p.undone)
}

func appendText(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

func appendNumbers(out []byte, numbers []uint32) []byte {
	out = binary.AppendUvarint(out, uint64(len(numbers)))
	for _, n := range numbers {
		out = binary.AppendUvarint(out, uint64(n))
	}
	return out
}

// Load replaces the counts by saved ones. On an error nothing is changed.
func (c *Cohorts) Load(saved []byte) error {
	if len(saved) == 0 || saved[0] != cohortsFormat {
		return errors.New("cohorts: saved in a format that is not ours")
	}
	in := &intake{rest: saved[1:]}
	of := map[string]*Counts{}
	for len(in.rest) > 0 && !in.bad {
		workspace := in.text()
		of[workspace] = in.counts()
	}
	if in.bad {
		return fmt.Errorf("cohorts: %d bytes saved end early or do not fit together", len(saved))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for workspace, kept := range of {
		if w := c.of[workspace]; w != nil { // a source may hold it already
			w.mu.Lock()
			w.number, w.wares, w.people, w.orders, w.bills, w.billed =
				kept.number, kept.wares, kept.people, kept.orders, kept.bills, kept.billed
			w.counted.Clear()
			w.mu.Unlock()
			continue
		}
		c.of[workspace] = kept
	}
	return nil
}

// intake reads what save wrote; bad is set as soon as something does not fit.
type intake struct {
	rest []byte
	bad  bool
}

func (in *intake) number() uint64 {
	n, size := binary.Uvarint(in.rest)
	if size <= 0 {
		in.bad = true
		return 0
	}
	in.rest = in.rest[size:]
	return n
}

func (in *intake) signed() int64 {
	n, size := binary.Varint(in.rest)
	if size <= 0 {
		in.bad = true
		return 0
	}
	in.rest = in.rest[size:]
	return n
}

func (in *intake) bytes(n uint64) []byte {
	if n > uint64(len(in.rest)) {
		in.bad = true
		return nil
	}
	b := in.rest[:n]
	in.rest = in.rest[n:]
	return b
}

func (in *intake) text() string { return string(in.bytes(in.number())) }

func (in *intake) octet() byte {
	if b := in.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (in *intake) numbers(below int) []uint32 {
	n := in.number()
	if n > uint64(len(in.rest)) {
		in.bad = true
		return nil
	}
	var all []uint32
	for range n {
		x := in.number()
		if x >= uint64(below) {
			in.bad = true
			return nil
		}
		all = append(all, uint32(x))
	}
	return all
}

func (in *intake) counts() *Counts {
	c := newCounts()
	for n := in.number(); n > 0 && !in.bad; n-- {
		c.item(in.bytes(in.number()))
	}
	for person := uint64(0); !in.bad; {
		next := in.number()
		if next == 0 {
			break
		}
		if person += next; person >= mostPeopleSaved || next >= mostPeopleSaved {
			in.bad = true
			break
		}
		in.shopper(c, uint32(person))
	}
	in.orders(c)
	return c
}

// shopper reads one person. The bitmaps are made of who stands at each item when
// somebody asks.
func (in *intake) shopper(c *Counts, person uint32) {
	s := c.shopper(person)
	said := in.octet()
	if said&saidHome != 0 {
		s.home, s.homeAt = in.octet(), in.signed()
	}
	if said&saidJoined != 0 {
		s.becomes = uint32(in.number())
	}
	n := in.number()
	if n > uint64(len(in.rest)) {
		in.bad = true
		return
	}
	s.goods = make([]handled, n)
	item := uint64(0)
	for i := range s.goods {
		step := in.number()
		if item += step >> 1; item >= uint64(len(c.wares)) || i > 0 && step < 2 {
			in.bad = true
			s.goods = s.goods[:i]
			return
		}
		g, w := &s.goods[i], c.wares[item]
		g.item = uint32(item)
		w.seen.turned = append(w.seen.turned, person)
		w.seen.size++
		if step&1 != 0 {
			g.orders = uint32(in.number())
			w.bought.turned = append(w.bought.turned, person)
			w.bought.size++
		}
	}
}

func (in *intake) orders(c *Counts) {
	for n := in.number(); n > 0 && !in.bad; n-- {
		key := in.bytes(8)
		if len(key) < 8 {
			return
		}
		p := c.bill(binary.LittleEndian.Uint64(key), uint32(in.number()))
		p.at = in.signed()
		p.cancelled = in.octet() == 1
		p.items, p.undone = in.numbers(len(c.wares)), in.numbers(len(c.wares))
	}
}
