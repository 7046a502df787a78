package need

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/need/text"
)

// UnknownProduct is the type of an entity that is named like a product and that the
// catalogue does not know: a comparison must say so and not pass it over.
const UnknownProduct = "unknown_product"

// joints stand between the things that are compared.
var joints = []string{"和", "与", "跟", "对比", "还是", "或者", "、", " vs ", " versus ", " and ", " or ", " with ", " to ", " against ", "/"}

// aroundNames is what stands beside a name in a question that compares.
var aroundNames = []string{
	"帮我", "请", "麻烦", "想问", "问一下", "我想", "一下", "对比", "比较", "比一比", "区别", "差别", "不同", "差异", "功能", "参数", "哪个", "哪款", "哪一个", "哪一款", "更好", "好一点", "好些", "好用", "好", "值得买", "值得", "买", "选", "有什么", "有啥", "什么", "的", "比", "吗", "呢", "之间", "型号", "两款", "哪", "怎么选", "怎么样", "差在哪儿", "差在哪里", "差在哪", "差在", "差多少", "差", "贵在哪", "强在哪", "好在哪", "有没有",
	"compare", "the difference between", "difference between", "differences between", "what is", "what's", "which one is", "which is", "which one", "better", "should i get", "should i buy", "the", "between", "please", "can you", "me", "of", "for", "my", "a", "an", "features", "versus",
}

// unknown finds, in a comparison that names a thing of ours, what stands in the place
// of another name, looks like one (it has a digit or a Latin letter) and is none that
// anybody knows: "云雀 3 和云雀 9".
func (s *scratch) unknown(needs []Need) {
	for i := range needs {
		n := &needs[i]
		if n.Intent != "presale.compare" || n.Status != "" || n.Span == nil {
			continue
		}
		if !slices.ContainsFunc(n.Entities, func(e Entity) bool { return thing(&e) }) {
			continue
		}
		for _, at := range s.operands(s.placeOf(n)) {
			if slices.ContainsFunc(s.mentions, func(m mention) bool {
				common := min(m.end, at.End) - max(m.start, at.Start)
				return common > 0 && (thing(&m.Entity) || common*10 >= (at.End-at.Start)*6) // a price, a date
			}) {
				continue
			}
			from, to := s.plain.Source(at.Start, at.End)
			n.Entities = append(n.Entities, Entity{Type: UnknownProduct, Text: string(s.original[from:to]), Span: Span{from, to}})
		}
	}
}

// operands are the stretches between the joints of a comparison that could be names.
func (s *scratch) operands(at split.Range) (found []split.Range) {
	runes := s.plain.Runes
	from := at.Start
	take := func(to int) {
		if a, b := s.trimmed(from, to); b > a && b-a <= 24 && namelike(runes[a:b]) {
			found = append(found, split.Range{Start: a, End: b})
		}
	}
	cuts := 0
	for i := at.Start; i < at.End; {
		width := 0
		for _, j := range joints {
			if w := []rune(j); i+len(w) <= at.End && slices.Equal(runes[i:i+len(w)], w) && !s.insideMention(i) {
				width = max(width, len(w))
			}
		}
		if width == 0 {
			i++
			continue
		}
		take(i)
		i += width
		from = i
		cuts++
	}
	if take(at.End); cuts == 0 {
		return nil
	}
	return found
}

func (s *scratch) insideMention(i int) bool {
	return slices.ContainsFunc(s.mentions, func(m mention) bool { return m.start <= i && i < m.end && thing(&m.Entity) })
}

// trimmed takes from a stretch what only surrounds a name.
func (s *scratch) trimmed(from, to int) (a, b int) {
	runes := s.plain.Runes
	for changed := true; changed; {
		changed = false
		for from < to && strings.ContainsRune(" ,，。.?？!！:;、", runes[from]) {
			from++
		}
		for to > from && strings.ContainsRune(" ,，。.?？!！:;、", runes[to-1]) {
			to--
		}
		for _, w := range aroundNames {
			word := []rune(w)
			if to-from < len(word) {
				continue
			}
			han := text.Han(word[0])
			if slices.Equal(runes[from:from+len(word)], word) && (han || from+len(word) == to || !text.Letter(runes[from+len(word)])) {
				from += len(word)
				changed = true
				break
			}
			if slices.Equal(runes[to-len(word):to], word) && (han || to-len(word) == from || !text.Letter(runes[to-len(word)-1])) {
				to -= len(word)
				changed = true
				break
			}
		}
	}
	return from, to
}

// namelike tells whether a stretch could be the name of a model: a few words with a
// digit or a Latin letter among Han, or with a digit among Latin letters.
func namelike(runes []rune) bool {
	digits, letters, han, words := 0, 0, 0, 1
	for _, r := range runes {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case text.Han(r):
			han++
		case r == ' ':
			words++
		case text.Letter(r):
			letters++
		}
	}
	return words <= 4 && han <= 8 && (digits > 0 || han > 0 && letters > 0) && digits < len(runes)
}
