package evaluate

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/decision/propensity"
)

// The world in which learners are measured: twelve categorical features that a
// hidden segment stirs, twenty actions each of which some customers like, offers
// that are rarely taken, and an outcome that is known a thousand decisions later.
var worldBins = [...]int{4, 6, 3, 8, 5, 4, 6, 2, 3, 5, 2, 7}

const (
	worldActions = 20
	worldDelay   = 1000
)

// PropensityWorld is one draw of that world.
type PropensityWorld struct {
	random  *rand.Rand
	actions [worldActions]worldAction
	best    int // the best fixed action
}

type worldAction struct {
	base  float64
	on    [len(worldBins)][]float64 // nil: this feature does not matter
	pairs [3]worldPair
}

type worldPair struct {
	f, g, b, c int
	value      float64
}

// customer is one moment: the bin of each feature.
type customer [len(worldBins)]int

// NewPropensityWorld draws a world.
func NewPropensityWorld(seed uint64) *PropensityWorld {
	w := &PropensityWorld{random: rand.New(rand.NewPCG(seed, 0x70726f70))}
	r := w.random
	for k := range w.actions {
		a := &w.actions[k]
		a.base = -3.6 + 0.7*r.NormFloat64()
		for _, f := range r.Perm(len(worldBins))[:5] {
			a.on[f] = make([]float64, worldBins[f])
			for b := range a.on[f] {
				a.on[f][b] = 0.7 * r.NormFloat64()
			}
		}
		for i := range a.pairs {
			fg := r.Perm(len(worldBins))
			p := worldPair{f: fg[0], g: fg[1], value: r.NormFloat64()}
			p.b, p.c = r.IntN(worldBins[p.f]), r.IntN(worldBins[p.g])
			a.pairs[i] = p
		}
	}
	w.settle(seed)
	return w
}

// settle finds the best fixed action, on customers of their own.
func (w *PropensityWorld) settle(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0x62657374))
	var sum [worldActions]float64
	for range 20_000 {
		c := drawCustomer(r)
		for k := range sum {
			sum[k] += w.chance(k, &c)
		}
	}
	w.best = 0
	for k, s := range sum {
		if s > sum[w.best] {
			w.best = k
		}
	}
}

// Flip deals the actions' likings out anew: what customers liked of action k they
// now like of another, and nothing that was learned of any action is true any more.
func (w *PropensityWorld) Flip(seed uint64) {
	old := w.actions
	for k := range w.actions {
		w.actions[k] = old[(k+worldActions/2)%worldActions]
	}
	w.settle(seed)
}

func drawCustomer(r *rand.Rand) (c customer) {
	z := r.IntN(4)
	for f, n := range worldBins {
		c[f] = z * (f + 3) % n
		if r.Float64() >= 0.55 {
			c[f] = r.IntN(n)
		}
	}
	return c
}

// chance is the true probability that a customer takes an action.
func (w *PropensityWorld) chance(k int, c *customer) float64 {
	a := &w.actions[k]
	x := a.base
	for f, on := range a.on {
		if on != nil {
			x += on[c[f]]
		}
	}
	for _, p := range a.pairs {
		if c[p.f] == p.b && c[p.g] == p.c {
			x += p.value
		}
	}
	return propensity.Logistic(x)
}

var (
	worldValues = func() (v [len(worldBins)][]propensity.Value) {
		for f, n := range worldBins {
			for b := range n {
				v[f] = append(v[f], propensity.Value{Feature: "f" + strconv.Itoa(f), Bin: strconv.Itoa(b)})
			}
		}
		return v
	}()
	worldOffers = func() (o [worldActions]propensity.Offer) {
		for k := range o {
			o[k] = propensity.Offer{Action: "action" + strconv.Itoa(k)}
		}
		return o
	}()
)

func (c *customer) context() propensity.Context {
	out := make(propensity.Context, len(c))
	for f, b := range c {
		out[f] = worldValues[f][b]
	}
	return out
}

// learner chooses among actions and learns from what ripens.
type learner interface {
	// choose gives the choice probabilities and the predicted propensities.
	choose(c propensity.Context) (chances, expected []float64)
	// learn is told of a ripe outcome, and which offers are outstanding.
	learn(s propensity.Sample, ripening []propensity.Sample)
}

// PropensityOptions say how to learn.
type PropensityOptions struct {
	Seeds       []uint64
	Decisions   int
	Flip        int     // after so many decisions the world flips; 0: never
	Exploration float64 // the one knob; 0: 1
	Floor       float64
	Refit       int // most decisions between two fits; 0: 1000
	Baseline    bool
}

// worldMinute is the clock of the world: a decision a minute.
const worldMinute = time.Minute

var worldStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type bayesian struct {
	o        PropensityOptions
	trainer  *propensity.Trainer
	model    *propensity.Model
	seen     int
	fitted   int
	mean, sd [worldActions]float64
	p        [worldActions]float64
	out      [worldActions]float64
}

func newBayesian(o PropensityOptions) *bayesian {
	t := propensity.NewTrainer(propensity.Options{Sweeps: 2})
	return &bayesian{o: o, trainer: t, model: t.Fit(worldStart)}
}

const worldPrior = -3.0 // what a strategist would write who knows that few offers are taken

func (b *bayesian) choose(c propensity.Context) (chances, expected []float64) {
	r := b.model.Read(c)
	for k := range worldOffers {
		e := b.model.Estimate(r, worldOffers[k])
		x := worldPrior + e.LogOdds
		b.p[k] = propensity.Logistic(x)
		bonus, spread := propensity.Explore(x, e.Variance, b.o.Exploration)
		b.mean[k], b.sd[k] = math.Log(b.p[k])+bonus, spread
	}
	return propensity.Best(b.mean[:], b.sd[:], b.out[:]), b.p[:]
}

func (b *bayesian) learn(s propensity.Sample, ripening []propensity.Sample) {
	b.trainer.Add(s)
	b.seen++
	if b.seen-b.fitted >= min(b.o.Refit, max(25, int(b.model.About().Counting/20))) {
		b.model, b.fitted = b.trainer.Fit(s.At.Add(worldDelay*worldMinute), ripening...), b.seen
	}
}

// baseline is binned naive Bayes with Thompson sampling on each action's overall rate.
type baseline struct {
	o                PropensityOptions
	naive            *propensity.Naive
	mean, sd, p, out [worldActions]float64
}

func (b *baseline) choose(c propensity.Context) (chances, expected []float64) {
	for k := range worldOffers {
		e := b.naive.Estimate(c, worldOffers[k].Action)
		b.p[k] = propensity.Logistic(e.LogOdds)
		b.mean[k] = math.Log(b.p[k])
		b.sd[k] = math.Sqrt(e.Variance) * (1 - b.p[k])
	}
	return propensity.Best(b.mean[:], b.sd[:], b.out[:]), b.p[:]
}

func (b *baseline) learn(s propensity.Sample, _ []propensity.Sample) { b.naive.Add(s) }

// PropensityRun is how one learner did in one world.
type PropensityRun struct {
	Seed        uint64             `json:"seed"`
	Achievable  float64            `json:"achievable"` // gain a decision over the best fixed action, of who knows every chance
	Share60     float64            `json:"share_60k"`  // of the achievable gain, averaged over the first 60,000 decisions
	Share       float64            `json:"share"`      // over all of them
	Calibration float64            `json:"calibration"`
	Regained    float64            `json:"regained,omitempty"`
	Curve       []float64          `json:"curve,omitempty"`
	Drifts      []propensity.Drift `json:"drifts,omitempty"`
}

func runPropensity(ctx context.Context, seed uint64, o PropensityOptions, l learner) (PropensityRun, error) {
	w := NewPropensityWorld(seed)
	out := PropensityRun{Seed: seed}
	var waiting []propensity.Sample // for their outcomes, the oldest first
	var taken []bool                // what these will be
	var predicted, happened []float64
	gain, possible := 0.0, 0.0
	const window = 2500
	wGain, wPossible := 0.0, 0.0
	for i := range o.Decisions {
		if i%1024 == 0 && ctx.Err() != nil {
			return out, ctx.Err()
		}
		if o.Flip > 0 && i == o.Flip {
			w.Flip(seed)
		}
		c := drawCustomer(w.random)
		x := c.context()
		chances, expected := l.choose(x)
		u, k := w.random.Float64(), 0
		for k = 0; k < worldActions-1; k++ {
			if u -= chances[k]; u < 0 {
				break
			}
		}
		oracle := 0.0
		for a := range worldActions {
			oracle = max(oracle, w.chance(a, &c))
		}
		fixed, p := w.chance(w.best, &c), w.chance(k, &c)
		y := w.random.Float64() < p
		gain, possible = gain+p-fixed, possible+oracle-fixed
		wGain, wPossible = wGain+p-fixed, wPossible+oracle-fixed
		if (i+1)%window == 0 {
			out.Curve = append(out.Curve, wGain/wPossible)
			wGain, wPossible = 0, 0
		}
		predicted = append(predicted, expected[k])
		happened = append(happened, map[bool]float64{true: 1}[y])
		waiting = append(waiting, propensity.Sample{At: worldStart.Add(time.Duration(i) * worldMinute), Context: x, Offer: worldOffers[k], Prior: worldPrior, Expected: expected[k]})
		taken = append(taken, y)
		if len(waiting) > worldDelay {
			ripe := waiting[0]
			ripe.Accepted = taken[0]
			waiting, taken = waiting[1:], taken[1:]
			l.learn(ripe, waiting)
		}
		if i+1 == 60_000 {
			out.Share60 = gain / possible
		}
	}
	out.Share, out.Achievable = gain/possible, possible/float64(o.Decisions)
	if b, ok := l.(*bayesian); ok {
		out.Drifts = b.model.About().Drifts
	}
	out.Calibration = CalibrationError(predicted, happened, 10)
	if at := o.Flip / window; o.Flip > 0 {
		before := (out.Curve[at-1] + out.Curve[at-2] + out.Curve[at-3] + out.Curve[at-4]) / 4
		const after = 20_000 / window
		out.Regained = (out.Curve[at+after-1] + out.Curve[at+after-2]) / 2 / before
	}
	return out, nil
}

// CalibrationError is the mean distance, in bins of equally many predictions, of what
// was predicted and what happened.
func CalibrationError(predicted, happened []float64, bins int) float64 {
	order := make([]int, len(predicted))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case predicted[a] < predicted[b]:
			return -1
		case predicted[a] > predicted[b]:
			return 1
		}
		return a - b
	})
	sum := 0.0
	for k := range bins {
		p, y := 0.0, 0.0
		for _, i := range order[k*len(order)/bins : (k+1)*len(order)/bins] {
			p, y = p+predicted[i], y+happened[i]
		}
		sum += math.Abs(p - y)
	}
	return sum / float64(len(predicted))
}

// PropensityReport is what `rapport eval propensity` prints.
type PropensityReport struct {
	Decisions int             `json:"decisions"`
	Learner   []PropensityRun `json:"learner"`
	Baseline  []PropensityRun `json:"baseline,omitempty"`
}

// Propensity lets the learner, and the baseline beside it, act in each world.
func Propensity(ctx context.Context, o PropensityOptions, progress io.Writer) (PropensityReport, error) {
	if o.Exploration == 0 {
		o.Exploration = 1
	}
	if o.Refit == 0 {
		o.Refit = 1000
	}
	rep := PropensityReport{Decisions: o.Decisions}
	for _, seed := range o.Seeds {
		run, err := runPropensity(ctx, seed, o, newBayesian(o))
		if err != nil {
			return rep, err
		}
		fmt.Fprintf(progress, "seed %d: %.3f at 60,000, %.3f in all, calibration error %.4f\n", seed, run.Share60, run.Share, run.Calibration)
		rep.Learner = append(rep.Learner, run)
		if o.Baseline {
			run, err := runPropensity(ctx, seed, o, &baseline{o: o, naive: propensity.NewNaive()})
			if err != nil {
				return rep, err
			}
			rep.Baseline = append(rep.Baseline, run)
		}
	}
	return rep, nil
}

// Summary is the mean over the worlds.
func (r PropensityReport) Summary() (learner, baseline PropensityRun) {
	mean := func(runs []PropensityRun) (m PropensityRun) {
		n := float64(len(runs))
		for _, x := range runs {
			m.Share60, m.Share = m.Share60+x.Share60/n, m.Share+x.Share/n
			m.Calibration, m.Regained = m.Calibration+x.Calibration/n, m.Regained+x.Regained/n
		}
		return m
	}
	return mean(r.Learner), mean(r.Baseline)
}

// Spread is how far worlds lie apart.
type Spread struct {
	Worst, Median float64 // of the worlds' shares
	// Pooled is the gain of all worlds together over what could be achieved in all. In a
	// world that one action rules there is little to achieve, and what the first thousand
	// decisions cost before any outcome is known weighs many times that: the mean of
	// shares is moved by the few such worlds, this one hardly.
	Pooled float64
}

// SpreadOf is the spread of a share, after 60,000 decisions or in all.
func SpreadOf(runs []PropensityRun, share func(PropensityRun) float64) Spread {
	var all []float64
	gain, sum := 0.0, 0.0
	for _, x := range runs {
		all = append(all, share(x))
		gain, sum = gain+x.Achievable*share(x), sum+x.Achievable
	}
	slices.Sort(all)
	n := len(all)
	return Spread{Worst: all[0], Median: (all[(n-1)/2] + all[n/2]) / 2, Pooled: gain / sum}
}

func (r PropensityReport) String() string {
	var b strings.Builder
	row := func(name string, m PropensityRun, runs []PropensityRun) {
		part := func(decisions int, mean float64, share func(PropensityRun) float64) {
			fmt.Fprintf(&b, "  %.3f after %d decisions", mean, decisions)
			if len(runs) > 1 {
				of := SpreadOf(runs, share)
				fmt.Fprintf(&b, " (the mean of the worlds' shares; median %.3f, worst %.3f; pooled, which is the gain of all worlds over what could be achieved in all, %.3f)", of.Median, of.Worst, of.Pooled)
			}
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: share of the achievable gain\n", name)
		if r.Decisions > 60_000 {
			part(60_000, m.Share60, func(x PropensityRun) float64 { return x.Share60 })
		}
		part(r.Decisions, m.Share, func(x PropensityRun) float64 { return x.Share })
		fmt.Fprintf(&b, "  calibration error %.4f\n", m.Calibration)
		if m.Regained > 0 {
			fmt.Fprintf(&b, "  %.1f %% of it regained 20,000 decisions after the flip (median %.1f)\n", 100*m.Regained, 100*SpreadOf(runs, func(x PropensityRun) float64 { return x.Regained }).Median)
		}
	}
	learner, baseline := r.Summary()
	row("learner", learner, r.Learner)
	if len(r.Baseline) > 0 {
		row("baseline", baseline, r.Baseline)
	}
	return strings.TrimRight(b.String(), "\n")
}
