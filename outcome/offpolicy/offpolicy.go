// Package offpolicy is the part of outcome, step 8 of the flow, that says from logged
// decisions what another way of choosing would have brought, without trying it on
// anybody.
//
//	e, err := offpolicy.Evaluate(rounds, offpolicy.Options{})
//	if e.Enough { … e.DR.Value, e.DR.Low, e.DR.High … }
//
// It rests on the choice probabilities that were computed before the draw and logged
// with each decision. The estimators are those of Saito et al., Open Bandit Dataset
// and Pipeline (2020): inverse propensity scoring, its self-normalised form, and
// doubly robust; clipping and switching bound the weight of single rounds. "Not
// enough evidence" is an answer: an interval is only given where enough of the log
// looks like what the other policy would do.
package offpolicy

import (
	"errors"
	"fmt"
	"math"
)

// Round is one logged draw.
type Round struct {
	Reward float64
	// Logged is the probability with which what was shown was chosen, Policy the one
	// with which the other policy would have chosen it.
	Logged float64
	Policy float64
	// Predicted is what a model says that the shown action brings, Expected what it
	// says that the other policy's choice brings: Σ policy(a)·q(a) over all actions. Both
	// 0: no model, and the doubly robust estimate is that of inverse propensity.
	Predicted float64
	Expected  float64
	// Person groups rounds that are not independent of each other; "": on its own.
	Person string
}

// Options of an evaluation; the zero value is right for most.
type Options struct {
	Clip   float64 // greatest weight of a round in the clipped estimate; 0: 20
	Switch float64 // above this weight the switching estimate trusts the model alone; 0: 10
	// Least is the effective sample size below which there is not enough evidence; 0: 100.
	Least float64
	Level float64 // of the intervals; 0: 0.95
}

// Estimate is a value with its interval.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Error float64 `json:"error"` // standard error
}

// Evaluation is what the log says of another policy.
type Evaluation struct {
	Rounds int `json:"rounds"`
	// Effective is how many rounds of the other policy's own the log is worth:
	// (Σw)²/Σw². Largest is the greatest weight.
	Effective float64  `json:"effective"`
	Largest   float64  `json:"largest"`
	Logged    Estimate `json:"logged"` // what the policy that was logged brought
	IPS       Estimate `json:"ips"`
	SNIPS     Estimate `json:"snips"`
	DR        Estimate `json:"dr"`
	Clipped   Estimate `json:"clipped"`
	Switch    Estimate `json:"switch"`
	Enough    bool     `json:"enough"`
	Reason    string   `json:"reason,omitempty"` // why there is not enough evidence
}

// ErrLog says that the log cannot be evaluated.
var ErrLog = errors.New("the log cannot be evaluated")

// Weight is how much more often the other policy would have chosen what was shown.
func (r *Round) Weight() float64 { return r.Policy / r.Logged }

// Evaluate estimates the mean reward of the other policy. A round that was chosen with
// no probability, or a number that is none, is an error, since nothing logged so is true.
func Evaluate(rounds []Round, o Options) (Evaluation, error) {
	if o.Clip <= 0 {
		o.Clip = 20
	}
	if o.Switch <= 0 {
		o.Switch = 10
	}
	if o.Least <= 0 {
		o.Least = 100
	}
	if o.Level <= 0 || o.Level >= 1 {
		o.Level = 0.95
	}
	e := Evaluation{Rounds: len(rounds)}
	if len(rounds) == 0 {
		e.Reason = "no rounds"
		return e, nil
	}
	var sum, squares, rewarded float64
	for i := range rounds {
		r := &rounds[i]
		bad := math.IsNaN(r.Reward+r.Policy+r.Predicted+r.Expected) || math.IsInf(r.Reward+r.Predicted+r.Expected, 0)
		if bad || !(r.Logged > 0) || r.Logged > 1+1e-9 || r.Policy < 0 || r.Policy > 1+1e-9 {
			return e, fmt.Errorf("round %d, chosen with probability %v and then %v, reward %v: %w", i, r.Logged, r.Policy, r.Reward, ErrLog)
		}
		w := r.Weight()
		sum, squares, rewarded = sum+w, squares+w*w, rewarded+w*r.Reward
		e.Largest = max(e.Largest, w)
	}
	if squares > 0 {
		e.Effective = sum * sum / squares
	}
	n := float64(len(rounds))
	mean := func(value func(*Round) float64) Estimate { return estimate(rounds, o.Level, value) }
	e.Logged = mean(func(r *Round) float64 { return r.Reward })
	e.IPS = mean(func(r *Round) float64 { return r.Weight() * r.Reward })
	e.DR = mean(func(r *Round) float64 { return r.Weight()*(r.Reward-r.Predicted) + r.Expected })
	e.Clipped = mean(func(r *Round) float64 { return min(r.Weight(), o.Clip) * r.Reward })
	e.Switch = mean(func(r *Round) float64 {
		if w := r.Weight(); w <= o.Switch {
			return w*(r.Reward-r.Predicted) + r.Expected
		}
		return r.Expected
	})
	if sum > 0 {
		value := rewarded / sum
		// The error of a ratio, linearised at its value.
		about := mean(func(r *Round) float64 { return r.Weight() * (r.Reward - value) / (sum / n) })
		e.SNIPS = Estimate{Value: value, Error: about.Error}
		e.SNIPS.Low, e.SNIPS.High = value+about.Low-about.Value, value+about.High-about.Value
	}
	switch {
	case sum == 0:
		e.Reason = "the other policy would never have done what was logged"
	case e.Effective < o.Least:
		e.Reason = fmt.Sprintf("the log is worth %.0f rounds of the other policy; it takes %.0f", e.Effective, o.Least)
	default:
		e.Enough = true
	}
	return e, nil
}

// estimate is the mean of a value with its standard error; rounds of one person are
// summed before they are compared. The interval is normal, moved by what the skewness
// of the values asks for (the second-order term of Hall, On the removal of skewness by
// transformation, 1992): rare rewards times great weights lie far to the right, and an
// even interval would miss the truth above it too often.
func estimate(rounds []Round, level float64, value func(*Round) float64) Estimate {
	n := float64(len(rounds))
	e := Estimate{}
	for i := range rounds {
		e.Value += value(&rounds[i])
	}
	e.Value /= n
	clusters := map[string]float64{}
	var names []string // in the order of the log: sums are made in one order
	squares, cubes, k := 0.0, 0.0, 0.0
	add := func(d float64) {
		squares += d * d
		cubes += d * d * d
		k++
	}
	for i := range rounds {
		d := value(&rounds[i]) - e.Value
		p := rounds[i].Person
		if p == "" {
			add(d)
			continue
		}
		if _, known := clusters[p]; !known {
			names = append(names, p)
		}
		clusters[p] += d
	}
	for _, p := range names {
		add(clusters[p])
	}
	z := math.Sqrt2 * math.Erfinv(level)
	shift := 0.0
	if k > 1 {
		e.Error = math.Sqrt(squares*k/(k-1)) / n
	}
	if squares > 0 {
		skew := cubes / k / math.Pow(squares/k, 1.5)
		shift = min(max(skew*(2*z*z+1)/(6*math.Sqrt(k)), -1), 1) * e.Error
	}
	e.Low, e.High = e.Value-z*e.Error+shift, e.Value+z*e.Error+shift
	return e
}
