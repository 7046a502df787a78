package decision

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
)

// The first half of a decision: every action is bound to the needs it serves and walks
// eligibility, applicability, suitability, contact policy and consent. It leaves as a
// proposal, or is rejected with the stage and the rule that stopped it.

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
		if n := c.need(i); s.Holds && n != nil && n.Unowned && ofOneThing(s.Group) {
			b := binding{moment: c.moment, action: a, need: n, group: s}
			c.reject(&b, a, i, Applicability, "other_thing", otherThing, nil, join([]evidence.Ref{}, s.Events))
			continue
		}
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

var otherThing = candidate.Text{Zh: "说的是另一种东西，不是这一件", En: "they speak of another kind of thing"}

// ofOneThing tells whether the group of a signal is a thing of the customer's or their
// order of it.
func ofOneThing(group map[string]string) bool {
	for _, key := range [...]string{"asset_id", "device", "product_id", "order_id"} {
		if group[key] != "" {
			return true
		}
	}
	return false
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
	p.binding = binding{moment: c.moment, action: a, need: c.need(i), group: group, read: c.desk.read[:0]}
	p.action = a // all else of it is as it was swept
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
	return a == b || a != nil && b != nil && sameKey(a.Group, b.Group)
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
