package decision_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// learnedFrom makes a model of what came of decisions that accept decides.
func learnedFrom(plan *decision.Plan, n int, accept func(action, channel string) float64) *propensity.Model {
	r := rand.New(rand.NewPCG(11, 12))
	t := propensity.NewTrainer(propensity.Options{})
	for i := range n {
		in := input(spoken("order.place"))
		in.Seed, in.Scene.Channel, in.Limit = uint64(i), []string{"web", "app"}[i%2], 9
		for _, c := range decision.Decide(plan, in).Chosen {
			t.Add(propensity.Sample{At: noon, Context: c.Learn.Context, Offer: c.Learn.Offer, Prior: c.Learn.Prior, Accepted: r.Float64() < accept(c.Action, in.Scene.Channel)})
		}
	}
	m := t.Fit(noon)
	m.Version = 3
	return m
}

func exploring(actions ...string) *decision.Plan {
	plan := &decision.Plan{Exploration: 1, Floor: .02, Sales: 9}
	for _, id := range actions {
		plan.Actions = append(plan.Actions, offer(id, decision.Sale, 1, "order.place"))
	}
	return plan
}

func TestWhatWasTakenBeforeIsOfferedMore(t *testing.T) {
	t.Parallel()
	plan := exploring("case", "film", "stand")
	m := learnedFrom(plan, 2000, func(action, channel string) float64 {
		if action == "case" && channel == "app" || action == "film" && channel == "web" {
			return .5
		}
		return .05
	})
	for channel, wanted := range map[string]string{"web": "film", "app": "case"} {
		in := input(spoken("order.place"))
		in.Scene.Channel, in.Model, in.Limit = channel, m, 1
		d := decision.Decide(plan, in)
		for _, c := range d.Draw.Probabilities {
			if c.Action == wanted && c.Probability < .9 || c.Action != wanted && c.Probability > .06 {
				t.Errorf("on the %s, %s is drawn with %.3f", channel, c.Action, c.Probability)
			}
		}
		c := d.Chosen[0]
		logit, channelPart := 0.0, false
		for _, part := range c.Parts {
			logit += part.Value
			if part.Name == "learned scene.channel="+channel {
				channelPart = true
				if !slices.Contains(part.Evidence, evidence.Ref("model:propensity@3")) {
					t.Errorf("%s cites %v, not the model", part.Name, part.Evidence)
				}
			}
		}
		if !channelPart || math.Abs(logit-math.Log(*c.Propensity/(1-*c.Propensity))) > 1e-9 {
			t.Errorf("parts %+v add up to %v; the propensity is %v", c.Parts, logit, *c.Propensity)
		}
		if math.Abs(*c.Propensity-.5) > .1 {
			t.Errorf("half of them took it, the propensity is %.3f", *c.Propensity)
		}
	}
}

func TestANewActionStartsFromItsParent(t *testing.T) {
	t.Parallel()
	plan := exploring("case", "film")
	m := learnedFrom(plan, 2000, func(action, _ string) float64 { return map[string]float64{"case": .6, "film": .03}[action] })
	next := exploring("like_case", "plain")
	next.Actions[0].Like = "case"
	in := input(spoken("order.place"))
	in.Model, in.Limit = m, 9
	got := map[string]float64{}
	for _, c := range decision.Decide(next, in).Chosen {
		got[c.Action] = *c.Propensity
	}
	if got["plain"] > .45 || got["plain"] < .05 {
		t.Errorf("an action of no other's kind starts at %.3f", got["plain"])
	}
	if math.Abs(got["like_case"]-.6) > .15 {
		t.Errorf("an action like one that 60 %% take starts at %.3f", got["like_case"])
	}
}

func TestWhatIsNeverExploredIsOfferedOnlyAsTheBest(t *testing.T) {
	t.Parallel()
	plan := exploring("a", "b", "firm")
	plan.Actions[2].Firm = true
	for value, chosenAtAll := range map[float64]bool{.8: false, 4: true} {
		plan.Actions[2].Value = value
		n := 0
		for seed := range uint64(2000) {
			in := input(spoken("order.place"))
			in.Seed, in.Limit = seed, 1
			d := decision.Decide(plan, in)
			if slices.Equal(chosen(d), []string{"firm"}) {
				n++
			}
			for _, c := range d.Draw.Probabilities {
				if c.Action == "firm" && (c.Probability > 0) != chosenAtAll {
					t.Fatalf("worth %v, it is drawn with %v", value, c.Probability)
				}
			}
		}
		if (n > 0) != chosenAtAll {
			t.Errorf("worth %v, it was offered %d times", value, n)
		}
	}
}

func TestWithPersonalisationOffNothingPersonalIsLearnedFrom(t *testing.T) {
	t.Parallel()
	plan := exploring("case")
	in := input(spoken("order.place"))
	in.Personal, in.Scene.Channel = false, "web"
	in.Person = &profile.Profile{First: noon.AddDate(0, -3, 0), Contacts: []profile.Contact{{Action: "case", Shown: noon.AddDate(0, 0, -3)}}}
	for _, v := range decision.Decide(plan, in).Chosen[0].Learn.Context {
		switch v.Feature {
		case "scene.channel", "scene.locale", "scene.hour", "scene.weekday", "need.intent", "need.origin", "enquiry.problem":
		default:
			t.Errorf("%s=%s is read", v.Feature, v.Bin)
		}
	}
}
