package predict

import (
	"math"
	"slices"
	"time"
)

// corrections are slope and offset of each need's log-odds.
type corrections map[string][2]float64

// correct makes a model as sure of itself as it may be.
func (m *Model) correct(all corrections) {
	for k, need := range m.needs {
		c, ok := all[need]
		if !ok {
			continue
		}
		m.base[k] = float64(c[0]*m.base[k]) + c[1]
		for _, bins := range m.weights {
			for _, w := range bins {
				w[k] *= c[0]
			}
		}
	}
}

// measure learns from the older rows and looks at the newer: which ridge foresees
// them best, what corrects it, and from which chance on it may be acted upon.
func (t *Trainer) measure(older, newer []*row, from int64) (ridge float64, fitted corrections, held *HeldOut) {
	tried := ridges
	if t.o.Ridge > 0 {
		tried = []float64{t.o.Ridge}
	}
	var best *Model
	least := math.Inf(1)
	for _, r := range tried {
		m := t.learn(older, r)
		if loss := t.loss(m, newer); loss < least {
			best, ridge, least = m, r, loss
		}
	}
	fitted, slope, offset := t.platt(best, newer)
	best.correct(fitted)
	held = &HeldOut{From: time.Unix(from, 0).UTC(), Samples: len(newer), Slope: slope, Offset: offset}
	held.Sure, held.Pushes, held.InVain = t.threshold(best, from)
	return ridge, fitted, held
}

// level makes what a model foresees of rows come as often as it did. An offset that was
// measured on a part of the time is that part's: the model that is learned from all of
// it has taken it in already.
func (t *Trainer) level(m *Model, rows []*row) {
	weights := t.translated(m)
	x := make([][]float64, len(m.needs))
	came := make([]float64, len(m.needs))
	var out []float64
	for _, r := range rows {
		out = logOdds(m, weights, r, out)
		for k, need := range m.needs {
			x[k] = append(x[k], out[k])
			if slices.Contains(r.spoken, t.spoken[need]) {
				came[k]++
			}
		}
	}
	for k := range x {
		offset := 0.0
		for range 20 {
			g, h := came[k], 1e-6
			for _, x := range x[k] {
				p := chance(x + offset)
				g, h = g-p, h+p*(1-p)
			}
			offset += bounded(g / h)
		}
		m.base[k] += offset
	}
}

// translated are a model's weights by the trainer's numbers of features.
func (t *Trainer) translated(m *Model) [][][]float64 {
	all := make([][][]float64, len(t.features))
	for f, name := range t.features {
		if i, ok := m.features[name]; ok {
			all[f] = m.weights[i]
		}
	}
	return all
}

func logOdds(m *Model, weights [][][]float64, r *row, out []float64) []float64 {
	out = append(out[:0], m.base...)
	for _, v := range r.values {
		if w := weights[v>>binBits]; w != nil {
			for k, x := range w[v&(1<<binBits-1)] {
				out[k] += x
			}
		}
	}
	return out
}

// came is 1 when a need was spoken in a row, else 0.
func (t *Trainer) came(r *row, need string) float64 {
	if slices.Contains(r.spoken, t.spoken[need]) {
		return 1
	}
	return 0
}

// loss is how badly a model foresees rows, in nats.
func (t *Trainer) loss(m *Model, rows []*row) (sum float64) {
	weights := t.translated(m)
	var x []float64
	for _, r := range rows {
		x = logOdds(m, weights, r, x)
		for k, need := range m.needs {
			came := t.came(r, need)
			sum += surprise(x[k], came)
		}
	}
	return sum
}

// One need's slope and offset may differ from all needs' by so much, and all needs'
// from none.
const (
	apart = 0.15
	wrong = 0.5
)

// platt fits slope and offset of the log-odds to what came of rows that the model was
// not learned from.
func (t *Trainer) platt(m *Model, rows []*row) (all corrections, slope, offset float64) {
	weights := t.translated(m)
	x, y := make([][]float64, len(m.needs)), make([][]float64, len(m.needs))
	var wholeX, wholeY, out []float64
	for _, r := range rows {
		out = logOdds(m, weights, r, out)
		for k, need := range m.needs {
			came := t.came(r, need)
			x[k], y[k] = append(x[k], out[k]), append(y[k], came)
		}
	}
	for k := range x {
		wholeX, wholeY = append(wholeX, x[k]...), append(wholeY, y[k]...)
	}
	slope, offset = plattOf(wholeX, wholeY, 1, 0, wrong)
	all = corrections{}
	for k, need := range m.needs {
		a, b := plattOf(x[k], y[k], slope, offset, apart)
		all[need] = [2]float64{a, b}
	}
	return all, slope, offset
}

// bounded keeps a step of Newton's method from leaping past its goal.
func bounded(step float64) float64 { return min(max(step, -1), 1) }

// plattOf fits, by Newton's method, a slope and an offset that are believed to be
// about these, give or take a deviation.
func plattOf(x, y []float64, aboutSlope, aboutOffset, deviation float64) (slope, offset float64) {
	slope, offset = aboutSlope, aboutOffset
	belief := 1 / (deviation * deviation * overlap)
	for range 20 {
		ga, gb, haa, hab, hbb := belief*(aboutSlope-slope), belief*(aboutOffset-offset), belief, 0.0, belief
		for i, x := range x {
			p := chance(slope*x + offset)
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
		return aboutSlope, aboutOffset
	}
	return slope, offset
}

// The thresholds that are looked at, in hundredths.
const (
	leastSure = 50
	mostSure  = 99
	agreeing  = 3 // as many in a row must do, so that none is taken by luck
)

// doubt is how many standard deviations the bound lies above what was counted: what is
// said of unasked comes in spells of few customers, so that one in a hundred is not too
// careful.
const doubt = 2.326

// threshold gives the least chance from which on, in either half of the time held out,
// an upper bound of the share of pushes in vain stays within what is allowed; 0 when
// not even that of the whole time does. One season is not like another: of two halves
// the worse one counts.
// A need is pushed once within its horizon, and not to who has just spoken of it.
func (t *Trainer) threshold(m *Model, from int64) (sure float64, pushes, vain int) {
	weights, span := t.translated(m), int64(t.o.Horizon/time.Second)
	const n = mostSure - leastSure + 1
	var said, idle [2][n]int
	numbers := make([]uint16, len(m.needs))
	for k, need := range m.needs {
		numbers[k] = t.spoken[need]
	}
	to := from
	for i := range t.rows {
		to = max(to, t.rows[i].at)
	}
	last := make([][n]int64, len(m.needs)) // by need: when each threshold pushed last
	who := int32(-1)
	var x []float64
	for i := range t.rows {
		r := &t.rows[i]
		if r.who > t.watched {
			break
		}
		if r.at < from {
			continue
		}
		if r.who != who {
			who = r.who
			clear(last)
		}
		half := 0
		if r.at > from+(to-from)/2 {
			half = 1
		}
		x = logOdds(m, weights, r, x)
		for k, need := range numbers {
			if slices.Contains(r.said, need) {
				continue
			}
			for s := range min(n, int(100*chance(x[k]))-leastSure+1) {
				if last[k][s] != 0 && r.at-last[k][s] <= span {
					continue
				}
				last[k][s] = r.at
				said[half][s]++
				if !slices.Contains(r.spoken, need) {
					idle[half][s]++
				}
			}
		}
	}
	// Of the thresholds that keep well within what is allowed in both halves, the least;
	// none is taken by luck, several in a row must do. Else, of those that keep within it
	// over the whole time, the one at which the worse half is best.
	good, safest := 0, 1.0
	for s := n - 1; s >= 0; s-- {
		whole := bound(idle[0][s]+idle[1][s], said[0][s]+said[1][s])
		worse := max(bound(idle[0][s], said[0][s]), bound(idle[1][s], said[1][s]))
		if worse <= drift*t.o.InVain {
			good++
		} else if good >= agreeing {
			break
		} else {
			good = 0
		}
		if good >= agreeing || whole <= t.o.InVain && worse < safest {
			sure, pushes, vain = float64(s+leastSure)/100, said[0][s]+said[1][s], idle[0][s]+idle[1][s]
			safest = worse
		}
	}
	return sure, pushes, vain
}

// drift is the part of what is allowed that the time held out may use up: a year on,
// the share in vain was up to a half more than there (in some twenty made-up worlds),
// because the time held out is also the one that the corrections were fitted to.
const drift = 0.85

// bound is Wilson's upper bound (1927) of a share.
func bound(k, n int) float64 {
	if n == 0 {
		return 1
	}
	share, count, z := float64(k)/float64(n), float64(n), doubt
	return (share + z*z/(2*count) + z*math.Sqrt(share*(1-share)/count+z*z/(4*count*count))) / (1 + z*z/count)
}
