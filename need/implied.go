package need

import (
	"slices"
	"strings"
)

// implied adds what follows from the wording though nobody said it.
func (s *scratch) implied(needs []Need) []Need {
	sure := func(n *Need) bool { return n.Origin == Spoken && n.Status == "" && !n.Negated }
	find := func(intent string) *Need {
		for i := range needs {
			if needs[i].Intent == intent && sure(&needs[i]) {
				return &needs[i]
			}
		}
		return nil
	}
	spoken := len(needs)
	add := func(intent, sub string, from ...*Need) {
		if slices.ContainsFunc(needs[spoken:], func(n Need) bool { return n.Intent == intent && n.Sub() == sub }) {
			return
		}
		n := Need{Origin: Implied, Intent: intent, Subintent: subintent(sub), Confidence: 1}
		for _, f := range from {
			n.Confidence = min(n.Confidence, f.Confidence)
			n.point(thingIDs(f.Entities)...)
			n.point(f.RefersTo...)
		}
		needs = append(needs, n)
	}
	// Who compares and asks for advice is about to buy (clause 1.1): the advice is
	// one need, the decision another, also when the words run them together ("which
	// one should I get").
	compare, recommend := find("presale.compare"), find("presale.recommend")
	if compare != nil && recommend != nil {
		if recommend.Sub() == "decide" {
			recommend.Subintent = nil
		}
		add("presale.recommend", "decide", compare, recommend)
	}
	// Kinds that a pack calls implied: their words in a need of the same matter.
	for _, c := range s.cuesAt {
		d := &s.subintents[c.sub]
		if !d.Implied || denied(s.plain.Runes, c.start) || find(d.Parent) != nil {
			continue
		}
		for i := range needs[:spoken] {
			if at := s.places[i]; at.Start <= c.start && c.end <= at.End && sure(&needs[i]) && sameMatter(needs[i].Intent, d.Parent) {
				add(d.Parent, d.ID, &needs[i])
			}
		}
	}
	// A fault for the third time, or mended twice in vain, asks for another unit.
	if find("aftersale.exchange") == nil && find("aftersale.return_refund") == nil {
		for i := range needs[:spoken] {
			if n := &needs[i]; sure(n) && sameMatter(n.Intent, "aftersale.exchange") && s.failedOften(n) {
				add("aftersale.exchange", s.kindNamed("aftersale.exchange", "same_fault_again"), n)
			}
		}
	}
	return needs
}

// sameMatter tells whether a need of one intent may imply one of another.
func sameMatter(spoken, implied string) bool {
	if intentGroup(implied) == "presale" {
		return intentGroup(spoken) == "presale"
	}
	switch spoken {
	case "support.troubleshoot", "aftersale.repair", "feedback.complaint", "order.status":
		return intentGroup(implied) == "aftersale"
	}
	return false
}

var mending = []string{"修", "坏", "故障", "毛病", "换过", "broke", "broken", "repair", "fix", "fault", "fail", "died", "stopped"}

func (s *scratch) failedOften(n *Need) bool {
	plain := string(s.plain.Runes)
	if !slices.ContainsFunc(mending, func(w string) bool { return strings.Contains(plain, w) }) {
		return false
	}
	return slices.ContainsFunc(n.Entities, func(e Entity) bool {
		q, ok := e.Value.(Quantity)
		return ok && q.Unit == "time" && (q.Ordinal && q.Value >= 3 || !q.Ordinal && q.Value >= 2)
	})
}

// kindNamed is the subintent's id when the plan knows it, else "".
func (s *scratch) kindNamed(intent, id string) string {
	for _, k := range s.children[intent] {
		if s.subintents[k].ID == id {
			return id
		}
	}
	return ""
}
