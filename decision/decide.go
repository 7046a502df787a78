package decision

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
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
	c := chooser{moment: m, guide: g, limit: in.Limit, served: make([]service, len(in.Needs)), rejected: make([]Rejected, 0, len(plan.Actions)), proposals: m.desk.offered[:0]}
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
	c.desk, d.offered = nil, c.proposals
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

// propose binds one action and walks its stages for each binding.
func (c *chooser) propose(a *Action) {
	if len(c.in.Needs) == 0 {
		if len(a.Needs) == 0 {
			c.bind(a, -1)
		}
		return
	}
	for i := range c.in.Needs {
		if c.binds(a, &c.in.Needs[i]) {
			c.bind(a, i)
		}
	}
}

// patience is how often the same question is answered: the next time a person does.
const patience = 2

// exhausted tells that a question was answered often enough in vain: nothing but a
// right, safety or a person is offered to it now.
func exhausted(n *need.Need) bool { return n.Repeated >= patience }

// lost tells that a need was not understood and asking back has failed too often.
func (c *chooser) lost(n *need.Need) bool {
	return len(n.Readings) > 0 && c.in.Dialogue.Failures >= patience
}

// binds tells whether an action serves a need. What the customer ruled out is
// served by nothing; a need that was not understood is served by rights that fit
// one of its readings and by actions that serve any need.
//
// What nobody asked for is served by nothing but actions that may be offered unasked.
func (c *chooser) binds(a *Action, n *need.Need) bool {
	switch {
	case n.Negated,
		n.Origin == need.Predicted && (a.Unasked == nil || len(a.Needs) == 0),
		exhausted(n) && a.Nature != Right && !a.urgent() && !a.Handover,
		c.unmet(n):
		return false
	}
	if n.Repeated > 0 && a.Nature == Sale {
		return false // who asks again has a question, not a wish to buy
	}
	unclear := len(n.Readings) > 0
	if len(a.Needs) == 0 {
		return !unclear || a.Nature == Right || a.Nature == Service
	}
	if !unclear {
		return slices.ContainsFunc(a.Needs, func(label string) bool { return labelled(label, n.Intent, n.Sub()) })
	}
	if a.Nature != Right && !a.urgent() {
		return false
	}
	for _, r := range n.Readings {
		if slices.ContainsFunc(a.Needs, func(label string) bool { return labelled(label, r.Intent, r.Subintent) }) {
			return true
		}
	}
	return false
}

// labelled compares a label of a pack ("support.troubleshoot" or
// "support.troubleshoot/overheat") with a need.
func labelled(label, intent, sub string) bool {
	if label == intent {
		return true
	}
	return sub != "" && len(label) == len(intent)+1+len(sub) && label[len(intent)] == '/' && label[:len(intent)] == intent && label[len(intent)+1:] == sub
}

func (c *chooser) bind(a *Action, i int) {
	if a.Signal == "" {
		c.walk(a, i, nil)
		return
	}
	seen := false
	for k := range c.in.Signals {
		s := &c.in.Signals[k]
		if s.Signal != a.Signal {
			continue
		}
		seen = true
		if s.Holds {
			c.walk(a, i, s)
			continue
		}
		b := binding{moment: c.moment, action: a, need: c.need(i), group: s}
		c.reject(&b, a, i, Applicability, "signal."+a.Signal, b.shortfall(), nil, join([]evidence.Ref{}, s.Events))
	}
	if !seen {
		b := binding{moment: c.moment, action: a, need: c.need(i), group: &need.SignalState{Signal: a.Signal, Fault: "count"}}
		c.reject(&b, a, i, Applicability, "signal."+a.Signal, b.shortfall(), nil, []evidence.Ref{})
	}
}

func (c *chooser) need(i int) *need.Need {
	if i < 0 {
		return nil
	}
	return &c.in.Needs[i]
}

// walk takes one candidate through the stages; what passes becomes a proposal.
func (c *chooser) walk(a *Action, i int, group *need.SignalState) {
	p := c.desk.proposal() // the next candidate takes its place unless this one passes
	*p = proposal{binding: binding{moment: c.moment, action: a, need: c.need(i), group: group, read: c.desk.read[:0]}, action: a, parts: p.parts[:0]}
	b := &p.binding
	k := 0
	policies := func(last Stage) bool {
		for ; k < len(a.Policies) && order(a.Policies[k].Stage) <= order(last); k++ {
			policy := &a.Policies[k]
			if a.Nature == Right && (policy.Stage == ContactPolicy || policy.Stage == Budget) {
				continue
			}
			b.read = b.read[:0]
			v := policy.Rule.Eval(b)
			if v.Holds {
				continue
			}
			cited := policy.Cites
			if len(cited) == 0 {
				cited = b.read
			}
			refs := b.citeAll(cited)
			reason, ok := b.fill(policy.Reason)
			if !ok {
				reason = bare(policy.Reason)
			}
			switch {
			case v.Fault != "":
				reason = candidate.Text{Zh: "规则出错：" + v.Fault, En: "the rule failed: " + v.Fault}
			case v.Unknown:
				reason = c.unknown(v.Missing)
			}
			c.reject(b, a, i, policy.Stage, policy.ID, reason, v.Missing, refs)
			return false
		}
		return true
	}
	if c.stopped(b, a, i) || !policies(ContactPolicy) || !c.welcome(b, a, i) || !policies(Budget) || !c.funded(b, a, i) || !policies(Consent) || !c.agreed(b, a, i) {
		return
	}
	if i >= 0 {
		for _, other := range c.proposals {
			if other.action == a && sameGroup(other.group, group) {
				other.needs = append(other.needs, i)
				return
			}
		}
		p.first[0] = i
		p.needs = p.first[:]
	}
	c.desk.laid++
	c.appraise(p, i)
	c.proposals = append(c.proposals, p)
}

func sameGroup(a, b *need.SignalState) bool {
	return a == b || a != nil && b != nil && groupKey(a.Group) == groupKey(b.Group)
}

// bare drops the braces of a text whose placeholders are unknown.
func bare(t candidate.Text) candidate.Text {
	return candidate.Text{Zh: unbraced(t.Zh), En: unbraced(t.En)}
}

func unbraced(s string) string {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "{")
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		inside, after, _ := strings.Cut(rest, "}")
		name, forms := candidate.Blank(inside)
		out.WriteString(candidate.Counted(name, forms))
		s = after
	}
}

// unknown names what a rule asked for in vain, and why it was kept from us when it was.
func (m *moment) unknown(names []string) candidate.Text {
	zh, en := make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		title := titleOf(n)
		if k := slices.IndexFunc(m.plan.Tags, func(g Tag) bool { return "tag."+g.ID == n }); k >= 0 {
			title = m.plan.Tags[k].Title
		}
		zh[i], en[i] = title.Zh, title.En
		trait, _ := strings.CutPrefix(n, "person.traits.")
		trait = strings.TrimPrefix(trait, "person.stated_days.")
		switch why := m.hidden(trait); {
		case why == "":
		case why == profile.PersonalizationOff:
			zh[i] += "（客户关闭了个性化）"
			en[i] += " (the customer switched personalisation off)"
		case why == profile.BlockedTag:
			zh[i] += "（客户停用了这一条）"
			en[i] += " (the customer switched this off)"
		default:
			purpose := strings.TrimPrefix(string(why), string(profile.NoConsent)+":")
			zh[i] += "（客户没有同意用途「" + purpose + "」）"
			en[i] += " (no consent for " + purpose + ")"
		}
	}
	return candidate.Text{Zh: "还不知道：" + strings.Join(zh, "、"), En: "not known: " + strings.Join(en, ", ")}
}

// hidden is why a fact was kept from us, "" when it was not: a trait by its name,
// tags and promotions as a whole.
func (m *moment) hidden(fact string) profile.Reason {
	if why := m.person.Hidden[fact]; why != "" {
		return why
	}
	head, _, _ := strings.Cut(fact, ".")
	switch {
	case fact == "person.tags" || head == "tag":
		return m.withheld(fact)
	case head == "promotion" || head == "promotions":
		return m.person.Hidden["promotion"]
	case head == "signal":
		return m.person.Hidden["history"]
	}
	return ""
}

func titleOf(fact string) candidate.Text {
	if i, ok := slices.BinarySearchFunc(facts, fact, func(f Fact, name string) int { return strings.Compare(f.Name, name) }); ok {
		return facts[i].Title
	}
	if trait, ok := strings.CutPrefix(fact, "person.traits."); ok {
		return candidate.Text{Zh: trait, En: trait}
	}
	return candidate.Text{Zh: fact, En: fact}
}

func order(s Stage) int {
	switch s {
	case Eligibility:
		return 0
	case Applicability:
		return 1
	case Suitability:
		return 2
	case ContactPolicy:
		return 3
	case Budget:
		return 4
	case Consent:
		return 5
	}
	return 6
}

// welcome applies the action's frequency cap and the silence after a refusal.
// Rights, safety and services that answer who asked are never capped.
func (c *chooser) welcome(b *binding, a *Action, i int) bool {
	if i >= 0 && c.in.Needs[i].Repeated > 0 && a.Nature != Right && !a.urgent() && !a.Resolves && !a.Handover && !c.form(a, i) && c.offeredBefore(a, i) {
		c.reject(b, a, i, ContactPolicy, "offered_before", candidate.Text{
			Zh: "上次问同一件事时已经给过，没解决", En: "it was offered when the same was asked before and did not solve it",
		}, nil, join([]evidence.Ref{}, c.in.Needs[i].Evidence))
		return false
	}
	if c.in.Unasked && !c.mayBeSent(b, a, i) {
		return false
	}
	if !c.in.Unasked && i >= 0 && c.in.Needs[i].Origin == need.Predicted && a.Unasked != nil && a.Nature != Right && !a.urgent() && !c.silent(b, a, i, c.sent()) {
		return false
	}
	if a.Cap == nil || a.Nature == Right || a.urgent() || a.Nature == Service && i >= 0 && asked(c.in.Needs[i]) {
		return true
	}
	var shown [][]evidence.Ref
	for k := range c.person.Contacts {
		contact := &c.person.Contacts[k]
		if contact.Action != a.ID {
			continue
		}
		if d := contact.Dismissed; a.Cap.Suppress > 0 && !d.IsZero() && !d.After(c.now) && d.Add(a.Cap.Suppress).After(c.now) {
			c.reject(b, a, i, ContactPolicy, "suppressed", candidate.Text{
				Zh: c.date(d, "zh-CN") + "客户说过不用了，" + strconv.FormatInt(days(a.Cap.Suppress), 10) + " 天内不再提",
				En: "the customer declined it on " + c.date(d, "en") + "; not again for " + candidate.Counted(strconv.FormatInt(days(a.Cap.Suppress), 10), "day|days"),
			}, nil, join([]evidence.Ref{}, contact.Evidence))
			return false
		}
		if s := contact.Shown; a.Cap.Shown > 0 && !s.IsZero() && !s.After(c.now) && s.Add(a.Cap.Within).After(c.now) {
			shown = append(shown, contact.Evidence)
		}
	}
	if a.Cap.Shown > 0 && len(shown) >= a.Cap.Shown {
		within, n := strconv.FormatInt(days(a.Cap.Within), 10), strconv.Itoa(len(shown))
		c.reject(b, a, i, ContactPolicy, "frequency_cap", candidate.Text{
			Zh: within + " 天内已展示 " + n + " 次，最多 " + strconv.Itoa(a.Cap.Shown) + " 次",
			En: "shown " + times(len(shown), "en") + " within " + candidate.Counted(within, "day|days") + "; at most " + strconv.Itoa(a.Cap.Shown),
		}, nil, capEvidence(shown))
		return false
	}
	return true
}

// form tells whether an action is the form of something that the customer wants done:
// it stands there until it is filled in.
func (c *chooser) form(a *Action, i int) bool {
	group, _, _ := strings.Cut(c.in.Needs[i].Intent, ".")
	return len(a.Form) > 0 && slices.Contains([]string{"order", "aftersale", "payment", "account"}, group)
}

// offeredBefore tells whether an action was offered when the same was asked before.
func (c *chooser) offeredBefore(a *Action, i int) bool {
	return slices.ContainsFunc(c.in.Told, func(t candidate.Told) bool { return t.Need == c.in.Needs[i].ID && slices.Contains(t.Actions, a.ID) })
}

func (c *chooser) agreed(b *binding, a *Action, i int) bool {
	for _, purpose := range a.Consent {
		if c.person.Preferences.Consent[purpose] {
			continue
		}
		c.reject(b, a, i, Consent, "consent."+purpose, candidate.Text{
			Zh: "客户没有同意用途「" + purpose + "」", En: "the customer has not agreed to the purpose " + purpose,
		}, nil, join([]evidence.Ref{}, c.person.Preferences.Evidence))
		return false
	}
	return true
}

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

func (c *chooser) reject(b *binding, a *Action, i int, stage Stage, rule string, reason candidate.Text, missing []string, refs []evidence.Ref) {
	title, ok := b.fill(a.Title)
	if !ok {
		title = bare(a.Title)
	}
	r := Rejected{Action: a.ID, Nature: a.Nature, Title: title, Stage: stage, Rule: rule, Reason: reason, Missing: slices.Clone(missing), Evidence: refs}
	if i >= 0 {
		r.Need = c.in.Needs[i].ID
	}
	if b.group != nil {
		r.Group = b.group.Group
	}
	c.rejected = append(c.rejected, r)
}

// pass turns a proposal down at arbitration, with its score.
func (c *chooser) pass(p *proposal, rule string, reason candidate.Text, refs []evidence.Ref) {
	i := -1
	if len(p.needs) > 0 {
		i = p.needs[0]
	}
	if refs == nil {
		refs = []evidence.Ref{}
	}
	c.reject(&p.binding, p.action, i, Arbitration, rule, reason, nil, refs)
	last := &c.rejected[len(c.rejected)-1]
	last.Score, last.Terms = p.score, p.terms
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

var full = candidate.Text{Zh: "位置已满，别的更合适", En: "the placement is full; others fit better"}

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
		if t.action.Nature == Right && t.action.Grants == p.action.Grants && (t.group == nil || p.group == nil || groupKey(t.group.Group) == groupKey(p.group.Group) || sameDevice(t, p)) {
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
	d.Rejected = slices.DeleteFunc(c.rejected, func(r Rejected) bool {
		return r.Stage != Arbitration && slices.ContainsFunc(c.taken, func(p *proposal) bool {
			return p.action.ID == r.Action && (p.group == nil || groupKey(p.group.Group) == groupKey(r.Group))
		})
	})
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
		Action: a.ID, Nature: a.Nature, Score: p.score, Terms: p.terms, Parts: slices.Concat(p.parts, p.learnedParts(learn)), Learn: learn, Probability: p.probability, Position: position,
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
