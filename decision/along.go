package decision

import "slices"

// Taken is one action that was drawn, with the group that it is about.
type Taken struct {
	Action string
	Group  string
}

// Course is what a plan makes of a draw that was made before, perhaps under another
// plan.
type Course struct {
	// Chance is the probability with which the plan draws just this, in this order; 0
	// when it cannot.
	Chance float64
	// Pool are the candidates of the plan's first draw, each with its choice probability
	// and the propensity on which it rests. Later draws depend on what was drawn before.
	Pool []Alternative
}

// Alternative is a candidate of a draw.
type Alternative struct {
	Taken
	Chance     float64 // to be drawn at any position
	Propensity float64
}

// Drawn lists what was drawn, in the order of the draw, and the probability of having
// drawn just that.
func (d *Decision) Drawn() (path []Taken, chance float64) {
	chance = 1
	for i := range d.Draw.Positions {
		p := &d.Draw.Positions[i]
		if p.Position < 1 || p.Position > len(d.Chosen) {
			return path, 0
		}
		t := taken(p.Taken, d.Chosen[p.Position-1].Group)
		path = append(path, t)
		of := 0.0
		for _, c := range p.Chances {
			if taken(c.Action, c.Group) == t {
				of += c.Probability
			}
		}
		chance *= of
	}
	return path, chance
}

func taken(action string, group map[string]string) Taken {
	return Taken{action, groupKey(group)}
}

// Same tells whether a choice is about the same action and group.
func (t Taken) Same(c *Chosen) bool { return t == taken(c.Action, c.Group) }

// Of is the candidate that a chance is about.
func Of(c *Chance) Taken { return taken(c.Action, c.Group) }

// Firmly lists what was chosen without a draw, in order.
func (d *Decision) Firmly() (all []Taken) {
	for i := range d.Chosen {
		if !slices.ContainsFunc(d.Draw.Positions, func(p DrawPosition) bool { return p.Position == i+1 }) {
			all = append(all, taken(d.Chosen[i].Action, d.Chosen[i].Group))
		}
	}
	return all
}

// DecideAlong decides as Decide does, but draws what path names as long as it can be
// drawn, and says how likely that was. Estimating from logged draws what another plan
// would have brought rests on it: a second draw depends on the first, so chances
// multiply only along one path.
func DecideAlong(plan *Plan, in Input, path []Taken) (Decision, Course) {
	g := &guide{path: path, course: Course{Chance: 1}}
	d := decideAlong(plan, newMoment(plan, &in), g)
	if len(g.path) > 0 {
		g.course.Chance = 0 // it drew fewer
	}
	return d, g.course
}

// guide leads a draw along a path.
type guide struct {
	path   []Taken // what is left of it
	course Course
	drew   bool // the first draw is over
}

// noted keeps the candidates of the first draw.
func (g *guide) noted(pool []*proposal, chances func(i int) float64) {
	if g == nil || g.drew {
		return
	}
	g.drew = true
	for i, p := range pool {
		g.course.Pool = append(g.course.Pool, Alternative{p.taken(), chances(i), p.propensity})
	}
}

// lead chooses among the candidates that are left: the place of the path's next one in
// left, or usual when there is none of it.
func (g *guide) lead(pool []*proposal, left []int, usual int, chance func(at int) float64) int {
	if g == nil {
		return usual
	}
	if len(g.path) == 0 {
		g.course.Chance = 0 // it draws more
		return usual
	}
	next := g.path[0]
	g.path = g.path[1:]
	for at, i := range left {
		if pool[i].taken() == next {
			g.course.Chance *= chance(at)
			return at
		}
	}
	g.course.Chance = 0
	return usual
}

func (p *proposal) taken() Taken {
	if p.group == nil {
		return taken(p.action.ID, nil)
	}
	return taken(p.action.ID, p.group.Group)
}
