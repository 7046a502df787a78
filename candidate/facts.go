package candidate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/need"
	plain "github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/scene"
)

// FactSheet tells stated properties of a product: what was asked, its price with
// the promotions in force, whether it can be had.
type FactSheet struct{}

// Name is "facts".
func (FactSheet) Name() string { return FactsSource }

const (
	mostSheets = 3  // items of one need
	mostOffers = 5  // promotions told to who asks about none in particular
	mostRows   = 12 // of a sheet that answers no particular question
	// mostMeant are asked about when it is not clear which product is meant, of so
	// many that were looked through.
	mostMeant    = 3
	mostSearched = 50
)

// lately is how long a product that the customer looked at may be the one that a
// question without a name is about. It is asked and never taken for granted.
const lately = 30 * 24 * time.Hour

// Propose answers each question about products from their records.
func (FactSheet) Propose(_ context.Context, r *Request) ([]Answer, error) {
	var answers []Answer
	for i := range r.Needs {
		n := &r.Needs[i]
		if n.Negated || !r.serves(FactsSource, n) {
			continue
		}
		items := r.focus(n)
		if len(items) == 0 {
			if it, ok := r.lookedAt(); ok {
				items = []*Item{it}
			}
		}
		if len(items) == 0 {
			switch f := promotions(r, n); {
			case f != nil:
				answers = append(answers, Answer{Need: n.ID, Facts: f})
			case asksPrice(n) || n.Intent == "presale.stock":
				if w := r.choices(n); w != nil {
					answers = append(answers, Answer{Need: n.ID, Which: w})
				}
			}
			continue
		}
		for _, it := range items[:min(len(items), mostSheets)] {
			if f := sheet(r, n, it); f != nil {
				answers = append(answers, Answer{Need: n.ID, Facts: f})
			}
		}
	}
	return answers, nil
}

// shopOffers are the kinds of question about prices that the offers of a whole shop
// answer. What a thing costs, in one sum or by the month, is none of them.
var shopOffers = []string{"coupon", "price_protection"}

// offerWords speak of offers where no kind was recognised.
var offerWords = []string{"优惠", "活动", "促销", "折", "券", "满减", "红包", "特价", "便宜", "省钱", "福利",
	"offer", "discount", "coupon", "voucher", "promo", "promotion", "deal", "sale", "bargain", "cheaper", "save"}

// asksOffers tells whether a question about prices wants to hear of offers.
func asksOffers(n *need.Need) bool {
	if n.Intent != "presale.price_promo" {
		return false
	}
	if n.Sub() != "" {
		return slices.Contains(shopOffers, n.Sub())
	}
	said := []rune(plain.Plain(n.Text))
	return slices.ContainsFunc(offerWords, func(w string) bool { return hasWord(said, w) || hasWord(said, w+"s") })
}

// priceWords ask what a thing costs. A question about prices that has none of them is
// about something else, as whether fitting is free.
var priceWords = []string{"多少钱", "多少块", "几块", "几钱", "价", "怎么卖", "卖多少", "贵", "how much", "price", "cost", "expensive", "pricey", "charge"}

// asksPrice tells whether a question wants to know what one thing costs.
func asksPrice(n *need.Need) bool {
	if n.Intent != "presale.price_promo" || n.Sub() != "" || asksOffers(n) {
		return false
	}
	said := []rune(plain.Plain(n.Text))
	return slices.ContainsFunc(priceWords, func(w string) bool { return hasWord(said, w) || hasWord(said, w+"s") })
}

// choices are the products that a question without one may be about: those of the
// category that it names; else those that the customer looked at, the newest first,
// then those that were spoken of; nil when none is known.
func (r *Request) choices(n *need.Need) *Which {
	w := &Which{}
	add := func(it *Item) {
		if it.VariantOf != "" {
			if parent, ok := r.Catalogue.Item(it.VariantOf); ok {
				it = parent
			}
		}
		if len(w.Items) < mostMeant && !slices.ContainsFunc(w.Items, func(o ItemName) bool { return o.ID == it.ID }) {
			w.Items = append(w.Items, it.Name())
		}
	}
	for i := range n.Entities {
		if e := &n.Entities[i]; e.Type == "category" && e.ID != "" {
			for _, it := range r.Catalogue.Category(e.ID, mostSearched) {
				add(it)
			}
		}
	}
	if len(w.Items) > 0 {
		return w
	}
	for _, it := range r.seen(mostMeant, lately) {
		add(it)
	}
	spoken := r.Catalogue.Find(plain.Normalise(r.Said).Runes)
	for i := len(spoken) - 1; i >= 0; i-- {
		if it, ok := r.Catalogue.Item(spoken[i].ID); ok && spoken[i].Type != "category" {
			add(it)
		}
	}
	if len(w.Items) == 0 {
		return nil
	}
	return w
}

// promotions answers what is on offer in the whole shop, or in a category.
func promotions(r *Request, n *need.Need) *Facts {
	if !asksOffers(n) {
		return nil
	}
	all := r.Catalogue.InForce(r.Scene.Time)
	if len(all) == 0 {
		return nil // a shop that tells us of none may have some all the same
	}
	for i := range n.Entities {
		if e := &n.Entities[i]; e.Type == "category" && e.ID != "" {
			return &Facts{Promotions: r.Catalogue.Offers(&Item{Category: e.ID}, r.Scene.Time)}
		}
	}
	return &Facts{Promotions: all[:min(len(all), mostOffers)]}
}

func sheet(r *Request, n *need.Need, it *Item) *Facts {
	meant := r.chosenVariant(n, it)
	f := &Facts{Item: meant.Name()}
	one := []*Item{meant}
	only := r.askedAttributes(n, one)
	switch n.Intent {
	case "presale.price_promo":
		f.Rows = r.rowsOf(one, []string{PriceAttribute})
		f.Promotions = r.Catalogue.Offers(meant, r.Scene.Time)
	case "presale.stock":
		f.Rows = r.rowsOf(one, []string{PriceAttribute})
		f.Available = available(r.Catalogue, meant)
	case "order.place":
		f.Rows = r.rowsOf(one, []string{PriceAttribute})
		f.Available = available(r.Catalogue, meant)
		f.Promotions = r.Catalogue.Offers(meant, r.Scene.Time)
	default:
		if len(only) == 0 {
			only = r.mentioned(n, meant)
		}
		f.Rows = r.rowsOf(one, only)
		if len(only) == 0 && len(f.Rows) > mostRows {
			f.Rows = f.Rows[:mostRows]
		}
	}
	f.Rows = slices.DeleteFunc(f.Rows, func(row Row) bool {
		return !row.Cells[0].Stated && n.Intent != "presale.product_info"
	})
	if len(f.Rows) == 0 && f.Available == nil && len(f.Promotions) == 0 {
		return nil
	}
	return f
}

// mentioned are the attributes that a question speaks of without a label: their
// own name stands in it ("what colours …"), or a word of their text ("wireless
// charging?").
func (r *Request) mentioned(n *need.Need, it *Item) []string {
	question := []rune(american(plain.Plain(n.Text)))
	speaks := it
	if len(it.Attributes) == 0 {
		if variants := r.Catalogue.Variants(it.ID); len(variants) > 0 {
			speaks = variants[0]
		}
	}
	var only []string
	for _, name := range speaks.Names() {
		if word := american(canonical(name)); len([]rune(word)) > 1 && (hasWord(question, word) || hasWord(question, word+"s")) {
			only = append(only, name)
			continue
		}
		value, _ := it.Value(name)
		if value.Numeric || value.Flag != nil {
			continue
		}
		for _, word := range strings.FieldsFunc(plain.Plain(value.Text), func(r rune) bool { return r == ',' || r == '、' || r == ';' || r == '/' || r == '，' }) {
			word = strings.TrimSpace(word)
			if w := []rune(word); (len(w) > 3 || len(w) > 1 && plain.Han(w[0])) && hasWord(question, word) {
				only = append(only, name)
				break
			}
		}
	}
	return only
}

// available tells whether an item can be had; a product can when any of its
// variants can. nil: nobody says.
// InStock tells whether an item can be had: by its own record, else by those of its
// variants; nil when none says.
func (it *Item) InStock(v View) *bool { return available(v, it) }

func available(v View, it *Item) *bool {
	if it.Available != nil {
		a := *it.Available
		return &a
	}
	var any *bool
	if it.VariantOf == "" {
		for _, s := range v.Variants(it.ID) {
			if s.Available == nil {
				continue
			}
			if any == nil {
				any = new(bool)
			}
			*any = *any || *s.Available
		}
	}
	return any
}

// chosenVariant is the one variant of a product that the need's words name ("the
// white one"), else the one that the other needs about it name, else the product.
func (r *Request) chosenVariant(n *need.Need, it *Item) *Item {
	if it.VariantOf != "" {
		// The white one was spoken of, and now the black one is asked for.
		if parent, ok := r.Catalogue.Item(it.VariantOf); ok && !slices.ContainsFunc(n.Entities, func(e need.Entity) bool { return e.ID == it.ID }) {
			if own := variantNamed(parent, r.Catalogue.Variants(parent.ID), n.Text); own != nil {
				return own
			}
		}
		return it
	}
	variants := r.Catalogue.Variants(it.ID)
	if len(variants) == 0 {
		return it
	}
	if own := variantNamed(it, variants, n.Text); own != nil {
		return own
	}
	said := ""
	for i := range r.Needs {
		if o := &r.Needs[i]; o.ID != n.ID && !o.Negated && slices.ContainsFunc(r.named(o), func(other *Item) bool { return other.ID == it.ID }) {
			said += " " + o.Text
		}
	}
	if other := variantNamed(it, variants, said); other != nil {
		return other
	}
	return it
}

// variantNamed is the one variant most of whose values stand in a text; nil when
// none or several do equally.
func variantNamed(of *Item, variants []*Item, text string) *Item {
	if text == "" {
		return nil
	}
	said := []rune(plain.Plain(text))
	var best *Item
	most := 0
	for _, s := range variants {
		named := 0
		for i := range s.stated {
			word := plain.Plain(s.stated[i].value.Text)
			if word != "" && s.stated[i].value.Flag == nil && hasWord(said, word) {
				named++
			}
		}
		for _, l := range [...]scene.Locale{scene.Chinese, scene.English} {
			// "Lark 3 white" is the white one of "Lark 3", whatever its attributes are called.
			if own, ok := strings.CutPrefix(plain.Plain(s.Title.In(l)), plain.Plain(of.Title.In(l))); ok {
				if word := strings.Trim(own, " -,（()）"); word != "" && hasWord(said, word) {
					named++
					break
				}
			}
		}
		switch {
		case named > most:
			best, most = s, named
		case named == most:
			best = nil
		}
	}
	return best
}

// hasWord tells whether a plain text holds a word, as a word of its own where the
// script has blanks.
func hasWord(text []rune, word string) bool {
	w := []rune(word)
	for i := 0; i+len(w) <= len(text); i++ {
		if !slices.Equal(text[i:i+len(w)], w) {
			continue
		}
		if plain.Letter(w[0]) && i > 0 && plain.Letter(text[i-1]) || plain.Letter(w[len(w)-1]) && i+len(w) < len(text) && plain.Letter(text[i+len(w)]) {
			continue
		}
		return true
	}
	return false
}
