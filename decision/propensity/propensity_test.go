package propensity

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func moment(device, channel string) Context {
	return Context{{"scene.device", device}, {"scene.channel", channel}}
}

// shown gives n samples of an action that the share of customers takes which taken says.
func shown(r *rand.Rand, n int, o Offer, taken func(device, channel string) float64) []Sample {
	var all []Sample
	for i := range n {
		device, channel := []string{"mobile", "desktop"}[r.IntN(2)], []string{"web", "app", "phone"}[r.IntN(3)]
		all = append(all, Sample{At: start.Add(time.Duration(i) * time.Minute), Context: moment(device, channel), Offer: o, Prior: -2, Accepted: r.Float64() < taken(device, channel)})
	}
	return all
}

func fit(samples ...[]Sample) *Model {
	t := NewTrainer(Options{})
	for _, list := range samples {
		for _, s := range list {
			t.Add(s)
		}
	}
	return t.Fit(start.Add(24 * time.Hour))
}

func chanceOf(m *Model, c Context, o Offer) float64 {
	return Logistic(-2 + m.Estimate(m.Read(c), o).LogOdds)
}

func TestItLearnsWhoTakesWhat(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	plan, film := Offer{Action: "plan"}, Offer{Action: "film"}
	m := fit(
		shown(r, 6000, plan, func(device, _ string) float64 { return map[string]float64{"mobile": .3, "desktop": .1}[device] }),
		shown(r, 6000, film, func(_, channel string) float64 {
			return map[string]float64{"web": .05, "app": .2, "phone": .02}[channel]
		}))
	for _, c := range []struct {
		o               Offer
		device, channel string
		want            float64
	}{{plan, "mobile", "web", .3}, {plan, "desktop", "app", .1}, {film, "mobile", "app", .2}, {film, "desktop", "phone", .02}} {
		if got := chanceOf(m, moment(c.device, c.channel), c.o); math.Abs(got-c.want) > .03 {
			t.Errorf("%s on %s by %s: %.3f take it, the model says %.3f", c.o.Action, c.device, c.channel, c.want, got)
		}
	}
	// A feature that does not matter weighs next to nothing.
	for _, p := range m.Parts(moment("mobile", "app"), plan) {
		if p.Feature == "scene.channel" && math.Abs(p.Value) > .15 {
			t.Errorf("the channel weighs %.3f in a choice that it does not sway", p.Value)
		}
	}
}

func TestAnEstimateIsTheSumOfItsParts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	m := fit(shown(r, 800, Offer{Parent: "sale", Action: "plan", Treatment: "card"}, func(string, string) float64 { return .2 }))
	for _, o := range []Offer{{Parent: "sale", Action: "plan", Treatment: "card"}, {Parent: "sale", Action: "new"}, {Parent: "goodwill", Like: "plan", Action: "new"}} {
		for _, c := range []Context{moment("mobile", "web"), moment("watch", "app"), nil} {
			sum := 0.0
			for _, p := range m.Parts(c, o) {
				sum += p.Value
			}
			if e := m.Estimate(m.Read(c), o); math.Abs(sum-e.LogOdds) > 1e-9 || e.Variance <= 0 {
				t.Errorf("%+v in %v: the parts add up to %v, the estimate is %+v", o, c, sum, e)
			}
		}
	}
}

func TestWhatIsSeldomSeenStaysNearItsParent(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	var all [][]Sample
	for i := range 8 {
		all = append(all, shown(r, 1500, Offer{Parent: "sale", Action: "old" + strconv.Itoa(i)}, func(string, string) float64 { return .25 }))
	}
	unlucky := shown(r, 6, Offer{Parent: "sale", Action: "new"}, func(string, string) float64 { return 0 })
	m := fit(append(all, unlucky)...)
	if got := chanceOf(m, moment("mobile", "web"), Offer{Parent: "sale", Action: "new"}); got < .12 || got > .26 {
		t.Errorf("six refusals make of an action of a kind that a quarter takes one with %.3f", got)
	}
	seen, unseen := m.Estimate(m.Read(moment("mobile", "web")), Offer{Parent: "sale", Action: "old1"}), m.Estimate(m.Read(moment("mobile", "web")), Offer{Parent: "sale", Action: "newer"})
	if seen.Variance >= unseen.Variance {
		t.Errorf("1,500 samples leave it as uncertain (%v) as none (%v)", seen.Variance, unseen.Variance)
	}
}

func TestOldSamplesFade(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	tr := NewTrainer(Options{HalfLife: 30 * 24 * time.Hour})
	for _, s := range shown(r, 3000, Offer{Action: "plan"}, func(string, string) float64 { return .4 }) {
		s.At = s.At.AddDate(0, -8, 0)
		tr.Add(s)
	}
	for _, s := range shown(r, 1000, Offer{Action: "plan"}, func(string, string) float64 { return .1 }) {
		tr.Add(s)
	}
	if got := chanceOf(tr.Fit(start.Add(24*time.Hour)), moment("mobile", "web"), Offer{Action: "plan"}); math.Abs(got-.1) > .04 {
		t.Errorf("a tenth take it now, the model says %.3f", got)
	}
}

func TestWhenCustomersTurnWhatWasLearnedBeforeIsForgotten(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	tr := NewTrainer(Options{})
	turned := start.Add(8000 * time.Minute)
	for i, s := range shown(r, 9500, Offer{Action: "plan"}, func(string, string) float64 { return .4 }) {
		if s.Expected = .4; i >= 8000 {
			s.Accepted = r.Float64() < .1
		}
		tr.Add(s)
	}
	m := tr.Fit(start.Add(9500 * time.Minute))
	if got := chanceOf(m, moment("mobile", "web"), Offer{Action: "plan"}); math.Abs(got-.1) > .04 {
		t.Errorf("a tenth take it since it turned, the model says %.3f", got)
	}
	drifts := m.About().Drifts
	if len(drifts) == 0 || math.Abs(time.UnixMilli(drifts[0].At).Sub(turned).Minutes()) > 120 {
		t.Errorf("it turned at %v, found are %+v", turned, drifts)
	}
}

func TestAStoredModelEstimatesTheSame(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 6))
	samples := shown(r, 500, Offer{Parent: "sale", Action: "plan", Treatment: "card"}, func(string, string) float64 { return .2 })
	m, again := fit(samples), fit(samples)
	text, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := again.Marshal(); !bytes.Equal(text, other) {
		t.Error("the same samples give another model")
	}
	back, err := Unmarshal(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Context{moment("mobile", "web"), moment("watch", "app")} {
		for _, o := range []Offer{{Parent: "sale", Action: "plan", Treatment: "card"}, {Action: "new"}} {
			if a, b := m.Estimate(m.Read(c), o), back.Estimate(back.Read(c), o); a != b {
				t.Errorf("%+v became %+v", a, b)
			}
		}
	}
	if back.About().Samples != 500 {
		t.Errorf("about: %+v", back.About())
	}
	for _, broken := range []string{"", "{}", `{"format":1,"bins":[{"s":3,"b":"x"}]}`, `{"format":1,"levels":[{"name":"general","bins":[7],"weights":[[1,1]]}]}`} {
		if _, err := Unmarshal([]byte(broken)); err == nil {
			t.Errorf("%q is read as a model", broken)
		}
	}
}

// The quadrature gives what drawing a million times gives.
func TestTheChanceToBeTheBestIsThatOfDrawing(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	for range 5 {
		n := 2 + r.IntN(6)
		mean, deviation := make([]float64, n), make([]float64, n)
		for i := range n {
			mean[i], deviation[i] = r.NormFloat64(), .1+r.Float64()
		}
		counts := make([]float64, n)
		const rounds = 100_000
		for range rounds {
			at, best := 0, math.Inf(-1)
			for i := range n {
				if x := mean[i] + deviation[i]*r.NormFloat64(); x > best {
					at, best = i, x
				}
			}
			counts[at]++
		}
		sum := 0.0
		for i, p := range Best(mean, deviation, nil) {
			if sum += p; math.Abs(p-counts[i]/rounds) > .01 {
				t.Errorf("candidate %d of %v ± %v: %.4f, drawn %.4f", i, mean, deviation, p, counts[i]/rounds)
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("the chances add up to %v", sum)
		}
	}
	if p := Best([]float64{1, 1, 0}, []float64{0, 0, 0}, nil); math.Abs(p[0]-.5) > 1e-9 || p[2] <= 0 || p[2] > 1e-200 {
		t.Errorf("two equal ones and a worse one, all certain: %v", p)
	}
	if bonus, deviation := Explore(-2, 1, 0); bonus != 0 || deviation != 0 {
		t.Error("a knob of 0 explores")
	}
}

func BenchmarkEstimateTwentyOffers(b *testing.B) {
	r := rand.New(rand.NewPCG(8, 8))
	var all [][]Sample
	for i := range 20 {
		all = append(all, shown(r, 200, Offer{Parent: "sale", Action: strconv.Itoa(i)}, func(string, string) float64 { return .2 }))
	}
	m := fit(all...)
	c := moment("mobile", "web")
	mean, deviation, out := make([]float64, 20), make([]float64, 20), make([]float64, 20)
	for b.Loop() {
		read := m.Read(c)
		for i := range mean {
			e := m.Estimate(read, Offer{Parent: "sale", Action: strconv.Itoa(i)})
			mean[i], deviation[i] = Explore(e.LogOdds, e.Variance, 1)
		}
		Best(mean, deviation, out)
	}
}
