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
const cohortsFormat = 1

// mostPeopleSaved bounds what a damaged file can make us allocate.
const mostPeopleSaved = 1 << 28

// Save writes the counts: the same counts give the same bytes.
func (c *Cohorts) Save() ([]byte, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := []byte{cohortsFormat}
	for _, workspace := range slices.Sorted(maps.Keys(c.of)) {
		out = appendText(out, workspace)
		out = c.of[workspace].save(out)
	}
	return out, nil
}

func (c *Counts) save(out []byte) []byte {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out = binary.AppendUvarint(out, uint64(len(c.names)))
	for _, name := range c.names {
		out = appendText(out, name)
	}
	out = binary.AppendUvarint(out, uint64(len(c.people)))
	for _, person := range slices.Sorted(maps.Keys(c.people)) {
		s := c.people[person]
		out = binary.AppendUvarint(out, uint64(person))
		out = append(out, c.home(person))
		out = binary.AppendVarint(out, s.homeAt)
		out = appendNumbers(out, s.seen)
		for _, item := range s.seen {
			out = binary.AppendUvarint(out, uint64(c.held[uint64(person)<<32|uint64(item)]))
		}
	}
	out = binary.AppendUvarint(out, uint64(len(c.orders)))
	for _, key := range slices.Sorted(maps.Keys(c.orders)) {
		p := c.orders[key]
		out = binary.LittleEndian.AppendUint64(out, key)
		out = binary.AppendUvarint(out, uint64(p.person))
		out = binary.AppendVarint(out, p.at)
		cancelled := byte(0)
		if p.cancelled {
			cancelled = 1
		}
		out = append(out, cancelled)
		out = appendNumbers(out, p.items)
		out = appendNumbers(out, p.undone)
	}
	out = binary.AppendUvarint(out, uint64(len(c.becomes)))
	for _, from := range slices.Sorted(maps.Keys(c.becomes)) {
		out = binary.AppendUvarint(out, uint64(from))
		out = binary.AppendUvarint(out, uint64(c.becomes[from]))
	}
	return out
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
			w.number, w.names, w.seen, w.bought, w.changed, w.homes, w.people, w.orders, w.held, w.becomes =
				kept.number, kept.names, kept.seen, kept.bought, kept.changed, kept.homes, kept.people, kept.orders, kept.held, kept.becomes
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
		c.item(in.text())
	}
	items := len(c.names)
	seen, bought := make([][]uint32, items), make([][]uint32, items)
	for n := in.number(); n > 0 && !in.bad; n-- {
		person := uint32(in.number())
		s := c.shopper(person)
		if home := in.octet(); uint64(person) < mostPeopleSaved {
			c.house(person, home)
		} else {
			in.bad = true
		}
		s.homeAt = in.signed()
		s.seen = in.numbers(items)
		for _, item := range s.seen {
			seen[item] = append(seen[item], person)
			if orders := in.number(); orders > 0 {
				c.held[uint64(person)<<32|uint64(item)] = uint32(orders)
				bought[item] = append(bought[item], person)
			}
		}
	}
	for i := range items {
		c.seen[i].AddMany(seen[i])
		c.bought[i].AddMany(bought[i])
	}
	in.orders(c, items)
	for n := in.number(); n > 0 && !in.bad; n-- {
		from := uint32(in.number())
		c.becomes[from] = uint32(in.number())
	}
	return c
}

func (in *intake) orders(c *Counts, items int) {
	for n := in.number(); n > 0 && !in.bad; n-- {
		key := in.bytes(8)
		if len(key) < 8 {
			return
		}
		p := &purchase{person: uint32(in.number()), at: in.signed()}
		p.cancelled = in.octet() == 1
		p.items, p.undone = in.numbers(items), in.numbers(items)
		c.orders[binary.LittleEndian.Uint64(key)] = p
	}
}
