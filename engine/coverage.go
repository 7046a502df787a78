package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/strategy"
)

// Coverage says how far a strategy reaches: which needs it leaves without an
// answer or an offer, who gets nothing, and where each action loses its customers.
type Coverage struct {
	Version   int `json:"version"`
	Decisions int `json:"decisions"`
	Erased    int `json:"erased"`
	// People and those of them who got neither an answer nor an offer, ever.
	People  int `json:"people"`
	Nothing int `json:"nothing"`

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
}

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
	c := &Coverage{Version: number, Needs: []NeedCoverage{}, Actions: []ActionCoverage{}}
	needs := map[[2]string]*NeedCoverage{}
	actions := map[string]*ActionCoverage{}
	losses := map[string]map[[2]string]int{}
	for i := range v.Decision.Actions {
		a := &v.Decision.Actions[i]
		actions[a.ID] = &ActionCoverage{Action: a.ID, Title: a.Title, Nature: a.Nature, Lost: []Loss{}}
		losses[a.ID] = map[[2]string]int{}
	}
	got := map[string]bool{}
	c.Erased, err = e.relive(ctx, workspace, number, p, func(r *relived) error {
		c.Decisions++
		if r.enquiry != "" && !slices.ContainsFunc(r.decision.Needs, func(n need.Need) bool { return !n.Outside }) {
			return nil // a courtesy, or no matter of the house: nothing was wanted of a strategy
		}
		got[r.entry.Person] = got[r.entry.Person] || served(r.decision.Needs) || len(r.decision.Chosen) > 0
		for i := range r.decision.Needs {
			n := &r.decision.Needs[i]
			if n.Origin == need.Predicted || n.Negated || n.Outside {
				continue
			}
			key := [2]string{n.Intent, n.Sub()}
			x := needs[key]
			if x == nil {
				x = &NeedCoverage{Intent: n.Intent, Subintent: n.Sub()}
				x.Title.Zh, x.Title.En = v.Treatment.Title(n.Intent, n.Sub(), "zh-CN"), v.Treatment.Title(n.Intent, n.Sub(), "en")
				needs[key] = x
			}
			x.add(n, v.Decision)
		}
		seen := map[string]bool{}
		for _, ch := range r.decision.Chosen {
			actions[ch.Action].Chosen++
			seen[ch.Action] = true
		}
		for _, rej := range r.decision.Rejected {
			seen[rej.Action] = true
			losses[rej.Action][[2]string{string(rej.Stage), rej.Rule}]++
		}
		for id := range seen {
			actions[id].Considered++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.People = len(got)
	for _, something := range got {
		if !something {
			c.Nothing++
		}
	}
	for _, x := range needs {
		c.Needs = append(c.Needs, *x)
	}
	slices.SortFunc(c.Needs, func(a, b NeedCoverage) int {
		return cmp.Or(b.Unanswered-a.Unanswered, b.Asked-a.Asked, cmp.Compare(a.Intent, b.Intent), cmp.Compare(a.Subintent, b.Subintent))
	})
	for _, id := range slices.Sorted(maps.Keys(actions)) {
		x := actions[id]
		for rule, times := range losses[id] {
			x.Lost = append(x.Lost, Loss{decision.Stage(rule[0]), rule[1], times})
		}
		slices.SortFunc(x.Lost, func(a, b Loss) int {
			return cmp.Or(b.Times-a.Times, cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Rule, b.Rule))
		})
		c.Actions = append(c.Actions, *x)
	}
	return c, nil
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
