package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/treatment"
)

// Coverage says how far a strategy reaches: which needs it leaves without an
// answer or an offer, who gets nothing, and where each action loses its customers.
type Coverage struct {
	Version   int `json:"version"`
	Decisions int `json:"decisions"`
	Erased    int `json:"erased"`
	// People and those of them who got neither an answer nor an offer, ever, and those
	// who got nothing but a person to talk to or our own question back.
	People     int `json:"people"`
	Nothing    int `json:"nothing"`
	HandedOver int `json:"handed_over"`
	// Lost is where those two were lost: the furthest stage that anything for them came
	// to; the stage is empty where no action was a candidate at all. In stage order.
	Lost []PeopleLost `json:"lost"`
	// Left are some of them, the newest first.
	Left []LeftOut `json:"left"`

	Needs   []NeedCoverage   `json:"needs"`   // the least served first
	Actions []ActionCoverage `json:"actions"` // of the version, by id
}

// NeedCoverage is how one kind of need was served.
type NeedCoverage struct {
	Intent    string         `json:"intent"`
	Subintent string         `json:"subintent,omitempty"`
	Title     candidate.Text `json:"title"`
	Asked     int            `json:"asked"`
	Answered  int            `json:"answered"`
	Partly    int            `json:"partly"`
	Clarified int            `json:"clarified"`
	Handover  int            `json:"handover"`
	// Unanswered needs, and those of them that no action of the strategy serves at all.
	Unanswered int `json:"unanswered"`
	NoAction   int `json:"no_action"`
	// NoEligible counts the needs without an answer for which nothing came further than
	// the rules: no action serves them, or eligibility, applicability or suitability
	// stopped every one that does. What is there for whatever nothing else serves does
	// not count.
	NoEligible int `json:"no_eligible"`
	// Lost is what stopped the actions for these, most first; Examples are the newest.
	Lost     []NeedLoss `json:"lost"`
	Examples []LeftOut  `json:"examples"`
}

// PeopleLost is how many came no further than a stage.
type PeopleLost struct {
	Stage  decision.Stage `json:"stage"`
	People int            `json:"people"`
}

// LeftOut is a decision that left somebody without an answer or an offer.
type LeftOut struct {
	Decision   string         `json:"decision"`
	Person     string         `json:"person"`
	At         time.Time      `json:"at"`
	Enquiry    string         `json:"enquiry,omitempty"`
	Stage      decision.Stage `json:"stage"`
	HandedOver bool           `json:"handed_over"`
}

// NeedLoss is one rule that stopped an action for a need, and how often.
type NeedLoss struct {
	Action string `json:"action"`
	Loss
}

// ActionCoverage is what became of an action as a candidate.
type ActionCoverage struct {
	Action     string          `json:"action"`
	Title      candidate.Text  `json:"title"`
	Nature     decision.Nature `json:"nature"`
	Considered int             `json:"considered"`
	Chosen     int             `json:"chosen"`
	Lost       []Loss          `json:"lost"` // most first
}

// Loss is one rule that stopped an action, and how often.
type Loss struct {
	Stage decision.Stage `json:"stage"`
	Rule  string         `json:"rule"`
	Times int            `json:"times"`
	// Reason is why the rule stops, in words for operators.
	Reason candidate.Text `json:"reason"`
}

// stages is the order in which candidates are tried.
var stages = []decision.Stage{decision.Eligibility, decision.Applicability, decision.Suitability, decision.ContactPolicy, decision.Budget, decision.Consent, decision.Arbitration}

const (
	mostLeftOut   = 20 // of a report
	mostOfANeed   = 5
	mostNeedLoses = 12
)

// Coverage looks at the logged past under a version; 0 is the one in force.
func (e *Engine) Coverage(ctx context.Context, workspace string, number int, p Past) (*Coverage, error) {
	t, err := e.tenant(workspace)
	if err != nil {
		return nil, err
	}
	if number == 0 {
		if v := t.current.Load(); v != nil {
			number = v.Number
		}
	}
	v, err := e.version(ctx, t, number)
	if err != nil {
		return nil, err
	}
	c := &covering{plan: v.Decision, words: v.Treatment, needs: map[[2]string]*needCovering{}, actions: map[string]*ActionCoverage{},
		rules: map[string]*decision.Action{}, lost: map[string]losses{}, people: map[string]*reached{}, policies: map[[3]string]candidate.Text{}}
	for i := range v.Decision.Actions {
		a := &v.Decision.Actions[i]
		c.actions[a.ID] = &ActionCoverage{Action: a.ID, Title: a.Title, Nature: a.Nature, Lost: []Loss{}}
		c.rules[a.ID], c.lost[a.ID] = a, losses{}
		for _, p := range a.Policies {
			c.policies[[3]string{a.ID, string(p.Stage), p.ID}] = p.Reason
		}
	}
	decisions := 0
	erased, err := e.relive(ctx, workspace, number, p, func(r *relived) error {
		decisions++
		c.note(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := c.told()
	out.Version, out.Decisions, out.Erased = number, decisions, erased
	return out, nil
}

// covering is a Coverage in the making.
type covering struct {
	plan     *decision.Plan
	words    *treatment.Plan
	needs    map[[2]string]*needCovering
	actions  map[string]*ActionCoverage
	rules    map[string]*decision.Action
	lost     map[string]losses // by action
	people   map[string]*reached
	left     []LeftOut
	policies map[[3]string]candidate.Text // why a rule stops: by action, stage, rule
}

type needCovering struct {
	NeedCoverage
	losses losses
}

// losses counts rejections by action, stage and rule.
type losses map[[3]string]*NeedLoss

// reached is how far a person came: the greatest of all decisions.
type reached struct {
	something, person bool
	stage             int // into stages; -1: nothing was a candidate
}

func (c *covering) note(r *relived) {
	d := &r.decision
	if r.enquiry != "" && !slices.ContainsFunc(d.Needs, func(n need.Need) bool { return !n.Outside }) {
		return // a courtesy, or no matter of the house: nothing was wanted of a strategy
	}
	who := c.people[r.entry.Person]
	if who == nil {
		who = &reached{stage: -1}
		c.people[r.entry.Person] = who
	}
	something, person := false, served(d.Needs)
	for i := range d.Needs {
		something = something || d.Needs[i].Status == need.Answered || d.Needs[i].Status == need.Partly
	}
	furthest := -1
	seen := map[string]bool{}
	for i := range d.Chosen {
		ch := &d.Chosen[i]
		c.actions[ch.Action].Chosen++
		seen[ch.Action] = true
		person = true
		something = something || (c.lasting(ch.Action) || c.rules[ch.Action].Safety) && !c.rules[ch.Action].Handover
	}
	for i := range d.Rejected {
		rej := &d.Rejected[i]
		seen[rej.Action] = true
		c.count(c.lost[rej.Action], rej)
		if c.lasting(rej.Action) {
			furthest = max(furthest, slices.Index(stages, rej.Stage))
		}
	}
	for id := range seen {
		c.actions[id].Considered++
	}
	left := LeftOut{Decision: r.entry.ID, Person: r.entry.Person, At: r.entry.At, Enquiry: r.enquiry, HandedOver: person}
	if furthest >= 0 {
		left.Stage = stages[furthest]
	}
	who.something, who.person, who.stage = who.something || something, who.person || person, max(who.stage, furthest)
	if !something {
		c.left = append(c.left, left)
	}
	for i := range d.Needs {
		n := &d.Needs[i]
		if n.Origin == need.Predicted || n.Negated || n.Outside {
			continue
		}
		c.need(n, d, left)
	}
}

// need counts one need, and what stopped the actions for it.
func (c *covering) need(n *need.Need, d *decision.Decision, left LeftOut) {
	key := [2]string{n.Intent, n.Sub()}
	x := c.needs[key]
	if x == nil {
		x = &needCovering{NeedCoverage{Intent: n.Intent, Subintent: n.Sub(), Lost: []NeedLoss{}, Examples: []LeftOut{}}, losses{}}
		x.Title.Zh, x.Title.En = c.words.Title(n.Intent, n.Sub(), "zh-CN"), c.words.Title(n.Intent, n.Sub(), "en")
		c.needs[key] = x
	}
	x.add(n, c.plan)
	if n.Status == need.Answered || n.Status == need.Partly {
		return
	}
	eligible := slices.ContainsFunc(d.Chosen, func(ch decision.Chosen) bool { return ch.Need == n.ID && c.lasting(ch.Action) })
	furthest := -1
	for i := range d.Rejected {
		rej := &d.Rejected[i]
		if rej.Need != n.ID || !c.lasting(rej.Action) {
			continue
		}
		stage := slices.Index(stages, rej.Stage)
		furthest = max(furthest, stage)
		eligible = eligible || stage > slices.Index(stages, decision.Suitability)
		c.count(x.losses, rej)
	}
	if eligible {
		return
	}
	x.NoEligible++
	if len(x.Examples) < mostOfANeed {
		if left.Stage = ""; furthest >= 0 {
			left.Stage = stages[furthest]
		}
		x.Examples = append(x.Examples, left)
	}
}

// lasting tells an action that serves a need from those that are there for whatever
// nothing else serves, from our own question back, and from those that watch over
// every need for danger.
func (c *covering) lasting(id string) bool {
	a := c.rules[id]
	return !a.Fallback && !a.Asks && !a.Safety
}

func (c *covering) count(all losses, r *decision.Rejected) {
	key := [3]string{r.Action, string(r.Stage), r.Rule}
	if all[key] == nil {
		why, known := c.policies[key]
		if !known {
			why = r.Reason // of the newest decision, filled in
		}
		all[key] = &NeedLoss{Action: r.Action, Loss: Loss{Stage: r.Stage, Rule: r.Rule, Reason: why}}
	}
	all[key].Times++
}

func (l losses) sorted() []NeedLoss {
	all := make([]NeedLoss, 0, len(l))
	for _, x := range l {
		all = append(all, *x)
	}
	slices.SortFunc(all, func(a, b NeedLoss) int {
		return cmp.Or(b.Times-a.Times, cmp.Compare(a.Action, b.Action), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Rule, b.Rule))
	})
	return all
}

func (c *covering) told() *Coverage {
	out := &Coverage{People: len(c.people), Needs: []NeedCoverage{}, Actions: []ActionCoverage{}, Lost: []PeopleLost{}, Left: []LeftOut{}}
	lost := map[int]int{}
	for _, who := range c.people {
		if who.something {
			continue
		}
		lost[who.stage]++
		if who.person {
			out.HandedOver++
		} else {
			out.Nothing++
		}
	}
	for _, stage := range slices.Sorted(maps.Keys(lost)) {
		p := PeopleLost{People: lost[stage]}
		if stage >= 0 {
			p.Stage = stages[stage]
		}
		out.Lost = append(out.Lost, p)
	}
	told := map[string]bool{}
	for _, l := range c.left { // one a person, the newest
		if who := c.people[l.Person]; !who.something && !told[l.Person] && len(out.Left) < mostLeftOut {
			told[l.Person] = true
			out.Left = append(out.Left, l)
		}
	}
	for _, x := range c.needs {
		all := x.losses.sorted()
		x.Lost = all[:min(len(all), mostNeedLoses)]
		out.Needs = append(out.Needs, x.NeedCoverage)
	}
	slices.SortFunc(out.Needs, func(a, b NeedCoverage) int {
		return cmp.Or(b.Unanswered-a.Unanswered, b.NoEligible-a.NoEligible, b.Asked-a.Asked, cmp.Compare(a.Intent, b.Intent), cmp.Compare(a.Subintent, b.Subintent))
	})
	for _, id := range slices.Sorted(maps.Keys(c.actions)) {
		x := c.actions[id]
		for _, l := range c.lost[id].sorted() {
			x.Lost = append(x.Lost, l.Loss)
		}
		out.Actions = append(out.Actions, *x)
	}
	return out
}

// add counts one need.
func (x *NeedCoverage) add(n *need.Need, p *decision.Plan) {
	x.Asked++
	switch n.Status {
	case need.Answered:
		x.Answered++
	case need.Partly:
		x.Partly++
	case need.Clarify:
		x.Clarified++
	case need.Handover:
		x.Handover++
	default:
		x.Unanswered++
		if !p.Serves(n.Intent, n.Sub()) {
			x.NoAction++
		}
	}
}

// enough is how often an action must have been a candidate before what became of it
// says something about the rules.
const enough = 30

// Lint looks for what is probably wrong with a version: in its files, and in what
// became of its actions when the logged past is decided under it.
func (e *Engine) Lint(ctx context.Context, workspace string, number int, p Past) ([]strategy.Finding, error) {
	s, err := e.source(ctx, workspace, number)
	if err != nil {
		return nil, err
	}
	all, err := e.Compiler.Lint(ctx, s)
	if err != nil {
		return nil, err
	}
	c, err := e.Coverage(ctx, workspace, number, p)
	if err != nil {
		return nil, err
	}
	for i := range c.Actions {
		a := &c.Actions[i]
		if a.Considered < enough || a.Chosen > 0 || len(a.Lost) == 0 {
			continue
		}
		most := a.Lost[0]
		f := strategy.Finding{Check: strategy.NeverMeets, Severity: strategy.Doubtful, Message: candidate.Text{
			Zh: fmt.Sprintf("动作“%s”考虑过 %d 次，一次也没有选上；最常见的原因是 %s 阶段的规则 %s（%d 次）", a.Action, a.Considered, most.Stage, most.Rule, most.Times),
			En: fmt.Sprintf("the action %q was considered %d times and never chosen; most often it was stopped at %s by %s (%d times)", a.Action, a.Considered, most.Stage, most.Rule, most.Times),
		}}
		if most.Stage == decision.Arbitration {
			f.Check = strategy.AlwaysLoses
		}
		all = append(all, f)
	}
	return all, nil
}
