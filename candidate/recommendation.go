package candidate

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	plain "github.com/rapport-cx/rapport/need/text"
)

// What a recommendation weighs. Each addend of an item's score lies between minus
// and plus its weight, so the order of importance can be read here: what similar
// customers chose, then the fit, then what the customer named, then what is simply
// better or cheaper.
const (
	weightSimilar     = 1.5
	weightFit         = 1.0
	weightPurpose     = 0.3 // each scene or person that the item is made for
	weightAsked       = 0.6 // an attribute that the customer named
	weightDescribed   = 0.5 // how much of the customer's words the item holds
	weightPopular     = 0.3
	weightAttribute   = 0.2 // any other attribute that has a better direction
	weightUnavailable = 1.0
	weightUnstated    = 0.5 // an item that does not state what the customer cannot have

	mostContestants = 32
	widestSearch    = 1024 // items of a category that are looked at
	fewestDescribed = 0.2  // coverage below which a search hit is an accident
	popularKept     = 8    // items whose buyers are counted
	cohortDoubt     = 10   // purchases at which a share counts half
)

// Recommender chooses among items: by their fit to whom they are for, by what
// similar customers bought, by the attributes the customer named, and by what is
// better. A score is the sum of its terms; nothing is drawn.
type Recommender struct{ Similar Similar }

// Name is "recommendation".
func (Recommender) Name() string { return RecommendationSource }

// Recorded is a recommender that counts what was counted then.
func (Recommender) Recorded(said []Answer, without []evidence.Ref) Source {
	var kept recorded
	for i := range said {
		r := said[i].Recommendation
		if r == nil {
			continue
		}
		for _, t := range r.Terms {
			for _, ref := range t.Evidence {
				if ref.Kind() != evidence.Cohort || slices.Contains(without, ref) {
					continue
				}
				id, _ := ref.ID()
				if q, ok := ParseQuestion(id); ok {
					kept = append(kept, q)
				}
			}
		}
	}
	return Recommender{kept}
}

// Propose recommends one item for each need that asks for it. Where the enquiry
// holds both a wish for a recommendation and the purchase decision about the same
// items, the recommendation answers the decision.
func (s Recommender) Propose(_ context.Context, r *Request) ([]Answer, error) {
	var answers []Answer
	for i := range r.Needs {
		n := &r.Needs[i]
		if n.Negated || !r.serves(RecommendationSource, n) {
			continue
		}
		if n.Sub() != "decide" && r.decidedElsewhere(n) {
			continue
		}
		if rec := s.recommend(r, n); rec != nil {
			answers = append(answers, Answer{Need: n.ID, Recommendation: rec})
		}
	}
	return answers, nil
}

func (r *Request) decidedElsewhere(n *need.Need) bool {
	for i := range r.Needs {
		o := &r.Needs[i]
		if o.ID != n.ID && o.Sub() == "decide" && !o.Negated && r.serves(RecommendationSource, o) && slices.Equal(r.focus(o), r.focus(n)) {
			return true
		}
	}
	return false
}

// contest is one choice: the things and the addends of their scores, each addend
// with one value a thing.
type contest struct {
	r       *Request
	similar Similar
	n       *need.Need
	o       occasion
	things  []thing
	words   map[string]float64 // coverage of a search by item, nil when the items are named
	addends []addend
	cohort  int // place of the cohort's addend, -1 for none
	fit     int // place of the fit's addend, -1 for none
	asked   Question
}

type addend struct {
	name   string
	values []float64
	proof  func(i int) []evidence.Ref
}

func (s Recommender) recommend(r *Request, n *need.Need) *Recommendation {
	c := &contest{r: r, similar: s.Similar, n: n, o: r.occasion(n), cohort: -1, fit: -1}
	if !c.enter() {
		return nil
	}
	c.weighFit()
	c.weighSimilar()
	c.weighAttributes()
	c.weighRest()
	order := c.order(nil)
	first := order[0]
	total := c.total(first)
	if len(order) > 1 && total == c.total(order[len(order)-1]) {
		return nil // nothing tells them apart
	}
	rec := &Recommendation{Item: c.things[first].item.Name(), Terms: c.terms(first)}
	rec.Named = c.labels(rec.Terms)
	for _, t := range rec.Terms {
		rec.Score += t.Value
	}
	over := order[1:]
	if len(over) > 3 && c.words != nil || len(over) > mostCompared {
		over = over[:3]
	}
	for _, i := range over {
		rec.Over = append(rec.Over, c.things[i].item.Name())
	}
	if c.cohort >= 0 && c.asked.Kind == "choice" {
		rec.Cohort = &Cohort{Ref: c.asked.Ref(), Similarity: "everyone", Compared: c.asked.Compared, Chose: c.asked.Counts[first]}
		if c.asked.Household > 0 {
			rec.Cohort.Similarity = "household"
		}
	}
	rec.Instead = c.instead(first)
	return rec
}

// enter makes the list of things: those in focus; when fewer than two are, the
// others of the category, or those that the customer's words describe.
func (c *contest) enter() bool {
	focus := c.r.focus(c.n)
	c.add(focus)
	if len(focus) < 2 {
		if c.o.inferred { // an assumption that no verdict shows decides nothing
			c.o.people, c.o.inferred = 0, false
		}
		c.widen(focus)
	}
	c.things = slices.DeleteFunc(c.things, c.ruledOut)
	return len(c.things) > 0
}

func (c *contest) add(items []*Item) {
	for _, it := range items {
		if !slices.ContainsFunc(c.things, func(t thing) bool { return t.item.ID == it.ID }) {
			c.things = append(c.things, thing{item: it, view: c.r.Catalogue})
		}
	}
}

func (c *contest) widen(focus []*Item) {
	var pool []*Item
	category := func(name string) {
		for _, it := range c.r.Catalogue.Category(name, widestSearch) {
			if it.VariantOf == "" && it.offered() {
				pool = append(pool, it)
			}
		}
	}
	described := c.n.Text
	for i := range c.n.Entities {
		e := &c.n.Entities[i]
		if e.Type != "category" {
			continue
		}
		if e.ID != "" {
			category(e.ID)
		} else {
			described = e.Text // a word of the language, no name of this shop
		}
	}
	for i := range c.n.Entities {
		if e := &c.n.Entities[i]; e.Type == "brand" && e.ID != "" {
			pool = c.ofBrand(pool, e.ID)
		}
	}
	if len(pool) == 0 && len(focus) == 1 && focus[0].Category != "" {
		category(focus[0].Category)
	}
	pool = c.foremost(pool)
	c.add(pool)
	if len(c.things) > 1 {
		return
	}
	for _, f := range c.r.Catalogue.Search(described, mostContestants) {
		if f.Coverage < fewestDescribed || !f.Item.offered() {
			continue
		}
		if c.words == nil {
			c.words = map[string]float64{}
		}
		c.words[f.Item.ID] = f.Coverage
		c.add([]*Item{f.Item})
	}
}

// ofBrand keeps the items of a brand; without a category, those that its name finds.
func (c *contest) ofBrand(pool []*Item, brand string) []*Item {
	if len(pool) == 0 {
		for _, f := range c.r.Catalogue.Search(brand, mostContestants) {
			if f.Item.offered() {
				pool = append(pool, f.Item)
			}
		}
	}
	return slices.DeleteFunc(pool, func(it *Item) bool { return brandOf(it) != brand })
}

// foremost keeps the most bought of a large category, the newest first among equals.
func (c *contest) foremost(pool []*Item) []*Item {
	if len(pool) <= mostContestants {
		return pool
	}
	type ranked struct {
		item   *Item
		buyers int
	}
	all := make([]ranked, len(pool))
	for i, it := range pool {
		all[i] = ranked{it, c.similar.Bought(it.ID)}
	}
	slices.SortStableFunc(all, func(a, b ranked) int {
		if a.buyers != b.buyers {
			return b.buyers - a.buyers
		}
		switch {
		case a.item.Revision > b.item.Revision:
			return -1
		case a.item.Revision < b.item.Revision:
			return 1
		}
		return 0
	})
	kept := make([]*Item, mostContestants)
	for i := range kept {
		kept[i] = all[i].item
	}
	return kept
}

// ruledOut tells that a thing may not be recommended: above or below the budget,
// holding what the customer cannot have, or a financial product above the
// customer's assessed risk level.
func (c *contest) ruledOut(t thing) bool {
	if p := t.lowest(); p != nil {
		if lo, hi, currency := c.budget(); (currency == "" || currency == p.Currency) && (hi > 0 && p.Amount > hi || lo > 0 && p.Amount < lo) {
			return true
		}
	}
	for _, w := range c.unwanted() {
		if holds, stated := holds(t.item, w); holds && stated {
			return true
		}
	}
	return entityType(t.item.Kind) == "fin_product" && !c.suitable(t.item)
}

// budget is what the enquiry allows, in minor units; 0 is an open end.
func (c *contest) budget() (lo, hi int64, currency string) {
	read := func(n *need.Need) bool {
		for i := range n.Entities {
			e := &n.Entities[i]
			if e.Type != "budget" {
				continue
			}
			f := fieldsOf(e.Value)
			lo, _ = whole(f["min"])
			hi, _ = whole(f["max"])
			if amount, ok := whole(f["amount"]); ok {
				hi = amount
			}
			if about, _ := f["about"].(bool); about { // 三百左右: up to a fifth more is meant too
				lo, hi = 0, hi+hi/5
			}
			currency, _ = f["currency"].(string)
			return true
		}
		return false
	}
	if read(c.n) {
		return lo, hi, currency
	}
	for i := range c.r.Needs {
		if c.r.Needs[i].ID != c.n.ID && read(&c.r.Needs[i]) {
			break
		}
	}
	return lo, hi, currency
}

// suitable tells whether a financial product's risk level is known and not above
// the customer's own assessed one.
func (c *contest) suitable(it *Item) bool {
	v, ok := it.Value("risk_level")
	if !ok || c.r.Person == nil {
		return false
	}
	own, ok := c.r.Person.Traits["risk_level"]
	if !ok {
		return false
	}
	product, known := level(v.Text)
	customer, assessed := level(own.Value)
	return known && assessed && product <= customer
}

// level reads "R3", "C4" or 3.
func level(v any) (int64, bool) {
	if s, ok := v.(string); ok {
		v = strings.TrimLeft(strings.TrimSpace(s), "RrCc")
	}
	return whole(v)
}

// unwanted are the things that the customer's constraints rule out: "不含花生",
// "no peanuts", "对牛奶过敏", "gluten-free".
func (c *contest) unwanted() []string {
	var all []string
	for i := range c.r.Needs {
		for _, words := range c.r.Needs[i].Constraints {
			all = append(all, refused(words)...)
		}
	}
	return all
}

var (
	refusals = []string{"不要含", "不能含", "不能有", "不能吃", "不要有", "不含", "不要", "不吃", "没有", "无", "别放", "别有", "must not contain", "does not contain", "without any", "without", "free of", "free from", "allergic to", "not contain", "no "}
	allergic = []string{"过敏", "不耐受", " allergy", " intolerance", "-free", " free"}
)

func refused(words string) (all []string) {
	words = plain.Plain(words)
	rest, found := "", false
	for _, r := range refusals {
		if i := strings.Index(words, r); i >= 0 && (r[0] >= 0x80 || i == 0 || words[i-1] == ' ') {
			rest, found = words[i+len(r):], true
			break
		}
	}
	if !found {
		for _, a := range allergic {
			if before, _, ok := strings.Cut(words, a); ok {
				rest, found = before, true
				break
			}
		}
	}
	if !found {
		return nil
	}
	for _, part := range strings.FieldsFunc(strings.NewReplacer(" and ", ",", " or ", ",", "和", ",", "或", ",", "及", ",").Replace(rest), func(r rune) bool {
		return r == ',' || r == '、' || r == '，' || r == '/' || r == '。' || r == ';'
	}) {
		part = strings.TrimSpace(part)
		for _, lead := range []string{"我对", "对", "我", "含", "有", "any ", "the ", "a "} {
			part = strings.TrimPrefix(part, lead)
		}
		for _, tail := range []string{"成分的", "成分", "的", "过敏", " in it", " please"} {
			part = strings.TrimSuffix(part, tail)
		}
		if len([]rune(part)) > 1 || part != "" && plain.Han([]rune(part)[0]) {
			all = append(all, part)
		}
	}
	return all
}

// contents are the attributes that say what an item holds.
var contents = []string{"ingredients", "ingredient", "allergens", "contains", "material", "materials", "成分", "配料", "过敏原", "材质", "含有"}

// holds tells whether an item holds something; stated is false when it does not
// say what it holds.
func holds(it *Item, what string) (yes, stated bool) {
	check := func(text string) {
		text = plain.Plain(text)
		for from := 0; ; {
			i := strings.Index(text[from:], what)
			if i < 0 {
				return
			}
			i += from
			from = i + len(what)
			before, after := strings.TrimRight(text[:i], " "), text[from:]
			if !strings.HasSuffix(before, "无") && !strings.HasSuffix(before, "不含") && !strings.HasSuffix(before, "零") && !strings.HasSuffix(before, "no") &&
				!strings.HasSuffix(before, "without") && !strings.HasSuffix(before, "free of") && !strings.HasPrefix(after, "-free") && !strings.HasPrefix(after, " free") {
				yes = true
			}
		}
	}
	for _, name := range contents {
		if v, ok := it.Value(name); ok {
			stated = true
			check(v.Text)
		}
	}
	for _, tag := range it.Tags {
		if check(tag); yes {
			stated = true
		}
	}
	return yes, stated
}

func (c *contest) weigh(name string, values []float64, proof func(i int) []evidence.Ref) int {
	c.addends = append(c.addends, addend{name, values, proof})
	return len(c.addends) - 1
}

func (c *contest) items() []*Item {
	items := make([]*Item, len(c.things))
	for i := range c.things {
		items[i] = c.things[i].item
	}
	return items
}

func (c *contest) own(i int) []evidence.Ref { return []evidence.Ref{c.things[i].item.Ref()} }

// fits are the fit's values for a number of people.
func (c *contest) fits(people int, measures []Attribute) []float64 {
	values := make([]float64, len(c.things))
	for i := range c.things {
		it := c.things[i].item
		verdict := Unknown
		if people > 0 {
			for _, a := range measures {
				verdict = worse(verdict, c.persons(it, a, people))
			}
		}
		switch verdict {
		case Fits:
			values[i] = weightFit
		case Tight:
			values[i] = weightFit / 4
		case Unfit:
			values[i] = -weightFit
		}
		made := it.madeFor()
		for _, p := range c.o.uses {
			if slices.Contains(made, p) {
				values[i] += weightPurpose
			}
		}
	}
	return values
}

func (c *contest) persons(it *Item, a Attribute, people int) Verdict {
	v, ok := it.Value(a.Name)
	if !ok {
		return Unknown
	}
	return judge(&v, &a, people)
}

func (c *contest) weighFit() {
	if c.o.people == 0 && len(c.o.uses) == 0 {
		return
	}
	values := c.fits(c.o.people, fittingAttributes(c.r.Catalogue, c.items()))
	if uniform(values) && values[0] == 0 {
		return
	}
	c.fit = c.weigh("fit", values, func(i int) []evidence.Ref { return evidenceOf(c.things[i].item, &c.o) })
}

func uniform(values []float64) bool {
	for _, v := range values {
		if v != values[0] {
			return false
		}
	}
	return true
}

// weighSimilar weighs what customers with a like household bought of these things
// after looking at all of them; when those are fewer than five, what everyone did;
// when those are too, how many bought each.
func (c *contest) weighSimilar() {
	if c.similar == nil {
		return
	}
	if n := len(c.things); n >= 2 && n <= mostCompared {
		if values, q, ok := c.chosen(c.o.people); ok {
			c.asked = q
			ref := []evidence.Ref{q.Ref()}
			c.cohort = c.weigh("similar_customers", values, func(int) []evidence.Ref { return ref })
			return
		}
	}
	c.weighPopular()
}

// chosen are the values of what similar customers chose: the share of purchases
// above an equal share, doubted while there are few.
func (c *contest) chosen(household int) (values []float64, q Question, ok bool) {
	ids := make([]string, len(c.things))
	for i := range c.things {
		ids[i] = c.things[i].item.ID
	}
	q = Question{Kind: "choice", Household: household, Items: ids}
	q.Compared, q.Counts = c.similar.Choice(ids, household)
	if q.Compared == 0 && household > 0 {
		q.Household = 0
		q.Compared, q.Counts = c.similar.Choice(ids, 0)
	}
	if q.Compared == 0 {
		return nil, q, false
	}
	bought := 0
	for _, n := range q.Counts {
		bought += n
	}
	values = make([]float64, len(ids))
	if bought == 0 {
		return values, q, true
	}
	k := float64(len(ids))
	trust := float64(bought) / float64(bought+cohortDoubt)
	for i, n := range q.Counts {
		share := float64(n+1) / (float64(bought) + k)
		values[i] = weightSimilar * trust * (share - 1/k)
	}
	return values, q, true
}

func (c *contest) weighPopular() {
	type bought struct{ at, buyers int }
	all := make([]bought, 0, len(c.things))
	for i := range c.things {
		if n := c.similar.Bought(c.things[i].item.ID); n > 0 {
			all = append(all, bought{i, n})
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(a, b bought) int { return b.buyers - a.buyers })
	if len(all) > popularKept {
		all = all[:popularKept]
	}
	q := Question{Kind: "bought"}
	values := make([]float64, len(c.things))
	for _, b := range all {
		q.Items, q.Counts = append(q.Items, c.things[b.at].item.ID), append(q.Counts, b.buyers)
		values[b.at] = weightPopular * math.Log1p(float64(b.buyers)) / math.Log1p(float64(all[0].buyers))
	}
	ref := []evidence.Ref{q.Ref()}
	c.cohort = c.weigh("popularity", values, func(int) []evidence.Ref { return ref })
	c.asked = q
}

// weighAttributes weighs each attribute that has a better direction: how far a
// thing stands from the mean of those that state it, as a share of the largest.
// What is not stated stands at the mean: it neither wins nor loses.
func (c *contest) weighAttributes() {
	asked := c.r.askedAttributes(c.n, c.items())
	for _, name := range attributesOf(c.things) {
		a := attributeOf(c.r.Catalogue, name)
		if a.Better == "" || a.Fits != "" {
			continue
		}
		weight := weightAttribute
		if slices.Contains(asked, name) {
			weight = weightAsked
		}
		values, stated := c.standing(&a, weight)
		if values == nil {
			continue
		}
		c.weigh("attribute:"+name, values, func(i int) []evidence.Ref {
			if len(stated) > mostCompared {
				return c.own(i)
			}
			refs := make([]evidence.Ref, 0, len(stated))
			for _, j := range stated {
				refs = append(refs, c.things[j].item.Ref())
			}
			return refs
		})
	}
}

// amount is a thing's value where its text is not needed.
func (t *thing) amount(name string) (Value, bool) {
	if name == PriceAttribute {
		return t.prices()
	}
	return t.value(name)
}

func (c *contest) standing(a *Attribute, weight float64) (values []float64, stated []int) {
	values = make([]float64, len(c.things))
	unit, sum := a.Unit, 0.0
	low, high := math.Inf(1), math.Inf(-1)
	for i := range c.things {
		v, ok := c.things[i].amount(a.Name)
		if !ok {
			continue
		}
		if !v.Numeric {
			return nil, nil
		}
		x := (v.Min + v.Max) / 2
		if v.Unit != "" {
			if unit == "" {
				unit = v.Unit
			}
			if x, ok = convert(x, v.Unit, unit); !ok {
				return nil, nil
			}
		}
		values[i] = x
		stated = append(stated, i)
		sum += x
		low, high = math.Min(low, x), math.Max(high, x)
	}
	if len(stated) < 2 || near(low, high) {
		return nil, nil
	}
	mean := sum / float64(len(stated))
	// By how much of itself it is better, not by how much of the span: 51 dB beside
	// 52 dB is hardly quieter.
	scale := weight / math.Max(math.Abs(low), math.Abs(high))
	if a.Better == "lower" {
		scale = -scale
	}
	for _, i := range stated {
		values[i] = scale * (values[i] - mean)
	}
	return values, stated
}

func (c *contest) weighRest() {
	if c.words != nil {
		values := make([]float64, len(c.things))
		for i := range c.things {
			values[i] = weightDescribed * c.words[c.things[i].item.ID]
		}
		c.weigh("described", values, c.own)
	}
	if slices.ContainsFunc(c.things, func(t thing) bool { return !t.item.offered() }) {
		values := make([]float64, len(c.things))
		for i := range c.things {
			if !c.things[i].item.offered() {
				values[i] = -weightUnavailable
			}
		}
		c.weigh("unavailable", values, c.own)
	}
	if unwanted := c.unwanted(); len(unwanted) > 0 {
		values := make([]float64, len(c.things))
		for i := range c.things {
			if _, stated := holds(c.things[i].item, unwanted[0]); !stated {
				values[i] = -weightUnstated
			}
		}
		c.weigh("contents_not_stated", values, c.own)
	}
}

// total is a thing's score: its addends, summed in their order.
func (c *contest) total(i int) float64 {
	sum := 0.0
	for k := range c.addends {
		sum += c.addends[k].values[i]
	}
	return sum
}

// order sorts the things by score; equal ones by id. other, when
// given, stands in for some of the addends by their place.
func (c *contest) order(other map[int][]float64) []int {
	scores := make([]float64, len(c.things))
	for i := range scores {
		for k := range c.addends {
			values := c.addends[k].values
			if o, ok := other[k]; ok {
				values = o
			}
			scores[i] += values[i]
		}
	}
	order := make([]int, len(c.things))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return strings.Compare(c.things[a].item.ID, c.things[b].item.ID)
	})
	return order
}

// labels are those of the attributes that speak for a thing, nil when none does.
func (c *contest) labels(terms []Term) map[string]Text {
	var named map[string]Text
	for i := range terms {
		name, ok := strings.CutPrefix(terms[i].Name, "attribute:")
		if !ok || terms[i].Value <= 0 {
			continue
		}
		if named == nil {
			named = map[string]Text{}
		}
		named[name] = attributeOf(c.r.Catalogue, name).Label
	}
	return named
}

// terms are the addends of one thing that are not zero.
func (c *contest) terms(i int) []Term {
	terms := make([]Term, 0, len(c.addends))
	for k := range c.addends {
		if v := c.addends[k].values[i]; v != 0 {
			terms = append(terms, Term{c.addends[k].name, v, c.addends[k].proof(i)})
		}
	}
	return terms
}

const mostPeople = 10

// instead is the nearest other number of people for which another thing would be
// recommended, counted again from the fit and from what such households chose.
func (c *contest) instead(first int) *Instead {
	if c.fit < 0 || c.o.people == 0 || len(c.things) < 2 || len(c.things) > mostCompared {
		return nil
	}
	measures := fittingAttributes(c.r.Catalogue, c.items())
	if len(measures) == 0 {
		return nil
	}
	for distance := 1; distance < mostPeople; distance++ {
		for _, people := range [2]int{c.o.people - distance, c.o.people + distance} {
			if people < 1 || people > mostPeople {
				continue
			}
			other := map[int][]float64{c.fit: c.fits(people, measures)}
			if c.order(other)[0] == first {
				continue
			}
			if c.cohort >= 0 && c.asked.Kind == "choice" {
				if values, _, ok := c.chosen(people); ok {
					other[c.cohort] = values
				}
			}
			best := c.order(other)[0]
			if best == first {
				continue
			}
			in := &Instead{Item: c.things[best].item.Name(), People: people}
			a, b := c.things[first].lowest(), c.things[best].lowest()
			if a != nil && b != nil && a.Currency == b.Currency && a.Amount > b.Amount {
				in.Saves = &Money{a.Amount - b.Amount, a.Currency}
			}
			return in
		}
	}
	return nil
}
