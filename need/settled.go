package need

import "slices"

// settled applies the answer to a question of ours to the needs that were read from
// the earlier words: what was unclear takes the reading that was picked, and what
// became clear since loses nothing. Places in those words are none in this text.
func (e *Enquiry) settled(needs []Need) []Need {
	if e.About == "" {
		return needs
	}
	for i := range needs {
		n := &needs[i]
		n.Span = nil
		for k := range n.Entities {
			n.Entities[k].Span = Span{}
		}
		unclear := n.Status == Clarify || n.Status == Unanswered && !n.Outside
		switch {
		case !unclear:
		case e.Chosen != nil:
			n.Intent, n.Subintent, n.Status, n.Readings = e.Chosen.Intent, subintent(e.Chosen.Subintent), "", nil
			n.Confidence = max(n.Confidence, cueBelief)
		case len(e.Excluded) > 0:
			n.Status = Clarify
			n.Readings = slices.DeleteFunc(n.Readings, func(r Reading) bool {
				return slices.ContainsFunc(e.Excluded, func(x Reading) bool { return x.Intent == r.Intent })
			})
		}
	}
	return needs
}
