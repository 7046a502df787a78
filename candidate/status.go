package candidate

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	plain "github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/profile"
)

// Records tells where the customer's own orders, cases, holdings and courses
// stand. It reads nobody else's.
type Records struct{}

// Name is "status".
func (Records) Name() string { return StatusSource }

const mostRecords = 3

// recordKinds are the records that an intent asks about, the likeliest first; an
// intent that is not here asks about orders and cases.
var recordKinds = map[string][]evidence.Kind{
	"order.status":              {evidence.Order, evidence.Case},
	"order.modify":              {evidence.Order},
	"order.cancel":              {evidence.Order},
	"logistics.track":           {evidence.Order},
	"logistics.problem":         {evidence.Order},
	"aftersale.return_refund":   {evidence.Order},
	"aftersale.exchange":        {evidence.Order},
	"aftersale.repair":          {evidence.Case, evidence.Asset},
	"aftersale.refund_progress": {evidence.Case, evidence.Order},
	"account.query":             {evidence.Enrolment, evidence.Holding, evidence.Contract},
	"finance.advice":            {evidence.Holding},
	"feedback.complaint":        {evidence.Case, evidence.Order},
	"payment.issue":             {evidence.Order},
}

var usualKinds = []evidence.Kind{evidence.Order, evidence.Case}

// Propose tells of the records that a need names by id, else by product, else of
// the newest open ones, else of the newest one.
func (Records) Propose(_ context.Context, r *Request) ([]Answer, error) {
	if r.Person == nil {
		return nil, nil
	}
	var answers []Answer
	for i := range r.Needs {
		n := &r.Needs[i]
		if n.Negated || !r.serves(StatusSource, n) {
			continue
		}
		for _, rec := range r.records(n) {
			answers = append(answers, Answer{Need: n.ID, Status: statusOf(r.Catalogue, rec)})
		}
	}
	return answers, nil
}

func (r *Request) records(n *need.Need) []*profile.Record {
	kinds, ok := recordKinds[n.Intent]
	if !ok {
		kinds = usualKinds
	}
	if n.Sub() == "repair_state" {
		kinds = []evidence.Kind{evidence.Case} // how the repair stands, not what was bought once
	}
	// That a device is in use answers nobody who asks when a parcel comes.
	if named := slices.DeleteFunc(r.recordsByID(n), func(rec *profile.Record) bool {
		return rec.Kind == evidence.Asset && !slices.Contains(kinds, evidence.Asset) || rec.Kind == evidence.Order && n.Sub() == "repair_state"
	}); len(named) > 0 {
		return named
	}
	if n.Unowned {
		return nil
	}
	items := r.focus(n)
	if len(r.named(n)) == 0 {
		if of := r.ofKind(n, kinds); len(of) > 0 {
			return of
		}
	}
	if len(items) == 0 && SendsBack(n.Intent) {
		orders := newestFirst(r.Person.Records[evidence.Order])
		if i := slices.IndexFunc(orders, Arrived); i >= 0 {
			return orders[i : i+1]
		}
	}
	if n.Intent == "logistics.track" && len(items) > 0 && !slices.Contains(kinds, evidence.Case) {
		kinds = append(slices.Clip(kinds), evidence.Case) // of a thing that came long ago, its repair is on the way
	}
	// An open matter of any of the kinds comes before a closed one of the likeliest.
	for _, openOnly := range [...]bool{true, false} {
		for _, kind := range kinds {
			found := slices.DeleteFunc(newestFirst(r.Person.Records[kind]), func(rec *profile.Record) bool {
				return beside(n, rec) || openOnly && !isOpen(rec)
			})
			if len(items) > 0 {
				held := slices.DeleteFunc(slices.Clone(found), func(rec *profile.Record) bool { return !holdsAny(r.Catalogue, rec, items) })
				if len(held) == 0 && (kind == evidence.Order || kind == evidence.Case || kind == evidence.Asset) {
					continue // they asked about a product that is not in here
				}
				if len(held) > 0 {
					found = held
				}
			}
			switch {
			case len(found) == 0:
			case openOnly || len(items) > 0:
				return found[:min(len(found), mostRecords)]
			default:
				return found[:1]
			}
		}
	}
	return nil
}

// ofKind are the records with a thing of the kind that a need names ("my air fryer"),
// those under way before those that are over.
func (r *Request) ofKind(n *need.Need, kinds []evidence.Kind) []*profile.Record {
	var categories []string
	for i := range n.Entities {
		if e := &n.Entities[i]; e.Type == "category" {
			categories = append(categories, canonical(e.ID))
		}
	}
	if len(categories) == 0 {
		return nil
	}
	for _, openOnly := range [...]bool{true, false} {
		for _, kind := range kinds {
			found := slices.DeleteFunc(newestFirst(r.Person.Records[kind]), func(rec *profile.Record) bool {
				return beside(n, rec) || openOnly && !isOpen(rec) || !slices.ContainsFunc(boughtIn(rec), func(id string) bool {
					it, ok := r.Catalogue.Item(id)
					return ok && slices.ContainsFunc(it.under(), func(c string) bool { return slices.Contains(categories, c) })
				})
			})
			if len(found) > 0 {
				return found[:min(len(found), mostRecords)]
			}
		}
	}
	return nil
}

// beside tells that a record of the right kind is about something else: a repair
// when the money of a refund is asked for.
func beside(n *need.Need, rec *profile.Record) bool {
	if rec.Kind != evidence.Case {
		return false
	}
	kind := rec.Text("kind")
	switch n.Intent {
	case "aftersale.refund_progress":
		return kind != "" && kind != "refund" && kind != "return" && kind != "dispute"
	case "aftersale.repair":
		return kind != "" && kind != "repair" && kind != "exchange"
	}
	return false
}

// recordsByID are the records whose id the need's words name, whole or by its last
// four signs or more.
func (r *Request) recordsByID(n *need.Need) []*profile.Record {
	var found []*profile.Record
	look := func(id string) {
		id = strings.TrimLeft(plain.Plain(id), "# ")
		if id == "" {
			return
		}
		var tails []*profile.Record
		for _, kind := range [...]evidence.Kind{evidence.Order, evidence.Case, evidence.Asset, evidence.Contract, evidence.Enrolment, evidence.Holding} {
			for _, rec := range newestFirst(r.Person.Records[kind]) {
				own := strings.TrimLeft(plain.Plain(rec.ID), "# ")
				switch {
				case own == id:
					if !slices.Contains(found, rec) {
						found = append(found, rec)
					}
					return
				case len(id) >= 4 && strings.HasSuffix(own, id):
					tails = append(tails, rec)
				}
			}
		}
		if len(tails) == 1 && !slices.Contains(found, tails[0]) {
			found = append(found, tails[0])
		}
	}
	for i := range n.Entities {
		e := &n.Entities[i]
		switch e.Type {
		case "order_id", "order", "case", "case_id", "asset", "serial", "contract", "holding", "enrolment":
			if e.ID != "" {
				look(e.ID)
			} else {
				look(e.Text)
			}
		}
	}
	if len(found) == 0 {
		for _, ref := range n.RefersTo {
			if _, id, ok := strings.Cut(ref, ":"); ok {
				ref = id
			}
			look(ref)
		}
	}
	return found[:min(len(found), mostRecords)]
}

func newestFirst(records map[string]*profile.Record) []*profile.Record {
	if len(records) == 0 {
		return nil
	}
	all := slices.Collect(maps.Values(records))
	slices.SortFunc(all, func(a, b *profile.Record) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), b.UpdatedAt.Compare(a.UpdatedAt), strings.Compare(a.ID, b.ID))
	})
	return all
}

// closed are the states after which nothing more is awaited.
var closed = []string{"delivered", "completed", "complete", "closed", "cancelled", "canceled", "refunded", "returned", "resolved", "done", "finished", "expired", "redeemed",
	"已送达", "已签收", "已完成", "已关闭", "已取消", "已退款", "已退货", "已解决", "已结束", "已到期"}

// Arrived tells whether an order is with the customer.
func Arrived(order *profile.Record) bool {
	_, known := order.Time("delivered_at")
	return known || slices.Contains([]string{"delivered", "completed", "received", "signed", "已送达", "已签收", "已完成"}, strings.ToLower(order.Text("status")))
}

// SendsBack tells whether an intent is about something that the customer has and wants
// to send back: without a word on which, it is of an order that has arrived.
func SendsBack(intent string) bool {
	return intent == "aftersale.return_refund" || intent == "aftersale.exchange"
}

func isOpen(rec *profile.Record) bool {
	return !slices.Contains(closed, strings.ToLower(rec.Text("status")))
}

// productsOf are the ids of the products that a record is about.
func productsOf(rec *profile.Record) []string {
	var ids []string
	add := func(m map[string]any) {
		for _, field := range [...]string{"variant", "product_id", "course_id", "item_id"} {
			if id, _ := m[field].(string); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
				if field == "variant" {
					return // the variant says it more exactly
				}
			}
		}
	}
	for _, field := range [...]string{"lines", "products"} {
		lines, _ := rec.Fields[field].([]any)
		for _, l := range lines {
			if m, ok := l.(map[string]any); ok {
				add(m)
			}
		}
	}
	add(rec.Fields)
	return ids
}

// holdsAny tells whether a record is about one of the items, one of their
// variants, or the product of which they are one.
func holdsAny(v View, rec *profile.Record, items []*Item) bool {
	for _, id := range boughtIn(rec) {
		for _, it := range items {
			if id == it.ID || id == it.VariantOf {
				return true
			}
			if own, ok := v.Item(id); ok && own.VariantOf == it.ID {
				return true
			}
		}
	}
	return false
}

func statusOf(v View, rec *profile.Record) *Status {
	s := &Status{Kind: rec.Kind, ID: rec.ID, State: rec.Text("status"), UpdatedAt: rec.UpdatedAt.UTC()}
	if s.State == "" {
		s.State = rec.Text("state")
	}
	if len(rec.Fields) > 0 {
		s.Fields = rec.Fields
	}
	for _, id := range productsOf(rec) {
		if it, ok := v.Item(id); ok && len(s.Items) < mostRows {
			s.Items = append(s.Items, it.Name())
		}
	}
	s.Evidence = []evidence.Ref{rec.Ref()}
	return s
}

// boughtIn are the products that a record names anywhere.
func boughtIn(rec *profile.Record) []string {
	ids := productsOf(rec)
	for _, field := range [...]string{"lines", "products"} {
		lines, _ := rec.Fields[field].([]any)
		for _, l := range lines {
			if m, ok := l.(map[string]any); ok {
				if id, _ := m["product_id"].(string); id != "" {
					ids = append(ids, id)
				}
			}
		}
	}
	return ids
}
