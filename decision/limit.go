package decision

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
)

// What holds an action back whoever the customer is: it was switched off, its time
// has not come or is over, or its budget is used up.

// Stop says that an action is switched off without a publish.
type Stop struct {
	Action string       `json:"action"`
	Reason string       `json:"reason,omitempty"` // as its author wrote it
	Until  time.Time    `json:"until,omitzero"`   // zero: until it is lifted
	Event  evidence.Ref `json:"event,omitempty"`  // the record that switched it off
}

// Period is the stretch of time that a budget is for.
type Period string

// The periods, in the plan's time zone; weeks begin on Monday.
const (
	Daily   Period = "day"
	Weekly  Period = "week"
	Monthly Period = "month"
	Yearly  Period = "year"
	Ever    Period = "ever"
)

// Fund is a budget: at most so many pieces, or so much money, a period. Rights
// have none.
type Fund struct {
	ID       string
	Title    candidate.Text
	Limit    int64  // pieces, or minor units of Currency
	Currency string // "": pieces
	Per      Period
	By       string        // "" or the fact by which it is divided: scene.store, person.traits.segment …
	Paced    bool          // no faster than its period goes by, a day's share at a time
	Hold     time.Duration // how long an offer holds its share; 0: until it is settled
}

// Balance is what is gone of a budget, spent or held, as of a decision.
type Balance struct {
	Budget string `json:"budget"` // its key
	Gone   int64  `json:"gone"`
}

// Hold is what an offered action takes of a budget.
type Hold struct {
	Budget string // its key
	Action string
	Amount int64
	Limit  int64         // what may be gone of it by now
	For    time.Duration // 0: until it is settled
}

// Budgets gives the keys of the budgets that a decision on in may draw on; their
// balances are to be put into it.
func (p *Plan) Budgets(in *Input) []string {
	if len(p.Funds) == 0 {
		return nil
	}
	b := &binding{moment: newMoment(p, in)}
	keys := make([]string, len(p.Funds))
	for i := range p.Funds {
		keys[i] = b.fundKeyAt(i)
	}
	return keys
}

// Holds gives what the chosen actions take of their budgets.
func (p *Plan) Holds(in *Input, d *Decision) (all []Hold) {
	if len(p.Funds) == 0 {
		return nil
	}
	b := &binding{moment: newMoment(p, in)}
	for _, c := range d.Chosen {
		a := p.action(c.Action)
		if a == nil || a.Nature == Right {
			continue
		}
		for _, i := range a.Funds {
			f := &p.Funds[i]
			all = append(all, Hold{Budget: b.fundKeyAt(i), Action: a.ID, Amount: f.price(a), Limit: p.allowed(f, b.now), For: f.Hold})
		}
	}
	return all
}

// Serves tells whether an action of the plan is for a kind of need.
func (p *Plan) Serves(intent, sub string) bool {
	return slices.ContainsFunc(p.Actions, func(a Action) bool {
		return slices.ContainsFunc(a.Needs, func(label string) bool { return labelled(label, intent, sub) })
	})
}

func (p *Plan) action(id string) *Action {
	if i := slices.IndexFunc(p.Actions, func(a Action) bool { return a.ID == id }); i >= 0 {
		return &p.Actions[i]
	}
	return nil
}

// price is what one offer of the action takes of the fund.
func (f *Fund) price(a *Action) int64 {
	if f.Currency == "" {
		return 1
	}
	return a.Cost.Amount
}

// FundState is a fund at one time.
type FundState struct {
	Fund    *Fund
	Key     string // of its budget, or what the keys of its parts begin with
	Allowed int64
}

// FundStates tells how the plan's funds stand at a time.
func (p *Plan) FundStates(now time.Time) []FundState {
	all := make([]FundState, len(p.Funds))
	for i := range p.Funds {
		f := &p.Funds[i]
		all[i] = FundState{Fund: f, Key: p.fundKey(f, now), Allowed: p.allowed(f, now)}
	}
	return all
}

// Owns tells whether a key is that of the fund's budget, or of a part of it.
func (s *FundState) Owns(key string) bool {
	rest, ok := strings.CutPrefix(key, s.Key)
	return ok && (rest == "" && s.Fund.By == "" || strings.HasPrefix(rest, "/") && s.Fund.By != "")
}

func (p *Plan) fundKey(f *Fund, now time.Time) string {
	if f.Per == Ever {
		return f.ID
	}
	start, _ := f.period(p.localTime(now))
	return f.ID + "/" + start.Format(time.DateOnly)
}

// fundKeyAt names a fund's budget of this moment: the fund, the period, the part.
func (b *binding) fundKeyAt(i int) string {
	f := &b.plan.Funds[i]
	if b.funds == nil {
		b.funds = make([]string, len(b.plan.Funds))
	}
	if b.funds[i] == "" {
		b.funds[i] = b.plan.fundKey(f, b.now)
	}
	key := b.funds[i]
	if f.By != "" {
		part := "-" // nobody knows of which
		if v, ok := b.fact(f.By); ok {
			part = fmt.Sprint(v)
		}
		key += "/" + part
	}
	return key
}

func (p *Plan) localTime(t time.Time) time.Time {
	if p.Zone == nil {
		return t.UTC()
	}
	return t.In(p.Zone)
}

// period is the stretch around a local time.
func (f *Fund) period(t time.Time) (start, end time.Time) {
	y, m, d := t.Date()
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, t.Location()) }
	switch f.Per {
	case Daily:
		return day(y, m, d), day(y, m, d+1)
	case Weekly:
		monday := d - (int(t.Weekday())+6)%7
		return day(y, m, monday), day(y, m, monday+7)
	case Monthly:
		return day(y, m, 1), day(y, m+1, 1)
	case Yearly:
		return day(y, 1, 1), day(y+1, 1, 1)
	}
	return time.Time{}, time.Time{}
}

// allowed is what may be gone of a fund by now: all of it, or the share of the days
// of its period that have begun, rounded up.
func (p *Plan) allowed(f *Fund, now time.Time) int64 {
	local := p.localTime(now)
	start, end := f.period(local)
	if !f.Paced || start.IsZero() {
		return f.Limit
	}
	days := func(from, to time.Time) float64 { return math.Round(to.Sub(from).Hours() / 24) } // a day of the clocks' change is one, too
	y, m, d := local.Date()
	begun := days(start, time.Date(y, m, d+1, 0, 0, 0, 0, local.Location()))
	return int64(math.Ceil(float64(f.Limit) * begun / days(start, end)))
}

// stopped turns down an action that is switched off or out of its time.
func (c *chooser) stopped(b *binding, a *Action, i int) bool {
	for k := range c.in.Stops {
		s := &c.in.Stops[k]
		if s.Action != a.ID || !s.Until.IsZero() && !c.now.Before(s.Until) {
			continue
		}
		reason := candidate.Text{Zh: "已经停用", En: "it is switched off"}
		if s.Reason != "" {
			reason.Zh += "：" + s.Reason
			reason.En += ": " + s.Reason
		}
		var refs []evidence.Ref
		if s.Event != "" {
			refs = append(refs, s.Event)
		}
		c.reject(b, a, i, Eligibility, "stopped", reason, nil, join([]evidence.Ref{}, refs))
		return true
	}
	switch {
	case !a.From.IsZero() && c.now.Before(a.From):
		c.reject(b, a, i, Eligibility, "schedule", candidate.Text{Zh: "还没开始，从" + c.date(a.From, "zh-CN") + "起", En: "it begins on " + c.date(a.From, "en")}, nil, []evidence.Ref{})
		return true
	case !a.Until.IsZero() && !c.now.Before(a.Until):
		c.reject(b, a, i, Eligibility, "schedule", candidate.Text{Zh: "已经结束，到" + c.date(a.Until, "zh-CN") + "为止", En: "it ended on " + c.date(a.Until, "en")}, nil, []evidence.Ref{})
		return true
	}
	return false
}

// funded turns down an action whose budget has not enough left.
func (c *chooser) funded(b *binding, a *Action, i int) bool {
	if a.Nature == Right {
		return true
	}
	for _, k := range a.Funds {
		f := &c.plan.Funds[k]
		key := b.fundKeyAt(k)
		gone := int64(0)
		if at := slices.IndexFunc(c.in.Balances, func(x Balance) bool { return x.Budget == key }); at >= 0 {
			gone = c.in.Balances[at].Gone
		}
		allowed := c.plan.allowed(f, c.now)
		if gone <= allowed-f.price(a) {
			continue
		}
		zh, en := "预算「"+f.Title.Zh+"」已用完", "the budget “"+f.Title.En+"” is used up"
		if allowed < f.Limit {
			zh, en = "预算「"+f.Title.Zh+"」今天的份额已用完", "today's share of the budget “"+f.Title.En+"” is used up"
		}
		c.reject(b, a, i, Budget, f.ID, candidate.Text{Zh: zh + "（共 " + f.told(f.Limit) + "）", En: en + " (" + f.told(f.Limit) + " in all)"}, nil, []evidence.Ref{})
		return false
	}
	return true
}

// told is an amount of the fund in figures.
func (f *Fund) told(amount int64) string {
	if f.Currency == "" {
		return strconv.FormatInt(amount, 10)
	}
	return strconv.FormatFloat((&candidate.Money{Amount: amount, Currency: f.Currency}).Major(), 'f', -1, 64) + " " + f.Currency
}
