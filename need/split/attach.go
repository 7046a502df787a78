package split

import (
	"github.com/rapport-cx/rapport/need/text"
)

// attach finds what a span depends on and what it rules out.
func (c *Cues) attach(n text.Normalised, spans []Span, i int, score Score) {
	s := &spans[i]
	runes, start, end := n.Runes, s.Plain.Start, s.Plain.End
	if from, to, failing, ok := c.condition(runes, start, end); ok {
		k := &Condition{On: i - 1, Failing: failing}
		k.Start, k.End = n.Source(from, to)
		if label, margin := score(runes[from:to]); margin > 0 {
			for j := i - 1; j >= 0; j-- {
				if spans[j].Label == label {
					k.On = j
					break
				}
			}
		}
		s.Condition = k
	}
	ruledOut, left := 0, 0
	for p := start; p < end; {
		if length := c.actVerb.match(runes, p, end); length > 0 {
			left++
			p += length
			continue
		}
		length := c.negator.match(runes, p, end)
		if length == 0 {
			p++
			continue
		}
		q := p + length
		for q < end && runes[q] == ' ' {
			q++
		}
		verb := c.actVerb.match(runes, q, end)
		if verb == 0 {
			p += length
			continue
		}
		ruledOut++
		from, to := n.Source(p, clauseEnd(runes, q+verb, end))
		s.Excluded = append(s.Excluded, Range{from, to})
		p = q + verb
	}
	if ruledOut > 0 && left == 0 {
		s.Negated = c.onlyExcluded(n, s)
	}
}

// onlyExcluded tells whether a span says little but what it rules out: in "有没有适合妈妈的，别推荐含酒精的"
// the wish stands, in "不想退款了" none does.
func (c *Cues) onlyExcluded(n text.Normalised, s *Span) bool {
	runes := n.Runes
	at, said, excluded := s.Plain.Start, 0, 0
	for _, x := range s.Excluded {
		stop := at
		for stop < s.Plain.End && n.Origin[stop] < x.Start {
			stop++
		}
		if c.asks(runes, at, stop) {
			return false
		}
		said += stop - at
		at = stop
		for at < s.Plain.End && n.Origin[at] < x.End {
			at++
			excluded++
		}
	}
	if c.asks(runes, at, s.Plain.End) {
		return false
	}
	return said+s.Plain.End-at <= excluded
}

// clauseEnd gives the end of the clause that i is in.
func clauseEnd(runes []rune, i, end int) int {
	for i < end {
		if kind, stop := boundary(runes, i, end); stop > i && kind != markSpace {
			return i
		}
		i++
	}
	return end
}

// condition finds the conditional clause of a span.
func (c *Cues) condition(runes []rune, start, end int) (from, to int, failing, ok bool) {
	if k := c.unless.match(runes, start, end); k > 0 {
		return start, start + k, true, true
	}
	if k := c.given.match(runes, start, end); k > 0 {
		return start, start + k, false, true
	}
	if k := c.opener.match(runes, start, end); k > 0 {
		if at, _ := consequence.find(runes, start+k, end); at > 0 {
			if stop := clauseEnd(runes, start, end); stop < at {
				return start, stop, false, true
			}
			return start, c.trim(runes, start, at), false, true
		}
		stop := clauseEnd(runes, start+k, end)
		if stop == end && !text.Han(runes[start]) {
			stop = start + k
		}
		return start, stop, false, true
	}
	for p := start; p < end; p++ {
		if p+1 < end && runes[p] == '的' && runes[p+1] == '话' && (p+2 >= end || runes[p+2] != '费') {
			return start, p + 2, false, true
		}
		if runes[p] == '就' && p-start >= 2 && p-start <= 8 {
			for q := start; q < p; q++ {
				if runes[q] == '不' || runes[q] == '没' || runes[q] == '无' {
					return start, p, true, true
				}
			}
		}
		if p > start && !text.Han(runes[p]) {
			if k := c.opener.match(runes, p, end); k > 0 {
				return p, end, false, true
			}
		}
	}
	return 0, 0, false, false
}
