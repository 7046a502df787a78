package decision

import (
	"cmp"
	"math"
	"slices"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
)

// The second half: proposals are scored and weighed against each other. Rights and safety
// are taken, services as far as the limit goes, goodwill and sales are drawn (draw.go).

var full = candidate.Text{Zh: "位置已满，别的更合适", En: "the placement is full; others fit better"}

// appraise gives a proposal its score: ln propensity + ln context weights + ln
// value + ln lever. A right has none: it is not weighed. The propensity's log-odds are
// the pack's own prior and what was learned.
func (c *chooser) appraise(p *proposal, need int) {
	a := p.action
	if a.Nature == Right {
		return
	}
	logit := a.Prior.Base
	p.parts = append(p.parts, candidate.Term{Name: "base", Value: a.Prior.Base, Evidence: []evidence.Ref{}})
	var cited []evidence.Ref
	for i := range a.Prior.Parts {
		w := &a.Prior.Parts[i]
		if refs, ok := p.weigh(w); ok {
			logit += w.Value
			p.parts = append(p.parts, candidate.Term{Name: w.Name, Value: w.Value, Evidence: refs})
			cited = join(slices.Clip(cited), refs)
		}
	}
	p.prior = logit
	learned, from := c.learned(p, need)
	logit += learned.LogOdds
	cited = c.both(cited, from)
	variance := learned.Variance
	p.propensity = 1 / (1 + math.Exp(-logit))
	var few [8]candidate.Term
	terms := append(few[:0], candidate.Term{Name: "ln propensity", Value: logSigmoid(logit), Evidence: cited})
	for i := range a.Contexts {
		w := &a.Contexts[i]
		if refs, ok := p.weigh(w); ok {
			terms = append(terms, candidate.Term{Name: "ln context " + w.Name, Value: w.Value, Evidence: refs})
		}
	}
	terms = append(terms,
		candidate.Term{Name: "ln value", Value: logOf(a.Value), Evidence: []evidence.Ref{}},
		candidate.Term{Name: "ln lever", Value: logOf(a.Lever), Evidence: []evidence.Ref{}})
	if !a.Firm && c.plan.Exploration > 0 && (a.Nature == Goodwill || a.Nature == Sale) {
		var bonus float64
		if bonus, p.deviation = propensity.Explore(logit, variance, c.plan.Exploration); bonus != 0 {
			terms = append(terms, candidate.Term{Name: "ln exploration", Value: bonus, Evidence: c.modelRefs()})
		}
	}
	p.terms = c.terms.copy(terms)
	for _, t := range p.terms {
		p.score += t.Value
	}
}

// both are two lists of records as one. Those of the second differ among themselves.
func (c *chooser) both(first, second []evidence.Ref) []evidence.Ref {
	if len(first) == 0 && len(second) > 0 {
		return slices.Clip(second)
	}
	var few [32]evidence.Ref
	refs := append(few[:0], first...)
	for _, r := range second {
		if !slices.Contains(first, r) {
			refs = append(refs, r)
		}
	}
	return c.cites.copy(refs)
}

func (p *proposal) weigh(w *Weight) ([]evidence.Ref, bool) {
	if w.Rule == nil {
		return []evidence.Ref{}, true
	}
	p.read = p.read[:0]
	if !w.Rule.Eval(&p.binding).Holds {
		return nil, false
	}
	return p.citeAll(p.read), true
}

// logSigmoid is ln(1/(1+e^-x)) without overflow.
func logSigmoid(x float64) float64 {
	if x < 0 {
		return x - math.Log1p(math.Exp(x))
	}
	return -math.Log1p(math.Exp(-x))
}

// logOf is ln x; a factor that a plan left at zero weighs as one.
func logOf(x float64) float64 {
	if x <= 0 {
		return 0
	}
	return math.Log(x)
}

func (c *chooser) take(p *proposal, probability float64) {
	p.probability = probability
	c.taken = append(c.taken, p)
	for _, i := range p.needs {
		s := &c.served[i]
		s.offered = true
		s.helped = s.helped || !p.action.Asks
		s.resolved = s.resolved || p.action.Resolves
		s.handover = s.handover || p.action.Handover
	}
}

// of lists the proposals of a nature (safety apart), best first, ties by action
// and group, so that the order of a map or of a pack's files never shows.
func (c *chooser) of(nature Nature, safety bool) []*proposal {
	var all []*proposal
	for _, p := range c.proposals {
		if p.action.Nature == nature && p.action.urgent() == safety {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b *proposal) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.action.ID, b.action.ID), cmp.Compare(p0(a), p0(b)))
	})
	return all
}

func p0(p *proposal) string {
	if p.group == nil {
		return ""
	}
	return groupKey(p.group.Group)
}

// settleOffers fills the placement: safety, rights, services, goodwill, sales.
func (c *chooser) settleOffers() {
	for _, nature := range []Nature{Right, Service} {
		for _, p := range c.of(nature, true) {
			c.take(p, 1)
		}
	}
	for _, p := range c.of(Right, false) {
		c.take(p, 1)
	}
	c.services()
	c.offer(Goodwill, c.limit-len(c.taken))
	c.fallback()
	sales := c.plan.Sales
	if sales <= 0 {
		sales = 1
	}
	c.offer(Sale, min(sales, c.limit-len(c.taken)))
}

// services takes the best service of each need first, so that no need goes
// without one while another has two; then by score as far as the limit goes. One
// place is kept for a person when a need would stay unserved.
func (c *chooser) services() {
	all := c.worthAsking(c.beyondRights(c.of(Service, false)))
	room := c.limit - len(c.taken)
	if c.unservedAfter() {
		room--
	}
	picked := make(map[*proposal]bool, len(all))
	pick := func(p *proposal) {
		if !picked[p] && room > 0 {
			picked[p] = true
			room--
			c.take(p, 1)
		}
	}
	for i := range c.in.Needs {
		if c.served[i].offered {
			continue
		}
		for _, p := range all {
			if slices.Contains(p.needs, i) {
				pick(p)
				break
			}
		}
	}
	for _, p := range all {
		pick(p)
	}
	for _, p := range all {
		if !picked[p] {
			c.pass(p, "limit", full, nil)
		}
	}
}

// unservedAfter tells whether a need would be left with neither answer nor offer
// whatever is taken, and a fallback stands ready.
func (c *chooser) unservedAfter() bool {
	if !slices.ContainsFunc(c.plan.Actions, func(a Action) bool { return a.Fallback }) {
		return false
	}
	for i := range c.in.Needs {
		stuck := exhausted(&c.in.Needs[i]) || c.lost(&c.in.Needs[i])
		if c.done(i) || slices.ContainsFunc(c.proposals, func(p *proposal) bool {
			return p.action.Nature != Sale && slices.Contains(p.needs, i) && (!stuck || p.action.Handover)
		}) {
			continue
		}
		return true
	}
	return false
}

// done tells whether a need has what it needs without a person. Only what the
// customer said is handed to a person when nothing serves it.
func (c *chooser) done(i int) bool {
	n, s := &c.in.Needs[i], &c.served[i]
	switch {
	case n.Negated || n.Origin != need.Spoken || n.Outside || c.unmet(n):
		return true
	case exhausted(n) || c.lost(n):
		return s.handover
	}
	return s.answer || s.which || s.offered || len(n.Readings) > 0
}

// fallback hands what nothing serves to a person.
func (c *chooser) fallback() {
	var left []int
	for i := range c.in.Needs {
		if !c.done(i) {
			left = append(left, i)
		}
	}
	if len(left) == 0 {
		return
	}
	before := len(c.proposals)
	for k := range c.plan.Actions {
		a := &c.plan.Actions[k]
		if !a.Fallback {
			continue
		}
		for _, i := range left {
			if c.binds(a, &c.in.Needs[i]) {
				c.bind(a, i)
			}
		}
	}
	stand := c.proposals[before:]
	for _, p := range stand {
		already := slices.ContainsFunc(c.taken, func(t *proposal) bool { return t.action.Handover && p.action.Handover })
		switch {
		case already:
			for _, i := range p.needs {
				c.served[i].handover = true
			}
			c.pass(p, "same_person", candidate.Text{Zh: "已经请人来处理", En: "a person is being brought in already"}, nil)
		case len(c.taken) < max(c.limit, 1):
			c.take(p, 1)
		default:
			c.pass(p, "limit", full, nil)
		}
	}
}

// grantedAsRight finds the chosen right that already gives what p would give.
func (c *chooser) grantedAsRight(p *proposal) *proposal {
	if p.action.Grants == "" {
		return nil
	}
	for _, t := range c.taken {
		if t.action.Nature == Right && t.action.Grants == p.action.Grants && (t.group == nil || p.group == nil || sameKey(t.group.Group, p.group.Group) || sameDevice(t, p)) {
			return t
		}
	}
	return nil
}

func sameDevice(a, b *proposal) bool {
	x, y := a.device(), b.device()
	return x != nil && y != nil && x.id() == y.id()
}

// beyondRights turns down what a chosen right grants already.
func (c *chooser) beyondRights(all []*proposal) []*proposal {
	kept := all[:0]
	for _, p := range all {
		if by := c.grantedAsRight(p); by != nil {
			c.pass(p, "already_a_right", alreadyRight(by), nil)
			continue
		}
		kept = append(kept, p)
	}
	return kept
}

// worthAsking turns down our own questions about needs that an offer resolves without
// the customer's word.
func (c *chooser) worthAsking(services []*proposal) []*proposal {
	return slices.DeleteFunc(services, func(p *proposal) bool {
		if !p.action.Asks || len(p.needs) == 0 {
			return false
		}
		for _, i := range p.needs {
			if !c.served[i].resolved && !slices.ContainsFunc(services, func(q *proposal) bool {
				return q.action.Resolves && slices.Contains(q.needs, i)
			}) {
				return false
			}
		}
		c.pass(p, "nothing_to_ask", candidate.Text{Zh: "不用再问，已经能直接办", En: "nothing needs to be asked: it can be settled as it is"}, nil)
		return true
	})
}

func alreadyRight(by *proposal) candidate.Text {
	return candidate.Text{Zh: "客户本来就有权得到：" + by.action.Title.Zh, En: "the customer is entitled to it anyway: " + by.action.Title.En}
}

// unsolved finds a problem of this enquiry that nothing chosen solves, or a question
// that waits for a person or for the customer's word.
func (c *chooser) unsolved() *need.Need {
	for i := range c.in.Needs {
		n := &c.in.Needs[i]
		if s := &c.served[i]; n.Origin == need.Spoken && !n.Negated && !n.Outside && (s.handover || len(n.Readings) > 0) {
			return n
		}
		if n.Negated || !c.plan.problem(n.Intent) && !n.Danger {
			continue
		}
		if !n.Danger && (c.served[i].resolved || c.served[i].answer && matches(c.plan.Explained, n.Intent)) {
			continue
		}
		return n
	}
	return nil
}

// problemFirst turns sales down while a problem is unsolved, and beside a need that
// waits for the customer's answer to our question, unless they are the very thing that
// was asked about: who asks about trading in may hear of it before naming a model.
func (c *chooser) problemFirst(sales []*proposal) []*proposal {
	unsolved := c.unsolved()
	return slices.DeleteFunc(sales, func(p *proposal) bool {
		switch n := c.waiting(p); {
		case unsolved != nil:
			c.pass(p, "problem_first", candidate.Text{Zh: "问题还没解决，先不推荐", En: "a problem is not solved yet; nothing is offered for sale in front of it"}, unsolved.Evidence)
		case n != nil:
			c.pass(p, "question_first", candidate.Text{Zh: "还在等客户回答我们的问题，先不推荐", En: "our question waits for the customer's answer; nothing is offered for sale before it"}, n.Evidence)
		default:
			return false
		}
		return true
	})
}

// waiting finds a need that got nothing but our own question and does not name p.
func (c *chooser) waiting(p *proposal) *need.Need {
	for i := range c.in.Needs {
		n := &c.in.Needs[i]
		if n.Origin == need.Spoken && c.served[i].onlyAsked() && !slices.ContainsFunc(p.action.Needs, func(label string) bool {
			return label != n.Intent && labelled(label, n.Intent, n.Sub())
		}) {
			return n
		}
	}
	return nil
}

// offer draws up to k of a nature.
func (c *chooser) offer(nature Nature, k int) {
	pool := c.beyondRights(c.of(nature, false))
	if nature == Sale {
		pool = c.problemFirst(pool)
	}
	if len(pool) == 0 {
		return
	}
	if k <= 0 {
		for _, p := range pool {
			c.pass(p, "limit", full, nil)
			c.draw.Probabilities = append(c.draw.Probabilities, p.chance(0))
		}
		return
	}
	c.drawFrom(pool, k)
}
