package decision

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/evidence"
)

// shelf lists what an action could put forward: the items of a kind, or those that
// belong to what the need is about.
func (b *binding) shelf(want *Putting) (all []putForward) {
	if len(want.Relations) == 0 {
		for _, item := range b.in.Catalogue.Kind(want.Kind, mostPut) {
			all = append(all, putForward{id: item.ID})
		}
		return all
	}
	about, proof := b.subjects()
	owned := b.owned()
	for _, to := range about {
		thing := b.item(to)
		if thing == nil {
			continue
		}
		for _, end := range []string{to, thing.Kind + ":" + to, thing.VariantOf} {
			if end == "" {
				continue
			}
			for _, r := range b.in.Catalogue.RelatedTo(end) {
				from := r.From[strings.IndexByte(r.From, ':')+1:]
				item := b.item(from)
				if item == nil || !slices.Contains(want.Relations, r.Type) || want.Kind != "" && item.Kind != want.Kind || slices.Contains(owned, from) {
					continue
				}
				if len(all) < mostPut && !slices.ContainsFunc(all, func(p putForward) bool { return p.id == from }) {
					all = append(all, putForward{id: from, to: to, toTitle: thing.Title, by: r.Type, refs: join([]evidence.Ref{r.Ref()}, proof)})
				}
			}
		}
	}
	return all
}

// subjects are the things a need is about, and the records that say so beside its
// words: what it names, else what is in the order it is about, else the device.
func (b *binding) subjects() (ids []string, proof []evidence.Ref) {
	for _, id := range b.named() {
		if b.item(id) != nil {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		return ids, b.need.Evidence
	}
	if b.need != nil && strings.HasPrefix(b.need.Intent, "support.") {
		if d := b.device(); d != nil && b.item(d.product) != nil {
			return []string{d.product}, d.cite("product_id")
		}
	}
	if o := b.order(); o != nil {
		for _, l := range linesOf(o, "lines", "products") {
			if id, _ := l["product_id"].(string); id != "" {
				ids = append(ids, id)
			}
		}
		return ids, []evidence.Ref{o.Ref()}
	}
	return nil, nil
}

// owned are the products that the person has, or has on order.
func (b *binding) owned() (ids []string) {
	for _, o := range b.person.Records[evidence.Order] {
		for _, l := range linesOf(o, "lines", "products") {
			if id, _ := l["product_id"].(string); id != "" && !gone(o) {
				ids = append(ids, id)
			}
		}
	}
	for _, a := range b.person.Records[evidence.Asset] {
		ids = append(ids, a.Text("product_id"))
	}
	return ids
}

// publicOffer is a public promotion in force for what the need is about, else for the
// whole shop; nil when there is none with the tag that is asked for. It is put the same
// to everybody: only whether it is mentioned may depend on the person.
func (b *binding) publicOffer(want *Putting) *putForward {
	about, proof := b.named(), []evidence.Ref{}
	if len(about) == 0 {
		about = []string{""}
	} else {
		proof = b.need.Evidence
	}
	for _, id := range about {
		item := b.item(id)
		for _, o := range b.in.Catalogue.Offers(item, b.now) {
			if want.Tagged != "" && !slices.Contains(o.Tags, want.Tagged) {
				continue
			}
			p := &putForward{id: o.ID, title: o.Title, refs: []evidence.Ref{o.Ref}}
			if item != nil {
				p.to, p.toTitle, p.refs = id, item.Title, join(p.refs, proof)
			}
			if o.Until != nil {
				p.until = *o.Until
			}
			return p
		}
	}
	return nil
}

// promoted are the orders that used a public promotion, newest first: those that name
// a promotion or a coupon.
func (b *binding) promoted() (refs []evidence.Ref) {
	for _, o := range sorted(b.person.Records[evidence.Order]) {
		if !gone(o) && (o.Text("promotion_id") != "" || o.Text("promotion") != "" || o.Text("coupon") != "") {
			refs = append(refs, o.Ref())
		}
	}
	return refs
}

// promotedFact counts them; how somebody buys is behaviour, unknown with
// personalisation off.
func (b *binding) promotedFact(name string) (any, bool) {
	if !b.in.Personal {
		return nil, false
	}
	n := int64(len(b.promoted()))
	if name == "promoted" {
		return n, true
	}
	var all int64
	for _, o := range b.person.Records[evidence.Order] {
		if !gone(o) {
			all++
		}
	}
	if all == 0 {
		return nil, false
	}
	return 100 * n / all, true
}

// firstEvent is the event with which the person became known, when it is still kept.
func (b *binding) firstEvent() []evidence.Ref {
	var first []string
	for _, list := range b.person.History {
		if len(list) > 0 && list[0].Time.Equal(b.person.First) {
			first = append(first, list[0].ID.String())
		}
	}
	if len(first) == 0 {
		return nil
	}
	return []evidence.Ref{evidence.Ref(slices.Min(first))}
}
