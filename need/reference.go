package need

import (
	"slices"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// pointer is how a word points back.
type pointer uint8

const (
	pointsOne   pointer = iota // 它, 那款, it, that one: the last thing named
	pointsAll                  // 它们, 两款, both, them: all of the last things named
	pointsFirst                // 前者, the former
	pointsLast                 // 后者, the latter
	pointsOrder                // 这单, that order: an order, not a thing
)

var pointers = map[pointer][]string{
	pointsOne:   {"它", "这个", "那个", "这款", "那款", "这台", "那台", "这部", "那部", "这件", "那件", "这双", "那双", "该产品", "刚才那个", "刚说的那个", "it", "its", "it's", "this one", "that one", "this", "that", "the same one"},
	pointsAll:   {"它们", "它俩", "这俩", "那俩", "两者", "二者", "这两个", "那两个", "这两款", "那两款", "这几款", "那几款", "这几个", "两个都", "两款", "哪个", "哪款", "哪一个", "哪一款", "哪台", "them", "they", "both", "these", "those", "these two", "those two", "the two", "which one", "which of them", "either"},
	pointsFirst: {"前者", "前一个", "前一款", "第一个", "第一款", "the former", "the first one"},
	pointsLast:  {"后者", "后一个", "后一款", "第二个", "第二款", "the latter", "the second one", "the last one"},
	pointsOrder: {"这单", "那单", "这个订单", "那个订单", "那笔订单", "this order", "that order", "my order", "the order"},
}

func (p *Plan) compilePointers(words map[string]map[scene.Locale][]string) {
	classes := map[pointer]string{pointsAll: "reference_both", pointsFirst: "reference_first", pointsLast: "reference_last", pointsOne: "reference"}
	known := map[string]bool{}
	for _, k := range []pointer{pointsFirst, pointsLast, pointsAll, pointsOrder, pointsOne} {
		list := slices.Clone(pointers[k])
		if class := classes[k]; class != "" {
			list = append(append(list, words[class][scene.Chinese]...), words[class][scene.English]...)
		}
		for _, w := range list {
			if !known[w] {
				known[w] = true
				p.words.add(w, meansPointer|int32(k))
			}
		}
	}
}

// things are the types of entities that a pronoun can stand for.
func thing(e *Entity) bool {
	switch e.Type {
	case "product", "service", "course", "fin_product", "item", "asset", "order_id":
		return e.ID != ""
	}
	return false
}

func thingIDs(entities []Entity) (ids []string) {
	for i := range entities {
		if thing(&entities[i]) && !slices.Contains(ids, entities[i].ID) {
			ids = append(ids, entities[i].ID)
		}
	}
	return ids
}

// focus is what the conversation is about before this text: the things of the
// newest turn that names any. It is looked up at the first question.
type focus struct {
	asked bool
	ids   []string
}

func (s *scratch) inFocus() []string {
	if s.focus.asked {
		return s.focus.ids
	}
	s.focus.asked = true
	for _, turn := range s.enquiry.backward() {
		var ids []string
		for _, m := range s.named(turn.Text) {
			if thing(&m.Entity) && !slices.Contains(ids, m.ID) {
				ids = append(ids, m.ID)
			}
		}
		if len(ids) > 0 {
			s.focus.ids = ids
			break
		}
	}
	return s.focus.ids
}

// ownRecord tells which of the customer's records stand in for a thing that an
// intent speaks of and that is left unsaid.
func ownRecord(intent string) evidence.Kind {
	switch intent {
	case "support.troubleshoot", "aftersale.repair", "support.howto":
		return evidence.Asset
	case "aftersale.return_refund":
		return evidence.Order
	case "order.status", "order.modify", "order.cancel", "logistics.track", "logistics.problem", "aftersale.refund_progress", "payment.invoice", "payment.issue":
		return evidence.Order
	}
	return ""
}

// ended are the states in which nothing more happens to a record.
var ended = []string{"delivered", "cancelled", "canceled", "refunded", "closed", "completed", "returned", "rejected", "resolved"}

// onlyRecord is the id of the customer's only record of a kind; of orders, the
// only one that is still under way counts when there are several.
func onlyRecord(who *profile.Profile, kind evidence.Kind) (string, bool) {
	if who == nil || kind == "" {
		return "", false
	}
	if records := who.Records[kind]; len(records) == 1 {
		for id := range records {
			return id, true
		}
	}
	if kind == evidence.Order {
		return onlyOpen(who, kind)
	}
	return "", false
}

// onlyOpen is the id of the customer's only record of a kind that is under way.
func onlyOpen(who *profile.Profile, kind evidence.Kind) (only string, ok bool) {
	if openRecords(who, kind) != 1 {
		return "", false
	}
	for id, r := range who.Records[kind] {
		if !slices.Contains(ended, r.Text("status")) {
			only = id
		}
	}
	return only, true
}

// openRecords counts the customer's records of a kind that are under way.
func openRecords(who *profile.Profile, kind evidence.Kind) (n int) {
	if who == nil {
		return 0
	}
	for _, r := range who.Records[kind] {
		if !slices.Contains(ended, r.Text("status")) {
			n++
		}
	}
	return n
}

// orderOf is the customer's only order of the day that a need about an order names
// ("昨天那单", "the order from last Monday").
func (s *scratch) orderOf(n *Need) (id string, ok bool) {
	if s.who == nil || ownRecord(n.Intent) != evidence.Order && n.Intent != "aftersale.exchange" {
		return "", false
	}
	for i := range n.Entities {
		d, is := n.Entities[i].Value.(Dates)
		if !is {
			continue
		}
		found := 0
		for candidate, r := range s.who.Records[evidence.Order] {
			at := r.CreatedAt
			if t, ok := r.Time("ordered_at"); ok {
				at = t
			}
			if day := at.In(s.grammar.at.Location()).Format(time.DateOnly); day >= d.From && day < d.To {
				id = candidate
				found++
			}
		}
		return id, found == 1
	}
	return "", false
}

// refer finds what each need points back to.
func (s *scratch) refer(needs []Need) {
	for i := range needs {
		n := &needs[i]
		if n.Span == nil {
			continue
		}
		own := thingIDs(n.Entities)
		earlier := func() []string {
			for j := i - 1; j >= 0; j-- {
				if ids := thingIDs(needs[j].Entities); len(ids) > 0 {
					return ids
				}
				if len(needs[j].RefersTo) > 0 {
					return needs[j].RefersTo
				}
			}
			if n.Intent == "presale.recommend" && i+1 < len(needs) && comparedIn(needs[i+1:i+2]) {
				return thingIDs(needs[i+1].Entities) // "which suits a student, the 14 or the 16"
			}
			return s.inFocus()
		}
		kinds := []Entity(nil)
		if ofThings(n.Intent) {
			kinds = s.kindsNamed(n)
		}
		kind := ownRecord(n.Intent) == evidence.Order && slices.ContainsFunc(n.Entities, func(e Entity) bool { return e.Type == "category" })
		pointed := false
		for _, m := range s.pointing {
			if m.start < s.places[i].Start || m.end > s.places[i].End {
				continue
			}
			if s.joins(m, s.places[i].Start, s.places[i].End) {
				continue
			}
			pointed = true
			before := s.namedBefore(m.start, s.places[i].Start)
			if len(before) == 0 {
				before = earlier()
			}
			if m.kind == pointsOrder && slices.ContainsFunc(n.Entities, func(e Entity) bool { return e.Type == "order_id" }) {
				continue
			}
			if m.kind == pointsOrder {
				if id, ok := s.orderOf(n); ok {
					n.point(id)
					continue
				}
				if id, ok := onlyRecord(s.who, evidence.Order); ok && len(before) == 0 {
					n.point(id)
				}
				n.point(before...)
				continue
			}
			switch k := len(before); {
			case k == 0:
			case m.kind == pointsAll:
				n.point(before...)
			case m.kind == pointsFirst && k > 1:
				n.point(before[0])
			case m.kind == pointsOne || m.kind == pointsLast && k > 1:
				n.point(before[k-1])
			}
		}
		if len(n.RefersTo) == 0 && len(own) == 0 && !s.corrects && (pointed || !kind && s.leavesUnsaid(n, comparedIn(needs[:i]))) {
			for _, id := range earlier() {
				if pointed || len(kinds) == 0 || s.fits(kinds, s.titlesOf(id)) {
					n.point(id)
				}
			}
		}
		if s.unbought(needs, i) {
			continue
		}
		switch {
		case len(n.RefersTo) > 0 || len(own) > 0 || !ofThings(n.Intent):
		case len(kinds) > 0:
			s.owned(n, kinds)
		default:
			n.Unowned = s.ofUnowned(needs[:i])
		}
		if len(n.RefersTo) == 0 && len(own) == 0 && !n.Unowned {
			if id, ok := s.orderOf(n); ok {
				n.point(id)
			} else if id, ok := onlyRecord(s.who, evidence.Asset); ok && n.Intent == "aftersale.exchange" {
				n.point(id)
			} else if id, ok := onlyRecord(s.who, evidence.Order); ok && n.Intent == "aftersale.exchange" {
				n.point(id)
			} else if n.Intent == "order.status" && openRecords(s.who, evidence.Case) > 0 {
				// Where a thing stands may mean the repair as well as the order: a matter
				// that is open is meant before an order that has long arrived.
				if id, ok := onlyOpen(s.who, evidence.Case); ok && openRecords(s.who, evidence.Order) == 0 {
					n.point(id)
				}
			} else if id, ok := onlyRecord(s.who, ownRecord(n.Intent)); ok {
				n.point(id)
			} else if pointed && n.Intent != "" {
				if id, ok := onlyRecord(s.who, evidence.Asset); ok && s.fits(s.kindsIn(n), s.titlesOf(id)) {
					n.point(id)
				}
			}
		}
	}
}

// joins tells whether a pointer only joins a clause ("the version that
// suits us") or goes with a noun ("this weekend"): a bare this or that points when
// the need begins or ends with it.
func (s *scratch) joins(m pointing, start, end int) bool {
	switch string(s.plain.Runes[m.start:m.end]) {
	case "that", "this", "these", "those":
		return m.start > start && m.end < end
	}
	return false
}

// comparedIn tells whether one of the needs compares several things.
func comparedIn(needs []Need) bool {
	return slices.ContainsFunc(needs, func(n Need) bool { return n.Intent == "presale.compare" && len(thingIDs(n.Entities)) > 1 })
}

func (n *Need) point(ids ...string) {
	for _, id := range ids {
		if !slices.Contains(n.RefersTo, id) && !slices.ContainsFunc(n.Entities, func(e Entity) bool { return e.ID == id }) {
			n.RefersTo = append(n.RefersTo, id)
		}
	}
}

// namedBefore are the things named in [from, place) of the same need.
func (s *scratch) namedBefore(place, from int) (ids []string) {
	for i := range s.mentions {
		m := &s.mentions[i]
		if m.start >= from && m.end <= place && thing(&m.Entity) && !slices.Contains(ids, m.ID) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// another are words that ask for something not named yet, anyOne words that do so
// unless several things were just compared: "推荐一款" is then one of them.
var (
	another = index([]unit{
		{"别的", "", "", 1}, {"其他", "", "", 1}, {"其它", "", "", 1}, {"另外一", "", "", 1}, {"另一", "", "", 1},
		{"another", "", "", 1}, {"other", "", "", 1}, {"else", "", "", 1},
	})
	anyOne = index([]unit{
		{"一款", "", "", 1}, {"一台", "", "", 1}, {"一部", "", "", 1}, {"一双", "", "", 1}, {"一套", "", "", 1}, {"哪些", "", "", 1}, {"有什么", "", "", 1}, {"有没有", "", "", 1},
		{"any", "", "", 1}, {"some", "", "", 1}, {"something", "", "", 1},
	})
)

// leavesUnsaid tells whether a need that names no thing speaks of the one named
// before: a question about price, stock or fit does, a wish for something new or
// for a kind of thing does not.
func (s *scratch) leavesUnsaid(n *Need, compared bool) bool {
	switch n.Intent {
	case "presale.price_promo", "presale.stock", "presale.product_info", "order.place", "support.howto", "presale.compare",
		"support.troubleshoot", "aftersale.repair", "aftersale.exchange", "aftersale.return_refund",
		"order.status", "order.modify", "order.cancel", "logistics.track", "logistics.problem", "aftersale.refund_progress", "payment.invoice":
		return true
	case "presale.recommend":
		if slices.ContainsFunc(n.Entities, func(e Entity) bool { return e.Type == "category" }) {
			return false
		}
		at := s.placeOf(n)
		for i := at.Start; i < at.End; i++ {
			if wordEdge(s.plain.Runes, i) {
				if u, _ := matchAt(another, s.plain.Runes, i); u != nil {
					return false
				}
				if u, _ := matchAt(anyOne, s.plain.Runes, i); u != nil && !compared {
					return false
				}
			}
		}
		return true
	}
	return false
}
