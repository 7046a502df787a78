package profile

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
)

// closed are the words by which a case or order is over. Other words are a state
// on the way.
var closed = map[string]bool{
	"completed": true, "closed": true, "resolved": true, "cancelled": true, "canceled": true, "rejected": true, "done": true,
	"finished": true, "settled": true, "delivered": true, "returned": true, "expired": true, "已送达": true, "已签收": true, "withdrawn": true, "refunded": true, "已完成": true, "已关闭": true, "已解决": true, "已取消": true, "已退款": true, "已拒绝": true,
}

// Open tells that the record's status does not say that it is over.
func (r *Record) Open() bool { return !closed[strings.ToLower(strings.TrimSpace(r.Text("status")))] }

func (p *Profile) ownRecords(kind evidence.Kind) map[string]*Record {
	switch {
	case p.Records == nil:
		p.Records = map[evidence.Kind]map[string]*Record{}
	case p.shared&sharedRecords != 0:
		p.Records = maps.Clone(p.Records)
		for k, m := range p.Records {
			p.Records[k] = maps.Clone(m)
		}
	}
	p.shared &^= sharedRecords
	if p.Records[kind] == nil {
		p.Records[kind] = map[string]*Record{}
	}
	return p.Records[kind]
}

// keep puts a changed record into its place; a record that was handed out is never
// changed, a new one takes its place.
func (p *Profile) keep(r *Record) {
	m := p.ownRecords(r.Kind)
	if m[r.ID] == nil && len(m) >= MaxRecords {
		var oldest *Record
		for _, o := range m {
			if oldest == nil || o.UpdatedAt.Before(oldest.UpdatedAt) || o.UpdatedAt.Equal(oldest.UpdatedAt) && o.ID < oldest.ID {
				oldest = o
			}
		}
		delete(m, oldest.ID)
	}
	m[r.ID] = r
}

// put is a record as the company's own system states it. It replaces what earlier
// puts said; what events said and it is silent about stays.
func (p *Profile) put(e *event.Event) {
	kind, id := evidence.Kind(e.Name), e.Subject
	if id == "" {
		return
	}
	was := p.Records[kind][id]
	if e.Deleted {
		if was != nil {
			delete(p.ownRecords(kind), id)
			if len(p.Records[kind]) == 0 {
				delete(p.Records, kind)
			}
		}
		return
	}
	body := e.Properties()
	if body == nil {
		body = map[string]any{}
	}
	delete(body, "person")
	delete(body, "updated_at")
	ref := evidence.Ref(e.ID.String())
	r := &Record{Kind: kind, ID: id, Fields: body, CreatedAt: milliseconds(e.Time), UpdatedAt: milliseconds(e.Time), Verified: e.Verified, put: ref}
	if was != nil {
		r.CreatedAt = was.CreatedAt
		for _, name := range was.told {
			if _, stated := body[name]; !stated {
				body[name] = was.Fields[name]
				r.told = append(r.told, name)
			}
		}
		if len(r.told) > 0 {
			r.Verified = r.Verified && was.Verified
			r.Evidence = slices.DeleteFunc(slices.Clone(was.Evidence), func(o evidence.Ref) bool { return o == was.put })
		}
	}
	r.Evidence = cite(r.Evidence, ref)
	p.keep(r)
}

// told changes a record by what an event says; r is nil for a new one.
func (p *Profile) told(kind evidence.Kind, id string, e *event.Event, change func(r *Record, isNew bool)) {
	was := p.Records[kind][id]
	at := milliseconds(e.Time)
	r := &Record{Kind: kind, ID: id, Fields: map[string]any{}, CreatedAt: at, Verified: true}
	if was != nil {
		copied := *was
		r = &copied
		r.Fields = maps.Clone(was.Fields)
		r.told = slices.Clone(was.told)
	}
	change(r, was == nil)
	r.UpdatedAt = at
	r.Verified = r.Verified && e.Verified
	r.Evidence = cite(r.Evidence, evidence.Ref(e.ID.String()))
	p.keep(r)
}

// say sets a field on behalf of an event.
func (r *Record) say(name string, v any) {
	if v == nil || v == "" {
		return
	}
	r.Fields[name] = v
	if i, known := slices.BinarySearch(r.told, name); !known {
		r.told = slices.Insert(r.told, i, name)
	}
}

// minor is how many decimals a currency has where it is not two (ISO 4217).
var minor = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

// money turns a decimal of an event (Segment's way) into minor units; nil when
// it is more than a float counts exactly.
func money(amount float64, currency string) any {
	currency = strings.ToUpper(strings.TrimSpace(currency))
	decimals, ok := minor[currency]
	if !ok {
		decimals = 2
	}
	units := math.Round(amount * math.Pow10(decimals))
	if math.Abs(units) >= 1<<53 {
		return nil
	}
	m := map[string]any{"amount": units}
	if currency != "" {
		m["currency"] = currency
	}
	return m
}

// lines reads the products of an order event as lines of an order record.
func lines(f fields) []any {
	currency := f.id("currency")
	var out []any
	add := func(f fields) {
		id := f.id("product_id")
		if id == "" {
			id = f.id("sku")
		}
		if id == "" {
			return
		}
		line := map[string]any{"product_id": id, "quantity": 1.0}
		if v := f.id("variant"); v != "" {
			line["variant"] = v
		}
		if n, ok := f.number("quantity"); ok {
			line["quantity"] = n
		}
		if price, ok := f.number("price"); ok {
			if paid := money(price, currency); paid != nil {
				line["paid"] = paid
			}
		}
		out = append(out, line)
	}
	if list, ok := f["products"].([]any); ok {
		for _, p := range list {
			if p, ok := p.(map[string]any); ok {
				add(p)
			}
		}
	} else {
		add(f)
	}
	return out
}

// own is the id a record is stated under, else the event's: what has no number
// still happened.
func own(f fields, name string, e *event.Event) string {
	if id := f.id(name); id != "" {
		return id
	}
	return e.ID.String()
}

func orderCompleted(p *Profile, e *event.Event, f fields) {
	p.told(evidence.Order, own(f, "order_id", e), e, func(r *Record, isNew bool) {
		if l := lines(f); l != nil {
			r.say("lines", l)
		}
		if total, ok := f.number("total"); ok {
			r.say("total", money(total, f.id("currency")))
		}
		for _, name := range [...]string{"coupon", "promotion_id"} {
			if used := f.id(name); used != "" {
				r.say(name, used)
			}
		}
		// "Completed" is Segment's word for an order that was placed.
		if r.Text("status") == "" {
			r.say("status", "placed")
		}
	})
}

func orderRefunded(p *Profile, e *event.Event, f fields) {
	id := f.id("order_id")
	if id == "" {
		return
	}
	p.told(evidence.Order, id, e, func(r *Record, isNew bool) {
		refunded := lines(f)
		ordered, _ := r.Fields["lines"].([]any)
		if isNew {
			r.say("lines", anyOrNil(refunded))
		}
		status := "refunded"
		if len(refunded) > 0 && len(refunded) < len(ordered) {
			status = "partly_refunded"
		}
		r.say("status", status)
		if total, ok := f.number("total"); ok {
			r.say("refunded", money(total, f.id("currency")))
		}
		r.say("refunded_lines", anyOrNil(refunded))
	})
}

func anyOrNil(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

func orderCancelled(p *Profile, e *event.Event, f fields) {
	id := f.id("order_id")
	if id == "" {
		return
	}
	p.told(evidence.Order, id, e, func(r *Record, isNew bool) {
		if isNew {
			r.say("lines", anyOrNil(lines(f)))
		}
		r.say("status", "cancelled")
	})
}

// about are the properties of a service event that its case keeps.
var about = []string{"product_id", "asset_id", "order_id", "symptom", "text", "promised_at"}

func (r *Record) sayAbout(f fields) {
	for _, name := range about {
		if name == "text" {
			if text, ok := f["text"].(string); ok {
				r.say("text", text)
			}
			continue
		}
		r.say(name, f.id(name))
	}
}

func repairReported(p *Profile, e *event.Event, f fields) {
	p.told(evidence.Case, own(f, "case_id", e), e, func(r *Record, isNew bool) {
		if r.Text("kind") == "" {
			r.say("kind", "repair")
		}
		if r.Text("status") == "" || !r.Open() {
			r.say("status", "reported")
		}
		r.sayAbout(f)
	})
}

func repairCompleted(p *Profile, e *event.Event, f fields) {
	id := f.id("case_id")
	if id == "" {
		id = p.openRepair(f.id("asset_id"), f.id("product_id"))
	}
	if id == "" {
		id = e.ID.String()
	}
	p.told(evidence.Case, id, e, func(r *Record, isNew bool) {
		if r.Text("kind") == "" {
			r.say("kind", "repair")
		}
		r.sayAbout(f)
		r.say("status", "completed")
		r.say("completed_at", milliseconds(e.Time).Format(time.RFC3339Nano))
	})
}

// openRepair is the newest open repair of a device, or of a product where the
// event names no device.
func (p *Profile) openRepair(asset, product string) string {
	field, want := "asset_id", asset
	if asset == "" {
		field, want = "product_id", product
	}
	if want == "" {
		return ""
	}
	var found *Record
	for _, r := range p.Records[evidence.Case] {
		if r.Text("kind") != "repair" || !r.Open() || r.Text(field) != want {
			continue
		}
		if found == nil || r.CreatedAt.After(found.CreatedAt) || r.CreatedAt.Equal(found.CreatedAt) && r.ID > found.ID {
			found = r
		}
	}
	if found == nil {
		return ""
	}
	return found.ID
}

func caseUpdated(p *Profile, e *event.Event, f fields) {
	id := f.id("case_id")
	if id == "" {
		return
	}
	p.told(evidence.Case, id, e, func(r *Record, isNew bool) {
		for _, name := range sortedKeys(f) {
			if field := snake(name); field != "case_id" {
				r.say(field, f[name])
			}
		}
	})
}

// requested opens a case where the request names one; without a number it stays an event.
func requested(kind string) func(p *Profile, e *event.Event, f fields) {
	return func(p *Profile, e *event.Event, f fields) {
		id := f.id("case_id")
		if id == "" {
			return
		}
		p.told(evidence.Case, id, e, func(r *Record, isNew bool) {
			if r.Text("kind") == "" {
				r.say("kind", kind)
			}
			if r.Text("status") == "" {
				r.say("status", "requested")
			}
			r.sayAbout(f)
		})
	}
}
