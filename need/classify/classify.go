// Package classify is the ear of need, step 4 of the flow: it tells which intent a piece of text
// expresses, by a one-vs-rest linear support vector machine over weighted words and characters.
//
//	model, err := classify.Train(examples, classify.Options{})
//	margins := model.Score("where is my parcel", nil)
//
// A model is trained when a strategy is published and stored with it (MarshalBinary); serving only
// adds up weights. Training is deterministic: the same examples in the same order, the same options
// and the same build give the same bytes, whatever the number of threads. A margin is a plain sum of
// feature weights, at about +1 for a clear yes and −1 for a clear no; it is no probability.
package classify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/rapport-cx/rapport/need/text"
)

// Example is one sentence that expresses one intent.
type Example struct {
	Text   string
	Intent string
}

// Options steer training; the zero value is what a shop needs.
type Options struct {
	// Cost is the price of a margin violated, default 1.
	Cost float64
	// Balance multiplies the cost of the examples of the intent itself against those of all others,
	// default 2.
	Balance float64
	// Rounds is the largest number of passes over the examples, default 8.
	Rounds int
	// Tolerance ends training when no projected gradient of a pass is larger, default 0.1.
	Tolerance float32
	// Seed fixes the order in which examples are visited.
	Seed uint64
	// MarginsOnly leaves out learning what is out of scope, two thirds of the work: for models of which
	// nobody asks Belonging more than the margin.
	MarginsOnly bool
}

func (o Options) withDefaults() Options {
	if o.Cost <= 0 {
		o.Cost = 1
	}
	if o.Balance <= 0 {
		o.Balance = 2
	}
	if o.Rounds <= 0 {
		o.Rounds = 8
	}
	if o.Tolerance <= 0 {
		o.Tolerance = 0.1
	}
	return o
}

// Model is a trained classifier. It is immutable and safe for concurrent use.
type Model struct {
	intents []string
	width   int // floats a row: the intents, rounded up to lanes
	table   table
	weight  []float32 // of each feature, its weight of the feature before its text is scaled to length one
	row     []int32   // of each feature, the row of its weights
	scale   []float32 // of each feature, what its row is multiplied by
	shared  int       // rows of features that several examples have; the others are the examples' own
	step    []float32 // of each row, what one unit of its levels weighs
	levels  []uint8   // the rows, each weight as a whole number of its row's steps, −127 to 127 in two's complement
	bias    []float32
	even    float32 // evenness of the voices

	confidence confidence
	tail       [tailShares + 1]float32
	scope      scope
	pool       sync.Pool
}

// ErrTooFew is returned by Train for fewer than two intents: there is nothing to tell apart.
var ErrTooFew = errors.New("classify: examples of at least two intents are needed")

// words makes a sentence of the name of an intent.
var words = strings.NewReplacer(".", " ", "_", " ", "-", " ", "/", " ", "#", " ", ":", " ")

// Train learns to tell the intents of the examples apart. The name of an intent, as words, counts as one
// more example of it (10 examples an intent: 71.8 to 73.2 % and 70.9 to 72.1 %, on training parts). An
// example without an intent is an error.
func Train(examples []Example, o Options) (*Model, error) {
	o = o.withDefaults()
	var intents []string
	for i, e := range examples {
		if e.Intent == "" {
			return nil, fmt.Errorf("classify: example %d %q: no intent", i, e.Text)
		}
		intents = append(intents, e.Intent)
	}
	slices.Sort(intents)
	intents = slices.Compact(intents)
	if len(intents) < 2 {
		return nil, ErrTooFew
	}
	examples = slices.Clip(examples)
	for _, name := range intents {
		examples = append(examples, Example{Text: words.Replace(name), Intent: name})
	}
	l := lessonOf(examples)
	all := &course{intents: intents, example: make([]int32, len(examples)), label: make([]int32, len(examples))}
	for i, e := range examples {
		at, _ := slices.BinarySearch(intents, e.Intent)
		all.example[i], all.label[i] = int32(i), int32(at)
	}
	m, margins := all.teach(l, o)
	m.confidence, m.tail = fitConfidence(margins(), m.width, len(intents), outsideOf(intents), all.label)
	if !o.MarginsOnly {
		m.learnScope(l, all, len(examples)-len(intents), o)
	}
	return m, nil
}

// lesson is a list of examples in the form that is learned from.
type lesson struct {
	feature []feature // by number: in the order of their first occurrence
	number  [][]int32 // of each example, the numbers of its features, each once, in the order of features
	length  []int     // of each, its characters
}

func lessonOf(examples []Example) *lesson {
	l := &lesson{number: make([][]int32, len(examples))}
	var bags [][]feature
	bags, l.length = bagsOf(examples)
	total := 0
	for _, b := range bags {
		total += len(b)
	}
	known := newTable(total)
	slab := make([]int32, 0, total)
	for i, b := range bags {
		from := len(slab)
		for _, h := range b {
			slab = append(slab, known.insert(h))
		}
		l.number[i] = slab[from:len(slab):len(slab)]
	}
	l.feature = known.hashes()
	return l
}

// bag appends to dst the features of an example.
func (l *lesson) bag(i int, dst []feature) []feature {
	for _, f := range l.number[i] {
		dst = append(dst, l.feature[f])
	}
	return dst
}

// bagsOf gives the features of each example, each once and in order, and its length in characters.
func bagsOf(examples []Example) (bags [][]feature, length []int) {
	bags, length = make([][]feature, len(examples)), make([]int, len(examples))
	const chunk = 64
	inParallel((len(examples)+chunk-1)/chunk, func(c int) {
		var arena []feature
		var r reading
		for i := c * chunk; i < min(len(examples), (c+1)*chunk); i++ {
			from := len(arena)
			plain := text.Normalise(examples[i].Text).Runes
			arena, length[i] = r.bagOf(plain, arena), len(plain)
			bags[i] = arena[from:len(arena):len(arena)]
		}
	})
	return bags, length
}

// course is what one model learns of a lesson.
type course struct {
	intents []string
	example []int32   // of the lesson
	label   []int32   // of each, the number of its intent
	dual    []float32 // where to begin, and, once learned, where it ended: of eight intents after eight, lanes an example; nil: at zero
	feature []int32   // once learned, of each feature of the lesson its number in the model, or −1
}

// teach learns. margins gives, when it is asked, the margins that each example would have had, had it not
// been learned from, m.width an example.
func (c *course) teach(l *lesson, o Options) (m *Model, margins func() []float32) {
	n := len(c.example)
	m = &Model{intents: c.intents, width: (len(c.intents) + lanes - 1) / lanes * lanes, even: float32(evennessOf(n, len(c.intents)))}
	c.feature = make([]int32, len(l.feature))
	for f := range c.feature {
		c.feature[f] = -1
	}
	df := make([]int32, 0, len(l.feature))
	hashes := make([]feature, 0, len(l.feature))
	total := 0
	for _, e := range c.example {
		total += len(l.number[e])
		for _, f := range l.number[e] {
			if c.feature[f] < 0 {
				c.feature[f] = int32(len(df))
				df, hashes = append(df, 0), append(hashes, l.feature[f])
			}
			df[c.feature[f]]++
		}
	}
	m.table = tableOf(hashes)
	m.weight, m.row, m.scale = make([]float32, len(df)), make([]int32, len(df)), make([]float32, len(df))
	shared := int32(0)
	for f, d := range df {
		m.weight[f] = float32(kindWeight[hashes[f]>>60]) * float32(inverse(n, int(d)))
		if d > 1 {
			m.row[f], m.scale[f] = shared, 1
			shared++
		}
	}
	x := &matrix{start: make([]int32, n+1), alone: make([]float32, n), width: int(shared) + 1,
		index: make([]int32, 0, total+n), value: make([]float32, 0, total+n)}
	for i, e := range c.example {
		var square [voices]float64
		for _, f := range l.number[e] {
			v := float64(m.weight[c.feature[f]])
			square[voiceOf[l.feature[f]>>60]] += float64(v * v)
		}
		factor := lengths(square, float64(m.even))
		alone := 0.0
		for _, k := range l.number[e] {
			f := c.feature[k]
			v := float64(m.weight[f]) * factor[voiceOf[l.feature[k]>>60]]
			if df[f] > 1 {
				x.index = append(x.index, m.row[f])
				x.value = append(x.value, float32(v))
				continue
			}
			m.row[f], m.scale[f] = shared+int32(i), float32(v)
			alone += float64(v * v)
		}
		x.index = append(x.index, shared)
		x.value = append(x.value, 1)
		x.alone[i] = float32(alone)
		x.start[i+1] = int32(len(x.index))
	}
	m.shared = int(shared)
	rows := make([]float32, (int(shared)+n)*m.width)
	m.bias = make([]float32, m.width)
	if c.dual == nil {
		c.dual = make([]float32, n*m.width)
	}
	blocks := m.width / lanes
	weights := make([][]float32, blocks)
	inParallel(blocks, func(block int) {
		dual := c.dual[block*n*lanes : (block+1)*n*lanes]
		w := solve(x, dual, c.label, int32(block*lanes), o)
		for f := range int(shared) {
			copy(rows[f*m.width+block*lanes:], w[f*lanes:(f+1)*lanes])
		}
		copy(m.bias[block*lanes:(block+1)*lanes], w[int(shared)*lanes:])
		for i := range n {
			copy(rows[(int(shared)+i)*m.width+block*lanes:], dual[i*lanes:(i+1)*lanes])
		}
		weights[block] = w
	})
	m.quantise(rows)
	return m, func() []float32 {
		estimate := make([]float32, n*m.width)
		inParallel(blocks, func(block int) {
			for i, e := 0, leftOut(x, weights[block], c.dual[block*n*lanes:], keptByOthers); i < n; i++ {
				copy(estimate[i*m.width+block*lanes:], e[i*lanes:(i+1)*lanes])
			}
		})
		return estimate
	}
}

// mostWhole is what the whole values of a text's features come to: 256 times as much, a level being less
// than that, fits the 32 bits of one intent's sum.
const mostWhole = 1<<24 - 1

// addRow adds v times the levels of a row, each 128 larger than it is, to the sums of its intents: eight
// levels are fetched at once and multiplied two at a time. The sums of intents 8i+j and 8i+j+4 are the lower
// and the upper half of sum[4i+j]. (Three times as fast as one by one in floating point.)
func addRow(sum []uint64, row []uint8, v uint64) {
	const two = 0x000000ff000000ff
	for len(row) >= lanes && len(sum) >= lanes/2 {
		x := binary.LittleEndian.Uint64(row) ^ 0x8080808080808080
		sum[0] += x & two * v
		sum[1] += x >> 8 & two * v
		sum[2] += x >> 16 & two * v
		sum[3] += x >> 24 & two * v
		row, sum = row[lanes:], sum[lanes/2:]
	}
}

// quantise rounds each weight to one of 255 levels of its row: a quarter of the size,
// and the same accuracy (BANKING77, HWU64 and SMP2019 move by at most 0.1 points).
func (m *Model) quantise(rows []float32) {
	m.levels, m.step = make([]uint8, len(rows)), make([]float32, len(rows)/m.width)
	for r := range m.step {
		row := rows[r*m.width : (r+1)*m.width]
		most := float32(0)
		for _, w := range row {
			most = max(most, w, -w)
		}
		if most == 0 {
			continue
		}
		m.step[r] = most / math.MaxInt8
		for c, w := range row {
			m.levels[r*m.width+c] = uint8(int8(math.Round(float64(w / m.step[r]))))
		}
	}
}

// Intents are the names of the intents, in the order of the margins. The slice must not be changed.
func (m *Model) Intents() []string { return m.intents }

// Score gives the raw margin of every intent for s, appended to dst[:0].
func (m *Model) Score(s string, dst []float64) []float64 {
	return m.ScoreRunes(text.Normalise(s).Runes, dst)
}

// ScoreRunes is Score for a text, or a part of one, that is in its plain form already. It allocates
// nothing when dst is large enough.
func (m *Model) ScoreRunes(runes []rune, dst []float64) []float64 {
	s := m.take()
	s.features = s.once(s.reading.featuresOf(runes, s.features[:0]))
	dst = m.add(s, s.features, dst)
	m.pool.Put(s)
	return dst
}

// scoreBag is ScoreRunes for the features of a text, each once.
func (m *Model) scoreBag(bag []feature, dst []float64) []float64 {
	s := m.take()
	dst = m.add(s, bag, dst)
	m.pool.Put(s)
	return dst
}

func (m *Model) take() *scratch {
	if s, _ := m.pool.Get().(*scratch); s != nil {
		return s
	}
	return &scratch{sum: make([]uint64, m.width/2)}
}

// add adds the weights of features up.
func (m *Model) add(s *scratch, features []feature, dst []float64) []float64 {
	s.row, s.value, s.voice = s.row[:0], s.value[:0], s.voice[:0]
	var square [voices]float64
	for _, h := range features {
		voice := voiceOf[h>>60]
		f := m.table.find(h)
		if f < 0 {
			v := kindWeight[h>>60] * unseen
			square[voice] += float64(v * v)
			continue
		}
		v := float64(m.weight[f])
		square[voice] += float64(v * v)
		s.voice = append(s.voice, voice)
		s.row = append(s.row, m.row[f])
		s.value = append(s.value, m.weight[f]*m.scale[f]*m.step[m.row[f]])
	}
	factor := lengths(square, float64(m.even))
	whole := 0.0
	for k, v := range s.value {
		s.value[k] = v * float32(factor[s.voice[k]])
		whole += float64(s.value[k])
	}
	unit, all := 0.0, uint64(0)
	clear(s.sum)
	if whole > 0 {
		unit = float64(mostWhole) / whole
	}
	for k, r := range s.row {
		v := uint64(float64(s.value[k]) * unit)
		all += v
		addRow(s.sum, m.levels[int(r)*m.width:(int(r)+1)*m.width], v)
	}
	dst = dst[:0]
	for c := range m.intents {
		word := s.sum[c/8*4+c%4]
		if c%8 >= 4 {
			word >>= 32
		}
		margin := float64(m.bias[c])
		if whole > 0 {
			margin += float64(int64(word&math.MaxUint32)-128*int64(all)) / unit
		}
		dst = append(dst, margin)
	}
	return dst
}

// scratch is what one scoring needs besides its result.
type scratch struct {
	reading  reading
	features []feature
	seen     []feature // a table of those met so far, 0 where it is free
	row      []int32
	voice    []uint8
	value    []float32
	sum      []uint64 // of two intents each, see addRow
}

// once leaves each feature in its first place only, as bagOf does after sorting: of a
// long text sorting was a quarter of the work.
func (s *scratch) once(features []feature) []feature {
	room := 64
	for room < 2*len(features) {
		room *= 2
	}
	if len(s.seen) < room {
		s.seen = make([]feature, room)
	}
	seen := s.seen[:room]
	clear(seen)
	kept, mask := features[:0], uint64(room-1)
	for _, h := range features { // no feature is 0: its kind is not
		p := h & mask
		for seen[p] != 0 && seen[p] != h {
			p = (p + 1) & mask
		}
		if seen[p] == 0 {
			seen[p] = h
			kept = append(kept, h)
		}
	}
	return kept
}

// unseen is the weight of a feature that no example has: what is said in unknown words lowers every
// margin (finding what is out of scope: AUROC .969 to .972 and .945 to .946).
const unseen = 1.2

// Best gives the intent with the largest margin and that margin; ties go to the first.
func Best(margins []float64) (at int, margin float64) {
	at, margin = -1, math.Inf(-1)
	for i, m := range margins {
		if m > margin {
			at, margin = i, m
		}
	}
	return at, margin
}

// table numbers hashes in the order of their first insertion: open addressing, at most half full.
type table struct {
	entry []entry
	mask  uint64
	size  int
}

// entry keeps both together, so that a feature is one look into memory.
type entry struct {
	key uint64
	id  int32
}

func newTable(room int) table {
	capacity := 16
	for capacity < room {
		capacity *= 2
	}
	return table{entry: make([]entry, capacity), mask: uint64(capacity - 1)}
}

// insert gives the number of h, a new one if h is new. Numbers are stored plus one: zero is free.
func (t *table) insert(h uint64) int32 {
	for p := h & t.mask; ; p = (p + 1) & t.mask {
		e := &t.entry[p]
		if e.id == 0 {
			if 2*t.size >= len(t.entry) {
				t.grow()
				return t.insert(h)
			}
			t.size++
			*e = entry{h, int32(t.size)}
			return int32(t.size - 1)
		}
		if e.key == h {
			return e.id - 1
		}
	}
}

func (t *table) grow() { t.resize(2 * len(t.entry)) }

// tableOf numbers hashes that are all different. It is as large as it has to be: equal features lie
// equally, whether learned or restored.
func tableOf(hashes []uint64) table {
	t := newTable(2 * len(hashes))
	for _, h := range hashes {
		t.insert(h)
	}
	return t
}

// hashes lists them by their numbers.
func (t *table) hashes() []uint64 {
	all := make([]uint64, t.size)
	for _, e := range t.entry {
		if e.id != 0 {
			all[e.id-1] = e.key
		}
	}
	return all
}

func (t *table) resize(room int) {
	old := *t
	*t = newTable(room)
	t.size = old.size
	for _, e := range old.entry {
		if e.id == 0 {
			continue
		}
		p := e.key & t.mask
		for t.entry[p].id != 0 {
			p = (p + 1) & t.mask
		}
		t.entry[p] = e
	}
}

// find gives the number of h, or -1.
func (t *table) find(h uint64) int32 {
	if len(t.entry) == 0 {
		return -1
	}
	for p := h & t.mask; ; p = (p + 1) & t.mask {
		e := &t.entry[p]
		if e.id == 0 {
			return -1
		}
		if e.key == h {
			return e.id - 1
		}
	}
}
