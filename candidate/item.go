package candidate

import (
	"encoding/json"
	"time"

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
}

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
}
