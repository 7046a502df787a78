package offpolicy

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// The formulas of the Open Bandit Pipeline, written out by hand on three rounds:
//
//	reward          1    0    1
//	logged          1/2  1/4  1/5
//	policy          1/4  1/2  1/10
//	weight          1/2  2    1/2
//	q of the shown  3/10 1/5  2/5
//	Σ policy·q      1/4  3/10 7/20
func TestTheEstimatorsAreThoseOfTheOpenBanditPipeline(t *testing.T) {
	t.Parallel()
	rounds := []Round{
		{Reward: 1, Logged: .5, Policy: .25, Predicted: .3, Expected: .25},
		{Reward: 0, Logged: .25, Policy: .5, Predicted: .2, Expected: .3},
		{Reward: 1, Logged: .2, Policy: .1, Predicted: .4, Expected: .35},
	}
	e, err := Evaluate(rounds, Options{Clip: 1.5, Switch: 1, Least: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"mean of the log", e.Logged.Value, 2.0 / 3},
		{"IPS", e.IPS.Value, (.5 + 0 + .5) / 3},                                 // 1/3
		{"SNIPS", e.SNIPS.Value, (.5 + 0 + .5) / (.5 + 2 + .5)},                 // 1/3 of 3
		{"DR", e.DR.Value, ((.5*.7 + .25) + (2*-.2 + .3) + (.5*.6 + .35)) / 3},  // 1.15/3
		{"clipped", e.Clipped.Value, (.5 + 0 + .5) / 3},                         // the clipped round earned nothing
		{"switch", e.Switch.Value, ((.5*.7 + .25) + .3 + (.5*.6 + .35)) / 3},    // 1.55/3
		{"effective", e.Effective, 9 / 4.5},                                     // 3² / (¼+4+¼)
		{"error of IPS", e.IPS.Error, math.Sqrt((1.0/36+1.0/9+1.0/36)*3/2) / 3}, // deviations 1/6, −1/3, 1/6
		{"half width of IPS", (e.IPS.High - e.IPS.Low) / 2, 1.959963984540054 * math.Sqrt((1.0/6)*3/2) / 3},
	} {
		if math.Abs(c.got-c.want) > 1e-10 {
			t.Errorf("%s: %.15f, by hand %.15f", c.name, c.got, c.want)
		}
	}
}

// reference is a second writing of the formulas, over columns as the pipeline has them.
func reference(reward, logged, policy, predicted, expected []float64) (ips, snips, dr float64) {
	n, weights := 0.0, 0.0
	for i := range reward {
		iw := policy[i] / logged[i]
		weights += iw
		ips += reward[i] * iw
		dr += expected[i]
		dr += iw * (reward[i] - predicted[i])
		n++
	}
	return ips / n, (ips / n) / (weights / n), dr / n
}

func TestTheEstimatorsAgreeWithTheirReferenceOnFixedVectors(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(21, 22))
	for range 200 {
		n := 1 + r.IntN(500)
		rounds := make([]Round, n)
		var reward, logged, policy, predicted, expected []float64
		for i := range rounds {
			x := Round{Reward: float64(r.IntN(2)), Logged: .01 + .99*r.Float64(), Policy: .01 + .99*r.Float64(), Predicted: r.Float64(), Expected: r.Float64()}
			rounds[i] = x
			reward, logged, policy = append(reward, x.Reward), append(logged, x.Logged), append(policy, x.Policy)
			predicted, expected = append(predicted, x.Predicted), append(expected, x.Expected)
		}
		e, err := Evaluate(rounds, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ips, snips, dr := reference(reward, logged, policy, predicted, expected)
		if math.Abs(e.IPS.Value-ips) > 1e-10 || math.Abs(e.SNIPS.Value-snips) > 1e-10 || math.Abs(e.DR.Value-dr) > 1e-10 {
			t.Fatalf("%v %v %v, reference %v %v %v", e.IPS.Value, e.SNIPS.Value, e.DR.Value, ips, snips, dr)
		}
	}
}

// bandit is a small world of which everything is known.
type bandit struct{ logged, policy, reward [3][4]float64 }

func newBandit(r *rand.Rand) (b bandit) {
	deal := func() (p [4]float64) {
		sum := 0.0
		for a := range p {
			p[a] = .15 + r.Float64()
			sum += p[a]
		}
		for a := range p {
			p[a] /= sum
		}
		return p
	}
	for x := range b.logged {
		b.logged[x], b.policy[x] = deal(), deal()
		for a := range 4 {
			b.reward[x][a] = .05 + .4*r.Float64()
		}
	}
	return b
}

func (b *bandit) truth() (v float64) {
	for x := range 3 {
		for a := range 4 {
			v += b.policy[x][a] * b.reward[x][a] / 3
		}
	}
	return v
}

func (b *bandit) log(r *rand.Rand, n int) []Round {
	rounds := make([]Round, n)
	for i := range rounds {
		x, u, a := r.IntN(3), r.Float64(), 0
		for a < 3 && u >= b.logged[x][a] {
			u -= b.logged[x][a]
			a++
		}
		rounds[i] = Round{Logged: b.logged[x][a], Policy: b.policy[x][a]}
		if r.Float64() < b.reward[x][a] {
			rounds[i].Reward = 1
		}
		for k := range 4 { // a model that is wrong: it thinks that nobody's taste differs
			rounds[i].Expected += b.policy[x][k] * (.1 + .05*float64(k))
		}
		rounds[i].Predicted = .1 + .05*float64(a)
	}
	return rounds
}

// The promise is 930 of 1,000. Four thousand are drawn, so that a fair run of an interval
// that keeps its 95 % stays above by more than five standard errors.
func TestTheIntervalsCoverTheTruth(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 5))
	replications := 4000
	if os.Getenv("RAPPORT_PROVE") != "" {
		replications = 40_000
	}
	var ips, snips, dr int
	for range replications {
		b := newBandit(r)
		e, err := Evaluate(b.log(r, 1500), Options{})
		if err != nil || !e.Enough {
			t.Fatalf("seed %d: %+v %v", seed, e, err)
		}
		v := b.truth()
		for _, c := range []struct {
			e Estimate
			n *int
		}{{e.IPS, &ips}, {e.SNIPS, &snips}, {e.DR, &dr}} {
			if c.e.Low <= v && v <= c.e.High {
				*c.n++
			}
		}
	}
	t.Logf("seed %d: of %d intervals IPS covers %d, SNIPS %d, DR %d", seed, replications, ips, snips, dr)
	if least := replications * 93 / 100; min(ips, snips, dr) < least {
		t.Errorf("seed %d: IPS covers %d, SNIPS %d, DR %d of %d", seed, ips, snips, dr, replications)
	}
}

func TestTooLittleEvidenceIsAnAnswer(t *testing.T) {
	t.Parallel()
	var rounds []Round
	for range 5000 {
		rounds = append(rounds, Round{Logged: .999, Policy: .001})
	}
	rounds = append(rounds, Round{Reward: 1, Logged: .001, Policy: .999})
	if e, err := Evaluate(rounds, Options{}); err != nil || e.Enough || e.Reason == "" || e.Effective > 2 {
		t.Errorf("one round decides all: %+v %v", e, err)
	}
	if e, err := Evaluate(rounds[:100], Options{}); err != nil || e.Rounds != 100 || !e.Enough {
		t.Errorf("a hundred equal weights: %+v %v", e, err)
	}
	for _, none := range [][]Round{nil, {{Reward: 1, Logged: .5, Policy: 0}}} {
		if e, err := Evaluate(none, Options{}); err != nil || e.Enough || e.Reason == "" {
			t.Errorf("%+v %v", e, err)
		}
	}
	for _, impossible := range []Round{{Logged: 0, Policy: .5}, {Logged: 1.5}, {Logged: .5, Policy: math.NaN()}, {Logged: .5, Policy: -1}, {Logged: .5, Reward: math.Inf(1)}} {
		if _, err := Evaluate([]Round{impossible}, Options{}); err == nil {
			t.Errorf("%+v is evaluated", impossible)
		}
	}
}

func TestRoundsOfOnePersonAreNotIndependent(t *testing.T) {
	t.Parallel()
	var alone, together []Round
	for i := range 400 {
		x := Round{Reward: float64(i / 40 % 2), Logged: .5, Policy: .5}
		alone = append(alone, x)
		x.Person = strconv.Itoa(i / 40)
		together = append(together, x)
	}
	a, _ := Evaluate(alone, Options{})
	b, _ := Evaluate(together, Options{})
	if a.IPS.Value != b.IPS.Value || b.IPS.Error < 4*a.IPS.Error {
		t.Errorf("alone %+v, of ten persons %+v", a.IPS, b.IPS)
	}
}

// On the Open Bandit Dataset the uniform policy's log tells what that policy brought.
func TestItRunsOnTheOpenBanditDataset(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"../../../shared/data/bandit", "../../../../shared/data/bandit"} {
		if _, err := os.Stat(dir); err == nil {
			onDataset(t, dir)
			return
		}
	}
	t.Skip("the Open Bandit Dataset is not beside the repository")
}

func onDataset(t *testing.T, dir string) {
	f, err := os.Open(dir + "/bts/men/men.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rounds []Round
	for _, row := range rows[1:] {
		click, _ := strconv.ParseFloat(row[4], 64)
		p, err := strconv.ParseFloat(row[5], 64)
		if err != nil {
			t.Fatal(err)
		}
		rounds = append(rounds, Round{Reward: click, Logged: p, Policy: 1.0 / 34})
	}
	e, err := Evaluate(rounds, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rounds of Bernoulli Thompson sampling, worth %.0f of the uniform policy: logged %.5f, IPS %+v, SNIPS %+v", e.Rounds, e.Effective, e.Logged.Value, e.IPS, e.SNIPS)
	if e.Rounds != 10000 || e.SNIPS.Value <= 0 || e.SNIPS.Value > .05 {
		t.Errorf("%+v", e)
	}
}
