package decision_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rapport-cx/rapport/decision"
)

// The chance of a draw is the product of its positions' chances; who is led along it
// finds the same, whatever the dice would have said; over all paths the chances add up
// to one. A favour may solve the problem in front of a sale, so the draws hang together.
func TestADrawIsFollowedAlongItsPath(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 9))
	paths := 0
	for world := range 60 {
		plan := &decision.Plan{Problems: []string{"support.*"}, Temperature: .3 + r.Float64(), Floor: .02, Sales: 1 + r.IntN(2)}
		for i := range 6 {
			nature := decision.Goodwill
			if i >= 3 {
				nature = decision.Sale
			}
			a := offer(fmt.Sprint("a", i), nature, .5+r.Float64(), "support.troubleshoot")
			a.Resolves = r.IntN(2) == 0
			a.Firm = r.IntN(5) == 0
			plan.Actions = append(plan.Actions, a)
		}
		in := input(spoken("support.troubleshoot"))
		in.Limit = 1 + r.IntN(3)
		seen, sum := map[string]bool{}, 0.0
		for seed := range uint64(3000) {
			in.Seed = seed
			d := decision.Decide(plan, in)
			path, chance := d.Drawn()
			key := fmt.Sprintf("%q", path)
			if seen[key] {
				continue
			}
			seen[key] = true
			sum += chance
			in.Seed = 1 << 40
			again, course := decision.DecideAlong(plan, in, path)
			led, _ := again.Drawn()
			if math.Abs(course.Chance-chance) > 1e-12 || fmt.Sprintf("%q", led) != key {
				t.Fatalf("world %d: %s was drawn with %v, followed as %q with %v", world, key, chance, led, course.Chance)
			}
			if len(path) > 0 {
				if _, c := decision.DecideAlong(plan, in, path[:len(path)-1]); c.Chance != 0 {
					t.Fatalf("world %d: a plan that draws more could have drawn less", world)
				}
			}
			if _, c := decision.DecideAlong(plan, in, append(path, decision.Taken{Action: "a9"})); c.Chance != 0 {
				t.Fatalf("world %d: what is no candidate could have been drawn", world)
			}
		}
		if sum > 1+1e-9 || sum < .98 { // paths of a chance below one in a thousand may not have been met
			t.Fatalf("world %d: the chances of %d paths add up to %v", world, len(seen), sum)
		}
		paths += len(seen)
	}
	if paths < 200 {
		t.Fatalf("only %d paths were seen", paths)
	}
}
