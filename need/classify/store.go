package classify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// A stored model is: magic, version, mark of the list of concepts, counts (intents, features, rows), confidence, thresholds, the intents, the
// features (hash, weight, row, scale), bias and rows, all little endian, and a CRC-32C of all that.
const (
	magic   = "RCLS"
	version = 2
)

// ErrStored is wrapped by every error of UnmarshalBinary: the bytes are no model of this build, or are
// damaged. The model has to be trained again from its examples.
var ErrStored = errors.New("classify: stored model not usable")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary gives the model's stored form; the same model always gives the same bytes.
func (m *Model) MarshalBinary() ([]byte, error) {
	le := binary.LittleEndian
	features := len(m.weight)
	hashes := make([]feature, features)
	for p, id := range m.table.id {
		if id != 0 {
			hashes[id-1] = m.table.key[p]
		}
	}
	b := make([]byte, 0, 64+20*features+4*len(m.rows)+32*len(m.intents))
	b = append(b, magic...)
	b = le.AppendUint32(b, version)
	b = le.AppendUint32(b, conceptMark())
	b = le.AppendUint32(b, uint32(len(m.intents)))
	b = le.AppendUint32(b, uint32(features))
	b = le.AppendUint32(b, uint32(len(m.rows)/m.width))
	for _, v := range []float64{m.confidence.offset, m.confidence.margin, m.confidence.lead} {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	for _, v := range m.tail {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	for _, name := range m.intents {
		b = le.AppendUint32(b, uint32(len(name)))
		b = append(b, name...)
	}
	for f := range features {
		b = le.AppendUint64(b, hashes[f])
		b = le.AppendUint32(b, math.Float32bits(m.weight[f]))
		b = le.AppendUint32(b, uint32(m.row[f]))
		b = le.AppendUint32(b, math.Float32bits(m.scale[f]))
	}
	for _, v := range m.bias {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	for _, v := range m.rows {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// UnmarshalBinary reads a stored form into m, which must not be in use.
func (m *Model) UnmarshalBinary(b []byte) error {
	le := binary.LittleEndian
	if len(b) < 52 || string(b[:4]) != magic {
		return fmt.Errorf("%w: %d bytes that do not begin as a model", ErrStored, len(b))
	}
	if v := le.Uint32(b[4:]); v != version {
		return fmt.Errorf("%w: version %d, this build reads %d", ErrStored, v, version)
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != le.Uint32(b[len(b)-4:]) {
		return fmt.Errorf("%w: the checksum does not match", ErrStored)
	}
	if le.Uint32(b[8:]) != conceptMark() {
		return fmt.Errorf("%w: trained with another list of concepts", ErrStored)
	}
	intents, features, rows := int(le.Uint32(b[12:])), int(le.Uint32(b[16:])), int(le.Uint32(b[20:]))
	width := (intents + lanes - 1) / lanes * lanes
	n := Model{width: width}
	c := &n.confidence
	for i, v := range []*float64{&c.offset, &c.margin, &c.lead} {
		*v = math.Float64frombits(le.Uint64(b[24+8*i:]))
	}
	body = body[48:]
	if len(body) < 4*len(n.tail) {
		return fmt.Errorf("%w: cut off in the thresholds", ErrStored)
	}
	for i := range n.tail {
		n.tail[i] = math.Float32frombits(le.Uint32(body[4*i:]))
	}
	body = body[4*len(n.tail):]
	for range intents {
		if len(body) < 4 || uint64(len(body)-4) < uint64(le.Uint32(body)) {
			return fmt.Errorf("%w: cut off in the names", ErrStored)
		}
		k := int(le.Uint32(body))
		n.intents = append(n.intents, string(body[4:4+k]))
		body = body[4+k:]
	}
	if want := 20*uint64(features) + 4*uint64(width)*uint64(rows+1); intents < 2 || uint64(len(body)) != want {
		return fmt.Errorf("%w: %d bytes of weights for %d intents, %d features, %d rows", ErrStored, len(body), intents, features, rows)
	}
	n.table = newTable(2 * features)
	n.weight, n.row, n.scale = make([]float32, features), make([]int32, features), make([]float32, features)
	for f := range features {
		if int(n.table.insert(le.Uint64(body))) != f {
			return fmt.Errorf("%w: feature %d is there twice", ErrStored, f)
		}
		n.weight[f] = math.Float32frombits(le.Uint32(body[8:]))
		n.row[f] = int32(le.Uint32(body[12:]))
		n.scale[f] = math.Float32frombits(le.Uint32(body[16:]))
		if n.row[f] < 0 || int(n.row[f]) >= rows {
			return fmt.Errorf("%w: feature %d points to row %d of %d", ErrStored, f, n.row[f], rows)
		}
		body = body[20:]
	}
	read := func(k int) []float32 {
		out := make([]float32, k)
		for i := range out {
			out[i] = math.Float32frombits(le.Uint32(body[4*i:]))
		}
		body = body[4*k:]
		return out
	}
	n.bias, n.rows = read(width), read(rows*width)
	m.intents, m.width, m.table = n.intents, n.width, n.table
	m.weight, m.row, m.scale, m.rows, m.bias = n.weight, n.row, n.scale, n.rows, n.bias
	m.confidence, m.tail = n.confidence, n.tail
	return nil
}
