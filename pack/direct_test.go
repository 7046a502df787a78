package pack

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/decision"
)

// somebody answers facts from a map, and remembers what was asked.
type somebody struct {
	facts map[string]any
	asked []string
}

func (s *somebody) Lookup(name string) (any, bool) {
	s.asked = append(s.asked, name)
	v, ok := s.facts[name]
	return v, ok
}

func drawnRule(r *rand.Rand, depth int) string {
	if depth > 0 && r.IntN(3) > 0 {
		a, b := drawnRule(r, depth-1), drawnRule(r, depth-1)
		return []string{"(" + a + " && " + b + ")", "(" + a + " || " + b + ")", "!(" + a + ")", "(" + a + " && " + b + " && " + drawnRule(r, depth-1) + ")"}[r.IntN(4)]
	}
	operator := []string{"==", "!=", "<", "<=", ">", ">="}[r.IntN(6)]
	return []string{
		fmt.Sprintf("orders.count %s %d", operator, r.IntN(4)),
		fmt.Sprintf("%d %s cases.open", r.IntN(4), operator),
		fmt.Sprintf("need.confidence %s 0.%d", operator, r.IntN(10)),
		fmt.Sprintf("scene.channel %s '%s'", operator, []string{"web", "app", "店"}[r.IntN(3)]),
		fmt.Sprintf("person.traits.age %s %d", operator, r.IntN(4)),
		"scene.channel in ['web', '店']", "'vip' in person.tags", "!('x' in person.tags)", "need.danger", "!case.open", "known(case.open)", "!known(person.traits.age)", "case.open == true", "false != need.danger", "true",
	}[r.IntN(15)]
}

func TestARuleMadeOfComparisonsSaysWhatCELSays(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	l, err := speak(standardFacts())
	if err != nil {
		t.Fatal(err)
	}
	possible := map[string][]any{
		"orders.count": {int64(0), int64(2)}, "cases.open": {int64(1), int64(3)}, "need.confidence": {0.5, 0.3, 1.0}, "scene.channel": {"web", "app"},
		"person.traits.age": {2.0, 2.5, int64(3), "old"}, "person.tags": {[]string{}, []string{"vip"}, []string{"x", "vip"}}, "need.danger": {true, false}, "case.open": {true, false, "yes"},
	}
	names := slices.Sorted(maps.Keys(possible))
	for range 3000 {
		text := drawnRule(r, 3)
		var faults Faults
		v := value{&file{path: "t", lines: []string{text}, faults: &faults}, &yaml.Node{Kind: yaml.ScalarNode, Value: text, Line: 1, Column: 1}}
		made := l.compile(v)
		if made == nil {
			t.Fatalf("%s: %v", text, faults)
		}
		if made.steps == nil {
			t.Fatalf("%s is left to CEL", text)
		}
		facts := map[string]any{}
		for _, name := range names {
			if r.IntN(3) > 0 {
				facts[name] = possible[name][r.IntN(len(possible[name]))]
			}
		}
		direct, slow := &somebody{facts: facts}, &somebody{facts: facts}
		got := made.Eval(direct)
		byCEL := *made
		byCEL.steps = nil
		want := byCEL.Eval(slow)
		if got.Holds != want.Holds || got.Unknown != want.Unknown || got.Fault != want.Fault || !slices.Equal(got.Missing, want.Missing) || !slices.Equal(direct.asked, slow.asked) {
			t.Fatalf("%s\nof %v\ngives %+v, asking %s\nCEL   %+v, asking %s", text, facts, got, strings.Join(direct.asked, " "), want, strings.Join(slow.asked, " "))
		}
	}
}

func standardFacts() map[string]decision.FactType {
	c := content{traits: standardTraits}
	return c.facts()
}
