package candidate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/candidate/search"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
)

// Catalogue is the shelf of one workspace, in memory: items, relations,
// attributes, articles and promotions, each with all its versions by the log
// position that brought them. It is filled by following the log and gives a
// [View] at any revision. Readers do not wait for each other, and for the writer
// only while it links one record in.
type Catalogue struct {
	mu         sync.RWMutex
	revision   uint64
	items      table[Item]
	relations  table[Relation]
	attributes table[Attribute]
	articles   table[Article]
	offers     table[Offer]

	category map[string][]string // canonical category → ids ever in it, in log order
	kinds    map[string][]string // kind → ids ever of it
	variants map[string][]string // item → ids ever a variant of it
	from, to map[string][]string // thing → ids of relations that ever started, ended there
	shared   map[string]int      // category and brand names in use, by kind and word
	names    names
	near     misspellings // of the names of things, categories and brands

	shelf   search.Index // articles
	shelfOf []*Article   // by document
	docOf   map[string]int
	goods   search.Index // items
	goodsOf []good
	goodDoc map[string]int
}

// good is what a document of the items' index stands for. It serves every version
// of the item whose words are the same: a new price or stock adds none.
type good struct {
	id      string
	variant bool
}

// table keeps all versions of the records of one kind.
type table[T any] struct {
	lines map[string]*line[T]
	order []string // ids in the order of first appearance
}

type line[T any] struct{ editions []edition[T] }

// edition is one version of a record; value is nil when it was deleted.
type edition[T any] struct {
	from  uint64
	at    time.Time
	body  json.RawMessage
	value *T
}

// put adds a version. An older one (by its own time) than the present one never
// overwrites it.
func (t *table[T]) put(id string, e edition[T]) (before *T, applied bool) {
	if t.lines == nil {
		t.lines = map[string]*line[T]{}
	}
	l := t.lines[id]
	if l == nil {
		l = &line[T]{}
		t.lines[id] = l
		t.order = append(t.order, id)
	}
	if n := len(l.editions); n > 0 {
		last := &l.editions[n-1]
		if e.at.Before(last.at) {
			return nil, false
		}
		before = last.value
	}
	l.editions = append(l.editions, e)
	return before, true
}

func (t *table[T]) at(id string, revision uint64) *edition[T] {
	l := t.lines[id]
	if l == nil {
		return nil
	}
	for i := len(l.editions) - 1; i >= 0; i-- {
		if e := &l.editions[i]; e.from <= revision {
			if e.value == nil {
				return nil
			}
			return e
		}
	}
	return nil
}

// NewCatalogue is an empty shelf.
func NewCatalogue() *Catalogue {
	return &Catalogue{
		category: map[string][]string{}, kinds: map[string][]string{}, variants: map[string][]string{},
		from: map[string][]string{}, to: map[string][]string{},
		shared: map[string]int{}, docOf: map[string]int{}, goodDoc: map[string]int{},
	}
}

// Put takes one record of the log: kind is item, relation, attribute, article or
// promotion; another kind only moves the revision. at is the record's own time
// (updated_at), position its place in the log, which must not fall. The body is
// copied. A body that cannot be read changes nothing and is an error.
func (c *Catalogue) Put(kind, id string, body []byte, deleted bool, at time.Time, position uint64) error {
	body = slices.Clone(body)
	at = at.UTC()
	var err error
	switch kind {
	case "item":
		err = c.putItem(id, body, deleted, at, position)
	case "relation":
		err = c.putRelation(id, body, deleted, at, position)
	case "attribute":
		err = c.putAttribute(id, body, deleted, at, position)
	case "article":
		err = c.putArticle(id, body, deleted, at, position)
	case "promotion":
		err = c.putOffer(id, body, deleted, at, position)
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.advance(position)
	}
	if err != nil {
		return fmt.Errorf("%s %q of the catalogue: %w", kind, id, err)
	}
	return nil
}

// advance moves the revision; the caller holds the lock.
func (c *Catalogue) advance(position uint64) { c.revision = max(c.revision, position) }

func (c *Catalogue) putItem(id string, body []byte, deleted bool, at time.Time, position uint64) error {
	e := edition[Item]{from: position, at: at, body: body}
	var doc *search.Prepared
	if !deleted {
		it, err := DecodeItem(id, body)
		if err != nil {
			return err
		}
		it.Revision = position
		it.ref = it.Ref()
		it.purposes, it.purposed = purposesOf(it.Tags), true
		it.categories = categoryWords(it.Category)
		e.value = it
		doc = search.Prepare(itemText(it))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(position)
	before, applied := c.items.put(id, e)
	if !applied {
		return nil
	}
	c.nameItem(before, e.value, position)
	if before != nil && (e.value == nil || !sameWords(before, e.value)) {
		c.goods.Remove(c.goodDoc[id], position)
		delete(c.goodDoc, id)
	}
	if e.value != nil {
		if _, there := c.goodDoc[id]; !there {
			c.goodDoc[id] = c.goods.Add(doc, position)
			c.goodsOf = append(c.goodsOf, good{id, e.value.VariantOf != ""})
		}
		for _, word := range categoryWords(e.value.Category) {
			note(c.category, word, id)
		}
		note(c.kinds, e.value.Kind, id)
		if of := e.value.VariantOf; of != "" {
			note(c.variants, of, id)
		}
	}
	return nil
}

func sameWords(a, b *Item) bool {
	return a.VariantOf == b.VariantOf && itemText(a) == itemText(b)
}

// note keeps that an id was ever under a key; which of them still are is looked
// up in the version that a view sees.
func note(m map[string][]string, key, id string) {
	if l := m[key]; len(l) == 0 || l[len(l)-1] != id {
		m[key] = append(l, id)
	}
}

// itemText is what an item is found by when nobody names it.
func itemText(it *Item) search.Document {
	var b strings.Builder
	b.WriteString(it.Category)
	for _, t := range it.Tags {
		b.WriteString(" \n" + t)
	}
	for i := range it.stated {
		n := &it.stated[i]
		b.WriteString(" \n" + strings.ReplaceAll(n.name, "_", " "))
		if !n.value.Numeric && n.value.Flag == nil {
			b.WriteString(" " + n.value.Text)
		}
	}
	return search.Document{Title: strings.Join(it.titles(), " \n"), Body: b.String()}
}

// nameItem changes the word list from one version of an item to the next.
func (c *Catalogue) nameItem(before, after *Item, position uint64) {
	var old, now []spoken
	var oldKind, nowKind, id string
	if before != nil {
		old, oldKind, id = before.spokenNames(), entityType(before.Kind), before.ID
		c.share("category", before.Category, -1, position)
		c.share("brand", brandOf(before), -1, position)
	}
	if after != nil {
		now, nowKind, id = after.spokenNames(), entityType(after.Kind), after.ID
		for _, t := range after.titles() {
			c.near.add(canonical(t))
		}
		c.share("category", after.Category, 1, position)
		c.share("brand", brandOf(after), 1, position)
	}
	for _, s := range old {
		if oldKind != nowKind || !slices.Contains(now, s) {
			c.names.end(s.word, oldKind, id, position)
		}
	}
	for _, s := range now {
		if oldKind != nowKind || !slices.Contains(old, s) {
			c.names.add(s.word, use{nowKind, id, s.rank, position, forever})
		}
	}
}

func brandOf(it *Item) string {
	for _, name := range [...]string{"brand", "品牌"} {
		if v, ok := it.Value(name); ok && !v.Numeric && v.Flag == nil {
			return v.Text
		}
	}
	return ""
}

// share counts how many items bear a category or a brand, whose name is in use
// as long as one does.
func (c *Catalogue) share(kind, name string, by int, position uint64) {
	if name == "" {
		return
	}
	rank := asCategory
	if kind == "brand" {
		rank = asBrand
	}
	for _, word := range categoryWords(name) {
		key := kind + " " + word + " " + name
		was := c.shared[key]
		c.shared[key] = was + by
		if was == 0 && by > 0 {
			c.names.add(word, use{kind, name, rank, position, forever})
			c.near.add(word)
		} else if was+by == 0 {
			c.names.end(word, kind, name, position)
			delete(c.shared, key)
		}
	}
}

// categoryWords are the canonical names of a category: the whole, and each part
// of a path ("home/air purifier").
func categoryWords(category string) []string {
	if category == "" {
		return nil
	}
	words := []string{canonical(category)}
	for _, part := range strings.FieldsFunc(category, func(r rune) bool { return r == '/' || r == '>' || r == '|' }) {
		if w := canonical(part); w != "" && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

// under are the canonical names of the item's category.
func (it *Item) under() []string {
	if it.categories == nil {
		return categoryWords(it.Category)
	}
	return it.categories
}

func (c *Catalogue) putRelation(id string, body []byte, deleted bool, at time.Time, position uint64) error {
	e := edition[Relation]{from: position, at: at, body: body}
	if !deleted {
		rel, err := DecodeRelation(body)
		if err != nil {
			return err
		}
		rel.ID, rel.Revision = id, position
		e.value = rel
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(position)
	if _, applied := c.relations.put(id, e); applied && e.value != nil {
		note(c.from, bare(e.value.From), id)
		note(c.to, bare(e.value.To), id)
	}
	return nil
}

// bare takes the kind off a thing's name: "product:A" is the item A.
func bare(thing string) string {
	if kind, id, ok := strings.Cut(thing, ":"); ok {
		switch kind {
		case "item", "product", "service", "course", "lesson", "skill", "financial_product":
			return id
		}
	}
	return thing
}

func (c *Catalogue) putAttribute(name string, body []byte, deleted bool, at time.Time, position uint64) error {
	e := edition[Attribute]{from: position, at: at, body: body}
	if !deleted {
		a, err := DecodeAttribute(name, body)
		if err != nil {
			return err
		}
		e.value = a
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(position)
	before, applied := c.attributes.put(name, e)
	if !applied {
		return nil
	}
	var old, now []spoken
	if before != nil {
		old = before.spokenNames()
	}
	if e.value != nil {
		now = e.value.spokenNames()
	}
	for _, s := range old {
		if !slices.Contains(now, s) {
			c.names.end(s.word, "attribute", name, position)
		}
	}
	for _, s := range now {
		if !slices.Contains(old, s) {
			c.names.add(s.word, use{"attribute", name, s.rank, position, forever})
		}
	}
	return nil
}

// spokenNames are the names of an attribute. They give way to anything else of
// the same name.
func (a *Attribute) spokenNames() []spoken {
	var all []spoken
	for _, name := range []string{a.Name, a.Label.Zh, a.Label.En} {
		if w := canonical(name); len([]rune(w)) > 1 && !slices.ContainsFunc(all, func(s spoken) bool { return s.word == w }) {
			all = append(all, spoken{w, asAttribute})
		}
	}
	return all
}

func (c *Catalogue) putArticle(id string, body []byte, deleted bool, at time.Time, position uint64) error {
	e := edition[Article]{from: position, at: at, body: body}
	var doc *search.Prepared
	if !deleted {
		a, err := DecodeArticle(id, body)
		if err != nil {
			return err
		}
		a.Revision = position
		if a.UpdatedAt.IsZero() {
			a.UpdatedAt = at
		}
		e.value = a
		text := a.Body
		for _, s := range a.Steps {
			text += "\n" + s.Text
		}
		doc = search.Prepare(search.Document{Title: a.Title + " \n" + strings.Join(a.Tags, " \n"), Body: text})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(position)
	before, applied := c.articles.put(id, e)
	if !applied {
		return nil
	}
	if before != nil {
		c.shelf.Remove(c.docOf[id], position)
		delete(c.docOf, id)
	}
	if e.value != nil {
		c.docOf[id] = c.shelf.Add(doc, position)
		c.shelfOf = append(c.shelfOf, e.value)
	}
	return nil
}

func (c *Catalogue) putOffer(id string, body []byte, deleted bool, at time.Time, position uint64) error {
	e := edition[Offer]{from: position, at: at, body: body}
	if !deleted {
		o, err := DecodeOffer(id, body)
		if err != nil {
			return err
		}
		o.Revision = position
		e.value = o
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(position)
	c.offers.put(id, e)
	return nil
}

// Revision is the log position up to which the shelf is filled.
func (c *Catalogue) Revision() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.revision
}

// At is the shelf as it stood at a log position; 0 means now. The view stays what
// it is whatever is put later.
func (c *Catalogue) At(revision uint64) View {
	if now := c.Revision(); revision == 0 || revision > now {
		revision = now
	}
	return &view{c, revision}
}

type view struct {
	c        *Catalogue
	revision uint64
}

func (v *view) Revision() uint64 { return v.revision }

func (v *view) Find(given []rune) []need.Entity {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	return v.find(given, nil)
}

// find is Find without the lock, with the names that packs bring. What was guessed is
// told as the catalogue writes it.
func (v *view) find(given []rune, brought *names) []need.Entity {
	found := findIn(given, v.revision, &v.c.near, &v.c.names, brought, everywhere)
	for i := range found {
		e := &found[i]
		if e.Meant == "" {
			continue
		}
		if e.Type == "category" || e.Type == "brand" {
			e.Meant = e.ID
		} else if it, ok := v.item(e.ID); ok {
			for _, t := range it.titles() {
				if canonical(t) == e.Meant {
					e.Meant = t
					break
				}
			}
		}
	}
	return found
}

// Titles are what an item is called in any language, and the kind that it is of.
func (v *view) Titles(id string) []string { return titlesIn(v, id) }

func titlesIn(v View, id string) []string {
	it, ok := v.Item(id)
	if !ok {
		return nil
	}
	return append(it.titles(), it.Category)
}

func (v *view) Item(id string) (*Item, bool) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	return v.item(id)
}

// item is Item without the lock.
func (v *view) item(id string) (*Item, bool) {
	if e := v.c.items.at(id, v.revision); e != nil {
		return e.value, true
	}
	return nil, false
}

func (v *view) Related(from string) []Relation {
	return v.relations(from, v.c.from, func(r *Relation) string { return r.From })
}

func (v *view) RelatedTo(to string) []Relation {
	return v.relations(to, v.c.to, func(r *Relation) string { return r.To })
}

func (v *view) relations(thing string, index map[string][]string, end func(*Relation) string) []Relation {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	thing = bare(thing)
	var all []Relation
	ids := index[thing]
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		if e := v.c.relations.at(id, v.revision); e != nil && bare(end(e.value)) == thing {
			all = append(all, *e.value)
		}
	}
	slices.SortFunc(all, func(a, b Relation) int {
		if d := strings.Compare(a.Type, b.Type); d != 0 {
			return d
		}
		if d := strings.Compare(a.From, b.From); d != 0 {
			return d
		}
		return strings.Compare(a.To, b.To)
	})
	return all
}

func (v *view) Attribute(name string) (*Attribute, bool) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	if e := v.c.attributes.at(name, v.revision); e != nil {
		return e.value, true
	}
	a, ok := common[name]
	return a, ok
}

func (v *view) Category(name string, limit int) []*Item {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	word := canonical(name)
	return v.gather(v.c.category[word], limit, func(it *Item) bool {
		return slices.Contains(it.under(), word)
	})
}

func (v *view) Kind(kind string, limit int) []*Item {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	return v.gather(v.c.kinds[kind], limit, func(it *Item) bool { return it.Kind == kind })
}

func (v *view) Variants(id string) []*Item {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	return v.gather(v.c.variants[id], mostParts, func(it *Item) bool { return it.VariantOf == id })
}

// gather looks up ids, each once, in log order; the caller holds the lock.
func (v *view) gather(ids []string, limit int, keep func(*Item) bool) []*Item {
	if len(ids) == 0 {
		return nil
	}
	all := make([]*Item, 0, min(len(ids), limit))
	seen := map[string]bool(nil)
	for _, id := range ids {
		if len(all) >= limit {
			break
		}
		it, ok := v.item(id)
		if !ok || !keep(it) {
			continue
		}
		if len(v.c.items.lines[id].editions) > 1 { // only an id that changed can stand here twice
			if seen[id] {
				continue
			}
			if seen == nil {
				seen = map[string]bool{}
			}
			seen[id] = true
		}
		all = append(all, it)
	}
	return all
}

func (v *view) Search(text string, limit int) []FoundItem {
	q := search.Ask(text)
	if q.Empty() {
		return nil
	}
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	hits := v.c.goods.Search(q, v.revision, limit, func(doc int) float64 {
		if v.c.goodsOf[doc].variant {
			return 0
		}
		return 1
	})
	found := make([]FoundItem, 0, len(hits))
	for _, h := range hits {
		if it, ok := v.item(v.c.goodsOf[h.Doc].id); ok {
			found = append(found, FoundItem{it, h.Score, h.Coverage})
		}
	}
	return found
}

func (v *view) Article(id string) (*Article, bool) {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	if e := v.c.articles.at(id, v.revision); e != nil {
		return e.value, true
	}
	return nil, false
}

// otherLanguage is how much an article in another language than the customer's counts.
const otherLanguage = 0.25

func (v *view) Articles(text string, lang scene.Locale, at time.Time, limit int) []Found {
	q := search.Ask(text)
	if q.Empty() {
		return nil
	}
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	hits := v.c.shelf.Search(q, v.revision, limit, func(doc int) float64 {
		a := v.c.shelfOf[doc]
		if a.ValidFrom != nil && at.Before(*a.ValidFrom) || a.ValidUntil != nil && !at.Before(*a.ValidUntil) {
			return 0
		}
		if lang != "" && a.Lang != lang {
			return otherLanguage
		}
		return 1
	})
	found := make([]Found, len(hits))
	for i, h := range hits {
		a := v.c.shelfOf[h.Doc]
		found[i] = Found{Article: a, Passage: v.c.shelf.Passage(h.Doc, q, v.revision), Score: h.Score, Coverage: h.Coverage}
	}
	return found
}

func (v *view) Offers(it *Item, at time.Time) []Promotion {
	return v.promotions(at, func(o *Offer) bool { return o.covers(it) })
}

func (v *view) InForce(at time.Time) []Promotion {
	general := func(o *Offer) bool { return o.covers(nil) }
	particular := v.promotions(at, func(o *Offer) bool { return !general(o) })
	slices.SortStableFunc(particular, func(a, b Promotion) int {
		switch {
		case a.Until == nil && b.Until == nil:
			return 0
		case a.Until == nil:
			return 1
		case b.Until == nil:
			return -1
		}
		return a.Until.Compare(*b.Until)
	})
	return append(v.promotions(at, general), particular...)
}

// promotions lists the public promotions in force that are wanted.
func (v *view) promotions(at time.Time, wanted func(*Offer) bool) []Promotion {
	v.c.mu.RLock()
	defer v.c.mu.RUnlock()
	var all []Promotion
	for _, id := range v.c.offers.order {
		e := v.c.offers.at(id, v.revision)
		if e == nil || e.value.Personal || !e.value.inForce(at) || !wanted(e.value) {
			continue
		}
		all = append(all, Promotion{ID: id, Title: e.value.Title, Until: e.value.Until, Tags: e.value.Tags, Ref: evidence.Make(evidence.Promotion, id, e.from)})
	}
	return all
}

func (o *Offer) inForce(at time.Time) bool {
	return (o.From == nil || !at.Before(*o.From)) && (o.Until == nil || at.Before(*o.Until))
}

// covers tells whether a promotion is for an item; nil stands for the whole shop.
func (o *Offer) covers(it *Item) bool {
	if len(o.Items) == 0 && len(o.Categories) == 0 {
		return true
	}
	if it == nil {
		return false
	}
	if slices.Contains(o.Items, it.ID) || it.VariantOf != "" && slices.Contains(o.Items, it.VariantOf) {
		return true
	}
	for _, category := range o.Categories {
		if slices.Contains(it.under(), canonical(category)) {
			return true
		}
	}
	return false
}

func (v *view) Open(ref evidence.Ref) (data any, title Text, at time.Time, ok bool) {
	id, revision := ref.ID()
	if revision == 0 || revision > v.revision {
		revision = v.revision
	}
	c := v.c
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, ok := c.stored(string(ref.Kind()), id, revision)
	if !ok {
		return nil, title, at, false
	}
	switch ref.Kind() {
	case evidence.Item:
		title = c.items.at(id, revision).value.Title
	case evidence.Article:
		a := c.articles.at(id, revision).value
		title = Text{Zh: a.Title}
		if a.Lang == scene.English {
			title = Text{En: a.Title}
		}
	case evidence.Promotion:
		title = c.offers.at(id, revision).value.Title
	case evidence.Relation:
		r := c.relations.at(id, revision).value
		name := r.From + " " + r.Type + " " + r.To
		title = Text{Zh: name, En: name}
	case "attribute":
		title = c.attributes.at(id, revision).value.Label
	}
	return s.Body, title, s.UpdatedAt, true
}

// Stored is a record of the shelf as it was put.
type Stored struct {
	Kind      string          `json:"kind"`
	ID        string          `json:"id"`
	Body      json.RawMessage `json:"body"`
	Revision  uint64          `json:"revision"`
	UpdatedAt time.Time       `json:"updated_at"`
}

// Stored opens one record of a kind at a revision (0: now) as it was put.
func (c *Catalogue) Stored(kind, id string, revision uint64) (s Stored, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.stored(kind, id, c.orNow(revision))
}

func (c *Catalogue) orNow(revision uint64) uint64 {
	if revision == 0 {
		return c.revision
	}
	return revision
}

func (c *Catalogue) stored(kind, id string, revision uint64) (s Stored, ok bool) {
	s = Stored{Kind: kind, ID: id}
	switch kind {
	case "item":
		ok = fill(&s, c.items.at(id, revision))
	case "relation":
		ok = fill(&s, c.relations.at(id, revision))
	case "attribute":
		ok = fill(&s, c.attributes.at(id, revision))
	case "article":
		ok = fill(&s, c.articles.at(id, revision))
	case "promotion":
		ok = fill(&s, c.offers.at(id, revision))
	}
	return s, ok
}

func fill[T any](s *Stored, e *edition[T]) bool {
	if e == nil {
		return false
	}
	s.Body, s.Revision, s.UpdatedAt = e.body, e.from, e.at
	return true
}

// List pages through the records of a kind in the order in which they first came,
// beginning behind the id after ("" from the start).
func (c *Catalogue) List(kind, after string, revision uint64, limit int) []Stored {
	c.mu.RLock()
	defer c.mu.RUnlock()
	revision = c.orNow(revision)
	var order []string
	switch kind {
	case "item":
		order = c.items.order
	case "relation":
		order = c.relations.order
	case "attribute":
		order = c.attributes.order
	case "article":
		order = c.articles.order
	case "promotion":
		order = c.offers.order
	}
	if after != "" {
		i := slices.Index(order, after)
		if i < 0 {
			return nil
		}
		order = order[i+1:]
	}
	var all []Stored
	for _, id := range order {
		if len(all) == limit {
			break
		}
		if s, ok := c.stored(kind, id, revision); ok {
			all = append(all, s)
		}
	}
	return all
}
