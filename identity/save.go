package identity

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/rapport-cx/rapport/event"
)

// A part is a run of keys with the links and statements that came with them. The
// whole graph is one part that starts at number 1; what changed since is another.
//
//	"ri2\n" kinds… rules start count kind[count] length[count] print[count]×4 values
//	unseen… seen… links… pairs… cuts… crc32c
//
// "ri1\n" is the same without rules. Counts and numbers are uvarints, lists carry their length first.
const (
	magic  = "ri2\n"
	magic1 = "ri1\n"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// dirt is what no export has taken yet.
type dirt struct {
	keys  uint32 // first number not exported
	seen  []uint32
	links [][2]uint32
	pairs []pair
	cuts  []uint32
	rules bool
}

// Save writes the whole graph. It does not count as an export: Dirty still gives
// what changed since the last Dirty.
func (g *Graph) Save() []byte { return g.encode(g.everything()) }

// everything is all of the graph as something to export.
func (g *Graph) everything() dirt {
	all := dirt{keys: 1}
	for n := uint32(1); n < uint32(len(g.nodes)); n++ {
		for u := range g.above(n) {
			all.links = append(all.links, [2]uint32{n, u})
		}
	}
	for p := range g.pairs {
		all.pairs = append(all.pairs, p)
	}
	for n := range g.cuts {
		all.cuts = append(all.cuts, n)
	}
	return all
}

// Dirty writes what changed since the last call, nil when nothing did. Whoever
// keeps every part, in order, has the graph: Load takes them all. A caller that
// fails to keep a part must fall back to Save.
func (g *Graph) Dirty() []byte {
	d := g.saved
	if int(d.keys) == len(g.values) && len(d.seen) == 0 && len(d.links) == 0 && len(d.pairs) == 0 && len(d.cuts) == 0 && !d.rules {
		return nil
	}
	part := g.encode(d)
	g.Clean()
	return part
}

// Clean says that everything so far is kept elsewhere (by Save).
func (g *Graph) Clean() { g.saved = dirt{keys: uint32(len(g.values))} }

func (g *Graph) encode(d dirt) []byte {
	values := g.values[d.keys:]
	size := 1024
	for _, v := range values {
		size += len(v) + 8
	}
	b := make([]byte, 0, size+10*len(d.links)+48*len(d.pairs))
	b = append(b, magic...)
	b = binary.AppendUvarint(b, uint64(len(g.kinds)))
	for _, k := range g.kinds {
		b = binary.AppendUvarint(b, uint64(len(k)))
		b = append(b, k...)
	}
	b = g.appendRules(b)
	b = binary.AppendUvarint(b, uint64(d.keys))
	b = binary.AppendUvarint(b, uint64(len(values)))
	for i := range values {
		b = append(b, g.nodes[int(d.keys)+i].kind)
	}
	var unseen []uint32
	for i, v := range values {
		b = binary.AppendUvarint(b, uint64(len(v)))
		if n := d.keys + uint32(i); !g.nodes[n].seen {
			unseen = append(unseen, n)
		}
	}
	for i := range values {
		b = binary.LittleEndian.AppendUint32(b, g.prints[int(d.keys)+i])
	}
	for _, v := range values {
		b = append(b, v...)
	}
	for _, list := range [][]uint32{unseen, d.seen} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, n := range list {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(d.links)))
	for _, l := range d.links {
		b = binary.AppendUvarint(b, uint64(l[0]))
		b = binary.AppendUvarint(b, uint64(l[1]))
	}
	b = binary.AppendUvarint(b, uint64(len(d.pairs)))
	for _, p := range d.pairs {
		s := g.pairs[p]
		b = binary.AppendUvarint(b, uint64(p.a))
		b = binary.AppendUvarint(b, uint64(p.b))
		b = appendStamp(b, s.stamp)
		if s.one {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(d.cuts)))
	for _, n := range d.cuts {
		b = binary.AppendUvarint(b, uint64(n))
		b = appendStamp(b, g.cuts[n])
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func (g *Graph) appendRules(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(g.rules)))
	for kind := range uint8(len(g.kinds)) {
		r := g.rules[kind]
		if r == nil {
			continue
		}
		body, err := json.Marshal(r.Rule)
		if err != nil {
			panic(err) // texts, numbers and truths always have a form
		}
		b = append(b, kind)
		b = appendStamp(b, r.stamp)
		b = binary.AppendUvarint(b, uint64(len(body)))
		b = append(b, body...)
	}
	return b
}

func appendStamp(b []byte, s stamp) []byte {
	b = binary.AppendVarint(b, s.ms)
	return append(b, s.id[:]...)
}

// Load adds parts to a graph in the order in which they were written; a new graph
// and all its parts give the same persons and the same numbers again. After an
// error the graph is not to be used.
func (g *Graph) Load(parts ...[]byte) error {
	for i, part := range parts {
		if err := g.load(part); err != nil {
			return fmt.Errorf("identity of %s: part %d of %d: %w", g.workspace, i+1, len(parts), err)
		}
	}
	g.Clean()
	return nil
}

var errCut = errors.New("it ends early or holds a number that cannot be")

func (g *Graph) load(part []byte) error {
	if len(part) < len(magic)+4 || string(part[:len(magic)]) != magic && string(part[:len(magic)]) != magic1 {
		return errors.New("it is no part of an identity graph of this version")
	}
	body := part[:len(part)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(part[len(part)-4:]) {
		return errors.New("its checksum is wrong")
	}
	r := reader{b: body[len(magic):]}
	kinds := make([]uint8, r.count(1))
	for i := range kinds {
		k, ok := g.addKind(string(r.take(r.count(1))))
		if !ok {
			return errors.New("it holds more than 255 kinds of keys")
		}
		kinds[i] = k
	}
	if string(part[:len(magic)]) == magic {
		for range r.count(18) {
			kind, at := r.take(1), r.stamp()
			body := r.take(r.count(1))
			if r.bad || int(kind[0]) >= len(kinds) {
				return errCut
			}
			said, ok := ReadRule(g.kinds[kinds[kind[0]]], body)
			if !ok {
				return errCut
			}
			g.adopt(kinds[kind[0]], said, at)
		}
	}
	if start := r.uvarint(); start != uint64(len(g.values)) {
		return fmt.Errorf("it continues at key %d, but the graph holds %d", start, len(g.values)-1)
	}
	count := r.count(1)
	kindOf := r.take(count)
	lengths := make([]int, count)
	total := 0
	for i := range lengths {
		lengths[i] = r.count(1)
		total += lengths[i]
		if total > len(r.b) {
			return errCut
		}
	}
	prints := r.take(4 * count)
	data := string(r.take(total))
	if r.bad {
		return errCut
	}
	all := len(g.values) + count
	g.values = append(make([]string, 0, all+all/8), g.values...)
	g.nodes = append(make([]node, 0, all+all/8), g.nodes...)
	g.prints = append(make([]uint32, 0, all+all/8), g.prints...)
	keys, persons := make([]uint64, 0, count), make([]uint64, 0, count)
	for i := range count {
		if int(kindOf[i]) >= len(kinds) {
			return errCut
		}
		kind, value, print := kinds[kindOf[i]], data[:lengths[i]], binary.LittleEndian.Uint32(prints[4*i:])
		data = data[lengths[i]:]
		n := g.add(kind, value, print)
		g.nodes[n].seen = true
		if value != "" { // else forgotten before it was saved
			keys = append(keys, uint64(g.hash(kind, value))<<32|uint64(n))
			persons = append(persons, uint64(print)<<32|uint64(n))
		}
	}
	g.byKey.fill(keys)
	g.byPerson.fill(persons)
	for range r.count(1) {
		g.nodes[r.number(all)].seen = false
	}
	g.fresh, g.joined = uint32(all), g.joined[:0]
	for range r.count(1) {
		n := r.number(all)
		if n != 0 {
			g.see(g.nodes[n].kind, g.values[n])
		}
	}
	for range r.count(2) {
		loose, user := r.number(all), r.number(all)
		if r.bad || g.class(loose) <= g.class(user) {
			return errCut
		}
		g.link(loose, user)
	}
	for range r.count(19) {
		p := pair{r.number(all), r.number(all)}
		s := statement{stamp: r.stamp()}
		if one := r.take(1); len(one) == 1 {
			s.one = one[0] == 1
		}
		if r.bad || p.a == p.b {
			return errCut
		}
		g.tell(p, s)
	}
	for range r.count(17) {
		n, at := r.number(all), r.stamp()
		if r.bad {
			return errCut
		}
		g.cut(n, at)
	}
	if r.bad || len(r.b) != 0 {
		return errCut
	}
	g.joined = g.joined[:0]
	g.saved = dirt{keys: uint32(len(g.values))}
	return nil
}

// reader walks bytes that may be damaged: after the first fault it is bad and
// gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads how many things of at least size bytes follow.
func (r *reader) count(size int) int {
	v := r.uvarint()
	if v > uint64(len(r.b)/size) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(v)
}

func (r *reader) number(below int) uint32 {
	v := r.uvarint()
	if v == 0 || v >= uint64(below) {
		r.bad, r.b = true, nil
		return 0
	}
	return uint32(v)
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	t := r.b[:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) stamp() (s stamp) {
	ms, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return s
	}
	r.b = r.b[n:]
	s.ms = ms
	if id := r.take(len(event.ID{})); id != nil {
		copy(s.id[:], id)
	}
	return s
}
