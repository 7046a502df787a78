package candidate

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/scene"
)

// Item is a thing a company offers: product, service, course, financial product.
type Item struct {
	ID         string                     `json:"id"`
	Kind       string                     `json:"kind"`
	Title      Text                       `json:"title"`
	Aliases    []string                   `json:"aliases,omitempty"`
	Category   string                     `json:"category,omitempty"`
	Price      *Money                     `json:"price,omitempty"`
	Attributes map[string]json.RawMessage `json:"attributes,omitempty"` // value, {value, unit}, {min, max, unit}
	VariantOf  string                     `json:"variant_of,omitempty"`
	BundleOf   []string                   `json:"bundle_of,omitempty"`
	Warranty   *Warranty                  `json:"warranty,omitempty"`
	Tags       []string                   `json:"tags,omitempty"`
	Available  *bool                      `json:"available,omitempty"`
	URL        string                     `json:"url,omitempty"`
	Media      json.RawMessage            `json:"media,omitempty"`
	Revision   uint64                     `json:"-"` // log position of this version
	Body       json.RawMessage            `json:"-"` // as it was put, with the fields we do not know

	stated []named      // Attributes, read; by name
	ref    evidence.Ref // made once, for it stands in every answer

	purposes []*purpose // read from Tags when purposed
	purposed bool

	categories []string // canonical names of Category
}

type named struct {
	name  string
	value Value
}

// Value reads one attribute; ok is false when the item does not state it.
func (it *Item) Value(name string) (v Value, ok bool) {
	if it.stated == nil && it.Attributes != nil {
		raw, there := it.Attributes[name]
		if !there {
			return v, false
		}
		return readRaw(raw)
	}
	i, found := slices.BinarySearchFunc(it.stated, name, func(n named, name string) int { return strings.Compare(n.name, name) })
	if !found {
		return v, false
	}
	return it.stated[i].value, true
}

// Names are the attributes that the item states, in order.
func (it *Item) Names() []string {
	names := make([]string, 0, len(it.Attributes))
	if it.stated == nil {
		for name := range it.Attributes {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	for i := range it.stated {
		names = append(names, it.stated[i].name)
	}
	return names
}

// Ref is the item at the revision it was read.
func (it *Item) Ref() evidence.Ref {
	if it.ref != "" {
		return it.ref
	}
	return evidence.Make(evidence.Item, it.ID, it.Revision)
}

// Name is the item as an answer names it.
func (it *Item) Name() ItemName {
	return ItemName{ID: it.ID, Title: it.Title, Ref: it.Ref(), Price: it.Price, URL: it.URL}
}

// Warranty is an item's statutory or promised term.
type Warranty struct {
	Months int `json:"months"`
}

// Relation joins two items or entities: accessory_of, warranty_for, successor_of …
type Relation struct {
	From   string  `json:"from"`
	Type   string  `json:"type"`
	To     string  `json:"to"`
	Weight float64 `json:"weight,omitempty"`

	ID       string `json:"-"` // of the record that says so
	Revision uint64 `json:"-"`
}

// Ref is the relation at the revision it was read.
func (r *Relation) Ref() evidence.Ref { return evidence.Make(evidence.Relation, r.ID, r.Revision) }

// Attribute says how an attribute is shown and compared.
type Attribute struct {
	Name   string `json:"name"`
	Label  Text   `json:"label"`
	Unit   string `json:"unit,omitempty"`
	Better string `json:"better,omitempty"` // higher, lower
	Fits   string `json:"fits,omitempty"`   // the trait it must fit, e.g. household_size
}

// Article is a piece of knowledge in one language.
type Article struct {
	ID         string       `json:"id"`
	Title      string       `json:"title"`
	Body       string       `json:"body"`
	Lang       scene.Locale `json:"lang"`
	Tags       []string     `json:"tags,omitempty"`
	ValidFrom  *time.Time   `json:"valid_from,omitempty"`
	ValidUntil *time.Time   `json:"valid_until,omitempty"`
	Steps      []Step       `json:"steps,omitempty"`
	Media      *Media       `json:"media,omitempty"`
	UpdatedAt  time.Time    `json:"updated_at,omitzero"`
	Revision   uint64       `json:"-"`
}

// Ref is the article at the revision it was read.
func (a *Article) Ref() evidence.Ref { return evidence.Make(evidence.Article, a.ID, a.Revision) }

// Media are recorded forms of an article.
type Media struct {
	Voice string `json:"voice,omitempty"`
	Video string `json:"video,omitempty"`
}

// Found is an article that answers a text, with its evidence passage.
type Found struct {
	Article *Article
	Passage string
	Score   float64
	// Coverage is the share of the text's information that the article holds, 0 to 1.
	Coverage float64
}

// FoundItem is an item that a text describes.
type FoundItem struct {
	Item     *Item
	Score    float64
	Coverage float64
}

// Offer is a promotion as it was put: for some items, for whole categories, or
// for everything when it names none.
type Offer struct {
	ID         string     `json:"id"`
	Title      Text       `json:"title"`
	Items      []string   `json:"items,omitempty"`
	Categories []string   `json:"categories,omitempty"`
	From       *time.Time `json:"valid_from,omitempty"`
	Until      *time.Time `json:"valid_until,omitempty"`
	Tags       []string   `json:"tags,omitempty"` // what it gives: saving, service, gift …
	Personal   bool       `json:"-"`              // given to one person: it is that person's record, not on the shelf
	Revision   uint64     `json:"-"`
}
