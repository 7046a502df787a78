package candidate

import (
	"github.com/rapport-cx/rapport/need"
)

// The attributes that every item has: they are compared and asked for like those
// that a workspace defines.
const (
	PriceAttribute    = "price"
	WarrantyAttribute = "warranty"
)

// common are those attributes by name; a workspace or pack may define them anew.
var common = map[string]*Attribute{
	PriceAttribute:    {Name: PriceAttribute, Label: Text{Zh: "价格", En: "Price"}, Better: "lower"},
	WarrantyAttribute: {Name: WarrantyAttribute, Label: Text{Zh: "保修", En: "Warranty"}, Unit: "months", Better: "higher"},
}

// everywhere are the names that every catalogue knows: the common attributes, and
// the words for "all of them", an attribute without an id.
var everywhere = func() *names {
	t := &names{}
	for word, id := range map[string]string{
		"价格": PriceAttribute, "售价": PriceAttribute, "price": PriceAttribute,
		"保修": WarrantyAttribute, "质保": WarrantyAttribute, "保修期": WarrantyAttribute, "质保期": WarrantyAttribute, "warranty": WarrantyAttribute,
		"功能": "", "参数": "", "配置": "", "规格": "", "性能": "", "特点": "", "技术参数": "",
		"feature": "", "function": "", "spec": "", "specification": "", "parameter": "",
	} {
		t.add(word, use{"attribute", id, asAttribute, 0, forever})
	}
	return t
}()

// Attributes are the attributes that a strategy's packs bring, made ready once
// when it is published.
type Attributes struct {
	byName map[string]*Attribute
	names  names
}

// NewAttributes makes them ready; a later one of the same name wins.
func NewAttributes(all []Attribute) *Attributes {
	set := &Attributes{byName: make(map[string]*Attribute, len(all))}
	for _, a := range all {
		set.byName[a.Name] = &a
	}
	for _, a := range all {
		for _, s := range set.byName[a.Name].spokenNames() {
			set.names.end(s.word, "attribute", a.Name, 0)
			set.names.add(s.word, use{"attribute", a.Name, s.rank, 0, forever})
		}
	}
	return set
}

// Over lays them under a view: what the workspace itself defines goes before.
func (set *Attributes) Over(v View) View {
	if set == nil || len(set.byName) == 0 {
		return v
	}
	return &labelled{v, set}
}

type labelled struct {
	View
	set *Attributes
}

func (l *labelled) Attribute(name string) (*Attribute, bool) {
	own, ok := l.View.Attribute(name)
	if ok && own != common[name] {
		return own, true
	}
	if a, brought := l.set.byName[name]; brought {
		return a, true
	}
	return own, ok
}

// Titles are what an item is called in any language, and the kind that it is of.
func (l *labelled) Titles(id string) []string { return titlesIn(l.View, id) }

func (l *labelled) Find(given []rune) []need.Entity {
	shelf, ok := l.View.(*view)
	if !ok {
		return l.View.Find(given)
	}
	shelf.c.mu.RLock()
	defer shelf.c.mu.RUnlock()
	return shelf.find(given, &l.set.names)
}

// attributeOf is what a view knows of an attribute; one that nobody defined shows
// its own name.
func attributeOf(v View, name string) Attribute {
	if a, ok := v.Attribute(name); ok {
		out := *a
		if out.Label == (Text{}) {
			out.Label = Text{Zh: name, En: name}
		}
		return out
	}
	return Attribute{Name: name, Label: Text{Zh: name, En: name}}
}
