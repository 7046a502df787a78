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

// Who is on the phone with a mobile takes it: neither by itself says so.
func TestTwoFeaturesThatMatterOnlyTogetherAreAPair(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 9))
	plan, film := Offer{Parent: "sale", Action: "plan"}, Offer{Parent: "sale", Action: "film"}
	m := fit(shown(r, 6000, plan, func(device, channel string) float64 {
		if (device == "mobile") == (channel == "phone") {
			return .3
		}
		return .08
	}), shown(r, 6000, film, func(string, string) float64 { return .1 }))
	for device, want := range map[string]float64{"mobile": .3, "desktop": .08} {
		c := moment(device, "phone")
		if got := chanceOf(m, c, plan); math.Abs(got-want) > .03 {
			t.Errorf("%.2f on %s by phone take it, the model says %.3f", want, device, got)
		}
		sum, pairs := 0.0, 0
		for _, p := range m.Parts(c, plan) {
			if sum += p.Value; p.And != (Value{}) {
				pairs++
			}
		}
		if e := m.Estimate(m.Read(c), plan).LogOdds; math.Abs(sum-e) > 1e-9 || pairs == 0 {
			t.Errorf("%s by phone: %d pairs, the parts add up to %v, the estimate is %v", device, pairs, sum, e)
		}
		common, own := m.Read(c[:1]), m.Read(c[1:])
		if a, b := m.EstimateBoth(&common, &own, plan), m.Estimate(m.Read(c), plan); math.Abs(a.LogOdds-b.LogOdds) > 1e-12 || math.Abs(a.Variance-b.Variance) > 1e-12 {
			t.Errorf("read apart %+v, read together %+v", a, b)
		}
	}
	text, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Unmarshal(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Offer{plan, film} {
		if c := moment("mobile", "phone"); m.Estimate(m.Read(c), o) != back.Estimate(back.Read(c), o) {
			t.Errorf("stored and read again, %s is estimated otherwise", o.Action)
		}
		if o == film {
			for _, p := range m.Parts(moment("mobile", "phone"), o) {
				if p.And != (Value{}) {
					t.Errorf("nothing matters for the film, and it has the pair %+v", p)
				}
			}
		}
	}
}

func TestAPairThatMattersNoMoreGoes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(10, 10))
	tr := NewTrainer(Options{HalfLife: 2 * 24 * time.Hour})
	pairs := func(m *Model) (n int) {
		for _, p := range m.Parts(moment("mobile", "phone"), Offer{Action: "plan"}) {
			if p.And != (Value{}) {
				n++
			}
		}
		return n
	}
	add := func(days int, list []Sample) *Model {
		at := time.Time{}
		for _, s := range list {
			at = s.At.AddDate(0, 0, days)
			s.At = at
			tr.Add(s)
		}
		return tr.Fit(at)
	}
	m := add(0, shown(r, 5000, Offer{Action: "plan"}, func(device, channel string) float64 {
		return map[bool]float64{true: .4, false: .1}[(device == "mobile") == (channel == "phone")]
	}))
	if pairs(m) == 0 {
		t.Fatal("no pair is found")
	}
	if m = add(30, shown(r, 5000, Offer{Action: "plan"}, func(string, string) float64 { return .2 })); pairs(m) > 0 {
		t.Errorf("a month later nobody cares, and there are pairs yet: %+v", m.Parts(moment("mobile", "phone"), Offer{Action: "plan"}))
	}
}

// What is outstanding says nothing about how many take it, and is not tried out twice.
func TestWhatIsNotRipeMakesLessUncertainAndNothingElse(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(12, 12))
	plan, never := Offer{Action: "plan"}, Offer{Action: "never"}
	tr, again := NewTrainer(Options{}), NewTrainer(Options{})
	for _, s := range shown(r, 300, plan, func(string, string) float64 { return .2 }) {
		tr.Add(s)
		again.Add(s)
	}
	ripening := append(shown(r, 300, plan, func(string, string) float64 { return 1 }), shown(r, 40, never, func(string, string) float64 { return 1 })...)
	without, with := tr.Fit(start), again.Fit(start, ripening...)
	c := moment("mobile", "web")
	for _, o := range []Offer{plan, never} {
		before, after := without.Estimate(without.Read(c), o), with.Estimate(with.Read(c), o)
		if math.Abs(before.LogOdds-after.LogOdds) > 1e-9 {
			t.Errorf("%s: outstanding outcomes move it from %v to %v", o.Action, before.LogOdds, after.LogOdds)
		}
		if after.Variance > .9*before.Variance {
			t.Errorf("%s: outstanding outcomes leave it as uncertain as it was: %v, %v", o.Action, before.Variance, after.Variance)
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

// A model made from nothing knows what one knows that was fitted as outcomes came.
func TestTrainedAtOnceItKnowsWhatItWouldHaveLearnedStepByStep(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(13, 13))
	var all []Sample
	for i := range 6 {
		all = append(all, shown(r, 2000, Offer{Parent: "sale", Action: strconv.Itoa(i)}, func(device, channel string) float64 {
			return map[string]float64{"web": .05, "app": .1, "phone": .2}[channel] * map[string]float64{"mobile": 1, "desktop": float64(i) / 3}[device]
		})...)
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	now := start.Add(48 * time.Hour)
	steps := NewTrainer(Options{Sweeps: 2})
	for i, s := range all {
		if s.At = start.Add(time.Duration(i) * time.Second); i%100 == 99 {
			steps.Fit(now)
		}
		all[i] = s
		steps.Add(s)
	}
	once, slowly := Train(all, now), steps.Fit(now)
	for i := range 6 {
		for _, device := range []string{"mobile", "desktop"} {
			c, o := moment(device, "app"), Offer{Parent: "sale", Action: strconv.Itoa(i)}
			if a, b := chanceOf(once, c, o), chanceOf(slowly, c, o); math.Abs(a-b) > .02 {
				t.Errorf("action %d on %s: %.3f at once, %.3f step by step", i, device, a, b)
			}
		}
	}
}
