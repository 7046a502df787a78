// Package kindred is a second ear beside need/classify, step 4 of the flow: it tells what a stretch
// of text may mean by the sentences it is like, in the space of somebody else's embeddings.
//
//	head, err := kindred.Train(ctx, "bge-m3", examples, vectors, kindred.Options{})
//	if head.Weight > 0 {
//		lean, err := head.Lean(vector)
//		margins, confidence := lean.Over(classifier.Intents(), margins, head.Sure)
//	}
//
// It holds no vectors of examples: a head is one linear map, fitted by ridge regression in the
// background. How much it may say is measured against the classifier on sentences that neither has
// learned from; a head that does not help has weight 0 and is not asked. A lean is bounded by [MostLift],
// so that whoever answers for the embeddings cannot move what is read clearly without them.
package kindred

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rapport-cx/rapport/need/odds"
)

// MostLift bounds what a lean adds to one margin or takes from it. Of two intents whose margins are
// further apart than twice that, the first stays the first. Margins are about +1 for a clear yes and
// −1 for a clear no.
const MostLift = 0.6

// told is how many intents a lean names; all others share its rest.
const told = 5

// Head tells intents by embeddings. It is immutable and safe for concurrent use.
type Head struct {
	Model  string  `json:"model"` // that the embeddings are of
	Dims   int     `json:"dims"`  // of one embedding
	Weight float64 `json:"weight"`
	Shift  float64 `json:"shift"` // taken from each lift, so that as much is rejected as before
	// Sure turns the best margin and its lead, lifted, into the probability that the best intent is
	// the right one: 1/(1+exp(−(Sure[0] + Sure[1]·best + Sure[2]·lead))).
	Sure      Sure      `json:"sure"`
	Witnesses []Witness `json:"witnesses"`
	About     About     `json:"about"`

	Intents []string  `json:"intents"`
	Rows    [][]byte  `json:"rows"` // of each intent: its weights and its bias, as little-endian float32
	rows    []float32 // of Rows, len(Intents) × (folded+1)
}

// Sure are the three numbers of a confidence.
type Sure [3]float64

// About says what a head rests on and what it is good for, on sentences held out.
type About struct {
	Sentences int     `json:"sentences"`
	Alone     float64 `json:"alone"`  // share that the classifier tells right by itself
	Joined    float64 `json:"joined"` // share that it tells right with the head
	Head      float64 `json:"head"`   // share that the head tells right by itself
}

// Witness is a sentence whose embedding is known. It is sent along with each question: whoever
// gives it another embedding today is not, or no longer, who the head has learned from.
type Witness struct {
	Text   string `json:"text"`
	Vector []byte `json:"vector"` // quantised, one signed byte a dimension
}

// Lift is what is added to the margin of one intent.
type Lift struct {
	Intent string  `json:"intent"`
	Value  float64 `json:"value"`
}

// Lean is what a head says of one text: the largest lifts, and what every other intent gets.
type Lean struct {
	Lifts []Lift  `json:"lifts"`
	Rest  float64 `json:"rest"`
}

// ErrVector is wrapped by errors about vectors that cannot be an embedding of this head's model.
var ErrVector = errors.New("kindred: no embedding of this model")

// Lean tells what a text with this embedding may mean.
func (h *Head) Lean(vector []float32) (Lean, error) {
	if len(vector) != h.Dims {
		return Lean{}, fmt.Errorf("%w: %d dimensions, not %d", ErrVector, len(vector), h.Dims)
	}
	x, err := folded(vector)
	if err != nil {
		return Lean{}, err
	}
	width := len(x) + 1
	scores := make([]float64, len(h.Intents))
	for c := range scores {
		row := h.rows[c*width : (c+1)*width]
		sum := float64(row[len(x)])
		for k, v := range x {
			sum += float64(v * float64(row[k]))
		}
		scores[c] = sum
	}
	return h.lean(scores), nil
}

// lean makes lifts of scores at about +1 for yes and −1 for no.
func (h *Head) lean(scores []float64) Lean {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b)) })
	lift := func(i int) float64 {
		v := float64(h.Weight*max(-1, min(1, scores[order[i]]))) - h.Shift
		return math.Round(max(-MostLift, min(MostLift, v))*1000) / 1000
	}
	l := Lean{Lifts: make([]Lift, 0, told)}
	for i := range min(told, len(order)) {
		l.Lifts = append(l.Lifts, Lift{h.Intents[order[i]], lift(i)})
	}
	if len(order) > told {
		l.Rest = lift(told)
	}
	return l
}

// Valid tells whether a lean is within its bounds.
func (l *Lean) Valid() bool {
	in := func(v float64) bool { return v >= -MostLift && v <= MostLift }
	return len(l.Lifts) <= told && in(l.Rest) && !slices.ContainsFunc(l.Lifts, func(x Lift) bool { return !in(x.Value) })
}

// Over adds a lean to the margins of a classifier, in place, and gives the probability that the best of
// them is right. A lean that is out of its bounds adds nothing.
func (l *Lean) Over(intents []string, margins []float64, sure Sure) (confidence float64) {
	if !l.Valid() {
		return sure.of(margins)
	}
	for i := range margins {
		lift := l.Rest
		for k := range l.Lifts {
			if l.Lifts[k].Intent == intents[i] {
				lift = l.Lifts[k].Value
			}
		}
		margins[i] += lift
	}
	return sure.of(margins)
}

func (s Sure) of(margins []float64) float64 {
	first, second := math.Inf(-1), math.Inf(-1)
	for _, v := range margins {
		switch {
		case v > first:
			first, second = v, first
		case v > second:
			second = v
		}
	}
	if math.IsInf(second, -1) {
		return 0
	}
	return odds.Probability(s[0] + float64(s[1]*first) + float64(s[2]*(first-second)))
}

// mostFolded is how many dimensions a head reads: of longer embeddings each is added to one of so many
// sums, with a sign (Charikar, Chen and Farach-Colton, "Finding frequent items in data streams", 2002),
// which keeps angles, and the cost of fitting within seconds.
const mostFolded = 512

// folded scales an embedding to length one and folds it.
func folded(vector []float32) ([]float64, error) {
	x := make([]float64, min(len(vector), mostFolded))
	square := 0.0
	for i, v := range vector {
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%w: a number of it is none", ErrVector)
		}
		square += float64(f * f)
		if len(vector) <= mostFolded {
			x[i] = f
			continue
		}
		// The mix of splitmix64: Steele, Lea and Flood, 2014.
		z := uint64(i+1) * 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		if z>>63 == 1 {
			f = -f
		}
		x[z%mostFolded] += f
	}
	norm := math.Sqrt(square)
	if norm < 1e-9 || math.IsInf(norm, 0) {
		return nil, fmt.Errorf("%w: it has no length", ErrVector)
	}
	for i := range x {
		x[i] /= norm
	}
	return x, nil
}

// Recognises tells whether a vector is the one that a witness had when the head learned, but for
// what rounding makes of it.
func (w *Witness) Recognises(vector []float32) bool {
	if len(vector) != len(w.Vector) {
		return false
	}
	dot, a, b := 0.0, 0.0, 0.0
	for i, v := range vector {
		x, y := float64(v), float64(int8(w.Vector[i]))
		dot += float64(x * y)
		a += float64(x * x)
		b += float64(y * y)
	}
	return dot >= 0.98*math.Sqrt(a*b) && a > 0 // false of what is no number
}

func witness(text string, vector []float32) Witness {
	most := float32(0)
	for _, v := range vector {
		most = max(most, v, -v)
	}
	w := Witness{text, make([]byte, len(vector))}
	for i, v := range vector {
		w.Vector[i] = byte(int8(math.Round(float64(v) / float64(max(most, 1e-30)) * math.MaxInt8)))
	}
	return w
}
