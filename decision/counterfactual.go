package decision

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
)

// Counterfactual is what would have been decided if one thing had been otherwise.
type Counterfactual struct {
	Change  candidate.Text `json:"change"`
	Outcome candidate.Text `json:"outcome"`
	Without evidence.Ref   `json:"without,omitempty"` // the record that was left out
	Fact    string         `json:"fact,omitempty"`    // or the fact that was seen otherwise
	Value   any            `json:"value,omitempty"`
	Gone    []string       `json:"gone"`    // actions no longer offered
	Instead []string       `json:"instead"` // actions offered in their place
}

// mostCounterfactuals bounds how often an explanation decides again.
const mostCounterfactuals = 12

// change is one fact seen otherwise; about is the device it is limited to, "" for all.
type change struct {
	fact  string
	value any
	about string
}

func (c *change) concerns(b *binding) bool {
	if c.about == "" {
		return true
	}
	d := b.device()
	return d != nil && d.id() == c.about
}

// Counterfactuals decides again with one thing changed at a time and tells what
// would have come out otherwise: without each event that a chosen action's group
// rests on; with the warranty, the returnability or the proof of identity the
// other way round; with one person more or less in the household. Only what
// changes the offers is told. An event is left out of the signals (a signal that
// loses one it needs no longer holds); facts folded from it into the profile stay,
// for that the engine replays the whole decision.
func Counterfactuals(plan *Plan, in Input, d Decision) []Counterfactual {
	asked := map[string]bool{}
	m := newMoment(plan, &in)
	m.asked = asked
	decide(plan, m)
	out := []Counterfactual{}
	tries := 0
	try := func(c Counterfactual, in Input, changed *change) {
		if tries++; tries > mostCounterfactuals {
			return
		}
		m := newMoment(plan, &in)
		m.changed = changed
		gone, instead := difference(d.Chosen, decide(plan, m).Chosen)
		if len(gone)+len(instead) == 0 {
			return
		}
		c.Gone, c.Instead = ids(gone), ids(instead)
		c.Outcome = outcome(gone, instead)
		out = append(out, c)
	}
	for _, c := range without(m, d) {
		try(c, leaveOut(plan, in, c.Without), nil)
	}
	for _, s := range switches(m, d, asked) {
		try(s.told, in, &s.change)
	}
	return out
}

// without lists the events on which the chosen groups rest, oldest first.
func without(m *moment, d Decision) (all []Counterfactual) {
	var seen []evidence.Ref
	for _, c := range d.Chosen {
		of := ""
		if i := slices.IndexFunc(m.plan.Actions, func(a Action) bool { return a.ID == c.Action }); i >= 0 {
			of = m.plan.Actions[i].Signal
		}
		if c.Group == nil && of == "" {
			continue
		}
		for k := range m.in.Signals {
			s := &m.in.Signals[k]
			if !s.Holds || !sameKey(s.Group, c.Group) || c.Group == nil && s.Signal != of {
				continue
			}
			for i, ref := range s.Events {
				if slices.Contains(seen, ref) || i >= len(s.Times) {
					continue
				}
				seen = append(seen, ref)
				all = append(all, Counterfactual{Without: ref, Change: candidate.Text{
					Zh: "如果没有 " + m.date(s.Times[i], "zh-CN") + "的这条记录",
					En: "without the record of " + m.date(s.Times[i], "en"),
				}})
			}
		}
	}
	return all
}

// leaveOut is the input without one event in its signals.
func leaveOut(plan *Plan, in Input, ref evidence.Ref) Input {
	in.Signals = slices.Clone(in.Signals)
	for k := range in.Signals {
		s := &in.Signals[k]
		i := slices.Index(s.Events, ref)
		if i < 0 {
			continue
		}
		s.Events = slices.Delete(slices.Clone(s.Events), i, i+1)
		if i < len(s.Times) {
			s.Times = slices.Delete(slices.Clone(s.Times), i, i+1)
		}
		s.Count--
		if s.Count < max(plan.Signals[s.Signal].AtLeast, 1) {
			s.Holds, s.Fault = false, "count"
			in.Needs = slices.DeleteFunc(slices.Clone(in.Needs), func(n need.Need) bool {
				return n.Origin == need.Predicted && slices.Contains(n.Evidence, ref)
			})
		}
	}
	return in
}

type switched struct {
	told   Counterfactual
	change change
}

// switches lists the facts that rules asked for and that are worth seeing the
// other way round, once for each device or order they are about.
func switches(m *moment, d Decision, asked map[string]bool) (all []switched) {
	add := func(about, fact string, value any, zh, en string) {
		all = append(all, switched{
			told:   Counterfactual{Fact: fact, Value: value, Change: candidate.Text{Zh: zh, En: en}},
			change: change{fact: fact, value: value, about: about},
		})
	}
	if asked["device.under_warranty"] {
		for _, b := range bindings(m, d) {
			dev := b.device()
			if dev == nil || slices.ContainsFunc(all, func(s switched) bool { return s.change.about == dev.id() }) {
				continue
			}
			zh, _ := b.fillIn("{device}", "zh-CN")
			en, _ := b.fillIn("{device}", "en")
			if v, ok := b.fact("device.under_warranty"); ok && v == true {
				add(dev.id(), "device.under_warranty", false, "如果这台"+zh+"已过保修期", "if this "+en+" were out of warranty")
			} else {
				add(dev.id(), "device.under_warranty", true, "如果这台"+zh+"还在保修期内", "if this "+en+" were under warranty")
			}
		}
	}
	b := &binding{moment: m}
	if len(m.in.Needs) > 0 {
		b.need = &m.in.Needs[0]
	}
	flip := func(fact string, ifTrue, ifFalse candidate.Text) {
		v, ok := b.fact(fact)
		if !asked[fact] || !ok {
			return
		}
		if v == true {
			add("", fact, false, ifTrue.Zh, ifTrue.En)
		} else {
			add("", fact, true, ifFalse.Zh, ifFalse.En)
		}
	}
	flip("order.returnable", candidate.Text{Zh: "如果这一单已过退货期", En: "if the return period of this order were over"},
		candidate.Text{Zh: "如果这一单还在退货期内", En: "if this order could still be returned"})
	flip("order.delivered", candidate.Text{Zh: "如果这一单还没签收", En: "if this order had not been delivered"},
		candidate.Text{Zh: "如果这一单已经签收", En: "if this order had been delivered"})
	flip("person.proven", candidate.Text{Zh: "如果身份没有核实", En: "if the identity were not proven"},
		candidate.Text{Zh: "如果身份已经核实", En: "if the identity were proven"})
	if size, ok := b.fact("person.traits.household_size"); ok && asked["person.traits.household_size"] {
		if n, isNumber := size.(float64); isNumber {
			for _, other := range []float64{n - 1, n + 1} {
				if other >= 1 {
					s := number(other)
					add("", "person.traits.household_size", other, "如果家里是 "+s+" 口人", "if the household were of "+s)
				}
			}
		}
	}
	return all
}

// bindings are the (need, group) pairs of what was chosen or rejected, each once.
func bindings(m *moment, d Decision) (all []*binding) {
	var seen []string
	add := func(id string, group map[string]string) {
		key := id + "\x00" + groupKey(group)
		if slices.Contains(seen, key) {
			return
		}
		seen = append(seen, key)
		b := &binding{moment: m}
		if i := slices.IndexFunc(m.in.Needs, func(n need.Need) bool { return n.ID == id }); i >= 0 {
			b.need = &m.in.Needs[i]
		}
		if len(group) > 0 {
			b.group = &need.SignalState{Group: group}
		}
		all = append(all, b)
	}
	for _, c := range d.Chosen {
		add(c.Need, c.Group)
	}
	for _, r := range d.Rejected {
		add(r.Need, r.Group)
	}
	return all
}

// difference is what is no longer offered and what is offered in its place.
func difference(was, is []Chosen) (gone, instead []Chosen) {
	missing := func(from, in []Chosen) (all []Chosen) {
		for _, c := range from {
			if !slices.ContainsFunc(in, func(o Chosen) bool { return o.Action == c.Action && sameKey(o.Group, c.Group) }) {
				all = append(all, c)
			}
		}
		return all
	}
	return missing(was, is), missing(is, was)
}

func ids(all []Chosen) []string {
	out := make([]string, len(all))
	for i, c := range all {
		out[i] = c.Action
	}
	return out
}

// outcome puts a difference into words. The same thing offered as something else
// (a right that would be goodwill) is told as that, not as a loss and a gain.
func outcome(gone, instead []Chosen) candidate.Text {
	var zh, en []string
	gone, instead = slices.Clone(gone), slices.Clone(instead)
	for i := 0; i < len(gone); i++ {
		j := slices.IndexFunc(instead, func(c Chosen) bool { return c.Title == gone[i].Title && c.Nature != gone[i].Nature })
		if j < 0 {
			continue
		}
		was, is, t := natureNames[gone[i].Nature], natureNames[instead[j].Nature], gone[i].Title
		zh = append(zh, "「"+t.Zh+"」就不是"+was.Zh+"，而是"+is.Zh)
		en = append(en, "“"+t.En+"” would be "+is.En+" and not "+was.En)
		gone, instead = slices.Delete(gone, i, i+1), slices.Delete(instead, j, j+1)
		i--
	}
	list := func(all []Chosen) (zh, en string) {
		var a, b []string
		for _, c := range all {
			a, b = append(a, "「"+c.Title.Zh+"」"), append(b, "“"+c.Title.En+"”")
		}
		return strings.Join(a, "、"), strings.Join(b, ", ")
	}
	goneZh, goneEn := list(gone)
	newZh, newEn := list(instead)
	switch {
	case len(gone) == 0 && len(instead) == 0:
	case len(gone) == 0:
		zh, en = append(zh, "还会有"+newZh), append(en, "there would also be "+newEn)
	case len(instead) == 0:
		zh, en = append(zh, "就没有"+goneZh), append(en, "there would be no "+goneEn)
	default:
		zh, en = append(zh, goneZh+"会换成"+newZh), append(en, newEn+" would take the place of "+goneEn)
	}
	return candidate.Text{Zh: strings.Join(zh, "；"), En: strings.Join(en, "; ")}
}

var natureNames = map[Nature]candidate.Text{
	Right: {Zh: "应有的权利", En: "a right"}, Service: {Zh: "一项服务", En: "a service"},
	Goodwill: {Zh: "额外的心意", En: "goodwill"}, Sale: {Zh: "付费的推荐", En: "something for sale"},
}
