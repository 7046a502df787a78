package offpolicy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// spending is a world of which everything is known: three kinds of customers spend more
// or less, some offers move them, and a few spend very much.
type spending struct {
	logged, policy [3][4]float64
	base           [3]float64
	lift           [3][4]float64
}

func newSpending(r *rand.Rand) (w spending) {
	b := newBandit(r)
	w.logged, w.policy = b.logged, b.policy
	for x := range w.base {
		w.base[x] = 20 + 180*r.Float64()
		for a := range 4 {
			w.lift[x][a] = 60 * r.Float64()
		}
	}
	return w
}

func (w *spending) truth() (v float64) {
	for x := range 3 {
		v += w.base[x] / 3
		for a := range 4 {
			v += w.policy[x][a] * w.lift[x][a] / 3
		}
	}
	return v
}

// log lets each person come one to three times, and always as the same kind.
func (w *spending) log(r *rand.Rand, n int) (rounds []Round, sights []Sight) {
	for p := 0; len(rounds) < n; p++ {
		x, own := r.IntN(3), 30*r.NormFloat64()
		for range 1 + r.IntN(3) {
			u, a := r.Float64(), 0
			for a < 3 && u >= w.logged[x][a] {
				u -= w.logged[x][a]
				a++
			}
			reward := w.base[x] + own + w.lift[x][a] + 25*r.NormFloat64()
			rounds = append(rounds, Round{Reward: reward, Logged: w.logged[x][a], Policy: w.policy[x][a], Person: fmt.Sprint(p)})
			s := Sight{Context: []string{fmt.Sprint("kind ", x)}, Shown: []string{fmt.Sprint("offer ", a)}}
			for k := range 4 {
				s.Chances = append(s.Chances, Chance{fmt.Sprint("offer ", k), w.policy[x][k]})
			}
			sights = append(sights, s)
		}
	}
	return rounds, sights
}

// The doubly robust interval covers what is true of sums and shares alike, whatever the
// model that stands behind it, and is narrower than without one. RAPPORT_PROVE=1 tries
// 20,000 worlds.
func TestAFittedModelKeepsTheIntervalHonestAndMakesItNarrower(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 9))
	worlds, noise := 800, 3*math.Sqrt(800*.93*.07) // what eight hundred cannot tell from .93
	if os.Getenv("RAPPORT_PROVE") != "" {
		worlds, noise = 20_000, 0
	}
	covered, blind := 0, 0
	var plain, fitted float64
	for range worlds {
		w := newSpending(r)
		truth := w.truth()
		rounds, sights := w.log(r, 900)
		without, err := Evaluate(rounds, Options{})
		if err != nil || !without.Enough {
			t.Fatalf("seed %d: %+v %v", seed, without, err)
		}
		Fit(rounds, sights)
		e, err := Evaluate(rounds, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if e.DR.Low <= truth && truth <= e.DR.High {
			covered++
		}
		plain, fitted = plain+without.DR.Error, fitted+e.DR.Error
		// A model that is told nothing useful harms nothing.
		for i := range sights {
			sights[i].Context = []string{fmt.Sprint("coin ", r.IntN(2))}
			rounds[i].Predicted, rounds[i].Expected = 0, 0
		}
		Fit(rounds, sights)
		if e, err = Evaluate(rounds, Options{}); err != nil {
			t.Fatal(err)
		}
		if e.DR.Low <= truth && truth <= e.DR.High {
			blind++
		}
	}
	t.Logf("seed %d: of %d intervals %d cover the truth (%.1f %%), with a model that knows nobody's kind %d; the error is %.2f of that without a model",
		seed, worlds, covered, 100*float64(covered)/float64(worlds), blind, fitted/plain)
	if least := int(.93*float64(worlds) - noise); covered < least || blind < least {
		t.Errorf("seed %d: %d and %d of %d intervals cover the truth", seed, covered, blind, worlds)
	}
	if fitted > .8*plain {
		t.Errorf("seed %d: the model narrows the error to %.2f only", seed, fitted/plain)
	}
}

func TestAModelThatExplainsNothingIsNotUsed(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var rounds []Round
	var sights []Sight
	for i := range 600 {
		rounds = append(rounds, Round{Reward: r.NormFloat64(), Logged: .5, Policy: .5, Person: fmt.Sprint(i)})
		sights = append(sights, Sight{Context: []string{"c"}, Shown: []string{fmt.Sprint(i % 2)}, Chances: []Chance{{"0", .5}, {"1", .5}}})
	}
	few := slices.Clone(rounds[:30])
	if x := Fit(few, sights[:30]); x != 0 || few[0].Predicted != 0 {
		t.Errorf("thirty rounds taught it %v", x)
	}
	if x := Fit(rounds, sights); x != 0 || slices.ContainsFunc(rounds, func(r Round) bool { return r.Predicted != 0 || r.Expected != 0 }) {
		t.Errorf("of noise it explains %v", x)
	}
	for i := range rounds {
		rounds[i].Reward = float64(i % 2) // what was shown says it all
	}
	x := Fit(rounds, sights)
	e, err := Evaluate(rounds, Options{})
	if err != nil || x < .95 || math.Abs(e.DR.Value-.5) > .01 || e.DR.Error > .01 {
		t.Errorf("it explains %v, and the estimate is %+v %v", x, e.DR, err)
	}
	for i := range rounds {
		rounds[i].Person, rounds[i].Predicted, rounds[i].Expected = "one", 0, 0
	}
	if x := Fit(rounds, sights); x != 0 {
		t.Errorf("of one person, whom it cannot test on another, it explains %v", x)
	}
}
