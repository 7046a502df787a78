// Package predict is the foresight of need, step 4 of the flow: how likely each need
// is to be spoken soon, learned from what customers did before they spoke.
//
//	t := predict.NewTrainer(predict.Options{})     // a job; the Model is swapped as a whole
//	t.Add(person, spoken, from, to, zone)          // for everybody
//	m := t.Train()
//	for _, f := range m.Foresee(predict.Read(person, at, zone)) { … f.Chance, f.Parts … }
//
// For every need it is an additive logistic model over counts, recencies and streaks
// of events, the time since something was bought, how long the customer is known, and
// the season. So a prediction is a sum of named parts, each with the events it was
// read from. From which chance on a need may be spoken of unasked is learned,
// too: [Model.Sure].
//
// It never changes: [Read] reads nothing later than the moment it is asked for, and
// training and serving both read by it; a prediction equals the sum of its parts.
package predict

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/evidence"
)

// Foresight is one need that may be spoken within the model's horizon.
type Foresight struct {
	Need   string
	Chance float64
	Parts  []Part // they add up to the log-odds of Chance, the greatest first
}

// Part is one addend, with the records it was read from.
type Part struct {
	Name     string
	Value    float64
	Evidence []evidence.Ref
}

// Model foresees needs. It is immutable and safe for concurrent use; nil foresees none.
type Model struct {
	Version  uint64 // under which it is kept; set before the model is shared
	horizon  time.Duration
	sure     float64
	needs    []string // sorted
	base     []float64
	features map[feature]int
	weights  [][][]float64 // by feature, by bin, by need
	about    About
}

type feature struct {
	Name  string `json:"name"`
	Scale Scale  `json:"scale"`
}

// About says what a model was learned from, and how well it foresaw what came after.
type About struct {
	Samples int            `json:"samples"`
	Spoken  map[string]int `json:"spoken"` // samples that were followed by the need
	Horizon string         `json:"horizon"`
	// HeldOut is how it did, before it was learned whole, on the newest part of the
	// time; nil: there was too little to tell.
	HeldOut *HeldOut `json:"held_out,omitempty"`
}

// HeldOut is how a model did on a time that it was not learned from.
type HeldOut struct {
	From    time.Time `json:"from"`
	Samples int       `json:"samples"`
	// Slope and Offset are what its log-odds had to be corrected by, over all needs.
	Slope  float64 `json:"slope"`
	Offset float64 `json:"offset"`
	// Sure is the chance from which on needs would have been spoken of unasked, Pushes
	// how often, and InVain how many of these no such need followed.
	Sure   float64 `json:"sure"`
	Pushes int     `json:"pushes"`
	InVain int     `json:"in_vain"`
}

// JustSaid is for how long nobody is told of a need that they have spoken of themselves.
const JustSaid = 7 * day

// About tells what the model was learned from.
func (m *Model) About() About {
	if m == nil {
		return About{}
	}
	return m.about
}

// Horizon is how soon a need that is foreseen is expected.
func (m *Model) Horizon() time.Duration {
	if m == nil {
		return 0
	}
	return m.horizon
}

// Sure is the chance from which on a need is foreseen surely enough to act on it
// unasked: of the needs that cross it at most a tenth should not be spoken within
// the horizon. proven is false when too little came after what the model was
// learned from to know; then it is a careful guess, and nobody is written to by it.
func (m *Model) Sure() (chance float64, proven bool) {
	if m == nil {
		return 1, false
	}
	if m.sure == 0 {
		return carefully, false
	}
	return m.sure, true
}

// carefully is what counts as sure while nothing is known of how sure a model may be.
const carefully = 0.9

// Chances gives the chance of each need of Needs, in their order.
func (m *Model) Chances(r *Reading, out []float64) []float64 {
	out = append(out[:0], m.base...)
	for _, v := range r.Values {
		if f, ok := m.features[feature{v.Feature, v.Scale}]; ok {
			for k, w := range m.weights[f][v.Bin] {
				out[k] += w
			}
		}
	}
	for k, x := range out {
		out[k] = chance(x)
	}
	return out
}

func chance(logOdds float64) float64 { return 1 / (1 + math.Exp(-logOdds)) }

// Needs are those that the model knows, sorted.
func (m *Model) Needs() []string { return m.needs }

// Foresee gives every need with its reasons, the likeliest first; equal ones by name.
func (m *Model) Foresee(r Reading) []Foresight {
	if m == nil {
		return nil
	}
	all := make([]Foresight, len(m.needs))
	for k, need := range m.needs {
		f := Foresight{Need: need, Parts: []Part{{Name: "base", Value: m.base[k], Evidence: []evidence.Ref{}}}}
		x := m.base[k]
		for i, v := range r.Values {
			at, ok := m.features[feature{v.Feature, v.Scale}]
			if !ok || m.weights[at][v.Bin][k] == 0 {
				continue
			}
			w := m.weights[at][v.Bin][k]
			x += w
			f.Parts = append(f.Parts, Part{Name: v.String(), Value: w, Evidence: r.Cited(i)})
		}
		f.Chance = chance(x)
		slices.SortStableFunc(f.Parts, func(a, b Part) int { return cmp.Compare(math.Abs(b.Value), math.Abs(a.Value)) })
		all[k] = f
	}
	slices.SortStableFunc(all, func(a, b Foresight) int { return cmp.Compare(b.Chance, a.Chance) })
	return all
}
