package decision

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision/propensity"
)

// The draw. Candidates get weights w_i = floor + (1 − n·floor)·q_i (1/n each when
// n·floor ≥ 1), where q_i is the chance to be the best one, given how uncertain the
// learned propensities are (Thompson's, computed instead of drawn: propensity.Best),
// or softmax(score/T)_i in a plan with a temperature. Position by position one is
// drawn among those that are left with probability w_i over the sum of what is left
// (Plackett–Luce). An action that is never explored has no floor, and no weight while
// a better one is left. The
// random numbers are those of PCG-DXSM (math/rand/v2) seeded with (Input.Seed,
// drawStream), each the upper 53 bits of one output over 2^53, one a position.
//
// A candidate's choice probability is the chance to be drawn at any of the k
// positions, summed exactly over all sets that can be taken before it.

// drawStream separates the draw from other uses of the same seed.
const drawStream = 0x72617070_6f727431

// poolLimit and setLimit keep the exact sum small: with more candidates than can
// be summed over, the best are drawn from and the others are turned down for it.
const (
	poolLimit = 62
	setLimit  = 600
)

func (c *chooser) drawFrom(pool []*proposal, k int) {
	if c.plan.Temperature <= 0 && c.plan.Exploration <= 0 {
		c.takeBest(pool, k)
		return
	}
	n := min(len(pool), poolLimit)
	for n > k && sets(n, k-1) > setLimit {
		n--
	}
	for _, p := range pool[n:] {
		c.pass(p, "draw_pool", candidate.Text{Zh: "候选太多，得分靠后", En: "too many candidates; others score higher"}, nil)
		c.draw.Probabilities = append(c.draw.Probabilities, p.chance(0))
	}
	pool = pool[:n]
	weights := choiceWeights(pool, c.plan)
	chances := inclusion(weights, k)
	for i, p := range pool {
		c.draw.Probabilities = append(c.draw.Probabilities, p.chance(chances[i]))
	}
	c.guide.noted(pool, func(i int) float64 { return chances[i] })
	if c.random == nil {
		c.random = rand.NewPCG(c.in.Seed, drawStream)
	}
	left := make([]int, n)
	for i := range left {
		left[i] = i
	}
	for range min(k, n) {
		total := 0.0
		for at, i := range left {
			total += weights.of(i, at == 0)
		}
		position := DrawPosition{Chances: make([]Chance, len(left))}
		u := float64(c.random.Uint64()>>11) / (1 << 53) * total
		taken := 0
		for at, i := range left {
			position.Chances[at] = pool[i].chance(weights.of(i, at == 0) / total)
		}
		for at, i := range left {
			w := weights.of(i, at == 0)
			if w > 0 {
				taken = at // rounding may leave a crumb after the last
			}
			if u -= w; u < 0 {
				break
			}
		}
		taken = c.guide.lead(pool, left, taken, func(at int) float64 { return position.Chances[at].Probability })
		p := pool[left[taken]]
		position.Taken = p.action.ID
		c.draw.Positions = append(c.draw.Positions, position)
		c.drawn = append(c.drawn, p)
		c.take(p, chances[left[taken]])
		left = append(left[:taken:taken], left[taken+1:]...)
	}
	for _, i := range left {
		c.pass(pool[i], "not_drawn", candidate.Text{Zh: "这次没有选到它", En: "the draw passed it by"}, nil)
	}
}

// takeBest is the draw at temperature 0: the best k, surely; ties fall to the
// first by action and group.
func (c *chooser) takeBest(pool []*proposal, k int) {
	c.guide.noted(pool, func(i int) float64 { return map[bool]float64{true: 1}[i < k] })
	for i, p := range pool {
		if i >= k {
			c.draw.Probabilities = append(c.draw.Probabilities, p.chance(0))
			c.pass(p, "outweighed", candidate.Text{Zh: "别的得分更高", En: "another scores higher"}, nil)
			continue
		}
		c.draw.Probabilities = append(c.draw.Probabilities, p.chance(1))
		position := DrawPosition{Taken: p.action.ID}
		for j, other := range pool[i:] {
			position.Chances = append(position.Chances, other.chance(map[bool]float64{true: 1}[j == 0]))
		}
		c.guide.lead(pool, []int{i}, 0, func(int) float64 { return 1 })
		c.draw.Positions = append(c.draw.Positions, position)
		c.drawn = append(c.drawn, p)
		c.take(p, 1)
	}
}

// drawWeights are the weights of the candidates of a pool, which is sorted by score.
type drawWeights struct {
	w    []float64
	firm []bool // never explored; nil: none is
}

// of is the weight of a candidate; best says that none better is left.
func (d drawWeights) of(i int, best bool) float64 {
	if !best && d.firm != nil && d.firm[i] {
		return 0
	}
	return d.w[i]
}

// choiceWeights are all above zero, so that any set left over can be drawn from.
func choiceWeights(pool []*proposal, plan *Plan) drawWeights {
	n := len(pool)
	d := drawWeights{w: make([]float64, n)}
	open := n
	for i, p := range pool {
		if p.action.Firm {
			if d.firm == nil {
				d.firm = make([]bool, n)
			}
			d.firm[i] = true
			open--
		}
	}
	if plan.Exploration > 0 {
		mean, deviation := make([]float64, n), make([]float64, n)
		for i, p := range pool {
			mean[i], deviation[i] = p.score, p.deviation
		}
		propensity.Best(mean, deviation, d.w)
	} else {
		sum := 0.0
		for i, p := range pool {
			d.w[i] = math.Exp(max((p.score-pool[0].score)/plan.Temperature, -690))
			sum += d.w[i]
		}
		for i := range d.w {
			d.w[i] /= sum
		}
	}
	rest := 1 - float64(open)*plan.Floor
	for i := range d.w {
		firm := d.firm != nil && d.firm[i]
		switch {
		case rest <= 0 && firm:
			d.w[i] = math.SmallestNonzeroFloat32
		case rest <= 0:
			d.w[i] = 1 / float64(open)
		case firm:
			d.w[i] *= rest
		default:
			d.w[i] = plan.Floor + float64(rest*d.w[i])
		}
	}
	return d
}

// inclusion is each candidate's chance to be among the first k drawn.
func inclusion(w drawWeights, k int) []float64 {
	n := len(w.w)
	out := make([]float64, n)
	if k >= n {
		for i := range out {
			out[i] = 1
		}
		return out
	}
	// reach[S] is the probability that the set S was taken, in whatever order.
	// Sets are walked in the order in which they were first reached, so the sums
	// are made in one fixed order.
	type state struct {
		set uint64
		p   float64
	}
	layer := []state{{0, 1}}
	for drawn := range k {
		var next []state
		index := map[uint64]int{}
		last := drawn == k-1
		for _, s := range layer {
			first := bits.TrailingZeros64(^s.set) // the best that is left
			total := 0.0
			for i := first; i < n; i++ {
				if s.set&(1<<i) == 0 {
					total += w.of(i, i == first)
				}
			}
			for i := first; i < n; i++ {
				if s.set&(1<<i) != 0 {
					continue
				}
				p := float64(s.p * (w.of(i, i == first) / total))
				if p == 0 {
					continue
				}
				if out[i] += p; last {
					continue
				}
				set := s.set | 1<<i
				at, ok := index[set]
				if !ok {
					at = len(next)
					index[set] = at
					next = append(next, state{set: set})
				}
				next[at].p += p
			}
		}
		layer = next
	}
	for i := range out {
		out[i] = min(out[i], 1)
	}
	return out
}

// sets counts the subsets of n with at most k members, up to a little over setLimit.
func sets(n, k int) int {
	total, c := 0, 1
	for i := 0; i <= k; i++ {
		total += c
		if total > setLimit {
			return total
		}
		c = c * (n - i) / (i + 1)
	}
	return total
}
