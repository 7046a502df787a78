// Package candidate is step 5 of the flow: what could help. Its sources (the
// catalogue's comparison, fit to the household, what similar customers bought,
// articles, orders and cases) answer each need side by side, each with a deadline.
//
// A source's result is a value that can be stored and read back: the ledger keeps
// it, and a replay decides from it again. A source that is late or missing is a
// [Degraded] note, never an error for the customer.
package candidate

import (
	"context"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// Text is one sentence or name in both languages; a missing one falls back on the other.
type Text struct {
	Zh string `json:"zh,omitempty" yaml:"zh"`
	En string `json:"en,omitempty" yaml:"en"`
}

// In gives the text in a language.
func (t Text) In(l scene.Locale) string {
	if l == scene.English && t.En != "" || t.Zh == "" {
		return t.En
	}
	return t.Zh
}

// Money is an amount in minor units.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Request is what a source is asked.
type Request struct {
	Needs     []need.Need
	Person    *profile.Profile // personalisation and consent already applied
	Signals   []need.SignalState
	Scene     scene.Scene
	Catalogue View
	Plan      *Plan // nil: the usual sources
	Told      []Told
	Said      string   // the customer's own words, of this message and those before it
	Denied    []string // traits that must not be assumed: the customer said that they are wrong
}

// Told is what was said before to a need of the request, when it was asked before.
type Told struct {
	Need     string
	Articles []string // that were shown
	Actions  []string // that were offered
}

// told are the articles that a need was answered with before.
func (r *Request) told(n *need.Need) []string {
	for i := range r.Told {
		if r.Told[i].Need == n.ID {
			return r.Told[i].Articles
		}
	}
	return nil
}

// Source proposes answers. It must return when ctx ends; what it returns must
// follow from its request and from data whose revision it names. No answer is not
// an error: it returns none.
type Source interface {
	Name() string
	Propose(ctx context.Context, r *Request) ([]Answer, error)
}

// Result is what one source said, as the ledger keeps it.
type Result struct {
	Source   string    `json:"source"`
	Answers  []Answer  `json:"answers,omitempty"`
	Degraded *Degraded `json:"degraded,omitempty"`
}

// Degraded says that the answer was made without a source, and why.
type Degraded struct {
	Source string `json:"source"`
	Reason string `json:"reason"` // timeout, error, unconfigured, no_consent …
}

// Answer is what a source has to say to one need: exactly one of its parts is set.
type Answer struct {
	Need           string          `json:"need"`
	Comparison     *Comparison     `json:"comparison,omitempty"`
	Fit            *Fit            `json:"fit,omitempty"`
	Recommendation *Recommendation `json:"recommendation,omitempty"`
	Facts          *Facts          `json:"facts,omitempty"`
	Passage        *Passage        `json:"passage,omitempty"`
	Status         *Status         `json:"status,omitempty"`
	Which          *Which          `json:"which,omitempty"`
}

// ItemName is an item as an answer names it, at the revision it was read.
type ItemName struct {
	ID    string       `json:"id"`
	Title Text         `json:"title"`
	Ref   evidence.Ref `json:"ref"`
	Price *Money       `json:"price,omitempty"`
	URL   string       `json:"url,omitempty"`
}

// Cell is one attribute of one item. Stated is false when the item does not say;
// an attribute that is not stated never loses.
type Cell struct {
	Stated bool   `json:"stated"`
	Text   string `json:"text,omitempty"` // value with unit, as shown
	Number *Range `json:"number,omitempty"`
}

// Range is a numeric value in the row's unit; Min = Max for a single number.
type Range struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// Row is one attribute across the compared items.
type Row struct {
	Attribute string `json:"attribute"`
	Label     Text   `json:"label"`
	Unit      string `json:"unit,omitempty"`
	Better    string `json:"better,omitempty"` // higher, lower, or ""
	Differs   bool   `json:"differs"`
	Cells     []Cell `json:"cells"` // in the order of Items
	Best      []int  `json:"best,omitempty"`
}

// Comparison is a table of the items' attributes: those that differ first.
type Comparison struct {
	Items []ItemName `json:"items"`
	Rows  []Row      `json:"rows"`
}

// Verdict is how well an item fits whom it is for.
type Verdict string

const (
	Fits    Verdict = "fits"
	Tight   Verdict = "tight"
	Unfit   Verdict = "unfit"
	Unknown Verdict = "unknown" // the item does not state what is needed to tell
)

// Fit is the verdict on each compared item for the customer's household or use.
type Fit struct {
	People   int          `json:"people,omitempty"` // how many it is for
	Inferred bool         `json:"inferred"`         // assumed, not stated by the customer: asked before it decides
	Basis    evidence.Ref `json:"basis,omitempty"`  // the trait or the words it rests on
	Items    []ItemFit    `json:"items"`
}

// ItemFit is the verdict on one item with the attributes that made it.
type ItemFit struct {
	Item    ItemName  `json:"item"`
	Verdict Verdict   `json:"verdict"`
	Reasons []FitTerm `json:"reasons"`
}

// FitTerm is one attribute's part in a verdict.
type FitTerm struct {
	Attribute string  `json:"attribute"`
	Label     Text    `json:"label"`
	Text      string  `json:"text,omitempty"`
	Stated    bool    `json:"stated"`
	Verdict   Verdict `json:"verdict"`
}

// Term is one addend of a score, with the records it came from.
type Term struct {
	Name     string         `json:"name"`
	Value    float64        `json:"value"`
	Evidence []evidence.Ref `json:"evidence"`
}

// Recommendation is the choice among items. Score is the sum of its Terms to 1e-9.
type Recommendation struct {
	Item  ItemName   `json:"item"`
	Over  []ItemName `json:"over,omitempty"`
	Score float64    `json:"score"`
	Terms []Term     `json:"terms"`
	// Named are the labels of the attributes that terms "attribute:NAME" weigh.
	Named   map[string]Text `json:"named,omitempty"`
	Cohort  *Cohort         `json:"cohort,omitempty"`
	Instead *Instead        `json:"instead,omitempty"`
}

// Cohort counts what similar customers did; it opens onto counts, never people,
// and is left out below five.
type Cohort struct {
	Ref        evidence.Ref `json:"ref"`
	Similarity string       `json:"similarity"` // household, everyone
	Compared   int          `json:"compared"`   // looked at all of the items
	Chose      int          `json:"chose"`      // of those bought this one
}

// Instead says what would change the recommendation.
type Instead struct {
	Item   ItemName `json:"item"`
	People int      `json:"people"` // if it were for so many
	Saves  *Money   `json:"saves,omitempty"`
}

// Facts are stated properties of one item that the customer asked about.
type Facts struct {
	Item ItemName `json:"item"`
	Rows []Row    `json:"rows"` // one cell each
	// Available and Promotions are set when the need was stock or price.
	Available  *bool       `json:"available,omitempty"`
	Promotions []Promotion `json:"promotions,omitempty"`
}

// Which says that a question is about one product and names none: it is asked back.
// Items are those that may be meant, the likeliest first.
type Which struct {
	Items []ItemName `json:"items"`
}

// Promotion is a public promotion in force.
type Promotion struct {
	ID    string       `json:"id"`
	Title Text         `json:"title"`
	Until *time.Time   `json:"until,omitempty"`
	Tags  []string     `json:"tags,omitempty"`
	Ref   evidence.Ref `json:"ref"`
}

// Passage is the part of an article that answers, with its steps if it has any.
type Passage struct {
	Article string       `json:"article"`
	Title   string       `json:"title"`
	Text    string       `json:"text"`
	Marks   [][2]int     `json:"marks,omitempty"` // ranges of runes of Text that answer to the question's words
	Lang    scene.Locale `json:"lang"`
	Steps   []Step       `json:"steps,omitempty"`
	Voice   string       `json:"voice,omitempty"` // URL of recorded guidance
	Video   string       `json:"video,omitempty"`
	Score   float64      `json:"score"`
	Ref     evidence.Ref `json:"ref"`
	// Experienced says that the customer has done this before, by their own records.
	Experienced bool      `json:"experienced,omitempty"`
	UpdateAt    time.Time `json:"updated_at"`
	// Instead are articles that fit and were told before to the same question.
	Instead []string `json:"instead,omitempty"`
}

// Again tells that the passage was told before to the same question and nothing
// else fits nearly as well.
func (p *Passage) Again() bool {
	for _, id := range p.Instead {
		if id == p.Article {
			return true
		}
	}
	return false
}

// Step is one instruction; a basic one is skipped for who has done it before.
type Step struct {
	Text  string `json:"text"`
	Basic bool   `json:"basic,omitempty"`
	Tried bool   `json:"tried,omitempty"` // the customer says to have done it already
}

// Status is where one of the customer's own records stands.
type Status struct {
	Kind      evidence.Kind  `json:"kind"` // order, case, holding, enrolment …
	ID        string         `json:"id"`
	State     string         `json:"state"`
	Fields    map[string]any `json:"fields,omitempty"`
	Items     []ItemName     `json:"items,omitempty"`
	UpdatedAt time.Time      `json:"updated_at"`
	Evidence  []evidence.Ref `json:"evidence"`
}

// View is the catalogue, knowledge and word list of a workspace at one revision.
// It is immutable and safe for concurrent use; what it gives must not be changed.
type View interface {
	need.Lexicon
	// Revision is the log position up to which the view is true.
	Revision() uint64
	Item(id string) (*Item, bool)
	// Category lists the items of a category, or of a part of a category's path, at
	// most limit, in the order in which they came.
	Category(name string, limit int) []*Item
	// Kind lists the items of a kind (product, service, financial_product …), at most
	// limit, in the order in which they came.
	Kind(kind string, limit int) []*Item
	// Variants lists the items that are a variant of one.
	Variants(id string) []*Item
	// Search finds items by words of their title, category, tags and attributes,
	// best first. Variants are left out: their product stands for them.
	Search(text string, limit int) []FoundItem
	// Related lists the relations that start at an item ("product:A" or a bare item
	// id), RelatedTo those that end there, in a stable order.
	Related(from string) []Relation
	RelatedTo(to string) []Relation
	Attribute(name string) (*Attribute, bool)
	// Open finds the raw record that an item, relation, article, attribute or
	// promotion ref names, at the revision of the ref, else of the view.
	Open(ref evidence.Ref) (data any, title Text, at time.Time, ok bool)
	Article(id string) (*Article, bool)
	// Articles finds the articles nearest to a text that are valid at a time, best
	// first; those in another language come after equally good ones in lang.
	Articles(text string, lang scene.Locale, at time.Time, limit int) []Found
	// Offers lists the public promotions in force for an item; nil: those for everything.
	Offers(it *Item, at time.Time) []Promotion
	// InForce lists every public promotion in force: those for everything first, then
	// those that end the soonest.
	InForce(at time.Time) []Promotion
}
