package classify

import (
	"math"
	"slices"

	"github.com/rapport-cx/rapport/need/odds"
)

// tailShares is the number of shares, in thousandths, for which a model keeps the margin below which
// that share of right answers falls.
const tailShares = 100

// Outside is the label of examples that express none of the intents: small talk, other trades, what was
// sent here by mistake. It is learned as an intent is, and no threshold is taken from it.
const Outside = "-"

// outsideOf gives the place of Outside among the sorted names of intents, or -1.
func outsideOf(intents []string) int { return slices.Index(intents, Outside) }

// Threshold gives the margin below which at most the given share (0 to 0.1) of the training examples
// fall that would be told right had they not been learned from. A text of which no intent but Outside has
// a larger margin expresses none of them: reject it, or ask back.
func (m *Model) Threshold(share float64) float64 { return atShare(&m.tail, share) }

// atShare reads a tail at a share between its thousandths.
func atShare(tail *[tailShares + 1]float32, share float64) float64 {
	at := max(0, min(share*1000, tailShares-1))
	low := int(at)
	part := at - float64(low)
	return float64(tail[low]) + float64(part*float64(tail[low+1]-tail[low]))
}

// tailOf gives the margins at 0, 1, … 100 thousandths of the sorted margins.
func tailOf(margins []float64) [tailShares + 1]float32 {
	var tail [tailShares + 1]float32
	if len(margins) == 0 {
		return tail
	}
	slices.Sort(margins)
	for i := range tail {
		tail[i] = float32(margins[min(len(margins)-1, i*len(margins)/1000)])
	}
	return tail
}

// keptByOthers is the share of an example's own contribution to its margin that similar examples would
// have made up for, had it not been there. With 0.74 the estimate's calibration error is 0.01 to 0.03
// on five sets of 640 to 8,954 English and Chinese examples, with 10 or 130 an intent (0.70: 0.01 to
// 0.05; 0.78: 0.01 to 0.09). Cross-validation would cost the training time several times over.
const keptByOthers = 0.74

// confidence turns the best margin and its lead over the second into the probability that the best
// intent is the right one, given that one of the intents is: 1/(1+exp(−(offset + margin·best + lead·gap))).
type confidence struct{ offset, margin, lead float64 }

// Confidence gives the probability that the best of these margins names the right intent, provided
// that the text expresses one of the intents at all; whether it does, the margin itself tells (below
// Threshold: it does not). Fitted on the training examples, each judged as if it had been left out.
func (m *Model) Confidence(margins []float64) float64 {
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
	c := m.confidence
	return odds.Probability(c.offset + float64(c.margin*first) + float64(c.lead*(first-second)))
}

// fitConfidence fits the three numbers, with a small ridge that keeps them finite where every example is told
// right. It also gives the lower tail of the margins of the examples that are told right.
func fitConfidence(margins []float32, width, classes, outside int, label []int32) (confidence, [tailShares + 1]float32) {
	n := len(label)
	known, right := make([]float64, 0, 3*n), make([]bool, n)
	const ridge = 1e-2
	var told []float64
	for i := range n {
		row := margins[i*width : i*width+classes]
		at, best, second := -1, float32(math.Inf(-1)), float32(math.Inf(-1))
		own := label[i]
		amongIntents := int(own) != outside
		for c, v := range row {
			amongIntents = amongIntents && (c == outside || v <= row[own])
			switch {
			case v > best:
				at, best, second = c, v, best
			case v > second:
				second = v
			}
		}
		known = append(known, 1, float64(best), float64(best-second))
		if amongIntents {
			told = append(told, float64(row[own]))
		}
		right[i] = int32(at) == own
	}
	beta := odds.Fit(known, right, []float64{0, 1, 1}, []float64{ridge, ridge, ridge})
	return confidence{beta[0], beta[1], beta[2]}, tailOf(told)
}
