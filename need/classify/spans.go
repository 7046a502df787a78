package classify

import "slices"

// Spans tells the best intents of many parts of one text that overlap, as a splitter asks for them, in the
// time that a few of them take by themselves. The parts begin and end with pieces of the text. What the
// features of a part come to is a sum over a table of the pieces that features begin and end in: a feature
// found at several places counts at each of them, and is taken off again where the part holds two places
// that follow each other, so that it counts once. The table is added up along both sides:
//
//	part(p, q) = part(p, q−1) + what ends in q and begins in p or later
//
// A Spans is for one goroutine; between texts it keeps its room.
type Spans struct {
	model        *Model
	runes        []rune
	starts, ends []int
	most         int // pieces of a part

	reading            reading
	bound              []int32 // by rune: the last piece that begins there or before; then, the first that ends there or later
	apart              []bool  // by piece: what begins with it; then, what ends with it: to be read by itself
	firstWord, endWord []int32 // by piece: the first word of what begins with it, the one behind what ends with it
	cell               []int32 // by piece that features end in, and how many pieces before that they begin
	sorted             []feature
	seen               []feature // a table of those met so far, 0 where it is free
	seenAt             []int32   // and where they are found
	found              []found
	changes            []change
	changed            []int32 // by piece: the end of the changes that it makes

	square [][voices]float64 // of part(last−back, last), at last·most+back
	unit   float64
	upTo   int      // the pieces that have made their changes
	voices int      // 1 where all speak alike
	table  []uint64 // rows, as addRow adds them up: of each number of pieces back what is found there …
	sum    []uint64 // … of each piece, modulo most, part(piece, upTo−1) …
	run    []uint64 // … and what has been added up on the way
	amount struct{ table, sum, run []int64 }

	edges   []feature
	edge    []uint64
	margins []float64
	known   []answer // of part(last−back, last)
	touched byte     // keeps what was fetched from being left out
}

// found is a feature of the text.
type found struct {
	row    int32 // −1: no example has it
	last   int32 // the piece that its last place begins in
	voice  uint8
	value  float32 // of the levels of its row, before the text is scaled to length one
	square float64 // of its weight
}

// weigh looks a feature up.
func (m *Model) weigh(h feature) found {
	f := found{row: -1, last: -1, voice: voiceOf[h>>60]}
	v := kindWeight[h>>60] * unseen
	if id := m.table.find(h); id >= 0 {
		v = float64(m.weight[id])
		f.row = m.row[id]
		f.value = m.weight[id] * m.scale[id] * m.step[f.row]
	}
	f.square = float64(v * v)
	return f
}

// change adds a feature to what begins so many pieces before a piece, or takes it off.
type change struct {
	found int32
	back  int32
	off   bool
}

type answer struct {
	told   bool
	label  int32
	margin float64
}

// fewest is the number of pieces from which on it pays to look at a text as a whole.
const fewest = 3

// Spans makes one for the texts of one goroutine.
func (m *Model) Spans() *Spans { return &Spans{model: m} }

// Begin takes up a text in its plain form. Its pieces begin at starts and end at ends, in order and none
// before the other has ended; parts have at most so many pieces.
func (s *Spans) Begin(runes []rune, starts, ends []int, most int) {
	m, n := s.model, len(starts)
	s.runes, s.starts, s.ends, s.most = runes, starts, ends, most
	s.known = cleared(s.known, n*most)
	if n < fewest {
		return
	}
	s.voices = voices
	if m.even == 0 {
		s.voices = 1
	}
	s.find()
	s.count()
	s.upTo = 0
	wide := s.voices * m.width / 2
	s.table, s.sum, s.run = cleared(s.table, most*wide), cleared(s.sum, most*wide), cleared(s.run, wide)
	s.edge = cleared(s.edge, m.width/2)
	a := &s.amount
	a.table, a.sum, a.run = cleared(a.table, most*s.voices), cleared(a.sum, most*s.voices), cleared(a.run, s.voices)
}

// End lets go of the text.
func (s *Spans) End() {
	if s.runes, s.starts, s.ends = nil, nil, nil; cap(s.sorted) > 1<<16 {
		*s = Spans{model: s.model} // of a text that nobody writes twice
	}
}

// Best gives the intent with the largest margin of the part from piece first to piece last, and that margin.
func (s *Spans) Best(first, last int) (label int, margin float64) {
	back := last - first
	if back >= s.most {
		return s.alone(first, last)
	}
	a := &s.known[last*s.most+back]
	if !a.told {
		label, margin = s.best(first, last)
		*a = answer{true, int32(label), margin}
	}
	return int(a.label), a.margin
}

func (s *Spans) best(first, last int) (label int, margin float64) {
	n := len(s.starts)
	if n < fewest || s.apart[first] || s.apart[n+last] || last < s.upTo-1 {
		return s.alone(first, last)
	}
	for s.upTo <= last {
		s.step()
	}
	return s.add(first, last)
}

// Score gives the same of any text, read by itself.
func (s *Spans) Score(runes []rune) (label int, margin float64) {
	s.margins = s.model.ScoreRunes(runes, s.margins)
	return Best(s.margins)
}

func (s *Spans) alone(first, last int) (label int, margin float64) {
	return s.Score(s.runes[s.starts[first]:s.ends[last]])
}

// find reads the text and sorts its features by the piece that they end in, then by how many pieces
// before that they begin.
func (s *Spans) find() {
	n, from, to := len(s.starts), s.starts[0], s.ends[len(s.ends)-1]
	r := &s.reading
	r.read(s.runes[from:to])
	size := to - from
	s.bound = cleared(s.bound, 2*(size+1))
	begins, stops := s.bound[:size+1], s.bound[size+1:]
	for p, at := range s.starts {
		begins[at-from] = int32(p)
	}
	for i := 1; i <= size; i++ {
		begins[i] = max(begins[i], begins[i-1])
	}
	for i, q := size, n-1; i >= 0; i-- {
		if q > 0 && i <= s.ends[q-1]-from {
			q--
		}
		stops[i] = int32(q)
	}
	s.apart = cleared(s.apart, 2*n)
	for _, w := range r.whole {
		for p := int(begins[w.to-1]); p >= 0 && s.starts[p]-from > int(w.from); p-- {
			s.apart[p] = true
		}
		for q := int(stops[w.from+1]); q < n && s.ends[q]-from < int(w.to); q++ {
			s.apart[n+q] = true
		}
	}
	s.firstWord, s.endWord = cleared(s.firstWord, n), cleared(s.endWord, n)
	for p, i := 0, 0; p < n; p++ {
		for i < len(r.words) && int(r.words[i].from) < s.starts[p]-from {
			i++
		}
		s.firstWord[p] = int32(i)
	}
	for q, i := 0, 0; q < n; q++ {
		for i < len(r.words) && int(r.words[i].to) <= s.ends[q]-from {
			i++
		}
		s.endWord[q] = int32(i)
	}
	s.cell = cleared(s.cell, n*s.most+1)
	kept := 0
	for _, f := range r.notes {
		if last, back := stops[f.to], stops[f.to]-begins[f.from]; int(back) < s.most {
			s.cell[int(last)*s.most+int(back)+1]++
			kept++
		}
	}
	for i := 1; i < len(s.cell); i++ {
		s.cell[i] += s.cell[i-1]
	}
	s.sorted = cleared(s.sorted, kept)
	for _, f := range r.notes {
		if last, back := stops[f.to], stops[f.to]-begins[f.from]; int(back) < s.most {
			at := &s.cell[int(last)*s.most+int(back)]
			s.sorted[*at] = f.feature
			*at++ // so that it is where the next cell began
		}
	}
}

// count looks each feature up once, and notes where it comes in and where it counts twice.
func (s *Spans) count() {
	m, n, most := s.model, len(s.starts), s.most
	room := 64
	for room < 2*len(s.sorted) {
		room *= 2
	}
	s.seen = cleared(s.seen, room)
	if cap(s.seenAt) < room {
		s.seenAt = make([]int32, room)
	}
	s.seenAt = s.seenAt[:room]
	mask := uint64(room - 1)
	s.found, s.changes, s.changed = s.found[:0], s.changes[:0], s.changed[:0]
	s.square = cleared(s.square, n*most)
	total := make([]float64, n*most)
	s.fetchFeatures()
	at := int32(0)
	for q := range n {
		square, value := s.square[q*most:(q+1)*most], total[q*most:(q+1)*most]
		for back := range most {
			for end := s.cell[q*most+back]; at < end; at++ {
				h := s.sorted[at]
				p := h & mask
				for s.seen[p] != 0 && s.seen[p] != h {
					p = (p + 1) & mask
				}
				if s.seen[p] == 0 {
					s.seen[p], s.seenAt[p] = h, int32(len(s.found))
					s.found = append(s.found, m.weigh(h))
				}
				k, begins := s.seenAt[p], int32(q-back)
				f := &s.found[k]
				if begins <= f.last {
					continue // a part that holds this place holds one that was counted
				}
				if twice := q - int(f.last); f.last >= 0 && twice < most {
					s.change(k, twice, true, square, value)
				}
				f.last = begins
				s.change(k, back, false, square, value)
			}
		}
		s.changed = append(s.changed, int32(len(s.changes)))
		for back := 1; back < most; back++ { // what ends here and begins so far back, or later
			value[back] += value[back-1]
			for v := range voices {
				square[back][v] += square[back-1][v]
			}
		}
		for back := 1; back < most && back <= q; back++ {
			before := (q-1)*most + back - 1
			value[back] += total[before]
			for v := range voices {
				square[back][v] += s.square[before][v]
			}
		}
	}
	s.unit = 0
	if whole := slices.Max(total); whole > 0 {
		s.unit = mostWhole / whole
	}
}

// line is the number of bytes that come from memory at once.
const line = 64

// fetchFeatures looks at the places of features in the table, for nothing but that they are near when they
// are read: as long as nothing depends on what is there, a processor waits for many places at once.
func (s *Spans) fetchFeatures() {
	t, touched := &s.model.table, int32(0)
	if len(t.entry) == 0 {
		return
	}
	for _, h := range s.sorted {
		touched ^= t.entry[h&t.mask].id
	}
	s.touched = byte(touched)
}

// change adds a feature to what ends in the piece at hand and begins so many pieces before, or takes it off.
func (s *Spans) change(k int32, back int, off bool, square [][voices]float64, value []float64) {
	f, sign := &s.found[k], 1.0
	if off {
		sign = -1
	}
	square[back][f.voice] += float64(sign * f.square)
	if f.row >= 0 {
		value[back] += float64(sign * float64(f.value))
		s.changes = append(s.changes, change{k, int32(back), off})
	}
}

// step adds up the next column of the table.
func (s *Spans) step() {
	m, q := s.model, s.upTo
	half := m.width / 2
	wide := s.voices * half
	at := int32(0)
	if q > 0 {
		at = s.changed[q-1]
	}
	a := &s.amount
	clear(s.table)
	clear(a.table)
	changes := s.changes[at:s.changed[q]]
	touched := byte(0)
	for _, c := range changes { // see fetchFeatures
		for row, i := m.levels[int(s.found[c.found].row)*m.width:], 0; i < m.width; i += line {
			touched ^= row[i]
		}
	}
	s.touched = touched
	for _, c := range changes {
		f := &s.found[c.found]
		v, voice := uint64(float64(f.value)*s.unit+0.5), int(f.voice)%s.voices
		if c.off {
			v = -v // two's complement: taken off what has been added before, or will be
		}
		place := int(c.back)*s.voices + voice
		a.table[place] += int64(v)
		addRow(s.table[place*half:(place+1)*half], m.levels[int(f.row)*m.width:(int(f.row)+1)*m.width], v)
	}
	clear(s.run)
	clear(a.run)
	clear(s.sum[q%s.most*wide : (q%s.most+1)*wide])
	clear(a.sum[q%s.most*s.voices : (q%s.most+1)*s.voices])
	for back := 0; back < s.most && back <= q; back++ {
		p := (q - back) % s.most
		sum, row := s.sum[p*wide:(p+1)*wide], s.table[back*wide:(back+1)*wide]
		for i, x := range row {
			s.run[i] += x
			sum[i] += s.run[i]
		}
		for v := range s.voices {
			a.run[v] += a.table[back*s.voices+v]
			a.sum[p*s.voices+v] += a.run[v]
		}
	}
	s.upTo++
}

// add gives the best intent of a part that ends with the piece added last.
func (s *Spans) add(first, last int) (label int, margin float64) {
	m, base := s.model, s.starts[0]
	square := s.square[last*s.most+last-first]
	words := s.reading.words[s.firstWord[first]:max(s.firstWord[first], s.endWord[last])]
	s.edges = endsOf(s.runes[base:], s.starts[first]-base, s.ends[last]-base, words, s.edges[:0])
	var edges [5]found
	whole, edge := 0.0, edges[:0]
	for _, h := range s.edges {
		f := m.weigh(h)
		square[f.voice] += f.square
		if f.row >= 0 {
			whole += float64(f.value)
			edge = append(edge, f)
		}
	}
	factor := lengths(square, float64(m.even))
	s.margins = s.margins[:0]
	for _, b := range m.bias {
		s.margins = append(s.margins, float64(b))
	}
	half := m.width / 2
	if s.unit > 0 {
		p := first % s.most * s.voices
		for v := range s.voices {
			unpack(s.margins, s.sum[(p+v)*half:(p+v+1)*half], s.amount.sum[p+v], factor[v]/s.unit)
		}
	}
	if whole > 0 {
		clear(s.edge)
		unit, all := mostWhole/whole, uint64(0)
		for _, f := range edge {
			v := uint64(float64(f.value)*unit + 0.5)
			all += v
			addRow(s.edge, m.levels[int(f.row)*m.width:(int(f.row)+1)*m.width], v)
		}
		unpack(s.margins, s.edge, int64(all), factor[0]/unit)
	}
	return Best(s.margins[:len(m.intents)])
}

// unpack adds to margins the sums that addRow made of values that come to amount, times factor.
func unpack(margins []float64, sum []uint64, amount int64, factor float64) {
	shift := float64(128 * amount)
	for len(sum) >= lanes/2 && len(margins) >= lanes {
		for j := range lanes / 2 {
			margins[j] += float64(factor * (float64(uint32(sum[j])) - shift))
			margins[j+lanes/2] += float64(factor * (float64(uint32(sum[j]>>32)) - shift))
		}
		sum, margins = sum[lanes/2:], margins[lanes:]
	}
}

// cleared is a slice of n zeros, in the room of another where that is enough.
func cleared[T any](room []T, n int) []T {
	if cap(room) < n {
		return make([]T, n)
	}
	room = room[:n]
	clear(room)
	return room
}
