package link

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// block brings together the pairs that are worth comparing: those that share a
// rare value, a number with at most one edit, or the beginnings of two values.
func (m *Model) block(o Options) {
	if o.Block == 0 {
		o.Block = 120
	}
	if o.Pairs == 0 {
		o.Pairs = 4e6
	}
	keys := map[string][]int32{}
	for i := range m.records {
		for _, k := range m.keys(i) {
			keys[k] = append(keys[k], int32(i))
		}
	}
	blocks := make([][]int32, 0, len(keys))
	for _, b := range keys {
		if len(b) > 1 && len(b) <= o.Block {
			blocks = append(blocks, b)
		}
	}
	// The smallest blocks first: what is rare says most when the bound is reached.
	slices.SortFunc(blocks, func(a, b []int32) int { return cmp.Or(cmp.Compare(len(a), len(b)), slices.Compare(a, b)) })
	seen := map[uint64]struct{}{}
	room := []level{}
	for _, b := range blocks {
		for i, x := range b {
			for _, y := range b[:i] {
				lo, hi := min(x, y), max(x, y)
				if lo == hi || m.several && m.records[lo].Source == m.records[hi].Source {
					continue
				}
				key := uint64(lo)<<32 | uint64(hi)
				if _, known := seen[key]; known {
					continue
				}
				if len(seen) >= o.Pairs {
					break
				}
				seen[key] = struct{}{}
				if o.Apart != nil && o.Apart(int(lo), int(hi)) {
					continue
				}
				if len(room) < len(m.fields) {
					room = make([]level, 4096*len(m.fields))
				}
				c := candidate{a: lo, b: hi, levels: room[:len(m.fields):len(m.fields)]}
				room = room[len(m.fields):]
				m.compareRecords(int(lo), int(hi), c.levels)
				m.pairs = append(m.pairs, c)
			}
		}
	}
	slices.SortFunc(m.pairs, func(x, y candidate) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
}

func (m *Model) keys(i int) []string {
	var out, starts []string
	for f, field := range m.fields {
		v := m.columns[f].of[i]
		if v < 0 {
			continue
		}
		text := m.columns[f].texts[v]
		name := field.Name
		if field.Swap != "" {
			name = field.Swap // so that values in exchanged fields meet
		}
		id := name + "\x00"
		out = append(out, id+"="+string(text))
		if field.Kind == Choice {
			continue
		}
		if field.Kind != Words && len(text) >= 5 && len(text) <= 40 {
			for cut := range text {
				out = append(out, id+"-"+string(text[:cut])+string(text[cut+1:]))
			}
		}
		starts = append(starts, id+string(text[:min(3, len(text))]))
	}
	for i, a := range starts {
		for _, b := range starts[:i] {
			if a > b {
				a, b = b, a
			}
			out = append(out, a+"\x01"+b)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// believed are the probabilities before any pair was seen, and what they count
// for in pairs.
var believed = [levels]float64{equal: 0.8, oneEdit: 0.07, twoEdits: 0.03, near: 0.02, alike: 0.02, swapped: 0.01, different: 0.05}

const belief = 20

// unseen is what a level counts that no random pair had: half a pair.
const unseen = 0.5

// temper holds to it that one person's records agree in a field more often than
// not, where both state it. Where there is no such person, the likeliest class of
// pairs is otherwise that of some chance likeness, all of whose other fields differ.
func temper(same []float64) {
	bad := same[different] + same[alike]
	if bad <= 0.5 {
		return
	}
	for l := range same {
		if level(l) == different || level(l) == alike {
			same[l] *= 0.5 / bad
		} else {
			same[l] *= 0.5 / (1 - bad)
		}
	}
}

func strangers(f Field) (out [levels]float64) {
	rare := f.rare()
	out = [levels]float64{equal: rare, oneEdit: rare, twoEdits: 2 * rare, near: 2 * rare, alike: 0.02, swapped: rare / 4}
	if f.Kind != Words {
		out[alike], out[near] = 1e-9, 1e-9
	}
	sum := 0.0
	for _, v := range out {
		sum += v
	}
	out[different] = max(0.01, 1-sum)
	return out
}

const rounds = 40

// fit is expectation maximisation over all pairs: those that blocking left out are
// no matches, random ones say what strangers have in common.
func (m *Model) fit(o Options) {
	n := float64(len(m.records))
	all := n * (n - 1) / 2
	if m.several {
		sizes := map[int]float64{}
		for _, r := range m.records {
			sizes[r.Source]++
		}
		for _, s := range sizes {
			all -= s * (s - 1) / 2
		}
	}
	sample := m.sample(o, all)
	// A handful of records are taken for some of a few hundred people: among four,
	// two of one name would be nothing out of the ordinary otherwise.
	all += 1e5
	for _, f := range m.fields {
		s, t := believed, strangers(f)
		m.same, m.other = append(m.same, s[:]), append(m.other, t[:])
	}
	m.weights = make([][levels]float64, len(m.fields))
	const few = 0.5 // matches believed in before any was seen
	matches := max(few, 0.2*n)
	for range rounds {
		rate := min(0.5, matches/all)
		m.prior = math.Log2(rate / (1 - rate))
		matches = few
		m.weigh()
		same, other := m.beginnings()
		for i := range m.pairs {
			c := &m.pairs[i]
			c.score = m.score(c)
			p := chance(c.score)
			matches += p
			count(same, c.levels, p)
		}
		for i := range sample {
			count(other, sample[i].levels, 1-chance(m.score(&sample[i])))
		}
		moved := 0.0
		for f := range m.fields {
			// How often strangers state the same needs no sample: all pairs that do,
			// less those that are one person's.
			c := &m.columns[f]
			usual := (max(0, c.equals-same[f][equal]) + 1) / (c.pairs + 1/m.fields[f].rare())
			moved = max(moved, settle(m.same[f], same[f]), settle(m.other[f], other[f]), math.Abs(usual-m.other[f][equal]))
			m.other[f][equal] = usual
			temper(m.same[f])
		}
		if moved < 1e-7 {
			break
		}
	}
	m.weigh()
	rate := min(0.5, matches/all)
	m.prior = math.Log2(rate / (1 - rate))
	for i := range m.pairs {
		m.pairs[i].score = m.score(&m.pairs[i])
	}
}

func (m *Model) beginnings() (same, other [][levels]float64) {
	same, other = make([][levels]float64, len(m.fields)), make([][levels]float64, len(m.fields))
	for f, field := range m.fields {
		s, t := believed, strangers(field)
		for l := range s {
			same[f][l], other[f][l] = belief*s[l], belief*t[l]
			if l > int(equal) && l < int(different) && t[l] > 1e-9 {
				other[f][l] += unseen
			}
		}
	}
	return same, other
}

func count(into [][levels]float64, ls []level, p float64) {
	for f, l := range ls {
		if l != missing {
			into[f][l] += p
		}
	}
}

// settle makes probabilities of counts and tells how far they moved.
func settle(p []float64, counts [levels]float64) (moved float64) {
	sum := 0.0
	for _, c := range counts[:missing] {
		sum += c
	}
	for l := range counts[:missing] {
		v := max(counts[l]/sum, 1e-9)
		moved = max(moved, math.Abs(v-p[l]))
		p[l] = v
	}
	return moved
}

// sample draws random pairs, all of them where there are few.
func (m *Model) sample(o Options, all float64) []candidate {
	size := o.Sample
	if size == 0 {
		size = 200_000
	}
	n := len(m.records)
	var out []candidate
	add := func(a, b int) {
		if a == b || m.several && m.records[a].Source == m.records[b].Source {
			return
		}
		c := candidate{a: int32(min(a, b)), b: int32(max(a, b)), levels: make([]level, len(m.fields))}
		m.compareRecords(a, b, c.levels)
		out = append(out, c)
	}
	if all <= float64(size) {
		for a := range n {
			for b := a + 1; b < n; b++ {
				add(a, b)
			}
		}
		return out
	}
	r := rand.New(rand.NewPCG(o.Seed, uint64(n)))
	for len(out) < size {
		add(r.IntN(n), r.IntN(n))
	}
	return out
}
