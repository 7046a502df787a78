package pack_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/strategy"
)

// shipped is one compiler for all tests here, so that its packs are compiled and
// their classifier trained once.
var shipped = sync.OnceValue(func() *pack.Compiler { return &pack.Compiler{FS: packs.Files} })

// industries are the shipped packs that stand on base.
var industries = []string{"electronics", "retail", "banking", "education", "logistics"}

func pass(t *testing.T, industry string, hearing pack.Hearing) (cases map[string]bool) {
	t.Helper()
	trials, err := shipped().Test(t.Context(), strategy.Source{Packs: []string{industry}}, hearing)
	if err != nil {
		t.Fatal(err)
	}
	cases = map[string]bool{}
	for _, trial := range trials {
		if strings.HasPrefix(trial.File, industry+"/") {
			cases[trial.Name] = true
		}
		for _, failed := range trial.Failed {
			t.Errorf("%s:%d %s (%s): %s", trial.File, trial.Line, trial.Name, trial.Locale, failed)
		}
	}
	return cases
}

// The shipped packs bring their own cases; here their rules are tried on the needs
// that each case states.
func TestMission_4_3_TheShippedPacksPassTheirOwnCases(t *testing.T) {
	t.Parallel()
	for _, industry := range industries {
		if cases := pass(t, industry, pack.AsGiven); industry != "logistics" && len(cases) < 25 {
			t.Errorf("the %s pack has %d cases of its own; a complete pack has at least 25", industry, len(cases))
		}
	}
}

// The same cases from the customer's own words on, in both languages.
func TestMission_4_3_TheShippedPacksPassTheirOwnCasesAsHeard(t *testing.T) {
	t.Parallel()
	for _, industry := range industries {
		pass(t, industry, pack.AsHeard)
	}
}
