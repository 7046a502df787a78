package candidate

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	plain "github.com/rapport-cx/rapport/need/text"
)

// The names of the sources of this room.
const (
	ComparisonSource     = "comparison"
	FitSource            = "fit"
	RecommendationSource = "recommendation"
	FactsSource          = "facts"
	StatusSource         = "status"
	KnowledgeSource      = "knowledge"
)

// UsualSources says who answers an intent when the strategy does not; "" is for all others.
var UsualSources = map[string][]string{
	"presale.compare":           {ComparisonSource, FitSource},
	"presale.recommend":         {ComparisonSource, FitSource, RecommendationSource},
	"presale.product_info":      {FactsSource, FitSource, KnowledgeSource},
	"presale.price_promo":       {FactsSource, KnowledgeSource},
	"presale.stock":             {FactsSource},
	"order.place":               {FactsSource},
	"order.modify":              {StatusSource, KnowledgeSource},
	"order.cancel":              {StatusSource, KnowledgeSource},
	"order.status":              {StatusSource},
	"logistics.track":           {StatusSource},
	"logistics.problem":         {StatusSource, KnowledgeSource},
	"aftersale.return_refund":   {StatusSource, KnowledgeSource},
	"aftersale.exchange":        {StatusSource, KnowledgeSource},
	"aftersale.repair":          {StatusSource, KnowledgeSource},
	"aftersale.refund_progress": {StatusSource, KnowledgeSource},
	"account.query":             {StatusSource, KnowledgeSource},
	"payment.issue":             {StatusSource, KnowledgeSource},
	"finance.advice":            {StatusSource, KnowledgeSource},
	"feedback.complaint":        {StatusSource},
	"service.human":             {},
	"":                          {KnowledgeSource},
}

// serves tells whether a source is asked about a need.
func (r *Request) serves(source string, n *need.Need) bool {
	if n.Status == need.Clarify || n.Outside {
		return false
	}
	if r.Plan != nil && len(r.Plan.Sources) > 0 {
		if names, ok := r.Plan.Sources[n.Intent]; ok {
			return slices.Contains(names, source)
		}
		if names := r.Plan.Sources[""]; len(names) > 0 {
			return slices.Contains(names, source)
		}
	}
	names, ok := UsualSources[n.Intent]
	if !ok {
		names = UsualSources[""]
	}
	return slices.Contains(names, source)
}

// named are the items that a need names itself, each once, in the order of the text.
func (r *Request) named(n *need.Need) []*Item {
	var items []*Item
	add := func(id string) {
		if id == "" || slices.ContainsFunc(items, func(it *Item) bool { return it.ID == id }) {
			return
		}
		if it, ok := r.Catalogue.Item(id); ok {
			items = append(items, it)
		}
	}
	for i := range n.Entities {
		switch n.Entities[i].Type {
		case "category", "brand", "attribute", "order_id":
		default:
			add(n.Entities[i].ID)
		}
	}
	if len(items) == 0 {
		for _, id := range n.RefersTo {
			add(bare(id))
		}
	}
	return items
}

// justLooked is how long a page that the customer looked at is still what "it" means.
const justLooked = 30 * time.Minute

// focus are the items that a need is about: those it names, else those it points
// back to, else those of the nearest other need of the enquiry, the one before it
// first. A comparison takes in its neighbour's items when it names only one.
func (r *Request) focus(n *need.Need) []*Item {
	items := r.named(n)
	if len(items) > 1 || len(items) == 1 && n.Intent != "presale.compare" {
		return items
	}
	if r.ownWords(n) {
		return items
	}
	at := slices.IndexFunc(r.Needs, func(o need.Need) bool { return o.ID == n.ID })
	for distance := 1; distance < len(r.Needs); distance++ {
		for _, i := range [2]int{at - distance, at + distance} {
			if i < 0 || i >= len(r.Needs) || r.Needs[i].Negated {
				continue
			}
			for _, it := range r.named(&r.Needs[i]) {
				if !slices.ContainsFunc(items, func(o *Item) bool { return o.ID == it.ID }) {
					items = append(items, it)
				}
			}
			if len(items) > 0 {
				return items
			}
		}
	}
	if len(items) == 0 && pointsAtSeveral(n) {
		return r.viewed(several(n))
	}
	return items
}

// pointsAtSeveral tells whether a need speaks of things that are at hand and names
// none: "这两款", "which of these two".
func pointsAtSeveral(n *need.Need) bool { return several(n) > 0 }

// several is how many things a need points at, 0 for none.
func several(n *need.Need) int {
	said := plain.Plain(n.Text)
	for _, p := range [...]struct {
		words string
		many  int
	}{{"这两", 2}, {"那两", 2}, {"这俩", 2}, {"两款", 2}, {"两个", 2}, {"两台", 2}, {"these two", 2}, {"those two", 2}, {"the two", 2}, {"both", 2},
		{"这三", 3}, {"那三", 3}, {"these three", 3}, {"the three", 3}, {"这几", 4}, {"那几", 4}, {"these", 4}, {"of them", 4}} {
		if strings.Contains(said, p.words) {
			return p.many
		}
	}
	return 0
}

// viewed are the newest items that the customer looked at a moment ago, in the order
// in which they came, at most so many.
func (r *Request) viewed(most int) []*Item {
	items := r.seen(most, justLooked)
	slices.Reverse(items)
	return items
}

// seen are the items that the customer looked at within a time, the newest first,
// each once, at most so many.
func (r *Request) seen(most int, within time.Duration) (items []*Item) {
	if r.Person == nil {
		return nil
	}
	seen := r.Person.History["Product Viewed"]
	for i := len(seen) - 1; i >= 0 && len(items) < most; i-- {
		if age := r.Scene.Time.Sub(seen[i].Time); age < 0 || age > within {
			continue
		}
		id, _ := seen[i].Properties()["product_id"].(string)
		if it, ok := r.Catalogue.Item(id); ok && !slices.ContainsFunc(items, func(o *Item) bool { return o.ID == it.ID }) {
			items = append(items, it)
		}
	}
	return items
}

// ownWords tells that a need names a category of its own, and therefore does not
// speak of what the other needs name.
func (r *Request) ownWords(n *need.Need) bool {
	return slices.ContainsFunc(n.Entities, func(e need.Entity) bool { return e.Type == "category" && e.ID != "" })
}

// lookedAt is the item on whose page the customer was a moment ago.
func (r *Request) lookedAt() (*Item, bool) {
	if r.Person == nil {
		return nil, false
	}
	seen := r.Person.History["Product Viewed"]
	for i := len(seen) - 1; i >= 0; i-- {
		e := seen[i]
		if age := r.Scene.Time.Sub(e.Time); age < 0 || age > justLooked {
			continue
		}
		if id, _ := e.Properties()["product_id"].(string); id != "" {
			return r.Catalogue.Item(id)
		}
	}
	return nil, false
}

// fieldsOf reads the value that a grammar gave to an entity, whatever its Go type.
func fieldsOf(value any) map[string]any {
	switch v := value.(type) {
	case nil, string, bool, float64, int:
		return nil
	case map[string]any:
		return v
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

func whole(v any) (int64, bool) {
	switch x := v.(type) {
	case float64:
		return int64(x), x == float64(int64(x))
	case int:
		return int64(x), true
	case int64:
		return x, true
	case json.Number:
		n, err := x.Int64()
		return n, err == nil
	case string:
		if value := readText(x); value.Numeric && value.Min == value.Max {
			return int64(value.Min), value.Min == float64(int64(value.Min))
		}
	}
	return 0, false
}

// assumedFamily is for how many a thing "for the family" is when nobody said: the
// average household, rounded. It is always marked as inferred and asked.
const assumedFamily = 3

// occasion is whom and what a recommendation is for.
type occasion struct {
	people   int // 0: unknown
	inferred bool
	basis    evidence.Ref
	uses     []*purpose // scenes and persons, in the order of the list
	source   map[*purpose]evidence.Ref
	spoken   bool // the need's own words say some of it
}

// occasion reads it from the need's words, else from the other needs of the
// enquiry, else from what is known of the customer.
func (r *Request) occasion(n *need.Need) occasion {
	var o occasion
	o.people = headcount(n)
	o.uses = purposesIn(n.Text)
	o.spoken = o.people > 0 || len(o.uses) > 0
	for i := range r.Needs {
		other := &r.Needs[i]
		if other.ID == n.ID {
			continue
		}
		if o.people == 0 {
			o.people = headcount(other)
		}
		for _, p := range purposesIn(other.Text) {
			if !slices.Contains(o.uses, p) {
				o.uses = append(o.uses, p)
			}
		}
	}
	if r.Person != nil {
		if o.people == 0 {
			o.people, o.basis = r.household()
		}
		if t, ok := r.Person.Traits["tags"]; ok {
			o.fromTags(t.Value, t.Evidence, r.Person.Preferences.BlockedTags)
		}
	}
	if o.people == 0 && !slices.Contains(r.Denied, "household_size") && slices.ContainsFunc(o.uses, func(p *purpose) bool { return p.id == "family" }) {
		o.people, o.inferred = assumedFamily, true
	}
	return o
}

func (o *occasion) fromTags(value any, proof evidence.Ref, blocked []string) {
	tags, _ := value.([]any)
	for _, t := range tags {
		tag, _ := t.(string)
		if tag == "" || slices.Contains(blocked, tag) {
			continue
		}
		for _, p := range purposesIn(strings.ReplaceAll(tag, "_", " ")) {
			if slices.Contains(o.uses, p) {
				continue
			}
			o.uses = append(o.uses, p)
			if o.source == nil {
				o.source = map[*purpose]evidence.Ref{}
			}
			o.source[p] = proof
		}
	}
}

// headcount is how many people a need's entities count, 0 for none.
func headcount(n *need.Need) int {
	for i := range n.Entities {
		e := &n.Entities[i]
		if e.Type != "scene" && e.Type != "person" && e.Type != "household" || e.Value == nil {
			continue
		}
		if c, ok := whole(fieldsOf(e.Value)["count"]); ok && c > 0 && c < 100 {
			return int(c)
		}
	}
	return 0
}

// household is the number of people at home as the customer's traits state it.
func (r *Request) household() (people int, basis evidence.Ref) {
	if t, ok := r.Person.Traits["household_size"]; ok {
		if n, ok := whole(t.Value); ok && n > 0 && n < 100 {
			return int(n), t.Evidence
		}
	}
	if t, ok := r.Person.Traits["household"]; ok {
		if members, ok := t.Value.([]any); ok && len(members) > 0 && len(members) < 100 {
			n := len(members) + 1
			for _, m := range members {
				if f, _ := m.(map[string]any); f["relation"] == "self" {
					n--
					break
				}
			}
			return n, t.Evidence
		}
	}
	return 0, ""
}

// purpose is a scene or a kind of person that things are made for.
type purpose struct {
	id    string
	label Text
}

// purposes are those that items' tags, customers' tags and sentences are matched
// through: the words of one line mean the same.
var purposes, purposeWords = func() (all []*purpose, t *names) {
	t = &names{}
	for _, line := range []struct {
		id    string
		label Text
		words string
	}{
		{"family", Text{"家庭", "family"}, "家庭|家用|全家|一家人|家里用|一家|居家|family|families|home use|at home|household|for the home"},
		{"single", Text{"一个人", "one person"}, "单人|一个人用|独居|一人食|单身|single|alone|one person|living alone"},
		{"elderly", Text{"老人", "older people"}, "老人|老年人|长辈|爸妈|父母|爷爷|奶奶|外公|外婆|姥姥|姥爷|elderly|senior|parents|grandparents|grandma|grandpa|grandmother|grandfather"},
		{"children", Text{"孩子", "children"}, "孩子|小孩|儿童|宝宝|婴儿|娃|小朋友|kid|child|children|baby|toddler"},
		{"pets", Text{"宠物", "pets"}, "宠物|养猫|养狗|猫咪|狗狗|猫毛|pet|cat|dog|pet hair"},
		{"small_flat", Text{"小户型", "small flat"}, "小户型|小房子|公寓|出租屋|租房|小厨房|small flat|small apartment|studio flat|small home|small kitchen"},
		{"dormitory", Text{"宿舍", "dormitory"}, "宿舍|寝室|dorm|dormitory"},
		{"office", Text{"办公", "office"}, "办公|办公室|工位|office|work desk|working from home|home office"},
		{"student", Text{"学生", "students"}, "学生|上学|网课|student|school"},
		{"travel", Text{"出行", "travel"}, "出差|旅行|旅游|便携|travel|business trip|trip|portable"},
		{"outdoor", Text{"户外", "outdoors"}, "户外|露营|outdoor|camping|hiking"},
		{"gift", Text{"送礼", "gift"}, "送礼|送人|礼物|gift|present"},
		{"gaming", Text{"游戏", "gaming"}, "游戏|打游戏|电竞|gaming|games"},
		{"beginner", Text{"新手", "beginners"}, "新手|入门|初学者|零基础|beginner|starter"},
	} {
		p := &purpose{line.id, line.label}
		all = append(all, p)
		for _, w := range append(strings.Split(line.words, "|"), line.id) {
			t.end(canonical(w), "purpose", line.id, 0)
			t.add(canonical(w), use{"purpose", line.id, byID, 0, forever})
		}
	}
	return all, t
}()

func purposesIn(sentence string) []*purpose {
	if sentence == "" {
		return nil
	}
	var buffer [64]rune
	runes := buffer[:0]
	for _, c := range sentence {
		if c = plain.Fold(c); c >= 0 {
			runes = append(runes, c)
		}
	}
	var found []*purpose
	for _, e := range findIn(runes, 1, nil, purposeWords) {
		for _, p := range purposes {
			if p.id == e.ID && !slices.Contains(found, p) {
				found = append(found, p)
			}
		}
	}
	return found
}

// madeFor are the purposes that an item's tags state.
func (it *Item) madeFor() []*purpose {
	if it.purposed {
		return it.purposes
	}
	return purposesOf(it.Tags)
}

func purposesOf(tags []string) []*purpose {
	var all []*purpose
	for _, tag := range tags {
		for _, p := range purposesIn(strings.ReplaceAll(tag, "_", " ")) {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}
