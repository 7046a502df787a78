package need

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/profile"
)

// Titled is a [Lexicon] that also tells what a thing is called, in any language, the
// name of its kind among it.
type Titled interface {
	Titles(id string) []string
}

// ofThings are the intents about a thing that the customer has: what they name the kind
// of is that thing, and none of another kind.
func ofThings(intent string) bool {
	switch intent {
	case "support.troubleshoot", "support.howto", "aftersale.repair", "aftersale.exchange", "aftersale.return_refund":
		return true
	}
	return ofParcels(intent)
}

// ofParcels are the intents about an order or a parcel with the thing in it. There are
// more words there that name no thing: 快递, a membership.
func ofParcels(intent string) bool {
	switch intent {
	case "order.status", "order.cancel", "logistics.track", "logistics.problem":
		return true
	}
	return false
}

// usedWith are words behind which stands what a thing is used with: "连不上路由器" is
// no matter of the router alone.
var usedWith = []string{"连", "连不上", "连接", "连接不上", "连到", "配对", "插", "接", "投屏到", "和", "跟", "与", " to", " with", " into", " from", " via", " on", " to the", " with the", " into the", " from the", " on the", " to my", " with my", " into my", " from my", " on my", " and my"}

// kindsIn are the kinds of things that a need names.
func (s *scratch) kindsIn(n *Need) (kinds []Entity) {
	for _, e := range n.Entities {
		if e.Type == "category" {
			kinds = append(kinds, e)
		}
	}
	return kinds
}

// kindsNamed are the kinds of things that a need names as what it is about.
func (s *scratch) kindsNamed(n *Need) (kinds []Entity) {
	for _, e := range n.Entities {
		if e.Type != "category" || ofParcels(n.Intent) && e.Value == nil && e.ID == "" {
			continue
		}
		before := strings.TrimRight(text.Plain(string(s.original[:e.Span[0]])), " ")
		if !slices.ContainsFunc(usedWith, func(w string) bool { return strings.HasSuffix(before, w) }) {
			kinds = append(kinds, e)
		}
	}
	return kinds
}

// fits tells whether a thing may be of one of the kinds: one of them says so, or nobody
// knows what kind of thing it is.
func (s *scratch) fits(kinds []Entity, titles []string) bool {
	if len(kinds) == 0 {
		return true
	}
	var families []string
	for i := range kinds {
		s.families(text.Normalise(kinds[i].Text).Runes, func(_ string, family string) { families = append(families, family) })
	}
	known := false
	for _, title := range titles {
		plain := text.Normalise(title)
		whole := string(plain.Runes)
		for i := range kinds {
			if k := &kinds[i]; strings.Contains(whole, text.Plain(k.Text)) || k.ID != "" && strings.Contains(whole, text.Plain(k.ID)) {
				return true
			}
		}
		related := false
		s.families(plain.Runes, func(word, family string) {
			known = true
			related = related || family != "" && slices.Contains(families, family) ||
				slices.ContainsFunc(kinds, func(k Entity) bool { return strings.Contains(text.Plain(k.Text), word) })
		})
		if related {
			return true
		}
	}
	return !known
}

// families finds the words for kinds of things in a text, each with the family that it
// belongs to; "" is none.
func (s *scratch) families(runes []rune, yield func(word, family string)) {
	s.words.find(runes, func(start, end int, meaning int32) {
		if meaning&meaningMask == meansClass && s.classes[meaning&^meaningMask].kind == "category" {
			yield(string(runes[start:end]), s.classes[meaning&^meaningMask].value)
		}
	})
}

// titlesOf are the names of what a record or an item is.
func (s *scratch) titlesOf(id string) []string {
	ids := []string{id}
	var titles []string
	if s.who != nil {
		for _, kind := range [...]evidence.Kind{evidence.Asset, evidence.Order} {
			if r := s.who.Records[kind][id]; r != nil {
				if ids = productsOf(r); kind == evidence.Asset && len(ids) == 0 {
					ids = append(ids, id)
				}
				for _, field := range [...]string{"title", "name", "model", "category"} {
					if t := r.Text(field); t != "" {
						titles = append(titles, t)
					}
				}
			}
		}
	}
	if names, ok := s.names.(Titled); ok {
		for _, id := range ids {
			if of := names.Titles(id); len(of) > 0 {
				titles = append(titles, of...)
			} else {
				titles = append(titles, id) // nobody knows what it is
			}
		}
	}
	return titles
}

// productsOf are the products that a record names.
func productsOf(r *profile.Record) (ids []string) {
	if id := r.Text("product_id"); id != "" {
		ids = append(ids, id)
	}
	for _, field := range [...]string{"lines", "products"} {
		lines, _ := r.Fields[field].([]any)
		for _, l := range lines {
			if line, ok := l.(map[string]any); ok {
				if id, _ := line["product_id"].(string); id != "" {
					ids = append(ids, id)
				}
			}
		}
	}
	return ids
}

// owned looks for the thing of a kind that a need names among the customer's own. When
// each of these is known to be of another kind, none is meant: what is said, done and
// due about them is no answer.
func (s *scratch) owned(n *Need, kinds []Entity) {
	if s.who == nil {
		return
	}
	var own []string
	something, fitting := false, false
	for _, kind := range [...]evidence.Kind{evidence.Asset, evidence.Order} {
		for id := range s.who.Records[kind] {
			something = true
			titles := s.titlesOf(id)
			if len(titles) > 0 && s.fits(kinds, titles) { // what nobody can name is none of them
				fitting = true
				if kind == ownRecord(n.Intent) {
					own = append(own, id)
				}
			}
		}
	}
	if len(own) == 1 {
		n.point(own[0])
	}
	n.Unowned = something && !fitting
}

// ofUnowned tells whether what a need leaves unsaid is a thing that is none of the
// customer's: an earlier need of the text was about one, or what they asked last.
func (s *scratch) ofUnowned(before []Need) bool {
	for i := range before {
		if n := &before[len(before)-1-i]; ofThings(n.Intent) {
			return n.Unowned
		}
	}
	if s.who == nil || len(s.enquiry.Messages) == 0 || len(s.who.Records[evidence.Asset])+len(s.who.Records[evidence.Order]) == 0 {
		return false
	}
	b := s.lastAsked()
	return b != nil && b.Unowned
}

// takesBack are the intents of who gives a thing back that they have, and mayThey tells
// how one asks whether one could.
func takesBack(intent string) bool {
	return intent == "aftersale.return_refund" || intent == "aftersale.exchange"
}

var mayThey = regexp.MustCompile(`吗|么$|能不能|可不可以|可以(退|换)|能(退|换)|支持(退|换)|包(退|换)|^((and|but|also|so) )*(can|could|may|would) (i|we|it|you)\b|am i able|is it possible|returnable|what if|how (long|easy)|if (i|it|they|we|not)\b`)

// unbought makes a question about the rules of what asks whether a thing under discussion
// could go back that the customer has not bought: no order of theirs is meant.
func (s *scratch) unbought(needs []Need, i int) bool {
	n := &needs[i]
	if !takesBack(n.Intent) || n.Negated || n.Status != "" && n.Status != Clarify || len(thingIDs(n.Entities)) > 0 || n.Condition == nil && !mayThey.MatchString(text.Plain(n.Text)) {
		return false
	}
	if len(s.kindsNamed(n)) > 0 || slices.ContainsFunc(n.Entities, func(e Entity) bool { return e.Type == "date" || e.Type == "order_id" }) {
		return false // they say which
	}
	var about *Need
	for j := i - 1; j >= 0 && about == nil; j-- {
		about = &needs[j]
	}
	if about == nil {
		about = s.lastAsked()
	}
	if about == nil || intentGroup(about.Intent) != "presale" && about.Intent != "order.place" {
		return false
	}
	ids, kinds := append(thingIDs(about.Entities), about.RefersTo...), s.kindsIn(about)
	if len(ids)+len(kinds) == 0 {
		return false
	}
	if s.who != nil {
		for _, kind := range [...]evidence.Kind{evidence.Asset, evidence.Order} {
			for id, r := range s.who.Records[kind] {
				if slices.Contains(ids, id) || slices.ContainsFunc(productsOf(r), func(p string) bool { return slices.Contains(ids, p) }) {
					return false
				}
				if titles := s.titlesOf(id); len(ids) == 0 && len(titles) > 0 && s.fits(kinds, titles) {
					return false
				}
			}
		}
	}
	n.Intent, n.RefersTo, n.Unowned, n.Status, n.Readings = "policy.rule", nil, true, "", nil
	n.Condition = nil // the rule is asked for, whatever comes of it
	n.Subintent = subintent(s.kindNamed("policy.rule", "return_window"))
	n.point(ids...)
	return true
}
