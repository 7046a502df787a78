package decision_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
)

// In ten thousand made-up worlds of actions, needs and histories, what a decision
// promises holds in every one. A failing world is named by its seed.
func TestWhatADecisionPromisesHoldsInEveryWorld(t *testing.T) {
	t.Parallel()
	intents := []string{"support.troubleshoot", "support.howto", "order.place", "aftersale.repair", "presale.stock", "service.human"}
	natures := []decision.Nature{decision.Right, decision.Service, decision.Goodwill, decision.Sale}
	for seed := range uint64(10000) {
		r := rand.New(rand.NewPCG(seed, 1))
		some := func(p float64) bool { return r.Float64() < p }
		plan := &decision.Plan{Problems: []string{"support.*", "aftersale.*"}, Explained: []string{"support.howto"}, Temperature: r.Float64(), Floor: .05 * r.Float64(), Sales: r.IntN(3)}
		nature := map[string]*decision.Action{}
		for i := range 3 + r.IntN(12) {
			a := offer("a"+strconv.Itoa(i), natures[r.IntN(4)], .1+5*r.Float64(), intents[r.IntN(len(intents))])
			a.Resolves, a.Safety, a.Handover = some(.3), some(.05), some(.1)
			if some(.2) {
				a.Needs = nil
			}
			if some(.4) {
				a.Grants = "g" + strconv.Itoa(r.IntN(3))
			}
			if some(.3) {
				holds := some(.5)
				a.Policies = []decision.Policy{{ID: "p", Stage: decision.Suitability, Rule: when{"enquiry.asked", func(any) bool { return holds }}, Reason: both("no")}}
			}
			if some(.3) && a.Nature != decision.Right {
				a.Cap = &decision.Cap{Shown: 1, Within: 24 * time.Hour}
			}
			a.Prior.Base = r.NormFloat64()
			plan.Actions = append(plan.Actions, a)
		}
		if some(.7) {
			f := offer("person", decision.Service, 1)
			f.Fallback, f.Handover = true, true
			plan.Actions = append(plan.Actions, f)
		}
		for i := range plan.Actions {
			nature[plan.Actions[i].ID] = &plan.Actions[i]
		}
		var asked []string
		for range r.IntN(4) {
			asked = append(asked, intents[r.IntN(len(intents))])
		}
		in := input(spoken(asked...))
		in.Seed, in.Limit = seed, 1+r.IntN(5)
		for i := range in.Needs {
			in.Needs[i].Negated, in.Needs[i].Danger = some(.1), some(.05)
			if some(.1) {
				in.Needs[i].Readings = []need.Reading{{Intent: intents[0]}, {Intent: intents[1]}}
			}
			if some(.4) {
				in.Results = append(in.Results, candidate.Result{Answers: []candidate.Answer{{Need: in.Needs[i].ID, Facts: &candidate.Facts{}}}})
			}
		}
		if some(.5) {
			in.Person = &profile.Profile{Contacts: []profile.Contact{{Action: "a0", Shown: noon.Add(-time.Hour)}, {Action: "a1", Shown: noon.Add(-time.Hour)}}}
		}
		d := decision.Decide(plan, in)
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("world %d: "+format, append([]any{seed}, args...)...)
		}
		var granted []string
		free, sales, rank := 0, 0, -1
		for i, c := range d.Chosen {
			a := nature[c.Action]
			at := slices.Index(natures, c.Nature)
			if c.Safety {
				at = -1
			}
			if at < rank {
				fail("%s stands after a later nature", c.Action)
			}
			rank = at
			if c.Position != i+1 || c.Probability <= 0 || c.Probability > 1 {
				fail("%s at %d with probability %v", c.Action, c.Position, c.Probability)
			}
			sum := 0.0
			for _, term := range c.Terms {
				sum += term.Value
			}
			if math.Abs(sum-c.Score) > 1e-9 {
				fail("the terms of %s add up to %v, not %v", c.Action, sum, c.Score)
			}
			switch {
			case c.Nature == decision.Right || c.Safety:
				if c.Probability != 1 {
					fail("%s is drawn", c.Action)
				}
			default:
				free++
				if slices.Contains(granted, a.Grants) && a.Grants != "" {
					fail("%s gives what a right gives already", c.Action)
				}
			}
			if c.Nature == decision.Right && a.Grants != "" {
				granted = append(granted, a.Grants)
			}
			if c.Nature == decision.Sale {
				sales++
				for _, n := range d.Needs {
					if n.Danger && !n.Negated {
						fail("%s is sold to somebody in danger", c.Action)
					}
				}
			}
			if a.Cap != nil && c.Nature == decision.Sale && !c.Safety && in.Person.Contacts != nil && (c.Action == "a0" || c.Action == "a1") {
				fail("%s was shown an hour ago and its cap is a day", c.Action)
			}
		}
		if free > in.Limit {
			fail("%d offers for %d places", free, in.Limit)
		}
		if sales > max(plan.Sales, 1) {
			fail("%d sales", sales)
		}
		for _, rejected := range d.Rejected {
			if rejected.Reason.Zh == "" || rejected.Reason.En == "" || rejected.Rule == "" || rejected.Stage == "" {
				fail("rejected without a word: %+v", rejected)
			}
			if slices.Contains(chosen(d), rejected.Action) && len(asked) < 2 {
				fail("%s is both offered and rejected", rejected.Action)
			}
		}
		// Every action that serves a need is offered or rejected.
		for _, a := range plan.Actions {
			serves := slices.ContainsFunc(in.Needs, func(n need.Need) bool {
				return !n.Negated && len(n.Readings) == 0 && (len(a.Needs) == 0 || slices.Contains(a.Needs, n.Intent))
			})
			if serves && !a.Fallback && !slices.Contains(chosen(d), a.ID) && !slices.ContainsFunc(d.Rejected, func(r decision.Rejected) bool { return r.Action == a.ID }) {
				fail("%s serves a need and is neither offered nor rejected", a.ID)
			}
		}
		for _, n := range d.Needs {
			if n.Status == "" {
				fail("%s has no status", n.Intent)
			}
		}
		if t.Failed() {
			return
		}
	}
}
