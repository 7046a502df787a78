package classify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"
)

// A stored model is: magic, version, mark of the lists of concepts and names, counts (intents, features, rows, shared rows), confidence, thresholds, the
// intents, the bias, the evenness, the distinct weights of features, the features, the rows' steps and levels, the scope, all little endian, and a CRC-32C of all that.
//
// A feature is its hash in 8 bytes, and a varint: twice the number of its weight, plus one for a feature of one example alone, which is followed
// by how many examples further than the last such one, and its scale. The others have the shared rows in order, at scale one.
// The levels of a row are a bit for each that is not zero, then those.
//
// The scope is a byte, 0 for none; else 1, the number of parts, the constant, the shapes (mean, scale, slope, the number of cuts, cuts, values),
// what is usual for each intent, the thresholds, and for each feature of a counted kind how many intents have it, and those: how much further
// than the one before, and in how many sentences.
const (
	magic   = "RCLS"
	version = 7
)

// ErrStored is wrapped by every error of UnmarshalBinary: the bytes are no model of this build, or are
// damaged. The model has to be trained again from its examples.
var ErrStored = errors.New("classify: stored model not usable")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary gives the model's stored form; the same model always gives the same bytes.
func (m *Model) MarshalBinary() ([]byte, error) {
	le := binary.LittleEndian
	features := len(m.weight)
	hashes := m.table.hashes()
	b := make([]byte, 0, 64+14*features+len(m.levels)+32*len(m.intents))
	b = append(b, magic...)
	for _, v := range []int{version, int(listMark()), len(m.intents), features, len(m.step), m.shared} {
		b = le.AppendUint32(b, uint32(v))
	}
	for _, v := range []float64{m.confidence.offset, m.confidence.margin, m.confidence.lead} {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	b = appendFloats(b, m.tail[:])
	for _, name := range m.intents {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
	}
	b = appendFloats(b, m.bias)
	b = appendFloats(b, []float32{m.even})
	weights := slices.Compact(slices.Sorted(slices.Values(m.weight)))
	b = binary.AppendUvarint(b, uint64(len(weights)))
	b = appendFloats(b, weights)
	alone := m.shared
	for f := range features {
		b = le.AppendUint64(b, hashes[f])
		at, _ := slices.BinarySearch(weights, m.weight[f])
		if row := int(m.row[f]); row < m.shared {
			b = binary.AppendUvarint(b, uint64(at)<<1)
		} else {
			b = binary.AppendUvarint(b, uint64(at)<<1|1)
			b = binary.AppendUvarint(b, uint64(row-alone))
			b = le.AppendUint32(b, math.Float32bits(m.scale[f]))
			alone = row
		}
	}
	b = appendFloats(b, m.step)
	for r := range m.step {
		row := m.levels[r*m.width : (r+1)*m.width]
		there := len(b)
		b = append(b, make([]byte, m.width/8)...)
		for c, v := range row {
			if v != 0 {
				b[there+c/8] |= 1 << (c % 8)
				b = append(b, v)
			}
		}
	}
	b = m.scope.append(b, hashes)
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

func appendFloats(b []byte, values []float32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// UnmarshalBinary reads a stored form into m, which must not be in use.
func (m *Model) UnmarshalBinary(b []byte) error {
	if len(b) < 8 || string(b[:4]) != magic {
		return fmt.Errorf("%w: %d bytes that do not begin as a model", ErrStored, len(b))
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return fmt.Errorf("%w: the checksum does not match", ErrStored)
	}
	in := stored{rest: body[4:]}
	if v := in.uint32(); v != version {
		return fmt.Errorf("%w: version %d, this build reads %d", ErrStored, v, version)
	}
	if in.uint32() != listMark() {
		return fmt.Errorf("%w: trained with another list of concepts", ErrStored)
	}
	intents, features, rows, shared := int(in.uint32()), int(in.uint32()), int(in.uint32()), int(in.uint32())
	n := Model{width: (intents + lanes - 1) / lanes * lanes, shared: shared}
	c := &n.confidence
	for _, v := range []*float64{&c.offset, &c.margin, &c.lead} {
		*v = math.Float64frombits(uint64(in.uint32()) | uint64(in.uint32())<<32)
	}
	copy(n.tail[:], in.floats(len(n.tail)))
	if intents < 2 || shared > rows || in.short(intents) || in.short(4*rows) || in.short(9*features) {
		return fmt.Errorf("%w: %d intents, %d features, %d rows in %d bytes", ErrStored, intents, features, rows, len(b))
	}
	for range intents {
		n.intents = append(n.intents, string(in.bytes(int(in.uvarint()))))
	}
	n.bias = in.floats(n.width)
	even := in.floats(1)
	weights := in.floats(int(in.uvarint()))
	n.table = newTable(2 * features)
	n.weight, n.row, n.scale = make([]float32, features), make([]int32, features), make([]float32, features)
	next, alone := 0, shared
	for f := range features {
		// What stands here tens of thousands of times is read without a call each: a
		// server restores its classifiers while somebody waits for it to be ready.
		if len(in.rest) < 9 {
			return fmt.Errorf("%w: feature %d of %d is cut off", ErrStored, f, features)
		}
		h, kind := binary.LittleEndian.Uint64(in.rest), uint64(in.rest[8])
		if in.rest = in.rest[9:]; kind >= 0x80 {
			kind = kind&0x7f | in.uvarint()<<7
		}
		if kind>>1 >= uint64(len(weights)) || int(n.table.insert(h)) != f {
			return fmt.Errorf("%w: feature %d of %d is cut off, there twice or of no weight", ErrStored, f, features)
		}
		n.weight[f] = weights[kind>>1]
		if kind&1 == 0 {
			n.row[f], n.scale[f] = int32(next), 1
			next++
			continue
		}
		alone += int(in.uvarint())
		n.row[f], n.scale[f] = int32(alone), math.Float32frombits(in.uint32())
		if alone < shared || alone >= rows {
			return fmt.Errorf("%w: feature %d points to row %d of %d", ErrStored, f, alone, rows)
		}
	}
	if next > shared {
		return fmt.Errorf("%w: %d features share %d rows", ErrStored, next, shared)
	}
	n.step, n.levels = in.floats(rows), make([]uint8, rows*n.width)
	for r := range rows {
		row := n.levels[r*n.width : (r+1)*n.width]
		there := in.bytes(n.width / 8)
		for i, byte := range there {
			for mask := uint(byte); mask != 0; mask &= mask - 1 {
				if len(in.rest) == 0 {
					return fmt.Errorf("%w: row %d of %d is cut off", ErrStored, r, rows)
				}
				row[8*i+bits.TrailingZeros(mask)], in.rest = in.rest[0], in.rest[1:]
			}
		}
	}
	n.scope.read(&in, intents, n.table.hashes)
	if in.failed || len(in.rest) > 0 || len(even) < 1 {
		return fmt.Errorf("%w: cut off, or %d bytes too long", ErrStored, len(in.rest))
	}
	m.intents, m.width, m.table, m.shared = n.intents, n.width, n.table, n.shared
	m.weight, m.row, m.scale, m.step, m.levels, m.bias = n.weight, n.row, n.scale, n.step, n.levels, n.bias
	m.even, m.confidence, m.tail, m.scope = even[0], n.confidence, n.tail, n.scope
	return nil
}

// append adds the scope of a model with these features.
func (c *scope) append(b []byte, features []feature) []byte {
	if !c.learned {
		return append(b, 0)
	}
	b = append(b, 1, byte(parts))
	b = appendFloats(b, []float32{c.base})
	for i := range c.shape {
		s := &c.shape[i]
		b = appendFloats(b, []float32{s.mean, s.scale, s.slope})
		b = binary.AppendUvarint(b, uint64(len(s.cut)))
		b = appendFloats(b, s.cut)
		b = appendFloats(b, s.value)
	}
	for _, u := range c.usual {
		b = appendFloats(b, []float32{u.mean, u.deviation})
		b = binary.AppendUvarint(b, uint64(u.examples))
	}
	b = appendFloats(b, c.tail[:])
	for f, h := range features {
		if !counted[h>>60] {
			continue
		}
		from, to := c.heard.from[f], c.heard.from[f+1]
		b = binary.AppendUvarint(b, uint64(to-from))
		before := uint16(0)
		for i := from; i < to; i++ {
			b = binary.AppendUvarint(b, uint64(c.heard.intent[i]-before))
			b = binary.AppendUvarint(b, uint64(c.heard.count[i]))
			before = c.heard.intent[i]
		}
	}
	return b
}

// read reads what append wrote; in has failed where it is none of that.
func (c *scope) read(in *stored, intents int, features func() []uint64) {
	*c = scope{}
	switch there := in.bytes(1); {
	case there == nil || there[0] > 1:
		in.failed = true
		return
	case there[0] == 0:
		return
	}
	if n := in.bytes(1); n == nil || n[0] != byte(parts) {
		in.failed = true
		return
	}
	c.learned = true
	c.base = in.float()
	for i := range c.shape {
		s := &c.shape[i]
		s.mean, s.scale, s.slope = in.float(), in.float(), in.float()
		cuts := int(in.uvarint())
		if cuts >= steps {
			in.failed = true
			return
		}
		s.cut, s.value = in.floats(cuts), in.floats(cuts+1)
	}
	c.usual = make([]usual, intents)
	for i := range c.usual {
		c.usual[i] = usual{in.float(), in.float(), int32(in.uvarint())}
	}
	copy(c.tail[:], in.floats(len(c.tail)))
	hashes := features()
	h := &c.heard
	h.from = make([]int32, len(hashes)+1)
	h.intent, h.count = make([]uint16, 0, len(in.rest)/2), make([]uint16, 0, len(in.rest)/2)
	for f, hash := range hashes {
		h.from[f] = int32(len(h.intent))
		if !counted[hash>>60] {
			continue
		}
		at := uint64(0)
		for n := in.short64(); n > 0; n-- {
			at += in.short64()
			count := in.short64()
			if in.failed || at >= uint64(intents) || count > math.MaxUint16 {
				in.failed = true
				return
			}
			h.intent, h.count = append(h.intent, uint16(at)), append(h.count, uint16(count))
		}
	}
	h.from[len(hashes)] = int32(len(h.intent))
	h.intent, h.count = slices.Clip(h.intent), slices.Clip(h.count)
	h.sum(intents)
}

// stored is what is left to read of a stored model. When it ends too early, it has
// failed and gives zeros.
type stored struct {
	rest   []byte
	failed bool
}

func (s *stored) short(n int) bool { return n < 0 || n > len(s.rest) }

func (s *stored) bytes(n int) []byte {
	if s.short(n) {
		s.rest, s.failed = nil, true
		return nil
	}
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

func (s *stored) uint32() uint32 {
	if b := s.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (s *stored) float() float32 { return math.Float32frombits(s.uint32()) }

// short64 is uvarint for numbers that mostly fit a byte and stand there by the ten thousand.
func (s *stored) short64() uint64 {
	if len(s.rest) > 0 && s.rest[0] < 0x80 {
		v := uint64(s.rest[0])
		s.rest = s.rest[1:]
		return v
	}
	return s.uvarint()
}

func (s *stored) uvarint() uint64 {
	v, n := binary.Uvarint(s.rest)
	s.bytes(max(n, 1))
	if n <= 0 {
		s.failed = true
		return 0
	}
	return v
}

func (s *stored) floats(n int) []float32 {
	if n < 0 || s.short(4*n) {
		s.rest, s.failed = nil, true
		return nil
	}
	b, out := s.bytes(4*n), make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}
