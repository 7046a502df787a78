package propensity

import "math"

// Naive is the baseline that is shown beside the model: binned naive Bayes, one
// counter for each action, feature and bin, which is what the market leader's
// adaptive models are. It learns at each sample and forgets nothing.
type Naive struct {
	actions map[string]*naiveAction
}

type naiveAction struct {
	all  [2]float64
	bins map[Value]*[2]float64
	size map[string]float64 // how many bins a feature has been seen with
}

// NewNaive is a baseline that has seen nothing.
func NewNaive() *Naive { return &Naive{actions: map[string]*naiveAction{}} }

// Add counts one sample.
func (n *Naive) Add(s Sample) {
	a := n.actions[s.Offer.Action]
	if a == nil {
		a = &naiveAction{bins: map[Value]*[2]float64{}, size: map[string]float64{}}
		n.actions[s.Offer.Action] = a
	}
	y := 0
	if s.Accepted {
		y = 1
	}
	a.all[y]++
	for _, v := range s.Context {
		b := a.bins[v]
		if b == nil {
			b = new([2]float64)
			a.bins[v] = b
			a.size[v.Feature]++
		}
		b[y]++
	}
}

// Estimate is the log-odds of an action, with the variance of its overall rate.
func (n *Naive) Estimate(c Context, action string) Estimate {
	a := n.actions[action]
	if a == nil {
		return Estimate{Variance: 2}
	}
	e := Estimate{LogOdds: math.Log((a.all[1] + 0.5) / (a.all[0] + 0.5)), Variance: 1/(a.all[1]+0.5) + 1/(a.all[0]+0.5)}
	for _, v := range c {
		if b := a.bins[v]; b != nil {
			k := a.size[v.Feature]
			e.LogOdds += math.Log((b[1] + 0.5) / (a.all[1] + 0.5*k) / ((b[0] + 0.5) / (a.all[0] + 0.5*k)))
		}
	}
	return e
}
