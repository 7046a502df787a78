package decision

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
)

// device is one unit the customer has: a registered asset, or a product that is
// known from an order alone. At least one of asset and order is set.
type device struct {
	asset   *profile.Record
	order   *profile.Record // where it was bought, nil when unknown
	item    *candidate.Item // nil when the catalogue does not have it
	product string
	named   bool // the customer said which
}

func (d *device) id() string {
	if d.asset != nil {
		return d.asset.ID
	}
	return d.product
}

// all lists the customer's devices: assets, newest first, then products of orders
// that no asset covers. Cancelled and refunded orders leave no device.
func (m *moment) all() []device {
	if m.listed {
		return m.devices
	}
	m.listed = true
	for _, a := range sorted(m.person.Records[evidence.Asset]) {
		product := a.Text("product_id")
		m.devices = append(m.devices, device{asset: a, product: product, item: m.item(product), order: m.orderOf(product)})
	}
	for _, o := range sorted(m.person.Records[evidence.Order]) {
		if gone(o) {
			continue
		}
		for _, product := range products(o) {
			item := m.item(product)
			if item == nil || m.warranty(item) == 0 || slices.ContainsFunc(m.devices, func(d device) bool { return d.product == product }) {
				continue
			}
			m.devices = append(m.devices, device{order: o, product: product, item: item})
		}
	}
	return m.devices
}

func (m *moment) orderOf(product string) *profile.Record {
	if product == "" {
		return nil
	}
	for _, o := range sorted(m.person.Records[evidence.Order]) {
		if !gone(o) && slices.Contains(products(o), product) {
			return o
		}
	}
	return nil
}

// products lists the product ids of an order's lines.
func products(o *profile.Record) []string {
	var ids []string
	for _, field := range []string{"lines", "products"} {
		lines, _ := o.Fields[field].([]any)
		for _, l := range lines {
			line, _ := l.(map[string]any)
			if id, _ := line["product_id"].(string); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if id := o.Text("product_id"); id != "" && !slices.Contains(ids, id) {
		ids = append(ids, id)
	}
	return ids
}

// warranty is an item's term in months; a variant has its product's.
func (m *moment) warranty(item *candidate.Item) int {
	for range 4 {
		if item == nil {
			return 0
		}
		if item.Warranty != nil {
			return item.Warranty.Months
		}
		item = m.item(item.VariantOf)
	}
	return 0
}

// named lists what devices or products the need names or points back to.
func (b *binding) named() []string {
	if b.need == nil {
		return nil
	}
	var ids []string
	for i := range b.need.Entities {
		switch e := &b.need.Entities[i]; e.Type {
		case "product", "asset", "device", "serial":
			if e.ID != "" {
				ids = append(ids, e.ID)
			}
		}
	}
	for _, r := range b.need.RefersTo {
		kind, id := b.pointed(r)
		if kind == evidence.Asset || kind == evidence.Item {
			ids = append(ids, id)
		}
	}
	return ids
}

// pointed tells what a need points back to: a ref, or the bare id of an order, case
// or asset of the person; any other id is an item's.
func (m *moment) pointed(to string) (kind evidence.Kind, id string) {
	for _, kind := range []evidence.Kind{evidence.Order, evidence.Case, evidence.Asset} {
		if m.person.Records[kind][to] != nil {
			return kind, to
		}
	}
	switch kind := evidence.Ref(to).Kind(); kind {
	case "":
		return evidence.Item, to
	case "product":
		kind = evidence.Item
		fallthrough
	default:
		id, _ := evidence.Ref(to).ID()
		return kind, id
	}
}

// device is the unit this candidate is about: that of the group, else the one the
// need names, else the only one there is. Nil when it cannot be told.
func (b *binding) device() *device {
	if b.devFound {
		return b.dev
	}
	b.devFound = true
	if b.need != nil && b.need.Unowned {
		return nil
	}
	all := b.all()
	pick := func(ids ...string) *device {
		for _, id := range ids {
			if id == "" {
				continue
			}
			for i := range all {
				if d := &all[i]; d.asset != nil && (d.asset.ID == id || d.asset.Text("serial") == id) {
					return d
				}
			}
		}
		for _, id := range ids {
			if id == "" {
				continue
			}
			for i := range all {
				if d := &all[i]; d.product == id || d.item != nil && d.item.VariantOf == id {
					return d
				}
			}
		}
		return nil
	}
	if b.group != nil {
		g := b.group.Group
		if id := cmp.Or(g["asset_id"], g["device"]); id != "" || g["product_id"] != "" {
			if b.dev = pick(g["asset_id"], g["device"]); b.dev == nil && g["asset_id"] == "" {
				b.dev = pick(g["product_id"])
			}
			if b.dev == nil {
				// A unit nobody registered and nobody bought here is still the
				// unit that was reported; its warranty is unknown.
				product := cmp.Or(g["product_id"], g["device"])
				b.dev = &device{product: product, item: b.item(product), order: b.orderOf(product)}
			}
			return b.dev
		}
	}
	if named := b.named(); len(named) > 0 {
		if d := pick(named...); d != nil {
			found := *d
			found.named = true
			b.dev = &found
		}
		return b.dev
	}
	if len(all) == 1 {
		b.dev = &all[0]
	}
	return b.dev
}

// until is the end of the warranty and the records that tell it: the asset's own
// date, else its purchase (or the order's delivery) and the item's term.
func (b *binding) until(d *device) (end time.Time, ok bool) {
	if !b.endFound {
		b.end, b.endKnown = b.computeUntil(d)
		b.endFound = true
	}
	return b.end, b.endKnown
}

func (b *binding) computeUntil(d *device) (end time.Time, ok bool) {
	if d.asset != nil {
		if t, ok := b.endOf(d.asset, "warranty_until"); ok {
			return t, true
		}
	}
	months := b.warranty(d.item)
	from, ok := b.boughtAt(d)
	if !ok || months == 0 {
		return end, false
	}
	return from.AddDate(0, months, 0), true
}

// endOf reads a time field; a bare date ends with its day in the customer's zone.
func (m *moment) endOf(r *profile.Record, field string) (time.Time, bool) {
	s := r.Text(field)
	if len(s) == len("2006-01-02") {
		if t, err := time.ParseInLocation("2006-01-02", s, m.zone()); err == nil {
			return t.AddDate(0, 0, 1), true
		}
		return time.Time{}, false
	}
	return r.Time(field)
}

// boughtAt is when the unit was bought; an order counts from its delivery when
// that is known, for the term begins when the customer has it.
func (b *binding) boughtAt(d *device) (time.Time, bool) {
	if d.asset != nil {
		if t, ok := d.asset.Time("bought_at"); ok {
			return t, true
		}
	}
	if d.order == nil {
		return time.Time{}, false
	}
	if t, ok := d.order.Time("delivered_at"); ok {
		return t, true
	}
	if t, ok := d.order.Time("ordered_at"); ok {
		return t, true
	}
	return d.order.CreatedAt, !d.order.CreatedAt.IsZero()
}

func (b *binding) deviceFact(name string) (any, bool) {
	d := b.device()
	if d == nil {
		return nil, false
	}
	switch name {
	case "named":
		return d.named, true
	case "asset_id":
		if d.asset != nil {
			return d.asset.ID, true
		}
	case "serial":
		if d.asset != nil {
			return text(cmp.Or(d.asset.Text("serial"), d.asset.ID))
		}
	case "state":
		if d.asset != nil {
			return text(d.asset.Text("state"))
		}
	case "product_id":
		return text(d.product)
	case "category":
		if d.item != nil {
			return text(d.item.Category)
		}
	case "under_warranty":
		if end, ok := b.until(d); ok {
			return b.now.Before(end), true
		}
	case "warranty_until":
		if end, ok := b.until(d); ok {
			return end, true
		}
	case "warranty_days":
		if end, ok := b.until(d); ok {
			return max(days(end.Sub(b.now)), 0), true
		}
	case "bought_at":
		if t, ok := b.boughtAt(d); ok {
			return t, true
		}
	case "age_days":
		if t, ok := b.boughtAt(d); ok {
			return days(b.now.Sub(t)), true
		}
	case "age_months":
		if t, ok := b.boughtAt(d); ok {
			return monthsBetween(t, b.now), true
		}
	}
	return nil, false
}

// cite names the records of a device's fact: what the asset states itself needs
// no other; what is counted from the purchase needs the order and the item's term.
func (d *device) cite(fact string) []evidence.Ref {
	var refs []evidence.Ref
	if d.asset != nil {
		refs = append(refs, d.asset.Ref())
	}
	fromAsset := d.asset != nil
	switch fact {
	case "under_warranty", "warranty_until", "warranty_days":
		if fromAsset && d.asset.Text("warranty_until") != "" {
			return refs
		}
		if d.order != nil && (!fromAsset || d.asset.Text("bought_at") == "") {
			refs = append(refs, d.order.Ref())
		}
		if d.item != nil {
			refs = append(refs, evidence.Make(evidence.Item, d.item.ID, d.item.Revision))
		}
	case "bought_at", "age_days", "age_months":
		if d.order != nil && (!fromAsset || d.asset.Text("bought_at") == "") {
			refs = append(refs, d.order.Ref())
		}
	default:
		if !fromAsset && d.order != nil {
			refs = append(refs, d.order.Ref())
		}
	}
	return refs
}

// order is the order this candidate is about: that of the group, the one named, the
// newest with a named product, else the newest one. Nil when what is talked of stands
// in none of them: it was bought elsewhere, or by somebody else.
func (b *binding) order() *profile.Record {
	if b.ordFound {
		return b.ord
	}
	b.ordFound = true
	if b.need != nil && b.need.Unowned {
		return nil
	}
	orders := b.person.Records[evidence.Order]
	if len(orders) == 0 {
		return nil
	}
	if id := b.namedRecord(evidence.Order, "order_id"); id != "" {
		b.ord = orders[id] // a number that is none of this person's stays unknown
		return b.ord
	}
	all, named := sorted(orders), b.named()
	if len(named) == 0 {
		b.ord = b.latest(all)
		return b.ord
	}
	for _, id := range named {
		if i := slices.IndexFunc(all, func(o *profile.Record) bool { return b.holds(o, id) }); i >= 0 {
			b.ord = all[i]
			return b.ord
		}
	}
	if d := b.device(); d != nil && d.named {
		b.ord = d.order
	}
	if b.ord == nil && !b.talkedOf(named) {
		b.ord = b.latest(all)
	}
	return b.ord
}

// latest is the newest of a person's orders; of who wants something taken back, the
// newest that has arrived.
func (b *binding) latest(orders []*profile.Record) *profile.Record {
	if b.need != nil && candidate.SendsBack(b.need.Intent) {
		if i := slices.IndexFunc(orders, candidate.Arrived); i >= 0 {
			return orders[i]
		}
	}
	return orders[0]
}

// talkedOf tells whether something that somebody wants taken back or mended is one of
// these: the need names it, or another need points to it, too. What a need alone points
// back to may be a guess, and a parcel is rarely about the thing that was talked of.
func (b *binding) talkedOf(ids []string) bool {
	if !strings.HasPrefix(b.need.Intent, "aftersale.") {
		return false
	}
	points := func(n *need.Need, id string) bool {
		return slices.Contains(n.RefersTo, id) || slices.ContainsFunc(n.Entities, func(e need.Entity) bool { return e.ID == id })
	}
	return slices.ContainsFunc(ids, func(id string) bool {
		return slices.ContainsFunc(b.need.Entities, func(e need.Entity) bool { return e.ID == id }) ||
			slices.ContainsFunc(b.in.Needs, func(n need.Need) bool {
				return n.ID != b.need.ID && n.Origin == need.Spoken && !n.Negated && points(&n, id)
			})
	})
}

// holds tells whether a product, or a variant of it, stands in an order.
func (m *moment) holds(o *profile.Record, product string) bool {
	return slices.ContainsFunc(products(o), func(id string) bool {
		it := m.item(id)
		return id == product || it != nil && it.VariantOf == product
	})
}

func (b *binding) namedRecord(kind evidence.Kind, entity string) string {
	if b.group != nil && b.group.Group[entity] != "" {
		return b.group.Group[entity]
	}
	if b.need == nil {
		return ""
	}
	for i := range b.need.Entities {
		if e := &b.need.Entities[i]; e.Type == entity {
			return cmp.Or(e.ID, e.Text)
		}
	}
	for _, r := range b.need.RefersTo {
		if k, id := b.pointed(r); k == kind {
			return id
		}
	}
	return ""
}

func (b *binding) orderFact(name string) (any, bool) {
	o := b.order()
	if o == nil {
		return nil, false
	}
	switch name {
	case "id":
		return o.ID, true
	case "named":
		return b.namedRecord(evidence.Order, "order_id") != "", true
	case "status":
		return text(o.Text("status"))
	case "created_at":
		return o.CreatedAt, !o.CreatedAt.IsZero()
	case "age_days":
		return days(b.now.Sub(o.CreatedAt)), !o.CreatedAt.IsZero()
	case "delivered":
		return candidate.Arrived(o), true
	case "delivered_at":
		t, ok := o.Time("delivered_at")
		return t, ok
	case "delivered_days":
		t, ok := o.Time("delivered_at")
		return days(b.now.Sub(t)), ok
	case "returnable", "returnable_days", "returnable_until":
		end, ok := b.returnableUntil(o)
		if !ok {
			return nil, false
		}
		switch name {
		case "returnable":
			return b.now.Before(end), true
		case "returnable_days":
			return max(days(end.Sub(b.now)), 0), true
		}
		return end, true
	}
	return nil, false
}

// returnableUntil is the last moment at which any line of the order can go back;
// when the need names products, of those lines.
func (b *binding) returnableUntil(o *profile.Record) (last time.Time, ok bool) {
	named := b.named()
	for _, field := range []string{"lines", "products"} {
		lines, _ := o.Fields[field].([]any)
		for _, l := range lines {
			fields, _ := l.(map[string]any)
			line := profile.Record{Fields: fields}
			if len(named) > 0 && !slices.Contains(named, line.Text("product_id")) {
				continue
			}
			if t, stated := b.endOf(&line, "returnable_until"); stated && (!ok || t.After(last)) {
				last, ok = t, true
			}
		}
	}
	if !ok {
		return b.endOf(o, "returnable_until")
	}
	return last, ok
}

// over are the states, beside those that profile knows, in which nothing is left
// to do for a case.
var over = []string{"repaired", "complete", "sent_back", "shipped_back", "returned", "delivered", "已修好", "已寄回"}

func openCase(r *profile.Record) bool {
	return r.Open() && !slices.Contains(over, strings.ToLower(r.Text("status")))
}

// unnumbered tells that a case was never opened by the company: a report without a
// number stands under the id of its event, and nobody may ever close it.
func unnumbered(r *profile.Record) bool { return evidence.Ref(r.ID).Kind() == evidence.Event }

// forgottenAfter is when a report without a number no longer counts as pending.
const forgottenAfter = 30 * 24 * time.Hour

func (m *moment) pending(r *profile.Record) bool {
	return openCase(r) && (!unnumbered(r) || m.now.Sub(r.CreatedAt) < forgottenAfter)
}

func gone(o *profile.Record) bool {
	return slices.Contains([]string{"cancelled", "canceled", "refunded"}, o.Text("status"))
}

func openOrder(o *profile.Record) bool {
	return !gone(o) && !slices.Contains([]string{"delivered", "completed", "complete", "received", "signed", "closed"}, o.Text("status"))
}

// openCaseOf is the numbered case this candidate is about: the one named, else the
// newest open one of the device, else the newest open one.
func (b *binding) openCaseOf() *profile.Record {
	if b.casFound {
		return b.cas
	}
	b.casFound = true
	cases := b.person.Records[evidence.Case]
	if len(cases) == 0 {
		return nil
	}
	if id := b.namedRecord(evidence.Case, "case_id"); id != "" {
		b.cas = cases[id]
		return b.cas
	}
	if b.need != nil && b.need.Unowned {
		return nil
	}
	d := b.device()
	for _, c := range sorted(cases) {
		if !openCase(c) || unnumbered(c) {
			continue
		}
		if b.cas == nil {
			b.cas = c
		}
		if d != nil && (d.asset != nil && c.Text("asset_id") == d.asset.ID || d.product != "" && c.Text("product_id") == d.product) {
			b.cas = c
			return c
		}
	}
	return b.cas
}

func (b *binding) caseFact(name string) (any, bool) {
	c := b.openCaseOf()
	if c == nil {
		return nil, false
	}
	switch name {
	case "id":
		return c.ID, true
	case "named":
		return b.namedRecord(evidence.Case, "case_id") != "", true
	case "kind":
		return text(c.Text("kind"))
	case "status":
		return text(c.Text("status"))
	case "open":
		return openCase(c), true
	case "promised_at":
		t, ok := c.Time("promised_at")
		return t, ok
	case "overdue":
		t, ok := c.Time("promised_at")
		return ok && openCase(c) && b.now.After(t), ok
	case "age_days":
		return days(b.now.Sub(c.CreatedAt)), !c.CreatedAt.IsZero()
	}
	return nil, false
}
