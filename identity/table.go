package identity

import "math/bits"

// table finds numbers by a 32-bit hash: open addressing, linear steps, at most
// two thirds full. An entry is hash<<32 | number; 0 is an empty place. Whether a
// number with the right hash is the right one, the caller checks.
type table struct {
	slots []uint64
	used  int
}

// grow makes room for n entries in all.
func (t *table) grow(n int) {
	size := 16
	for size*2/3 < n {
		size *= 2
	}
	if size <= len(t.slots) {
		return
	}
	old := t.slots
	t.slots = make([]uint64, size)
	for _, s := range old {
		if s != 0 {
			t.place(s)
		}
	}
}

func (t *table) place(s uint64) {
	mask := uint32(len(t.slots) - 1)
	i := uint32(s>>32) & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// fill adds many entries, one stretch of the table after the other: at a million
// keys the slots do not fit into the processor's cache, and one after the other in
// the order of the keys each would be a miss.
func (t *table) fill(entries []uint64) {
	t.grow(t.used + len(entries))
	t.used += len(entries)
	const stretches = 512
	mask := uint32(len(t.slots) - 1)
	shift := max(0, bits.Len32(mask)-bits.Len32(stretches-1))
	var ends [stretches]int
	for _, s := range entries {
		ends[uint32(s>>32)&mask>>shift]++
	}
	for i, sum := 0, 0; i < stretches; i++ {
		sum, ends[i] = sum+ends[i], sum
	}
	sorted := make([]uint64, len(entries))
	for _, s := range entries {
		at := &ends[uint32(s>>32)&mask>>shift]
		sorted[*at] = s
		*at++
	}
	for _, s := range sorted {
		t.place(s)
	}
}

func (t *table) add(hash, number uint32) {
	if (t.used+1)*3 > len(t.slots)*2 {
		t.grow(max(16, 2*t.used))
	}
	t.used++
	t.place(uint64(hash)<<32 | uint64(number))
}

// find walks the numbers with this hash until yes says that one is meant.
func (t *table) find(hash uint32, yes func(number uint32) bool) uint32 {
	if len(t.slots) == 0 {
		return 0
	}
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; t.slots[i] != 0; i = (i + 1) & mask {
		if s := t.slots[i]; uint32(s>>32) == hash && yes(uint32(s)) {
			return uint32(s)
		}
	}
	return 0
}
