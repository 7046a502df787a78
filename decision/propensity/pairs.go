package propensity

import (
	"cmp"
	"math"
	"slices"
)

// Two features can matter together and not each by itself: who waits for a repair
// likes a loan device, who travels likes it, and who waits while travelling likes it
// more than both say. The trainer looks for such pairs of bins by what the weights of
// single features leave unexplained of an action's outcomes (a score test with the
// same scales as of every other weight), and gives those that the outcomes prove a
// weight of their own: one more named addend. A pair that was found by chance is one of
// thousands that were looked at, so it is believed in only against long odds, and what
// is left of it after that is shrunk like any other weight; it goes when later outcomes
// do not bear it out.
const (
	pairAfter   = 2000 // samples before pairs are looked for, and again whenever there are a quarter more
	pairFewest  = 200  // samples of an action that can prove one
	pairProof   = 3.5  // least logarithm of the evidence for a pair over none
	mostPairs   = 24   // of an action, the best proven
	pairBins    = 400  // of an action that are looked at, those seen most often
	pairBinSeen = 25   // samples in which each of them holds
)

// pairBelief is how pairs are believed to matter: of those that reach pairProof by
// themselves most do not.
var pairBelief = func() (b [len(scales)]float64) {
	const matters = 0.02
	b[0] = 1 - matters
	for k := 1; k < len(b); k++ {
		b[k] = matters * firstBelief[k] / (1 - firstBelief[0])
	}
	return b
}()

// pairing is the weight of two bins that hold together, for one action.
type pairing struct {
	a, b           int32 // bins, the smaller one first
	mean, variance float64
	rows           []int32 // samples of the action in which both hold
}

func (t *Trainer) holds(b int32, sample int) bool { return t.code[t.slot[b]][sample] == t.local[b] }

// fitPairs improves the weights of all pairs.
func (t *Trainer) fitPairs() {
	var counts [len(scales)]float64
	for _, pairs := range t.pairs {
		for _, p := range pairs {
			g, h := [1]float64{}, [1]float64{}
			for _, i := range p.rows {
				c := Logistic(t.eta[i])
				w := t.weight[i] * c
				g[0] += t.taken[i] - w
				h[0] += w * (1 - c)
			}
			mean, variance := [1]float64{p.mean}, [1]float64{p.variance}
			shrink(g[:], h[:], mean[:], variance[:], depthScale[actional], &pairBelief, &counts)
			p.mean, p.variance = mean[0], variance[0]
			for _, i := range p.rows {
				t.eta[i] += g[0]
			}
		}
	}
}

// pair looks for pairs anew, once there are a quarter more samples than the last time.
func (t *Trainer) pair() {
	n := len(t.at)
	if n < pairAfter || n*4 < t.paired*5 {
		return
	}
	t.paired = n
	g := &t.depth[actional]
	of := make([][]int32, len(g.names))
	for i, l := range g.rows {
		if l >= 0 {
			of[l] = append(of[l], int32(i))
		}
	}
	for l, rows := range of {
		if len(rows) >= pairFewest {
			t.pairs[l] = t.pairsOf(rows, t.pairs[l])
		}
	}
}

// pairsOf finds the pairs of one action in its samples. Those that were known and are
// not found any more are taken out of what its samples are thought to be.
func (t *Trainer) pairsOf(rows []int32, known []*pairing) []*pairing {
	bins, index := t.frequent(rows)
	m := len(bins)
	grad, hess := make([]float64, m*m), make([]float64, m*m)
	on := make([]int32, 0, len(t.features))
	for _, i := range rows {
		on = on[:0]
		for s, column := range t.code {
			if b := column[i]; b >= 0 {
				if k := index[t.members[s][b]]; k >= 0 {
					on = append(on, k)
				}
			}
		}
		slices.Sort(on)
		p := Logistic(t.eta[i])
		c := t.weight[i] * p
		r, q := t.taken[i]-c, c*(1-p)
		for j, a := range on {
			for _, b := range on[j+1:] {
				grad[int(a)*m+int(b)] += r
				hess[int(a)*m+int(b)] += q
			}
		}
	}
	at := func(p *pairing) int {
		if a, b := index[p.a], index[p.b]; a >= 0 && b >= 0 {
			return int(a)*m + int(b)
		}
		return -1
	}
	for _, p := range known { // what they explain themselves
		if k := at(p); k >= 0 {
			grad[k] += hess[k] * p.mean
		}
	}
	type proven struct {
		at    int
		proof float64
	}
	var found []proven
	for k, h := range hess {
		if h > 0 && grad[k]*grad[k] > 2*pairProof*h {
			if e := pairEvidence(grad[k], h); e >= pairProof {
				found = append(found, proven{k, e})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b proven) int { return cmp.Compare(b.proof, a.proof) })
	found = found[:min(len(found), mostPairs)]
	var next []*pairing
	for _, p := range known {
		k := at(p)
		if j := slices.IndexFunc(found, func(f proven) bool { return f.at == k }); j >= 0 {
			found = slices.Delete(found, j, j+1)
			next = append(next, p)
			continue
		}
		for _, i := range p.rows {
			t.eta[i] -= p.mean
		}
	}
	for _, f := range found {
		p := &pairing{a: bins[f.at/m], b: bins[f.at%m]}
		for _, i := range rows {
			if t.holds(p.a, int(i)) && t.holds(p.b, int(i)) {
				p.rows = append(p.rows, i)
			}
		}
		next = append(next, p)
	}
	return next
}

// frequent gives the bins that hold in many of the samples, in their order, and the
// place of each bin among them, −1 for the others.
func (t *Trainer) frequent(rows []int32) (bins, index []int32) {
	seen := make([]int, len(t.slot))
	for s, column := range t.code {
		for _, i := range rows {
			if b := column[i]; b >= 0 {
				seen[t.members[s][b]]++
			}
		}
	}
	for b, n := range seen {
		if n >= pairBinSeen {
			bins = append(bins, int32(b))
		}
	}
	if len(bins) > pairBins {
		slices.SortStableFunc(bins, func(a, b int32) int { return cmp.Compare(seen[b], seen[a]) })
		bins = bins[:pairBins]
		slices.Sort(bins)
	}
	index = make([]int32, len(t.slot))
	for b := range index {
		index[b] = -1
	}
	for k, b := range bins {
		index[b] = int32(k)
	}
	return bins, index
}

// pairEvidence is the logarithm of how much more likely outcomes are if a weight of
// their own is given to them, over all scales but the one that says that it is none.
func pairEvidence(g, h float64) float64 {
	sum := 0.0
	for k := 1; k < len(scales); k++ {
		s := scales[k] * depthScale[actional]
		sum += pairBelief[k] * math.Exp(g*g*s/(1+s*h)/2) / math.Sqrt(1+s*h)
	}
	return math.Log(sum / (1 - pairBelief[0]))
}
