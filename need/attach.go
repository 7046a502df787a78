package need

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need/split"
	"github.com/rapport-cx/rapport/need/text"
)

var exclusions = index([]unit{
	{"不含", "", "", 1}, {"不要", "", "", 1}, {"不带", "", "", 1}, {"别太", "", "", 1}, {"不要太", "", "", 1}, {"不能太", "", "", 1}, {"不玩", "", "", 1}, {"不吃", "", "", 1}, {"不喜欢", "", "", 1}, {"过敏", "", "behind", 1}, {"不耐受", "", "behind", 1}, {"-free", "", "behind", 1}, {" allergy", "", "behind", 1}, {" intolerance", "", "behind", 1},
	{"without", "", "", 1}, {"no", "", "", 1}, {"not too", "", "", 1}, {"free of", "", "", 1}, {"allergic to", "", "", 1}, {"don't want", "", "", 1}, {"doesn't need", "", "", 1}, {"don't need", "", "", 1},
})

// constrain gathers the customer's own words that bound a need: what is ruled out
// inside it, the budget, whom it is for.
func (s *scratch) constrain(needs []Need) {
	for i := range needs {
		n := &needs[i]
		for k := range s.spans {
			if s.spans[k].Negated {
				continue
			}
			for _, x := range s.spans[k].Excluded {
				if n.Span != nil && x.Start >= n.Span[0] && x.End <= n.Span[1] {
					n.constrain(string(s.original[x.Start:x.End]))
				}
			}
		}
		shopping := shopping(n.Intent)
		for _, e := range n.Entities {
			switch e.Type {
			case "budget":
				n.constrain(e.Text)
			case "person":
				if shopping {
					n.constrain(e.Text)
				}
			case "scene":
				if _, people := e.Value.(People); people && shopping {
					n.constrain(e.Text)
				}
			}
		}
		if shopping {
			s.exclusions(n, s.places[i])
		}
	}
}

func (n *Need) constrain(words string) {
	if words != "" && !slices.ContainsFunc(n.Constraints, func(c string) bool { return strings.Contains(c, words) }) {
		n.Constraints = append(n.Constraints, words)
	}
}

func (s *scratch) exclusions(n *Need, at split.Range) {
	runes := s.plain.Runes
	for i := at.Start; i < at.End; i++ {
		if !wordEdge(runes, i) && runes[i] != '-' && runes[i] != ' ' {
			continue
		}
		u, end := matchAt(exclusions, runes, i)
		if u == nil || end > at.End {
			continue
		}
		from, to := i, end
		if u.name == "behind" { // 海鲜过敏
			for from > at.Start && (i-from < 6 || i-from < 20 && text.Letter(runes[from-1])) && (text.Han(runes[from-1]) || text.Letter(runes[from-1])) && runes[from-1] != '对' {
				from--
			}
		} else {
			for to < at.End && to-end < 24 && !strings.ContainsRune(",。!?;、\n.:的", runes[to]) {
				to++
			}
			for to > end && runes[to-1] == ' ' {
				to--
			}
		}
		if to > end || from < i {
			a, b := s.plain.Source(from, to)
			n.constrain(string(s.original[a:b]))
		}
		i = to
	}
}

// numbersOfRecords finds the ids of the customer's own records in the text, and
// what looks like the number of an order.
func (s *scratch) numbersOfRecords() {
	runes := s.plain.Runes
	for i := 0; i < len(runes); {
		if !idRune(runes[i]) && runes[i] != '#' {
			i++
			continue
		}
		start := i
		for i++; i < len(runes) && (idRune(runes[i]) || (runes[i] == '-' || runes[i] == '_' || runes[i] == '.') && i+1 < len(runes) && idRune(runes[i+1])); i++ {
		}
		token := runes[start:i]
		if m, ok := s.record(token); ok {
			m.start, m.end = start, i
			s.grammar.found = append(s.grammar.found, m)
			continue
		}
		digits, letters := 0, 0
		for _, r := range token {
			switch {
			case digit(r):
				digits++
			case idRune(r):
				letters++
			}
		}
		named := orderBefore(runes, start)
		switch {
		case !named && token[0] != '#' && letters == 0 && digits < len(token): // 2026-06-18, 3000-4000
		case digits == 0 || digits == len(token) && len(token) == 11 && token[0] == '1' && !named: // a telephone number
		case named && digits >= 3, token[0] == '#' && digits >= 3, digits >= 8 && letters <= 4:
			id := string(s.original[s.plain.Origin[start] : s.plain.Origin[i-1]+1])
			s.grammar.found = append(s.grammar.found, mention{Entity: Entity{Type: "order_id", ID: strings.TrimPrefix(id, "#")}, start: start, end: i, rank: rankRecord})
		}
	}
}

func idRune(r rune) bool { return r >= 'a' && r <= 'z' || digit(r) }

// orderBefore tells whether 订单, 单号, "order" … stands before i.
func orderBefore(runes []rune, i int) bool {
	before := string(runes[max(0, i-14):i])
	before = strings.TrimRight(before, " :#是为")
	for _, w := range []string{"订单", "订单号", "单号", "订单编号", "order", "order number", "order no", "order no.", "order id"} {
		if strings.HasSuffix(before, w) {
			return true
		}
	}
	return false
}

// recordKinds are the records whose ids customers write, and the entity they make.
var recordKinds = []struct {
	kind evidence.Kind
	name string
}{{evidence.Order, "order_id"}, {evidence.Case, "case"}, {evidence.Asset, "asset"}, {evidence.Holding, "holding"}, {evidence.Contract, "contract"}, {evidence.Enrolment, "enrolment"}}

// record finds a token among the ids of the customer's own records.
func (s *scratch) record(token []rune) (mention, bool) {
	if s.who == nil || len(token) < 2 || len(token) > 64 {
		return mention{}, false
	}
	digits := slices.ContainsFunc(token, digit)
	word := strings.TrimPrefix(string(token), "#")
	for _, k := range recordKinds {
		found := ""
		for id := range s.who.Records[k.kind] {
			if found != "" && found < id {
				continue // of two that a customer would write alike, always the same
			}
			if len(id) >= len(word) && len(id) <= len(word)+1 && strings.EqualFold(strings.TrimPrefix(id, "#"), word) && (digits || len(word) >= 4) {
				found = id
			}
		}
		if found != "" {
			return mention{Entity: Entity{Type: k.name, ID: found}, rank: rankRecord}, true
		}
	}
	return mention{}, false
}

// answersAgent tells whether a doubtful few words answer what the agent asked last
// ("请问是哪一单？" — "昨天那单").
func (s *scratch) answersAgent(n *Need) bool {
	k := len(s.enquiry.Messages)
	if k == 0 || s.enquiry.Messages[k-1].Role == "user" || n.Status == "" && n.Confidence >= 0.6 {
		return false
	}
	asked := strings.TrimSpace(s.enquiry.Messages[k-1].Text)
	words := 1
	for _, r := range s.plain.Runes {
		if r == ' ' || text.Han(r) {
			words++
		}
	}
	return words <= 12 && (strings.HasSuffix(asked, "?") || strings.HasSuffix(asked, "？"))
}

// persists are words that say no more than that what was asked last is not over.
var persists = regexp.MustCompile(`^(还是|依然|仍然|照样|依旧|又|也|都|但|可是|可|但是)*(不行|不好使|不管用|没用|没有用|没效果|没反应|连不上|打不开|老样子|一样|那样|这样|没解决|没好|没有解决)(啊|呀|呢|的|了|诶)*$|^(我)?(都|已经|早就|早|全都|全)+(试|弄|做|照做)过?(了|啦|的|一遍|好几遍)*$|^(but |and )?(it|that|this|they)?( ?(still|also))+( (doesn't|does not|won't|isn't|is not|can't|don't|not|no)( \w+){0,2}| the same( thing)?| no luck| happens| happening| broken)$|^(it|that|this) (didn't|did not|doesn't|does not) (work|help)( either)?$|^(i've |i have |i |we )?(already |have )?(tried|did|done) (that|it|this|those|them|all|everything)( (of )?(that|it|this|them|those))?( already)?$|^(no luck|same (problem|thing|issue)( again)?)$`)

var ellipses = []string{"what about", "how about", "and what about", "and how about", "and the", "and in", "and for"}

// ellipsis lends a text that only varies the last question ("白色的呢", "what
// about the white one") the intent of that question.
func (s *scratch) ellipsis(needs []Need) {
	if len(needs) != 1 || len(s.plain.Runes) > 40 {
		return
	}
	if s.onlyAttribute() && s.ofWhat(&needs[0]) || needs[0].Danger {
		return
	}
	whole := strings.TrimRight(string(s.plain.Runes), "?!. ")
	short := strings.HasSuffix(whole, "呢") && len([]rune(whole)) <= 12 && !slices.ContainsFunc([]string{"怎么", "多少", "什么", "哪", "几", "谁", "为"}, func(w string) bool { return strings.Contains(whole, w) }) ||
		slices.ContainsFunc(ellipses, func(w string) bool { return strings.HasPrefix(whole, w+" ") }) && len(strings.Fields(whole)) <= 8
	lasting := persists.MatchString(strings.TrimSpace(strings.ReplaceAll(whole, ",", " ")))
	if !short && !lasting && !s.answersAgent(&needs[0]) {
		return
	}
	b := s.lastAsked()
	if b == nil {
		return
	}
	n := &needs[0]
	n.Intent, n.Subintent, n.Status, n.Readings = b.Intent, b.Subintent, "", nil
	n.Confidence = round(min(b.Confidence, cueBelief))
	if lasting {
		n.Said = cmp.Or(b.Said, b.Text)
	}
	if b.Status == Clarify {
		n.Status, n.Readings = b.Status, b.Readings
	}
	if len(thingIDs(n.Entities)) == 0 {
		n.point(thingIDs(b.Entities)...)
	}
}

// aroundAttributes is what stands beside the name of an attribute in a question that
// holds nothing else: "and battery life?", "那重量呢", "what about its weight".
var aroundAttributes = []string{"那", "那么", "它的", "它", "的", "呢", "怎么样", "如何", "多少", "有多", "是", "什么", "情况", "吗", "and", "what about", "how about", "what is", "what's", "what are", "its", "it's", "the", "their", "of", "is", "like", "then", "so", "for", "it", "both"}

// onlyAttribute tells whether the text is the name of an attribute and nothing else but
// things and the words around it: no fault is meant by "battery life".
func (s *scratch) onlyAttribute() bool {
	named := false
	for i := 0; i < len(s.plain.Runes); {
		if at := slices.IndexFunc(s.mentions, func(m mention) bool {
			return m.start <= i && i < m.end && (m.Type == "attribute" || m.Type == "count" || m.Type == "number" || thing(&m.Entity))
		}); at >= 0 {
			named = named || s.mentions[at].Type == "attribute"
			i = s.mentions[at].end
			continue
		}
		if !text.Han(s.plain.Runes[i]) && !text.Letter(s.plain.Runes[i]) {
			i++
			continue
		}
		width := 0
		for _, w := range aroundAttributes {
			word := []rune(w)
			end := i + len(word)
			if end <= len(s.plain.Runes) && slices.Equal(s.plain.Runes[i:end], word) && (text.Han(word[0]) || end == len(s.plain.Runes) || !text.Letter(s.plain.Runes[end])) {
				width = max(width, len(word))
			}
		}
		if width == 0 {
			return false
		}
		i += width
	}
	return named
}

// ofWhat makes a need that only names an attribute a question about it: of the things
// it names, else of those that the last question was about.
func (s *scratch) ofWhat(n *Need) bool {
	if len(thingIDs(n.Entities)) == 0 {
		if b := s.lastAsked(); b != nil && intentGroup(b.Intent) != "presale" {
			return false // what a repair costs is no matter of the catalogue
		}
	}
	if !shopping(n.Intent) || n.Intent == "presale.compare" && len(thingIDs(n.Entities)) < 2 || n.Status != "" {
		n.Intent = "presale.product_info"
	}
	n.Subintent, n.Status, n.Readings, n.Danger, n.Outside = nil, "", nil, false, false
	n.Confidence = round(max(n.Confidence, cueBelief))
	return true
}
