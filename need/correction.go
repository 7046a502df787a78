package need

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/need/text"
)

var (
	correctsZh = regexp.MustCompile(`^(不是|不对|错了|搞错了|弄错了|不,|不，)[^,，。;；]{0,12}[,，。;； ]*?(我(说|指|问|要)的是|应该是|要的是|是)|^我(说|指|问)的是`)
	correctsEn = regexp.MustCompile(`^(no|nope|not (that|this|it)( one)?|wrong( one)?|sorry)\b[,.;! ]+(no\b[,. ]*)?(i (mean|meant|was asking about)\b|it's|the other\b|the\b|that\b|my\b)|^i (mean|meant)\b`)
)

// corrected tells whether the text puts right what was understood before ("不是这个，
// 是昨天那单", "no, the one from yesterday"), and where what is meant begins. It asks
// for nothing by itself: who says "no, cancel it" wants something new.
func (s *scratch) corrected() (from int, ok bool) {
	if len(s.plain.Runes) > 60 || len(s.enquiry.Messages) == 0 {
		return 0, false
	}
	plain := string(s.plain.Runes)
	at := correctsZh.FindStringIndex(plain)
	if at == nil {
		at = correctsEn.FindStringIndex(plain)
	}
	if at == nil {
		return 0, false
	}
	from = len([]rune(plain[:at[1]]))
	rest := split.Range{Start: from, End: len(s.plain.Runes)}
	if rest.End <= rest.Start || s.cues.Acts(s.plain.Runes, rest.Start, rest.End) {
		return 0, false
	}
	points := slices.ContainsFunc(s.pointing, func(p pointing) bool { return p.start >= from })
	return from, points || s.mentioned(rest)
}

// correct lends the text that puts something right the intent of the question that it
// is about; what stood before "but" is not what it is about.
func (s *scratch) correct(needs []Need) ([]Need, bool) {
	from, ok := s.corrected()
	if !ok || len(needs) == 0 || slices.ContainsFunc(needs, func(n Need) bool { return n.Danger }) {
		return needs, false
	}
	b := s.lastAsked()
	if b == nil {
		return needs, false
	}
	n := needs[len(needs)-1]
	n.Intent, n.Subintent, n.Status, n.Readings, n.Negated, n.Outside = b.Intent, b.Subintent, "", nil, false, false
	n.Confidence = round(min(b.Confidence, cueBelief))
	n.Entities, n.RefersTo, n.Constraints = nil, nil, nil
	for i := range s.mentions {
		if m := &s.mentions[i]; m.start >= from {
			n.Entities = append(n.Entities, m.Entity)
		}
	}
	s.pointing = slices.DeleteFunc(s.pointing, func(p pointing) bool { return p.start < from })
	n.Span = &Span{0, len(s.original)}
	n.Text = string(s.original)
	s.places = append(s.places[:0], split.Range{Start: 0, End: len(s.plain.Runes)})
	return []Need{n}, true
}

// lastAsked is the last need of the newest earlier turn of the customer that has one.
func (s *scratch) lastAsked() *Need {
	turns := s.enquiry.backward()
	for k, turn := range turns {
		if turn.Role != "user" || strings.TrimSpace(turn.Text) == "" {
			continue
		}
		plain := text.Normalise(turn.Text)
		if len(plain.Runes) == 0 || len(plain.Runes) > 600 {
			return nil
		}
		before := slices.Clone(turns[k+1:])
		slices.Reverse(before)
		inner := scratch{}
		inner.begin(s.Plan, Enquiry{Text: turn.Text, Messages: before}, s.who, s.grammar.at, s.locale, s.names)
		for _, b := range slices.Backward(inner.spoken()) {
			if !b.Negated && b.Intent != "" {
				return &b
			}
		}
	}
	return nil
}
