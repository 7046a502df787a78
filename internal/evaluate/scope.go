package evaluate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/rapport-cx/rapport/need/classify"
)

// Scope is how well sentences of no known intent are recognised as such.
type Scope struct {
	Protocol string `json:"protocol"`
	// Recall is the share of out-of-scope sentences that are rejected, in percent, at the threshold that
	// the model itself proposes from its training examples.
	Recall float64 `json:"recall"`
	// Loss is what rejection costs in scope: accuracy without it less accuracy with it, in points.
	Loss  float64 `json:"loss"`
	AUROC float64 `json:"auroc"`
	// Best is the recall at the threshold where the loss is exactly 1.5 points of the test part: what the
	// margins allow, whoever chooses the threshold.
	Best float64 `json:"recall_at_1_5"`
}

// AllowedLoss is the share of right answers that a threshold may cost.
const AllowedLoss = 0.015

// HeldOut measures rejection on intents that the model has not seen: the intents are dealt out into
// four parts by the seed; each part is left out of training once, and its test sentences are then out of
// scope while those of all others are in scope. The threshold is the model's own, set from its training
// examples. These are near misses: neighbours of known intents, in the words of the same trade.
func HeldOut(ctx context.Context, set Set, o classify.Options, progress io.Writer) (Scope, error) {
	s := Scope{Protocol: fmt.Sprintf("four parts of the intents held out in turn, seed %d; threshold from the training examples of the others", Seed)}
	if len(set.Test) == 0 {
		set = folds(set, 5, Seed)[0]
	}
	names := intentsOf(set.Train)
	if len(names) < 8 {
		return s, errors.New("evaluate: at least eight intents are needed to hold some out")
	}
	rand.New(rand.NewPCG(Seed, 2)).Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
	const parts = 4
	for k := range parts {
		held := map[string]bool{}
		for i, name := range names {
			if i%parts == k {
				held[name] = true
			}
		}
		fmt.Fprintf(progress, "holding out %d of %d intents\n", len(held), len(names))
		var known Set
		for _, e := range set.Train {
			if !held[e.Intent] {
				known.Train = append(known.Train, e)
			}
		}
		var outside []classify.Example
		for _, e := range set.Test {
			if held[e.Intent] {
				outside = append(outside, e)
			} else {
				known.Test = append(known.Test, e)
			}
		}
		one, err := reject(ctx, known, outside, o)
		if err != nil {
			return s, err
		}
		s.add(one, parts)
	}
	return s, nil
}

// Outside measures rejection on sentences of another trade altogether: the set is learned and answered
// as a whole, every sentence of outside is out of scope.
func Outside(ctx context.Context, set Set, outside Set, o classify.Options, progress io.Writer) (Scope, error) {
	s := Scope{Protocol: fmt.Sprintf("all intents of %s known, every sentence of %s out of scope; threshold from the training examples", set.Path, outside.Path)}
	if len(set.Test) == 0 {
		set = folds(set, 5, Seed)[0]
	}
	other := outside.Test
	if len(other) == 0 {
		other = outside.Train
	}
	fmt.Fprintf(progress, "answering %d sentences in scope and %d out of it\n", len(set.Test), len(other))
	one, err := reject(ctx, set, other, o)
	s.add(one, 1)
	return s, err
}

func (s *Scope) add(o Scope, of float64) {
	s.Recall += o.Recall / of
	s.Loss += o.Loss / of
	s.AUROC += o.AUROC / of
	s.Best += o.Best / of
}

func reject(ctx context.Context, known Set, outside []classify.Example, o classify.Options) (Scope, error) {
	var s Scope
	if len(known.Test) == 0 || len(outside) == 0 {
		return s, errors.New("evaluate: sentences in scope and out of it are needed")
	}
	model, err := classify.Train(known.Train, o)
	if err != nil {
		return s, fmt.Errorf("evaluate: %w", err)
	}
	var inside, right, out, buffer []float64
	lost := 0.0
	threshold := model.Threshold(AllowedLoss)
	for i, e := range known.Test {
		if i%256 == 0 && ctx.Err() != nil {
			return s, ctx.Err()
		}
		buffer = model.Score(e.Text, buffer)
		at, margin := classify.Best(buffer)
		inside = append(inside, margin)
		if model.Intents()[at] == e.Intent {
			right = append(right, margin)
			if margin < threshold {
				lost++
			}
		}
	}
	for _, e := range outside {
		buffer = model.Score(e.Text, buffer)
		_, margin := classify.Best(buffer)
		out = append(out, margin)
	}
	slices.Sort(inside)
	slices.Sort(right)
	s.Loss = 100 * lost / float64(len(inside))
	fixed := 0.0
	if n := int(AllowedLoss * float64(len(inside))); n < len(right) {
		fixed = right[n]
	}
	above := 0
	for _, m := range out {
		if m < threshold {
			s.Recall += 100 / float64(len(out))
		}
		if m < fixed {
			s.Best += 100 / float64(len(out))
		}
		above += len(inside) - sort.SearchFloat64s(inside, m)
	}
	s.AUROC = float64(above) / float64(len(inside)) / float64(len(out))
	return s, nil
}
