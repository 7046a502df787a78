package evaluate

import (
	"io"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// promised tells whether a world was foreseen as well as we promise, give or take a part
// of what was pushed and of what was in vain.
func promised(calibration, precision, share, vain, slack float64) bool {
	return calibration <= .02 && precision >= .9 && share >= .5*(1-slack) && vain <= .1*(1+slack)
}

// Needs are foreseen nearly as well as they can be from what is seen, and spoken of
// unasked only when they come. With RAPPORT_PROVE=1 in ten worlds of the promised size,
// whose seeds nothing was chosen by, and in a fresh one: the
// promise is of their mean; of what is pushed a single year may miss it by a fifth.
func TestNeedsAreForeseen(t *testing.T) {
	t.Parallel()
	fresh := rand.Uint64N(1 << 40)
	if os.Getenv("RAPPORT_PROVE") == "" {
		r, err := Foresight(t.Context(), ForesightOptions{Seed: fresh, Customers: 60}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(r)
		// Of worlds so small the calibration errors spread by a factor of 1.37 about .017, the
		// precisions by .038 about .91 of Bayes's (94 worlds): five of these away, and as far
		// above twice the share that may be in vain, chance does not come.
		n := float64(r.Pushes)
		if r.Calibration > .085 || r.Precision < .7*r.Bayes || float64(r.Idle) > .2*n+5*math.Sqrt(n*.2*.8) {
			t.Errorf("of few customers: %s", r)
		}
		return
	}
	seeds := []uint64{fresh}
	for i := range uint64(10) {
		seeds = append(seeds, 930001+i)
	}
	var all ForesightReports
	var mean [4]float64
	for _, seed := range seeds {
		r, err := Foresight(t.Context(), ForesightOptions{Seed: seed}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
		v := [4]float64{r.Calibration, r.Precision / r.Bayes, r.share(), r.vain()}
		if !promised(v[0], v[1], v[2], v[3], .2) {
			t.Errorf("%s", r)
		}
		for k := range v {
			mean[k] += v[k] / float64(len(seeds))
		}
	}
	t.Logf("\n%s", all)
	if !promised(mean[0], mean[1], mean[2], mean[3], 0) {
		t.Errorf("on the mean: %v", mean)
	}
}
