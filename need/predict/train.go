package predict

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/profile"
)

// Spoken is one need that a customer spoke.
type Spoken struct {
	At   time.Time
	Need string
}

// Sample is a person at a moment, and the needs that were spoken within the horizon
// after it.
type Sample struct {
	At     time.Time
	Values []Value
	Spoken []string
}

// Options of training; the zero value is right for most.
type Options struct {
	Horizon time.Duration // 0: 30 days
	Every   time.Duration // between two samples of one person; 0: 7 days
	// Ridge is the variance that a weight is believed to have. 0: 0.5. Smaller for
	// shops with few customers.
	Ridge float64
	// Fewest is how many samples must have been followed by a need for it to be
	// foreseen at all. 0: 30.
	Fewest int
}

func (o Options) filled() Options {
	if o.Horizon <= 0 {
		o.Horizon = 30 * day
	}
	if o.Every <= 0 {
		o.Every = 7 * day
	}
	if o.Ridge <= 0 {
		o.Ridge = 0.5
	}
	if o.Fewest <= 0 {
		o.Fewest = 30
	}
	return o
}

// Sampled reads a person at regular moments in (from, to−horizon], so that of every
// sample it is known what was spoken after it. Moments of which the profile does not
// keep all events any more are left out: serving never reads such.
func Sampled(p *profile.Profile, spoken []Spoken, from, to time.Time, zone *time.Location, o Options) []Sample {
	o = o.filled()
	for name, list := range p.History {
		if len(list) > 0 && p.Total(name) > len(list) {
			if whole := list[0].Time.Add(longest); whole.After(from) {
				from = whole
			}
		}
	}
	if p.First.After(from) {
		from = p.First
	}
	var all []Sample
	for at := from.Add(o.Every); !at.After(to.Add(-o.Horizon)); at = at.Add(o.Every) {
		s := Sample{At: at, Values: Read(p, at, zone).Values}
		for _, x := range spoken {
			if x.At.After(at) && !x.At.After(at.Add(o.Horizon)) && !slices.Contains(s.Spoken, x.Need) {
				s.Spoken = append(s.Spoken, x.Need)
			}
		}
		all = append(all, s)
	}
	return all
}

// sweeps of the training; the weights move by less than a thousandth after some ten.
const sweeps = 15

// Train learns one additive logistic model a need: the weights are those of the
// penalised likelihood, by Newton's steps feature by feature (a feature's bins do not
// overlap, so that the curvature within a feature is diagonal). A bin that is seen
// seldom weighs little: the ridge pulls it to nothing.
//
// Counts of several windows overlap, so that what they say together is too sure of
// itself. How much is measured: the model is fitted to the older four fifths, and a
// slope and an offset (Platt, 1999) to its log-odds on the newest fifth, a horizon
// later. All weights take that slope, which leaves the model additive.
func Train(samples []Sample, o Options) *Model {
	o = o.filled()
	samples = slices.Clone(samples)
	slices.SortStableFunc(samples, func(a, b Sample) int { return a.At.Compare(b.At) })
	slope, offset := 1.0, 0.0
	if n := len(samples); n >= fewestToMeasure {
		from := samples[n*4/5].At
		older, _ := slices.BinarySearchFunc(samples, from.Add(-o.Horizon), func(s Sample, t time.Time) int { return s.At.Compare(t) })
		if older > n/2 {
			slope, offset = learn(samples[:older], o).measure(samples[n*4/5:])
		}
	}
	m := learn(samples, o)
	for k := range m.base {
		m.base[k] = float64(slope*m.base[k]) + offset
	}
	for _, w := range m.weights {
		for k := range w {
			w[k] *= slope
		}
	}
	return m
}

// fewestToMeasure is how many samples it takes to measure how sure of itself a model
// may be.
const fewestToMeasure = 2000

func learn(samples []Sample, o Options) *Model {
	m := &Model{horizon: o.Horizon, weights: map[Value][]float64{}, about: About{Samples: len(samples), Spoken: map[string]int{}, Horizon: o.Horizon.String()}}
	for _, s := range samples {
		for _, need := range s.Spoken {
			m.about.Spoken[need]++
		}
	}
	for need, n := range m.about.Spoken {
		if n >= o.Fewest {
			m.needs = append(m.needs, need)
		}
	}
	slices.Sort(m.needs)
	t := column(samples)
	m.base = make([]float64, len(m.needs))
	for k, need := range m.needs {
		base, weights := t.fit(samples, need, o.Ridge)
		m.base[k] = base
		for f, bins := range t.values {
			for b, v := range bins {
				if m.weights[v] == nil {
					m.weights[v] = make([]float64, len(m.needs))
				}
				m.weights[v][k] = weights[f][b]
			}
		}
	}
	return m
}

// measure fits slope and offset of the model's log-odds to what came of samples that
// it was not learned from.
func (m *Model) measure(samples []Sample) (slope, offset float64) {
	slope = 1
	var chances []float64
	var x, y []float64
	for i := range samples {
		s := &samples[i]
		chances = m.Chances(&Reading{Values: s.Values}, chances)
		for k, p := range chances {
			x = append(x, math.Log(p/(1-p)))
			y = append(y, map[bool]float64{true: 1}[slices.Contains(s.Spoken, m.needs[k])])
		}
	}
	for range 20 {
		// One observation's worth of belief that nothing is to be changed.
		ga, gb, haa, hab, hbb := 1-slope, -offset, 1.0, 0.0, 1.0
		for i, x := range x {
			p := 1 / (1 + math.Exp(-slope*x-offset))
			d, h := y[i]-p, p*(1-p)
			ga, gb = ga+d*x, gb+d
			haa, hab, hbb = haa+h*x*x, hab+h*x, hbb+h
		}
		det := haa*hbb - hab*hab
		if det <= 0 {
			break
		}
		slope += bounded((ga*hbb - gb*hab) / det)
		offset += bounded((gb*haa - ga*hab) / det)
	}
	if slope < 0.2 || slope > 3 || math.IsNaN(slope+offset) {
		return 1, 0
	}
	return slope, offset
}

// columns hold the samples by feature.
type columns struct {
	values [][]Value // by feature, by bin
	rows   [][]int32 // by feature: the samples that have it
	bins   [][]int32 // and the bin that each has
}

func column(samples []Sample) *columns {
	t := &columns{}
	features := map[string]int{}
	known := map[Value][2]int32{}
	for i, s := range samples {
		for _, v := range s.Values {
			at, ok := known[v]
			if !ok {
				f, seen := features[v.Feature]
				if !seen {
					f = len(t.values)
					features[v.Feature] = f
					t.values, t.rows, t.bins = append(t.values, nil), append(t.rows, nil), append(t.bins, nil)
				}
				at = [2]int32{int32(f), int32(len(t.values[f]))}
				t.values[f] = append(t.values[f], v)
				known[v] = at
			}
			t.rows[at[0]] = append(t.rows[at[0]], int32(i))
			t.bins[at[0]] = append(t.bins[at[0]], at[1])
		}
	}
	return t
}

func (t *columns) fit(samples []Sample, need string, ridge float64) (base float64, weights [][]float64) {
	eta, y := make([]float64, len(samples)), make([]float64, len(samples))
	positive := 0.5
	for i, s := range samples {
		if slices.Contains(s.Spoken, need) {
			y[i] = 1
			positive++
		}
	}
	base = math.Log(positive / (float64(len(samples)) + 1 - positive))
	for i := range eta {
		eta[i] = base
	}
	weights = make([][]float64, len(t.values))
	for f := range weights {
		weights[f] = make([]float64, len(t.values[f]))
	}
	for range sweeps {
		g, h := 0.0, 0.0
		for i, x := range eta {
			p := 1 / (1 + math.Exp(-x))
			g += y[i] - p
			h += p * (1 - p)
		}
		delta := bounded(g / (h + 1e-6))
		base += delta
		for i := range eta {
			eta[i] += delta
		}
		for f, w := range weights {
			grad, hess := make([]float64, len(w)), make([]float64, len(w))
			for j, i := range t.rows[f] {
				p := 1 / (1 + math.Exp(-eta[i]))
				b := t.bins[f][j]
				grad[b] += y[i] - p
				hess[b] += p * (1 - p)
			}
			for b := range w {
				grad[b] = bounded((grad[b] - w[b]/ridge) / (hess[b] + 1/ridge))
				w[b] += grad[b]
			}
			for j, i := range t.rows[f] {
				eta[i] += grad[t.bins[f][j]]
			}
		}
	}
	return base, weights
}

// bounded keeps a step of Newton's method from leaping past its goal.
func bounded(step float64) float64 { return min(max(step, -1), 1) }

type stored struct {
	Format  int           `json:"format"`
	Horizon time.Duration `json:"horizon"`
	Needs   []string      `json:"needs"`
	Base    []float64     `json:"base"`
	Values  []Value       `json:"values"`
	Weights [][]float64   `json:"weights"`
	About   About         `json:"about"`
}

const storeFormat = 1

// Marshal is the model as text; equal models have equal text.
func (m *Model) Marshal() ([]byte, error) {
	if m == nil {
		return nil, errors.New("no model to store")
	}
	s := stored{Format: storeFormat, Horizon: m.horizon, Needs: m.needs, Base: m.base, About: m.about}
	for v := range m.weights {
		s.Values = append(s.Values, v)
	}
	slices.SortFunc(s.Values, func(a, b Value) int {
		switch {
		case a.Feature < b.Feature || a.Feature == b.Feature && a.Bin < b.Bin:
			return -1
		case a == b:
			return 0
		}
		return 1
	})
	for _, v := range s.Values {
		s.Weights = append(s.Weights, m.weights[v])
	}
	return json.Marshal(s)
}

// Unmarshal reads a stored model.
func Unmarshal(text []byte) (*Model, error) {
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("stored model of needs: %w", err)
	}
	if s.Format != storeFormat || len(s.Base) != len(s.Needs) || len(s.Values) != len(s.Weights) {
		return nil, errors.New("stored model of needs: its parts do not fit")
	}
	m := &Model{horizon: s.Horizon, needs: s.Needs, base: s.Base, weights: make(map[Value][]float64, len(s.Values)), about: s.About}
	for i, v := range s.Values {
		if len(s.Weights[i]) != len(s.Needs) {
			return nil, errors.New("stored model of needs: its parts do not fit")
		}
		m.weights[v] = s.Weights[i]
	}
	return m, nil
}
