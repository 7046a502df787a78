package decision

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
)

// Decide chooses what is offered. It is deterministic: the same plan and input,
// the seed included, give the same decision.
//
// Every action is bound to the needs it serves (and to each group of its signal),
// then walks the stages. What passes is shown in the order of natures, safety
// first of all: rights and safety always, services as far as the limit goes,
// goodwill and sales drawn from choice probabilities that are computed first.
func Decide(plan *Plan, in Input) Decision { return decide(plan, newMoment(plan, &in)) }

func decide(plan *Plan, m *moment) Decision { return decideAlong(plan, m, nil) }

func decideAlong(plan *Plan, m *moment, g *guide) Decision {
	in := m.in
	m.desk = desks.Get().(*desk)
	c := chooser{moment: m, guide: g, limit: in.Limit, served: make([]service, len(in.Needs)), rejected: m.desk.rejected[:0], proposals: m.desk.offered[:0]}
	defer c.leave()
	if c.limit <= 0 {
		c.limit = 3
	}
	c.conditional = c.conditions()
	c.answered()
	for i := range plan.Actions {
		if a := &plan.Actions[i]; !a.Fallback {
			c.propose(a)
		}
	}
	c.settleOffers()
	c.arrange()
	return c.decision()
}

// leave clears the desk; what is read of the moment from now on is looked up anew.
func (c *chooser) leave() {
	d := c.desk
	c.desk, d.offered, d.rejected = nil, c.proposals, c.rejected
	d.sweep()
}

// urgent tells that an action goes before everything. Safety is nothing to sell
// and no favour: of other natures than right and service the mark is not heeded.
func (a *Action) urgent() bool { return a.Safety && (a.Nature == Right || a.Nature == Service) }

// problem tells whether an intent is one in front of which nothing is sold.
func (p *Plan) problem(intent string) bool { return matches(p.Problems, intent) }

// matches finds an intent in a list of intents and "group.*" patterns.
func matches(patterns []string, intent string) bool {
	for _, p := range patterns {
		if p == intent || strings.HasSuffix(p, ".*") && strings.HasPrefix(intent, p[:len(p)-1]) {
			return true
		}
	}
	return false
}

// proposal is an action that passed every stage but arbitration.
type proposal struct {
	binding
	action      *Action
	needs       []int // indices of the needs it serves; empty: none was asked
	first       [1]int
	terms       []candidate.Term
	parts       []candidate.Term
	score       float64
	prior       float64 // log-odds as the pack has them
	propensity  float64
	deviation   float64 // how far the score is explored
	probability float64
	offer       propensity.Offer // what is learned about it
	around      *surroundings    // nil: nothing is learned of a right
	before      [2]propensity.Value
	contacts    []evidence.Ref // what came of the action before
}

// service is what stands at a need after the choice.
type service struct {
	answer   bool
	which    bool // our question which product is meant is all that the sources had
	resolved bool // by an offer that resolves
	offered  bool
	helped   bool // by an offer that is more than our own question
	handover bool
}

// onlyAsked tells whether a need got nothing but our own question.
func (s *service) onlyAsked() bool { return (s.offered || s.which) && !s.helped && !s.answer }

// chooser makes one decision: what is left of the room in it, what stands so far.
type chooser struct {
	*moment
	guide       *guide // nil: what is drawn is left to chance
	limit       int
	proposals   []*proposal
	taken       []*proposal
	rejected    []Rejected
	served      []service
	answers     []candidate.Answer
	draw        Draw
	drawn       []*proposal // of each of draw.Positions
	conditional []Conditioned
	random      *rand.PCG
	around      []surroundings // by need, the first of none
	ownBins     [2]propensity.Value
	ownReading  propensity.Reading // of ownBins
	sentBefore  []sent
	sentKnown   bool
	terms       termPage
	modelCited  []evidence.Ref // the model alone
}

// answered notes which needs the sources' answers stand at.
func (c *chooser) answered() {
	for _, r := range c.in.Results {
		for _, a := range r.Answers {
			i := c.needIndex(a.Need)
			if i < 0 || c.in.Needs[i].Negated || exhausted(&c.in.Needs[i]) || c.in.Needs[i].Danger && a.Passage != nil {
				continue // no cooling tips to somebody whose battery swells
			}
			c.answers = append(c.answers, a)
			if a.Which != nil {
				c.served[i].which = true
				continue
			}
			c.served[i].answer = c.in.Needs[i].Origin != need.Predicted || c.in.Needs[i].Matter != nil
			if a.Recommendation != nil && c.in.Needs[i].Origin == need.Implied {
				c.decided(i)
			}
		}
	}
}

// decided answers the wish for a recommendation that the purchase decision i,
// which follows from it, answers: the source gives one item, once.
func (c *chooser) decided(i int) {
	for k := range c.in.Needs {
		if n := &c.in.Needs[k]; n.Origin == need.Spoken && n.Intent == c.in.Needs[i].Intent && !n.Negated {
			c.served[k].answer = true
		}
	}
}

func (c *chooser) needIndex(id string) int {
	return slices.IndexFunc(c.in.Needs, func(n need.Need) bool { return n.ID == id })
}
