package candidate

import (
	"context"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need"
	plain "github.com/rapport-cx/rapport/need/text"
)

// FactSheet tells stated properties of a product: what was asked, its price with
// the promotions in force, whether it can be had.
type FactSheet struct{}

// Name is "facts".
func (FactSheet) Name() string { return FactsSource }

const (
	mostSheets = 3  // items of one need
	mostRows   = 12 // of a sheet that answers no particular question
)

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
			if f := promotions(r, n); f != nil {
				answers = append(answers, Answer{Need: n.ID, Facts: f})
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

// promotions answers what is on offer in the whole shop, or in a category.
func promotions(r *Request, n *need.Need) *Facts {
	if n.Intent != "presale.price_promo" {
		return nil
	}
	of := (*Item)(nil)
	for i := range n.Entities {
		if e := &n.Entities[i]; e.Type == "category" && e.ID != "" {
			of = &Item{Category: e.ID}
		}
	}
	if offers := r.Catalogue.Offers(of, r.Scene.Time); len(offers) > 0 {
		return &Facts{Promotions: offers}
	}
	return nil
}

func sheet(r *Request, n *need.Need, it *Item) *Facts {
	meant := chosenVariant(r.Catalogue, n, it)
	f := &Facts{Item: meant.Name()}
	one := []*Item{meant}
	only := r.askedAttributes(n)
	switch n.Intent {
	case "presale.price_promo":
		f.Rows = rowsOf(r.Catalogue, one, []string{PriceAttribute})
		f.Promotions = r.Catalogue.Offers(meant, r.Scene.Time)
	case "presale.stock":
		f.Rows = rowsOf(r.Catalogue, one, []string{PriceAttribute})
		f.Available = available(r.Catalogue, meant)
	case "order.place":
		f.Rows = rowsOf(r.Catalogue, one, []string{PriceAttribute})
		f.Available = available(r.Catalogue, meant)
		f.Promotions = r.Catalogue.Offers(meant, r.Scene.Time)
	default:
		if len(only) == 0 {
			only = mentioned(r.Catalogue, n, meant)
		}
		f.Rows = rowsOf(r.Catalogue, one, only)
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

// mentioned are the attributes that a question speaks of without naming them: a
// word of the question stands in the attribute's text ("wireless charging?").
func mentioned(v View, n *need.Need, it *Item) []string {
	question := plain.Plain(n.Text)
	var only []string
	for _, name := range it.Names() {
		value, _ := it.Value(name)
		if value.Numeric || value.Flag != nil {
			continue
		}
		for _, word := range strings.FieldsFunc(plain.Plain(value.Text), func(r rune) bool { return r == ',' || r == '、' || r == ';' || r == '/' || r == '，' }) {
			word = strings.TrimSpace(word)
			if runes := []rune(word); len(runes) > 3 || len(runes) > 1 && plain.Han(runes[0]) {
				if strings.Contains(question, word) {
					only = append(only, name)
					break
				}
			}
		}
	}
	return only
}

// available tells whether an item can be had; a product can when any of its
// variants can. nil: nobody says.
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

// chosenVariant is the one variant of a product whose values the need's words
// name ("the white one"), else the product.
func chosenVariant(v View, n *need.Need, it *Item) *Item {
	if it.VariantOf != "" {
		return it
	}
	variants := v.Variants(it.ID)
	if len(variants) == 0 {
		return it
	}
	question := []rune(plain.Plain(n.Text))
	best, most, tie := it, 0, false
	for _, s := range variants {
		named := 0
		for i := range s.stated {
			word := plain.Plain(s.stated[i].value.Text)
			if word != "" && s.stated[i].value.Flag == nil && hasWord(question, word) {
				named++
			}
		}
		switch {
		case named > most:
			best, most, tie = s, named, false
		case named == most && named > 0:
			tie = true
		}
	}
	if tie {
		return it
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
