// Package predict is the foresight of need, step 4 of the flow: how likely each need
// is to be spoken soon, learned from what customers did before they spoke.
//
//	m := predict.Train(samples, predict.Options{})   // a job; the Model is swapped as a whole
//	for _, f := range m.Foresee(predict.Read(person, at, zone)) { … f.Chance, f.Parts … }
//
// For every need it is an additive logistic model over counts, recencies and streaks
// of events, the time since something was bought, how long the customer is known, and
// the season. So a prediction is a sum of named parts, each with the events it was
// read from.
//
// It never changes: [Read] reads nothing later than the moment it is asked for, and
// training and serving both read by it; a prediction equals the sum of its parts.
package predict

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// Value is one feature and the bin that its value falls into.
type Value struct {
	Feature string `json:"f"`
	Bin     string `json:"b"`
}

// Reading is what is read of a person at a moment. Cited are, by value, the events
// that it was read from, oldest first and at most citedLimit, the newest.
type Reading struct {
	Values []Value
	cited  [][]*event.Event
}

// Cited are the records that the i-th value was read from.
func (r *Reading) Cited(i int) []evidence.Ref {
	list := r.cited[i]
	list = list[max(0, len(list)-citedLimit):]
	refs := make([]evidence.Ref, len(list))
	for k, e := range list {
		refs[k] = evidence.Ref(e.ID.String())
	}
	return refs
}

const citedLimit = 16

const day = 24 * time.Hour

// longest is how far back a count looks.
const longest = 90 * day

var windows = []struct {
	name string
	d    time.Duration
}{{"7 days", 7 * day}, {"30 days", 30 * day}, {"90 days", longest}}

// Read reads a person as known at a moment. What happened after it, or is not
// verified to be theirs by the profile that is handed in, has no part in it. zone is
// the customer's; nil: UTC.
func Read(p *profile.Profile, at time.Time, zone *time.Location) Reading {
	var r Reading
	if zone == nil {
		zone = time.UTC
	}
	add := func(feature, bin string, of []*event.Event) {
		r.Values = append(r.Values, Value{feature, bin})
		r.cited = append(r.cited, of)
	}
	names := make([]string, 0, len(p.History))
	for name := range p.History {
		if !silent[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		all := p.Within(name, time.Time{}, at)
		if len(all) == 0 {
			continue
		}
		for _, w := range windows {
			of := p.Within(name, at.Add(-w.d), at)
			if len(of) > 0 {
				add(name+" in "+w.name, count(len(of)), of)
			}
		}
		last := all[len(all)-1]
		if since := at.Sub(last.Time); since < longest {
			add(name+" last", recency(since), all[len(all)-1:])
		}
		if weeks, of := streak(all, at); weeks > 1 {
			add(name+" weeks in a row", count(weeks), of)
		}
		if name == bought {
			add("owned", ownership(at.Sub(last.Time)), all[len(all)-1:])
		}
	}
	if !p.First.IsZero() && !p.First.After(at) {
		add("known", ownership(at.Sub(p.First)), nil)
	}
	local := at.In(zone)
	add("month", strconv.Itoa(int(local.Month())), nil)
	add("weekday", strconv.Itoa(int(local.Weekday())), nil)
	return r
}

const bought = "Order Completed"

// silent are events of our own doing; a model that read them would foresee itself.
var silent = map[string]bool{"Decision Shown": true, "Opened": true, "Accepted": true, "Dismissed": true, "Live Chat Message Received": true}

func count(n int) string {
	switch {
	case n <= 4:
		return strconv.Itoa(n)
	case n <= 6:
		return "5-6"
	case n <= 9:
		return "7-9"
	case n <= 15:
		return "10-15"
	}
	return "more than 15"
}

var recencies = []int{1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90}

func recency(d time.Duration) string {
	for _, n := range recencies {
		if d < time.Duration(n)*day {
			return "under " + strconv.Itoa(n) + " days"
		}
	}
	return ""
}

var ages = []int{14, 30, 60, 90, 120, 180, 365, 730}

func ownership(d time.Duration) string {
	for _, n := range ages {
		if d < time.Duration(n)*day {
			return "under " + strconv.Itoa(n) + " days"
		}
	}
	return "two years and more"
}

// streak counts the weeks in a row, back from a moment, that have an event each.
func streak(all []*event.Event, at time.Time) (weeks int, of []*event.Event) {
	i := len(all)
	for i > 0 {
		w := int(at.Sub(all[i-1].Time) / (7 * day))
		if w > weeks {
			break
		}
		if w == weeks {
			weeks++
		}
		i--
	}
	return weeks, all[i:]
}

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
	Version uint64 // under which it is kept; set before the model is shared
	horizon time.Duration
	needs   []string // sorted
	base    []float64
	weights map[Value][]float64 // by need
	about   About
}

// About says what a model was learned from, and how well it foresaw what came after.
type About struct {
	Samples int            `json:"samples"`
	Spoken  map[string]int `json:"spoken"` // samples that were followed by the need
	Horizon string         `json:"horizon"`
}

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

// Chances gives the chance of each need of Needs, in their order.
func (m *Model) Chances(r *Reading, out []float64) []float64 {
	out = append(out[:0], m.base...)
	for _, v := range r.Values {
		for k, w := range m.weights[v] {
			out[k] += w
		}
	}
	for k, x := range out {
		out[k] = 1 / (1 + math.Exp(-x))
	}
	return out
}

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
			if w := m.weights[v]; w != nil && w[k] != 0 {
				x += w[k]
				f.Parts = append(f.Parts, Part{Name: v.Feature + "=" + v.Bin, Value: w[k], Evidence: r.Cited(i)})
			}
		}
		f.Chance = 1 / (1 + math.Exp(-x))
		slices.SortStableFunc(f.Parts, func(a, b Part) int { return cmp.Compare(math.Abs(b.Value), math.Abs(a.Value)) })
		all[k] = f
	}
	slices.SortStableFunc(all, func(a, b Foresight) int { return cmp.Compare(b.Chance, a.Chance) })
	return all
}

// Sure is the chance from which on a need is foreseen surely enough to act on it
// unasked. It is crossed while a chance rises, and of those that cross it about
// one in twelve is not spoken within the horizon (measured: `rapport eval foresight`).
const Sure = 0.82
