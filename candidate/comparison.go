package candidate

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need"
	plain "github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/scene"
)

// Comparer sets the attributes of items side by side, those that differ first.
type Comparer struct{}

// Name is "comparison".
func (Comparer) Name() string { return ComparisonSource }

const mostCompared = 5

// Propose compares the items in focus of each need that asks for it. A choice
// between items that another need already compares gets no second table.
func (Comparer) Propose(_ context.Context, r *Request) ([]Answer, error) {
	var answers []Answer
	var done [][]*Item
	for pass := range 2 { // comparisons first, then choices that need one
		for i := range r.Needs {
			n := &r.Needs[i]
			asked := n.Intent == "presale.compare"
			if n.Negated || asked != (pass == 0) || !r.serves(ComparisonSource, n) {
				continue
			}
			items := r.compared(n)
			if asked && len(items) == 1 && namesUnknown(n) {
				if f := sheet(r, n, items[0]); f != nil {
					answers = append(answers, Answer{Need: n.ID, Facts: f})
				}
				continue
			}
			if len(items) < 2 || !asked && slices.ContainsFunc(done, func(d []*Item) bool { return slices.Equal(d, items) }) {
				continue
			}
			done = append(done, items)
			rows := r.rowsOf(items, r.askedAttributes(n, items))
			if len(rows) == 0 {
				continue
			}
			answers = append(answers, Answer{Need: n.ID, Comparison: &Comparison{Items: namesOf(items), Rows: rows}})
		}
	}
	return answers, nil
}

// compared are the items of a comparison: those in focus, or the first of the
// category that is named instead, or the one in focus beside the others of its category.
func (r *Request) compared(n *need.Need) []*Item {
	items := r.focus(n)
	if n.Intent == "presale.compare" && len(items) < 2 && !namesUnknown(n) {
		categories := []string{}
		for i := range n.Entities {
			if e := &n.Entities[i]; e.Type == "category" && e.ID != "" {
				categories = append(categories, e.ID)
			}
		}
		if len(categories) == 0 && len(items) == 1 && items[0].Category != "" {
			categories = append(categories, items[0].Category)
		}
		for _, c := range categories {
			for _, it := range r.Catalogue.Category(c, 16) {
				if len(items) < 3 && it.VariantOf == "" && it.offered() && !slices.ContainsFunc(items, func(o *Item) bool { return o.ID == it.ID }) {
					items = append(items, it)
				}
			}
		}
	}
	if len(items) > mostCompared {
		items = items[:mostCompared]
	}
	return items
}

// namesUnknown tells that a need names a product that nobody here knows: what is
// known of the other one is told, and no third one is put in its place.
func namesUnknown(n *need.Need) bool {
	return slices.ContainsFunc(n.Entities, func(e need.Entity) bool { return e.Type == need.UnknownProduct })
}

func (it *Item) offered() bool { return it.Available == nil || *it.Available }

// askedAttributes are the attributes that a need names; none when it names "all
// of them" or none at all.
func (r *Request) askedAttributes(n *need.Need, items []*Item) []string {
	var only []string
	for i := range n.Entities {
		e := &n.Entities[i]
		if e.Type != "attribute" {
			continue
		}
		id := e.ID
		if id == "" && e.Text != "" {
			// A word of a pack's list has no id: it may still be a name of ours.
			for _, f := range r.Catalogue.Find([]rune(e.Text)) {
				if f.Type == "attribute" && f.ID != "" {
					id = f.ID
				}
			}
			if id == "" {
				id = r.attributeCalled(e.Text, items)
			}
		}
		if id != "" && !slices.Contains(only, id) {
			only = append(only, id)
		}
	}
	return only
}

// attributeCalled is the attribute of the items whose own name a word is, for
// attributes that nobody gave a label.
func (r *Request) attributeCalled(word string, items []*Item) string {
	called := american(canonical(word))
	for _, it := range items {
		if len(it.Attributes) == 0 {
			if variants := r.Catalogue.Variants(it.ID); len(variants) > 0 {
				it = variants[0]
			}
		}
		for _, name := range it.Names() {
			if own := american(canonical(name)); own == called || own+"s" == called {
				return name
			}
		}
	}
	return ""
}

// american spells the one word of catalogues that is written in two ways.
func american(word string) string { return strings.Replace(word, "colour", "color", 1) }

func namesOf(items []*Item) []ItemName {
	all := make([]ItemName, len(items))
	for i, it := range items {
		all[i] = it.Name()
	}
	return all
}

// thing is an item with its variants, which speak for it where it is silent.
type thing struct {
	item     *Item
	variants []*Item
	looked   bool
	view     View
}

func (t *thing) siblings() []*Item {
	if !t.looked {
		t.looked = true
		if t.item.VariantOf == "" {
			t.variants = t.view.Variants(t.item.ID)
		}
	}
	return t.variants
}

// value is what a thing states of an attribute; the values of its variants make a
// range or a list.
func (t *thing) value(name string) (Value, bool) {
	switch name {
	case PriceAttribute:
		return t.price()
	case WarrantyAttribute:
		if t.item.Warranty == nil {
			if v, ok := t.item.Value(name); ok {
				return v, true
			}
			return Value{}, false
		}
		m := float64(t.item.Warranty.Months)
		return Value{Text: spell(m, m, "months"), Numeric: true, Min: m, Max: m, Unit: "months"}, true
	}
	if v, ok := t.item.Value(name); ok {
		return v, true
	}
	if len(t.item.Attributes) > 0 {
		return Value{}, false
	}
	var all []Value
	for _, s := range t.siblings() {
		if v, ok := s.Value(name); ok {
			all = append(all, v)
		}
	}
	return merged(all)
}

// merged is one value for the values of several variants.
func merged(all []Value) (v Value, ok bool) {
	if len(all) == 0 {
		return v, false
	}
	v = all[0]
	words := []string{v.Text}
	numeric := v.Numeric
	for _, o := range all[1:] {
		low, ok := convert(o.Min, o.Unit, v.Unit)
		high, _ := convert(o.Max, o.Unit, v.Unit)
		if o.Numeric && numeric && ok {
			v.Min, v.Max = math.Min(v.Min, low), math.Max(v.Max, high)
		} else {
			numeric = false
		}
		if !slices.Contains(words, o.Text) {
			words = append(words, o.Text)
		}
	}
	if v.Numeric = numeric; numeric {
		v.Text = spell(v.Min, v.Max, v.Unit)
		return v, true
	}
	if len(words) > 1 {
		slices.Sort(words)
		v = Value{Text: strings.Join(words, ", "), List: true}
	}
	return v, true
}

// minorDigits is how many decimals a currency has; two when it is not here.
var minorDigits = map[string]int{"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "KWD": 3, "BHD": 3, "OMR": 3}

var currencySigns = map[string]string{"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}

// Major is an amount in whole units of its currency.
func (m *Money) Major() float64 {
	d, ok := minorDigits[m.Currency]
	if !ok {
		d = 2
	}
	return float64(m.Amount) / math.Pow10(d)
}

func (m *Money) sign() string {
	if s, ok := currencySigns[m.Currency]; ok {
		return s
	}
	return m.Currency
}

func (t *thing) price() (Value, bool) {
	v, ok := t.prices()
	if ok {
		v.Text = spell(v.Min, v.Max, v.Unit)
	}
	return v, ok
}

// prices is the price without its text, or the range of the variants' prices.
func (t *thing) prices() (v Value, ok bool) {
	if p := t.item.Price; p != nil {
		x := p.Major()
		return Value{Numeric: true, Min: x, Max: x, Unit: p.sign()}, true
	}
	for _, s := range t.siblings() {
		if s.Price == nil {
			continue
		}
		x := s.Price.Major()
		if !v.Numeric {
			v = Value{Numeric: true, Min: x, Max: x, Unit: s.Price.sign()}
		} else if s.Price.sign() == v.Unit {
			v.Min, v.Max = math.Min(v.Min, x), math.Max(v.Max, x)
		}
	}
	return v, v.Numeric
}

// lowest is the least amount for which a thing can be had.
func (t *thing) lowest() *Money {
	if t.item.Price != nil {
		return t.item.Price
	}
	var least *Money
	for _, s := range t.siblings() {
		if s.Price != nil && (least == nil || s.Price.Currency == least.Currency && s.Price.Amount < least.Amount) {
			least = s.Price
		}
	}
	return least
}

// attributesOf are the names that things state, in alphabetical order; price and
// warranty come in when any of them has one.
func attributesOf(things []thing) []string {
	seen := make([]string, 0, 16)
	add := func(name string) {
		if i, found := slices.BinarySearch(seen, name); !found {
			seen = slices.Insert(seen, i, name)
		}
	}
	for i := range things {
		t := &things[i]
		if t.item.stated != nil {
			for j := range t.item.stated {
				add(t.item.stated[j].name)
			}
		} else {
			for name := range t.item.Attributes {
				add(name)
			}
		}
		if len(t.item.Attributes) == 0 {
			for _, s := range t.siblings() {
				for _, name := range s.Names() {
					add(name)
				}
			}
		}
		if _, ok := t.prices(); ok {
			add(PriceAttribute)
		}
		if t.item.Warranty != nil {
			add(WarrantyAttribute)
		}
	}
	return seen
}

// rowsOf sets the attributes of items side by side: only those named, or all.
// First stand those that differ, then those that not every item states, then the
// equal ones; among each, what a household needs before what has a direction.
func (r *Request) rowsOf(items []*Item, only []string) []Row {
	v := r.Catalogue
	things := make([]thing, len(items))
	for i, it := range items {
		things[i] = thing{item: it, view: v}
	}
	attributes := only
	if len(only) == 0 {
		attributes = attributesOf(things)
	}
	rows := make([]Row, 0, len(attributes))
	cells := make([]Cell, len(attributes)*len(items))
	ranks := make([]int, 0, len(attributes))
	for k, name := range attributes {
		a := attributeOf(v, name)
		row := Row{Attribute: name, Label: a.Label, Better: a.Better, Cells: cells[k*len(items) : (k+1)*len(items) : (k+1)*len(items)]}
		stated := fillRow(&row, &a, things, r.Scene.Locale)
		if stated == 0 && len(only) == 0 {
			continue
		}
		rank := 20
		switch {
		case row.Differs && stated == len(items):
			rank = 0
		case stated < len(items):
			rank, row.Differs = 10, stated > 0
		}
		switch {
		case a.Fits != "":
		case a.Better != "":
			rank++
		default:
			rank += 2
		}
		at := len(rows)
		if len(only) == 0 {
			for at > 0 && ranks[at-1] > rank {
				at--
			}
		}
		rows, ranks = slices.Insert(rows, at, row), slices.Insert(ranks, at, rank)
	}
	return rows
}

// fillRow reads one attribute of every thing, in one unit, and marks the better
// ones. It tells how many state it.
func fillRow(row *Row, a *Attribute, things []thing, lang scene.Locale) (stated int) {
	var buffer [mostCompared]Value
	values := append(buffer[:0], make([]Value, len(things))...)
	comparable := true
	for i := range things {
		v, ok := things[i].value(row.Attribute)
		if !ok {
			continue
		}
		stated++
		values[i] = v
		row.Cells[i].Stated = true
		if !v.Numeric {
			comparable = false
			continue
		}
		if row.Unit == "" {
			row.Unit = v.Unit
		}
	}
	if stated == 0 {
		return 0
	}
	if a.Unit != "" {
		row.Unit = a.Unit
	}
	if comparable {
		comparable = align(values, row)
	}
	first := -1
	for i := range values {
		c := &row.Cells[i]
		if !c.Stated {
			continue
		}
		v := &values[i]
		if comparable {
			c.Number = &Range{v.Min, v.Max}
			c.Text = spellIn(v.Min, v.Max, row.Unit, lang)
		} else {
			c.Text = v.textIn(lang)
		}
		if first < 0 {
			first = i
		} else if !same(&values[first], v, comparable) {
			row.Differs = true
		}
	}
	if !comparable {
		row.Unit = ""
		return stated
	}
	if row.Differs && row.Better != "" && stated > 1 {
		row.Best = best(values, row)
	}
	return stated
}

// align turns all values of a row into its unit. A value without a unit is taken
// to be in it. When one cannot be turned, the unit of the first is tried.
func align(values []Value, row *Row) bool {
	try := func(unit string, write bool) bool {
		for i := range values {
			v := &values[i]
			if !row.Cells[i].Stated || v.Unit == "" {
				continue
			}
			min, ok := convert(v.Min, v.Unit, unit)
			if !ok {
				return false
			}
			max, _ := convert(v.Max, v.Unit, unit)
			if write {
				v.Min, v.Max, v.Unit = min, max, unit
			}
		}
		return true
	}
	if try(row.Unit, false) {
		return try(row.Unit, true)
	}
	for i := range values {
		if row.Cells[i].Stated && values[i].Unit != "" {
			if row.Unit = values[i].Unit; try(row.Unit, false) {
				return try(row.Unit, true)
			}
			return false
		}
	}
	return false
}

func same(a, b *Value, numeric bool) bool {
	if numeric {
		return near(a.Min, b.Min) && near(a.Max, b.Max)
	}
	if a.Flag != nil && b.Flag != nil {
		return *a.Flag == *b.Flag
	}
	return a.Text == b.Text || plain.Plain(a.Text) == plain.Plain(b.Text)
}

func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b))
}

// best are the places of the best values in the row's direction, judged by the
// middle of a range. What is not stated is not judged.
func best(values []Value, row *Row) []int {
	var at []int
	var top float64
	stated := 0
	for i := range values {
		if !row.Cells[i].Stated {
			continue
		}
		stated++
		x := (values[i].Min + values[i].Max) / 2
		if row.Better == "lower" {
			x = -x
		}
		switch {
		case len(at) == 0 || x > top && !near(x, top):
			at, top = append(at[:0], i), x
		case near(x, top):
			at = append(at, i)
		}
	}
	if len(at) == stated {
		return nil // nobody is better than anybody
	}
	return at
}
