package need

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/need/text"
)

// part is one need while the spans that the splitter found are put together.
type part struct {
	Need
	place split.Range // in the plain text
	spans []int       // of the splitter, in order
	acts  bool        // it asks or demands something by itself
}

// join understands every span and puts together what speaks of one need: a name
// that was cut off, a reason before its request, a wish about the thing that was
// just asked for ("三百左右", "she is allergic to nickel"), a bare "看一下".
func (s *scratch) join() {
	s.parts = s.parts[:0]
	for i := range s.spans {
		span := &s.spans[i]
		p := part{Need: s.understand(span), place: span.Plain, spans: []int{i}}
		p.acts = s.cues.Acts(s.plain.Runes, p.place.Start, p.place.End)
		s.settle(&p)
		if p.Intent != "" && !p.acts && p.Confidence < 0.6 && s.margin < s.vague && !s.asks(p.place) && len(s.cuesIn(p.place)) == 0 {
			if p.Subintent = nil; s.mentioned(p.place) {
				s.doubt(&p.Need)
			} else {
				p.Intent, p.Status, p.Readings = "", Unanswered, nil
			}
		}
		s.parts = append(s.parts, p)
	}
	for i := 1; i < len(s.parts); i++ {
		if s.onlyNames(i) {
			s.absorb(i-1, i, true)
			i--
		}
	}
	for i := 0; i < len(s.parts); i++ {
		switch to := s.belongsTo(i); {
		case to >= 0 && s.parts[i].Negated:
			takenBack := !s.saysMore(i)
			if !takenBack {
				s.parts[to].Constraints = append(s.parts[to].Constraints, s.parts[i].Text)
			}
			s.absorb(min(i, to), max(i, to), false)
			s.parts[min(i, to)].Negated = takenBack
			i = max(-1, i-2)
		case to >= 0:
			s.absorb(min(i, to), max(i, to), false)
			i = max(-1, i-2)
		}
	}
	s.dropChatter()
}

// settle decides a doubt by what the words name: a budget or a household beside
// the wish for a thing asks for advice.
func (s *scratch) settle(p *part) {
	if p.Status != Clarify || !slices.ContainsFunc(p.Readings, func(r Reading) bool { return r.Intent == "presale.recommend" }) {
		return
	}
	for i := range s.mentions {
		m := &s.mentions[i]
		_, people := m.Value.(People)
		if m.start >= p.place.Start && m.end <= p.place.End && (m.Type == "budget" || people) {
			p.Intent, p.Subintent, p.Status, p.Readings = "presale.recommend", nil, "", nil
			p.Confidence = max(p.Confidence, 0.6)
			if k, _ := s.kindIn(s.plain.Runes[p.place.Start:p.place.End], p.Intent, s.relative(s.cuesIn(p.place), p.place.Start), s.kindMargins); k >= 0 {
				p.Subintent = &s.subintents[k].ID
			}
			return
		}
	}
}

// absorb puts part k = i+1 into part i. Of the two, the need that acts and is
// sure stays; again tells to understand the whole anew.
func (s *scratch) absorb(i, k int, again bool) {
	a, b := &s.parts[i], &s.parts[k]
	keep := a.Need
	if weight(b) > weight(a) {
		keep = b.Need
	}
	keep.Constraints = append(slices.Clone(a.Constraints), b.Constraints...)
	a.place.End = b.place.End
	from, to := s.plain.Source(a.place.Start, a.place.End)
	if again {
		whole := split.Span{Range: split.Range{Start: from, End: to}, Plain: a.place}
		keep = s.understand(&whole)
	}
	keep.Span, keep.Text = &Span{from, to}, string(s.original[from:to])
	if keep.Subintent == nil && a.Intent == b.Intent {
		if keep.Subintent = a.Subintent; keep.Subintent == nil {
			keep.Subintent = b.Subintent
		}
	}
	a.Need = keep
	a.acts = a.acts || b.acts
	a.spans = append(a.spans, b.spans...)
	s.parts = slices.Delete(s.parts, k, k+1)
}

// weight orders two parts that become one: sure before doubtful, then the one
// that acts, then the more certain.
func weight(p *part) float64 {
	w := p.Confidence
	if p.Status == "" && !p.Negated {
		w += 4
	}
	if p.acts {
		w += 2
	}
	return w
}

// between is what stands between parts i and i+1, without blanks.
func (s *scratch) between(i int) string {
	gap := s.plain.Runes[s.parts[i].place.End:s.parts[i+1].place.Start]
	return string(slices.DeleteFunc(slices.Clone(gap), func(r rune) bool { return r == ' ' }))
}

func mark(gap string) bool {
	for _, r := range gap {
		switch r {
		case ',', '，', '。', '.', '!', ';', '…', '~', '\n', '、', '-', ':':
		default:
			return false
		}
	}
	return true
}

// onlyNames tells whether part i is nothing but names that "and" cut off from the
// part before: "compare A and | B".
func (s *scratch) onlyNames(i int) bool {
	p, before := &s.parts[i], &s.parts[i-1]
	gap := s.between(i - 1)
	if at := p.place; s.cues.Acts(s.plain.Runes[:at.End], at.Start, at.End) { // a "?" at its end asks nothing by itself
		return false
	}
	switch gap {
	case "and", "or", "和", "与", "跟", "或", "及", "vs", "、":
	case ",", ":":
		// "Which is better, the V3 or the V5?"
		return (before.Intent == "presale.compare" || s.asksWhich(before.place)) && len(s.thingsIn(before.place)) == 0 && (len(s.thingsIn(p.place)) > 0 || s.offersChoice(p.place))
	default:
		return false
	}
	runes := s.plain.Runes[p.place.Start:p.place.End]
	words, named := 1, 0
	for _, r := range runes {
		if r == ' ' {
			words++
		} else if text.Han(r) {
			words++
		}
	}
	for i := range s.mentions {
		if m := &s.mentions[i]; m.start >= p.place.Start && m.end <= p.place.End {
			named += m.end - m.start
		}
	}
	return named*10 >= len(runes)*7 || before.Intent == "presale.compare" && words <= 4
}

// asksWhich tells whether a stretch asks for one of several: "which pays more", "哪个划算".
func (s *scratch) asksWhich(at split.Range) bool {
	words := string(s.plain.Runes[at.Start:at.End])
	return strings.HasPrefix(words, "which ") || strings.Contains(words, "哪个") || strings.Contains(words, "哪种") || strings.Contains(words, "哪款")
}

// offersChoice tells whether a stretch is two short names with "or" between them: "the matte or the satin",
// "一年的还是两年的".
func (s *scratch) offersChoice(at split.Range) bool {
	said := string(s.plain.Runes[at.Start:at.End])
	if i := strings.Index(said, "还是"); i > 0 && i+len("还是") < len(said) {
		return at.End-at.Start <= 16
	}
	words := strings.Fields(said)
	i := slices.Index(words, "or")
	return i > 0 && i < len(words)-1 && len(words) <= 8
}

// shopping tells whether a need is one for something to choose or buy.
func shopping(intent string) bool {
	return intentGroup(intent) == "presale" || intent == "order.place" || intent == "finance.advice"
}

// belongsTo gives the neighbour that part i is a part of, or -1.
func (s *scratch) belongsTo(i int) int {
	p := &s.parts[i]
	conditional := slices.ContainsFunc(p.spans, func(k int) bool { return s.spans[k].Condition != nil })
	for _, to := range []int{i - 1, i + 1} {
		if to < 0 || to >= len(s.parts) {
			continue
		}
		o := &s.parts[to]
		if o.Status != "" || o.Negated {
			continue
		}
		gap := s.between(min(i, to))
		switch {
		case p.Negated && !conditional:
			// "推荐一款，别推荐含酒精的": the refusal bounds the wish; "取消订单。不对，
			// 别取消": it takes it back.
			if o.Intent == p.Intent && p.Status == "" && (to < i || s.saysMore(i)) {
				return to
			}
		case conditional:
		case s.reasonFor(p, o) && to == i+1 && mark(gap):
			return to
		case o.Intent == symptomParent && mark(gap) && s.onlyDenies(p.place):
			return to
		case p.Intent == complaint && o.Intent == complaint && p.Status == "" && to == i-1 && (mark(gap) || gap == "and") && !s.asks(p.place) && !s.demands(p.place):
			return to // a grievance is told in several sentences
		case p.Status == Unanswered && mark(gap) && !s.asks(p.place) && s.mentioned(p.place),
			p.Status == Clarify && mark(gap) && !s.asks(p.place) && s.counts(p.place):
			return to
		case shopping(o.Intent) && o.Intent != "presale.compare" && mark(gap) && !s.asks(p.place) && s.describes(p.place) && (p.Intent == "presale.recommend" || p.Confidence < 0.8 && p.Subintent == nil):
			return to
		case p.acts && !s.empty(p.place):
		case s.empty(p.place):
			// "帮我查一下" asks for whatever was just said.
			if to == i-1 {
				return to
			}
		case o.Intent == "presale.compare" && to == i-1 && s.bounds(p.place):
			// Whom it is for, said of things compared, asks which one suits.
			if !shopping(p.Intent) || p.Status != "" {
				p.Intent, p.Subintent, p.Status, p.Readings = "presale.recommend", nil, "", nil
				p.Confidence = max(p.Confidence, 0.7)
			}
			return -1
		case shopping(o.Intent) && (s.bounds(p.place) || to == i-1 && s.qualifies(p.place)) && mark(gap):
			return to
		case p.Status == Clarify && mark(gap):
			return to
		}
	}
	return -1
}

const complaint = "feedback.complaint"

// demanding is what a complaint says that asks for something.
var demanding = index([]unit{{"赔", "", "", 1}, {"补偿", "", "", 1}, {"道歉", "", "", 1}, {"投诉", "", "", 1}, {"要求", "", "", 1}, {"给个说法", "", "", 1}, {"i want", "", "", 1}, {"we want", "", "", 1}, {"i demand", "", "", 1}, {"i expect", "", "", 1}, {"i'd expect", "", "", 1}, {"i'd like", "", "", 1}, {"give me", "", "", 1}, {"compensation", "", "", 1}, {"compensate", "", "", 1}, {"apologise", "", "", 1}, {"apologize", "", "", 1}, {"an apology", "", "", 1}, {"complaint", "", "", 1}, {"complain", "", "", 1}, {"escalate", "", "", 1}, {"a voucher", "", "", 1}})

// demands tells whether a stretch asks for amends or for a complaint to be taken up.
func (s *scratch) demands(at split.Range) bool {
	for i := at.Start; i < at.End; i++ {
		if wordEdge(s.plain.Runes, i) {
			if u, _ := matchAt(demanding, s.plain.Runes, i); u != nil {
				return true
			}
		}
	}
	return false
}

// reasonFor tells whether p states why the next part o is asked for: of the same
// intent and kind, no question of its own, about no other thing.
func (s *scratch) reasonFor(p, o *part) bool {
	if o.Intent != p.Intent || p.Status == Unanswered || s.asks(p.place) || p.Intent == symptomParent && (p.Subintent == nil || p.Sub() != o.Sub()) {
		return false
	}
	return len(s.thingsIn(p.place)) == 0 || len(s.thingsIn(o.place)) == 0
}

// thingsIn are the ids of the things named in a stretch.
func (s *scratch) thingsIn(at split.Range) (ids []string) {
	for i := range s.mentions {
		if m := &s.mentions[i]; m.start >= at.Start && m.end <= at.End && thing(&m.Entity) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// onlyDenies tells whether a stretch begins with a denial and names no symptom
// that is there: "no smoke".
func (s *scratch) onlyDenies(at split.Range) bool {
	if u, _ := matchAt(denials, s.plain.Runes, at.Start); u == nil {
		return false
	}
	return !slices.ContainsFunc(s.cuesAt, func(c cue) bool {
		return c.start >= at.Start && c.end <= at.End && s.subintents[c.sub].Parent == symptomParent && !denied(s.plain.Runes, c.start)
	})
}

// saysMore tells whether a refusal says what is refused besides the act: "别推荐
// 含酒精的" does, "别取消" does not.
func (s *scratch) saysMore(i int) bool {
	for _, k := range s.parts[i].spans {
		for _, x := range s.spans[k].Excluded {
			from, to := s.plainPlace(x)
			words := 0
			for _, r := range s.plain.Runes[from:to] {
				if r == ' ' || text.Han(r) {
					words++
				}
			}
			if words > 4 {
				return true
			}
		}
	}
	return false
}

var emptyRequests = index([]unit{
	{"帮我查一下", "", "", 1}, {"查一下", "", "", 1}, {"帮我查查", "", "", 1}, {"帮我看看", "", "", 1}, {"帮我看一下", "", "", 1}, {"看一下", "", "", 1}, {"看看", "", "", 1}, {"帮忙看看", "", "", 1}, {"处理一下", "", "", 1}, {"帮我处理一下", "", "", 1}, {"怎么办", "", "", 1}, {"该怎么办", "", "", 1}, {"咋办", "", "", 1}, {"怎么回事", "", "", 1}, {"什么情况", "", "", 1}, {"怎么处理", "", "", 1}, {"怎么解决", "", "", 1}, {"急", "", "", 1}, {"急用", "", "", 1}, {"可以吗", "", "", 1}, {"行吗", "", "", 1}, {"好吗", "", "", 1}, {"行不", "", "", 1}, {"行不行", "", "", 1}, {"成不", "", "", 1}, {"好不好", "", "", 1}, {"可以不", "", "", 1}, {"可不可以", "", "", 1}, {"怎么弄", "", "", 1}, {"咋弄", "", "", 1}, {"咋整", "", "", 1}, {"咋整啊", "", "", 1}, {"咋回事", "", "", 1}, {"怎么搞的", "", "", 1}, {"这可怎么办", "", "", 1}, {"是不是坏了", "", "", 1}, {"是坏了吗", "", "", 1}, {"是不是坏掉了", "", "", 1}, {"什么原因", "", "", 1}, {"为什么", "", "", 1}, {"为啥", "", "", 1},
	{"what should i do", "", "", 1}, {"what do i do", "", "", 1}, {"please check", "", "", 1}, {"can you check", "", "", 1}, {"please help", "", "", 1}, {"can you help", "", "", 1}, {"help me", "", "", 1}, {"what's going on", "", "", 1}, {"what is going on", "", "", 1}, {"is that ok", "", "", 1}, {"is that possible", "", "", 1}, {"asap", "", "", 1}, {"check it", "", "", 1}, {"please look into it", "", "", 1}, {"look into it", "", "", 1}, {"any idea", "", "", 1}, {"any ideas", "", "", 1}, {"is it broken", "", "", 1}, {"what's wrong", "", "", 1}, {"what is wrong", "", "", 1}, {"how come", "", "", 1}, {"why is that", "", "", 1}, {"can you do that", "", "", 1}, {"is that all right", "", "", 1},
})

// empty tells whether a stretch asks without saying for what.
func (s *scratch) empty(at split.Range) bool {
	u, end := matchAt(emptyRequests, s.plain.Runes, at.Start)
	return u != nil && end >= at.End-1
}

var describing = index([]unit{{"她", "", "", 1}, {"他", "", "", 1}, {"它", "", "", 1}, {"家里", "", "", 1}, {"我家", "", "", 1}, {"平时", "", "", 1}, {"主要", "", "", 1}, {"she", "", "", 1}, {"he", "", "", 1}, {"they", "", "", 1}, {"we", "", "", 1}, {"we're", "", "", 1}, {"mostly", "", "", 1}, {"mainly", "", "", 1}, {"it's for", "", "", 1}, {"my budget", "", "", 1}, {"预算", "", "", 1}, {"budget", "", "", 1}, {"要", "", "", 1}, {"最好", "", "", 1}, {"希望", "", "", 1}, {"必须", "", "", 1}, {"with", "", "", 1}, {"ideally", "", "", 1}, {"preferably", "", "", 1}, {"must", "", "", 1}, {"it must", "", "", 1}, {"needs to", "", "", 1}, {"it needs to", "", "", 1}})

// qualifies tells whether a stretch is a Chinese description whose noun stands before it: "操作简单点的",
// "带盖子的".
func (s *scratch) qualifies(at split.Range) bool {
	runes := s.plain.Runes[at.Start:at.End]
	return len(runes) > 2 && len(runes) <= 12 && runes[len(runes)-1] == '的' && !s.asks(at)
}

// bounds tells whether a stretch describes what or whom the thing is for: a budget,
// a household, something to avoid, a person.
func (s *scratch) bounds(at split.Range) bool {
	for i := range s.mentions {
		m := &s.mentions[i]
		if m.start < at.Start || m.end > at.End {
			continue
		}
		if _, people := m.Value.(People); people {
			return true
		}
		switch m.Type {
		case "budget", "person", "size", "color":
			return true
		}
	}
	for i := at.Start; i < at.End; i++ {
		if wordEdge(s.plain.Runes, i) {
			if u, _ := matchAt(exclusions, s.plain.Runes, i); u != nil {
				return true
			}
		}
	}
	return s.describes(at)
}

// describes tells whether a stretch begins by speaking of somebody or of a habit.
func (s *scratch) describes(at split.Range) bool {
	u, _ := matchAt(describing, s.plain.Runes, at.Start)
	return u != nil
}

// dropChatter leaves out what means no intent and asks nothing, beside needs that
// do; what it names goes to its neighbours.
func (s *scratch) dropChatter() {
	if !slices.ContainsFunc(s.parts, func(p part) bool { return p.Status == "" }) {
		return
	}
	s.parts = slices.DeleteFunc(s.parts, func(p part) bool { return p.Status == Unanswered && (p.Outside || !s.asks(p.place)) })
}

var questionWords = index([]unit{
	{"多少", "", "", 1}, {"几", "", "", 1}, {"谁", "", "", 1}, {"什么", "", "", 1}, {"啥", "", "", 1}, {"怎么", "", "", 1}, {"咋", "", "", 1}, {"哪", "", "", 1}, {"为何", "", "", 1}, {"如何", "", "", 1}, {"能不能", "", "", 1}, {"可不可以", "", "", 1}, {"是不是", "", "", 1}, {"有没有", "", "", 1}, {"要不要", "", "", 1}, {"是否", "", "", 1}, {"吗", "", "", 1}, {"多久", "", "", 1}, {"多大", "", "", 1},
	{"what", "", "", 1}, {"what's", "", "", 1}, {"which", "", "", 1}, {"who", "", "", 1}, {"when", "", "", 1}, {"where", "", "", 1}, {"where's", "", "", 1}, {"why", "", "", 1}, {"how", "", "", 1}, {"can i", "", "", 1}, {"can you", "", "", 1}, {"do you", "", "", 1}, {"does it", "", "", 1}, {"is it", "", "", 1}, {"is there", "", "", 1}, {"could you", "", "", 1},
})

// asks tells whether a stretch is a question.
func (s *scratch) asks(at split.Range) bool {
	if at.End < len(s.plain.Runes) && s.plain.Runes[at.End] == '?' {
		return true
	}
	switch s.plain.Runes[at.End-1] {
	case '?', '吗', '呢', '么':
		return true
	}
	for i := max(at.Start, at.End-200); i < at.End; i++ {
		if wordEdge(s.plain.Runes, i) {
			if u, _ := matchAt(questionWords, s.plain.Runes, i); u != nil {
				return true
			}
		}
	}
	return split.LeavesOpen(s.plain.Runes, max(at.Start, at.End-200), at.End)
}

// counts tells whether a stretch says how often something happened.
func (s *scratch) counts(at split.Range) bool {
	return slices.ContainsFunc(s.mentions, func(m mention) bool {
		q, ok := m.Value.(Quantity)
		return ok && q.Unit == "time" && m.start >= at.Start && m.end <= at.End
	})
}

// namesThing tells whether a stretch names something of the shop's or the
// customer's; a date, a number or a place is no such thing.
func (s *scratch) namesThing(at split.Range) bool {
	return slices.ContainsFunc(s.mentions, func(m mention) bool {
		return m.start >= at.Start && m.end <= at.End && (m.ID != "" || m.Type == "product" || m.Type == "category" || m.Type == "brand" || m.Type == "symptom")
	})
}

// mentioned tells whether anything is named in a stretch.
func (s *scratch) mentioned(at split.Range) bool {
	return slices.ContainsFunc(s.mentions, func(m mention) bool { return m.start >= at.Start && m.end <= at.End })
}
