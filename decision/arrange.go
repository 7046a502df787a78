package decision

import (
	"cmp"
	"slices"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/need"
)

// The end: what was taken is put in order and told as a Decision.

// arrange puts the chosen in the order in which they are shown.
func (c *chooser) arrange() {
	rank := func(p *proposal) int {
		if p.action.urgent() {
			return 0
		}
		switch p.action.Nature {
		case Right:
			return 1
		case Service:
			return 2
		case Goodwill:
			return 3
		}
		return 4
	}
	slices.SortStableFunc(c.taken, func(a, b *proposal) int { return cmp.Compare(rank(a), rank(b)) })
	for i, p := range c.drawn {
		c.draw.Positions[i].Position = slices.Index(c.taken, p) + 1
	}
}

func (c *chooser) decision() Decision {
	d := Decision{Needs: slices.Clone(c.in.Needs), Answers: c.keptAnswers(), Chosen: make([]Chosen, 0, len(c.taken)), Draw: c.draw, Dialogue: c.in.Dialogue, Conditions: c.conditional, Unasked: c.in.Unasked}
	d.Draw.Seed = c.in.Seed
	if d.Draw.Probabilities == nil {
		d.Draw.Probabilities = []Chance{}
	}
	for i, p := range c.taken {
		d.Chosen = append(d.Chosen, c.chosen(p, i+1))
	}
	for i := range d.Needs {
		d.Needs[i].Status = c.status(i)
	}
	// A candidate that was taken for one need is not reported as stopped for another.
	c.rejected = slices.DeleteFunc(c.rejected, func(r Rejected) bool {
		return r.Stage != Arbitration && slices.ContainsFunc(c.taken, func(p *proposal) bool {
			return p.action.ID == r.Action && (p.group == nil || sameKey(p.group.Group, r.Group))
		})
	})
	d.Rejected = append(make([]Rejected, 0, len(c.rejected)), c.rejected...)
	return d
}

// keptAnswers leaves out the tips for a fault that is being settled by a right or
// by goodwill: who gets a new device is not told to let the old one cool down.
func (c *chooser) keptAnswers() []candidate.Answer {
	kept := make([]candidate.Answer, 0, len(c.answers))
	for _, a := range c.answers {
		i := c.needIndex(a.Need)
		n := &c.in.Needs[i]
		takes := func(wanted func(*proposal) bool) bool {
			return slices.ContainsFunc(c.taken, func(p *proposal) bool { return slices.Contains(p.needs, i) && wanted(p) })
		}
		settled := a.Passage != nil && c.plan.problem(n.Intent) && takes(func(p *proposal) bool {
			return p.action.Resolves && (p.action.Nature == Right || p.action.Nature == Goodwill)
		})
		if n.Origin == need.Predicted && n.Matter == nil {
			// Unasked, an answer is read out only beside an offer that leaves it open.
			settled = !takes(func(*proposal) bool { return true }) || takes(func(p *proposal) bool { return p.action.Resolves })
		}
		if !settled {
			kept = append(kept, a)
		}
	}
	return kept
}

func (c *chooser) status(i int) need.Status {
	n, s := &c.in.Needs[i], &c.served[i]
	switch {
	case n.Negated || c.unmet(n):
		return need.Answered // respected: there is nothing to do
	case s.handover:
		return need.Handover
	case s.resolved:
		return need.Answered
	case len(n.Readings) > 0 && c.endangered() && slices.ContainsFunc(c.taken, func(p *proposal) bool { return p.action.Handover }):
		return need.Handover // the person who comes now asks; we do not quiz somebody in danger
	case len(n.Readings) > 0:
		return need.Clarify
	case s.answer:
		return need.Answered
	case s.which:
		return need.Clarify
	case s.offered:
		return need.Partly
	}
	return need.Unanswered
}

func (c *chooser) chosen(p *proposal, position int) Chosen {
	a, b := p.action, &p.binding
	learn := p.learnable()
	out := Chosen{
		Action: a.ID, Nature: a.Nature, Score: p.score, Terms: p.terms, Parts: p.allParts(learn), Learn: learn, Probability: p.probability, Position: position,
		Reasons: b.reasons(a), Form: a.Form, Safety: a.urgent(), Handover: a.Handover, Resolves: a.Resolves,
	}
	if out.Terms == nil {
		out.Terms = []candidate.Term{}
	}
	if a.Nature != Right {
		chance := p.propensity // the proposal is used again
		out.Propensity = &chance
	}
	if p.group != nil {
		out.Group = p.group.Group
	}
	for k, i := range p.needs {
		if k == 0 {
			out.Need = c.in.Needs[i].ID
		} else {
			out.Serves = append(out.Serves, c.in.Needs[i].ID)
		}
	}
	out.Prefilled, out.Shown, out.Missing = b.form(a)
	var ok bool
	if out.Title, ok = b.fill(a.Title); !ok {
		out.Title = bare(a.Title)
	}
	if t, title, body := p.present(); t != nil {
		if t.Title != (candidate.Text{}) {
			out.Title = title
		}
		out.Treatment, out.Body = t.ID, body
	}
	return out
}

// present finds the way in which the action is shown: the first that holds and whose
// placeholders are all known.
func (p *proposal) present() (t *Treatment, title, body candidate.Text) {
	b := &p.binding
	for i := range p.action.Treatments {
		t := &p.action.Treatments[i]
		if t.When != nil && !t.When.Eval(b).Holds {
			continue
		}
		body, ok := b.fill(t.Body)
		if !ok {
			continue
		}
		if t.Title != (candidate.Text{}) {
			if title, ok = b.fill(t.Title); !ok {
				continue
			}
		}
		return t, title, body
	}
	return nil, title, body
}

// treatment is the id of the way in which it is shown, "" when there is none.
func (p *proposal) treatment() string {
	if t, _, _ := p.present(); t != nil {
		return t.ID
	}
	return ""
}

func (p *proposal) chance(probability float64) Chance {
	c := Chance{Action: p.action.ID, Probability: probability}
	if p.group != nil {
		c.Group = p.group.Group
	}
	return c
}
