package propensity

import (
	"math"
	"time"
)

// Sample is one thing that was shown and whether it was taken within the time that
// it was given to ripen. Who feeds a trainer leaves out what is not ripe: an offer
// that may still be taken is no refusal.
type Sample struct {
	At       time.Time
	Context  Context
	Offer    Offer
	Prior    float64 // log-odds of the pack's own prior, before anything was learned
	Expected float64 // propensity as it was predicted when it was decided; 0: unknown
	Accepted bool
}

// Options of a trainer. The zero value is right for offers that are seen some
// thousands of times; what else is right is learned.
type Options struct {
	// HalfLife is how long it takes until a sample counts half. 0: 180 days. Shorter
	// for trades whose customers change with every season.
	HalfLife time.Duration
	// Sweeps is how often Fit improves all weights. 0: 30, enough from nothing; who
	// fits again after every few samples starts from what it knew, and 2 are enough.
	Sweeps int
}

// biasBelief is how far a level by itself is believed to lie from the more general
// one (variance) before anything is seen, worth two levels of evidence. depthScale
// says how much features matter at a level, by measure of an action: one and the same
// action shown in two ways is much the same action.
var (
	biasBelief = [depths]float64{4, 0.5, 0.5, 0.2, 0.1}
	depthScale = [depths]float64{0.3, 0.3, 1, 0.2, 0.1}
)

const beliefWeight = 500.0

// Trainer keeps samples and fits models to them. It is not safe for concurrent use.
type Trainer struct {
	o        Options
	features []string
	slots    map[string]int32
	bins     map[Value]int32
	slot     []int32
	local    []int32 // by bin: its number within its feature
	size     []int32 // by slot: how many bins
	members  [][]int32

	depth [depths]struct {
		index  map[string]int32
		names  []string
		rows   []int32 // by sample: level, −1 none
		bias   []float64
		vBias  []float64
		tBias  float64
		belief [len(scales)]float64 // in the scales of its blocks
		slots  []block              // by slot
	}

	pairs  [][]*pairing // by action
	paired int          // samples when pairs were last looked for

	at       []int64
	code     [][]int32 // by slot, by sample: local bin, −1 none
	eta      []float64 // prior and all weights
	prior    []float64
	expected []float64
	accepted []bool

	weight, taken []float64 // by sample: what it counts; the same if it was taken, else 0
}

// block is the weights of one feature at one depth: level × bin.
type block struct {
	mean, variance []float64
	tau            []float64            // by level: prior variance
	counts         [len(scales)]float64 // how many levels are of each scale
}

// NewTrainer makes a trainer without samples.
func NewTrainer(o Options) *Trainer {
	if o.HalfLife <= 0 {
		o.HalfLife = 180 * 24 * time.Hour
	}
	if o.Sweeps <= 0 {
		o.Sweeps = 30
	}
	t := &Trainer{o: o, slots: map[string]int32{}, bins: map[Value]int32{}}
	for d := range t.depth {
		t.depth[d].index = map[string]int32{}
		t.depth[d].tBias = biasBelief[d]
		t.depth[d].belief = firstBelief
	}
	return t
}

// Samples is how many were added.
func (t *Trainer) Samples() int { return len(t.at) }

// Add keeps one sample.
func (t *Trainer) Add(s Sample) {
	n := len(t.at)
	t.at = append(t.at, s.At.UnixMilli())
	t.accepted = append(t.accepted, s.Accepted)
	t.prior = append(t.prior, s.Prior)
	t.expected = append(t.expected, s.Expected)
	for i := range t.code {
		t.code[i] = append(t.code[i], -1)
	}
	for _, v := range s.Context {
		b := t.bin(v, n+1)
		t.code[t.slot[b]][n] = t.local[b]
	}
	eta := s.Prior
	for d, name := range s.Offer.levels() {
		l := int32(-1)
		if name != "" {
			l = t.level(d, name)
			eta += t.depth[d].bias[l]
			for i := range t.code {
				if b := t.code[i][n]; b >= 0 {
					eta += t.depth[d].slots[i].mean[l*t.size[i]+b]
				}
			}
			if d == actional {
				for _, p := range t.pairs[l] {
					if t.holds(p.a, n) && t.holds(p.b, n) {
						p.rows = append(p.rows, int32(n))
						eta += p.mean
					}
				}
			}
		}
		t.depth[d].rows = append(t.depth[d].rows, l)
	}
	t.eta = append(t.eta, eta)
}

// bin finds or makes the id of a value.
func (t *Trainer) bin(v Value, samples int) int32 {
	if b, ok := t.bins[v]; ok {
		return b
	}
	s, ok := t.slots[v.Feature]
	if !ok {
		s = int32(len(t.features))
		t.slots[v.Feature] = s
		t.features = append(t.features, v.Feature)
		t.size = append(t.size, 0)
		t.members = append(t.members, nil)
		column := make([]int32, samples)
		for i := range column {
			column[i] = -1
		}
		t.code = append(t.code, column)
		for d := range t.depth {
			t.depth[d].slots = append(t.depth[d].slots, block{tau: make([]float64, len(t.depth[d].names))})
		}
	}
	b := int32(len(t.slot))
	t.bins[v] = b
	t.slot = append(t.slot, s)
	t.local = append(t.local, t.size[s])
	t.members[s] = append(t.members[s], b)
	t.size[s]++
	for d := range t.depth {
		t.depth[d].slots[s].widen(len(t.depth[d].names), int(t.size[s]))
	}
	return b
}

// widen makes room for one more bin.
func (k *block) widen(levels, size int) {
	mean, variance := make([]float64, levels*size), make([]float64, levels*size)
	for l := range levels {
		copy(mean[l*size:(l+1)*size-1], k.mean[l*(size-1):])
		copy(variance[l*size:(l+1)*size-1], k.variance[l*(size-1):])
	}
	k.mean, k.variance = mean, variance
}

func (t *Trainer) level(d int, name string) int32 {
	g := &t.depth[d]
	if l, ok := g.index[name]; ok {
		return l
	}
	l := int32(len(g.names))
	g.index[name] = l
	g.names = append(g.names, name)
	g.bias, g.vBias = append(g.bias, 0), append(g.vBias, g.tBias)
	if d == actional {
		t.pairs = append(t.pairs, nil)
	}
	for i := range g.slots {
		k := &g.slots[i]
		k.mean = append(k.mean, make([]float64, t.size[i])...)
		k.variance = append(k.variance, make([]float64, t.size[i])...)
		k.tau = append(k.tau, 0)
	}
	return l
}

// Fit improves all weights on all samples, as they count at a time, and gives the
// model. ripening are offers that were shown and are not ripe: nothing is learned from
// them, but what they will tell need not be tried out again, so that the model is
// less uncertain about them already ([Trainer.foretell]). Each sweep is one step of Newton's method on the penalised likelihood for
// every block of weights in turn (the bins of a feature do not overlap, so that the
// curvature within a block is diagonal), then the prior variances follow the evidence.
func (t *Trainer) Fit(now time.Time, ripening ...Sample) *Model {
	n := len(t.at)
	t.expect(ripening)
	t.weight, t.taken = sized(t.weight, n), sized(t.taken, n)
	about := t.count(now)
	for sweep := range t.o.Sweeps {
		if sweep == t.o.Sweeps/2 { // what single features explain is known by then
			t.pair()
		}
		for d := range t.depth {
			t.fitBias(d)
			for s := range t.features {
				t.fitSlot(d, s)
			}
			t.believe(d)
		}
		t.fitPairs()
	}
	m := t.model(about)
	t.foretell(m, ripening)
	return m
}

// trainSweeps and trainFrom are how Train fits: from so many samples, twice as many
// each time, with so many sweeps.
const (
	trainSweeps = 10
	trainFrom   = 250
)

// Train gives the model of samples, which are in the order of time, from nothing: it is
// fitted to few of them first, and from there on to twice as many again and again.
// Fitted to all at once, what the actions have in common takes for itself what belongs
// to each, and it takes hundreds of sweeps to give it back: from 12,000 samples of our
// test worlds 30 sweeps over all reach a log loss of .2004, Train .1986 with two thirds
// of the work, 300 sweeps .1982.
func Train(samples []Sample, now time.Time, ripening ...Sample) *Model {
	t := NewTrainer(Options{Sweeps: trainSweeps})
	next := trainFrom
	for i := range samples {
		if i == next {
			t.Fit(samples[i-1].At)
			next *= 2
		}
		t.Add(samples[i])
	}
	return t.Fit(now, ripening...)
}

func sized(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n, n+n/4)
	}
	return s[:n]
}

// count weighs the samples by their age, and those from before a drift hardly at all.
func (t *Trainer) count(now time.Time) About {
	a := About{}
	ms := now.UnixMilli()
	rate := math.Ln2 / float64(t.o.HalfLife.Milliseconds())
	actions := t.depth[actional].rows
	fresh, of := t.drifts(&a)
	for i, at := range t.at {
		w := math.Exp(-rate * float64(max(ms-at, 0)))
		if at < fresh || at < of[actions[i]] {
			w *= stale
		}
		t.weight[i] = w
		a.Samples++
		a.Counting += w
		if t.taken[i] = 0; t.accepted[i] {
			t.taken[i] = w
			a.Accepted++
		}
		if a.From == 0 || at < a.From {
			a.From = at
		}
		a.Until = max(a.Until, at)
	}
	return a
}

// The test for drift is a cumulative sum (Page, 1954) of how far outcomes fall short
// of what was predicted when they were decided, in standard deviations, less a slack
// for the optimism of whoever picks the best of many estimates. Over all offers, and
// for every action by itself.
const (
	driftSlack = 0.1
	driftLimit = 60.0 // false alarms: e^(2·slack·limit), one in 160,000 outcomes
	driftAfter = 3000 // outcomes before an alarm, the first or the next: a model that knows little is wrong without any drift
	stale      = 0.002
)

type cusum struct {
	sum   float64
	from  int64 // since when the sum is above zero
	seen  int
	fresh int64 // the newest drift
}

func (c *cusum) add(z float64, at int64) (alarm bool) {
	if c.seen++; c.seen <= driftAfter {
		return false
	}
	if c.sum == 0 {
		c.from = at
	}
	if c.sum = max(0, c.sum+z-driftSlack); c.sum < driftLimit {
		return false
	}
	c.sum, c.seen, c.fresh = 0, 0, c.from
	return true
}

// drifts finds the newest moment from which all offers, and each action by itself,
// were taken less often than predicted. Samples are looked at in the order in which
// they were added.
func (t *Trainer) drifts(a *About) (all int64, of []int64) {
	var whole cusum
	g := &t.depth[actional]
	each := make([]cusum, len(g.names))
	for i, p := range t.expected {
		if p <= 0 || p >= 1 {
			continue
		}
		y := 0.0
		if t.accepted[i] {
			y = 1
		}
		z := (p - y) / math.Sqrt(p*(1-p))
		if whole.add(z, t.at[i]) {
			a.Drifts = append(a.Drifts, Drift{At: whole.fresh})
			for k := range each { // they are learned anew with all others
				each[k].sum, each[k].seen = 0, 0
			}
		}
		k := g.rows[i]
		if each[k].add(z, t.at[i]) {
			a.Drifts = append(a.Drifts, Drift{Action: g.names[k], At: each[k].fresh})
		}
	}
	of = make([]int64, len(each))
	for k := range each {
		of[k] = each[k].fresh
	}
	return whole.fresh, of
}

// greatest step of one weight in one sweep, in log-odds: Newton's method is only
// safe near its goal.
const greatestStep = 1.5

func step(g, h, mean, tau float64) float64 {
	return min(max((g-mean/tau)/(h+1/tau), -greatestStep), greatestStep)
}

func (t *Trainer) fitBias(d int) {
	g := &t.depth[d]
	k := len(g.names)
	if k == 0 {
		return
	}
	grad, hess := make([]float64, k), make([]float64, k)
	for i, l := range g.rows {
		if l >= 0 {
			p := 1 / (1 + math.Exp(-t.eta[i]))
			c := t.weight[i] * p
			grad[l] += t.taken[i] - c
			hess[l] += c * (1 - p)
		}
	}
	sum, free := 0.0, 0.0
	for l := range k {
		delta := step(grad[l], hess[l], g.bias[l], g.tBias)
		g.bias[l] += delta
		g.vBias[l] = 1 / (hess[l] + 1/g.tBias)
		grad[l] = delta
		sum += g.bias[l] * g.bias[l]
		free += 1 - g.vBias[l]/g.tBias
	}
	for i, l := range g.rows {
		if l >= 0 {
			t.eta[i] += grad[l]
		}
	}
	if d != general {
		g.tBias = (biasBelief[d]*2 + sum) / (2 + free)
	}
}

func (t *Trainer) fitSlot(d, s int) {
	g := &t.depth[d]
	k := &g.slots[s]
	size := t.size[s]
	if len(k.mean) == 0 {
		return
	}
	grad, hess := make([]float64, len(k.mean)), make([]float64, len(k.mean))
	column, rows := t.code[s], g.rows
	for i, b := range column {
		if l := rows[i]; b >= 0 && l >= 0 {
			at := l*size + b
			p := 1 / (1 + math.Exp(-t.eta[i]))
			c := t.weight[i] * p
			grad[at] += t.taken[i] - c
			hess[at] += c * (1 - p)
		}
	}
	counts := [len(scales)]float64{}
	for l := range g.names {
		at := l * int(size)
		k.tau[l] = shrink(grad[at:at+int(size)], hess[at:at+int(size)], k.mean[at:at+int(size)], k.variance[at:at+int(size)], depthScale[d], &g.belief, &counts)
	}
	k.counts = counts
	for i, b := range column {
		if l := rows[i]; b >= 0 && l >= 0 {
			t.eta[i] += grad[l*size+b]
		}
	}
}

// expect makes room for what ripening offers are about, as far as it is new.
func (t *Trainer) expect(ripening []Sample) {
	for i := range ripening {
		s := &ripening[i]
		for _, v := range s.Context {
			t.bin(v, len(t.at))
		}
		for d, name := range s.Offer.levels() {
			if name != "" {
				t.level(d, name)
			}
		}
	}
}

// foretell takes from the uncertainty of a model what ripening offers will take from
// it: each will add its curvature, whatever comes of it (the hallucinated outcomes of
// Desautels, Krause and Burdick, 2014: the means stay as they are). While outcomes are
// outstanding the same actions would otherwise be tried out over and over again.
func (t *Trainer) foretell(m *Model, ripening []Sample) {
	type told struct {
		bias    float64
		weights []float64
		pairs   []float64
	}
	all := map[*level]*told{}
	for i := range ripening {
		s := &ripening[i]
		r := m.Read(s.Context)
		p := Logistic(s.Prior + m.Estimate(r, s.Offer).LogOdds)
		h := p * (1 - p)
		levels, _ := m.find(&s.Offer)
		for _, l := range levels {
			if l == nil {
				continue
			}
			f := all[l]
			if f == nil {
				f = &told{weights: make([]float64, len(l.weights)), pairs: make([]float64, len(l.pairs))}
				all[l] = f
			}
			f.bias += h
			for _, b := range r.bins {
				f.weights[b] += h
			}
			for k := range l.pairs {
				if p := &l.pairs[k]; r.has(p.a) && r.has(p.b) {
					f.pairs[k] += h
				}
			}
		}
	}
	less := func(v *float64, h float64) { *v /= 1 + *v*h }
	for l, f := range all { // in any order: levels do not meet
		less(&l.bias.Variance, f.bias)
		for b, h := range f.weights {
			if w := &l.weights[b]; h > 0 {
				if w.Variance == 0 {
					w.Variance = l.priors[m.slot[b]]
				}
				less(&w.Variance, h)
			}
		}
		for k, h := range f.pairs {
			less(&l.pairs[k].Variance, h)
		}
	}
}

// model copies what was learned.
func (t *Trainer) model(about About) *Model {
	m := &Model{features: append([]string(nil), t.features...), bins: make(map[Value]int32, len(t.bins)),
		slot: append([]int32(nil), t.slot...), levels: map[string]*level{}, about: about}
	for v, b := range t.bins {
		m.bins[v] = b
	}
	for d := range t.depth {
		g := &t.depth[d]
		m.bias[d] = g.tBias
		m.prior[d] = make([]float64, len(t.features))
		for s := range t.features {
			m.prior[d][s] = depthScale[d] * meanScale(&g.belief)
		}
		for l, name := range g.names {
			v := &level{bias: Weight{g.bias[l], g.vBias[l]}, weights: make([]Weight, len(t.slot)), priors: make([]float64, len(t.features))}
			for s := range t.features {
				v.priors[s] = g.slots[s].tau[l]
			}
			for b, s := range t.slot {
				at := int32(l)*t.size[s] + t.local[b]
				v.weights[b] = Weight{g.slots[s].mean[at], g.slots[s].variance[at]}
			}
			if d == actional {
				for _, p := range t.pairs[l] {
					v.pairs = append(v.pairs, pairWeight{p.a, p.b, Weight{p.mean, p.variance}})
				}
			}
			m.levels[name] = v
		}
	}
	m.index()
	return m
}

// scales are the prior variances between which the trainer decides for each block.
// The first one says: this feature does not matter here.
var scales = [...]float64{1e-4, 0.03, 0.1, 0.3, 0.7, 1.5}

// shrink updates the weights of one block. It weighs the scales by the evidence of
// the block's data and averages over them, so that noise is shrunk away while a
// feature that matters is hardly touched. It puts the steps into grad, and gives the
// prior variance in the mean.
func shrink(grad, hess, mean, variance []float64, unit float64, belief *[len(scales)]float64, counts *[len(scales)]float64) (tau float64) {
	var weight [len(scales)]float64
	top := math.Inf(-1)
	for k, s := range scales {
		s *= unit
		e := math.Log(belief[k])
		for b, h := range hess {
			if h > 0 {
				g := grad[b] + h*mean[b]
				e += (g*g*s/(1+s*h) - math.Log1p(s*h)) / 2
			}
		}
		weight[k] = e
		top = max(top, e)
	}
	sum := 0.0
	for k := range weight {
		weight[k] = math.Exp(weight[k] - top)
		sum += weight[k]
	}
	for k, s := range scales {
		s *= unit
		weight[k] /= sum
		counts[k] += weight[k]
		tau += weight[k] * s
	}
	for b, h := range hess {
		g := grad[b] + h*mean[b]
		m, v, spread := 0.0, 0.0, 0.0
		for k, s := range scales {
			s *= unit
			c := s / (1 + s*h)
			m += weight[k] * c * g
			v += weight[k] * c
			spread += weight[k] * c * g * c * g
		}
		delta := min(max(m-mean[b], -greatestStep), greatestStep)
		mean[b] += delta
		variance[b] = v + max(spread-m*m, 0)
		grad[b] = delta
	}
	return tau
}

// believe learns from all blocks of a depth how often features matter, and how much.
func (t *Trainer) believe(d int) {
	g := &t.depth[d]
	total := 0.0
	var sum [len(scales)]float64
	for k := range sum {
		sum[k] = firstBelief[k] * beliefWeight
		for s := range g.slots {
			sum[k] += g.slots[s].counts[k]
		}
		total += sum[k]
	}
	for k := range sum {
		g.belief[k] = sum[k] / total
	}
}

// firstBelief is how features are believed to matter before anything is seen, worth
// beliefWeight blocks of evidence.
var firstBelief = [len(scales)]float64{0.1, 0.15, 0.225, 0.3, 0.15, 0.075}

func meanScale(belief *[len(scales)]float64) float64 {
	sum := 0.0
	for k, s := range scales {
		sum += belief[k] * s
	}
	return sum
}
