package pack_test

import (
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

// The shipped packs bring their own cases; here their rules are tried on the needs
// that each case states.
func TestMission_4_3_TheShippedPacksPassTheirOwnCases(t *testing.T) {
	t.Parallel()
	c := &pack.Compiler{FS: packs.Files}
	trials, err := c.Test(t.Context(), strategy.Source{Packs: []string{"electronics"}}, pack.AsGiven)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]bool{}
	for _, trial := range trials {
		if strings.HasPrefix(trial.File, "electronics/") {
			cases[trial.Name] = true
		}
		for _, failed := range trial.Failed {
			t.Errorf("%s:%d %s (%s): %s", trial.File, trial.Line, trial.Name, trial.Locale, failed)
		}
	}
	if len(cases) < 25 {
		t.Errorf("the electronics pack has %d cases of its own; a complete pack has at least 25", len(cases))
	}
}
