package decision

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// returnable is an order of which something can still go back.
type returnable struct {
	order    *profile.Record
	products []string // that can go back
	until    time.Time
}

// returnable is the newest order of which something can still go back and for which
// no return is under way; nil when there is none.
func (b *binding) returnable() *returnable {
	if b.retFound {
		return b.ret
	}
	b.retFound = true
	if b.need != nil && b.need.Unowned {
		return nil
	}
	for _, o := range sorted(b.person.Records[evidence.Order]) {
		if gone(o) || b.returnAsked(o.ID) {
			continue
		}
		if r := b.stillReturnable(o); r != nil {
			b.ret = r
			return r
		}
	}
	return nil
}

// stillReturnable reads what of an order can go back now. A line tells its own last
// moment, else the order's holds; one that says it is not returnable, or that was
// refunded, never goes back.
func (m *moment) stillReturnable(o *profile.Record) *returnable {
	refunded := linesOf(o, "refunded_lines")
	all, stated := m.endOf(o, "returnable_until")
	r := &returnable{order: o}
	lines := linesOf(o, "lines", "products")
	for _, l := range lines {
		id, _ := l["product_id"].(string)
		if may, said := l["returnable"].(bool); said && !may {
			continue
		}
		if slices.ContainsFunc(refunded, func(other map[string]any) bool { return other["product_id"] == l["product_id"] }) {
			continue
		}
		line := profile.Record{Fields: l}
		until, ok := m.endOf(&line, "returnable_until")
		if !ok {
			until, ok = all, stated
		}
		if !ok || !m.now.Before(until) {
			continue
		}
		if id != "" {
			r.products = append(r.products, id)
		}
		if until.After(r.until) {
			r.until = until
		}
	}
	if len(lines) == 0 && stated && m.now.Before(all) {
		r.until = all
	}
	if r.until.IsZero() {
		return nil
	}
	return r
}

func linesOf(o *profile.Record, fields ...string) []map[string]any {
	var all []map[string]any
	for _, field := range fields {
		lines, _ := o.Fields[field].([]any)
		for _, l := range lines {
			if l, ok := l.(map[string]any); ok {
				all = append(all, l)
			}
		}
	}
	return all
}

// returnAsked tells that an order is already on its way back: a return or refund
// was asked for and not turned down.
func (m *moment) returnAsked(order string) bool {
	for _, c := range m.person.Records[evidence.Case] {
		if kind := c.Text("kind"); (kind == "return" || kind == "refund" || kind == "exchange") && c.Text("order_id") == order &&
			!slices.Contains([]string{"cancelled", "canceled", "rejected", "withdrawn"}, c.Text("status")) {
			return true
		}
	}
	for _, name := range [...]string{"Return Requested", "Refund Requested"} {
		for _, e := range m.person.History[name] {
			p := e.Properties()
			if id, _ := p["order_id"].(string); id == order && p["case_id"] == nil {
				return true
			}
		}
	}
	return false
}

func (b *binding) returnableFact(name string) (any, bool) {
	r := b.returnable()
	if r == nil {
		return nil, false
	}
	switch name {
	case "id":
		return r.order.ID, true
	case "created_at":
		return r.order.CreatedAt, !r.order.CreatedAt.IsZero()
	case "until":
		return r.until, true
	case "days":
		return days(r.until.Sub(b.now)), true
	case "product_id":
		if len(r.products) == 1 {
			return r.products[0], true
		}
	}
	return nil, false
}

// maturing is the holding that matures next, and when; nil when none will.
func (b *binding) maturing() (next *profile.Record, at time.Time) {
	for _, h := range sorted(b.person.Records[evidence.Holding]) {
		if !h.Open() || slices.Contains([]string{"matured", "redeemed", "sold"}, h.Text("status")) {
			continue
		}
		t, ok := b.begin(h, "matures_at")
		if !ok || t.Before(b.startOfDay()) {
			continue
		}
		if next == nil || t.Before(at) {
			next, at = h, t
		}
	}
	return next, at
}

// begin reads a time field; a bare date begins with its day in the customer's zone.
func (m *moment) begin(r *profile.Record, field string) (time.Time, bool) {
	if s := r.Text(field); len(s) == len(time.DateOnly) {
		t, err := time.ParseInLocation(time.DateOnly, s, m.zone())
		return t, err == nil
	}
	return r.Time(field)
}

func (m *moment) startOfDay() time.Time {
	y, mo, d := m.now.In(m.zone()).Date()
	return time.Date(y, mo, d, 0, 0, 0, 0, m.zone())
}

func (b *binding) maturingFact(name string) (any, bool) {
	h, at := b.maturing()
	if h == nil {
		return nil, false
	}
	switch name {
	case "id":
		return h.ID, true
	case "product_id":
		return text(h.Text("product_id"))
	case "at":
		return at, true
	case "days":
		return max(days(at.Sub(b.startOfDay())), 0), true
	}
	return nil, false
}

// Putting says which item of the shelf an action puts forward: of those of a kind
// that can be had, the best by one attribute whose level is not above the
// customer's. When every one is above it, the lowest is named, so that the
// rejection can say so. A shelf without such items leaves the product of the
// holding that matures next.
//
// With Relations only those count that lead by one of them to a thing that the need is
// about: the products it names, else those of the order it is about, else the device.
// What the person has already is left out. The kind "promotion" puts forward a public
// promotion in force, for everybody alike.
type Putting struct {
	Kind  string // "" with Relations: any
	Level string // attribute that ranks the item (risk: R1 … R5); "": none
	Trait string // the customer's own rank
	Best  string // attribute by which the best is taken; "": the first by id
	// Relations are names such as accessory_of and consumable_of, read from the item.
	Relations []string
	Tagged    string // a tag that a promotion must bear; "": none
}

// Promotions is the kind of which an action puts forward a public promotion.
const Promotions = "promotion"

// putForward is the item chosen, with the records that tell its level.
type putForward struct {
	id, level string
	title     candidate.Text
	refs      []evidence.Ref
	within    bool
	known     bool // both levels are
	to, by    string
	toTitle   candidate.Text
	until     time.Time
}

// mostPut bounds the items that are looked at.
const mostPut = 256

func (b *binding) putting() *putForward {
	if b.putFound {
		return b.put
	}
	b.putFound = true
	if b.action == nil || b.action.Item == nil || b.in.Catalogue == nil {
		return nil
	}
	want := b.action.Item
	if want.Kind == Promotions {
		b.put = b.publicOffer(want)
		return b.put
	}
	trait, _ := b.person.Traits[want.Trait].Value.(string)
	own, ranked := rank(trait)
	type offer struct {
		putForward
		rank int
		best float64
	}
	var all []offer
	for _, put := range b.shelf(want) {
		item := b.item(put.id)
		if item == nil || item.Available != nil && !*item.Available {
			continue
		}
		o := offer{putForward: put}
		o.title, o.refs = item.Title, append([]evidence.Ref{item.Ref()}, put.refs...)
		if v, ok := item.Value(want.Level); ok {
			o.level = v.Text
		}
		level, known := rank(o.level)
		o.rank, o.known = level, known && ranked
		o.within = o.known && level <= own
		if v, ok := item.Value(want.Best); ok && v.Numeric {
			o.best = v.Max
			if a, ok := b.in.Catalogue.Attribute(want.Best); ok && a.Better == "lower" {
				o.best = -v.Min
			}
		}
		all = append(all, o)
	}
	slices.SortStableFunc(all, func(x, y offer) int {
		if x.within != y.within {
			return map[bool]int{true: -1, false: 1}[x.within]
		}
		if !x.within {
			return cmp.Or(-cmp.Compare(boolean(x.known), boolean(y.known)), cmp.Compare(x.rank, y.rank), cmp.Compare(y.best, x.best), cmp.Compare(x.id, y.id))
		}
		return cmp.Or(cmp.Compare(y.best, x.best), cmp.Compare(x.id, y.id))
	})
	if len(all) > 0 {
		b.put = &all[0].putForward
		return b.put
	}
	if h, _ := b.maturing(); h != nil && len(want.Relations) == 0 && want.Level != "" {
		p := &putForward{id: h.Text("product_id"), title: aProduct, level: h.Text("risk_level"), refs: []evidence.Ref{h.Ref()}}
		if item := b.item(p.id); item != nil {
			p.title = item.Title
		}
		level, known := rank(p.level)
		p.known = known && ranked
		p.within = p.known && level <= own
		b.put = p
	}
	return b.put
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rank reads the number of a level: R2, C3, PR4 or 2.
func rank(level string) (n int, ok bool) {
	digits := strings.TrimLeft(strings.TrimSpace(level), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ")
	if digits == "" || len(digits) > 2 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func (b *binding) itemFact(name string) (any, bool) {
	p := b.putting()
	if p == nil {
		return nil, false
	}
	switch name {
	case "id":
		return text(p.id)
	case "level":
		return text(p.level)
	case "within":
		return p.within, p.known
	case "for":
		return text(p.to)
	case "relation":
		return text(p.by)
	case "until":
		return p.until, !p.until.IsZero()
	}
	return nil, false
}

func (b *binding) citeItem(fact string) []evidence.Ref {
	p := b.putting()
	if p == nil {
		return nil
	}
	refs := slices.Clone(p.refs)
	if fact == "within" {
		if t, ok := b.person.Traits[b.action.Item.Trait]; ok && t.Evidence != "" {
			refs = join(refs, []evidence.Ref{t.Evidence})
		}
	}
	return refs
}

// Duty is somebody a customer can be put through to, and when.
type Duty struct {
	ID    string
	Name  candidate.Text
	Phone string
	Days  []int // Monday is 1; empty: every day
	Hours Hours
}

// Hours is a part of the day by the clock of a zone, in minutes after midnight; one
// that ends before it begins runs over midnight.
type Hours struct {
	From, Until int
	Zone        *time.Location
}

// within tells whether a moment lies in the hours, the begin of those hours and
// their end. Daylight saving moves the clock, and the hours with it.
func (h Hours) within(at time.Time) (in bool, from, until time.Time) {
	zone := h.Zone
	if zone == nil {
		zone = time.UTC
	}
	local := at.In(zone)
	y, mo, d := local.Date()
	clock := func(day, minutes int) time.Time { return time.Date(y, mo, day, minutes/60, minutes%60, 0, 0, zone) }
	for _, day := range [...]int{d - 1, d} {
		from, until = clock(day, h.From), clock(day, h.Until)
		if h.Until <= h.From {
			until = clock(day+1, h.Until)
		}
		if !at.Before(from) && at.Before(until) {
			return true, from, until
		}
	}
	return false, from, until
}

// watch is who is on duty now and until when, or who will be next and from when.
type watch struct {
	*Duty
	open bool
	at   time.Time // its end when open, else its begin
}

// duty finds whom the customer can be put through to; nil when the plan names nobody.
func (b *binding) duty() *watch {
	var next *watch
	for i := range b.plan.Duty {
		d := &b.plan.Duty[i]
		if until, open := d.now(b.now); open {
			return &watch{d, true, until}
		}
		if from, ok := d.next(b.now); ok && (next == nil || from.Before(next.at)) {
			next = &watch{d, false, from}
		}
	}
	return next
}

func (d *Duty) serves(day time.Time) bool {
	return len(d.Days) == 0 || slices.Contains(d.Days, int(day.Weekday()+6)%7+1)
}

// now tells whether they are on duty, and until when.
func (d *Duty) now(at time.Time) (until time.Time, open bool) {
	in, from, until := d.Hours.within(at)
	return until, in && d.serves(from)
}

// next is when they are on duty again, within a week and a day.
func (d *Duty) next(at time.Time) (from time.Time, ok bool) {
	zone := d.Hours.Zone
	if zone == nil {
		zone = time.UTC
	}
	y, mo, day := at.In(zone).Date()
	for k := range 9 {
		from := time.Date(y, mo, day+k, d.Hours.From/60, d.Hours.From%60, 0, 0, zone)
		if from.After(at) && d.serves(from) {
			return from, true
		}
	}
	return from, false
}

func (b *binding) dutyFact(name string) (any, bool) {
	w := b.duty()
	switch {
	case name == "open":
		return w != nil && w.open, true
	case w == nil:
		return nil, false
	case name == "phone":
		return text(w.Phone)
	case name == "until":
		return w.at, w.open
	case name == "opens":
		return w.at, !w.open
	}
	return nil, false
}
