// Package propensity is the learning part of decision, step 6 of the flow: the
// chance that this customer takes this action, learned from what came of earlier
// decisions, and the chances with which a decision then chooses.
//
//	m := propensity.Train(samples, now)      // what was shown, and whether it was taken
//	e := m.Estimate(m.Read(context), offer)  // of a Model, immutable, swapped as a whole
//
// Who learns all the time keeps a Trainer: Add each sample, Fit now and then.
//
// The model is an additive Bayesian logistic regression: log-odds are the pack's own
// prior plus weights of the offer in general, of its parent, of the action and of its
// treatment, each with a weight for every feature of the moment. Each weight has a
// normal posterior (Laplace, diagonal); weights of the special shrink towards zero,
// that is towards the more general, and how much they do is learned, feature by
// feature (MacKay's evidence framework). So a new action starts from its parent, and
// every estimate is a sum of named parts. Where outcomes prove that two features matter
// together, the pair is one more part.
//
// It never changes: an estimate equals the sum of its parts to 1e-9; the same samples
// in the same order give the same model; serving and training read one [Context].
package propensity

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Value is one feature of a moment: a name and the bin its value falls into.
type Value struct {
	Feature string `json:"f"`
	Bin     string `json:"b"`
}

// Context is what a prediction reads of a moment. A feature that is unknown is left out.
type Context []Value

// Offer is what is shown, from the general to the special. An empty name has no level.
type Offer struct {
	Parent    string `json:"parent,omitempty"` // of what kind it is: its nature
	Like      string `json:"like,omitempty"`   // another action, from which this one starts
	Action    string `json:"action"`
	Treatment string `json:"treatment,omitempty"`
}

// depth is how special a level is.
const (
	general = iota
	parental
	actional
	own // of an action that is like another one
	treated
	depths
)

// levels names the levels of an offer by depth, "" where there is none.
func (o Offer) levels() (names [depths]string) {
	names[general] = "general"
	if o.Parent != "" {
		names[parental] = "parent " + o.Parent
	}
	names[actional] = "action " + o.Action
	if o.Like != "" {
		names[actional], names[own] = "action "+o.Like, "own "+o.Action
	}
	if o.Treatment != "" {
		names[treated] = "treatment " + o.Action + "/" + o.Treatment
	}
	return names
}

// Weight is the posterior of one addend of the log-odds.
type Weight struct {
	Mean     float64
	Variance float64
}

// Model is what was learned. It is immutable and safe for concurrent use; the nil
// Model knows nothing and adds nothing.
type Model struct {
	features []string
	bins     map[Value]int32
	slot     []int32 // by bin: index of its feature
	levels   map[string]*level
	byName   [depths]map[string]*level // the same without what their names begin with
	// Prior variances of what was never seen: by depth, of the level itself and of
	// each feature's weight.
	bias  [depths]float64
	prior [depths][]float64
	about About

	Version uint64 // under which it is kept; 0: not kept. Set before the model is shared.
}

var unlearned = NewTrainer(Options{}).Fit(time.UnixMilli(0))

// Unlearned is the model of who has seen nothing: it adds nothing, and is uncertain.
func Unlearned() *Model { return unlearned }

// About says what a model was learned from and how well it predicted before it knew.
type About struct {
	Samples  int     `json:"samples"`
	Accepted int     `json:"accepted"`
	Counting float64 `json:"counting"`       // what the samples count for, less what was forgotten
	From     int64   `json:"from,omitempty"` // Unix milliseconds of the oldest sample that still counts
	Until    int64   `json:"until,omitempty"`
	Drifts   []Drift `json:"drifts,omitempty"`
}

// Drift is a moment from which customers behaved otherwise than predicted.
type Drift struct {
	Action string `json:"action,omitempty"` // "" all of them
	At     int64  `json:"at"`               // Unix milliseconds
}

// beginnings of the names of levels, by depth.
var beginnings = [depths]string{"general", "parent ", "action ", "own ", "treatment "}

// index makes byName of levels.
func (m *Model) index() {
	for d, beginning := range beginnings {
		m.byName[d] = map[string]*level{}
		for name, l := range m.levels {
			if rest, ok := strings.CutPrefix(name, beginning); ok {
				m.byName[d][rest] = l
			}
		}
	}
}

type level struct {
	bias    Weight
	weights []Weight // by bin; a zero Variance means never seen at this level
	priors  []float64
	pairs   []pairWeight
}

// pairWeight is what two bins weigh together beside what each weighs by itself.
type pairWeight struct {
	a, b int32
	Weight
}

// About tells what the model was learned from.
func (m *Model) About() About {
	if m == nil {
		return About{}
	}
	return m.about
}

// Reading is a context as a model reads it: the ids of its bins, and the features
// whose bin it never saw. It is for one goroutine.
type Reading struct {
	bins   []int32
	on     []uint64 // the same as a set
	unseen []int32  // slots
	sums   []sum    // of the levels that many offers share, as far as they were asked for
}

// sum is what a level weighs of a reading.
type sum struct {
	level          *level
	mean, variance float64
}

// Read looks the values of a context up, once for all offers of a decision.
func (m *Model) Read(c Context) Reading {
	if m == nil {
		return Reading{}
	}
	r := Reading{bins: make([]int32, 0, len(c)), on: make([]uint64, (len(m.slot)+63)/64)}
	for _, v := range c {
		if b, ok := m.bins[v]; ok {
			r.bins = append(r.bins, b)
			r.on[b/64] |= 1 << (b % 64)
		} else if s := slices.Index(m.features, v.Feature); s >= 0 {
			r.unseen = append(r.unseen, int32(s))
		}
	}
	return r
}

// has tells whether a bin is in the reading.
func (r *Reading) has(b int32) bool { return len(r.on) > 0 && r.on[b/64]>>(b%64)&1 == 1 }

// Weighs tells whether the model has seen a value of a feature.
func (m *Model) Weighs(v Value) bool {
	if m == nil {
		return false
	}
	_, ok := m.bins[v]
	return ok
}

// Estimate is what the model adds to the prior log-odds of an offer: the mean, and
// how uncertain it is. What is uncertain about offers in general is left out, for it
// is common to all that are compared.
type Estimate struct {
	LogOdds  float64
	Variance float64
}

// Estimate sums the weights of an offer in a moment.
func (m *Model) Estimate(r Reading, o Offer) Estimate { return m.EstimateBoth(&r, &Reading{}, o) }

// EstimateBoth is Estimate of two readings in one: what all offers of a decision have
// in common, and what is an offer's own.
func (m *Model) EstimateBoth(common, own *Reading, o Offer) Estimate {
	if m == nil {
		return Estimate{}
	}
	var e Estimate
	levels, has := m.find(&o)
	for d, l := range levels {
		if !has[d] {
			continue
		}
		mean, variance := m.own(d, l)
		dm, dv := 0.0, 0.0
		if d <= parental && l != nil {
			dm, dv = m.shared(l, common)
		} else {
			dm, dv = m.level(d, l, common)
		}
		mean, variance = mean+dm, variance+dv
		dm, dv = m.level(d, l, own)
		mean, variance = mean+dm, variance+dv
		if l != nil {
			for i := range l.pairs {
				if p := &l.pairs[i]; (common.has(p.a) || own.has(p.a)) && (common.has(p.b) || own.has(p.b)) {
					mean, variance = mean+p.Mean, variance+p.Variance
				}
			}
		}
		if e.LogOdds += mean; d != general {
			e.Variance += variance
		}
	}
	return e
}

// find gives the levels of an offer, nil for those that were never seen, and tells
// which there are.
func (m *Model) find(o *Offer) (levels [depths]*level, has [depths]bool) {
	at := func(d int, name string) { levels[d], has[d] = m.byName[d][name], true }
	at(general, "")
	if o.Parent != "" {
		at(parental, o.Parent)
	}
	if at(actional, o.Action); o.Like != "" {
		at(actional, o.Like)
		at(own, o.Action)
	}
	if o.Treatment != "" {
		levels[treated], has[treated] = m.levels[o.levels()[treated]], true
	}
	return levels, has
}

// shared is level, remembered in the reading: offers of one kind ask for the same.
func (m *Model) shared(l *level, r *Reading) (mean, variance float64) {
	for i := range r.sums {
		if s := &r.sums[i]; s.level == l {
			return s.mean, s.variance
		}
	}
	mean, variance = m.level(general, l, r)
	r.sums = append(r.sums, sum{l, mean, variance})
	return mean, variance
}

// own is what a level weighs by itself; nil was never seen.
func (m *Model) own(d int, l *level) (mean, variance float64) {
	if l == nil {
		return 0, m.bias[d]
	}
	return l.bias.Mean, l.bias.Variance
}

// level sums what a level weighs of a reading; one that was never seen has no weights,
// and is as uncertain as was believed before.
func (m *Model) level(d int, l *level, r *Reading) (mean, variance float64) {
	if l == nil {
		for _, b := range r.bins {
			variance += m.prior[d][m.slot[b]]
		}
		for _, s := range r.unseen {
			variance += m.prior[d][s]
		}
		return 0, variance
	}
	for _, b := range r.bins {
		w := l.weights[b]
		if w.Variance == 0 {
			variance += l.priors[m.slot[b]]
			continue
		}
		mean += w.Mean
		variance += w.Variance
	}
	for _, s := range r.unseen {
		variance += l.priors[s]
	}
	return mean, variance
}

// Part is one named addend of an estimate. Feature is "" for what a level weighs by
// itself; then Level says which: general, parent, action, own or treatment. And is the
// other one of two bins that weigh something together.
type Part struct {
	Level   string
	Feature string
	Bin     string
	And     Value
	Value   float64
}

var levelNames = [depths]string{"general", "parent", "action", "own", "treatment"}

// Parts are the addends of Estimate: those of the levels by themselves, then one for
// each feature (its weights at all levels together), then one for each pair. They add
// up to its LogOdds.
func (m *Model) Parts(c Context, o Offer) []Part {
	if m == nil {
		return nil
	}
	var levels [depths]*level
	paired := false
	parts := make([]Part, 0, depths+len(c))
	for d, name := range o.levels() {
		if name == "" {
			continue
		}
		if l := m.levels[name]; l != nil {
			levels[d], paired = l, paired || len(l.pairs) > 0
			parts = append(parts, Part{Level: levelNames[d], Value: l.bias.Mean})
		}
	}
	for _, v := range c {
		b, ok := m.bins[v]
		if !ok {
			continue
		}
		p := Part{Feature: v.Feature, Bin: v.Bin}
		for _, l := range levels {
			if l != nil {
				p.Value += l.weights[b].Mean
			}
		}
		parts = append(parts, p)
	}
	if !paired {
		return parts
	}
	r := m.Read(c)
	for _, l := range levels {
		if l == nil {
			continue
		}
		for i := range l.pairs {
			if p := &l.pairs[i]; r.has(p.a) && r.has(p.b) {
				a, b := m.valueOf(c, p.a), m.valueOf(c, p.b)
				parts = append(parts, Part{Feature: a.Feature, Bin: a.Bin, And: b, Value: p.Mean})
			}
		}
	}
	return parts
}

// valueOf finds the value of a context that is a bin.
func (m *Model) valueOf(c Context, bin int32) Value {
	for _, v := range c {
		if b, ok := m.bins[v]; ok && b == bin {
			return v
		}
	}
	return Value{}
}

// Logistic is 1/(1+e^-x).
func Logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
