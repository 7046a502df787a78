package classify

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/text"
)

// Quality is what cross-validation says of a set of examples: how well each intent is told from the
// others, which are taken for one another, and which examples cannot be right as they stand.
type Quality struct {
	Folds    int
	Accuracy float64 // share of examples, 0 to 1, that are told right by a model that has not seen them
	Intents  []IntentQuality
	Confused []Confused
	// Duplicates are groups of examples that are the same in plain form and of one intent: they weigh
	// double and teach nothing.
	Duplicates []Repeated
	// Contradictions are groups of examples that are the same in plain form, of different intents.
	Contradictions []Repeated
	// Doubtful are examples that a model without them takes for another intent with a clear margin:
	// the label may be wrong. The clearest first.
	Doubtful []Doubtful
}

// IntentQuality is one intent's. Precision is the share of what was taken for it that was meant; Recall
// is the share of what was meant that was taken for it; 0 to 1.
type IntentQuality struct {
	Intent            string
	Examples          int
	Precision, Recall float64
	F1                float64
}

// Confused is a pair of intents of which examples of the first were taken for the second.
type Confused struct {
	Meant, Taken string
	Count        int
	Texts        []string // some of them, at most three
}

// Repeated is a group of examples with one plain form, by their place in the list.
type Repeated struct {
	Plain    string
	Examples []int
	Intents  []string
}

// Doubtful is an example that looks like another intent's.
type Doubtful struct {
	Example int
	Text    string
	Intent  string
	Taken   string
	Lead    float64 // of the margin of Taken over that of Intent
}

// CrossValidate deals the examples out into folds, intent by intent, in an order that the seed of the
// options fixes, and answers each fold by a model of all others. It trains folds times.
func CrossValidate(ctx context.Context, examples []Example, folds int, o Options) (Quality, error) {
	q := Quality{Folds: folds}
	o.MarginsOnly = true
	q.Duplicates, q.Contradictions = repeated(examples)
	order := rand.New(rand.NewPCG(o.Seed, 3)).Perm(len(examples))
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(examples[a].Intent, examples[b].Intent) })
	taken := make([]string, len(examples))
	for f := range folds {
		if err := ctx.Err(); err != nil {
			return q, err
		}
		var train []Example
		for i, at := range order {
			if i%folds != f {
				train = append(train, examples[at])
			}
		}
		m, err := Train(train, o)
		if err != nil {
			return q, err
		}
		var margins []float64
		for i, at := range order {
			if i%folds != f {
				continue
			}
			e := examples[at]
			margins = m.Score(e.Text, margins)
			best, margin := Best(margins)
			taken[at] = m.intents[best]
			if own, known := slices.BinarySearch(m.intents, e.Intent); known && own != best && margin > 0 && margins[own] < 0 {
				q.Doubtful = append(q.Doubtful, Doubtful{at, e.Text, e.Intent, taken[at], margin - margins[own]})
			}
		}
	}
	q.count(examples, taken)
	slices.SortFunc(q.Doubtful, func(a, b Doubtful) int {
		return cmp.Or(cmp.Compare(b.Lead, a.Lead), cmp.Compare(a.Example, b.Example))
	})
	return q, nil
}

func (q *Quality) count(examples []Example, taken []string) {
	type tally struct{ meant, taken, right int }
	byIntent := map[string]*tally{}
	of := func(name string) *tally {
		if byIntent[name] == nil {
			byIntent[name] = &tally{}
		}
		return byIntent[name]
	}
	pairs := map[[2]string]*Confused{}
	right := 0
	for i, e := range examples {
		of(e.Intent).meant++
		of(taken[i]).taken++
		if taken[i] == e.Intent {
			of(e.Intent).right++
			right++
			continue
		}
		key := [2]string{e.Intent, taken[i]}
		if pairs[key] == nil {
			pairs[key] = &Confused{Meant: e.Intent, Taken: taken[i]}
		}
		pairs[key].Count++
		if len(pairs[key].Texts) < 3 {
			pairs[key].Texts = append(pairs[key].Texts, e.Text)
		}
	}
	q.Accuracy = float64(right) / float64(max(1, len(examples)))
	for name, t := range byIntent {
		k := IntentQuality{Intent: name, Examples: t.meant}
		k.Precision = float64(t.right) / math.Max(1, float64(t.taken))
		k.Recall = float64(t.right) / math.Max(1, float64(t.meant))
		k.F1 = 2 * float64(t.right) / math.Max(1, float64(t.taken+t.meant))
		q.Intents = append(q.Intents, k)
	}
	slices.SortFunc(q.Intents, func(a, b IntentQuality) int {
		return cmp.Or(cmp.Compare(a.F1, b.F1), strings.Compare(a.Intent, b.Intent))
	})
	for _, c := range pairs {
		q.Confused = append(q.Confused, *c)
	}
	slices.SortFunc(q.Confused, func(a, b Confused) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Meant, b.Meant), strings.Compare(a.Taken, b.Taken))
	})
}

// repeated finds examples that are the same but for case, width, script, blanks and punctuation.
func repeated(examples []Example) (same, different []Repeated) {
	groups := map[string][]int{}
	var order []string
	for i, e := range examples {
		var b strings.Builder
		gap := false
		for _, r := range text.Normalise(e.Text).Runes {
			switch {
			case !text.Letter(r) && !text.Han(r):
				gap = true
			default:
				if gap && b.Len() > 0 {
					b.WriteByte(' ')
				}
				gap = false
				b.WriteRune(r)
			}
		}
		key := b.String()
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], i)
	}
	for _, key := range order {
		g := groups[key]
		if len(g) < 2 {
			continue
		}
		r := Repeated{Plain: key, Examples: g}
		for _, i := range g {
			r.Intents = append(r.Intents, examples[i].Intent)
		}
		slices.Sort(r.Intents)
		r.Intents = slices.Compact(r.Intents)
		if len(r.Intents) == 1 {
			same = append(same, r)
		} else {
			different = append(different, r)
		}
	}
	return same, different
}
