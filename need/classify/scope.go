package classify

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/rapport-cx/rapport/need/odds"
)

// Part is one thing that Belonging looks at.
type Part uint8

// Parts of a text's belonging. Their numbers are part of the stored model: append only.
const (
	PartMargin       Part = iota // the largest margin of an intent
	PartLead                     // that margin less the second
	PartOutside                  // the margin of Outside
	PartAll                      // all margins together, the logarithm of the sum of exp(3·margin), by 3
	PartWords                    // share of what words weigh that some example has
	PartPieces                   // the same of pieces of words
	PartMeanings                 // of what the words mean
	PartPairs                    // of pairs of words
	PartOwnWords                 // share of what words and pairs weigh that speaks for the best intent
	PartUsualMargin              // how far the margin lies from what this intent's sentences have, in deviations
	PartIntentMargin             // what this intent's sentences have
	PartEvidence                 // how much likelier the words are in the best intent than in all sentences
	PartLength                   // of the text, the logarithm of its characters
	PartExamples                 // of the best intent, the logarithm of their number
	parts
)

var partNames = [parts]string{"margin", "lead", "outside", "all margins", "known words", "known pieces", "known meanings",
	"known pairs", "own words", "usual margin", "intent's margin", "evidence", "length", "examples"}

func (p Part) String() string { return partNames[p] }

// Say is what one part said of one text: its value, and by how much it raised or lowered Belonging.
type Say struct {
	Part         Part
	Value, Moved float64
}

// steps is the number of steps of a part's contribution.
const steps = 32

// shape is what a part contributes: a straight line over the standardised value, cut off at four
// deviations, and a step function.
type shape struct {
	mean, scale, slope float32
	cut                []float32 // ascending
	value              []float32 // of what lies up to cut[i]; the last above all
}

func (s *shape) of(x float64) float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		x = float64(s.mean)
	}
	straight := float64(s.slope) * max(-4, min(4, (x-float64(s.mean))*float64(s.scale)))
	if len(s.value) == 0 {
		return straight
	}
	at := sort.Search(len(s.cut), func(i int) bool { return x <= float64(s.cut[i]) })
	return straight + float64(s.value[at])
}

// scope tells texts that express one of the intents from those that express none: a sum of shapes, one a
// part, learned from intents held out (learnScope). The zero value knows the margin only.
type scope struct {
	learned bool
	base    float32
	shape   [parts]shape
	usual   []usual // of each intent
	tail    [tailShares + 1]float32
	heard   heard
}

// usual is what an intent's sentences are like: the margins of those told right that were left out.
type usual struct {
	mean, deviation float32
	examples        int32
}

// heard counts in how many sentences of each intent a word, a character or a meaning occurs: of feature f
// the places from[f] to from[f+1].
type heard struct {
	from   []int32
	intent []uint16
	count  []uint16

	total []float64 // of each intent, over all features
	all   float64
	kinds float64 // features counted
}

// counted are the kinds of features that evidence is taken from: each word, character and meaning, once.
var counted = [kinds]bool{kindStem: true, kindConcept: true, kindHan: true, kindHanPair: true}

// caution is how many occurrences the words of all sentences count for in an intent that has few of its
// own (Zhai, Lafferty: A study of smoothing methods for language models, SIGIR 2001, Dirichlet prior).
const caution = 200

// hear counts what a course has learned from a lesson; features is how many it learned.
func hear(l *lesson, c *course, features int) heard {
	h := heard{from: make([]int32, features+1)}
	byIntent := make([][]int32, len(c.intents)) // so a feature meets the intents in order
	for i, e := range c.example {
		byIntent[c.label[i]] = append(byIntent[c.label[i]], e)
		for _, f := range l.number[e] {
			if counted[l.feature[f]>>60] {
				h.from[c.feature[f]+1]++
			}
		}
	}
	for f := range features {
		h.from[f+1] += h.from[f]
	}
	h.intent, h.count = make([]uint16, h.from[features]), make([]uint16, h.from[features])
	end := slices.Clone(h.from)
	for intent, examples := range byIntent {
		for _, e := range examples {
			for _, k := range l.number[e] {
				if !counted[l.feature[k]>>60] {
					continue
				}
				f := c.feature[k]
				if last := end[f] - 1; last >= h.from[f] && int(h.intent[last]) == intent {
					h.count[last] += min(1, math.MaxUint16-h.count[last])
					continue
				}
				h.intent[end[f]], h.count[end[f]] = uint16(intent), 1
				end[f]++
			}
		}
	}
	at := int32(0)
	for f := range features { // close the gaps
		from := h.from[f]
		h.from[f] = at
		at += int32(copy(h.intent[at:], h.intent[from:end[f]]))
		copy(h.count[h.from[f]:], h.count[from:end[f]])
	}
	h.from[features] = at
	h.intent, h.count = h.intent[:at], h.count[:at]
	h.sum(len(c.intents))
	return h
}

// sum adds the counts up.
func (h *heard) sum(intents int) {
	h.total, h.all, h.kinds = make([]float64, intents), 0, 0
	for f := range len(h.from) - 1 {
		if h.from[f+1] > h.from[f] {
			h.kinds++
		}
	}
	for i, n := range h.count {
		h.total[h.intent[i]] += float64(n)
		h.all += float64(n)
	}
}

// of gives the logarithm of how much likelier feature f, −1 for one that no example has, is in an intent
// than in all sentences.
func (h *heard) of(f int32, intent int) float64 {
	own, everywhere := 0.0, 0.0
	if f >= 0 {
		for i := h.from[f]; i < h.from[f+1]; i++ {
			n := float64(h.count[i])
			everywhere += n
			if int(h.intent[i]) == intent {
				own = n
			}
		}
	}
	share := (everywhere + 0.5) / (h.all + 0.5*h.kinds)
	return math.Log((own + caution*share) / (h.total[intent] + caution) / share)
}

// Belonging tells how surely a text in its plain form expresses one of the intents, and the best of them:
// the log odds of the best intent being right against the text being of an intent that nobody has taught.
// margins are those of the text, as Score gives them or after somebody put more over them. Below
// ScopeThreshold it is to be rejected, or asked back.
//
// It was learned from the examples alone: in each of four rounds a quarter of the intents, those of
// kindred words together, and some sentences of the others are held out, a classifier learns from what is
// left, and the held-out sentences show what the parts are like in scope and out of it. A model of too few
// intents to hold any out gives the margin.
func (m *Model) Belonging(runes []rune, margins []float64) float64 {
	at, margin := bestOf(margins, outsideOf(m.intents))
	if at < 0 || !m.scope.learned {
		return margin
	}
	s := m.take()
	s.features = s.once(s.reading.featuresOf(runes, s.features[:0]))
	x := m.partsOf(s.features, len(runes), margins, &m.scope)
	m.pool.Put(s)
	return m.scope.of(x)
}

// Explain gives what each part said to Belonging, in the order of parts; nil where the margin decides alone.
func (m *Model) Explain(runes []rune, margins []float64) []Say {
	if at, _ := bestOf(margins, outsideOf(m.intents)); at < 0 || !m.scope.learned {
		return nil
	}
	s := m.take()
	s.features = s.once(s.reading.featuresOf(runes, s.features[:0]))
	x := m.partsOf(s.features, len(runes), margins, &m.scope)
	m.pool.Put(s)
	said := make([]Say, parts)
	for p := range said {
		said[p] = Say{Part(p), x[p], m.scope.shape[p].of(x[p])}
	}
	return said
}

// ScopeThreshold gives the belonging below which at most the given share (0 to 0.1) of sentences in scope
// fall that are told right, judged by sentences that were not learned from.
func (m *Model) ScopeThreshold(share float64) float64 {
	if !m.scope.learned {
		return m.Threshold(share)
	}
	return atShare(&m.scope.tail, share)
}

func (c *scope) of(x [parts]float64) float64 {
	sum := float64(c.base)
	for p := range x {
		sum += c.shape[p].of(x[p])
	}
	return sum
}

// bestOf is the intent with the largest margin; Outside is none.
func bestOf(margins []float64, outside int) (at int, margin float64) {
	at, margin = -1, math.Inf(-1)
	for c, v := range margins {
		if c != outside && v > margin {
			at, margin = c, v
		}
	}
	return at, margin
}

// partsOf looks at a text by its features, each once.
func (m *Model) partsOf(features []feature, length int, margins []float64, c *scope) (x [parts]float64) {
	outside := outsideOf(m.intents)
	best, first := bestOf(margins, outside)
	second, all, other := math.Inf(-1), 0.0, -1.0
	for i, v := range margins {
		if i == outside {
			other = v
			continue
		}
		all += math.Exp(3 * v)
		if i != best {
			second = max(second, v)
		}
	}
	var there, known [kinds]float64
	words, own, evidence, n := 0.0, 0.0, 0.0, 0.0
	for _, h := range features {
		kind := h >> 60
		f := m.table.find(h)
		v := kindWeight[kind] * unseen
		if f >= 0 {
			v = float64(m.weight[f])
		}
		square := float64(v * v)
		there[kind] += square
		if f >= 0 {
			known[kind] += square
		}
		if voiceOf[kind] == 0 {
			words += square
			if f >= 0 && int8(m.levels[int(m.row[f])*m.width+best]) > 0 {
				own += square
			}
		}
		if counted[kind] {
			evidence += c.heard.of(f, best)
			n++
		}
	}
	share := func(kinds ...feature) float64 {
		part, whole := 0.0, 0.0
		for _, k := range kinds {
			part, whole = part+known[k], whole+there[k]
		}
		if whole == 0 {
			return 1
		}
		return part / whole
	}
	u := usual{mean: float32(first), deviation: 1}
	if best < len(c.usual) {
		u = c.usual[best]
	}
	x = [parts]float64{
		PartMargin: first, PartLead: first - second, PartOutside: other, PartAll: math.Log(all) / 3,
		PartWords: share(kindWord, kindStem, kindHan), PartPieces: share(kindGram),
		PartMeanings: share(kindConcept, kindTogether), PartPairs: share(kindWordPair, kindHanPair),
		PartOwnWords:     own / max(words, 1e-9),
		PartUsualMargin:  (first - float64(u.mean)) / float64(u.deviation),
		PartIntentMargin: float64(u.mean),
		PartEvidence:     evidence / math.Sqrt(n+1),
		PartLength:       math.Log(float64(length + 1)), PartExamples: math.Log(float64(u.examples + 1)),
	}
	return x
}

// Rounds of learnScope, and the share of the other sentences that each holds out.
const (
	scopeRounds  = 4
	scopeLeftOut = 8 // one in
	leastIntents = 2 * scopeRounds
	leastRows    = 40 // in scope, and out of it

	// everyIntent is the round after those, in which the thresholds are found: all intents are known, as they
	// will be when it matters, and have their neighbours beside them (found in the other rounds, thresholds
	// cost 1.5 to 2.3 points where 1.5 were asked for).
	everyIntent      = -2
	thresholdLeftOut = 5 // one in

	// scopePasses is how often a round passes over its examples. It begins where the whole model ended and only
	// has to forget what is held out (recall at 1.5 points of loss, mean of six tasks on training parts: 64.4 %
	// after eight passes from nothing, 64.7 after one, 64.9 after two; thresholds after two passes lose up to
	// half a point more than after four, after eight no less).
	scopePasses = 4
	// scopeAsked is how many held-out sentences of a round are judged at most, evenly drawn: 14 parts with
	// some 32 steps are learned from four times as many.
	scopeAsked = 4000
)

// seenPart is one sentence that was held out: what its parts were, and whether it was told right. A
// sentence of an intent that was known and told wrong is none: to reject it or not is all the same.
type seenPart struct {
	x     [parts]float64
	right bool
	best  int // the intent, by its number in the whole model
}

// learnScope teaches a model what is out of scope. all is the course that it was taught by, of the examples
// of which the first told are sentences and the others names of intents.
func (m *Model) learnScope(l *lesson, all *course, told int, o Options) {
	outside := outsideOf(m.intents)
	var known []int32
	for c := range m.intents {
		if c != outside {
			known = append(known, int32(c))
		}
	}
	if len(known) < leastIntents || len(m.intents) > math.MaxUint16 {
		return
	}
	part := dealKindred(l, all.label[:told], known, len(m.intents))
	order := rand.New(rand.NewPCG(o.Seed, 7)).Perm(told)
	var seen [scopeRounds][]seenPart
	for k := range scopeRounds {
		seen[k] = m.holdOut(l, all, told, part, order, k, o)
	}
	both := slices.Concat(seen[:]...)
	in := 0
	for _, s := range both {
		if s.right {
			in++
		}
	}
	if in < leastRows || len(both)-in < leastRows {
		return
	}
	c := &m.scope
	c.usual = usualOf(both, len(m.intents))
	for _, intent := range all.label[:told] {
		c.usual[intent].examples++
	}
	c.heard = hear(l, all, len(m.weight))
	c.fit(both)
	var belonging []float64
	for _, s := range m.holdOut(l, all, told, part, order, everyIntent, o) {
		if s.right {
			belonging = append(belonging, c.of(s.x))
		}
	}
	c.tail, c.learned = tailOf(belonging), true
}

// holdOut learns without the intents of part k and without some sentences of the others, and gives what
// the held-out sentences are like. Where k is everyIntent no intent is held out.
func (m *Model) holdOut(l *lesson, all *course, told int, part []int, order []int, k int, o Options) []seenPart {
	less := &course{}
	number := make([]int32, len(m.intents)) // in the smaller model
	whole := []int{}                        // and back
	for c, name := range m.intents {
		number[c] = -1
		if part[c] != k {
			number[c] = int32(len(whole))
			less.intents, whole = append(less.intents, name), append(whole, c)
		}
	}
	leftOut := make([]bool, told)
	for p, i := range order {
		leftOut[i] = p%scopeLeftOut == k || k == everyIntent && p%thresholdLeftOut == 0
	}
	outside := outsideOf(m.intents)
	size := make([]int32, len(whole))
	var asked []int
	for i, intent := range all.label {
		c := number[intent]
		switch {
		case i < told && (c < 0 || leftOut[i] && int(intent) != outside):
			asked = append(asked, i)
		case c >= 0 && (i >= told || !leftOut[i]):
			less.example, less.label = append(less.example, int32(i)), append(less.label, c)
			if i < told {
				size[c]++
			}
		}
	}
	less.begin(all, whole)
	o.Rounds = scopePasses
	small, _ := less.teach(l, o)
	if len(asked) > scopeAsked && k != everyIntent {
		for j := range scopeAsked {
			asked[j] = asked[j*len(asked)/scopeAsked]
		}
		asked = asked[:scopeAsked]
	}
	c := scope{heard: hear(l, less, len(small.weight))}
	margins := make([][]float64, len(asked))
	inParallel(len(asked), func(j int) { margins[j] = small.scoreBag(l.bag(asked[j], nil), nil) })
	seen := make([]seenPart, 0, len(asked))
	var kept []int
	for j, i := range asked {
		best, margin := bestOf(margins[j], outsideOf(less.intents))
		right := int32(best) == number[all.label[i]]
		if !right && number[all.label[i]] >= 0 {
			continue
		}
		s := seenPart{right: right, best: best}
		s.x[PartMargin] = margin
		seen, kept = append(seen, s), append(kept, j)
	}
	c.usual = usualOf(seen, len(whole))
	for i := range c.usual {
		c.usual[i].examples = size[i]
	}
	inParallel(len(seen), func(n int) {
		i := asked[kept[n]]
		seen[n].x = small.partsOf(l.bag(i, nil), l.length[i], margins[kept[n]], &c)
	})
	for n := range seen {
		seen[n].best = whole[seen[n].best]
	}
	return seen
}

// begin sets the dual variables to those that a course of more examples and intents has learned; whole
// gives its numbers of the intents.
func (c *course) begin(all *course, whole []int) {
	n, of := len(c.example), len(all.example)
	c.dual = make([]float32, (len(whole)+lanes-1)/lanes*lanes*n)
	for intent, w := range whole {
		to, from := c.dual[intent/lanes*n*lanes+intent%lanes:], all.dual[w/lanes*of*lanes+w%lanes:]
		for j, e := range c.example {
			to[j*lanes] = from[int(e)*lanes]
		}
	}
}

// usualOf gives the mean and the deviation of the margins that each intent's sentences have when they are
// told right, drawn towards that of all by the weight of five sentences.
func usualOf(seen []seenPart, intents int) []usual {
	type sums struct{ n, sum, square float64 }
	var all sums
	of := make([]sums, intents)
	for _, s := range seen {
		if !s.right {
			continue
		}
		for _, t := range []*sums{&all, &of[s.best]} {
			t.n++
			t.sum += s.x[PartMargin]
			t.square += float64(s.x[PartMargin] * s.x[PartMargin])
		}
	}
	const prior = 5
	mean := all.sum / max(1, all.n)
	variance := max(0, all.square/max(1, all.n)-float64(mean*mean))
	out := make([]usual, intents)
	for c, t := range of {
		own := (t.sum + prior*mean) / (t.n + prior)
		square := t.square - float64(2*own*t.sum) + float64(t.n*own)*own
		out[c] = usual{mean: float32(own), deviation: float32(math.Sqrt(max(0.01, (square+prior*variance)/(t.n+prior))))}
	}
	return out
}

// dealKindred deals the intents out into as many parts as there are rounds, those of kindred words
// together: what comes from outside is rarely the neighbour of an intent in all its words, and a part that
// holds out one of two such neighbours alone teaches that nothing can be told. Intents are joined by
// average linkage of the cosine of their words until a third are left; the largest clusters are dealt
// first, each to the part with the fewest sentences. Outside is of no part: −1.
func dealKindred(l *lesson, label []int32, known []int32, intents int) []int {
	sentences := make([]int, intents)
	for _, c := range label {
		sentences[c]++
	}
	clusters := joined(voicesOf(l, label, known), max(scopeRounds, len(known)/3))
	size := func(c []int) (total int) {
		for _, i := range c {
			total += sentences[known[i]]
		}
		return total
	}
	slices.SortStableFunc(clusters, func(a, b []int) int { return cmp.Compare(size(b), size(a)) })
	part := make([]int, intents)
	for c := range part {
		part[c] = -1
	}
	var load [scopeRounds]int
	for _, c := range clusters {
		least := 0
		for k := range load {
			if load[k] < load[least] {
				least = k
			}
		}
		load[least] += size(c)
		for _, i := range c {
			part[known[i]] = least
		}
	}
	return part
}

// fit finds the shapes: logistic regression on the standardised parts with a small ridge, and gradient
// boosting by trees of one cut each (Friedman: Greedy function approximation, Annals of Statistics 2001;
// Lou, Caruana, Gehrke: Intelligible models, KDD 2012), half of each. Both are sums over the parts, so
// what a part says of a text can be read off.
func (c *scope) fit(seen []seenPart) {
	n := float64(len(seen))
	for p := range c.shape {
		sum, square := 0.0, 0.0
		for i := range seen {
			x := seen[i].x[p]
			sum, square = sum+x, square+float64(x*x)
		}
		mean := sum / n
		c.shape[p] = shape{mean: float32(mean), scale: float32(1 / math.Sqrt(max(1e-6, square/n-float64(mean*mean))))}
	}
	c.base = float32(c.straight(seen) / 2)
	for p := range c.shape {
		c.shape[p].slope /= 2
	}
	c.stepped(seen)
}

// straight fits the slopes and gives the constant.
func (c *scope) straight(seen []seenPart) float64 {
	const dims = int(parts) + 1
	rows, right := make([]float64, 0, dims*len(seen)), make([]bool, len(seen))
	for i := range seen {
		right[i] = seen[i].right
		for p := range c.shape {
			s := shape{mean: c.shape[p].mean, scale: c.shape[p].scale, slope: 1}
			rows = append(rows, s.of(seen[i].x[p]))
		}
		rows = append(rows, 1)
	}
	var ridge [dims]float64
	for p := range c.shape {
		ridge[p] = 3
	}
	beta := odds.Fit(rows, right, make([]float64, dims), ridge[:])
	for p := range c.shape {
		c.shape[p].slope = float32(beta[p])
	}
	return beta[parts]
}

// stepped fits the steps, and leaves half of them in the shapes.
func (c *scope) stepped(seen []seenPart) {
	const trees, rate, ridge, least = 150, 0.1, 5, 5
	n := len(seen)
	var bin [parts][]uint8
	for p := range c.shape {
		sorted := make([]float64, n)
		for i := range seen {
			sorted[i] = seen[i].x[p]
		}
		slices.Sort(sorted)
		s := &c.shape[p]
		for b := 1; b < steps; b++ {
			s.cut = append(s.cut, float32(sorted[b*n/steps]))
		}
		s.cut = slices.Compact(s.cut)
		s.value = make([]float32, len(s.cut)+1)
		bin[p] = make([]uint8, n)
		for i := range seen {
			x := seen[i].x[p]
			bin[p][i] = uint8(sort.Search(len(s.cut), func(k int) bool { return x <= float64(s.cut[k]) }))
		}
	}
	sum := make([]float64, n)
	var value [parts][steps]float64
	for range trees {
		var g, h [parts][steps]float64
		whole, curve := 0.0, 0.0
		for i := range seen {
			e := odds.Probability(sum[i])
			d, w := e, float64(e*(1-e))
			if seen[i].right {
				d--
			}
			whole, curve = whole+d, curve+w
			for p := range bin {
				b := bin[p][i]
				g[p][b] += d
				h[p][b] += w
			}
		}
		part, cut, most, low, high := -1, 0, 1e-6, 0.0, 0.0
		for p := range bin {
			a, w := 0.0, 0.0
			for b := range c.shape[p].cut {
				a, w = a+g[p][b], w+h[p][b]
				if w < least || curve-w < least {
					continue
				}
				if gain := float64(a*a)/(w+ridge) + float64((whole-a)*(whole-a))/(curve-w+ridge) - float64(whole*whole)/(curve+ridge); gain > most {
					part, cut, most = p, b, gain
					low, high = -rate*a/(w+ridge), -rate*(whole-a)/(curve-w+ridge)
				}
			}
		}
		if part < 0 {
			break
		}
		for b := range c.shape[part].value {
			if b <= cut {
				value[part][b] += low
			} else {
				value[part][b] += high
			}
		}
		for i := range sum {
			if int(bin[part][i]) <= cut {
				sum[i] += low
			} else {
				sum[i] += high
			}
		}
	}
	for p := range c.shape {
		for b := range c.shape[p].value {
			c.shape[p].value[b] = float32(value[p][b] / 2)
		}
	}
}

// weighed is a feature and what it weighs.
type weighed struct {
	feature feature
	value   float64
}

// voicesOf gives what the sentences of each known intent say: words, characters and meanings by how often
// they occur there and how rare they are, of length one, in order. label is of the first examples of the
// lesson; the others are not heard.
func voicesOf(l *lesson, label []int32, known []int32) [][]weighed {
	occurs := make([]float64, len(l.feature))
	words := make([]map[int32]float64, len(known))
	for i, intent := range label {
		at, ok := slices.BinarySearch(known, intent)
		if ok && words[at] == nil {
			words[at] = map[int32]float64{}
		}
		for _, f := range l.number[i] {
			if !counted[l.feature[f]>>60] {
				continue
			}
			occurs[f]++
			if ok {
				words[at][f]++
			}
		}
	}
	all := make([][]weighed, len(known))
	for i := range all {
		for f, n := range words[i] {
			all[i] = append(all[i], weighed{l.feature[f], n * math.Log(float64(len(label))/occurs[f])})
		}
		slices.SortFunc(all[i], func(a, b weighed) int { return cmp.Compare(a.feature, b.feature) })
		square := 0.0
		for _, e := range all[i] {
			square += float64(e.value * e.value)
		}
		for k := range all[i] {
			all[i][k].value /= math.Sqrt(max(square, 1e-9))
		}
	}
	return all
}

// joined joins what is alike by average linkage until there are at most so many clusters.
func joined(sorted [][]weighed, atMost int) [][]int {
	n := len(sorted)
	alike := make([][]float64, n)
	for i := range alike {
		alike[i] = make([]float64, n)
		for j := range i {
			a, b, dot := sorted[i], sorted[j], 0.0
			for len(a) > 0 && len(b) > 0 {
				switch {
				case a[0].feature < b[0].feature:
					a = a[1:]
				case a[0].feature > b[0].feature:
					b = b[1:]
				default:
					dot += float64(a[0].value * b[0].value)
					a, b = a[1:], b[1:]
				}
			}
			alike[i][j], alike[j][i] = dot, dot
		}
	}
	clusters := make([][]int, n)
	for i := range clusters {
		clusters[i] = []int{i}
	}
	for left := n; left > atMost; left-- {
		x, y, most := -1, -1, math.Inf(-1)
		for i := range n {
			for j := range i {
				if clusters[i] != nil && clusters[j] != nil && alike[i][j] > most {
					x, y, most = j, i, alike[i][j]
				}
			}
		}
		a, b := float64(len(clusters[x])), float64(len(clusters[y]))
		for i := range n {
			alike[x][i] = (float64(a*alike[x][i]) + float64(b*alike[y][i])) / (a + b)
			alike[i][x] = alike[x][i]
		}
		clusters[x], clusters[y] = append(clusters[x], clusters[y]...), nil
	}
	return slices.DeleteFunc(clusters, func(c []int) bool { return c == nil })
}

// Kindred joins the intents of examples by the words that their sentences have in common until there are
// at most so many groups; the names in a group are sorted. Outside is in none.
func Kindred(examples []Example, atMost int) [][]string {
	var names []string
	for _, e := range examples {
		if e.Intent != Outside {
			names = append(names, e.Intent)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	label, known := make([]int32, len(examples)), make([]int32, len(names))
	for i := range known {
		known[i] = int32(i)
	}
	for i, e := range examples {
		at, ok := slices.BinarySearch(names, e.Intent)
		if label[i] = int32(at); !ok {
			label[i] = -1
		}
	}
	var groups [][]string
	for _, cluster := range joined(voicesOf(lessonOf(examples), label, known), max(1, atMost)) {
		var group []string
		for _, i := range cluster {
			group = append(group, names[i])
		}
		slices.Sort(group)
		groups = append(groups, group)
	}
	return groups
}
