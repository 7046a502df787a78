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
	"github.com/rapport-cx/rapport/need/text"
)

// Scope is how well sentences of no known intent are recognised as such. The figures are means over all
// parts and seeds.
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
	// Margin is what Best is when the largest margin alone is the score.
	Margin float64 `json:"recall_at_1_5_by_margin"`
	// Accuracy is the share of all test sentences that are told right, to be in no known intent counting
	// as one more intent, and F1 its macro F1, both in percent at the model's own threshold, as open
	// intent classification is reported (Zhang, Xu, Lin: Deep open intent classification with adaptive
	// decision boundary, AAAI 2021).
	Accuracy float64 `json:"open_accuracy"`
	F1       float64 `json:"open_f1"`
}

// AllowedLoss is the share of right answers that a threshold may cost.
const AllowedLoss = 0.015

// Protocols of HeldOut.
const (
	// Subjects holds out every intent of a subject together: what then comes is of the shop's language, and
	// about something that none of its intents touches. Subjects are taken from the names of intents.
	Subjects = "subjects by name"
	// Kindred is Subjects with subjects by the words of the sentences (classify.Kindred), for sets whose
	// intents' names do not begin with what they are about.
	Kindred = "subjects by words"
	// Neighbours holds out single intents whose next of kin stay: "card arrived damaged" is out of scope,
	// "card not arrived" is in it. A classifier that knows words from examples alone cannot find most of
	// these; the figure says what asking back is worth.
	Neighbours = "neighbours"
	// Known75, Known50 and Known25 know so many percent of the intents, drawn at random; the sentences of
	// all others are out of scope, and nothing is taught as outside. This is how open intent
	// classification is published.
	Known75 = "75 % known"
	Known50 = "50 % known"
	Known25 = "25 % known"
)

// Protocols are all of them, in the order in which they are reported.
var Protocols = []string{Subjects, Kindred, Neighbours, Known75, Known50, Known25}

// Seeds of HeldOut: figures of one alone move by ten points.
var Seeds = []uint64{Seed, Seed + 1, Seed + 2}

// deal is how the groups of a protocol are dealt out: of so many parts each once the first is unseen, with
// those behind it, and the next ones taught as outside.
type deal struct {
	parts, unseen, taught int
	rounds                int // how many parts have their turn of being the first
}

// HeldOut measures rejection on intents that the model has not seen. The intents, or the subjects that
// they belong to, are dealt out into four parts by each seed. By Subjects, Kindred and Neighbours each part
// is held out once: no sentence of it is learned from in any way, and its test sentences are out of scope.
// The part after it is what a shop knows to be none of its business, as packs list it under "outside": its
// training sentences are taught as classify.Outside, and its test sentences count neither way. The test
// sentences of the two other parts are in scope. By Known75 and the like nothing is taught as outside. The
// threshold is the model's own, set from its training examples.
func HeldOut(ctx context.Context, set Set, by string, seeds []uint64, o classify.Options, progress io.Writer) (Scope, error) {
	d := deal{parts: 4, unseen: 1, taught: 1, rounds: 4}
	groupOf := func(intent string) string { return intent }
	switch by {
	case Subjects:
		groupOf = subjectOf
	case Kindred:
		groupOf = kindredOf(set.Train)
	case Neighbours:
	case Known75:
		d = deal{parts: 4, unseen: 1, rounds: 1}
	case Known50:
		d = deal{parts: 4, unseen: 2, rounds: 1}
	case Known25:
		d = deal{parts: 4, unseen: 3, rounds: 1}
	default:
		return Scope{}, fmt.Errorf("evaluate: %q cannot be held out; any of %q can", by, Protocols)
	}
	s := Scope{Protocol: fmt.Sprintf("%s: a quarter of them held out, a quarter taught as outside, each quarter in turn, mean of seeds %v", by, seeds)}
	if d.taught == 0 {
		s.Protocol = fmt.Sprintf("%s: the intents drawn at random, all others held out, nothing taught as outside, mean of seeds %v", by, seeds)
	}
	if len(set.Test) == 0 {
		set = folds(set, 5, Seed)[0]
	}
	var groups []string
	for _, name := range intentsOf(set.Train) {
		groups = append(groups, groupOf(name))
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	if len(groups) < 2*d.parts {
		return s, fmt.Errorf("evaluate: %d %s; at least %d are needed to hold some out", len(groups), by, 2*d.parts)
	}
	for _, seed := range seeds {
		dealt := slices.Clone(groups)
		rand.New(rand.NewPCG(seed, 2)).Shuffle(len(dealt), func(a, b int) { dealt[a], dealt[b] = dealt[b], dealt[a] })
		partOf := map[string]int{}
		for i, g := range dealt {
			partOf[g] = i % d.parts
		}
		for k := range d.rounds {
			fmt.Fprintf(progress, "%s: seed %d, holding out part %d of %d groups\n", by, seed, k+1, len(groups))
			known, outside := d.hold(set, k, func(intent string) int { return partOf[groupOf(intent)] })
			one, err := reject(ctx, known, outside, o)
			if err != nil {
				return s, err
			}
			s.add(one, float64(d.rounds*len(seeds)))
		}
	}
	return s, nil
}

// hold gives what is known when part k is the first of those unseen, and the test sentences that are out
// of scope then.
func (d deal) hold(set Set, k int, partOf func(intent string) int) (known Set, outside []classify.Example) {
	after := func(e classify.Example) int { return (partOf(e.Intent) - k + d.parts) % d.parts }
	for _, e := range set.Train {
		switch at := after(e); {
		case at < d.unseen:
		case at < d.unseen+d.taught:
			known.Train = append(known.Train, classify.Example{Text: e.Text, Intent: classify.Outside})
		default:
			known.Train = append(known.Train, e)
		}
	}
	for _, e := range set.Test {
		switch at := after(e); {
		case at < d.unseen:
			outside = append(outside, e)
		case at < d.unseen+d.taught:
		default:
			known.Test = append(known.Test, e)
		}
	}
	return known, outside
}

// kindredOf names for each intent the first of those that are of its subject by their words.
func kindredOf(train []classify.Example) func(intent string) string {
	first := map[string]string{}
	for _, group := range classify.Kindred(train, max(8, len(intentsOf(train))/4)) {
		for _, intent := range group {
			first[intent] = group[0]
		}
	}
	return func(intent string) string { return first[intent] }
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
	s.Margin += o.Margin / of
	s.Accuracy += o.Accuracy / of
	s.F1 += o.F1 / of
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
	threshold, outside := model.ScopeThreshold(AllowedLoss), slices.Index(model.Intents(), classify.Outside)
	var by, alone judged
	open := map[string]*[3]float64{} // of each intent: meant, taken, both
	count := func(intent string) *[3]float64 {
		if open[intent] == nil {
			open[intent] = new([3]float64)
		}
		return open[intent]
	}
	lost, found, told := 0.0, 0.0, 0.0
	var buffer []float64
	for i, e := range slices.Concat(known.Test, foreign) {
		if i%256 == 0 && ctx.Err() != nil {
			return s, ctx.Err()
		}
		plain := text.Normalise(e.Text).Runes
		buffer = model.ScoreRunes(plain, buffer)
		belonging := model.Belonging(plain, buffer)
		at, margin := bestIntent(buffer, outside)
		meant, taken := e.Intent, model.Intents()[at]
		if i >= len(known.Test) {
			meant = ""
		}
		right := meant == taken
		by.judge(belonging, meant != "", right)
		alone.judge(margin, meant != "", right)
		if belonging < threshold {
			if right {
				lost++
			} else if meant == "" {
				found++
			}
			taken = ""
		}
		count(meant)[0]++
		count(taken)[1]++
		if meant == taken {
			count(meant)[2]++
			told++
		}
	}
	s.Loss = 100 * lost / float64(len(known.Test))
	s.Recall = 100 * found / float64(len(foreign))
	s.Best, s.AUROC = by.found()
	s.Margin, _ = alone.found()
	s.Accuracy = 100 * told / float64(len(known.Test)+len(foreign))
	names := append(intentsOf(known.Test), "")
	for _, name := range names {
		t := count(name)
		s.F1 += 100 * 2 * t[2] / max(1, t[0]+t[1]) / float64(len(names))
	}
	return s, nil
}

// judged collects the scores of one way of judging.
type judged struct{ inside, right, out []float64 }

func (j *judged) judge(score float64, inside, right bool) {
	if !inside {
		j.out = append(j.out, score)
		return
	}
	j.inside = append(j.inside, score)
	if right {
		j.right = append(j.right, score)
	}
}

// found gives the recall, in percent, at the threshold that costs AllowedLoss, and the AUROC.
func (j *judged) found() (recall, auroc float64) {
	slices.Sort(j.inside)
	slices.Sort(j.right)
	threshold := math.Inf(-1)
	if n := int(AllowedLoss * float64(len(j.inside))); n < len(j.right) {
		threshold = j.right[n]
	}
	above := 0
	for _, m := range j.out {
		if m < threshold {
			recall += 100 / float64(len(j.out))
		}
		above += len(j.inside) - sort.SearchFloat64s(j.inside, m)
	}
	return recall, float64(above) / float64(len(j.inside)) / float64(len(j.out))
}

// bestIntent is the intent with the largest margin; what was taught as outside is none.
func bestIntent(margins []float64, outside int) (at int, margin float64) {
	if outside >= 0 {
		margins[outside] = math.Inf(-1)
	}
	return classify.Best(margins)
}
