package predict

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/profile"
)

// Spoken is one need that a customer spoke.
type Spoken struct {
	At   time.Time
	Need string
}

// Options of training; the zero value is right for most.
type Options struct {
	Horizon time.Duration // 0: 30 days
	// Ridge is the variance that the step from one bin to the next is believed to
	// have. 0: the one of a few that foresees the newest part of the time best.
	Ridge float64
	// Fewest is how many samples must have been followed by a need for it to be
	// foreseen at all. 0: 30.
	Fewest int
	// InVain is the share of the needs spoken of unasked that may not come. 0: .1.
	InVain float64
}

func (o Options) filled() Options {
	if o.Horizon <= 0 {
		o.Horizon = 30 * day
	}
	if o.Fewest <= 0 {
		o.Fewest = 30
	}
	if o.InVain <= 0 {
		o.InVain = 0.1
	}
	return o
}

// Trainer gathers what customers did and what they then asked. It is for one goroutine.
type Trainer struct {
	o        Options
	known    map[feature]uint32
	features []feature
	spoken   map[string]uint16
	needs    []string
	rows     []row
	people   int32
	daily    int
	watched  int32 // the last person who is read day by day
}

// row is one person at one moment. Every value is a feature's number and its bin.
type row struct {
	at     int64 // Unix seconds
	who    int32
	weekly bool // else it tells only when a chance would have been crossed
	values []uint32
	spoken []uint16 // within the horizon after it
	said   []uint16 // lately
}

const binBits = 5

const (
	week      = 7       // days between two samples of one person
	watched   = 150     // days, of the newest, that are read one by one
	mostDaily = 120_000 // rows between the samples
	fifth     = 4. / 5  // of the samples, the newest fifth is held out
	fewOlder  = 1. / 2  // and nothing is held out when the older are fewer
	overlap   = 7. / 30 // what a sample counts for beside those that share its horizon
	measuring = 1000    // samples that it takes to measure anything by a part held out
)

// NewTrainer is a trainer that knows nobody.
func NewTrainer(o Options) *Trainer {
	return &Trainer{o: o.filled(), known: map[feature]uint32{}, spoken: map[string]uint16{}}
}

// Samples is how many moments of people, a week apart, have been gathered.
func (t *Trainer) Samples() int { return len(t.rows) - t.daily }

// Add reads a person at regular moments in (from, to−horizon], so that of every
// moment it is known what was spoken after it. Moments of which the profile does not
// keep all events any more are left out: serving never reads such. zone is the customer's.
func (t *Trainer) Add(p *profile.Profile, spoken []Spoken, from, to time.Time, zone *time.Location) {
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
	spoken = slices.Clone(spoken)
	slices.SortStableFunc(spoken, func(a, b Spoken) int { return a.At.Compare(b.At) })
	who, daily := t.people, t.daily < mostDaily
	if daily {
		t.watched = who
	}
	t.people++
	end := to.Add(-t.o.Horizon)
	days := int(end.Sub(from) / day)
	for d := days - 1; d >= 0; d-- { // the oldest first
		at := end.Add(-time.Duration(d) * day)
		weekly := (d+int(who))%week == 0
		if !weekly && (d > watched || !daily) {
			continue
		}
		reading := Read(p, at, zone)
		r := row{at: at.Unix(), who: who, weekly: weekly, values: make([]uint32, len(reading.Values))}
		for i, v := range reading.Values {
			r.values[i] = t.code(v)
		}
		for _, x := range spoken {
			switch {
			case x.At.After(at.Add(t.o.Horizon)):
			case x.At.After(at):
				if n := t.need(x.Need); !slices.Contains(r.spoken, n) {
					r.spoken = append(r.spoken, n)
				}
			case x.At.After(at.Add(-JustSaid)):
				r.said = append(r.said, t.need(x.Need))
			}
		}
		if !weekly {
			t.daily++
		}
		t.rows = append(t.rows, r)
	}
}

func (t *Trainer) code(v Value) uint32 {
	f := feature{v.Feature, v.Scale}
	n, ok := t.known[f]
	if !ok {
		n = uint32(len(t.features))
		t.known[f] = n
		t.features = append(t.features, f)
	}
	return n<<binBits | uint32(v.Bin)
}

func (t *Trainer) need(name string) uint16 {
	n, ok := t.spoken[name]
	if !ok {
		n = uint16(len(t.needs))
		t.spoken[name] = n
		t.needs = append(t.needs, name)
	}
	return n
}

// ridges are tried when none is asked for.
var ridges = []float64{.02, .08, .3}

// Train learns one additive logistic model a need from everything that was added: the
// weights are those of the penalised likelihood, by Newton's steps feature by feature
// on its quadratic approximation. What is penalised is the step from one bin to the
// next, so that neighbours say nearly the same, and a bin that was never seen says
// what its neighbour says (a second-order P-spline of degree nought: Eilers and Marx,
// 1996): a customer can be known for longer than anybody was in training.
//
// Two things cannot be read from what a model was fitted to: how sure of itself it
// may be, and from which chance on a need may be spoken of unasked. Both are measured
// on the newest fifth of the time, by a model of what ended a horizon before it.
// A slope and an offset for each need (Platt, 1999), drawn towards those of all needs
// together, leave the model additive. The threshold is the least at which an upper
// bound of the share in vain, of what would have been said on that fifth day by day,
// stays within Options.InVain.
func (t *Trainer) Train() *Model {
	weekly := make([]*row, 0, t.Samples())
	for i := range t.rows {
		if t.rows[i].weekly {
			weekly = append(weekly, &t.rows[i])
		}
	}
	slices.SortStableFunc(weekly, func(a, b *row) int { return cmpInt(a.at, b.at) })
	ridge := t.o.Ridge
	if ridge <= 0 {
		ridge = ridges[1]
	}
	var fitted corrections
	var held *HeldOut
	if n := len(weekly); n >= measuring {
		from := weekly[int(float64(n)*fifth)].at
		before := from - int64(t.o.Horizon/time.Second)
		older := 0
		for older < n && weekly[older].at <= before {
			older++
		}
		newer := n
		for newer > 0 && weekly[newer-1].at >= from {
			newer--
		}
		if float64(older) > fewOlder*float64(n) {
			ridge, fitted, held = t.measure(weekly[:older], weekly[newer:], from)
		}
	}
	m := t.learn(weekly, ridge)
	m.correct(fitted)
	t.level(m, weekly)
	if held != nil {
		m.sure, m.about.HeldOut = held.Sure, held
	}
	return m
}

func cmpInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// learn fits a model to rows.
func (t *Trainer) learn(rows []*row, ridge float64) *Model {
	m := &Model{horizon: t.o.Horizon, features: map[feature]int{}, about: About{Samples: len(rows), Spoken: map[string]int{}, Horizon: t.o.Horizon.String()}}
	for _, r := range rows {
		for _, n := range r.spoken {
			m.about.Spoken[t.needs[n]]++
		}
	}
	for need, n := range m.about.Spoken {
		if n >= t.o.Fewest {
			m.needs = append(m.needs, need)
		}
	}
	slices.Sort(m.needs)
	c := t.column(rows)
	m.base = make([]float64, len(m.needs))
	fits := make([][][]float64, len(m.needs))
	var work sync.WaitGroup
	for k, need := range m.needs {
		work.Go(func() { m.base[k], fits[k] = c.fit(rows, t.spoken[need], ridge) })
	}
	work.Wait()
	for f, name := range t.features {
		if !slices.ContainsFunc(fits, func(w [][]float64) bool { return w[f] != nil }) {
			continue
		}
		m.features[name] = len(m.weights)
		bins := make([][]float64, binsOf[name.Scale])
		for b := range bins {
			bins[b] = make([]float64, len(m.needs))
			for k := range m.needs {
				if fits[k][f] != nil {
					bins[b][k] = fits[k][f][b]
				}
			}
		}
		m.weights = append(m.weights, bins)
	}
	return m
}

// columns hold rows by feature.
type columns struct {
	features []feature
	rows     [][]int32 // by feature: those that have it
	bins     [][]uint8 // and the bin that each has
}

func (t *Trainer) column(rows []*row) *columns {
	c := &columns{features: t.features, rows: make([][]int32, len(t.features)), bins: make([][]uint8, len(t.features))}
	for i, r := range rows {
		for _, v := range r.values {
			f := v >> binBits
			c.rows[f] = append(c.rows[f], int32(i))
			c.bins[f] = append(c.bins[f], uint8(v&(1<<binBits-1)))
		}
	}
	return c
}

// fitting is one need's fit under way.
type fitting struct {
	*columns
	y, eta, h, r []float64 // by row: h is the curvature, r what is left of the gradient
	base         float64
	weights      [][]float64 // by feature, nil: it has none
	beliefs      [len(binsOf)]belief
	ridge        float64
	least        float64 // the penalised loss so far
}

const (
	newton = 12   // approximations of the likelihood
	sweeps = 3    // through the features of each
	gain   = 1e-5 // of the loss; who gains less has arrived
)

// fit gives the weights of one need, nil for features that it does not rest on.
func (c *columns) fit(rows []*row, need uint16, ridge float64) (base float64, weights [][]float64) {
	n := len(rows)
	x := fitting{columns: c, y: make([]float64, n), eta: make([]float64, n), h: make([]float64, n), r: make([]float64, n),
		weights: make([][]float64, len(c.features)), ridge: ridge}
	for s := range x.beliefs {
		x.beliefs[s] = believe(Scale(s), ridge)
	}
	positive := 0.5
	for i, r := range rows {
		if slices.Contains(r.spoken, need) {
			x.y[i] = 1
			positive++
		}
	}
	x.base = math.Log(positive / (float64(n) + 1 - positive))
	for i := range x.eta {
		x.eta[i] = x.base
	}
	for f, name := range c.features {
		if len(c.rows[f]) > 0 {
			x.weights[f] = make([]float64, binsOf[name.Scale])
		}
	}
	x.climb()
	return x.base, x.weights
}

func (x *fitting) climb() {
	x.least = x.loss()
	for range newton {
		before := x.least
		if x.step(); before-x.least < gain*before {
			return
		}
	}
}

// loss is the penalised loss where the fit stands.
func (x *fitting) loss() (sum float64) {
	for i, e := range x.eta {
		sum += surprise(e, x.y[i])
	}
	for f, w := range x.weights {
		p := &x.beliefs[x.features[f].Scale]
		for i, a := range w {
			for j, b := range w {
				sum += a * b * p[i][j] / 2
			}
		}
	}
	return sum
}

// surprise is −ln of the chance of what came, at these log-odds.
func surprise(logOdds, came float64) float64 {
	if came > 0 {
		logOdds = -logOdds
	}
	if logOdds > 30 {
		return logOdds
	}
	return math.Log1p(math.Exp(logOdds))
}

// step approximates the likelihood where it is, goes through the features, and
// goes half of the way, and half of that, should the approximation have led astray.
func (x *fitting) step() {
	oldBase, oldEta, old := x.base, slices.Clone(x.eta), make([][]float64, len(x.weights))
	for f, w := range x.weights {
		old[f] = slices.Clone(w)
	}
	for i, e := range x.eta {
		p := chance(e)
		x.h[i], x.r[i] = p*(1-p), x.y[i]-p
	}
	for range sweeps {
		g, h := 0.0, 1e-6
		for i := range x.r {
			g += x.r[i]
			h += x.h[i]
		}
		d := g / h
		x.base += d
		for i := range x.r {
			x.r[i] -= x.h[i] * d
			x.eta[i] += d
		}
		for f, w := range x.weights {
			if w == nil {
				continue
			}
			rows, bins := x.rows[f], x.bins[f]
			var grad, hess, delta [1 << binBits]float64
			for j, i := range rows {
				grad[bins[j]] += x.r[i]
				hess[bins[j]] += x.h[i]
			}
			x.beliefs[x.features[f].Scale].solve(w, &grad, &hess, &delta)
			for b := range w {
				w[b] += delta[b]
			}
			for j, i := range rows {
				d := delta[bins[j]]
				x.r[i] -= x.h[i] * d
				x.eta[i] += d
			}
		}
	}
	for range 8 {
		if l := x.loss(); l < x.least {
			x.least = l
			return
		}
		x.base = (x.base + oldBase) / 2
		for i := range x.eta {
			x.eta[i] = (x.eta[i] + oldEta[i]) / 2
		}
		for f, w := range x.weights {
			for b := range w {
				w[b] = (w[b] + old[f][b]) / 2
			}
		}
	}
	x.base, x.eta, x.weights = oldBase, oldEta, old
}

// belief is the inverse of the variance that a feature's weights are believed to have.
type belief [1 << binBits][1 << binBits]float64

// level is the variance of a whole feature of which no bin means "none".
const level = 10.0

func believe(scale Scale, ridge float64) (a belief) {
	n, step := binsOf[scale], 1/ridge
	tie := func(i, j int) {
		a[i][i] += step
		a[j][j] += step
		a[i][j] -= step
		a[j][i] -= step
	}
	all := func(by float64) {
		for b := range n {
			a[b][b] += by
		}
	}
	if scale == Weekday {
		all(step)
		return a
	}
	for b := range n - 1 {
		tie(b, b+1)
	}
	switch scale {
	case Count:
		a[0][0] += step // its neighbour is none at all
	case Recency:
		a[n-1][n-1] += step
	case Month:
		tie(n-1, 0)
		all(1 / (level * float64(n)))
	default:
		all(1 / (level * float64(n)))
	}
	return a
}

// solve gives one feature's step: (diag(hess) + P) δ = grad − P w, by Cholesky.
func (p *belief) solve(w []float64, grad, hess, delta *[1 << binBits]float64) {
	n, a := len(w), *p
	for i := range n {
		g := grad[i]
		for j := range n {
			g -= p[i][j] * w[j]
		}
		delta[i] = g
		a[i][i] += hess[i]
	}
	for j := range n {
		for k := range j {
			a[j][j] -= a[j][k] * a[j][k]
		}
		a[j][j] = math.Sqrt(a[j][j])
		for i := j + 1; i < n; i++ {
			for k := range j {
				a[i][j] -= a[i][k] * a[j][k]
			}
			a[i][j] /= a[j][j]
		}
	}
	for i := range n {
		for k := range i {
			delta[i] -= a[i][k] * delta[k]
		}
		delta[i] /= a[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			delta[i] -= a[k][i] * delta[k]
		}
		delta[i] /= a[i][i]
	}
}

type stored struct {
	Format   int           `json:"format"`
	Horizon  time.Duration `json:"horizon"`
	Sure     float64       `json:"sure,omitempty"`
	Needs    []string      `json:"needs"`
	Base     []float64     `json:"base"`
	Features []feature     `json:"features"`
	Weights  [][][]float64 `json:"weights"`
	About    About         `json:"about"`
}

const storeFormat = 2

// ErrFormat says that a stored model is of another kind than this build makes.
var ErrFormat = errors.New("stored model of needs: of another format")

// Marshal is the model as text; equal models have equal text.
func (m *Model) Marshal() ([]byte, error) {
	if m == nil {
		return nil, errors.New("no model to store")
	}
	s := stored{Format: storeFormat, Horizon: m.horizon, Sure: m.sure, Needs: m.needs, Base: m.base, Features: make([]feature, len(m.weights)), Weights: m.weights, About: m.about}
	for f, i := range m.features {
		s.Features[i] = f
	}
	return json.Marshal(s)
}

// Unmarshal reads a stored model; ErrFormat when another build has made it.
func Unmarshal(text []byte) (*Model, error) {
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("stored model of needs: %w", err)
	}
	if s.Format != storeFormat {
		return nil, ErrFormat
	}
	unfit := errors.New("stored model of needs: its parts do not fit")
	if len(s.Base) != len(s.Needs) || len(s.Features) != len(s.Weights) {
		return nil, unfit
	}
	m := &Model{horizon: s.Horizon, sure: s.Sure, needs: s.Needs, base: s.Base, weights: s.Weights, features: make(map[feature]int, len(s.Features)), about: s.About}
	for i, f := range s.Features {
		if int(f.Scale) >= len(binsOf) || len(s.Weights[i]) != binsOf[f.Scale] {
			return nil, unfit
		}
		for _, bin := range s.Weights[i] {
			if len(bin) != len(s.Needs) {
				return nil, unfit
			}
		}
		m.features[f] = i
	}
	return m, nil
}
