package kindred

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"github.com/rapport-cx/rapport/need/classify"
	"github.com/rapport-cx/rapport/need/odds"
	"github.com/rapport-cx/rapport/need/text"
)

// Options steer training; the zero value is right.
type Options struct {
	Classifier classify.Options // of the classifier that the head stands beside
}

const (
	folds     = 4
	fewest    = 40 // sentences
	witnesses = 8
)

// Candidates of what is chosen on held-out sentences: the price of large weights, and how much of the
// head is added to the classifier's margins.
var (
	ridges  = []float64{0.1, 1, 10}
	weights = []float64{0.1, 0.2, 0.3, 0.4, 0.5}
)

// ErrTooFew is returned for too few sentences to measure anything.
var ErrTooFew = errors.New("kindred: there are too few sentences")

// Train fits a head to embeddings of examples, one each, and measures it beside a classifier: each
// example is judged by a head and a classifier that have learned from neither it nor its doubles. The
// same arguments give the same head. It takes four trainings of the classifier and about a second for
// 10,000 examples.
func Train(ctx context.Context, model string, examples []classify.Example, vectors [][]float32, o Options) (*Head, error) {
	if len(examples) < fewest || len(vectors) != len(examples) {
		return nil, fmt.Errorf("%w: %d, with %d embeddings", ErrTooFew, len(examples), len(vectors))
	}
	t, err := gather(examples, vectors)
	if err != nil {
		return nil, err
	}
	margins, err := t.classifier(ctx, o.Classifier)
	if err != nil {
		return nil, err
	}
	h := &Head{Model: model, Dims: len(vectors[0]), Intents: t.intents}
	rightAlone := t.right(margins)
	h.About = About{Sentences: len(examples), Alone: share(rightAlone)}
	ridge, center, scale := 0.0, 0.0, 0.0
	best := rightAlone
	for _, r := range ridges {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		scores, err := t.heldOut(r)
		if err != nil {
			return nil, err
		}
		c, s, useful := t.standard(scores)
		if !useful {
			continue
		}
		h.About.Head = max(h.About.Head, share(t.right(scores)))
		for _, w := range weights {
			if right := t.right(t.joined(&Head{Weight: w, Intents: t.intents}, margins, scores)); count(right) > count(best) {
				best, ridge, center, scale, h.Weight = right, r, c, s, w
			}
		}
	}
	h.About.Joined = share(best)
	if h.Weight == 0 || !better(rightAlone, best) {
		h.Weight, h.About.Joined = 0, h.About.Alone
		return h, nil
	}
	scores, err := t.heldOut(ridge)
	if err != nil {
		return nil, err
	}
	t.standard(scores)
	before := t.tail(margins)
	h.Shift = t.tail(t.joined(h, margins, scores)) - before
	h.Sure = t.sure(t.joined(h, margins, scores))
	return h, h.fit(t, ridge, center, scale, vectors)
}

// training is a set of examples dealt out into folds.
type training struct {
	examples []classify.Example
	intents  []string
	label    []int
	fold     []int
	x        [][]float64 // folded embeddings
	width    int         // of a row of x, and one for the bias
	gram     [folds][]float64
	target   [folds][]float64 // width × intents
}

func gather(examples []classify.Example, vectors [][]float32) (*training, error) {
	t := &training{examples: examples, label: make([]int, len(examples)), fold: make([]int, len(examples)), x: make([][]float64, len(examples))}
	for _, e := range examples {
		t.intents = append(t.intents, e.Intent)
	}
	slices.Sort(t.intents)
	if t.intents = slices.Compact(t.intents); len(t.intents) < 2 {
		return nil, fmt.Errorf("%w: they are of one intent", ErrTooFew)
	}
	for i, e := range examples {
		t.label[i], _ = slices.BinarySearch(t.intents, e.Intent)
		sum := fnv.New32a()
		sum.Write([]byte(text.Plain(e.Text))) // doubles come into one fold
		t.fold[i] = int(sum.Sum32() % folds)
		if len(vectors[i]) != len(vectors[0]) {
			return nil, fmt.Errorf("%w: %d and %d dimensions", ErrVector, len(vectors[0]), len(vectors[i]))
		}
		var err error
		if t.x[i], err = folded(vectors[i]); err != nil {
			return nil, fmt.Errorf("of example %d: %w", i, err)
		}
	}
	t.width = len(t.x[0]) + 1
	for f := range folds {
		t.gram[f], t.target[f] = make([]float64, t.width*t.width), make([]float64, t.width*len(t.intents))
	}
	for i, x := range t.x {
		g, y := t.gram[t.fold[i]], t.target[t.fold[i]]
		for a, v := range append(slices.Clip(x), 1) {
			row := g[a*t.width : a*t.width+a+1] // the lower triangle
			for b := range min(a+1, len(x)) {
				row[b] += float64(v * x[b])
			}
			if a == len(x) {
				row[a]++
			}
			for c := range t.intents {
				if c == t.label[i] {
					y[a*len(t.intents)+c] += v
				} else {
					y[a*len(t.intents)+c] -= v
				}
			}
		}
	}
	return t, nil
}

// solve gives the weights of a ridge regression on all folds but one (−1: on all), width × intents.
func (t *training) solve(without int, ridge float64) ([]float64, error) {
	n, classes := t.width, len(t.intents)
	a, b := make([]float64, n*n), make([]float64, n*classes)
	for f := range folds {
		if f == without {
			continue
		}
		for i, v := range t.gram[f] {
			a[i] += v
		}
		for i, v := range t.target[f] {
			b[i] += v
		}
	}
	for i := range n - 1 {
		a[i*n+i] += ridge
	}
	a[n*n-1] += 1e-6
	// Cholesky: a = l·lᵀ, in the lower triangle.
	for j := range n {
		lj := a[j*n : j*n+j+1]
		for k := range j {
			lj[j] -= float64(lj[k] * lj[k])
		}
		if lj[j] <= 0 {
			return nil, fmt.Errorf("%w: they do not span their space", ErrVector)
		}
		lj[j] = math.Sqrt(lj[j])
		for i := j + 1; i < n; i++ {
			li := a[i*n : i*n+j+1]
			sum := li[j]
			for k := range j {
				sum -= float64(li[k] * lj[k])
			}
			li[j] = sum / lj[j]
		}
	}
	for i := range n {
		row := b[i*classes : (i+1)*classes]
		for k := range i {
			l := a[i*n+k]
			for c := range row {
				row[c] -= float64(l * b[k*classes+c])
			}
		}
		for c := range row {
			row[c] /= a[i*n+i]
		}
	}
	for i := n - 1; i >= 0; i-- {
		row := b[i*classes : (i+1)*classes]
		for k := i + 1; k < n; k++ {
			l := a[k*n+i]
			for c := range row {
				row[c] -= float64(l * b[k*classes+c])
			}
		}
		for c := range row {
			row[c] /= a[i*n+i]
		}
	}
	return b, nil
}

// heldOut gives each example's scores by a head that has not learned from its fold.
func (t *training) heldOut(ridge float64) ([][]float64, error) {
	scores := make([][]float64, len(t.x))
	for f := range folds {
		w, err := t.solve(f, ridge)
		if err != nil {
			return nil, err
		}
		for i, x := range t.x {
			if t.fold[i] != f {
				continue
			}
			s := slices.Clone(w[len(x)*len(t.intents):])
			for k, v := range x {
				row := w[k*len(t.intents) : (k+1)*len(t.intents)]
				for c := range s {
					s[c] += float64(v * row[c])
				}
			}
			scores[i] = s
		}
	}
	return scores, nil
}

// classifier gives each example's margins by a classifier that has not learned from its fold.
func (t *training) classifier(ctx context.Context, o classify.Options) ([][]float64, error) {
	o.MarginsOnly = true
	margins := make([][]float64, len(t.x))
	for f := range folds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var others []classify.Example
		for i, e := range t.examples {
			if t.fold[i] != f {
				others = append(others, e)
			}
		}
		m, err := classify.Train(others, o)
		if err != nil {
			return nil, err
		}
		at := make([]int, len(m.Intents()))
		for c, name := range m.Intents() {
			at[c], _ = slices.BinarySearch(t.intents, name)
		}
		var found []float64
		for i, e := range t.examples {
			if t.fold[i] != f {
				continue
			}
			margins[i] = make([]float64, len(t.intents))
			for c := range margins[i] {
				margins[i][c] = -1 // an intent whose sentences are all in this fold
			}
			found = m.Score(e.Text, found)
			for c, v := range found {
				margins[i][at[c]] = v
			}
		}
	}
	return margins, nil
}

// standard moves and stretches scores, in place, to +1 for the right intent and −1 for the others, on
// average; useful is false when the two are not apart. It is not the best of the others that is held
// against the right one: among many intents it is ahead, on average, even of a head that tells most
// sentences right.
func (t *training) standard(scores [][]float64) (center, scale float64, useful bool) {
	own, other := 0.0, 0.0
	for i, s := range scores {
		for c, v := range s {
			if c == t.label[i] {
				own += v / float64(len(scores))
			} else {
				other += v / float64(len(scores)*(len(s)-1))
			}
		}
	}
	if !(own-other > 1e-3) {
		return 0, 0, false
	}
	center, scale = (own+other)/2, 2/(own-other)
	for _, s := range scores {
		for c := range s {
			s[c] = (s[c] - center) * scale
		}
	}
	return center, scale, true
}

// joined are the margins with the head's leans over them, as they will be when it serves.
func (t *training) joined(h *Head, margins, scores [][]float64) [][]float64 {
	out := make([][]float64, len(margins))
	for i := range margins {
		out[i] = slices.Clone(margins[i])
		l := h.lean(scores[i])
		l.Over(t.intents, out[i], Sure{})
	}
	return out
}

func (t *training) right(margins [][]float64) []bool {
	right := make([]bool, len(margins))
	for i, m := range margins {
		best, _ := classify.Best(m)
		right[i] = best == t.label[i]
	}
	return right
}

func count(all []bool) (n int) {
	for _, x := range all {
		if x {
			n++
		}
	}
	return n
}

func share(all []bool) float64 { return float64(count(all)) / float64(max(1, len(all))) }

// better tells whether b is right more often than a by more than chance: McNemar's test, one in a
// hundred.
func better(a, b []bool) bool {
	gained, lost := 0, 0
	for i := range a {
		switch {
		case b[i] && !a[i]:
			gained++
		case a[i] && !b[i]:
			lost++
		}
	}
	return float64(gained-lost) > 2.33*math.Sqrt(float64(gained+lost))
}

// tail is the margin below which a fiftieth of what is told right lies.
func (t *training) tail(margins [][]float64) float64 {
	var own []float64
	for i, m := range margins {
		if best, margin := classify.Best(m); best == t.label[i] && t.intents[best] != classify.Outside {
			own = append(own, margin)
		}
	}
	if len(own) == 0 {
		return 0
	}
	slices.Sort(own)
	return own[len(own)/50]
}

// sure fits the confidence of margins, with a small ridge that keeps it finite where everything is told
// right.
func (t *training) sure(margins [][]float64) Sure {
	const ridge = 1e-2
	known := make([]float64, 0, 3*len(margins))
	for _, m := range margins {
		best, first := classify.Best(m)
		second := math.Inf(-1)
		for c, v := range m {
			if c != best {
				second = max(second, v)
			}
		}
		known = append(known, 1, first, first-second)
	}
	return Sure(odds.Fit(known, t.right(margins), []float64{0, 1, 1}, []float64{ridge, ridge, ridge}))
}

// fit learns from all folds, and keeps some sentences as witnesses.
func (h *Head) fit(t *training, ridge, center, scale float64, vectors [][]float32) error {
	w, err := t.solve(-1, ridge)
	if err != nil {
		return err
	}
	classes := len(t.intents)
	h.rows = make([]float32, classes*t.width)
	for c := range classes {
		for k := range t.width {
			v := w[k*classes+c]
			if k == t.width-1 {
				v -= center
			}
			h.rows[c*t.width+k] = float32(v * scale)
		}
	}
	h.pack(t.width)
	for i := range witnesses {
		at := i * len(t.examples) / witnesses
		h.Witnesses = append(h.Witnesses, witness(t.examples[at].Text, vectors[at]))
	}
	return nil
}

func (h *Head) pack(width int) {
	h.Rows = nil
	for c := range h.Intents {
		var row []byte
		for _, v := range h.rows[c*width : (c+1)*width] {
			row = binary.LittleEndian.AppendUint32(row, math.Float32bits(v))
		}
		h.Rows = append(h.Rows, row)
	}
}

// Marshal is a head as it is kept.
func (h *Head) Marshal() ([]byte, error) { return json.Marshal(h) }

// Unmarshal reads what Marshal wrote.
func Unmarshal(b []byte) (*Head, error) {
	h := &Head{}
	if err := json.Unmarshal(b, h); err != nil {
		return nil, fmt.Errorf("kindred: %w", err)
	}
	if h.Weight == 0 {
		return h, nil
	}
	width := min(h.Dims, mostFolded) + 1
	if h.Dims < 1 || len(h.Rows) != len(h.Intents) || len(h.Witnesses) == 0 {
		return nil, fmt.Errorf("kindred: a head of %d dimensions, %d intents, %d rows", h.Dims, len(h.Intents), len(h.Rows))
	}
	for c, row := range h.Rows {
		if len(row) != 4*width {
			return nil, fmt.Errorf("kindred: row %d has %d bytes", c, len(row))
		}
		for k := range width {
			h.rows = append(h.rows, math.Float32frombits(binary.LittleEndian.Uint32(row[4*k:])))
		}
	}
	return h, nil
}
