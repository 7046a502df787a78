package odds_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rapport-cx/rapport/need/odds"
)

func TestWeightsAreFoundAgainFromWhatTheyMade(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(2026, 3))
	want := []float64{-0.5, 2, 0, -1}
	var rows []float64
	var yes []bool
	for range 20000 {
		z := want[0]
		rows = append(rows, 1)
		for _, w := range want[1:] {
			v := random.NormFloat64()
			rows = append(rows, v)
			z += w * v
		}
		yes = append(yes, random.Float64() < odds.Probability(z))
	}
	got := odds.Fit(rows, yes, make([]float64, 4), []float64{1e-2, 1e-2, 1e-2, 1e-2})
	for k := range want {
		if math.Abs(got[k]-want[k]) > 0.1 {
			t.Errorf("weights %.2f made the answers, %.2f were found", want, got)
			break
		}
	}
}

func TestWhatIsAlwaysToldRightIsStillNoCertainty(t *testing.T) {
	t.Parallel()
	rows, yes := []float64{1, 2, 1, 3, 1, -2, 1, -3}, []bool{true, true, false, false}
	beta := odds.Fit(rows, yes, []float64{0, 1}, []float64{1e-2, 1e-2})
	p := odds.Probability(beta[0] + beta[1]*3)
	if !(p > 0.9 && p < 1) {
		t.Errorf("weights %v say %v of a clear case", beta, p)
	}
}
