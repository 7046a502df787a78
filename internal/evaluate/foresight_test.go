package evaluate

import (
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

// Needs are foreseen nearly as well as they can be from what is seen, and spoken of
// unasked only when they come. With RAPPORT_PROVE=1 at the size of our promise.
func TestNeedsAreForeseen(t *testing.T) {
	t.Parallel()
	o := ForesightOptions{Seed: rand.Uint64N(1 << 40), Customers: 40}
	proving := os.Getenv("RAPPORT_PROVE") != ""
	if proving {
		o.Customers = 600
	}
	r, err := Foresight(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	pushed, idle := float64(r.Pushed)/float64(r.Foreseeable), float64(r.Idle)/float64(max(r.Pushes, 1))
	if proving {
		if r.Calibration > .02 || r.Precision < .9*r.Bayes || pushed < .5 || idle > .1 {
			t.Errorf("%s", r)
		}
		return
	}
	if r.Calibration > .06 || r.Precision < .6*r.Bayes || r.Pushes > 0 && idle > .5 {
		t.Errorf("of few customers: %s", r)
	}
}
