package propensity

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// stored is a model as it is kept: what was never seen at a level is left out.
type stored struct {
	Format   int               `json:"format"`
	About    About             `json:"about"`
	Features []string          `json:"features"`
	Bins     []storedBin       `json:"bins"`
	Bias     [depths]float64   `json:"bias"`
	Prior    [depths][]float64 `json:"prior"`
	Levels   []storedLevel     `json:"levels"`
}

type storedBin struct {
	Slot int32  `json:"s"`
	Bin  string `json:"b"`
}

type storedLevel struct {
	Name    string       `json:"name"`
	Bias    [2]float64   `json:"bias"`
	Priors  []float64    `json:"priors"`
	Bins    []int32      `json:"bins"`
	Weights [][2]float64 `json:"weights"`
	Pairs   []storedPair `json:"pairs,omitempty"`
}

type storedPair struct {
	Bins   [2]int32   `json:"b"`
	Weight [2]float64 `json:"w"`
}

// storeFormat is 2 since there are pairs; a model without any reads the same in both.
const storeFormat = 2

// Marshal is the model as text; equal models have equal text.
func (m *Model) Marshal() ([]byte, error) {
	if m == nil {
		return nil, errors.New("no model to store")
	}
	s := stored{Format: storeFormat, About: m.about, Features: m.features, Bias: m.bias, Prior: m.prior, Bins: make([]storedBin, len(m.slot))}
	for v, b := range m.bins {
		s.Bins[b] = storedBin{m.slot[b], v.Bin}
	}
	for name, l := range m.levels {
		o := storedLevel{Name: name, Bias: [2]float64{l.bias.Mean, l.bias.Variance}, Priors: l.priors}
		for b, w := range l.weights {
			if w.Variance > 0 {
				o.Bins, o.Weights = append(o.Bins, int32(b)), append(o.Weights, [2]float64{w.Mean, w.Variance})
			}
		}
		for _, p := range l.pairs {
			o.Pairs = append(o.Pairs, storedPair{[2]int32{p.a, p.b}, [2]float64{p.Mean, p.Variance}})
		}
		s.Levels = append(s.Levels, o)
	}
	slices.SortFunc(s.Levels, func(a, b storedLevel) int { return strings.Compare(a.Name, b.Name) })
	return json.Marshal(s)
}

// Unmarshal reads a stored model.
func Unmarshal(text []byte) (*Model, error) {
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("stored propensity model: %w", err)
	}
	if s.Format < 1 || s.Format > storeFormat {
		return nil, fmt.Errorf("stored propensity model: format %d, wanted at most %d", s.Format, storeFormat)
	}
	m := &Model{features: s.Features, bins: make(map[Value]int32, len(s.Bins)), slot: make([]int32, len(s.Bins)),
		levels: make(map[string]*level, len(s.Levels)), bias: s.Bias, prior: s.Prior, about: s.About}
	broken := errors.New("stored propensity model: its parts do not fit")
	for b, v := range s.Bins {
		if v.Slot < 0 || int(v.Slot) >= len(s.Features) {
			return nil, broken
		}
		m.bins[Value{s.Features[v.Slot], v.Bin}], m.slot[b] = int32(b), v.Slot
	}
	for _, p := range s.Prior {
		if len(p) != len(s.Features) {
			return nil, broken
		}
	}
	for _, o := range s.Levels {
		if len(o.Bins) != len(o.Weights) || len(o.Priors) != len(s.Features) || !finite(o.Bias) {
			return nil, broken
		}
		l := &level{bias: Weight{o.Bias[0], o.Bias[1]}, weights: make([]Weight, len(s.Bins)), priors: o.Priors}
		for i, b := range o.Bins {
			if b < 0 || int(b) >= len(l.weights) || !finite(o.Weights[i]) {
				return nil, broken
			}
			l.weights[b] = Weight{o.Weights[i][0], o.Weights[i][1]}
		}
		for _, p := range o.Pairs {
			if a, b := p.Bins[0], p.Bins[1]; a < 0 || b < 0 || int(a) >= len(l.weights) || int(b) >= len(l.weights) || !finite(p.Weight) {
				return nil, broken
			}
			l.pairs = append(l.pairs, pairWeight{p.Bins[0], p.Bins[1], Weight{p.Weight[0], p.Weight[1]}})
		}
		m.levels[o.Name] = l
	}
	m.index()
	return m, nil
}

func finite(w [2]float64) bool { return !math.IsNaN(w[0]+w[1]) && !math.IsInf(w[0]+w[1], 0) }
