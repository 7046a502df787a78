package candidate

import (
	"encoding/json"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/scene"
)

// The Decode functions read a record as it was put. They are strict about the
// fields they know, keep those they do not (in Body), and report all faults at
// once as [Faults] with JSON pointers into the body. An edge calls them before a
// record is committed; the [Catalogue] calls them again when it is followed.

const (
	longestName = 400 // bytes of an id, title, alias, label
	longestBody = 1 << 20
	mostParts   = 1000 // aliases, attributes, tags, steps of one record
)

// DecodeItem reads an item.
func DecodeItem(id string, body []byte) (*Item, error) {
	it := &Item{ID: id}
	r, n := open(body)
	for i, key := range n.keys {
		kid, way := &n.kids[i], &step{nil, key}
		if kid.kind == null {
			continue
		}
		switch key {
		case "kind":
			it.Kind = r.name(kid, way)
		case "title":
			it.Title = r.bilingual(kid, way)
		case "aliases":
			it.Aliases = r.names(kid, way)
		case "category":
			it.Category = r.name(kid, way)
		case "price":
			it.Price = r.money(kid, way)
		case "attributes":
			r.attributes(it, kid, way)
		case "variant_of":
			if it.VariantOf = r.name(kid, way); it.VariantOf == id && id != "" {
				r.fault(way, "refers_to_itself")
			}
		case "bundle_of":
			it.BundleOf = r.names(kid, way)
		case "warranty":
			it.Warranty = r.warranty(kid, way)
		case "tags":
			it.Tags = r.names(kid, way)
		case "available":
			b := r.bool(kid, way)
			it.Available = &b
		case "url":
			it.URL = r.bounded(kid, way, 4096)
		case "media":
			if kid.kind != object && kid.kind != list && kid.kind != text {
				r.fault(way, "wanted_object")
			}
			it.Media = json.RawMessage(kid.raw)
		}
	}
	if it.Title == (Text{}) {
		it.Title = Text{Zh: id, En: id}
	}
	it.Body = json.RawMessage(body)
	return it, r.verdict()
}

// DecodeRelation reads a relation.
func DecodeRelation(body []byte) (*Relation, error) {
	rel := &Relation{}
	r, n := open(body)
	for i, key := range n.keys {
		kid, way := &n.kids[i], &step{nil, key}
		switch key {
		case "from":
			rel.From = r.name(kid, way)
		case "type":
			rel.Type = r.name(kid, way)
		case "to":
			rel.To = r.name(kid, way)
		case "weight":
			if kid.kind != null {
				rel.Weight = r.number(kid, way)
			}
		}
	}
	for _, need := range []struct{ name, value string }{{"from", rel.From}, {"type", rel.Type}, {"to", rel.To}} {
		if need.value == "" && !n.has(need.name) && n.kind == object {
			r.fault(&step{nil, need.name}, "missing")
		}
	}
	return rel, r.verdict()
}

// DecodeAttribute reads how an attribute is shown and compared.
func DecodeAttribute(name string, body []byte) (*Attribute, error) {
	a := &Attribute{Name: name}
	r, n := open(body)
	for i, key := range n.keys {
		kid, way := &n.kids[i], &step{nil, key}
		if kid.kind == null {
			continue
		}
		switch key {
		case "label":
			a.Label = r.bilingual(kid, way)
		case "unit":
			a.Unit = r.bounded(kid, way, 40)
		case "better":
			if a.Better = r.text(kid, way); a.Better != "" && a.Better != "higher" && a.Better != "lower" {
				r.fault(way, "wanted_direction")
			}
		case "fits":
			a.Fits = r.name(kid, way)
		}
	}
	return a, r.verdict()
}

// DecodeArticle reads an article. A missing language is told from its words.
func DecodeArticle(id string, body []byte) (*Article, error) {
	a := &Article{ID: id}
	r, n := open(body)
	for i, key := range n.keys {
		kid, way := &n.kids[i], &step{nil, key}
		if kid.kind == null {
			continue
		}
		switch key {
		case "title":
			a.Title = r.bounded(kid, way, longestName)
		case "body":
			a.Body = r.bounded(kid, way, longestBody)
		case "lang":
			if l, ok := scene.ParseLocale(r.text(kid, way)); ok {
				a.Lang = l
			} else {
				r.fault(way, "wanted_locale")
			}
		case "tags":
			a.Tags = r.names(kid, way)
		case "valid_from":
			a.ValidFrom = r.time(kid, way)
		case "valid_until":
			a.ValidUntil = r.time(kid, way)
		case "steps":
			a.Steps = r.steps(kid, way)
		case "media":
			a.Media = r.media(kid, way)
		case "updated_at":
			if t := r.time(kid, way); t != nil {
				a.UpdatedAt = *t
			}
		}
	}
	if a.Title == "" && n.kind == object && !n.has("title") {
		r.fault(&step{nil, "title"}, "missing")
	}
	if a.ValidFrom != nil && a.ValidUntil != nil && a.ValidUntil.Before(*a.ValidFrom) {
		r.fault(&step{nil, "valid_until"}, "ends_early")
	}
	if a.Lang == "" {
		if l, ok := scene.LocaleOf(a.Title + " " + a.Body); ok {
			a.Lang = l
		} else {
			a.Lang = scene.Chinese
		}
	}
	return a, r.verdict()
}

// DecodeOffer reads a promotion: {title, items:[id], categories:[name], tags:[name], valid_from, valid_until}.
func DecodeOffer(id string, body []byte) (*Offer, error) {
	o := &Offer{ID: id}
	r, n := open(body)
	for i, key := range n.keys {
		kid, way := &n.kids[i], &step{nil, key}
		if kid.kind == null {
			continue
		}
		switch key {
		case "title":
			o.Title = r.bilingual(kid, way)
		case "items", "item_ids", "products":
			o.Items = append(o.Items, r.names(kid, way)...)
		case "item", "item_id", "product_id":
			o.Items = append(o.Items, r.name(kid, way))
		case "categories":
			o.Categories = append(o.Categories, r.names(kid, way)...)
		case "category":
			o.Categories = append(o.Categories, r.name(kid, way))
		case "tags":
			o.Tags = append(o.Tags, r.names(kid, way)...)
		case "valid_from":
			o.From = r.time(kid, way)
		case "valid_until":
			o.Until = r.time(kid, way)
		case "person":
			o.Personal = r.name(kid, way) != ""
		}
	}
	if o.Title == (Text{}) && n.kind == object && !n.has("title") {
		r.fault(&step{nil, "title"}, "missing")
	}
	if o.From != nil && o.Until != nil && o.Until.Before(*o.From) {
		r.fault(&step{nil, "valid_until"}, "ends_early")
	}
	return o, r.verdict()
}

// Check reads a record of a kind of the catalogue and says what is wrong with it;
// known is false for a kind that is none of the catalogue's.
func Check(kind, id string, body []byte) (known bool, err error) {
	switch kind {
	case "item":
		_, err = DecodeItem(id, body)
	case "relation":
		_, err = DecodeRelation(body)
	case "attribute":
		_, err = DecodeAttribute(id, body)
	case "article":
		_, err = DecodeArticle(id, body)
	case "promotion":
		_, err = DecodeOffer(id, body)
	default:
		return false, nil
	}
	return true, err
}

func open(body []byte) (*reading, node) {
	r := &reading{src: body}
	n, ok := r.read()
	if ok && n.kind != object {
		r.fault(nil, "wanted_object")
	}
	if !ok || n.kind != object {
		return r, node{}
	}
	return r, n
}

func (r *reading) verdict() error {
	if len(r.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(r.faults, func(a, b Fault) int { return strings.Compare(a.Pointer, b.Pointer) })
	return r.faults
}

func (r *reading) bounded(n *node, way *step, most int) string {
	s := r.text(n, way)
	if len(s) > most {
		r.fault(way, "too_long")
		return ""
	}
	return s
}

func (r *reading) name(n *node, way *step) string {
	return strings.TrimSpace(r.bounded(n, way, longestName))
}

// kids are a list's values; a list that is none or too long is a fault.
func (r *reading) kids(n *node, way *step) []node {
	if n.kind != list {
		r.fault(way, "wanted_list")
		return nil
	}
	if len(n.kids) > mostParts {
		r.fault(way, "too_long")
		return nil
	}
	return n.kids
}

func (r *reading) names(n *node, way *step) []string {
	var all []string
	for i := range r.kids(n, way) {
		if s := r.name(&n.kids[i], &step{way, strconv.Itoa(i)}); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// bilingual reads {zh, en}, or one text, which then stands for the language it is written in.
func (r *reading) bilingual(n *node, way *step) (t Text) {
	if n.kind == text {
		s := r.name(n, way)
		if l, ok := scene.LocaleOf(s); ok && l == scene.English {
			return Text{En: s}
		}
		return Text{Zh: s}
	}
	if n.kind != object {
		r.fault(way, "wanted_text")
		return t
	}
	for i, key := range n.keys {
		kid, here := &n.kids[i], &step{way, key}
		if kid.kind == null {
			continue
		}
		switch key {
		case "zh", "zh-CN":
			t.Zh = r.name(kid, here)
		case "en":
			t.En = r.name(kid, here)
		}
	}
	return t
}

func (r *reading) bool(n *node, way *step) bool {
	if n.kind != boolean {
		r.fault(way, "wanted_bool")
		return false
	}
	return n.raw[0] == 't'
}

func (r *reading) integer(n *node, way *step) (int64, bool) {
	if n.kind != number {
		r.fault(way, "wanted_integer")
		return 0, false
	}
	x, err := strconv.ParseInt(string(n.raw), 10, 64)
	if err != nil {
		f, ok := n.number()
		if x = int64(f); !ok || float64(x) != f || f > 1e15 || f < -1e15 {
			r.fault(way, "wanted_integer")
			return 0, false
		}
	}
	return x, true
}

func (r *reading) money(n *node, way *step) *Money {
	amount, currency := n.field("amount"), n.field("currency")
	if n.kind != object || amount == nil || currency == nil || currency.kind != text {
		r.fault(way, "wanted_money")
		return nil
	}
	m := &Money{Currency: strings.ToUpper(currency.text())}
	if len(m.Currency) != 3 || strings.Trim(m.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		r.fault(&step{way, "currency"}, "wanted_money")
		return nil
	}
	var ok bool
	if m.Amount, ok = r.integer(amount, &step{way, "amount"}); !ok {
		return nil
	}
	if m.Amount < 0 {
		r.fault(&step{way, "amount"}, "negative")
		return nil
	}
	return m
}

func (r *reading) attributes(it *Item, n *node, way *step) {
	if n.kind != object {
		r.fault(way, "wanted_object")
		return
	}
	if len(n.keys) > mostParts {
		r.fault(way, "too_long")
		return
	}
	it.Attributes = make(map[string]json.RawMessage, len(n.keys))
	it.stated = make([]named, 0, len(n.keys))
	for i, key := range n.keys {
		kid := &n.kids[i]
		it.Attributes[key] = json.RawMessage(kid.raw)
		if v, ok := r.readValue(kid, &step{way, key}); ok {
			it.stated = append(it.stated, named{key, v})
		}
	}
	sort.Slice(it.stated, func(i, j int) bool { return it.stated[i].name < it.stated[j].name })
}

func (r *reading) warranty(n *node, way *step) *Warranty {
	months := n.field("months")
	if n.kind != object || months == nil {
		r.fault(way, "wanted_object")
		return nil
	}
	m, ok := r.integer(months, &step{way, "months"})
	if !ok {
		return nil
	}
	if m < 0 || m > 1200 {
		r.fault(&step{way, "months"}, "negative")
		return nil
	}
	return &Warranty{Months: int(m)}
}

func (r *reading) time(n *node, way *step) *time.Time {
	s := r.text(n, way)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			t = t.UTC()
			return &t
		}
	}
	if n.kind == text {
		r.fault(way, "wanted_time")
	}
	return nil
}

func (r *reading) steps(n *node, way *step) []Step {
	var all []Step
	for i := range r.kids(n, way) {
		kid, here := &n.kids[i], &step{way, strconv.Itoa(i)}
		if kid.kind == text {
			all = append(all, Step{Text: r.bounded(kid, here, longestBody)})
			continue
		}
		words := kid.field("text")
		if kid.kind != object || words == nil {
			r.fault(here, "wanted_text")
			continue
		}
		s := Step{Text: r.bounded(words, &step{here, "text"}, longestBody)}
		if basic := kid.field("basic"); basic != nil && basic.kind != null {
			s.Basic = r.bool(basic, &step{here, "basic"})
		}
		all = append(all, s)
	}
	return all
}

func (r *reading) media(n *node, way *step) *Media {
	if n.kind != object {
		r.fault(way, "wanted_object")
		return nil
	}
	m := &Media{}
	if v := n.field("voice"); v != nil && v.kind != null {
		m.Voice = r.bounded(v, &step{way, "voice"}, 4096)
	}
	if v := n.field("video"); v != nil && v.kind != null {
		m.Video = r.bounded(v, &step{way, "video"}, 4096)
	}
	return m
}
