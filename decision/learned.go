package decision

import (
	"math/bits"
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
		return map[bool]string{true: "yes", false: "no"}[v], true
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
}

func (c *chooser) surroundings(b *binding, need int) propensity.Context {
	if c.around == nil {
		c.around = make([]surroundings, len(c.in.Needs)+1)
	}
	s := &c.around[need+1]
	if s.known {
		return s.context
	}
	s.known = true
	s.context = make(propensity.Context, 0, len(learnedFacts)+2)
	for _, name := range learnedFacts {
		if personalFact(name) && !c.in.Personal {
			continue
		}
		v, ok := b.fact(name)
		if change := b.changed; change != nil && change.fact == name && change.concerns(b) {
			v, ok = change.value, true
		}
		if !ok {
			continue
		}
		if text, ok := bin(name, v); ok {
			s.context = append(s.context, propensity.Value{Feature: name, Bin: text})
		}
	}
	return s.context
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

// learned adds to a proposal's parts what was learned, each addend with the records it
// came from and the model that weighs them, and says how uncertain their sum is.
func (c *chooser) learned(p *proposal, need int) (variance float64) {
	a := p.action
	context := c.surroundings(&p.binding, need)
	var cited []evidence.Ref
	if c.in.Personal {
		var before [2]propensity.Value
		before, cited = c.contactFeatures(a)
		context = append(context[:len(context):len(context)], before[:]...)
	}
	treatment := "" // of one way alone there is nothing to learn
	if len(a.Treatments) > 1 {
		treatment = p.treatment()
	}
	p.learn = &Learnable{Offer: a.offer(treatment), Prior: p.prior, Context: context}
	m := c.in.Model
	if m == nil {
		m = propensity.Unlearned()
	}
	e := m.Estimate(m.Read(context), p.learn.Offer)
	if c.in.Model == nil {
		return e.Variance
	}
	ref := modelRef(m)
	for _, part := range m.Parts(context, p.learn.Offer) {
		if part.Feature == "" {
			p.parts = append(p.parts, candidate.Term{Name: "learned " + part.Level, Value: part.Value, Evidence: []evidence.Ref{ref}})
			continue
		}
		refs := []evidence.Ref{ref}
		if part.Feature == shownBefore || part.Feature == cameBefore {
			refs = join(refs, cited)
		} else {
			refs = join(refs, p.cite(part.Feature))
		}
		p.parts = append(p.parts, candidate.Term{Name: "learned " + part.Feature + "=" + part.Bin, Value: part.Value, Evidence: refs})
	}
	return e.Variance
}

func modelRef(m *propensity.Model) evidence.Ref {
	return evidence.Make(evidence.Model, "propensity", m.Version)
}

func (c *chooser) modelRefs() []evidence.Ref {
	if c.in.Model == nil {
		return []evidence.Ref{}
	}
	return []evidence.Ref{modelRef(c.in.Model)}
}
