package need

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/text"
)

// accepting is what stands beside what would do instead: "黑色也行", "black is fine".
var accepting = []string{"也可以的", "也可以", "也行", "也成", "也好", "也没问题", "就行", "就可以", "就好", "就成", "可以", "要", "来", "拿", "换", "换成", "那", "那就", "就", "也", "的", "吧", "了", "我", "款", "码", "号", "色",
	"is", "are", "also", "fine", "ok", "okay", "good", "great", "will", "would", "do", "works", "work", "too", "as", "well", "then", "i'll", "i", "take", "have", "the", "a", "in", "one", "instead", "that's", "be", "alright", "just", "go", "for", "with", "give", "me", "size", "colour", "color", "please", "we", "can", "could"}

// alternative tells whether a stretch only names a colour, a size or a thing and says
// that it would do: it asks what was asked before, of this one.
func (s *scratch) alternative(part []rune) bool {
	named := false
	for i := 0; i < len(part); {
		if !text.Han(part[i]) && !text.Letter(part[i]) && part[i] != '\'' {
			i++
			continue
		}
		width := 0
		for k := range s.mentions {
			m := &s.mentions[k]
			if m.Type != "color" && m.Type != "size" && !thing(&m.Entity) {
				continue
			}
			if word := s.plain.Runes[m.start:m.end]; len(word) > width && i+len(word) <= len(part) && slices.Equal(part[i:i+len(word)], word) {
				width, named = len(word), true
			}
		}
		for _, w := range accepting {
			word := []rune(w)
			end := i + len(word)
			if len(word) > width && end <= len(part) && slices.Equal(part[i:end], word) && (text.Han(word[0]) || wordEdge(part, end)) {
				width = len(word)
			}
		}
		if width == 0 {
			return false
		}
		i += width
	}
	return named
}

// instead lends a clause that says only what would do instead ("没有的话黑色也行") the
// intent of what it is instead of: the question before its condition, else the need
// before it, else what was asked last.
func (s *scratch) instead(needs []Need, kept []int) {
	for k := range s.spans {
		at := kept[k]
		if at < 0 || at >= len(needs) || needs[at].Danger || s.spans[k].Negated || s.spans[k].Condition == nil {
			continue
		}
		span := &s.spans[k]
		if !s.alternative(s.mainPart(span)) {
			continue
		}
		n := &needs[at]
		from, to := s.plainPlace(span.Condition.Range)
		if whole := strings.IndexFunc(string(s.plain.Runes[from:to]), func(r rune) bool { return strings.ContainsRune("?!。;,", r) }); whole > 0 {
			if label, margin := s.score(s.plain.Runes[from:to]); margin > 0 && s.intents.Intents()[label] != outside {
				n.lend(&Need{Intent: s.intents.Intents()[label], Confidence: cueBelief})
				continue
			}
		}
		if at > 0 {
			n.lend(&needs[at-1])
		} else if b := s.lastAsked(); b != nil {
			n.lend(b)
		}
	}
}

// lend gives a need what another asks.
func (n *Need) lend(of *Need) {
	n.Intent, n.Subintent, n.Status, n.Readings, n.Outside = of.Intent, of.Subintent, of.Status, of.Readings, of.Outside
	n.Confidence = round(min(of.Confidence, cueBelief))
}
