package decision

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
)

// Learnable is what a chosen action must be remembered by so that a later model can
// learn from what comes of it: exactly what this decision's own model read.
type Learnable struct {
	Offer   propensity.Offer   `json:"offer"`
	Prior   float64            `json:"prior"` // log-odds of the pack's own propensity
	Context propensity.Context `json:"context,omitempty"`
}

// learnedFacts are the facts that a propensity is learned over, in this order. They
// depend on the need and the person, never on the action or the group of a signal;
// what depends on the action stands in contactFeatures. Facts that consent or the
// personalisation switch hide are unknown here as they are to rules.
var learnedFacts = []string{
	"scene.channel", "scene.device", "scene.network", "scene.locale", "scene.hour", "scene.weekday",
	"need.intent", "need.origin", "enquiry.problem", "person.known_days",
	"orders.count", "cases.open", "cases.total", "assets.count", "holdings.count",
}

// personal facts are unknown when personalisation is off.
func personalFact(name string) bool {
	head, _, _ := strings.Cut(name, ".")
	switch head {
	case "person", "orders", "cases", "assets", "holdings":
		return true
	}
	return false
}

// Features that tell what came of the same action before.
const (
	shownBefore = "contact.shown" // how often it was shown in the last 90 days
	cameBefore  = "contact.last"  // accepted, dismissed or ignored the last time
)

const contactMemory = 90 * 24 * time.Hour

// bin puts a fact's value into the bin under which it is learned; false: it has none.
func bin(name string, v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, v != "" && len(v) <= 64
	case bool:
		if v {
			return "yes", true
		}
		return "no", true
	case float64: // a number of JSON
		if v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
			return "", false
		}
		return bin(name, int64(v))
	case int64:
		switch {
		case name == "scene.hour":
			return strconv.Itoa(int(v)/4*4) + "-" + strconv.Itoa(int(v)/4*4+3), true
		case name == "scene.weekday":
			return map[bool]string{true: "weekend", false: "working day"}[v >= 6], true
		case v < 3:
			return strconv.FormatInt(max(v, 0), 10), true
		}
		low := int64(1) << (bits.Len64(uint64(v-1)) - 1) // 3–4, 5–8, 9–16 …
		return strconv.FormatInt(low+1, 10) + "-" + strconv.FormatInt(2*low, 10), true
	}
	return "", false
}

// surroundings are the learned facts of one need as the model reads them.
type surroundings struct {
	known   bool
	context propensity.Context
	reading propensity.Reading // of the model, of context
	cited   []evidence.Ref     // the model, and what context rests on as far as the model weighs it
	told    []candidate.Term   // what the features of context are called, and their proof; "": not asked yet
}

// model is what was learned; never nil.
func (c *chooser) model() *propensity.Model {
	if c.in.Model == nil {
		return propensity.Unlearned()
	}
	return c.in.Model
}

func (c *chooser) surroundings(b *binding, need int) *surroundings {
	if c.around == nil {
		c.around = make([]surroundings, len(c.in.Needs)+1)
	}
	s := &c.around[need+1]
	if s.known {
		return s
	}
	s.known = true
	s.context = make(propensity.Context, 0, len(learnedFacts)+len(c.plan.Learned)+2)
	learn := func(name string) {
		if personalFact(name) && !c.in.Personal {
			return
		}
		v, ok := b.fact(name)
		if change := b.changed; change != nil && change.fact == name && change.concerns(b) {
			v, ok = change.value, true
		}
		if !ok {
			return
		}
		if text, ok := bin(name, v); ok {
			s.context = append(s.context, propensity.Value{Feature: name, Bin: text})
		}
	}
	for _, name := range learnedFacts {
		learn(name)
	}
	for _, name := range c.plan.Learned {
		learn(name)
	}
	s.reading = c.model().Read(s.context)
	s.cited = append(s.cited, c.modelRefs()...)
	for _, v := range s.context {
		if c.in.Model.Weighs(v) {
			s.cited = join(s.cited, b.proof(v.Feature))
		}
	}
	return s
}

// LearnableFact tells whether a propensity can be learned over a fact: one with few
// values, that is the same for every action of a decision, and that is not learned
// over anyway.
func LearnableFact(name string, t FactType) bool {
	head, _, _ := strings.Cut(name, ".")
	switch head {
	case "person", "scene", "enquiry", "orders", "cases", "assets", "holdings", "contracts", "promotions", "dialogue", "calendar":
		return (t == Text || t == Bool || t == Int) && !slices.Contains(learnedFacts, name)
	}
	return false
}

// contactFeatures tell what came of the same action before, and by which records.
func (c *chooser) contactFeatures(a *Action) (values [2]propensity.Value, cited []evidence.Ref) {
	shown := int64(0)
	last := "never shown"
	for i := range c.person.Contacts {
		k := &c.person.Contacts[i]
		if k.Action != a.ID || k.Shown.IsZero() || k.Shown.After(c.now) || !k.Shown.Add(contactMemory).After(c.now) {
			continue
		}
		shown++
		switch {
		case !k.Accepted.IsZero() && !k.Accepted.After(c.now):
			last = "accepted"
		case !k.Dismissed.IsZero() && !k.Dismissed.After(c.now):
			last = "dismissed"
		default:
			last = "ignored"
		}
		cited = join(cited, k.Evidence)
	}
	text, _ := bin(shownBefore, shown)
	return [2]propensity.Value{{Feature: shownBefore, Bin: text}, {Feature: cameBefore, Bin: last}}, cited
}

// offer names what is learned about: an action starts from all of its nature, and from
// the one it is like.
func (a *Action) offer(treatment string) propensity.Offer {
	return propensity.Offer{Parent: string(a.Nature), Like: a.Like, Action: a.ID, Treatment: treatment}
}

// learned says what was learned about a proposal: what it adds to the log-odds, how
// uncertain that is, and which records it rests on beside the model. The addends one
// by one are [proposal.allParts].
func (c *chooser) learned(p *proposal, need int) (e propensity.Estimate, cited []evidence.Ref) {
	p.around = c.surroundings(&p.binding, need)
	var own propensity.Reading
	m := c.model()
	if c.in.Personal {
		p.before, p.contacts = c.contactFeatures(p.action)
		if p.before != c.ownBins { // of most actions nothing came before
			c.ownBins, c.ownReading = p.before, m.Read(p.before[:])
		}
		own = c.ownReading
	}
	treatment := "" // of one way alone there is nothing to learn
	if len(p.action.Treatments) > 1 {
		treatment = p.treatment()
	}
	p.offer = p.action.offer(treatment)
	e = m.EstimateBoth(&p.around.reading, &own, p.offer)
	if c.in.Model == nil {
		return e, nil
	}
	cited = p.around.cited
	if len(p.contacts) > 0 && (m.Weighs(p.before[0]) || m.Weighs(p.before[1])) {
		cited = join(slices.Clip(cited), p.contacts)
	}
	return e, cited
}

// context is all that a propensity is learned over: the moment's and the action's own.
func (p *proposal) context() propensity.Context {
	if !p.in.Personal {
		return p.around.context
	}
	return slices.Concat(p.around.context, propensity.Context(p.before[:]))
}

// learnable is what the proposal must be remembered by; nil for a right.
func (p *proposal) learnable() *Learnable {
	if p.around == nil {
		return nil
	}
	return &Learnable{Offer: p.offer, Prior: p.prior, Context: p.context()}
}

// allParts are the addends of the propensity's log-odds: the pack's own, and those of
// what was learned, each with the records it came from and the model that weighs them.
func (p *proposal) allParts(learn *Learnable) []candidate.Term {
	m := p.in.Model
	if m == nil || learn == nil {
		return slices.Concat(p.parts)
	}
	addends := m.Parts(learn.Context, p.offer)
	parts := append(make([]candidate.Term, 0, len(p.parts)+len(addends)), p.parts...)
	for i := range addends {
		parts = append(parts, p.part(&addends[i]))
	}
	return parts
}

// part tells one addend. What a feature of the moment is called, and by which records it
// is known, is the same for all that is chosen.
func (p *proposal) part(of *propensity.Part) candidate.Term {
	model := p.around.cited[:1:1]
	switch {
	case of.Feature == "":
		return candidate.Term{Name: "learned " + of.Level, Value: of.Value, Evidence: model}
	case of.And.Feature != "": // what both weigh together, beside what each does
		a := p.told(propensity.Value{Feature: of.Feature, Bin: of.Bin})
		b := p.told(of.And)
		return candidate.Term{Name: a.Name + " & " + of.And.Feature + "=" + of.And.Bin, Value: of.Value, Evidence: join(slices.Clip(a.Evidence), b.Evidence)}
	}
	term := p.told(propensity.Value{Feature: of.Feature, Bin: of.Bin})
	term.Value = of.Value
	return term
}

// told names a feature that was read and the records by which it is known, the model
// before them.
func (p *proposal) told(v propensity.Value) candidate.Term {
	s := p.around
	i := slices.Index(s.context, v)
	if i >= 0 && s.told == nil {
		s.told = make([]candidate.Term, len(s.context))
	}
	if i >= 0 && s.told[i].Name != "" {
		return s.told[i]
	}
	var few [8]evidence.Ref
	refs := append(few[:0], s.cited[0])
	if i >= 0 {
		refs = join(refs, p.proof(v.Feature))
	} else {
		refs = join(refs, p.contacts)
	}
	t := candidate.Term{Name: "learned " + v.Feature + "=" + v.Bin, Evidence: p.cites.copy(refs)}
	if i >= 0 {
		s.told[i] = t
	}
	return t
}

func modelRef(m *propensity.Model) evidence.Ref {
	return evidence.Make(evidence.Model, "propensity", m.Version)
}

func (c *chooser) modelRefs() []evidence.Ref {
	if c.in.Model == nil {
		return []evidence.Ref{}
	}
	if c.modelCited == nil {
		c.modelCited = []evidence.Ref{modelRef(c.in.Model)}
	}
	return c.modelCited
}
