package split

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
)

// ErrStored is returned by Restore when the bytes are not what AppendLearned writes.
var ErrStored = errors.New("split: what the examples taught cannot be read")

// AppendLearned writes what the examples taught, for Restore, in varints: how many units there are, and of
// each, by its key, how much greater that is than the one before, how many examples have it, and how many
// begin with it. Equal cues give equal bytes.
func (c *Cues) AppendLearned(b []byte) []byte {
	type count struct {
		key           uint64
		within, begin int32
	}
	all := make([]count, 0, len(c.within))
	for key, n := range c.within {
		all = append(all, count{key, n, c.begin[key]})
	}
	slices.SortFunc(all, func(a, b count) int { return cmp.Compare(a.key, b.key) })
	b = binary.AppendUvarint(b, uint64(len(all)))
	before := uint64(0)
	for _, x := range all {
		b = binary.AppendUvarint(b, x.key-before)
		before = x.key
		b = binary.AppendUvarint(b, uint64(x.within))
		b = binary.AppendUvarint(b, uint64(x.begin))
	}
	return b
}

// Restore makes the cues that Compile makes of the same words and of the examples
// whose teaching AppendLearned wrote.
func Restore(w Words, learned []byte) (*Cues, error) {
	count := func() (n uint64) {
		n, width := binary.Uvarint(learned)
		if width <= 0 {
			learned = nil
			return 0
		}
		learned = learned[width:]
		return n
	}
	n := count()
	if n > uint64(len(learned))/3 {
		return nil, ErrStored
	}
	c := Compile(w, nil)
	c.within = make(map[uint64]int32, n)
	key := uint64(0)
	for range n {
		key += count()
		c.within[key] = int32(count())
		if begin := count(); begin > 0 {
			c.begin[key] = int32(begin)
		}
	}
	if learned == nil || len(learned) > 0 || len(c.within) != int(n) {
		return nil, ErrStored
	}
	return c, nil
}
