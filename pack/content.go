package pack

import (
	"math"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// content is what the files of all packs of a source say, before their rules are
// compiled. Values that the compiler must look at again are kept beside.
type content struct {
	faults *Faults

	titles     map[string]candidate.Text // of intents, subintents, symptoms by label
	need       need.Definition
	wordless   bool // what teaches the need room is known already, and passed over
	symptoms   map[string]candidate.Text
	brand      candidate.Text
	attributes []candidate.Attribute
	sources    map[string][]string
	traits     map[string]decision.FactType
	classes    map[string]profile.Field
	problems   []labelled
	explained  []labelled
	draw       draw
	signals    []signalText
	actions    []actionText
	contact    decision.Contact
	duty       []decision.Duty
	topics     []topic
	pages      *topics // the same, ready to be asked; nil until a signal is compiled
	funds      []fundText
	calendars  []decision.Calendar
	metrics    []metricText
	tags       []tagText
	zone       *value     // the name of the time zone in which calendars are read
	dropped    []labelled // ids of actions of earlier packs that are left out
	seen       map[string]value
}

type draw struct {
	temperature, exploration, floor float64
	ripe                            time.Duration
	sales                           int
	learn                           []labelled
}

// labelled is a name with the place where it was written.
type labelled struct {
	name string
	at   value
}

type signalText struct {
	signal.Definition
	at     value
	title  candidate.Text
	counts candidate.Text
	where  *value
	after  *value // where of After
	then   []*value
	other  *value
	unless *value
}

type actionText struct {
	decision.Action
	at         value
	serves     []labelled
	signal     *value
	policies   []policyText
	parts      []weightText
	contexts   []weightText
	reasons    []reasonText
	treatments []treatmentText
	form       []fieldText
	titleAt    value
	weighed    []value // what a right may not have
	from       *value
	until      *value
	funds      []labelled
}

type fundText struct {
	decision.Fund
	at value
	by *value
}

type policyText struct {
	decision.Policy
	at    value
	rule  *value
	cites []labelled
	text  value
}

type weightText struct {
	decision.Weight
	when *value
}

type reasonText struct {
	decision.Because
	at    value
	when  *value
	cites []labelled
}

type treatmentText struct {
	decision.Treatment
	at   value
	when *value
}

type fieldText struct {
	decision.Field
	from *value
}

// read reads one file into the content.
func (c *content) read(v value) {
	v.object(c.sections())
}

// sections are what a file can consist of.
func (c *content) sections() fields {
	all := fields{
		"pack":       func(v value) { var s string; v.name(&s) },
		"title":      func(v value) { var t candidate.Text; v.text(&t) },
		"about":      func(v value) { var t candidate.Text; v.text(&t) },
		"requires":   func(v value) { var s []string; v.strs(&s) },
		"brand":      func(v value) { v.text(&c.brand) },
		"attributes": func(v value) { v.list(c.attribute) },
		"sources": func(v value) {
			v.entries(func(k, v value) {
				var names []string
				v.strs(&names)
				name := k.node.Value
				if name == "default" {
					name = ""
				}
				c.sources[name] = names
			})
		},
		"traits": func(v value) {
			v.entries(func(k, v value) {
				var t, class, purpose string
				kinds := []string{"string", "bool", "int", "double", "timestamp", "list"}
				if v.is(yaml.ScalarNode) {
					v.choice(&t, kinds...)
				}
				if v.is(yaml.MappingNode) {
					v.object(fields{
						"type":    func(v value) { v.choice(&t, kinds...) },
						"class":   func(v value) { v.choice(&class, "ordinary", "sensitive", "minor") },
						"purpose": func(v value) { v.name(&purpose) },
					}, "type")
					if (class == "sensitive" || class == "minor") && purpose == "" {
						v.fault("class_purpose", class)
					}
				}
				if !identifier.MatchString(k.node.Value) {
					k.fault("trait_name", k.node.Value)
					return
				}
				c.traits[k.node.Value] = decision.FactType(t)
				if class != "" || purpose != "" {
					if class == "" {
						class = string(profile.Sensitive)
					}
					c.classes[k.node.Value] = profile.Field{Class: profile.Class(class), Purpose: purpose}
				}
			})
		},
		"timezone":  func(v value) { c.zone = &v },
		"budgets":   func(v value) { v.list(c.fund) },
		"calendars": func(v value) { v.list(c.calendar) },
		"metrics":   func(v value) { v.list(c.metric) },
		"problems":  func(v value) { c.problems = labels(v) },
		"explained": func(v value) { c.explained = labels(v) },
		"draw": func(v value) {
			v.object(fields{
				"exploration": func(v value) { v.number(&c.draw.exploration) },
				"learn":       func(v value) { c.draw.learn = labels(v) },
				"ripe":        func(v value) { v.duration(&c.draw.ripe) },
				"temperature": func(v value) { v.number(&c.draw.temperature) },
				"floor":       func(v value) { v.number(&c.draw.floor) },
				"sales":       func(v value) { v.integer(&c.draw.sales, 1) },
			})
			if c.draw.temperature < 0 || c.draw.floor < 0 || c.draw.floor > 0.2 {
				v.fault("draw_bounds")
			}
			if c.draw.exploration < 0 || c.draw.exploration > 10 {
				v.fault("exploration_bounds")
			}
		},
		"contact": c.contactPolicy,
		"duty":    func(v value) { v.list(c.onDuty) },
		"topics":  func(v value) { v.list(c.topic) },
		"signals": func(v value) { v.list(c.signal) },
		"tags":    func(v value) { v.list(c.tag) },
		"actions": func(v value) { v.list(c.action) },
		"without": func(v value) { c.dropped = append(c.dropped, labels(v)...) },
	}
	for name, read := range c.wordSections() {
		if c.wordless {
			read = func(value) {}
		}
		all[name] = read
	}
	return all
}

// wordSections are those that teach the need room: most of what a pack says, and
// nothing that its rules are compiled with but the titles.
func (c *content) wordSections() fields {
	return fields{
		"intents": func(v value) { v.list(c.intent) },
		"outside": func(v value) {
			for l, more := range byLanguage(v) {
				if c.need.Outside == nil {
					c.need.Outside = map[locale][]string{}
				}
				c.need.Outside[l] = union(c.need.Outside[l], more)
			}
		},
		"subintents": func(v value) {
			v.list(func(v value) { c.subintent(v, false) })
		},
		"symptoms": func(v value) {
			v.list(func(v value) { c.subintent(v, true) })
		},
		"lexicon": func(v value) { v.entries(c.words) },
	}
}

func labels(v value) []labelled {
	var all []labelled
	v.list(func(e value) {
		var s string
		e.str(&s)
		all = append(all, labelled{s, e})
	})
	return all
}

// byLanguage reads {zh: [...], en: [...]}; a sentence given twice counts once.
func byLanguage(v value) map[scene.Locale][]string {
	out := map[scene.Locale][]string{}
	read := func(l scene.Locale) func(value) {
		return func(v value) {
			seen := map[string]bool{}
			v.list(func(e value) {
				var s string
				if e.str(&s); s != "" && !seen[s] {
					seen[s] = true
					out[l] = append(out[l], s)
				}
			})
		}
	}
	v.object(fields{"zh": read(scene.Chinese), "en": read(scene.English)}, "zh", "en")
	return out
}

func (c *content) intent(v value) {
	var d need.IntentDefinition
	var title candidate.Text
	v.object(fields{
		"intent": func(v value) {
			v.str(&d.Label)
			if d.Label != "" && (!label.MatchString(d.Label) || strings.Contains(d.Label, "/")) {
				v.fault("label_intent", d.Label)
			}
		},
		"title":    func(v value) { v.text(&title) },
		"examples": func(v value) { d.Examples = byLanguage(v) },
	}, "intent", "title", "examples")
	if d.Label == "" {
		return
	}
	if i := slices.IndexFunc(c.need.Intents, func(o need.IntentDefinition) bool { return o.Label == d.Label }); i >= 0 {
		// A later pack adds its own sentences to an intent.
		for l, more := range d.Examples {
			c.need.Intents[i].Examples[l] = union(c.need.Intents[i].Examples[l], more)
		}
		c.titles[d.Label] = title
		return
	}
	c.titles[d.Label] = title
	c.need.Intents = append(c.need.Intents, d)
}

func union(a, b []string) []string {
	seen := make(map[string]bool, len(a))
	for _, s := range a {
		seen[s] = true
	}
	for _, s := range b {
		if !seen[s] {
			a = append(a, s)
		}
	}
	return a
}

func (c *content) subintent(v value, symptom bool) {
	var d need.SubintentDefinition
	var title candidate.Text
	v.object(fields{
		"id":       func(v value) { v.name(&d.ID) },
		"parent":   func(v value) { v.str(&d.Parent) },
		"danger":   func(v value) { v.boolean(&d.Danger) },
		"implied":  func(v value) { v.boolean(&d.Implied) },
		"title":    func(v value) { v.text(&title) },
		"aliases":  func(v value) { v.strs(&d.Aliases) },
		"cues":     func(v value) { d.Cues = byLanguage(v) },
		"examples": func(v value) { d.Examples = byLanguage(v) },
	}, "id", "parent", "title")
	if d.ID == "" || d.Parent == "" {
		return
	}
	name := d.Parent + "/" + d.ID
	c.titles[name] = title
	if symptom {
		c.symptoms[d.ID] = title
	}
	c.seen["subintent "+name] = v
	if i := slices.IndexFunc(c.need.Subintents, func(o need.SubintentDefinition) bool { return o.ID == d.ID && o.Parent == d.Parent }); i >= 0 {
		c.need.Subintents[i] = d
		return
	}
	c.need.Subintents = append(c.need.Subintents, d)
}

func (c *content) words(key, v value) {
	class := key.node.Value
	if kind, value, valued := strings.Cut(class, ":"); !identifier.MatchString(kind) || valued && !identifier.MatchString(value) {
		key.fault("word_class", class)
		return
	}
	if c.need.Words[class] == nil {
		c.need.Words[class] = map[scene.Locale][]string{}
	}
	for l, more := range byLanguage(v) {
		c.need.Words[class][l] = union(c.need.Words[class][l], more)
	}
}

func (c *content) attribute(v value) {
	var a candidate.Attribute
	v.object(fields{
		"name":   func(v value) { v.str(&a.Name) },
		"label":  func(v value) { v.text(&a.Label) },
		"unit":   func(v value) { v.str(&a.Unit) },
		"better": func(v value) { v.choice(&a.Better, "higher", "lower") },
		"fits":   func(v value) { v.name(&a.Fits) },
	}, "name", "label")
	if i := slices.IndexFunc(c.attributes, func(o candidate.Attribute) bool { return o.Name == a.Name }); i >= 0 {
		c.attributes[i] = a
		return
	}
	c.attributes = append(c.attributes, a)
}

// check says what a form lacks, and what it does not know.
func (s *signalText) check(v value) {
	window := s.Form == signal.Count || s.Form == signal.Absent || s.Form == signal.Sequence
	if s.Form == signal.Periodic && s.Tolerance == 0 {
		s.Tolerance = 0.25
	}
	for _, c := range []struct {
		wrong bool
		code  string
		most  int
	}{
		{s.Form == signal.Streak && s.Per == "", "streak_per", 0},
		{window && s.Within == 0, "within_missing", 0},
		{(s.Form == signal.Streak || s.Form == signal.Periodic) && s.Within != 0, "within_idle", 0},
		{s.Form == signal.Absent && s.After.Event == "", "absent_after", 0},
		{s.Form == signal.Sequence && len(s.Then) == 0, "sequence_then", 0},
		{len(s.Then) > signal.MostSteps, "sequence_long", signal.MostSteps},
		{s.Unless.Event != "" && s.Form != signal.Sequence, "unless_sequence", 0},
		{s.Form == signal.Trend && s.Value == "", "trend_value", 0},
		{s.Form == signal.Trend && s.AtLeast < 2, "trend_least", 0},
		{s.Form == signal.Periodic && s.Every == 0, "period_every", 0},
		{s.Form == signal.Periodic && s.AtLeast < 3, "period_least", 0},
		{s.Form == signal.Periodic && s.Tolerance >= 1, "period_tolerance", 0},
		{s.Form == signal.Ratio && (s.Other.Event == "" || s.Share == 0), "ratio_parts", 0},
		{s.Form != signal.Ratio && s.Other.Event != "", "compared_ratio", 0},
		{s.AtLeast > signal.MostNeeded, "remembers_most", signal.MostNeeded},
		{slices.Contains(s.Without, s.Event) && s.Form != signal.Absent, "undoes_itself", 0},
	} {
		if c.wrong {
			v.fault(c.code, c.most)
		}
	}
}

func (c *content) signal(v value) {
	s := signalText{at: v}
	s.Form, s.AtLeast = signal.Count, 1
	step := func(into *signal.Step, where **value) func(value) {
		return func(v value) {
			v.object(fields{
				"event": func(v value) { v.str(&into.Event) },
				"where": func(v value) { *where = &v },
			}, "event")
		}
	}
	v.object(fields{
		"id":     func(v value) { v.name(&s.ID) },
		"title":  func(v value) { v.text(&s.title) },
		"counts": func(v value) { v.text(&s.counts) },
		"form": func(v value) {
			var f string
			v.choice(&f, "count", "streak", "absent", "sequence", "trend", "periodic", "ratio")
			s.Form = signal.Form(f)
		},
		"event":    func(v value) { v.str(&s.Event) },
		"at_least": func(v value) { v.integer(&s.AtLeast, 1) },
		"within":   func(v value) { v.duration(&s.Within) },
		"per":      func(v value) { var p string; v.choice(&p, "day", "week", "month"); s.Per = signal.Period(p) },
		"by":       func(v value) { v.strs(&s.By) },
		"of": func(v value) {
			var of string
			v.choice(&of, "person", "household")
			s.Household = of == "household"
		},
		"distinct":    func(v value) { v.str(&s.Distinct) },
		"where":       func(v value) { s.where = &v },
		"undone_by":   func(v value) { v.strs(&s.Without) },
		"since_first": func(v value) { v.boolean(&s.SinceFirst) },
		"cooldown":    func(v value) { v.duration(&s.Cooldown) },
		"grace":       func(v value) { v.integer(&s.Grace, 1) },
		"value":       func(v value) { v.str(&s.Value) },
		"direction": func(v value) {
			var d string
			v.choice(&d, "rising", "falling")
			s.Falling = d == "falling"
		},
		"compared_to":    step(&s.Other, &s.other),
		"at_least_times": func(v value) { v.positive(&s.Share) },
		"every":          func(v value) { v.duration(&s.Every) },
		"tolerance":      func(v value) { v.positive(&s.Tolerance) },
		"unless": func(v value) {
			v.object(fields{
				"event":  func(v value) { v.str(&s.Unless.Event) },
				"where":  func(v value) { s.unless = &v },
				"within": func(v value) { v.duration(&s.For) },
			}, "event", "within")
		},
		"after": step(&s.After, &s.after),
		"then": func(v value) {
			v.list(func(v value) {
				s.Then = append(s.Then, signal.Step{})
				s.then = append(s.then, nil)
				step(&s.Then[len(s.Then)-1], &s.then[len(s.then)-1])(v)
			})
		},
		"implies": func(v value) {
			var l string
			if v.is(yaml.ScalarNode) {
				v.str(&l)
			}
			if v.is(yaml.MappingNode) {
				v.object(fields{
					"need":    func(v value) { v.str(&l) },
					"unasked": func(v value) { v.boolean(&s.Implies.Unasked) },
					"asks": func(v value) {
						var t candidate.Text
						v.text(&t)
						s.Implies.Asks = map[string]string{string(scene.Chinese): t.Zh, string(scene.English): t.En}
					},
				}, "need")
			}
			if l != "" && !label.MatchString(l) {
				v.fault("label_need", l)
			}
			s.Implies.Intent, s.Implies.Subintent, _ = strings.Cut(l, "/")
		},
	}, "id", "title", "counts", "event")
	s.check(v)
	if s.ID == "" {
		return
	}
	if i := slices.IndexFunc(c.signals, func(o signalText) bool { return o.ID == s.ID }); i >= 0 {
		c.signals[i] = s
		return
	}
	c.signals = append(c.signals, s)
}

func (c *content) action(v value) {
	a := actionText{at: v}
	a.Value, a.Lever = 1, 1
	weighed := func(v value) { a.weighed = append(a.weighed, v) }
	stage := func(s decision.Stage) func(value) {
		return func(v value) {
			if s == decision.ContactPolicy {
				weighed(v)
			}
			v.list(func(v value) { a.policy(v, s) })
		}
	}
	v.object(fields{
		"id": func(v value) { v.name(&a.ID) },
		"nature": func(v value) {
			var n string
			v.choice(&n, "right", "service", "goodwill", "sale")
			a.Nature = decision.Nature(n)
		},
		"title": func(v value) { v.text(&a.Title); a.titleAt = v },
		"impact": func(v value) {
			var how string
			v.choice(&how, "minor", "major")
			a.Major = how == "major"
		},
		"serves": func(v value) { a.serves = labels(v) },
		"signal": func(v value) { v.name(&a.Signal); a.signal = &v },
		"grants": func(v value) { v.name(&a.Grants) },
		"unasked": func(v value) {
			a.Unasked = &decision.Unasked{}
			v.object(fields{"topic": func(v value) { v.name(&a.Unasked.Topic) }}, "topic")
		},
		"item":   a.putting,
		"safety": func(v value) { v.boolean(&a.Safety) }, "resolves": func(v value) { v.boolean(&a.Resolves) },
		"asks":     func(v value) { v.boolean(&a.Asks) },
		"handover": func(v value) { v.boolean(&a.Handover) }, "fallback": func(v value) { v.boolean(&a.Fallback) },
		"value": func(v value) { weighed(v); v.positive(&a.Value) }, "lever": func(v value) { weighed(v); v.positive(&a.Lever) },
		"propensity": func(v value) {
			weighed(v)
			v.object(fields{
				"base":  func(v value) { v.number(&a.Prior.Base) },
				"parts": func(v value) { v.list(func(v value) { a.parts = append(a.parts, weight(v, "add")) }) },
			}, "base")
		},
		"like": func(v value) { weighed(v); v.name(&a.Like) },
		"explore": func(v value) {
			var how string
			weighed(v)
			v.choice(&how, "usual", "never")
			a.Firm = how == "never"
		},
		"context": func(v value) {
			weighed(v)
			v.list(func(v value) { a.contexts = append(a.contexts, weight(v, "times")) })
		},
		"eligibility": stage(decision.Eligibility), "applicability": stage(decision.Applicability),
		"suitability": stage(decision.Suitability), "contact_policy": stage(decision.ContactPolicy),
		"consent": func(v value) { weighed(v); v.strs(&a.Consent) },
		"cap":     func(v value) { weighed(v); a.capped(v) },
		"from":    func(v value) { a.from = &v }, "until": func(v value) { a.until = &v },
		"cost":       func(v value) { weighed(v); v.money(&a.Cost) },
		"budgets":    func(v value) { weighed(v); a.funds = labels(v) },
		"reasons":    func(v value) { v.list(a.reason) },
		"treatments": func(v value) { v.list(a.treatment) },
		"form":       func(v value) { v.list(a.field) },
	}, "id", "nature", "title", "reasons")
	if a.ID == "" {
		return
	}
	if a.Unasked != nil && len(a.serves) == 0 {
		v.fault("unasked_serves")
	}
	if a.Nature == decision.Right {
		for _, w := range a.weighed {
			w.fault("right_plain")
		}
	}
	if i := slices.IndexFunc(c.actions, func(o actionText) bool { return o.ID == a.ID }); i >= 0 {
		if c.actions[i].at.file == v.file {
			v.fault("action_twice", a.ID)
		}
		c.actions[i] = a
		return
	}
	c.actions = append(c.actions, a)
}

// putting reads which items are put forward.
func (a *actionText) putting(v value) {
	a.Item = &decision.Putting{}
	v.object(fields{
		"kind":      func(v value) { v.str(&a.Item.Kind) },
		"level":     func(v value) { v.str(&a.Item.Level) },
		"trait":     func(v value) { v.name(&a.Item.Trait) },
		"best":      func(v value) { v.str(&a.Item.Best) },
		"relations": func(v value) { v.strs(&a.Item.Relations) },
		"tagged":    func(v value) { v.name(&a.Item.Tagged) },
	})
	if a.Item.Kind == "" && len(a.Item.Relations) == 0 {
		v.fault("item_which")
	}
	if a.Item.Tagged != "" && a.Item.Kind != decision.Promotions {
		v.fault("item_tagged")
	}
	if (a.Item.Level == "") != (a.Item.Trait == "") {
		v.fault("item_level")
	}
}

// capped reads how often it is shown, and for how long it keeps quiet.
func (a *actionText) capped(v value) {
	a.Cap = &decision.Cap{}
	v.object(fields{
		"shown":    func(v value) { v.integer(&a.Cap.Shown, 1) },
		"within":   func(v value) { v.duration(&a.Cap.Within) },
		"suppress": func(v value) { v.duration(&a.Cap.Suppress) },
	})
	if (a.Cap.Shown > 0) != (a.Cap.Within > 0) {
		v.fault("cap_both")
	}
}

func (a *actionText) policy(v value, s decision.Stage) {
	p := policyText{at: v}
	p.Stage = s
	v.object(fields{
		"id":     func(v value) { v.name(&p.ID) },
		"rule":   func(v value) { p.rule = &v },
		"reason": func(v value) { p.text = v; v.text(&p.Reason) },
		"cites":  func(v value) { p.cites = labels(v) },
	}, "id", "rule", "reason")
	if slices.ContainsFunc(a.policies, func(o policyText) bool { return o.ID == p.ID && p.ID != "" }) {
		v.fault("rule_twice", p.ID)
	}
	a.policies = append(a.policies, p)
}

func (c *content) fund(v value) {
	f := fundText{at: v}
	f.Per = decision.Monthly
	var money candidate.Money
	v.object(fields{
		"id":    func(v value) { v.name(&f.ID) },
		"title": func(v value) { v.text(&f.Title) },
		"pieces": func(v value) {
			n := 0
			v.integer(&n, 1)
			f.Limit = int64(n)
		},
		"money": func(v value) { v.money(&money) },
		"per": func(v value) {
			var p string
			v.choice(&p, "day", "week", "month", "year", "ever")
			f.Per = decision.Period(p)
		},
		"by":    func(v value) { v.str(&f.By); f.by = &v },
		"paced": func(v value) { v.boolean(&f.Paced) },
		"hold":  func(v value) { v.duration(&f.Hold) },
	}, "id", "title")
	switch {
	case (f.Limit > 0) == (money.Amount > 0):
		v.fault("budget_either")
	case money.Amount > 0:
		f.Limit, f.Currency = money.Amount, money.Currency
	}
	if f.Paced && (f.Per == decision.Ever || f.Per == decision.Daily) {
		v.fault("budget_pace")
	}
	if f.ID == "" {
		return
	}
	if i := slices.IndexFunc(c.funds, func(o fundText) bool { return o.ID == f.ID }); i >= 0 {
		c.funds[i] = f
		return
	}
	c.funds = append(c.funds, f)
}

// weight reads an addend of log-odds ("add") or a factor ("times", kept as its
// logarithm).
func weight(v value, amount string) weightText {
	var w weightText
	v.object(fields{
		"name": func(v value) { v.name(&w.Name) },
		"when": func(v value) { w.when = &v },
		amount: func(v value) {
			if amount == "add" {
				v.number(&w.Value)
				return
			}
			x := 1.0
			v.positive(&x)
			w.Value = math.Log(x)
		},
	}, "name", "when", amount)
	return w
}

func (a *actionText) reason(v value) {
	r := reasonText{at: v}
	v.object(fields{
		"text":  func(v value) { v.text(&r.Text) },
		"cites": func(v value) { r.cites = labels(v) },
		"when":  func(v value) { r.when = &v },
	}, "text")
	a.reasons = append(a.reasons, r)
}

func (a *actionText) treatment(v value) {
	t := treatmentText{at: v}
	v.object(fields{
		"id":    func(v value) { v.name(&t.ID) },
		"when":  func(v value) { t.when = &v },
		"title": func(v value) { v.text(&t.Title) },
		"body":  func(v value) { v.text(&t.Body) },
	}, "id")
	a.treatments = append(a.treatments, t)
}

func (a *actionText) field(v value) {
	var f fieldText
	v.object(fields{
		"name":     func(v value) { v.name(&f.Name) },
		"label":    func(v value) { v.text(&f.Label) },
		"from":     func(v value) { v.str(&f.From); f.from = &v },
		"optional": func(v value) { v.boolean(&f.Optional) },
	}, "name", "label")
	a.form = append(a.form, f)
}

// longestWindow bounds what a signal can look back on; a profile keeps its newest
// 256 events of a name, whatever their age.
const longestWindow = 5 * 366 * 24 * time.Hour
