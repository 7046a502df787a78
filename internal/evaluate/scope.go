package evaluate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

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
	// scores allow, whoever chooses the threshold.
	Best float64 `json:"recall_at_1_5"`
}

// AllowedLoss is the share of right answers that a threshold may cost.
const AllowedLoss = 0.015

// Protocols of HeldOut.
const (
	// Subjects holds out every intent of a subject together: what then comes is of the shop's language, and
	// about something that none of its intents touches.
	Subjects = "subjects"
	// Neighbours holds out single intents whose next of kin stay: "card arrived damaged" is out of scope,
	// "card not arrived" is in it. A classifier that knows words from examples alone cannot find most of
	// these; the figure says what asking back is worth.
	Neighbours = "neighbours"
)

// HeldOut measures rejection on intents that the model has not seen. The intents, or the subjects that
// they belong to (subjectOf), are dealt out into four parts by the seed. Each part is held out once: no
// sentence of it is learned from in any way, and its test sentences are out of scope. The part after it is
// what a shop knows to be none of its business, as packs list it under "outside": its training sentences
// are taught as classify.Outside, and its test sentences count neither way. The test sentences of the two
// other parts are in scope. The threshold is the model's own, set from its training examples.
func HeldOut(ctx context.Context, set Set, by string, o classify.Options, progress io.Writer) (Scope, error) {
	s := Scope{Protocol: fmt.Sprintf("%s held out: a quarter unseen, a quarter taught as outside, each quarter in turn, seed %d; threshold from the training examples", by, Seed)}
	if len(set.Test) == 0 {
		set = folds(set, 5, Seed)[0]
	}
	groupOf := subjectOf
	switch by {
	case Subjects:
	case Neighbours:
		groupOf = func(intent string) string { return intent }
	default:
		return s, fmt.Errorf("evaluate: %q cannot be held out; %s and %s can", by, Subjects, Neighbours)
	}
	var groups []string
	for _, name := range intentsOf(set.Train) {
		groups = append(groups, groupOf(name))
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	const parts = 4
	if len(groups) < 2*parts {
		return s, fmt.Errorf("evaluate: %d %s; at least %d are needed to hold some out", len(groups), by, 2*parts)
	}
	rand.New(rand.NewPCG(Seed, 2)).Shuffle(len(groups), func(a, b int) { groups[a], groups[b] = groups[b], groups[a] })
	partOf := map[string]int{}
	for i, g := range groups {
		partOf[g] = i % parts
	}
	for k := range parts {
		fmt.Fprintf(progress, "holding out part %d of %d %s\n", k+1, len(groups), by)
		var known Set
		var outside []classify.Example
		taught := (k + 1) % parts
		for _, e := range set.Train {
			switch partOf[groupOf(e.Intent)] {
			case k:
			case taught:
				known.Train = append(known.Train, classify.Example{Text: e.Text, Intent: classify.Outside})
			default:
				known.Train = append(known.Train, e)
			}
		}
		for _, e := range set.Test {
			switch partOf[groupOf(e.Intent)] {
			case k:
				outside = append(outside, e)
			case taught:
			default:
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

// subjectOf is what an intent is about, by its name: the part before the first dot, underscore, slash or
// colon ("alarm_set" and "alarm_remove" are both about the alarm), all of it where there is none.
func subjectOf(intent string) string {
	if i := strings.IndexAny(intent, "._/:"); i > 0 {
		return intent[:i]
	}
	return intent
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

func reject(ctx context.Context, known Set, foreign []classify.Example, o classify.Options) (Scope, error) {
	var s Scope
	if len(known.Test) == 0 || len(foreign) == 0 {
		return s, errors.New("evaluate: sentences in scope and out of it are needed")
	}
	model, err := classify.Train(known.Train, o)
	if err != nil {
		return s, fmt.Errorf("evaluate: %w", err)
	}
	var inside, right, out, buffer []float64
	lost := 0.0
	threshold, outside := model.Threshold(AllowedLoss), slices.Index(model.Intents(), classify.Outside)
	for i, e := range known.Test {
		if i%256 == 0 && ctx.Err() != nil {
			return s, ctx.Err()
		}
		buffer = model.Score(e.Text, buffer)
		at, margin := bestIntent(buffer, outside)
		inside = append(inside, margin)
		if model.Intents()[at] == e.Intent {
			right = append(right, margin)
			if margin < threshold {
				lost++
			}
		}
	}
	for _, e := range foreign {
		buffer = model.Score(e.Text, buffer)
		_, margin := bestIntent(buffer, outside)
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

// bestIntent is the intent with the largest margin; what was taught as outside is none.
func bestIntent(margins []float64, outside int) (at int, margin float64) {
	if outside >= 0 {
		margins[outside] = math.Inf(-1)
	}
	return classify.Best(margins)
}
