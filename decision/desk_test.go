package decision_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// A decision is made with memory that the last one used. Nothing of one customer is
// seen in another's decision, and nothing of a decision changes when others are made.
func TestDecisionsShareNothing(t *testing.T) {
	t.Parallel()
	plan := exploring("case", "film", "stand", "bag")
	for i := range plan.Actions {
		fact := fmt.Sprintf("person.traits.t%d", i)
		plan.Actions[i].Policies = []decision.Policy{{ID: "known", Stage: decision.Suitability, Reason: both("not known"), Rule: when{fact, func(any) bool { return true }}}}
		plan.Actions[i].Prior.Parts = []decision.Weight{{Name: "part", Value: .1, Rule: when{fact, func(any) bool { return true }}}}
	}
	model := learnedFrom(exploring("case", "film", "stand", "bag"), 200, func(string, string) float64 { return .2 })
	of := func(i int) decision.Input {
		in := input(spoken([]string{"order.place", "order.place"}[:1+i%2]...))
		in.Seed, in.Limit, in.Model = uint64(i), 1+i%3, model
		in.Person = &profile.Profile{Traits: map[string]profile.Trait{}}
		for k := range 4 {
			if (i+k)%3 > 0 {
				in.Person.Traits[fmt.Sprintf("t%d", k)] = profile.Trait{Value: true, Evidence: evidence.Ref(fmt.Sprintf("evt_%d_%d", i, k))}
			}
		}
		return in
	}
	text := func(d decision.Decision) string {
		b, err := json.Marshal(d)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	const people = 24
	alone := make([]string, people)
	kept := make([]decision.Decision, people)
	for i := range people {
		kept[i] = decision.Decide(plan, of(i))
		alone[i] = text(kept[i])
	}
	var wait sync.WaitGroup
	for h := range 4 {
		wait.Go(func() {
			for k := range 20 * people {
				i := (k*(h+1) + h) % people
				if got := text(decision.Decide(plan, of(i))); got != alone[i] {
					t.Errorf("customer %d beside others:\n%s\nalone:\n%s", i, got, alone[i])
					return
				}
			}
		})
	}
	wait.Wait()
	for i := range people {
		if got := text(kept[i]); got != alone[i] {
			t.Errorf("customer %d: the decision was\n%s\nand has become\n%s", i, alone[i], got)
		}
		for _, r := range kept[i].Rejected {
			for _, ref := range r.Evidence {
				if want := fmt.Sprintf("evt_%d_", i); ref.Kind() == evidence.Event && string(ref[:len(want)]) != want {
					t.Errorf("customer %d is turned down for %s", i, ref)
				}
			}
		}
	}
}

// A tag whose rule asks for tags is told before all tags are known; what it read then
// is not what others read later.
func TestWhatATagAsksForIsNotRememberedForOthers(t *testing.T) {
	t.Parallel()
	plan := exploring("case")
	plan.Tags = []decision.Tag{
		{ID: "early", Rule: when{"tag.late", func(v any) bool { return v == false }}, Cites: []string{"person.traits.age"}, Sentence: both("early")},
		{ID: "late", Rule: when{"person.traits.age", func(any) bool { return true }}, Sentence: both("late")},
	}
	plan.Actions[0].Policies = []decision.Policy{{ID: "late", Stage: decision.Suitability, Reason: both("not late"), Rule: when{"tag.late", yes}}}
	in := input(spoken("order.place"))
	in.Person = &profile.Profile{Traits: map[string]profile.Trait{"age": {Value: 30.0, Evidence: "evt_age"}}}
	d := decision.Decide(plan, in)
	if !slices.Equal(chosen(d), []string{"case"}) {
		t.Errorf("chosen %v, rejected %+v", chosen(d), d.Rejected)
	}
}
