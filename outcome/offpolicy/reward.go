package offpolicy

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
)

// Sight is what a reward model may know of a round: what stood before the draw, what the
// draw took, and how likely the other policy would have taken each of what it could.
type Sight struct {
	Context []string
	Shown   []string
	Chances []Chance
}

// Chance is how likely the other policy takes something, at any place of its draw.
type Chance struct {
	Name   string
	Chance float64
}

// The bounds of a fitted model.
const (
	folds       = 5
	leastSeen   = 10  // rounds of which a feature stands in at least
	mostWeights = 192 // the features that stand in most rounds
	ridge       = 10  // how many rounds' worth a weight is held to nought
	leastRounds = 50  // below which nothing is fitted
)

// Fit gives rounds what a model of their rewards says, Predicted and Expected, and tells
// which share of the rewards' variance it explains of persons whom it was not fitted to.
// A model that explains nothing is not used: both stay 0, and 0 is told.
//
// The model is additive over what is known before the draw, what is shown, and the two
// together, fitted by ridge regression (Hoerl and Kennard, 1970). Being additive, its
// expectation under the other policy needs no more than the chance of each action.
// Rounds are split by person into five parts, and each is told what the other four
// teach (cross-fitting: Chernozhukov et al., Double/debiased machine learning, 2018):
// no reward bears on its own prediction, so that the estimate stays that of the truth
// whatever the model is worth, and its interval is not narrowed by what was learned by heart.
func Fit(rounds []Round, sights []Sight) (explained float64) {
	if len(rounds) != len(sights) || len(rounds) < leastRounds {
		return 0
	}
	names := featuresOf(sights)
	n := len(names) + 1 // the first is the mean
	part := make([]int, len(rounds))
	shown := make([][]weighted, len(rounds))
	var grams [folds][]float64
	var sums [folds][]float64
	for f := range folds {
		grams[f], sums[f] = make([]float64, n*n), make([]float64, n)
	}
	for i := range rounds {
		part[i] = partOf(&rounds[i], i)
		shown[i] = sights[i].features(names, nil)
		g, s := grams[part[i]], sums[part[i]]
		for _, a := range shown[i] {
			s[a.at] += a.by * rounds[i].Reward
			for _, b := range shown[i] {
				g[a.at*n+b.at] += a.by * b.by
			}
		}
	}
	var models [folds][]float64
	for f := range folds {
		gram, sum := make([]float64, n*n), make([]float64, n)
		for other := range folds {
			if other == f {
				continue
			}
			for k, v := range grams[other] {
				gram[k] += v
			}
			for k, v := range sums[other] {
				sum[k] += v
			}
		}
		for k := 1; k < n; k++ {
			gram[k*n+k] += ridge
		}
		if gram[0] == 0 {
			return 0 // everything is one person's
		}
		models[f] = solve(gram, sum, n)
		if models[f] == nil {
			return 0
		}
	}
	predicted := make([]float64, len(rounds))
	var left, all, mean float64
	for i := range rounds {
		mean += rounds[i].Reward / float64(len(rounds))
	}
	for i := range rounds {
		predicted[i] = dot(models[part[i]], shown[i])
		left += (rounds[i].Reward - predicted[i]) * (rounds[i].Reward - predicted[i])
		all += (rounds[i].Reward - mean) * (rounds[i].Reward - mean)
	}
	if !(all > 0) || !(left < all) {
		return 0
	}
	for i := range rounds {
		rounds[i].Predicted = predicted[i]
		rounds[i].Expected = dot(models[part[i]], sights[i].features(names, sights[i].Chances))
	}
	return 1 - left/all
}

// partOf is the part of the rounds that one is in: that of its person.
func partOf(r *Round, i int) int {
	if r.Person == "" {
		return i % folds
	}
	h := fnv.New32a()
	h.Write([]byte(r.Person))
	return int(h.Sum32() % folds)
}

// weighted is one feature of a round.
type weighted struct {
	at int
	by float64
}

// together is the name of a feature that stands for two at once.
func together(context, shown string) string { return context + "\x00" + shown }

// features are those of a round with what it showed, or, with chances, as another policy
// would have it on the average.
func (s *Sight) features(names map[string]int, chances []Chance) []weighted {
	f := make([]weighted, 1, 8)
	f[0] = weighted{0, 1}
	add := func(name string, by float64) {
		if at, ok := names[name]; ok && by != 0 {
			f = append(f, weighted{at, by})
		}
	}
	for _, c := range s.Context {
		add(c, 1)
	}
	show := func(name string, by float64) {
		add("\x00"+name, by)
		for _, c := range s.Context {
			add(together(c, name), by)
		}
	}
	if chances == nil {
		for _, a := range s.Shown {
			show(a, 1)
		}
		return f
	}
	for _, c := range chances {
		show(c.Name, c.Chance)
	}
	return f
}

// featuresOf numbers, from 1, the features that enough rounds have, those of most rounds
// first.
func featuresOf(sights []Sight) map[string]int {
	seen := map[string]int{}
	for i := range sights {
		s := &sights[i]
		for _, c := range s.Context {
			seen[c]++
		}
		for _, a := range s.Shown {
			seen["\x00"+a]++
			for _, c := range s.Context {
				seen[together(c, a)]++
			}
		}
	}
	var kept []string
	for name, n := range seen {
		if n >= leastSeen {
			kept = append(kept, name)
		}
	}
	slices.SortFunc(kept, func(a, b string) int { return cmp.Or(seen[b]-seen[a], cmp.Compare(a, b)) })
	names := map[string]int{}
	for i, name := range kept[:min(len(kept), mostWeights)] {
		names[name] = i + 1
	}
	return names
}

func dot(model []float64, features []weighted) (sum float64) {
	for _, f := range features {
		sum += float64(model[f.at] * f.by)
	}
	return sum
}

// solve is x of a·x = b for a symmetric positive definite a of n rows (Cholesky); nil
// when it is none.
func solve(a, b []float64, n int) []float64 {
	for j := range n {
		for k := range j {
			for i := j; i < n; i++ {
				a[i*n+j] -= a[i*n+k] * a[j*n+k]
			}
		}
		d := a[j*n+j]
		if !(d > 1e-12) {
			return nil
		}
		d = math.Sqrt(d)
		for i := j; i < n; i++ {
			a[i*n+j] /= d
		}
	}
	x := slices.Clone(b)
	for i := range n {
		for k := range i {
			x[i] -= a[i*n+k] * x[k]
		}
		x[i] /= a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= a[k*n+i] * x[k]
		}
		x[i] /= a[i*n+i]
	}
	return x
}
